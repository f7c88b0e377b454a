//! From the steps of a trace to the entries of a plan.

use replay_ir::{Check, ClientId, Role, Step, StepId, Trace};

use super::{Entry, EntryFlags, LanePlan, ROLES, opener, opens};

/// Each client's part of the queue, in the order of the clients.
pub(super) fn lanes(trace: &Trace) -> Vec<LanePlan> {
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

/// All steps, by client; which of them share a frame.
pub(super) fn entries(trace: &Trace, lanes: &[LanePlan]) -> Vec<Entry> {
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

/// The steps whose milestones a `check order` compares, ordered.
pub(super) fn watched(trace: &Trace) -> Vec<StepId> {
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
