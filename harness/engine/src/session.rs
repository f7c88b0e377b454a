//! A [`Connection`] made of a plain `async fn`, for backends whose client library has nothing better.
//!
//! One task and a one-operation slot stand for each client: `submit` fills the slot and wakes the task, the task runs
//! [`Session::execute`] and reports. Such a backend can report interim answers and breaks through the [`Events`] that
//! its [`ClientContext`] brought, but it can neither compound nor share a connection between
//! clients; its [`missing`](crate::Backend::missing) must say so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

use crate::backend::{ClientContext, CloseError, Connection, Op, Outcome, Unsupported};
use crate::events::Events;

/// A client as simple libraries offer it: one call after the other.
#[async_trait]
pub trait Session: Send + 'static {
    /// Runs one operation to its end. Every failure is an [`Outcome`]. Dropped in the middle when the client is
    /// closed; the operation is then reported as lost and only [`close`](Self::close) is still called.
    async fn execute(&mut self, op: Op) -> Outcome;

    /// Ends what is still open, in good order. The error is a fragment that says what went wrong.
    async fn close(self: Box<Self>) -> Result<(), String>;
}

/// A [`Connection`] on top of a [`Session`].
pub struct SessionConnection {
    client: String,
    slot: Arc<Slot>,
    task: JoinHandle<Result<(), String>>,
}

/// What passes from `submit` to the task.
#[derive(Default)]
struct Slot {
    state: Mutex<SlotState>,
    /// Something was submitted.
    filled: Notify,
    /// The client is being closed.
    closing: Notify,
}

#[derive(Default)]
struct SlotState {
    /// One operation, or the members of a compound; the deque does not allocate before the first.
    ops: VecDeque<Op>,
    closing: bool,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionConnection {
    /// Starts the client's task on the current runtime; no I/O happens before the first operation. Called from
    /// [`Backend::client`](crate::Backend::client), which the engine calls inside the runtime.
    pub fn start(context: &ClientContext, session: impl Session) -> Box<dyn Connection> {
        let slot = Arc::new(Slot::default());
        let worker = Worker {
            slot: slot.clone(),
            report: Report {
                events: context.events.clone(),
                current: None,
            },
        };
        let task = tokio::spawn(worker.work(Box::new(session)));
        let client = context.trace.client(context.client).name().to_owned();
        Box::new(Self { client, slot, task })
    }
}

#[async_trait]
impl Connection for SessionConnection {
    fn submit(&mut self, ops: &[Op]) {
        self.slot.lock().ops.extend(ops);
        self.slot.filled.notify_one();
    }

    fn lane(&mut self, context: ClientContext) -> Result<Box<dyn Connection>, Unsupported> {
        let name = context.trace.client(context.client).name();
        Err(Unsupported {
            step: None,
            what: format!("client {name} on another's connection"),
        })
    }

    async fn close(self: Box<Self>) -> Result<(), CloseError> {
        let Self { client, slot, task } = *self;
        slot.lock().closing = true;
        slot.closing.notify_one();
        slot.filled.notify_one();
        // The engine bounds this wait; when it gives up, the task must not live on.
        let abort = AbortWhenDropped(task.abort_handle());
        let ended = task.await;
        drop(abort);
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(CloseError { client, reason }),
            Err(error) => Err(CloseError {
                client,
                reason: format!("its task ended: {error}"),
            }),
        }
    }
}

struct AbortWhenDropped(AbortHandle);

impl Drop for AbortWhenDropped {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Worker {
    slot: Arc<Slot>,
    report: Report,
}

impl Worker {
    async fn work(mut self, mut session: Box<impl Session>) -> Result<(), String> {
        while let Some(op) = self.next().await {
            self.report.current = Some(op);
            let outcome = tokio::select! {
                outcome = session.execute(op) => outcome,
                () = self.slot.closing.notified() => closed(),
            };
            self.report.done(op, outcome);
        }
        session.close().await
    }

    /// The next operation; `None` when the client is closed, after whatever was left has been reported lost.
    async fn next(&mut self) -> Option<Op> {
        loop {
            {
                let mut state = self.slot.lock();
                if state.closing {
                    for op in state.ops.drain(..) {
                        self.report.events.done(op, closed());
                    }
                    return None;
                }
                if let Some(op) = state.ops.pop_front() {
                    return Some(op);
                }
            }
            self.slot.filled.notified().await;
        }
    }
}

fn closed() -> Outcome {
    Outcome::Lost("the client was closed".to_owned())
}

/// Reports the end of the operation in hand even when the session panics, so that the run does not have to wait for
/// its time-out to learn of it.
struct Report {
    events: Events,
    current: Option<Op>,
}

impl Report {
    fn done(&mut self, op: Op, outcome: Outcome) {
        self.current = None;
        self.events.done(op, outcome);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(op) = self.current.take().filter(|_| std::thread::panicking()) {
            self.events
                .done(op, Outcome::Broken("the backend panicked".to_owned()));
        }
    }
}
