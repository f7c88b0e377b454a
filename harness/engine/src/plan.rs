//! A trace as the scheduler reads it: flat arrays, ordered by client, without a string; as many copies of it as run.
//!
//! An operation takes an [`Entry`] of 16 bytes here. What is rare (dependencies, watched steps) lies in sorted side
//! tables that only flagged entries are looked up in. Order and dependencies that the trace implies are made explicit
//! here: a handle that another lane opens, a handle whose opening is answered late, a lane on a connection that a
//! step sets up.

use std::sync::Arc;

use replay_ir::{ArgKind, Check, ClientId, Dependency, Milestone, Role, Step, StepId, Trace};

use crate::copies::{Copies, Shape};

/// One step in its client's queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Nanoseconds from time 0.
    pub(crate) due: u64,
    pub(crate) step: StepId,
    /// Index into [`Plan::verbs`].
    pub(crate) verb: u16,
    pub(crate) flags: EntryFlags,
}

/// What the scheduler must know about a step beside its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryFlags(u16);

impl EntryFlags {
    const ROLE: u16 = 0b111;
    /// Goes in one frame with the entry before it.
    pub(crate) const COMPOUNDED: u16 = 1 << 3;
    /// Has [`Need`]s.
    pub(crate) const NEEDS: u16 = 1 << 4;
    /// Expects exactly the interim status.
    pub(crate) const PENDING: u16 = 1 << 5;
    /// Expects exactly `ok` and nothing else.
    pub(crate) const PLAIN: u16 = 1 << 6;
    /// Opens a handle, and some step depends on that.
    pub(crate) const OPENS: u16 = 1 << 7;
    /// Uses a handle that a step opened.
    pub(crate) const USES: u16 = 1 << 8;
    /// Has a bound of its own.
    pub(crate) const WITHIN: u16 = 1 << 9;
    /// The entry after it is [`COMPOUNDED`](Self::COMPOUNDED).
    pub(crate) const LEADS: u16 = 1 << 10;

    pub(crate) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }

    /// An operation that is right when it is answered with `ok`, whatever else the answer says.
    pub(crate) fn is_plain_operation(self) -> bool {
        self.0 & (Self::ROLE | Self::PLAIN) == Self::PLAIN
    }

    /// Short for a role of `Operation`.
    pub(crate) fn is_operation(self) -> bool {
        self.0 & Self::ROLE == 0
    }

    /// An operation with the bound of all operations.
    pub(crate) fn is_bounded_operation(self) -> bool {
        self.0 & (Self::ROLE | Self::WITHIN) == 0
    }

    pub(crate) fn role(self) -> Role {
        ROLES[usize::from(self.0 & Self::ROLE)]
    }
}

/// The order in which [`EntryFlags`] numbers the roles; operations are 0.
const ROLES: [Role; 8] = [
    Role::Operation,
    Role::Connect,
    Role::Await,
    Role::AwaitBreak,
    Role::NoBreak,
    Role::OnBreak,
    Role::Pause,
    Role::Pause,
];

/// Something that must have happened before a step may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// The step that waits.
    pub(crate) waiter: StepId,
    /// What it waits for.
    pub(crate) what: Dependency,
    /// Whose step that is.
    pub(crate) holder: ClientId,
}

/// One client's part of the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LanePlan {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The client whose connection it is on; itself for most.
    pub(crate) base: ClientId,
    /// The first step of its copy of the trace.
    pub(crate) first_step: u32,
}

/// The whole queue.
#[derive(Debug)]
pub(crate) struct Plan {
    trace: Arc<Trace>,
    pub(crate) shape: Shape,
    /// By client, in file order for each.
    pub(crate) entries: Vec<Entry>,
    /// By [`ClientId`].
    pub(crate) lanes: Vec<LanePlan>,
    /// By waiter.
    pub(crate) needs: Vec<Need>,
    /// Who must look again when something happens to a step, ordered by that step.
    pub(crate) dependents: Vec<(StepId, ClientId)>,
    /// Some step waits for a break.
    pub(crate) waits_for_breaks: bool,
    /// Steps whose milestones a `check order` compares, ordered.
    pub(crate) watched: Vec<StepId>,
    pub(crate) verbs: Vec<&'static str>,
}

