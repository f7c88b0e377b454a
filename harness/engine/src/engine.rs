//! A whole run without a clock and without I/O: set-up, scheduler, judgement and record put together. The driver runs
//! it against real clients, the simulation against scripted ones.
//!
//! All times are nanoseconds on the caller's clock, which may begin anywhere.

mod finish;
mod outcomes;

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use replay_ir::{Answer, Bound, Check, ClientId, Role, StepId, Trace};

use crate::backend::{Op, Outcome};
use crate::events::EventKind;
use crate::options::{Progress, RunOptions};
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::scheduler::{Bounds, Scheduler};
use crate::setup::{Ramp, RoundTrips};
use crate::waits::WaitPicture;

/// So many breaks that no step has taken yet are kept with what they said.
const BREAKS_KEPT: usize = 100_000;

/// How often quantiles are published while they are wanted, in nanoseconds.
const QUANTILES_EVERY: u64 = 1_000_000_000;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    /// Before time 0.
    Measuring,
    Running,
    /// After the last step, where no client was connected before time 0.
    MeasuringLate,
    Over,
}

/// A run.
pub(crate) struct Engine {
    trace: Arc<Trace>,
    phase: Phase,
    ramp: Ramp,
    trips: RoundTrips,
    scheduler: Scheduler,
    recorder: Recorder,
    /// Clients that could not be connected before time 0.
    not_connected: Vec<ClientId>,
    /// Final answers of steps that had expected an interim one.
    finals: HashMap<StepId, Outcome>,
    /// Breaks that no step has taken yet, by opener and number.
    breaks: HashMap<(StepId, u32), Answer>,
    /// The operations of the submission in hand.
    ops: Vec<Op>,
    round_trips: u32,
    step_bound: u64,
    run_bound: Option<u64>,
    picture: Option<WaitPicture>,
    broken: Option<String>,
    /// When quantiles are to be published next.
    quantiles_at: u64,
}

impl Engine {
    pub(crate) fn new(trace: Arc<Trace>, options: &RunOptions) -> Self {
        let plan = Plan::new(trace.clone(), &options.copies);
        let bounds = Bounds {
            step: nanoseconds(options.step_timeout),
            connect: nanoseconds(options.connect_timeout),
        };
        let recorder = Recorder::new(&plan, bounds.step, options.event_log);
        let ramp = Ramp::new(to_connect(&plan), options, bounds.connect);
        Self {
            phase: Phase::Connecting,
            ramp,
            trips: RoundTrips::new(&[], 0, bounds.step),
            scheduler: Scheduler::new(plan, options.clock, bounds),
            recorder,
            not_connected: Vec::new(),
            finals: HashMap::new(),
            breaks: HashMap::new(),
            ops: Vec::new(),
            round_trips: if needs_round_trips(&trace) {
                options.round_trips
            } else {
                0
            },
            step_bound: bounds.step,
            run_bound: options.run_timeout.map(nanoseconds),
            picture: None,
            broken: None,
            quantiles_at: 0,
            trace,
        }
    }

    /// Takes in what a client reported, and leaves something empty in its place.
    pub(crate) fn event(&mut self, client: ClientId, at: u64, kind: &mut EventKind) {
        if self.is_plain(client, at, kind) {
            return;
        }
        match mem::replace(kind, EventKind::Lost(String::new())) {
            EventKind::Done(Op::Step(step), outcome) => self.step_done(client, step, at, outcome),
            EventKind::Done(op, outcome) => self.setup_done(client, op, at, &outcome),
            EventKind::Interim(Op::Step(step), answer) => self.interim(client, step, at, answer),
            EventKind::Interim(..) => {}
            EventKind::Break(event) => self.broke(client, at, event),
            EventKind::Reaction(reaction) => self.recorder.reacted(client, at, reaction),
            EventKind::Lost(reason) => {
                self.recorder.lost(client, at, reason);
                if self.phase == Phase::Running {
                    self.scheduler.connection_lost(client, at);
                }
            }
        }
        self.take_ended();
    }

