//! A client as the engine sees it: it takes operations in, and ends in good order. Its task is in [`super::worker`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use replay_engine::{ClientContext, CloseError, Connection, Events, Op, Outcome, Unsupported};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::failure::Failure;
use super::link::{Link, Setup};
use super::worker::Worker;

/// What all lanes of a connection share.
pub(super) struct Shared {
    /// What the client line says, or what is wrong with it.
    pub(super) setup: Result<Setup, String>,
    link: Mutex<Option<Arc<Link>>>,
    /// Who hears when the connection is lost.
    lanes: Mutex<Vec<Events>>,
}

impl Shared {
    /// A connection that is not there yet.
    pub(super) fn new(setup: Result<Setup, String>) -> Self {
        Self {
            setup,
            link: Mutex::default(),
            lanes: Mutex::default(),
        }
    }

    /// The connection, while there is one.
    pub(super) fn slot(&self) -> MutexGuard<'_, Option<Arc<Link>>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who works on it.
    pub(super) fn lanes(&self) -> MutexGuard<'_, Vec<Events>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that an operation goes over.
    pub(super) fn link(&self) -> Result<Arc<Link>, Failure> {
        self.slot()
            .clone()
            .ok_or_else(|| Failure::Lost("the client is not connected".into()))
    }
}

/// A client, or a lane on one.
pub(super) struct Client {
    name: String,
    events: Events,
    shared: Arc<Shared>,
    /// A lane leaves the connection to the client that it is on.
    lane: bool,
    submit: mpsc::UnboundedSender<Vec<Op>>,
    task: JoinHandle<()>,
}

impl Client {
    /// Starts the client's task; nothing is sent before the first operation.
    pub(super) fn start(context: ClientContext, shared: Arc<Shared>, lane: bool) -> Box<Self> {
        shared.lanes().push(context.events.clone());
        let (submit, ops) = mpsc::unbounded_channel();
        let worker = Worker {
            trace: context.trace.clone(),
            events: context.events.clone(),
            shared: shared.clone(),
        };
        Box::new(Self {
            name: context.trace.client(context.client).name().to_owned(),
            events: context.events,
            shared,
            lane,
            submit,
            task: tokio::spawn(worker.work(ops)),
        })
    }
}

#[async_trait]
impl Connection for Client {
    fn submit(&mut self, ops: &[Op]) {
        if self.submit.send(ops.to_vec()).is_err() {
            for op in ops {
                let gone = Outcome::Broken("the client's task ended".into());
                self.events.done(*op, gone);
            }
        }
    }

    fn lane(&mut self, context: ClientContext) -> Result<Box<dyn Connection>, Unsupported> {
        Ok(Client::start(context, self.shared.clone(), true))
    }

    async fn close(mut self: Box<Self>) -> Result<(), CloseError> {
        self.task.abort();
        let ended = (&mut self.task).await;
        if self.lane {
            return Ok(());
        }
        let link = self.shared.slot().take();
        let closed = match link {
            Some(link) => link.close().await,
            None => Ok(()),
        };
        let reason = match (closed, ended) {
            (Err(failure), _) => failure.to_string(),
            (_, Err(error)) if error.is_panic() => "its task panicked".into(),
            _ => return Ok(()),
        };
        Err(CloseError {
            client: self.name.clone(),
            reason,
        })
    }
}

impl Drop for Client {
    /// A client that is dropped instead of closed waits for nothing any more. Nothing is sent.
    fn drop(&mut self) {
        self.task.abort();
    }
}
