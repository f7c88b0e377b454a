//! A server that does what a script says: answers, latencies, interim answers, breaks, losses, silence.
//!
//! [`simulate`] runs a trace against a script in simulated time: the very engine that runs against real clients, with
//! no clock and no runtime, deterministic, an hour in a moment. [`SimulatedBackend`] plays the same script in real
//! time behind the [`Backend`] trait.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use replay_ir::{Answer, ClientId, Mode, StepId, Trace};
use tokio::task::JoinSet;

use crate::backend::{
    Backend, BreakEvent, Capabilities, ClientContext, CloseError, Connection, Op, Outcome,
    Unsupported,
};
use crate::copies::Shape;
use crate::engine::Engine;
use crate::events::{EventKind, Events};
use crate::expected::{expected_answer, final_answer, interim_answer};
use crate::options::RunOptions;
use crate::report::RunReport;

/// What the server does, operation by operation.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it does where nothing else is said.
    pub default: Reply,
    /// What it does on these steps.
    pub steps: BTreeMap<StepId, Reply>,
    /// What it does when these clients connect before time 0.
    pub connects: BTreeMap<ClientId, Reply>,
}

/// What the server does on one operation. All times are from its submission.
#[derive(Debug, Clone)]
pub struct Reply {
    /// When the final answer comes.
    pub latency: Duration,
    /// When an interim answer comes. A step that expects one gets it half-way to its final answer if this is `None`.
    pub interim: Option<Duration>,
    /// How it ends.
    pub end: ReplyEnd,
    /// Breaks that it causes: when, on whose connection, of which handle.
    pub breaks: Vec<(Duration, ClientId, BreakEvent)>,
    /// When the client's connection is reported lost.
    pub lost: Option<Duration>,
}

/// How an operation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyEnd {
    /// As the trace expects.
    Expected,
    /// Like this.
    With(Outcome),
    /// Not at all.
    Never,
    /// With the interim answer only, expected or not.
    Interim,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            default: Reply::after(100),
            steps: BTreeMap::new(),
            connects: BTreeMap::new(),
        }
    }
}

impl Reply {
    /// The expected answer after so many microseconds.
    pub fn after(microseconds: u64) -> Self {
        Self {
            latency: Duration::from_micros(microseconds),
            interim: None,
            end: ReplyEnd::Expected,
            breaks: Vec::new(),
            lost: None,
        }
    }

    /// This end instead.
    #[must_use]
    pub fn end(mut self, end: ReplyEnd) -> Self {
        self.end = end;
        self
    }

    /// An answer of this status instead.
    #[must_use]
    pub fn status(self, status: u32) -> Self {
        let answer = Answer {
            status,
            ..Answer::default()
        };
        self.end(ReplyEnd::With(Outcome::Answered(answer)))
    }

    /// Causes a break after so many microseconds.
    #[must_use]
    pub fn breaks(mut self, microseconds: u64, client: ClientId, event: BreakEvent) -> Self {
        self.breaks
            .push((Duration::from_micros(microseconds), client, event));
        self
    }
}

impl Script {
    /// Everything that an operation leads to: after how long, at which client, what.
    fn events(
        &self,
        trace: &Trace,
        client: ClientId,
        op: Op,
    ) -> Vec<(Duration, ClientId, EventKind)> {
        let reply = match op {
            Op::Step(step) => self.steps.get(&step),
            Op::Connect => self.connects.get(&client),
            Op::RoundTrip => None,
        };
        let reply = reply.unwrap_or(&self.default);
        let mut events = Vec::new();
        let pending = matches!(op, Op::Step(step) if trace.step(step).expect().is_pending());
        let unasked = pending && reply.end == ReplyEnd::Expected || reply.end == ReplyEnd::Interim;
        if let Some(at) = reply.interim.or(unasked.then_some(reply.latency / 2)) {
            events.push((at, client, EventKind::Interim(op, interim_answer(trace))));
        }
        let outcome = match (&reply.end, op) {
            (ReplyEnd::Never | ReplyEnd::Interim, _) => None,
            (ReplyEnd::With(outcome), _) => Some(outcome.clone()),
            (ReplyEnd::Expected, Op::Step(step)) if pending => {
                Some(Outcome::Answered(final_answer(trace, step)))
            }
            (ReplyEnd::Expected, Op::Step(step)) => {
                Some(Outcome::Answered(expected_answer(trace.step(step))))
            }
            (ReplyEnd::Expected, Op::Connect | Op::RoundTrip) => Some(Outcome::Answered(Answer {
                status: trace.vocabulary().ok,
                ..Answer::default()
            })),
        };
        let done = outcome.map(|outcome| (reply.latency, client, EventKind::Done(op, outcome)));
        events.extend(done);
        for (at, client, event) in &reply.breaks {
            events.push((*at, *client, EventKind::Break(event.clone())));
        }
        if let Some(at) = reply.lost {
            events.push((at, client, EventKind::Lost("the script says so".to_owned())));
        }
        events
    }
}