    /// When what this client has in flight was dispatched; `None` before time 0 and after the end.
    #[inline]
    pub(crate) fn dispatched(&self, client: ClientId) -> Option<u64> {
        match self.phase {
            Phase::Running => self.scheduler.dispatched(client),
            _ => None,
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: u64) {
        match self.phase {
            Phase::Connecting => {
                while let Some(client) = self.ramp.overdue(now) {
                    self.recorder.not_connected(client, None);
                    self.not_connected.push(client);
                }
            }
            Phase::Measuring | Phase::MeasuringLate => self.trips.advance(now),
            Phase::Running => {
                self.scheduler.advance(now);
                self.take_ended();
                if self.run_deadline().is_some_and(|deadline| deadline <= now) {
                    self.out_of_time(now);
                }
            }
            Phase::Over => {}
        }
        self.move_on(now);
    }

    /// The next submission, dispatched at `now`: asked for until there is none.
    pub(crate) fn dispatch(&mut self, now: u64) -> Option<(ClientId, &[Op])> {
        self.ops.clear();
        let client = match self.phase {
            Phase::Connecting => {
                self.ops.push(Op::Connect);
                self.ramp.dispatch(now)?
            }
            Phase::Measuring | Phase::MeasuringLate => {
                self.ops.push(Op::RoundTrip);
                self.trips.dispatch(now)?
            }
            Phase::Over => return None,
            Phase::Running => {
                let submission = self.scheduler.dispatch(now);
                self.take_ended();
                let Some(submission) = submission else {
                    self.move_on(now);
                    // Round trips may follow.
                    return if self.phase == Phase::Running {
                        None
                    } else {
                        self.dispatch(now)
                    };
                };
                // The backend knows the steps by the trace's own numbers.
                let first = self.scheduler.plan().lanes[submission.client.0 as usize].first_step;
                self.ops.push(Op::Step(StepId(submission.step.0 - first)));
                for index in submission.first + 1..submission.first + submission.count {
                    let step = self.scheduler.entry(index).step;
                    self.ops.push(Op::Step(StepId(step.0 - first)));
                }
                self.recorder.issued += u64::from(submission.count);
                submission.client
            }
        };
        Some((client, &self.ops))
    }

    /// When [`advance`](Self::advance) must be called if nothing happens before.
    pub(crate) fn wake(&self) -> Option<u64> {
        match self.phase {
            Phase::Connecting => self.ramp.wake(),
            Phase::Measuring | Phase::MeasuringLate => self.trips.wake(),
            Phase::Running => [self.scheduler.wake(), self.run_deadline()]
                .into_iter()
                .flatten()
                .min(),
            Phase::Over => None,
        }
    }

    /// How many steps there are in all copies.
    pub(crate) fn steps(&self) -> usize {
        self.scheduler.plan().entries.len()
    }

    /// When time 0 was, once it has been.
    pub(crate) fn started_at(&self) -> Option<u64> {
        let begun = !matches!(self.phase, Phase::Connecting | Phase::Measuring);
        begun.then(|| self.scheduler.started_at())
    }

    /// When steps are due, each moment once, in nanoseconds from time 0; none with a clock without times.
    pub(crate) fn moments(&self) -> Vec<u64> {
        self.scheduler.due_times()
    }

    /// What goes on, in a word.
    pub(crate) fn phase(&self) -> &'static str {
        match self.phase {
            Phase::Connecting => "connecting",
            Phase::Measuring | Phase::MeasuringLate => "measuring round trips",
            Phase::Running => "steps",
            Phase::Over => "over",
        }
    }

