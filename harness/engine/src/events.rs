//! What clients report, and the queue on which the reports reach the driver.
//!
//! All clients of a run share one queue. A report is pushed under a short lock and the driver takes the whole batch
//! at once, so a client costs no channel of its own and a busy run costs one wake-up for many reports. Judging what
//! is reported is left to the driver's side.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use replay_ir::{Answer, ClientId, StepId};
use tokio::sync::Notify;

use crate::backend::{BreakEvent, Op, Outcome, Reaction};
use crate::wire::WireLog;

/// What a client reports.
#[derive(Debug, Clone)]
pub struct Event {
    /// Who.
    pub client: ClientId,
    /// When, taken as close to the wire as the backend can.
    pub at: Instant,
    /// What.
    pub kind: EventKind,
    /// It took no time: it happened when what it ends was dispatched, and `at` is only near that.
    pub(crate) at_once: bool,
}

/// The kinds of [`Event`].
#[derive(Debug, Clone)]
pub enum EventKind {
    /// The final end of an operation.
    Done(Op, Outcome),
    /// An interim answer; the final one follows.
    Interim(Op, Answer),
    /// A break arrived.
    Break(BreakEvent),
    /// A break made the client do something.
    Reaction(Reaction),
    /// The connection is gone; operations in flight get their own [`Outcome::Lost`].
    Lost(String),
}

/// Where a copy of a trace begins among all clients and steps of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) first_client: u32,
    pub(crate) first_step: u32,
}

impl Place {
    pub(crate) fn client(self, client: ClientId) -> ClientId {
        ClientId(client.0.wrapping_add(self.first_client))
    }

    fn step(self, step: StepId) -> StepId {
        StepId(step.0.wrapping_add(self.first_step))
    }

    #[inline]
    fn op(self, op: Op) -> Op {
        match op {
            Op::Step(step) => Op::Step(self.step(step)),
            other => other,
        }
    }

    /// What a client of this copy reports, with the numbers of the run.
    pub(crate) fn event(self, kind: EventKind) -> EventKind {
        match kind {
            EventKind::Done(op, outcome) => EventKind::Done(self.op(op), outcome),
            EventKind::Interim(op, answer) => EventKind::Interim(self.op(op), answer),
            EventKind::Break(event) => EventKind::Break(BreakEvent {
                opened_by: event.opened_by.map(|step| self.step(step)),
                also: event.also.into_iter().map(|step| self.step(step)).collect(),
                ..event
            }),
            EventKind::Reaction(mut reaction) => {
                let step = reaction.step_mut();
                *step = self.step(*step);
                EventKind::Reaction(reaction)
            }
            EventKind::Lost(reason) => EventKind::Lost(reason),
        }
    }
}

/// Where all clients of a run report. The driver makes one; a backend's own tests may too.
#[derive(Clone, Default)]
pub struct EventQueue {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    batch: Mutex<Batch>,
    arrived: Notify,
    wire: Option<WireLog>,
}

#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    /// Steps that took no time and were answered with the vocabulary's `ok` and no more: most of them without a server.
    plain: Vec<PlainEnd>,
    /// When the driver last began to submit.
    submitting: Option<Instant>,
}

/// A step, by the numbers of the run, that ended when it was submitted, with `ok` and no more.
pub(crate) type PlainEnd = (ClientId, StepId);