impl Plan {
    /// The plan of all copies of a trace, of which there are fewer than 2^32 steps and clients.
    pub(crate) fn new(trace: Arc<Trace>, copies: &Copies) -> Self {
        let lanes = lanes(&trace);
        let mut plan = Self {
            shape: Shape::new(&trace, copies.count()),
            entries: entries(&trace, &lanes),
            lanes,
            needs: Vec::new(),
            dependents: Vec::new(),
            waits_for_breaks: false,
            watched: watched(&trace),
            verbs: trace
                .vocabulary()
                .verbs
                .iter()
                .map(|verb| verb.name)
                .collect(),
            trace: trace.clone(),
        };
        plan.add_needs(&trace);
        plan.forget_opens(&trace);
        plan.multiply(copies);
        plan
    }

    /// Whether a handle was opened is noted for those alone that some step uses, or whose breaks some step waits for: a
    /// long run of opens that fail as they should leaves nothing behind.
    fn forget_opens(&mut self, trace: &Trace) {
        let for_break = |need: &&Need| need.what.milestone == Milestone::Break;
        let breaks = self.needs.iter().filter(for_break);
        let used = trace.steps().filter_map(opener);
        let mut asked = vec![false; trace.len()];
        for step in used.chain(breaks.map(|need| need.what.step)) {
            asked[step.0 as usize] = true;
        }
        for entry in &mut self.entries {
            if !asked[entry.step.0 as usize] {
                entry.flags.0 &= !EntryFlags::OPENS;
            }
        }
    }

    /// The numbers of the verbs whose times are counted, each at least once.
    pub(crate) fn timed_verbs(&self) -> impl Iterator<Item = u16> {
        let entries = self.entries.iter().take(self.trace.len());
        let timed = |role| matches!(role, Role::Operation | Role::Connect);
        entries
            .filter(move |entry| timed(entry.flags.role()))
            .map(|entry| entry.verb)
    }

    /// The trace.
    pub(crate) fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    /// From one copy to all of them.
    fn multiply(&mut self, copies: &Copies) {
        if copies.count() == 1 {
            return;
        }
        let (entries, lanes) = (self.entries.clone(), self.lanes.clone());
        let (needs, dependents) = (self.needs.clone(), self.dependents.clone());
        let watched = self.watched.clone();
        let more = copies.count() as usize - 1;
        self.entries.reserve_exact(entries.len() * more);
        self.lanes.reserve_exact(lanes.len() * more);
        for entry in &mut self.entries {
            entry.due = entry.due.saturating_add(copies.shift(0));
        }
        for copy in 1..copies.count() {
            let (first_step, first_client) =
                (self.shape.first_step(copy), self.shape.first_client(copy));
            let step = |step: StepId| StepId(step.0 + first_step);
            let client = |client: ClientId| ClientId(client.0 + first_client);
            let shift = copies.shift(copy);
            let start = self.entries.len() as u32;
            self.entries.extend(entries.iter().map(|entry| Entry {
                due: entry.due.saturating_add(shift),
                step: step(entry.step),
                ..*entry
            }));
            self.lanes.extend(lanes.iter().map(|lane| LanePlan {
                start: lane.start + start,
                end: lane.end + start,
                base: client(lane.base),
                first_step,
            }));
            self.needs.extend(needs.iter().map(|need| Need {
                waiter: step(need.waiter),
                what: Dependency {
                    step: step(need.what.step),
                    ..need.what
                },
                holder: client(need.holder),
            }));
            let dependents = dependents.iter();
            self.dependents
                .extend(dependents.map(|&(target, waiter)| (step(target), client(waiter))));
            self.watched
                .extend(watched.iter().map(|&watched| step(watched)));
        }
    }