    /// How many clients are connected before time 0.
    pub(crate) fn clients_to_connect(&self) -> usize {
        to_connect(self.scheduler.plan()).len()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Ends the run: it says nothing about the server.
    pub(crate) fn break_off(&mut self, now: u64, reason: String) {
        self.broken.get_or_insert(reason);
        self.scheduler.abort(now);
        self.take_ended();
        self.phase = Phase::Over;
    }

    pub(crate) fn publish(&mut self, now: u64, progress: &Progress) {
        use std::sync::atomic::Ordering::Relaxed;
        progress
            .steps_done
            .store(self.recorder.through() as u64, Relaxed);
        if progress.wants_quantiles.load(Relaxed) && (now >= self.quantiles_at || self.is_over()) {
            self.quantiles_at = now.saturating_add(QUANTILES_EVERY);
            self.recorder.publish_quantiles(&progress.quantiles);
        }
        progress
            .operations_issued
            .store(self.recorder.issued, Relaxed);
        progress
            .operations_completed
            .store(self.recorder.completed, Relaxed);
        let differences: usize = self.recorder.by_kind.values().sum();
        progress.differences.store(differences as u64, Relaxed);
        progress
            .clients_connected
            .store(self.ramp.connected().len() as u64, Relaxed);
        progress.lag.store(self.recorder.lag, Relaxed);
        progress
            .connections_lost
            .store(self.recorder.lost.len() as u64, Relaxed);
    }

    /// From one phase to the next when it is over.
    fn move_on(&mut self, now: u64) {
        loop {
            match self.phase {
                Phase::Connecting if self.ramp.is_over() => {
                    let connected = self.ramp.connected();
                    self.trips = RoundTrips::new(connected, self.round_trips, self.step_bound);
                    self.phase = Phase::Measuring;
                }
                Phase::Measuring if self.trips.is_over() => {
                    self.recorder.start = now;
                    self.recorder.last_end = now;
                    self.phase = Phase::Running;
                    self.scheduler.start(now, &self.not_connected);
                    self.take_ended();
                }
                Phase::Running if self.scheduler.is_over() => {
                    self.note_stuck();
                    let late = self.round_trips > 0 && self.trips.fastest().is_none();
                    if late {
                        let clients = self.still_connected();
                        self.trips = RoundTrips::new(&clients, self.round_trips, self.step_bound);
                    }
                    self.phase = if late {
                        Phase::MeasuringLate
                    } else {
                        Phase::Over
                    };
                }
                Phase::MeasuringLate if self.trips.is_over() => self.phase = Phase::Over,
                _ => return,
            }
        }
    }

    /// Clients with a connection of their own of which no loss was reported.
    fn still_connected(&self) -> Vec<ClientId> {
        let lanes = &self.scheduler.plan().lanes;
        let clients = (0..lanes.len()).map(|index| ClientId(index as u32));
        clients
            .filter(|client| {
                let lane = lanes[client.0 as usize];
                lane.base == *client
                    && lane.start < lane.end
                    && self.recorder.lost.iter().all(|lost| lost.client != *client)
            })
            .collect()
    }

    fn run_deadline(&self) -> Option<u64> {
        Some(self.scheduler.started_at().saturating_add(self.run_bound?))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn needs_round_trips(trace: &Trace) -> bool {
    let relative = |check: &Check| {
        matches!(
            check,
            Check::Time {
                bound: Bound::RoundTrips(_),
                ..
            }
        )
    };
    trace.checks().iter().any(relative)
}

/// The clients that are connected before time 0: those with a connection of their own that is used, unless their
/// first step connects them.
fn to_connect(plan: &Plan) -> Vec<ClientId> {
    let mut used = vec![false; plan.lanes.len()];
    for lane in plan.lanes.iter().filter(|lane| lane.start < lane.end) {
        used[lane.base.0 as usize] = true;
    }
    let clients = plan.lanes.iter().enumerate().filter(|(index, lane)| {
        let first = plan.entries[lane.start as usize..lane.end as usize].first();
        let explicit = first.is_some_and(|first| first.flags.role() == Role::Connect);
        used[*index] && lane.base.0 as usize == *index && !explicit
    });
    clients.map(|(index, _)| ClientId(index as u32)).collect()
}
