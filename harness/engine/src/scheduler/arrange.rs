//! What stands in the way of a client's next step.

use std::cmp::Reverse;

use replay_ir::{ClientId, Milestone, Role, StepId};

use super::Scheduler;
use super::lane::{Cause, Ended, How, LaneState, Marks};
use crate::plan::{Entry, EntryFlags};
use crate::times::Moments;

/// What a step's dependencies come to.
enum Needs {
    Met,
    Open,
    /// One of them cannot happen any more.
    Hopeless(Cause),
}

impl Scheduler {
    /// Finds the next step of a client that can still be run, and puts the client where it belongs. Steps on the way
    /// that cannot be run any more end as not run.
    #[inline]
    pub(super) fn arrange(&mut self, client: ClientId, at: u64) {
        let lane = &self.lanes[client.0 as usize];
        if lane.dead.is_none() && lane.next < lane.end {
            let entry = self.plan.entries[lane.next as usize];
            let alone = !entry.flags.has(EntryFlags::NEEDS | EntryFlags::LEADS);
            if alone && (!entry.flags.has(EntryFlags::USES) || self.not_opened.is_empty()) {
                self.lane(client).run = 1;
                self.queue(client, entry, at);
                return;
            }
        }
        self.arrange_carefully(client, at);
    }

    fn arrange_carefully(&mut self, client: ClientId, at: u64) {
        let lane = &self.lanes[client.0 as usize];
        // A client that looks again has waited since it first looked.
        let mut since = if lane.state == LaneState::Blocked {
            lane.eligible
        } else {
            at
        };
        loop {
            let lane = &self.lanes[client.0 as usize];
            let (next, end) = (lane.next, lane.end);
            if next == end {
                self.set_state(client, LaneState::Finished);
                return;
            }
            let run = if self.plan.entries[next as usize]
                .flags
                .has(EntryFlags::LEADS)
            {
                self.plan.run_length(next, end)
            } else {
                1
            };
            self.lane(client).run = run;
            match self.obstacle(client, next, run) {
                Needs::Hopeless(cause) => {
                    self.give_up(client, at, How::NotRun(cause));
                    since = at;
                }
                Needs::Open => {
                    self.lane(client).eligible = since;
                    self.set_state(client, LaneState::Blocked);
                    return;
                }
                Needs::Met => {
                    let entry = self.plan.entries[next as usize];
                    self.queue(client, entry, at);
                    return;
                }
            }
        }
    }

    /// Nothing but time stands in the way.
    #[inline(always)]
    fn queue(&mut self, client: ClientId, entry: Entry, at: u64) {
        let free = self.lanes[client.0 as usize].previous_end.max(at);
        let scheduled = self.scheduled(&entry, free);
        self.lane(client).eligible = free.max(scheduled);
        if scheduled > at {
            self.timers.push(Reverse((scheduled, entry.step, client)));
            self.set_state(client, LaneState::Timed);
        } else {
            self.ready.push_back(client);
            self.set_state(client, LaneState::Ready);
        }
    }

    /// Ends the client's next run of entries without running it, and moves on.
    pub(super) fn give_up(&mut self, client: ClientId, at: u64, how: How) {
        let lane = &self.lanes[client.0 as usize];
        let (next, run) = (lane.next, lane.run.max(1));
        let (eligible, dispatched) = (lane.eligible, lane.dispatched);
        for index in next..next + run {
            let entry = self.plan.entries[index as usize];
            let marks = self.marks(entry.step);
            // A member of a compound that has already ended stays what it is.
            if marks.has(Marks::DONE | Marks::NEVER | Marks::PENDED) {
                continue;
            }
            let scheduled = self.scheduled(&entry, eligible);
            let moments = Moments {
                scheduled,
                eligible,
                dispatched,
                completed: at,
            };
            self.marks[entry.step.0 as usize].clear(Marks::FLYING);
            self.never(entry.step, entry.flags);
            self.ended.push_back(Ended {
                client,
                entry: index,
                moments,
                how,
            });
        }
        let lane = self.lane(client);
        lane.next += run;
        lane.run = 0;
        lane.left = 0;
        lane.previous_end = at;
    }

