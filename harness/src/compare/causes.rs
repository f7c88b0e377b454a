//! Which differences of one run of a trace follow from which earlier ones.
//!
//! In the order of the file, each difference is held against what the earlier ones have made otherwise: the step that opened its
//! handle, the members of its compound before it, what it awaits, its connection, and the part of a file's state that its
//! own words are about. The nearest one counts, and a chain of them leads to the cause.

use std::collections::{BTreeMap, HashMap, HashSet};

use replay_ir::{Check, ClientId, Step, StepId, Trace};
use smb_vocabulary::subjects::Subjects;

use super::aspects::{self, Aspects, Otherwise};
use super::found::{Differed, Found, Missed};
use super::state::State;

/// What a difference is about; in the order in which causes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// A client that could not connect before the first step.
    Client(ClientId),
    /// A step.
    Step(StepId),
    /// The `check` in this line.
    Check(u32),
    /// The run as a whole.
    Run,
}

/// Why one difference follows from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// It is on the handle that the other should have opened, or opened otherwise.
    Handle,
    /// It stands behind the other in a compound.
    Compound,
    /// It is about the other: an `await`, a `cancel`, a `reconnect`.
    Target,
    /// It waits for something of the other's.
    After,
    /// The other was about its client, session or tree.
    Connection,
    /// The other made this part of the file's state otherwise, or has shown it to be.
    File(usize),
    /// The run ended before.
    RunEnd,
}

impl By {
    /// The word for programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            By::Handle => "handle",
            By::Compound => "compound",
            By::Target => "target",
            By::After => "after",
            By::Connection => "connection",
            By::File(_) => "file",
            By::RunEnd => "run-end",
        }
    }

    /// The part of the file's state that both are about.
    pub(super) fn aspect(self) -> Option<&'static str> {
        match self {
            By::File(number) => Some(Aspects::word(number)),
            _ => None,
        }
    }
}

/// Something that was otherwise.
#[derive(Debug, Default)]
pub(super) struct Trouble<'f> {
    pub(super) differences: Vec<&'f Differed>,
    pub(super) missed: Option<&'f Missed>,
    /// What it follows from; a cause follows from nothing.
    pub(super) follows: Option<(Place, By)>,
}

impl<'f> Trouble<'f> {
    fn all(&self) -> impl Iterator<Item = Otherwise<'f>> + use<'_, 'f> {
        let differences = self
            .differences
            .iter()
            .map(|one| Otherwise::Differed(&one.kind, &one.expected, &one.actual));
        differences.chain(self.missed.map(|_| Otherwise::NotRun))
    }

    fn depends_on(&self, step: &Step<'_>) -> Aspects {
        let all = self.all().map(|one| aspects::depends_on(step, one));
        all.fold(Aspects::empty(), |all, one| all | one)
    }

    fn changes(&self, step: &Step<'_>) -> Aspects {
        let all = self.all().map(|one| aspects::changes(step, one));
        all.fold(Aspects::empty(), |all, one| all | one)
    }

    /// The step did not run, or not with the status that it should have.
    fn has_another_end(&self) -> bool {
        let status = |one: &&Differed| !matches!(&*one.kind, "field" | "data");
        self.missed.is_some() || self.differences.iter().any(status)
    }
}

/// All that was otherwise in one copy of the trace.
pub(super) type Troubles<'f> = BTreeMap<Place, Trouble<'f>>;

/// What was otherwise in each copy of the trace, of those that were; without what it follows from.
pub(super) fn by_copy<'f>(trace: &Trace, found: &'f Found) -> BTreeMap<u32, Troubles<'f>> {
    let mut copies: BTreeMap<u32, Troubles<'f>> = BTreeMap::new();
    for one in found.answers_differed.iter().chain(&found.others_differed) {
        let troubles = copies.entry(one.copy).or_default();
        let trouble = troubles.entry(place(trace, one)).or_default();
        trouble.differences.push(one);
    }
    for missed in &found.not_run {
        if let Some(index) = missed.step.checked_sub(1) {
            let troubles = copies.entry(missed.copy).or_default();
            let trouble = troubles.entry(Place::Step(StepId(index))).or_default();
            trouble.missed = Some(missed);
        }
    }
    copies
}

