//! What the chosen steps need, found by following each step once: what opens and closes its handle, what it is a part of, what
//! connects its client, and the changes of its files, which [`changes`](super::changes) tells.

use super::changes::Changes;
use super::{Steps, before, owner};
use replay_ir::{Role, StepId, Trace};
use smb_vocabulary::subjects::Subjects;
use std::collections::HashMap;

/// The chosen steps with all that they need.
pub(super) fn with_needs(trace: &Trace, subjects: &Subjects, chosen: &[StepId]) -> Steps {
    let mut search = Search::new(trace, subjects, chosen);
    search.all(chosen);
    Steps::new(search.kept)
}

struct Search<'t> {
    trace: &'t Trace,
    subjects: &'t Subjects,
    before: Vec<Option<StepId>>,
    kept: Vec<bool>,
    /// The first and the last that is kept.
    first: StepId,
    last: StepId,
    todo: Vec<StepId>,
    on_breaks: HashMap<StepId, Vec<StepId>>,
    closes: HashMap<StepId, StepId>,
    /// Steps that ask for the key of a file that is copied from, by the step that opened it.
    keys: HashMap<StepId, Vec<StepId>>,
    /// Connects, disconnects and the like, by connection; the number of those that are kept.
    links: HashMap<u32, (Vec<StepId>, usize)>,
    changes: Changes<'t>,
    /// What the changes are found to be, until it is kept.
    found: Vec<StepId>,
    /// How often a step was looked at.
    #[cfg(test)]
    work: usize,
}

impl<'t> Search<'t> {
    fn new(trace: &'t Trace, subjects: &'t Subjects, chosen: &[StepId]) -> Self {
        let mut search = Self {
            trace,
            subjects,
            before: before(trace),
            kept: vec![false; trace.len()],
            first: StepId(u32::MAX),
            last: chosen.last().copied().unwrap_or(StepId(0)),
            todo: Vec::new(),
            on_breaks: HashMap::new(),
            closes: HashMap::new(),
            keys: HashMap::new(),
            links: HashMap::new(),
            changes: Changes::new(trace, subjects),
            found: Vec::new(),
            #[cfg(test)]
            work: 0,
        };
        search.index();
        search
    }

    fn all(&mut self, chosen: &[StepId]) {
        self.keep_all(chosen.iter().copied());
        while let Some(id) = self.next() {
            self.follow(id);
        }
    }

    fn index(&mut self) {
        for step in self.trace.steps() {
            let id = step.id();
            let word = |name: &str| step.arg(name).and_then(|value| value.as_str());
            match (step.verb().name, step.opened_by()) {
                ("close", Some(opener)) => drop(self.closes.insert(opener, id)),
                ("ioctl", Some(opener)) if word("code") == Some("srv-request-resume-key") => {
                    self.keys.entry(opener).or_default().push(id);
                }
                (
                    "connect" | "disconnect" | "logoff" | "reauthenticate" | "tree-connect"
                    | "tree-disconnect",
                    _,
                ) => self.links.entry(owner(&step)).or_default().0.push(id),
                (_, Some(opener)) if step.role() == Role::OnBreak => {
                    self.on_breaks.entry(opener).or_default().push(id);
                }
                _ => {}
            }
        }
    }

    fn keep(&mut self, id: StepId) {
        #[cfg(test)]
        {
            self.work += 1;
        }
        if let Some(kept) = self.kept.get_mut(id.0 as usize)
            && !std::mem::replace(kept, true)
        {
            self.first = self.first.min(id);
            self.todo.push(id);
        }
    }

    fn keep_all(&mut self, all: impl IntoIterator<Item = StepId>) {
        all.into_iter().for_each(|id| self.keep(id));
    }

    /// The next step that is kept and was not followed yet.
    fn next(&mut self) -> Option<StepId> {
        loop {
            if let Some(id) = self.todo.pop() {
                return Some(id);
            }
            if !self.changes.next(self.first, &mut self.found) {
                return None;
            }
            self.keep_found();
        }
    }

    fn keep_found(&mut self) {
        while let Some(id) = self.found.pop() {
            self.keep(id);
        }
    }

