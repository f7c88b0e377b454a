//! When each step may go: a pure state machine. `now` and what happened go in, submissions and a wake-up time come
//! out; no clock, no I/O, no strings, no allocation per operation.
//!
//! It holds: a client has at most one submission in flight; a client's steps go in file order; nothing goes before
//! its time or before all that it waits for; every wait has a bound. What an answer *says* is judged elsewhere: here
//! an answer only is or is not the vocabulary's `ok`.
//!
//! This file has the data and the doors. [`arrange`] finds out what stands in the way of a client's next step,
//! [`dispatch`] sends and waits, [`progress`] takes in what happened, [`bounds`] ends waits.

mod arrange;
mod bounds;
mod dispatch;
mod lane;
mod progress;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use replay_ir::{ClientId, Milestone, StepId};

use crate::options::Clock;
use crate::plan::{Entry, Plan};
use crate::waits::WaitPicture;

pub(crate) use lane::{Cause, Completion, Ended, How, StepEnd};
use lane::{LANE_STATES, Lane, LaneState, Marks};

/// The longest waits, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) step: u64,
    pub(crate) connect: u64,
}

/// A timer: when, for which step of which client. Ordered by time, then by file order.
type Timer = Reverse<(u64, StepId, ClientId)>;

/// Breaks of one handle.
#[derive(Debug, Clone, Copy, Default)]
struct Breaks {
    arrived: u32,
    /// How many of them a step has taken.
    taken: u32,
}

/// The scheduler. All times are nanoseconds on the caller's clock, except where they are said to be from time 0.
pub(crate) struct Scheduler {
    plan: Plan,
    clock: Clock,
    bounds: Bounds,
    /// Time 0 on the caller's clock.
    start: u64,
    lanes: Vec<Lane>,
    /// How many lanes are in each state.
    counts: [u32; LANE_STATES],
    marks: Vec<Marks>,
    timers: BinaryHeap<Timer>,
    ready: VecDeque<ClientId>,
    /// Clients that must look again at what they wait for.
    dirty: Vec<ClientId>,
    ended: VecDeque<Ended>,
    /// No answer can be overdue before this time.
    scan_at: u64,
    /// Since when only a break or a late answer could move anything.
    quiet_since: Option<u64>,
    not_opened: HashSet<StepId>,
    breaks: HashMap<StepId, Breaks>,
    /// When the milestones of watched steps happened: the time, and a number that tells equal times apart.
    moments: HashMap<(StepId, Milestone), (u64, u64)>,
    stuck: Option<WaitPicture>,
}

impl Scheduler {
    pub(crate) fn new(plan: Plan, clock: Clock, bounds: Bounds) -> Self {
        let mut marks = Vec::with_capacity(plan.entries.len());
        // Written, not only asked for: a long run's memory does not grow page by page then.
        marks.resize(plan.entries.len(), Marks::default());
        for step in plan.cared_for() {
            marks[step.0 as usize].set(Marks::CARED_FOR);
        }
        let lanes: Vec<Lane> = plan.lanes.iter().map(Lane::new).collect();
        let mut counts = [0; LANE_STATES];
        counts[LaneState::Finished as usize] = lanes.len() as u32;
        Self {
            clock: match clock {
                Clock::Paced { scale } if !(scale.is_finite() && scale >= 0.0) => Clock::default(),
                other => other,
            },
            timers: BinaryHeap::with_capacity(lanes.len()),
            ready: VecDeque::with_capacity(lanes.len()),
            plan,
            bounds,
            start: 0,
            lanes,
            counts,
            marks,
            dirty: Vec::new(),
            ended: VecDeque::new(),
            scan_at: u64::MAX,
            quiet_since: None,
            not_opened: HashSet::new(),
            breaks: HashMap::new(),
            moments: HashMap::new(),
            stuck: None,
        }
    }

    /// Time 0 is now. These clients have no connection.
    pub(crate) fn start(&mut self, now: u64, not_connected: &[ClientId]) {
        self.start = now;
        for &client in not_connected {
            self.kill(client, Cause::NotConnected);
        }
        for index in 0..self.lanes.len() {
            self.lanes[index].previous_end = now;
            self.arrange(ClientId(index as u32), now);
        }
        self.settle(now);
        self.check_quiet(now);
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn entry(&self, index: u32) -> Entry {
        self.plan.entries[index as usize]
    }

    /// Time 0 on the caller's clock.
    pub(crate) fn started_at(&self) -> u64 {
        self.start
    }

    /// When what this client has in flight was dispatched.
    #[inline]
    pub(crate) fn dispatched(&self, client: ClientId) -> Option<u64> {
        self.lanes
            .get(client.0 as usize)
            .map(|lane| lane.dispatched)
    }

    /// Some step ended by itself: there is something to ask [`ended`](Self::ended) for.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// A step that ended by itself; asked for until there is none, after everything else that is called here.
    pub(crate) fn ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// Every step has ended or will not run.
    pub(crate) fn is_over(&self) -> bool {
        self.count(LaneState::Finished) as usize == self.lanes.len()
    }

    /// Who waited for whom when nothing could move any more.
    pub(crate) fn stuck(&self) -> Option<&WaitPicture> {
        self.stuck.as_ref()
    }

    /// When a milestone of a watched step happened, on the caller's clock, with a number that tells equal times
    /// apart.
    pub(crate) fn moment(&self, step: StepId, milestone: Milestone) -> Option<(u64, u64)> {
        self.moments.get(&(step, milestone)).copied()
    }

    /// When [`advance`](Self::advance) must be called at the latest if nothing happens; `None` when only events can
    /// move anything.
    pub(crate) fn wake(&self) -> Option<u64> {
        if !self.ready.is_empty() {
            return Some(0);
        }
        let timer = self.timers.peek().map(|Reverse((at, ..))| *at);
        let scan = (self.count(LaneState::Flying) > 0).then_some(self.scan_at);
        let quiet = self
            .quiet_since
            .map(|since| since.saturating_add(self.bounds.step));
        [timer, scan, quiet].into_iter().flatten().min()
    }

    fn count(&self, state: LaneState) -> u32 {
        self.counts[state as usize]
    }

    fn lane(&mut self, client: ClientId) -> &mut Lane {
        &mut self.lanes[client.0 as usize]
    }

    fn set_state(&mut self, client: ClientId, state: LaneState) {
        let lane = &mut self.lanes[client.0 as usize];
        self.counts[lane.state as usize] -= 1;
        self.counts[state as usize] += 1;
        lane.state = state;
    }

    /// Some step waits for what happens to this one. Of others nothing need be kept.
    pub(crate) fn is_cared_for(&self, step: StepId) -> bool {
        self.marks(step).has(Marks::CARED_FOR)
    }

    fn marks(&self, step: StepId) -> Marks {
        self.marks[step.0 as usize]
    }

    /// When entries are due, each moment once, in order, from time 0; none with a clock without times.
    pub(crate) fn due_times(&self) -> Vec<u64> {
        if self.clock == Clock::Asap {
            return Vec::new();
        }
        let entries = self.plan.entries.iter();
        let mut times: Vec<u64> = entries
            .map(|entry| self.scheduled(entry, 0) - self.start)
            .collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// When the trace wants this entry, on the caller's clock; `eligible` for a clock without times.
    fn scheduled(&self, entry: &Entry, eligible: u64) -> u64 {
        match self.clock {
            Clock::Asap => eligible,
            Clock::Paced { scale: 1.0 } => self.start.saturating_add(entry.due),
            Clock::Paced { scale } => self.start.saturating_add((entry.due as f64 * scale) as u64),
        }
    }
}