    /// The step of the trace that this is.
    pub(crate) fn step(&self, step: StepId) -> Step<'_> {
        self.shape.step(&self.trace, step)
    }

    /// Who does it.
    pub(crate) fn client_of(&self, step: StepId) -> ClientId {
        let first = self.shape.first_client(self.shape.copy_of(step));
        ClientId(self.step(step).client().0 + first)
    }

    /// The step that opened the handle which this step uses or ends, or opens anew.
    pub(crate) fn opened_by(&self, step: StepId) -> Option<StepId> {
        let opener = opener(self.step(step))?;
        Some(self.shape.beside(step, opener))
    }

    /// The step that its `Label` argument names.
    pub(crate) fn target(&self, step: StepId) -> Option<StepId> {
        let target = self.step(step).target()?;
        Some(self.shape.beside(step, target))
    }

    /// The steps whose milestones someone waits for or compares.
    pub(crate) fn cared_for(&self) -> impl Iterator<Item = StepId> {
        self.dependents
            .iter()
            .map(|&(step, _)| step)
            .chain(self.watched.iter().copied())
    }

    pub(crate) fn needs_of(&self, waiter: StepId) -> &[Need] {
        let start = self.needs.partition_point(|need| need.waiter < waiter);
        let count = self.needs[start..]
            .iter()
            .take_while(|need| need.waiter == waiter)
            .count();
        &self.needs[start..start + count]
    }

    pub(crate) fn dependents_of(&self, step: StepId) -> &[(StepId, ClientId)] {
        let start = self
            .dependents
            .partition_point(|&(target, _)| target < step);
        let count = self.dependents[start..]
            .iter()
            .take_while(|(target, _)| *target == step);
        &self.dependents[start..start + count.count()]
    }

    /// How many entries from `index` on go in one frame; at least 1.
    pub(crate) fn run_length(&self, index: u32, end: u32) -> u32 {
        let rest = &self.entries[index as usize + 1..end as usize];
        let joined = |entry: &&Entry| entry.flags.has(EntryFlags::COMPOUNDED);
        1 + rest.iter().take_while(joined).count() as u32
    }

    fn add_needs(&mut self, trace: &Trace) {
        for step in trace.steps() {
            self.needs
                .extend(step.after().map(|what| need(step, what, trace)));
        }
        let connects: Vec<Vec<StepId>> =
            self.lanes.iter().map(|lane| self.connects(*lane)).collect();
        for (index, lane) in self.lanes.clone().into_iter().enumerate() {
            let end = lane.end;
            let mut run = lane.start;
            if lane.base.0 as usize != index {
                let anew = connects[index].is_empty();
                self.add_connects(lane, &connects[lane.base.0 as usize], anew, trace);
            }
            while run < end {
                let length = self.run_length(run, end);
                for index in run..run + length {
                    self.add_implied(index, run);
                }
                run += length;
            }
        }
        self.needs.sort_by_key(|need| need.waiter);
        let for_break = |need: &Need| need.what.milestone == Milestone::Break;
        self.waits_for_breaks = self.needs.iter().any(for_break);
        let flagged = |needs: &[Need], step: StepId| {
            needs
                .binary_search_by_key(&step, |need| need.waiter)
                .is_ok()
        };
        if !self.needs.is_empty() {
            for entry in &mut self.entries {
                if flagged(&self.needs, entry.step) {
                    entry.flags.0 |= EntryFlags::NEEDS;
                }
            }
        }
        let waiters = self.needs.iter();
        self.dependents
            .extend(waiters.map(|need| (need.what.step, trace.step(need.waiter).client())));
        self.dependents.sort_unstable();
        self.dependents.dedup();
    }

    /// What follows from the trace without being written: `run` is where the entry's compound begins.
    fn add_implied(&mut self, index: u32, run: u32) {
        let entry = self.entries[index as usize];
        let trace = self.trace.clone();
        let step = trace.step(entry.step);
        let done = |step| Dependency {
            step,
            milestone: Milestone::Done,
        };
        if let Some(opener) = step.opened_by() {
            let opener = trace.step(opener);
            let elsewhere = opener.client() != step.client();
            let in_run = self.entries[run as usize..index as usize]
                .iter()
                .any(|member| member.step == opener.id());
            let late = opener.expect().is_pending() && !in_run;
            if elsewhere || late {
                self.needs.push(need(step, done(opener.id()), &trace));
            }
            if matches!(entry.flags.role(), Role::AwaitBreak | Role::NoBreak) {
                self.dependents.push((opener.id(), step.client()));
            }
        }
        if entry.flags.role() == Role::Await {
            self.dependents
                .extend(step.target().map(|target| (target, step.client())));
        }
    }

    /// The steps of a lane that connect something.
    fn connects(&self, lane: LanePlan) -> Vec<StepId> {
        let entries = &self.entries[lane.start as usize..lane.end as usize];
        let connects = entries
            .iter()
            .filter(|entry| entry.flags.role() == Role::Connect);
        connects.map(|entry| entry.step).collect()
    }

    /// A lane is on a connection that another client sets up, with these steps. Its first step waits for the first of them,
    /// if that client begins with it; with `anew`, what comes behind another one in the file waits for that.
    fn add_connects(&mut self, lane: LanePlan, connects: &[StepId], anew: bool, trace: &Trace) {
        let base = self.lanes[lane.base.0 as usize];
        let entries = &self.entries[lane.start as usize..lane.end as usize];
        let begins = self.entries[base.start as usize..base.end as usize]
            .first()
            .is_some_and(|first| first.flags.role() == Role::Connect);
        let mut waits = Vec::new();
        if let (Some(first), Some(&connect), true) = (entries.first(), connects.first(), begins) {
            waits.push((first.step, connect));
        }
        for &connect in connects.iter().filter(|_| anew) {
            let behind = entries.partition_point(|entry| entry.step < connect);
            waits.extend(entries.get(behind).map(|entry| (entry.step, connect)));
        }
        waits.sort_unstable();
        waits.dedup();
        let done = |step| Dependency {
            step,
            milestone: Milestone::Done,
        };
        let needs = waits
            .into_iter()
            .map(|(step, connect)| need(trace.step(step), done(connect), trace));
        self.needs.extend(needs);
    }
}

