//! Sends what is ready, and begins the waits that steps about waiting are.

use std::cmp::Reverse;

use replay_ir::{ClientId, Milestone, Role};

use super::Scheduler;
use super::lane::{Ended, How, LaneState, Marks, Submission};
use crate::plan::EntryFlags;
use crate::times::Moments;

impl Scheduler {
    /// The next submission, dispatched at `now`. Asked for until there is none; steps that send nothing are carried
    /// out on the way.
    #[inline(always)]
    pub(crate) fn dispatch(&mut self, now: u64) -> Option<Submission> {
        while let Some(client) = self.ready.pop_front() {
            let lane = &self.lanes[client.0 as usize];
            if lane.state != LaneState::Ready {
                continue;
            }
            let first = lane.next;
            let flags = self.plan.entries[first as usize].flags;
            if lane.dead.is_none() && flags.is_operation() {
                return Some(self.send(client, first, now));
            }
            if lane.dead.is_some() && flags.role() != Role::Connect {
                self.arrange(client, now);
                self.settle(now);
                continue;
            }
            match flags.role() {
                Role::Operation | Role::Connect | Role::OnBreak => {
                    return Some(self.send(client, first, now));
                }
                Role::Pause => {
                    self.lane(client).dispatched = now;
                    self.finish_wait(client, now, How::Paused);
                }
                Role::Await | Role::AwaitBreak | Role::NoBreak => self.wait(client, first, now),
            }
            self.settle(now);
        }
        self.check_quiet(now);
        None
    }

    #[inline(always)]
    fn send(&mut self, client: ClientId, first: u32, now: u64) -> Submission {
        let count = self.lanes[client.0 as usize].run;
        let entry = self.plan.entries[first as usize];
        let marks = &mut self.marks[entry.step.0 as usize];
        let mut bound = self.bounds.step;
        if count == 1 && entry.flags.is_bounded_operation() && marks.are_none() {
            // Nobody waits for it: what follows comes to this.
            marks.set(Marks::FLYING | Marks::SENT);
        } else {
            bound = 0;
            for index in first..first + count {
                let entry = self.plan.entries[index as usize];
                self.marks[entry.step.0 as usize].set(Marks::FLYING);
                self.reach(entry.step, Milestone::Sent, now);
                bound = bound.max(self.bound(index));
            }
        }
        self.set_state(client, LaneState::Flying);
        let deadline = now.saturating_add(bound);
        let lane = self.lane(client);
        lane.dispatched = now;
        lane.left = count;
        lane.deadline = deadline;
        self.scan_at = self.scan_at.min(deadline);
        self.quiet_since = None;
        self.settle(now);
        Submission {
            client,
            first,
            step: entry.step,
            count,
        }
    }

    /// How long the answer to an entry is waited for.
    fn bound(&self, index: u32) -> u64 {
        let entry = &self.plan.entries[index as usize];
        let bound = match entry.flags.role() {
            Role::Connect => self.bounds.connect,
            _ => self.bounds.step,
        };
        bound.max(self.within(index).unwrap_or(0))
    }

    fn within(&self, index: u32) -> Option<u64> {
        let entry = &self.plan.entries[index as usize];
        if entry.flags.has(EntryFlags::WITHIN) {
            self.plan.step(entry.step).within()
        } else {
            None
        }
    }

    fn wait(&mut self, client: ClientId, first: u32, now: u64) {
        let entry = self.plan.entries[first as usize];
        let within = self.within(first);
        // What only waits need not go on waiting for what comes too late. An operation does, since its client cannot
        // go on without the answer.
        let bound = within.unwrap_or(match entry.flags.role() {
            Role::NoBreak => 0,
            _ => self.bounds.step,
        });
        let deadline = now.saturating_add(bound);
        let lane = self.lane(client);
        lane.dispatched = now;
        lane.deadline = deadline;
        self.set_state(client, LaneState::Waiting);
        self.quiet_since = None;
        self.reach(entry.step, Milestone::Sent, now);
        self.timers.push(Reverse((deadline, entry.step, client)));
        self.look(client, now);
    }

    /// Has what the client waits for come?
    pub(super) fn look(&mut self, client: ClientId, at: u64) {
        let lane = &self.lanes[client.0 as usize];
        let entry = self.plan.entries[lane.next as usize];
        let role = entry.flags.role();
        if role == Role::Await {
            let Some(target) = self.plan.target(entry.step) else {
                return;
            };
            let marks = self.marks(target);
            if marks.has(Marks::DONE) {
                self.finish_wait(client, at, How::Awaited(target));
            } else if marks.has(Marks::NEVER) {
                let cause = super::Cause::Never(target, Milestone::Done);
                self.give_up(client, at, How::NotRun(cause));
                self.arrange(client, at);
            }
            return;
        }
        if let Some(opener) = self.plan.opened_by(entry.step) {
            let breaks = self.breaks.entry(opener).or_default();
            if breaks.arrived > breaks.taken {
                let number = breaks.taken;
                breaks.taken += 1;
                let how = match role {
                    Role::NoBreak => How::Unwanted(opener, number),
                    _ => How::Broke(opener, number),
                };
                self.finish_wait(client, at, how);
                return;
            }
        }
        if self.lanes[client.0 as usize].dead.is_some() {
            self.give_up(client, at, How::CutOff);
            self.arrange(client, at);
        }
    }

    /// The step that the client waits with is over.
    pub(super) fn finish_wait(&mut self, client: ClientId, at: u64, how: How) {
        let lane = &self.lanes[client.0 as usize];
        let (index, eligible, dispatched) = (lane.next, lane.eligible, lane.dispatched);
        let entry = self.plan.entries[index as usize];
        let scheduled = self.scheduled(&entry, eligible);
        let moments = Moments {
            scheduled,
            eligible,
            dispatched,
            completed: at,
        };
        self.ended.push_back(Ended {
            client,
            entry: index,
            moments,
            how,
        });
        self.reach(entry.step, Milestone::Sent, dispatched);
        self.reach(entry.step, Milestone::Done, at);
        let lane = self.lane(client);
        lane.next += 1;
        lane.run = 0;
        lane.previous_end = at;
        self.arrange(client, at);
    }
}