/// Runs a trace against a script in simulated time. `observe` sees every submission with its time in nanoseconds from
/// the simulation's start, and whatever is reported to the engine; clients are numbered through all copies of the
/// trace, submitted steps as in the trace, reported ones through all copies.
pub fn simulate(
    trace: &Arc<Trace>,
    script: &Script,
    options: &RunOptions,
    mut observe: impl FnMut(u64, Seen<'_>),
) -> RunReport {
    let mut engine = Engine::new(trace.clone(), options);
    let shape = Shape::new(trace, options.copies.count());
    let mut now = 0;
    let mut number = 0_u64;
    // Ordered by time, then by the order in which they were made.
    let mut due: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
    let mut events: BTreeMap<u64, (ClientId, EventKind)> = BTreeMap::new();
    loop {
        engine.advance(now);
        while let Some((client, ops)) = engine.dispatch(now) {
            observe(now, Seen::Submitted(client, ops));
            let place = shape.place_of(client);
            let client = shape.client_in_trace(client);
            for &op in ops {
                for (after, client, kind) in script.events(trace, client, op) {
                    let (client, kind) = (place.client(client), place.event(kind));
                    due.push(Reverse((
                        now.saturating_add(after.as_nanos() as u64),
                        number,
                    )));
                    events.insert(number, (client, kind));
                    number += 1;
                }
            }
        }
        if engine.is_over() {
            return engine.finish("simulated");
        }
        let next = due.peek().map(|Reverse((at, _))| *at);
        let Some(next) = next.into_iter().chain(engine.wake()).min() else {
            // The engine promises that this cannot happen; a simulation must not hang if it does.
            engine.break_off(now, "nothing is due and the run is not over".to_owned());
            return engine.finish("simulated");
        };
        now = now.max(next);
        while let Some(Reverse((at, number))) =
            due.peek().copied().filter(|Reverse((at, _))| *at <= now)
        {
            due.pop();
            if let Some((client, mut kind)) = events.remove(&number) {
                observe(at, Seen::Reported(client, &kind));
                engine.event(client, at, &mut kind);
            }
        }
    }
}

/// What [`simulate`] shows.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The engine submitted this to this client.
    Submitted(ClientId, &'a [Op]),
    /// This client reported this.
    Reported(ClientId, &'a EventKind),
}

/// Plays a script in real time.
#[derive(Debug)]
pub struct SimulatedBackend {
    script: Arc<Script>,
    capabilities: Capabilities,
}

impl SimulatedBackend {
    /// A backend that plays this script.
    pub fn new(script: Script) -> Self {
        let capabilities = Capabilities {
            mode: Mode::Breaks,
            verbs: Vec::new(),
            limits: Vec::new(),
        };
        Self {
            script: Arc::new(script),
            capabilities,
        }
    }
}

#[async_trait]
impl Backend for SimulatedBackend {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn missing(&self, _trace: &Trace) -> Vec<Unsupported> {
        Vec::new()
    }

    fn client(&self, context: ClientContext) -> Box<dyn Connection> {
        Box::new(SimulatedConnection::new(self.script.clone(), context))
    }
}

struct SimulatedConnection {
    script: Arc<Script>,
    context: ClientContext,
    /// What is still to be reported; ended with the connection.
    later: JoinSet<()>,
}

impl SimulatedConnection {
    fn new(script: Arc<Script>, context: ClientContext) -> Self {
        Self {
            script,
            context,
            later: JoinSet::new(),
        }
    }

    fn report(events: &Events, kind: EventKind) {
        match kind {
            EventKind::Done(op, outcome) => events.done(op, outcome),
            EventKind::Interim(op, answer) => events.interim(op, answer),
            EventKind::Break(event) => events.broke(event),
            EventKind::Reaction(reaction) => events.reacted(reaction),
            EventKind::Lost(reason) => events.lost(&reason),
        }
    }
}

#[async_trait]
impl Connection for SimulatedConnection {
    fn submit(&mut self, ops: &[Op]) {
        while self.later.try_join_next().is_some() {}
        let ClientContext { trace, client, .. } = &self.context;
        for &op in ops {
            // One task for an operation, so that its events keep their order whatever timers do.
            let mut reports: Vec<_> = self.script.events(trace, *client, op);
            reports.sort_by_key(|(after, ..)| *after);
            let own = self.context.events.clone();
            let submitted = tokio::time::Instant::now();
            self.later.spawn(async move {
                for (after, at, kind) in reports {
                    tokio::time::sleep_until(submitted + after).await;
                    Self::report(&own.of(at), kind);
                }
            });
        }
    }

    fn lane(&mut self, context: ClientContext) -> Result<Box<dyn Connection>, Unsupported> {
        Ok(Box::new(Self::new(self.script.clone(), context)))
    }

    async fn close(mut self: Box<Self>) -> Result<(), CloseError> {
        self.later.shutdown().await;
        Ok(())
    }
}
