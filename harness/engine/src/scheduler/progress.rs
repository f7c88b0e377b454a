//! Takes in what happened: answers, interim answers, breaks, losses.

use replay_ir::{ClientId, Milestone, Role, StepId};

use super::Scheduler;
use super::lane::{Cause, Completion, LaneState, Marks, StepEnd};
use crate::plan::{Entry, EntryFlags};
use crate::times::Moments;

impl Scheduler {
    /// The final end of a step, at a time that may lie before the latest `now`.
    pub(crate) fn complete(
        &mut self,
        client: ClientId,
        step: StepId,
        at: u64,
        end: StepEnd,
    ) -> Completion {
        let Some(marks) = self.marks.get(step.0 as usize) else {
            return Completion::Stray;
        };
        if marks.has(Marks::PENDED) {
            let flags = self.flags_of(step);
            self.marks[step.0 as usize].clear(Marks::PENDED);
            let opened = end == StepEnd::Answered { ok: true };
            if flags.has(EntryFlags::OPENS) && !opened {
                self.not_opened.insert(step);
            }
            self.reach(step, Milestone::Done, at);
            self.settle(at);
            return Completion::Final;
        }
        let Some(index) = self.in_flight(client, step) else {
            return Completion::Stray;
        };
        let moments = self.moments_of(client, index, at);
        self.marks[step.0 as usize].clear(Marks::FLYING);
        let flags = self.plan.entries[index as usize].flags;
        match end {
            // There was an answer, so that what waits for it may go; what it said is not known.
            StepEnd::Answered { .. } | StepEnd::Discarded => {
                let ok = end == StepEnd::Answered { ok: true };
                if !ok && flags.has(EntryFlags::OPENS) {
                    self.not_opened.insert(step);
                }
                if flags.role() == Role::Connect {
                    self.connected(client, step, ok);
                }
                self.reach(step, Milestone::Done, at);
            }
            StepEnd::Lost { allowed: true } => {
                if flags.has(EntryFlags::OPENS) {
                    self.not_opened.insert(step);
                }
                self.reach(step, Milestone::Done, at);
            }
            StepEnd::Lost { allowed: false } | StepEnd::Violation => {
                self.never(step, flags);
                self.kill(client, Cause::Lost(step));
            }
        }
        self.land(client, at);
        self.settle(at);
        Completion::Step(index, moments)
    }

    /// The same as [`complete`](Self::complete) with an answer of `ok`, the short way; `None`, and nothing has
    /// changed, when that does not do: for all but a single plain operation that nobody waits for.
    #[inline]
    pub(crate) fn complete_plain(
        &mut self,
        client: ClientId,
        step: StepId,
        at: u64,
    ) -> Option<(Entry, Moments)> {
        let lane = self.lanes.get_mut(client.0 as usize)?;
        let marks = self.marks.get_mut(step.0 as usize)?;
        if lane.state != LaneState::Flying || lane.run != 1 || !marks.are_of_plain_flight() {
            return None;
        }
        let entry = *self.plan.entries.get(lane.next as usize)?;
        if entry.step != step || !entry.flags.is_plain_operation() {
            return None;
        }
        marks.clear(Marks::FLYING);
        marks.set(Marks::DONE);
        lane.next += 1;
        lane.run = 0;
        lane.left = 0;
        lane.previous_end = at;
        let (eligible, dispatched) = (lane.eligible, lane.dispatched);
        let moments = Moments {
            scheduled: self.scheduled(&entry, eligible),
            eligible,
            dispatched,
            completed: at,
        };
        self.arrange(client, at);
        self.settle(at);
        Some((entry, moments))
    }

    /// An interim answer. The moments are those of the step when it ends with that for its lane.
    pub(crate) fn interim(
        &mut self,
        client: ClientId,
        step: StepId,
        at: u64,
    ) -> Option<(u32, Moments)> {
        let index = self.in_flight(client, step)?;
        let frees = self.plan.entries[index as usize]
            .flags
            .has(EntryFlags::PENDING);
        let freed = frees.then(|| (index, self.moments_of(client, index, at)));
        self.reach(step, Milestone::Pending, at);
        if frees {
            let marks = &mut self.marks[step.0 as usize];
            marks.clear(Marks::FLYING);
            marks.set(Marks::PENDED);
            self.land(client, at);
        }
        self.settle(at);
        freed
    }