fn need(step: Step<'_>, what: Dependency, trace: &Trace) -> Need {
    Need {
        waiter: step.id(),
        what,
        holder: trace.step(what.step).client(),
    }
}

fn lanes(trace: &Trace) -> Vec<LanePlan> {
    let mut counts = vec![0_u32; trace.clients().len()];
    for step in trace.steps() {
        counts[step.client().0 as usize] += 1;
    }
    let mut start = 0;
    let clients = trace.clients().iter().zip(counts).enumerate();
    clients
        .map(|(index, (client, count))| {
            let base = client.on().unwrap_or(ClientId(index as u32));
            let lane = LanePlan {
                start,
                end: start + count,
                base,
                first_step: 0,
            };
            start = lane.end;
            lane
        })
        .collect()
}

fn entries(trace: &Trace, lanes: &[LanePlan]) -> Vec<Entry> {
    let blank = Entry {
        due: 0,
        step: StepId(0),
        verb: 0,
        flags: EntryFlags(0),
    };
    let mut entries = vec![blank; trace.len()];
    let mut next: Vec<u32> = lanes.iter().map(|lane| lane.start).collect();
    for step in trace.steps() {
        let client = step.client().0 as usize;
        let index = next[client];
        next[client] += 1;
        let verbs = trace.vocabulary().verbs;
        let verb = verbs
            .iter()
            .position(|verb| std::ptr::eq(verb, step.verb()))
            .unwrap_or(0);
        let mut flags = flags(step);
        // Only operations share a frame, with operations.
        let before = (index > lanes[client].start).then(|| entries[index as usize - 1].flags);
        let joined = step.compounded()
            && step.role() == Role::Operation
            && before.is_some_and(|flags| flags.role() == Role::Operation);
        if joined {
            flags.0 |= EntryFlags::COMPOUNDED;
            entries[index as usize - 1].flags.0 |= EntryFlags::LEADS;
        }
        entries[index as usize] = Entry {
            due: step.at(),
            step: step.id(),
            verb: verb as u16,
            flags,
        };
    }
    entries
}

fn flags(step: Step<'_>) -> EntryFlags {
    let role = ROLES
        .iter()
        .position(|role| *role == step.role())
        .unwrap_or(0);
    let mut flags = role as u16;
    let expect = step.expect();
    let mut set = |flag, on: bool| flags |= if on { flag } else { 0 };
    set(
        EntryFlags::PENDING,
        expect.is_pending() && step.role() == Role::Operation,
    );
    set(EntryFlags::WITHIN, step.within().is_some());
    set(EntryFlags::USES, opener(step).is_some());
    set(EntryFlags::OPENS, opens(step));
    let ok = step.trace().vocabulary().ok;
    let mut statuses = expect.statuses();
    let only_ok = statuses.next() == Some(ok) && statuses.next().is_none();
    let bare = !expect.anything() && !expect.unknown() && expect.fields().next().is_none();
    set(
        EntryFlags::PLAIN,
        only_ok && bare && step.within().is_none(),
    );
    EntryFlags(flags)
}

fn opens(step: Step<'_>) -> bool {
    let mut args = step.verb().args.iter();
    args.any(|arg| matches!(arg.kind, ArgKind::NewHandle))
}

/// The step that opened the handle which a step uses or ends. One that opens a handle and names a step that did the same
/// opens that one's anew.
fn opener(step: Step<'_>) -> Option<StepId> {
    let anew = || {
        let target = step.target().filter(|_| opens(step))?;
        opens(step.trace().step(target)).then_some(target)
    };
    step.opened_by().or_else(anew)
}

fn watched(trace: &Trace) -> Vec<StepId> {
    let mut watched = Vec::new();
    for check in trace.checks() {
        if let Check::Order { milestones, .. } = check {
            watched.extend(milestones.iter().map(|milestone| milestone.step));
        }
    }
    watched.sort_unstable();
    watched.dedup();
    watched
}