impl EventQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty queue whose clients keep their frames in this log.
    pub fn with_wire(wire: Option<WireLog>) -> Self {
        Self {
            inner: Arc::new(Inner {
                wire,
                ..Inner::default()
            }),
        }
    }

    /// The handle through which this client reports.
    pub fn events(&self, client: ClientId) -> Events {
        self.events_of_copy(client, Place::default())
    }

    /// The handle of a client of the trace that runs in a copy of it.
    pub(crate) fn events_of_copy(&self, client: ClientId, copy: Place) -> Events {
        Events {
            client,
            copy,
            queue: self.clone(),
        }
    }

    /// Moves everything that has arrived into `batch`, which is emptied first. Its capacity goes back to the queue,
    /// so that a steady run allocates nothing here.
    pub fn take(&self, batch: &mut Vec<Event>) {
        self.take_all(batch, &mut Vec::new());
    }

    /// The same with what ended plainly.
    pub(crate) fn take_all(&self, batch: &mut Vec<Event>, plain: &mut Vec<PlainEnd>) {
        batch.clear();
        plain.clear();
        let mut waiting = self.lock();
        mem::swap(&mut waiting.events, batch);
        mem::swap(&mut waiting.plain, plain);
    }

    /// True when nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        let waiting = self.lock();
        waiting.events.is_empty() && waiting.plain.is_empty()
    }

    /// Returns when something may have arrived since the last [`take`](Self::take). May return without cause.
    pub async fn arrived(&self) {
        self.inner.arrived.notified().await;
    }

    /// The driver begins to submit.
    pub(crate) fn submitting(&self, at: Instant) {
        self.lock().submitting = Some(at);
    }

    /// Without a moment it happened at once.
    #[inline(always)]
    fn push(&self, client: ClientId, at: Option<Instant>, kind: EventKind) {
        let mut batch = self.lock();
        let event = Event {
            client,
            at: at.or(batch.submitting).unwrap_or_else(Instant::now),
            kind,
            at_once: at.is_none(),
        };
        batch.events.push(event);
        let first = batch.events.len() == 1 && batch.plain.is_empty();
        drop(batch);
        if first {
            self.inner.arrived.notify_one();
        }
    }

    #[inline(always)]
    fn push_plain(&self, end: PlainEnd) {
        let mut batch = self.lock();
        batch.plain.push(end);
        let first = batch.plain.len() == 1 && batch.events.is_empty();
        drop(batch);
        if first {
            self.inner.arrived.notify_one();
        }
    }

    /// A report is one push: a panic elsewhere cannot have left the batch half changed, so poison is ignored.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.inner
            .batch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a client reports; cheap to clone. Reports never block and never fail: after the run they go nowhere.
#[derive(Clone)]
pub struct Events {
    /// As the trace numbers it.
    client: ClientId,
    copy: Place,
    queue: EventQueue,
}

impl Events {
    /// Who reports here.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Where frames are to be kept, if the run wants them.
    pub fn wire(&self) -> Option<&WireLog> {
        self.queue.inner.wire.as_ref()
    }

    /// The handle of another client of the same run.
    pub(crate) fn of(&self, client: ClientId) -> Events {
        self.queue.events_of_copy(client, self.copy)
    }

    /// The final end of an operation, now.
    pub fn done(&self, op: Op, outcome: Outcome) {
        self.done_at(Instant::now(), op, outcome);
    }

    /// The same with the time at which the answer was taken from the wire.
    pub fn done_at(&self, at: Instant, op: Op, outcome: Outcome) {
        self.push(at, EventKind::Done(op, outcome));
    }

    /// The final end of an operation that took no time: at the moment at which it was submitted. For a backend without
    /// a server, from within [`Connection::submit`](crate::Connection::submit).
    #[inline(always)]
    pub(crate) fn done_at_once(&self, op: Op, outcome: Outcome) {
        let event = EventKind::Done(self.copy.op(op), outcome);
        self.queue.push(self.copy.client(self.client), None, event);
    }

    /// The same of a step that is answered with the vocabulary's `ok` and no more. For the engine's own driver alone:
    /// [`EventQueue::take`] does not show it.
    #[inline(always)]
    pub(crate) fn done_plainly(&self, step: StepId) {
        let end = (self.copy.client(self.client), self.copy.step(step));
        self.queue.push_plain(end);
    }

    /// An interim answer, now.
    pub fn interim(&self, op: Op, answer: Answer) {
        self.push(Instant::now(), EventKind::Interim(op, answer));
    }

    /// A break, now.
    pub fn broke(&self, event: BreakEvent) {
        self.push(Instant::now(), EventKind::Break(event));
    }

    /// A break made the client do something, now.
    pub fn reacted(&self, reaction: Reaction) {
        self.push(Instant::now(), EventKind::Reaction(reaction));
    }

    /// The connection is gone.
    pub fn lost(&self, reason: &str) {
        self.push(Instant::now(), EventKind::Lost(reason.to_owned()));
    }

    fn push(&self, at: Instant, kind: EventKind) {
        let client = self.copy.client(self.client);
        self.queue.push(client, Some(at), self.copy.event(kind));
    }
}