    /// A break of the handle that this step opened. Its number, from 0.
    pub(crate) fn broke(&mut self, opener: StepId, at: u64) -> u32 {
        if opener.0 as usize >= self.marks.len() {
            return 0;
        }
        if !self.is_cared_for(opener) {
            self.reach(opener, Milestone::Break, at);
            return 0;
        }
        let breaks = self.breaks.entry(opener).or_default();
        let number = breaks.arrived;
        breaks.arrived = number.saturating_add(1);
        self.reach(opener, Milestone::Break, at);
        self.call_dependents(opener);
        self.settle(at);
        number
    }

    /// The client's connection ended without an operation in flight. What waits for a break on it is over; whether
    /// later steps can run is for their own answers to say, since the trace may have cut it on purpose.
    pub(crate) fn connection_lost(&mut self, client: ClientId, at: u64) {
        let base = self.lanes[client.0 as usize].base;
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            if lane.base != base || lane.state != LaneState::Waiting {
                continue;
            }
            let role = self.plan.entries[lane.next as usize].flags.role();
            if role == Role::AwaitBreak || role == Role::NoBreak {
                let client = ClientId(index as u32);
                self.give_up(client, at, super::How::CutOff);
                self.arrange(client, at);
            }
        }
        self.settle(at);
    }

    /// Nothing can be sent for this client any more, nor for those on its connection.
    pub(super) fn kill(&mut self, client: ClientId, cause: Cause) {
        let base = self.lanes[client.0 as usize].base;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if lane.base == base {
                lane.dead.get_or_insert(cause);
                self.dirty.push(ClientId(index as u32));
            }
        }
        // Whoever waits for a break on this connection waits in vain.
        if !self.plan.waits_for_breaks {
            return;
        }
        for (index, lane) in self.lanes.iter().enumerate() {
            if lane.state == LaneState::Blocked {
                self.dirty.push(ClientId(index as u32));
            }
        }
    }

    /// A step of role `Connect` was answered. On a lane it concerns the lane alone.
    fn connected(&mut self, client: ClientId, step: StepId, ok: bool) {
        let whole = self.lanes[client.0 as usize].base == client;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let concerned = index == client.0 as usize || (whole && lane.base == client);
            if concerned && !matches!(lane.dead, Some(Cause::NoAnswer(_))) {
                lane.dead = (!ok).then_some(Cause::Refused(step));
                self.dirty.push(ClientId(index as u32));
            }
        }
    }

    /// A milestone of a step has come.
    pub(super) fn reach(&mut self, step: StepId, milestone: Milestone, at: u64) {
        let marks = &mut self.marks[step.0 as usize];
        let bit = Marks::bit(milestone);
        let again = marks.has(bit);
        marks.set(bit);
        if again || !marks.has(Marks::CARED_FOR) {
            return;
        }
        if self.plan.watched.binary_search(&step).is_ok() {
            let number = self.moments.len() as u64;
            self.moments.insert((step, milestone), (at, number));
        }
        self.call_dependents(step);
    }

    /// One member of what the client has in flight has ended for its lane.
    fn land(&mut self, client: ClientId, at: u64) {
        let lane = self.lane(client);
        lane.left = lane.left.saturating_sub(1);
        if lane.left == 0 {
            lane.next += lane.run;
            lane.run = 0;
            lane.previous_end = at;
            self.arrange(client, at);
        }
    }

    /// The entry of a step that the client has in flight.
    fn in_flight(&self, client: ClientId, step: StepId) -> Option<u32> {
        let lane = self.lanes.get(client.0 as usize)?;
        if lane.state != LaneState::Flying || !self.marks.get(step.0 as usize)?.has(Marks::FLYING) {
            return None;
        }
        let run = lane.next..lane.next + lane.run;
        run.into_iter()
            .find(|&index| self.plan.entries[index as usize].step == step)
    }

    fn moments_of(&self, client: ClientId, index: u32, at: u64) -> Moments {
        let lane = &self.lanes[client.0 as usize];
        Moments {
            scheduled: self.scheduled(&self.plan.entries[index as usize], lane.eligible),
            eligible: lane.eligible,
            dispatched: lane.dispatched,
            completed: at,
        }
    }

    /// For a step whose lane has gone on.
    fn flags_of(&self, step: StepId) -> EntryFlags {
        let client = self.plan.client_of(step);
        let lane = self.plan.lanes[client.0 as usize];
        let entries = &self.plan.entries[lane.start as usize..lane.end as usize];
        let index = entries.partition_point(|entry| entry.step < step);
        entries[index].flags
    }
}
