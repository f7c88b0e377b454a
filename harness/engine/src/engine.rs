//! A whole run without a clock and without I/O: set-up, scheduler, judgement and record put together. The driver runs
//! it against real clients, the simulation against scripted ones.
//!
//! All times are nanoseconds on the caller's clock, which may begin anywhere.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use replay_ir::{Answer, Bound, Check, ClientId, Dependency, Milestone, Role, Step, StepId, Trace};

use crate::backend::{BreakEvent, Op, Outcome};
use crate::events::EventKind;
use crate::judge;
use crate::options::{Progress, RunOptions};
use crate::plan::{EntryFlags, Plan};
use crate::recorder::Recorder;
use crate::report::{Difference, End, NotRun, Place, RunReport};
use crate::scheduler::{Bounds, Cause, Completion, Ended, How, Scheduler, StepEnd};
use crate::setup::{Ramp, RoundTrips};
use crate::times::{Moments, Times};
use crate::verdict::{Kind, Verdict};
use crate::waits::{WaitPicture, WaitsFor};

/// So many breaks that no step has taken yet are kept with what they said.
const BREAKS_KEPT: usize = 100_000;

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
}

impl Engine {
    pub(crate) fn new(trace: Arc<Trace>, options: &RunOptions) -> Self {
        let plan = Plan::new(trace.clone());
        let bounds = Bounds {
            step: nanoseconds(options.step_timeout),
            connect: nanoseconds(options.connect_timeout),
        };
        let recorder = Recorder::new(trace.clone(), plan.verbs.len(), options.event_log);
        let ramp = Ramp::new(to_connect(&plan), options.connect_parallel, bounds.connect);
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
            trace,
        }
    }

    /// Takes in what a client reported.
    pub(crate) fn event(&mut self, client: ClientId, at: u64, kind: EventKind) {
        match kind {
            EventKind::Done(Op::Step(step), outcome) => self.step_done(client, step, at, outcome),
            EventKind::Done(op, outcome) => self.setup_done(client, op, at, &outcome),
            EventKind::Interim(Op::Step(step), answer) => self.interim(client, step, at, answer),
            EventKind::Interim(..) => {}
            EventKind::Break(event) => self.broke(client, at, event),
            EventKind::Lost(reason) => {
                self.recorder.lost(client, at, reason);
                if self.phase == Phase::Running {
                    self.scheduler.connection_lost(client, at);
                }
            }
        }
        self.take_ended();
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
                for index in submission.first..submission.first + submission.count {
                    self.ops.push(Op::Step(self.scheduler.entry(index).step));
                }
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

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
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
        self.recorder.start = self.recorder.start.max(self.scheduler.started_at());
        self.scheduler.abort(now);
        self.take_ended();
        self.phase = Phase::Over;
    }

    pub(crate) fn publish(&self, progress: &Progress) {
        use std::sync::atomic::Ordering::Relaxed;
        progress
            .steps_done
            .store(self.recorder.through() as u64, Relaxed);
        let differences: usize = self.recorder.by_kind.values().sum();
        progress.differences.store(differences as u64, Relaxed);
        progress
            .clients_connected
            .store(self.ramp.connected().len() as u64, Relaxed);
        progress.lag.store(self.recorder.lag, Relaxed);
    }

    /// Judges the checks and hands out the report.
    pub(crate) fn finish(mut self, backend: &'static str) -> RunReport {
        let times = self.recorder.take_times(&self.scheduler.plan().verbs);
        if self.broken.is_none() {
            self.check(&times);
        }
        let recorder = &mut self.recorder;
        let mut kinds: BTreeSet<Kind> = recorder.by_kind.keys().copied().collect();
        if !recorder.not_run.is_empty() {
            kinds.insert(Kind::NotRun);
        }
        let verdict = match self.broken {
            Some(reason) => Verdict::Broken { reason },
            None if kinds.is_empty() => Verdict::Passed,
            None => Verdict::Failed { kinds },
        };
        let ran = recorder.last_end.saturating_sub(recorder.start);
        let steps = self.trace.len();
        RunReport {
            answers_agreed: recorder.agreed,
            answers_differed: recorder.differed,
            differences: std::mem::take(&mut recorder.differences),
            differences_by_kind: std::mem::take(&mut recorder.by_kind),
            actual: std::mem::take(&mut recorder.actual),
            not_run: std::mem::take(&mut recorder.not_run),
            times,
            duration: Duration::from_nanos(ran),
            round_trip: self.trips.fastest(),
            records: recorder.take_records(),
            breaks: std::mem::take(&mut recorder.breaks),
            lost: std::mem::take(&mut recorder.lost),
            stuck: self.picture,
            ..RunReport::not_started(backend, steps, verdict)
        }
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

    fn setup_done(&mut self, client: ClientId, op: Op, at: u64, outcome: &Outcome) {
        let ok = self.trace.vocabulary().ok;
        match op {
            Op::Connect => {
                let fine = matches!(outcome, Outcome::Answered(answer) if answer.status == ok);
                if !self.ramp.complete(client, fine) || fine {
                    return;
                }
                if let Outcome::Broken(reason) = outcome {
                    let name = self.trace.client(client).name();
                    let reason = format!("client {name} could not connect: {reason}");
                    self.break_off(at, reason);
                    return;
                }
                if let Outcome::Lost(reason) = outcome {
                    self.recorder.lost(client, at, reason.clone());
                }
                self.recorder.not_connected(client, Some(outcome));
                self.not_connected.push(client);
            }
            Op::RoundTrip => {
                self.trips.complete(client, at, outcome, ok);
            }
            Op::Step(_) => {}
        }
    }

    fn step_done(&mut self, client: ClientId, id: StepId, at: u64, outcome: Outcome) {
        if self.phase != Phase::Running || id.0 as usize >= self.trace.len() {
            return;
        }
        let end = match &outcome {
            Outcome::Answered(answer) => StepEnd::Answered {
                ok: answer.status == self.trace.vocabulary().ok,
            },
            Outcome::Lost(_) => StepEnd::Lost {
                allowed: judge::allows_loss(self.trace.step(id)),
            },
            Outcome::Violation(_) => StepEnd::Violation,
            Outcome::Broken(reason) => {
                let step = self.trace.step(id);
                let name = self.trace.client(client).name();
                let reason = format!("client {name}, line {}: {reason}", step.line());
                self.break_off(at, reason);
                return;
            }
        };
        match self.scheduler.complete(client, id, at, end) {
            Completion::Step(index, moments) => {
                self.step_ended(client, index, moments, end, outcome);
            }
            Completion::Final => {
                self.finals.insert(id, outcome);
            }
            Completion::Stray => {
                let line = self.trace.step(id).line();
                tracing::debug!(line, ?outcome, "an answer to a step that is not in flight");
            }
        }
    }

    /// A step was answered, or lost its connection.
    fn step_ended(
        &mut self,
        client: ClientId,
        index: u32,
        moments: Moments,
        end: StepEnd,
        outcome: Outcome,
    ) {
        let entry = self.scheduler.entry(index);
        if matches!(end, StepEnd::Answered { .. })
            && matches!(entry.flags.role(), Role::Operation | Role::Connect)
        {
            self.recorder.time(entry.verb, &moments);
        }
        let short = end_of(&outcome);
        self.recorder
            .end(client, entry.step, moments, short, Some(&outcome));
        if entry.flags.has(EntryFlags::PLAIN) && end == (StepEnd::Answered { ok: true }) {
            self.recorder.agreed += 1;
            return;
        }
        if let Outcome::Lost(reason) = &outcome {
            self.recorder
                .lost(client, moments.completed, reason.clone());
        }
        let took = moments.completed.saturating_sub(moments.dispatched);
        let differences = judge::judge(self.trace.step(entry.step), &outcome, took);
        self.recorder
            .judged(entry.step, differences, Some(&outcome));
        // A step that had expected an interim answer may be awaited all the same.
        if entry.flags.has(EntryFlags::PENDING) {
            self.finals.insert(entry.step, outcome);
        }
    }

    fn interim(&mut self, client: ClientId, id: StepId, at: u64, answer: Answer) {
        if self.phase != Phase::Running || id.0 as usize >= self.trace.len() {
            return;
        }
        let Some((index, moments)) = self.scheduler.interim(client, id, at) else {
            return;
        };
        let entry = self.scheduler.entry(index);
        self.recorder.time(entry.verb, &moments);
        let outcome = Outcome::Answered(answer);
        self.recorder
            .end(client, id, moments, End::Pending, Some(&outcome));
        let took = moments.completed.saturating_sub(moments.dispatched);
        let differences = judge::judge(self.trace.step(id), &outcome, took);
        self.recorder.judged(id, differences, Some(&outcome));
    }

    fn broke(&mut self, client: ClientId, at: u64, event: BreakEvent) {
        self.recorder.broke(client, at, &event);
        if self.phase != Phase::Running {
            return;
        }
        let opener = event
            .opened_by
            .filter(|step| (step.0 as usize) < self.trace.len());
        let Some(opener) = opener else {
            tracing::debug!(?event, "a break for no known handle");
            return;
        };
        let number = self.scheduler.broke(opener, at);
        if self.breaks.len() < BREAKS_KEPT {
            self.breaks.insert((opener, number), event.answer);
        }
    }

    /// Judges the steps that the scheduler has ended by itself.
    fn take_ended(&mut self) {
        while let Some(ended) = self.scheduler.ended() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Ended) {
        let Ended {
            client,
            entry,
            moments,
            how,
        } = ended;
        let trace = self.trace.clone();
        let step = trace.step(self.scheduler.entry(entry).step);
        let took = moments.completed.saturating_sub(moments.dispatched);
        let waited = |recorder: &mut Recorder, end, outcome: Option<&Outcome>| {
            recorder.end(client, step.id(), moments, end, outcome);
        };
        match how {
            How::Awaited(target) => self.awaited(client, step, target, moments),
            How::Broke(opener, number) => {
                let answer = self.breaks.remove(&(opener, number)).unwrap_or_default();
                let differences = judge::judge_break(step, &answer, took);
                let outcome = Outcome::Answered(answer);
                waited(&mut self.recorder, End::Waited, Some(&outcome));
                self.recorder.judged(step.id(), differences, Some(&outcome));
            }
            How::Unwanted(opener, number) => {
                let answer = self.breaks.remove(&(opener, number)).unwrap_or_default();
                let difference = judge::unwanted_break(step, &answer);
                let outcome = Outcome::Answered(answer);
                waited(&mut self.recorder, End::Waited, Some(&outcome));
                self.recorder
                    .judged(step.id(), vec![difference], Some(&outcome));
            }
            How::Quiet | How::Paused => {
                waited(&mut self.recorder, End::Waited, None);
                self.recorder.judged(step.id(), Vec::new(), None);
            }
            How::TimedOut => {
                waited(&mut self.recorder, End::TimedOut, None);
                let difference = judge::no_answer(step, took);
                self.recorder.judged(step.id(), vec![difference], None);
            }
            How::CutOff => {
                waited(&mut self.recorder, End::Lost, None);
                let difference = judge::cut_off(step);
                self.recorder.judged(step.id(), vec![difference], None);
            }
            How::Unfinished => {
                waited(&mut self.recorder, End::Unfinished, None);
                let why = "the run ended before its answer came".to_owned();
                self.recorder.not_run.push(NotRun {
                    step: step.id(),
                    why,
                });
            }
            How::NotRun(cause) => {
                let why = why(&trace, cause);
                self.recorder.not_run.push(NotRun {
                    step: step.id(),
                    why,
                });
            }
        }
    }

    fn awaited(&mut self, client: ClientId, step: Step<'_>, target: StepId, moments: Moments) {
        let outcome = self.finals.get(&target).cloned().unwrap_or_else(|| {
            Outcome::Lost("the awaited step has no final answer of its own".to_owned())
        });
        let took = moments.completed.saturating_sub(moments.dispatched);
        let differences = judge::judge(step, &outcome, took);
        self.recorder
            .end(client, step.id(), moments, end_of(&outcome), Some(&outcome));
        self.recorder.judged(step.id(), differences, Some(&outcome));
    }

    fn run_deadline(&self) -> Option<u64> {
        Some(self.scheduler.started_at().saturating_add(self.run_bound?))
    }

    fn out_of_time(&mut self, now: u64) {
        if self.scheduler.is_over() {
            return;
        }
        let bound = replay_ir::time::format_duration(self.run_bound.unwrap_or_default());
        self.recorder.add(Difference {
            place: Place::Run,
            kind: Kind::Time,
            expected: format!("all steps end within {bound}"),
            actual: format!("{} of {} did", self.recorder.through(), self.trace.len()),
            detail: Vec::new(),
        });
        self.picture = Some(self.scheduler.picture(now));
        self.scheduler.abort(now);
        self.take_ended();
    }

    /// When nothing could move any more, what was waited for did not come: that differs from the trace.
    fn note_stuck(&mut self) {
        let Some(picture) = self.scheduler.stuck().cloned() else {
            return;
        };
        for wait in &picture.waits {
            let WaitsFor::Milestone(step, milestone) = wait.what else {
                continue;
            };
            let what = Dependency { step, milestone };
            let kind = if milestone == Milestone::Break {
                Kind::Break
            } else {
                Kind::Order
            };
            self.recorder.add(Difference {
                place: Place::Step(wait.step),
                kind,
                expected: format!("after={}", self.trace.milestone_text(what)),
                actual: "it never came".to_owned(),
                detail: Vec::new(),
            });
        }
        self.picture = Some(picture);
    }

    fn check(&mut self, times: &Times) {
        let reason = self
            .trips
            .failure()
            .unwrap_or("no client was connected")
            .to_owned();
        let round_trip = self.trips.fastest().ok_or(reason.as_str());
        let scheduler = &self.scheduler;
        let moment = |step, milestone| scheduler.moment(step, milestone);
        for check in self.trace.clone().checks() {
            let difference = match check {
                Check::Order { .. } => judge::judge_order(&self.trace, check, &moment),
                Check::Time { .. } => judge::judge_time(check, times, round_trip),
            };
            if let Some(difference) = difference {
                self.recorder.add(difference);
            }
        }
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

fn end_of(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Answered(answer) => End::Answered(answer.status),
        Outcome::Lost(_) => End::Lost,
        Outcome::Violation(_) => End::Violation,
        Outcome::Broken(_) => End::Broken,
    }
}

/// Why a step was not run, with the lines that people look for.
fn why(trace: &Trace, cause: Cause) -> String {
    let line = |step: StepId| trace.step(step).line();
    match cause {
        Cause::NotConnected => "its client was not connected".to_owned(),
        Cause::Refused(step) => format!("line {} did not connect its client", line(step)),
        Cause::Lost(step) => format!("its connection was lost in line {}", line(step)),
        Cause::NoAnswer(step) => format!("line {} of its client got no answer", line(step)),
        Cause::NotOpened(step) => format!("its handle was not opened in line {}", line(step)),
        Cause::Never(step, milestone) => {
            let what = trace.milestone_text(Dependency { step, milestone });
            format!(
                "it waits for {what} (line {}), which cannot come any more",
                line(step)
            )
        }
        Cause::RunEnded => "the run ended before".to_owned(),
    }
}
