//! Lets time pass, and ends waits: timers, overdue answers, and runs in which nothing can move any more.

use std::cmp::Reverse;

use replay_ir::{ClientId, Role};

use super::Scheduler;
use super::lane::{Cause, How, LaneState, Marks};
use crate::waits::{Wait, WaitPicture, WaitsFor};

impl Scheduler {
    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some(&Reverse((at, step, client))) = self.timers.peek() {
            if at > now {
                break;
            }
            self.timers.pop();
            let lane = &self.lanes[client.0 as usize];
            // Timers are not withdrawn; one that has lost its cause is passed over here.
            if lane.next == lane.end || self.plan.entries[lane.next as usize].step != step {
                continue;
            }
            match lane.state {
                LaneState::Timed => {
                    self.ready.push_back(client);
                    self.set_state(client, LaneState::Ready);
                }
                LaneState::Waiting if lane.deadline <= now => self.wait_is_over(client, now),
                _ => {}
            }
        }
        if self.scan_at <= now {
            self.scan(now);
        }
        self.settle(now);
        self.check_quiet(now);
    }

    /// Ends the run: whatever has not ended is abandoned.
    pub(crate) fn abort(&mut self, now: u64) {
        for index in 0..self.lanes.len() {
            let client = ClientId(index as u32);
            if matches!(
                self.lanes[index].state,
                LaneState::Flying | LaneState::Waiting
            ) {
                self.give_up(client, now, How::Unfinished);
            }
            while self.lanes[index].next < self.lanes[index].end {
                self.lane(client).run = 1;
                self.give_up(client, now, How::NotRun(Cause::RunEnded));
            }
            self.set_state(client, LaneState::Finished);
        }
        self.ready.clear();
        self.timers.clear();
        self.dirty.clear();
        self.quiet_since = None;
    }

    /// Who waits for what.
    pub(crate) fn picture(&self, now: u64) -> WaitPicture {
        let waits = (0..self.lanes.len()).filter_map(|index| self.wait_of(ClientId(index as u32)));
        WaitPicture {
            at: now.saturating_sub(self.start),
            waits: waits.collect(),
        }
    }

    /// Ends the run when nothing can move any more, after waiting for what may still come by itself.
    pub(super) fn check_quiet(&mut self, now: u64) {
        let moving = [
            LaneState::Timed,
            LaneState::Ready,
            LaneState::Flying,
            LaneState::Waiting,
        ];
        if self.count(LaneState::Blocked) == 0 || moving.iter().any(|&s| self.count(s) > 0) {
            self.quiet_since = None;
            return;
        }
        let blocked = |lane: &super::Lane| lane.state == LaneState::Blocked;
        let hope = (0..self.lanes.len())
            .any(|index| blocked(&self.lanes[index]) && self.has_hope(ClientId(index as u32)));
        let since = *self.quiet_since.get_or_insert(now);
        if !hope || now >= since.saturating_add(self.bounds.step) {
            self.stuck = Some(self.picture(now));
            self.abort(now);
        }
    }

    /// Ends what is overdue, and finds out when the next look is needed. Runs at most once in the shortest bound,
    /// since every later dispatch has a later deadline.
    fn scan(&mut self, now: u64) {
        let mut next = u64::MAX;
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            if lane.state != LaneState::Flying {
                continue;
            }
            if lane.deadline > now {
                next = next.min(lane.deadline);
                continue;
            }
            let client = ClientId(index as u32);
            let members = &self.plan.entries[lane.next as usize..(lane.next + lane.run) as usize];
            let silent = members
                .iter()
                .find(|entry| self.marks(entry.step).has(Marks::FLYING));
            let silent = silent.map(|entry| Cause::NoAnswer(entry.step));
            let bound = lane.deadline - lane.dispatched;
            self.give_up(client, now, How::TimedOut(bound));
            let lane = self.lane(client);
            lane.dead = lane.dead.or(silent);
            self.arrange(client, now);
        }
        self.scan_at = next;
    }

    fn wait_is_over(&mut self, client: ClientId, now: u64) {
        let lane = &self.lanes[client.0 as usize];
        let entry = self.plan.entries[lane.next as usize];
        let bound = lane.deadline - lane.dispatched;
        if entry.flags.role() == Role::NoBreak {
            self.finish_wait(client, now, How::Quiet);
        } else {
            self.give_up(client, now, How::TimedOut(bound));
            self.arrange(client, now);
        }
    }

    fn wait_of(&self, client: ClientId) -> Option<Wait> {
        let lane = &self.lanes[client.0 as usize];
        if lane.state == LaneState::Finished {
            return None;
        }
        let entry = self.plan.entries[lane.next as usize];
        let step = self.plan.step(entry.step);
        let shape = self.plan.shape;
        let (what, since) = match lane.state {
            LaneState::Flying => (WaitsFor::Answer, lane.dispatched),
            LaneState::Blocked => (self.blocker(client)?, lane.eligible),
            LaneState::Timed => {
                let at = self
                    .scheduled(&entry, lane.eligible)
                    .saturating_sub(self.start);
                (WaitsFor::Time(at), lane.previous_end)
            }
            LaneState::Ready => (WaitsFor::Turn, lane.eligible),
            LaneState::Waiting | LaneState::Finished => {
                let what = match entry.flags.role() {
                    Role::Await => WaitsFor::Final(step.target()?),
                    Role::NoBreak => WaitsFor::NoBreak(step.opened_by()),
                    _ => WaitsFor::Break(step.opened_by()),
                };
                (what, lane.dispatched)
            }
        };
        let since = since.saturating_sub(self.start);
        Some(Wait {
            copy: shape.copy_of(entry.step),
            client: shape.client_in_trace(client),
            step: step.id(),
            what,
            since,
        })
    }

    /// The first thing that a blocked client waits for.
    fn blocker(&self, client: ClientId) -> Option<WaitsFor> {
        let lane = &self.lanes[client.0 as usize];
        let entries = &self.plan.entries[lane.next as usize..(lane.next + lane.run) as usize];
        let mut needs = entries
            .iter()
            .flat_map(|entry| self.plan.needs_of(entry.step));
        let open = needs.find(|need| {
            !self
                .marks(need.what.step)
                .has(Marks::bit(need.what.milestone))
        })?;
        let step = self.plan.shape.in_trace(open.what.step);
        Some(WaitsFor::Milestone(step, open.what.milestone))
    }
}