    /// What one step needs.
    fn follow(&mut self, id: StepId) {
        let step = self.trace.step(id);
        self.keep_all(step.target());
        if let Some(opener) = step.opened_by() {
            self.keep(opener);
            // What is said about its breaks before.
            let said = self.on_breaks.get(&opener).map_or(&[][..], |said| said);
            let end = said.partition_point(|&other| other < id);
            self.keep_all(said[..end].to_vec());
        }
        let source = self.subjects.source(id);
        self.keep_all(source);
        if step.arg("chunks").is_some()
            && let Some(opener) = source.or(step.opened_by())
        {
            // The key that names the source (MS-SMB2 2.2.31.1).
            let keys = self.keys.get(&opener).map_or(&[][..], |keys| keys);
            let before = keys.partition_point(|&key| key < id).checked_sub(1);
            let key = before.map(|at| keys[at]);
            self.keep_all(key);
        }
        if step.compounded() {
            self.keep_all(self.before[id.0 as usize]);
        }
        // A handle that is kept ends where it ended.
        let close = self.closes.get(&id).copied();
        self.keep_all(close.filter(|&close| close < self.last));
        if let Some((links, kept)) = self.links.get_mut(&owner(&step)) {
            let end = links.partition_point(|&link| link < id).max(*kept);
            let new = links[std::mem::replace(kept, end)..end].to_vec();
            self.keep_all(new);
        }
        for path in self.subjects.of(id) {
            self.changes.touch(path, id, &mut self.found);
        }
        self.keep_found();
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::{self, Files};
    use super::*;
    use proptest::prelude::*;
    use smb_vocabulary::{VOCABULARY, subjects};
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    /// The same by its definition: all of it again until nothing is added.
    fn by_definition(trace: &Trace, subjects: &Subjects, chosen: &[StepId]) -> Steps {
        let mut kept: BTreeSet<StepId> = chosen.iter().copied().collect();
        let end = chosen.last().copied().unwrap_or(StepId(0));
        let before = before(trace);
        let known = Files::known(trace, subjects);
        let near = |a: &str, b: &str| subjects::is_below(a, b) || subjects::is_below(b, a);
        loop {
            let mut size = kept.len();
            loop {
                for id in kept.clone() {
                    let step = trace.step(id);
                    kept.extend(step.target());
                    kept.extend(step.opened_by());
                    kept.extend(subjects.source(id));
                    if step.compounded() {
                        kept.extend(before[id.0 as usize]);
                    }
                    let earlier = trace.steps().take(id.0 as usize);
                    let linked = earlier.filter(|other| {
                        let link = matches!(
                            other.verb().name,
                            "connect" | "disconnect" | "logoff" | "tree-connect"
                        );
                        link && owner(other) == owner(&step)
                            || other.role() == Role::OnBreak
                                && other.opened_by().is_some()
                                && other.opened_by() == step.opened_by()
                    });
                    kept.extend(linked.map(|other| other.id()));
                }
                let closes = trace.steps().take(end.0 as usize).filter(|step| {
                    let opener = step.opened_by();
                    step.verb().name == "close" && opener.is_some_and(|id| kept.contains(&id))
                });
                kept.extend(closes.map(|step| step.id()).collect::<Vec<_>>());
                changed(
                    trace,
                    subjects,
                    &mut kept,
                    &|id, first, _| id > first,
                    &near,
                );
                if kept.len() == size {
                    break;
                }
                size = kept.len();
            }
            let is_unknown = |_, first, path: &str| !known.before(path, first).0;
            changed(trace, subjects, &mut kept, &is_unknown, &near);
            if kept.len() == size {
                let mut is_in = vec![false; trace.len()];
                kept.iter().for_each(|id| is_in[id.0 as usize] = true);
                return Steps::new(is_in);
            }
        }
    }

    fn changed(
        trace: &Trace,
        subjects: &Subjects,
        kept: &mut BTreeSet<StepId>,
        counts: &dyn Fn(StepId, StepId, &str) -> bool,
        near: &dyn Fn(&str, &str) -> bool,
    ) {
        let first = *kept.first().expect("there is one");
        for step in trace.steps().filter(files::changes) {
            let id = step.id();
            let is_needed = subjects.paths(id).any(|own| {
                counts(id, first, own)
                    && kept.range(StepId(id.0 + 1)..).any(|&later| {
                        let mut touched = subjects.paths(later);
                        touched.any(|path| near(own, path))
                    })
            });
            if is_needed {
                kept.insert(id);
            }
        }
    }

    /// A trace of three clients that work on a few files as these numbers say.
    fn trace_of(numbers: &[(u8, u8, u8)]) -> Trace {
        const PATHS: [&str; 6] = ["a", "d", "d/x", "d/y", "d/e/z", "A"];
        let mut text = String::from(
            "ir 1\nmode 2\nclient A user=alice\nclient B user=bob\nclient C on=A\n\
             given dir \"d\"\ngiven file \"d/x\" size=9 fill=2\n",
        );
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (number, &(client, what, which)) in numbers.iter().enumerate() {
            let client = usize::from(client) % 3;
            let name = ["A", "B", "C"][client];
            let path = PATHS[usize::from(which) % PATHS.len()];
            let own: Vec<usize> = (0..open.len())
                .filter(|&at| (open[at].0 == 1) == (client == 1))
                .collect();
            let at = own.get(usize::from(which) % own.len().max(1)).copied();
            let what = if own.len() > 20 { 0 } else { what % 12 };
            let _ = match (what, at.map(|at| open[at].1)) {
                (0, Some(h)) => {
                    open.remove(at.unwrap_or_default());
                    writeln!(text, "{name} close h{h}")
                }
                (1 | 2, Some(h)) => {
                    let (offset, len) = (which % 3, which % 7 + 1);
                    writeln!(
                        text,
                        "{name} write h{h} offset={offset} len={len} fill={}",
                        which % 2
                    )
                }
                (3, Some(h)) => writeln!(text, "{name} set-info h{h} end-of-file size={which}"),
                (4, Some(h)) => writeln!(text, "{name} set-info h{h} rename path=\"{path}\""),
                (5, Some(h)) => writeln!(text, "{name} set-info h{h} disposition"),
                (6, Some(h)) => writeln!(text, "{name} on-break h{h} ignore"),
                (7, Some(h)) => writeln!(text, "{name} read h{h} len=4"),
                (8, Some(h)) => {
                    let _ = writeln!(text, "{name} write h{h} len=2");
                    writeln!(text, "{name} + flush h{h}")
                }
                (9, _) => writeln!(text, "{name} tree-connect \"share\""),
                _ => {
                    open.push((client, number));
                    let disposition =
                        ["open", "create", "open-if", "overwrite-if"][usize::from(which) / 6 % 4];
                    writeln!(
                        text,
                        "{name} create h{number} \"{path}\" access=rwd oplock=batch disposition={disposition}"
                    )
                }
            };
        }
        replay_ir::load_str("random.ir", &text, &VOCABULARY)
            .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_the_definition_says(
            numbers in prop::collection::vec(any::<(u8, u8, u8)>(), 1..60),
            chosen in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        ) {
            let trace = trace_of(&numbers);
            let subjects = Subjects::new(&trace);
            let mut chosen: Vec<StepId> = chosen
                .iter()
                .map(|index| StepId(index.index(trace.len()) as u32))
                .collect();
            chosen.sort_unstable();
            chosen.dedup();
            let kept = with_needs(&trace, &subjects, &chosen);
            prop_assert_eq!(kept, by_definition(&trace, &subjects, &chosen));
        }
    }

    /// No `given` line can say the bytes of two files at the chosen step, and what the one needs comes before it makes
    /// the other's known again.
    #[test]
    fn what_is_kept_does_not_depend_on_the_order_of_files() {
        let text = "ir 1\nclient A user=alice\ngiven dir \"d\"\ngiven file \"d/x\" size=9 fill=2\n\
            A create h1 \"d\" disposition=overwrite-if\nA close h1\n\
            A create h4 \"d\" access=rwd disposition=open-if\n\
            A create h5 \"d/x\" access=rwd disposition=open-if\n\
            A write h5 offset=2 len=5 fill=1\nA write h4 offset=2 len=6 fill=1\n\
            A create h6 \"d\" disposition=open-if\n";
        let trace = replay_ir::load_str("two.ir", text, &VOCABULARY).expect("a trace");
        let (subjects, chosen) = (Subjects::new(&trace), [StepId(6)]);
        let kept = with_needs(&trace, &subjects, &chosen);
        assert_eq!(kept, by_definition(&trace, &subjects, &chosen));
    }

    /// Eight times the steps are hardly more than eight times the work, in a trace in which everything needs something.
    #[test]
    fn the_work_grows_with_the_steps() {
        let work = |steps: u32| {
            let numbers: Vec<(u8, u8, u8)> = (0..steps)
                .map(|number| {
                    let mixed = number.wrapping_mul(0x9E37_79B1).rotate_left(13);
                    (mixed as u8, (mixed >> 8) as u8, (mixed >> 16) as u8)
                })
                .collect();
            let trace = trace_of(&numbers);
            let subjects = Subjects::new(&trace);
            let chosen: Vec<StepId> = (0..trace.len() as u32).step_by(2).map(StepId).collect();
            let mut search = Search::new(&trace, &subjects, &chosen);
            search.all(&chosen);
            assert!(search.kept.iter().filter(|kept| **kept).count() > chosen.len());
            search.work + search.changes.work
        };
        let (small, large) = (work(4_000), work(32_000));
        assert!(
            small > 4_000 && large < small * 8 * 2,
            "{small} and {large}"
        );
    }
}
