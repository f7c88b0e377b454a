//! What a step waits for: what the trace says, and what follows from it without being written.

use replay_ir::{Dependency, Milestone, Role, Step, StepId, Trace};

use super::{EntryFlags, LanePlan, Need, Plan};

impl Plan {
    /// Notes all needs and who waits for whom, and flags the entries that have any.
    pub(super) fn add_needs(&mut self, trace: &Trace) {
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

fn done(step: StepId) -> Dependency {
    Dependency {
        step,
        milestone: Milestone::Done,
    }
}