/// Finds out what each follows from, in one copy.
pub(super) fn connect(trace: &Trace, subjects: &Subjects, troubles: &mut Troubles<'_>) {
    let mut search = Search {
        trace,
        state: State::new(subjects),
        sessions: HashMap::new(),
        never: HashMap::new(),
        run_end: None,
    };
    search.all(troubles);
    cut_circles(troubles);
}

/// The cause of each: what its chain leads to.
pub(super) fn roots(troubles: &Troubles<'_>) -> HashMap<Place, Place> {
    let mut roots: HashMap<Place, Place> = HashMap::new();
    for &place in troubles.keys() {
        // A chain may be as long as the trace, so each part of it is gone along once.
        let (mut chain, mut at) = (vec![place], place);
        let root = loop {
            if let Some(&root) = roots.get(&at) {
                break root;
            }
            match troubles.get(&at).and_then(|trouble| trouble.follows) {
                Some((next, _)) => at = next,
                None => break at,
            }
            chain.push(at);
        };
        roots.extend(chain.into_iter().map(|place| (place, root)));
    }
    roots
}

fn place(trace: &Trace, one: &Differed) -> Place {
    let client = one.client.as_deref().and_then(|name| {
        let at = trace.clients().iter().position(|own| own.name() == name);
        at.map(|at| ClientId(at as u32))
    });
    let step = one.step.and_then(|number| number.checked_sub(1));
    match (step, client, one.line) {
        (Some(index), ..) => Place::Step(StepId(index)),
        (None, Some(client), _) => Place::Client(client),
        (None, None, Some(line)) => Place::Check(line),
        (None, None, None) => Place::Run,
    }
}

/// A chain that comes back to itself begins at its first place.
fn cut_circles(troubles: &mut Troubles<'_>) {
    let mut fine: HashSet<Place> = HashSet::new();
    let places: Vec<Place> = troubles.keys().copied().collect();
    for place in places {
        let (mut chain, mut seen, mut at) = (Vec::new(), HashSet::new(), place);
        while !fine.contains(&at) && seen.insert(at) {
            chain.push(at);
            match troubles.get(&at).and_then(|trouble| trouble.follows) {
                Some((next, _)) => at = next,
                None => break,
            }
        }
        if let Some(from) = chain.iter().position(|&other| other == at)
            && troubles.get(&at).is_some_and(|one| one.follows.is_some())
            && let Some(first) = chain[from..].iter().min()
            && let Some(trouble) = troubles.get_mut(first)
        {
            trouble.follows = None;
        }
        fine.extend(chain);
    }
}

struct Search<'s> {
    trace: &'s Trace,
    state: State<'s>,
    /// By connection: the latest step that made it otherwise.
    sessions: HashMap<ClientId, StepId>,
    /// The first step that waited in vain for something of a step that ended well.
    never: HashMap<StepId, StepId>,
    /// The first step that the end of the run cut off.
    run_end: Option<StepId>,
}

