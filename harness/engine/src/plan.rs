//! A trace as the scheduler reads it: flat arrays, ordered by client, without a string; as many copies of it as run.
//!
//! An operation takes an [`Entry`] of 16 bytes here. What is rare (dependencies, watched steps) lies in sorted side
//! tables that only flagged entries are looked up in. Order and dependencies that the trace implies are made explicit
//! here: a handle that another lane opens, a handle whose opening is answered late, a lane on a connection that a
//! step sets up.

mod entries;
mod needs;

use std::sync::Arc;

use replay_ir::{ArgKind, ClientId, Dependency, Milestone, Role, Step, StepId, Trace};

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
        let lanes = entries::lanes(&trace);
        let mut plan = Self {
            shape: Shape::new(&trace, copies.count()),
            entries: entries::entries(&trace, &lanes),
            lanes,
            needs: Vec::new(),
            dependents: Vec::new(),
            waits_for_breaks: false,
            watched: entries::watched(&trace),
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