    /// What has not happened to this step by now will not happen.
    pub(super) fn never(&mut self, step: StepId, flags: EntryFlags) {
        self.marks[step.0 as usize].set(Marks::NEVER);
        if flags.has(EntryFlags::OPENS) {
            self.not_opened.insert(step);
        }
        self.call_dependents(step);
    }

    /// Everyone who waits for something of this step must look again.
    pub(super) fn call_dependents(&mut self, step: StepId) {
        if self.marks(step).has(Marks::CARED_FOR) {
            let dependents = self.plan.dependents_of(step);
            self.dirty
                .extend(dependents.iter().map(|&(_, client)| client));
        }
    }

    /// Lets everyone look again who must, until nobody must.
    #[inline]
    pub(super) fn settle(&mut self, at: u64) {
        if !self.dirty.is_empty() {
            self.look_again(at);
        }
    }

    fn look_again(&mut self, at: u64) {
        while let Some(client) = self.dirty.pop() {
            match self.lanes[client.0 as usize].state {
                LaneState::Blocked => self.arrange(client, at),
                LaneState::Waiting => self.look(client, at),
                // A dead client's steps need not wait for their time to be given up.
                LaneState::Timed if self.lanes[client.0 as usize].dead.is_some() => {
                    self.arrange(client, at);
                }
                _ => {}
            }
        }
    }

    fn obstacle(&self, client: ClientId, next: u32, run: u32) -> Needs {
        let entries = &self.plan.entries[next as usize..(next + run) as usize];
        if let Some(cause) = self.lanes[client.0 as usize].dead {
            let reconnects = entries[0].flags.role() == Role::Connect
                && !matches!(cause, Cause::NoAnswer(_) | Cause::NotConnected);
            if !reconnects {
                return Needs::Hopeless(cause);
            }
        }
        let mut open = false;
        for entry in entries {
            if entry.flags.has(EntryFlags::USES) && !self.not_opened.is_empty() {
                let opener = self.plan.opened_by(entry.step);
                if let Some(opener) = opener.filter(|opener| self.not_opened.contains(opener)) {
                    return Needs::Hopeless(Cause::NotOpened(opener));
                }
            }
            if entry.flags.has(EntryFlags::NEEDS) {
                match self.needs(entry.step) {
                    Needs::Met => {}
                    Needs::Open => open = true,
                    hopeless => return hopeless,
                }
            }
        }
        if open { Needs::Open } else { Needs::Met }
    }

    fn needs(&self, step: StepId) -> Needs {
        let mut state = Needs::Met;
        for need in self.plan.needs_of(step) {
            let what = need.what;
            if self.marks(what.step).has(Marks::bit(what.milestone)) {
                continue;
            }
            if self.is_hopeless(what.step, what.milestone, need.holder) {
                return Needs::Hopeless(Cause::Never(what.step, what.milestone));
            }
            state = Needs::Open;
        }
        state
    }

    /// A milestone that has not happened and cannot happen any more.
    fn is_hopeless(&self, step: StepId, milestone: Milestone, holder: ClientId) -> bool {
        let marks = self.marks(step);
        if marks.has(Marks::NEVER) {
            return true;
        }
        let done = marks.has(Marks::DONE);
        match milestone {
            Milestone::Sent | Milestone::Done => false,
            Milestone::Pending => done,
            Milestone::Break => {
                let unreachable = self.lanes[holder.0 as usize].dead.is_some();
                done && (unreachable || self.not_opened.contains(&step))
            }
        }
    }

    /// True when what the client waits for may come by itself: a break, or the final answer of a step that has
    /// freed its lane.
    pub(super) fn has_hope(&self, client: ClientId) -> bool {
        let lane = &self.lanes[client.0 as usize];
        let entries = &self.plan.entries[lane.next as usize..(lane.next + lane.run) as usize];
        let mut needs = entries
            .iter()
            .flat_map(|entry| self.plan.needs_of(entry.step));
        needs.any(|need| {
            let marks = self.marks(need.what.step);
            let open = !marks.has(Marks::bit(need.what.milestone) | Marks::NEVER);
            open && match need.what.milestone {
                Milestone::Break => marks.has(Marks::DONE | Marks::PENDED),
                Milestone::Done => marks.has(Marks::PENDED),
                Milestone::Sent | Milestone::Pending => false,
            }
        })
    }
}