impl Search<'_> {
    fn all(&mut self, troubles: &mut Troubles<'_>) {
        // The step of the same client before each.
        let mut last: HashMap<ClientId, StepId> = HashMap::new();
        for step in self.trace.steps() {
            let before = last.insert(step.client(), step.id());
            let place = Place::Step(step.id());
            let Some(trouble) = troubles.get(&place) else {
                if step.verb().name == "disconnect" {
                    self.sessions.remove(&self.connection(step.client()));
                }
                self.state.moved(&step);
                continue;
            };
            let before = before.filter(|_| step.compounded());
            let follows = self.follows(&step, trouble, before, troubles);
            let changes = trouble.changes(&step);
            if changes.intersects(Aspects::SESSION) {
                let connection = self.connection(step.client());
                self.sessions.insert(connection, step.id());
            }
            self.state.record(&step, changes);
            self.state.moved(&step);
            if let Some(trouble) = troubles.get_mut(&place) {
                trouble.follows = follows;
            }
        }
        for check in self.trace.checks() {
            let Check::Order { milestones, line } = check else {
                continue;
            };
            let mut steps = milestones.iter().map(|milestone| milestone.step);
            let from = steps.find(|&step| troubles.contains_key(&Place::Step(step)));
            if let Some(trouble) = troubles.get_mut(&Place::Check(*line)) {
                trouble.follows = from.map(|step| (Place::Step(step), By::After));
            }
        }
    }

    fn follows(
        &mut self,
        step: &Step<'_>,
        trouble: &Trouble<'_>,
        before: Option<StepId>,
        troubles: &Troubles<'_>,
    ) -> Option<(Place, By)> {
        let known = |other: StepId| troubles.get(&Place::Step(other));
        let waited = trouble.differences.iter();
        let mut waited = waited.filter_map(|one| one.expected.strip_prefix("after="));
        if let Some(waited) = waited.next() {
            return self.in_vain(step, waited, troubles);
        }
        if let Some(missed) = trouble.missed {
            return self.not_run(step, missed, troubles);
        }
        if let Some(before) = before.filter(|&before| {
            trouble.has_another_end() && known(before).is_some_and(Trouble::has_another_end)
        }) {
            return Some((Place::Step(before), By::Compound));
        }
        let wanted = trouble.depends_on(step);
        let reaches = |other: &StepId| {
            let changed = known(*other).map(|one| one.changes(&self.trace.step(*other)));
            changed.is_some_and(|changed| changed.intersects(wanted))
        };
        let target = step.target().filter(|target| *target < step.id());
        if let Some(target) = target.filter(|target| {
            let ended = known(*target).is_some_and(Trouble::has_another_end);
            reaches(target) || ended && step.verb().name != "reconnect"
        }) {
            return Some((Place::Step(target), By::Target));
        }
        if let Some(opener) = step.opened_by().filter(reaches) {
            return Some((Place::Step(opener), By::Handle));
        }
        let of_session = wanted.intersects(Aspects::SESSION);
        let session = self
            .sessions
            .get(&self.connection(step.client()))
            .filter(|_| of_session);
        if let Some(&other) = session {
            return Some((Place::Step(other), By::Connection));
        }
        let (other, aspect) = self.state.latest(step, wanted)?;
        Some((Place::Step(other), By::File(aspect)))
    }

    /// Why a step was not tried.
    fn not_run(
        &mut self,
        step: &Step<'_>,
        missed: &Missed,
        troubles: &Troubles<'_>,
    ) -> Option<(Place, By)> {
        let because = missed.because.and_then(|number| number.checked_sub(1));
        let Some(because) = because.map(StepId) else {
            let own = [step.client(), self.connection(step.client())];
            let mut clients = own.into_iter().map(Place::Client);
            if let Some(client) = clients.find(|client| troubles.contains_key(client)) {
                return Some((client, By::Connection));
            }
            if troubles.contains_key(&Place::Run) {
                return Some((Place::Run, By::RunEnd));
            }
            let first = *self.run_end.get_or_insert(step.id());
            return (first != step.id()).then_some((Place::Step(first), By::RunEnd));
        };
        let waits = step.after().any(|waits| waits.step == because);
        let by = match step.opened_by() == Some(because) {
            _ if waits => By::After,
            true => By::Handle,
            false if step.target() == Some(because) => By::Target,
            false => By::Connection,
        };
        if troubles.contains_key(&Place::Step(because)) {
            return Some((Place::Step(because), by));
        }
        self.never_came(step, because).or_else(|| {
            let first = *self.never.entry(because).or_insert(step.id());
            (first != step.id()).then_some((Place::Step(first), by))
        })
    }

    /// Why a milestone did not come that a step has waited for until the run was over.
    fn in_vain(
        &self,
        step: &Step<'_>,
        milestone: &str,
        troubles: &Troubles<'_>,
    ) -> Option<(Place, By)> {
        let mut after = step.after();
        let waits = after.find(|waits| self.trace.milestone_text(*waits) == milestone)?;
        match troubles.contains_key(&Place::Step(waits.step)) {
            true => Some((Place::Step(waits.step), By::After)),
            false => self.never_came(step, waits.step),
        }
    }

    /// The step that was waited for ended as it should, but something of it never came: a break, which depends on all that is
    /// otherwise of its file.
    fn never_came(&self, step: &Step<'_>, awaited: StepId) -> Option<(Place, By)> {
        let (other, aspect) = self
            .state
            .latest(&self.trace.step(awaited), Aspects::all())?;
        (other != step.id()).then_some((Place::Step(other), By::File(aspect)))
    }

    fn connection(&self, client: ClientId) -> ClientId {
        self.trace.client(client).on().unwrap_or(client)
    }
}
