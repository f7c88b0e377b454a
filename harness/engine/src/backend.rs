//! The seam between the engine and a client implementation.
//!
//! All I/O happens in operations: a [`Connection`] is made without I/O by [`Backend::client`], is given one [`Op`] at
//! a time by [`Connection::submit`], and reports through its [`Events`] handle. That carries everything that a file
//! server does to a client: final answers, interim answers, breaks that arrive unasked, and loss of the connection.
//! Every end is explicit and awaited ([`Connection::close`]); nothing happens in `Drop`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use replay_ir::{Answer, ClientId, Mode, StepId, Trace};

use crate::events::Events;
use crate::target::{Identity, Target};

/// A client implementation.
#[async_trait]
pub trait Backend: Send + Sync {
    /// As users write it, for instance `native`.
    fn name(&self) -> &'static str;

    /// What it can express.
    fn capabilities(&self) -> &Capabilities;

    /// Everything in this trace that it cannot express, decided before anything starts. Empty: it can run it.
    fn missing(&self, trace: &Trace) -> Vec<Unsupported>;

    /// A client with a connection of its own, not connected yet. No I/O.
    fn client(&self, context: ClientContext) -> Box<dyn Connection>;
}

/// What a backend can do; shown by `smb-replay backends` and in the book.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// The highest mode that it reaches.
    pub mode: Mode,
    /// The verbs that it can send, by name.
    pub verbs: Vec<&'static str>,
    /// What it cannot do, each with the reason.
    pub limits: Vec<(&'static str, &'static str)>,
}

/// One thing that a trace needs and a backend lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The step that needs it; `None` where the whole trace does.
    pub step: Option<StepId>,
    /// What it is, as a fragment: `lock`, `create oplock=batch`.
    pub what: String,
}

/// All that a client needs to know.
#[derive(Clone)]
pub struct ClientContext {
    /// The trace whose steps will be submitted. Shared by all clients of a run.
    pub trace: Arc<Trace>,
    /// Which of the trace's clients this is.
    pub client: ClientId,
    /// Where it works.
    pub target: Target,
    /// As whom; `None` for an anonymous client.
    pub identity: Option<Identity>,
    /// The security identifiers of the run's identities by their names in traces, as far as they are known.
    pub sids: Arc<BTreeMap<String, String>>,
    /// Where it reports.
    pub events: Events,
    /// What the clients of a run share.
    pub run: RunState,
}

/// A place that all clients of one run share. What a backend keeps there is its own business, for instance what one
/// client must know of another's connection.
#[derive(Clone, Default)]
pub struct RunState(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl RunState {
    /// What is kept there, made by `make` for the first client that asks. A run has one backend, which keeps one
    /// type; whoever asks for another gets one of its own.
    pub fn get_or_init<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        let kept = self.0.get_or_init(|| Arc::new(make()));
        let kept = kept.clone().downcast::<T>();
        kept.unwrap_or_else(|_| Arc::new(make()))
    }
}

/// A logical client: a connection of its own, or a lane on another client's.
#[async_trait]
pub trait Connection: Send {
    /// Starts one operation and returns at once; its end is reported through the client's [`Events`]. The engine
    /// submits the next one only after the final answer, or after the interim answer of a step that expects one.
    ///
    /// A run of compounded steps (`+`) comes as one call with all of them; each is answered by itself.
    fn submit(&mut self, ops: &[Op]);

    /// A further client that shares this one's connection (`on=`), and its session unless it names a user of its
    /// own: that session is then made together with the connection, or by the client's own `Connect` step if that is
    /// its first. Called before anything is submitted to this one; no I/O.
    fn lane(&mut self, context: ClientContext) -> Result<Box<dyn Connection>, Unsupported>;

    /// Ends what this client still has open in good order (handles, tree, session, transport), within a few seconds
    /// whatever the server does. Operations that are in flight are reported [`Outcome::Lost`].
    async fn close(self: Box<Self>) -> Result<(), CloseError>;
}

/// What is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Connect, log in, and connect the share, as the trace's client line says. The engine submits it before time 0
    /// for every client with a connection of its own whose first step is not a `Connect` step itself. Lanes never
    /// get it: they come alive with the connection that they are on. Answered with the vocabulary's `ok`, or with
    /// the status with which the server refused.
    Connect,
    /// A step of the trace.
    Step(StepId),
    /// One smallest round trip, for time bounds that are relative to it. Answered with the vocabulary's `ok`.
    RoundTrip,
}

/// A client that could not be closed in good order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("closing client {client}: {reason}")]
pub struct CloseError {
    /// The client's name.
    pub client: String,
    /// Why.
    pub reason: String,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered, with whatever status.
    Answered(Answer),
    /// The connection ended before an answer: closed by the server, reset, cut by the trace.
    Lost(String),
    /// The answer broke the protocol, and the connection has ended with it: a frame that does not decode, the wrong
    /// session.
    Violation(String),
    /// The answer broke the protocol in a way that is about itself alone, such as a bad signature: it was not believed,
    /// and the connection goes on.
    Discarded(String),
    /// The harness or the backend itself failed; never counted against the server.
    Broken(String),
}

/// What a break made a client do by itself, or wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// It answered the break.
    Answered {
        /// The step that opened the handle.
        opened_by: StepId,
        /// What with, in the words of the backend: `acknowledge ii`, `close`.
        with: String,
        /// From the arrival of the break until the answer was on the wire; `None` where the trace delayed it.
        latency: Option<Duration>,
    },
    /// It could not answer the break.
    Failed {
        /// The step that opened the handle.
        opened_by: StepId,
        /// What with.
        with: String,
        /// Why not.
        reason: String,
    },
    /// The server's word on the answer; a status that is not `ok` is a refusal.
    Settled {
        /// The step that opened the handle.
        opened_by: StepId,
        /// What the break was answered with.
        with: String,
        /// What the server said.
        answer: Answer,
    },
    /// A step was held back until a break of its handle was answered.
    Held {
        /// Which.
        step: StepId,
        /// For how long.
        time: Duration,
    },
}

impl Reaction {
    /// The step that it is about.
    pub(crate) fn step_mut(&mut self) -> &mut StepId {
        match self {
            Reaction::Answered { opened_by, .. }
            | Reaction::Failed { opened_by, .. }
            | Reaction::Settled { opened_by, .. } => opened_by,
            Reaction::Held { step, .. } => step,
        }
    }
}

/// Something that a server did unasked to a handle or lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakEvent {
    /// The step that opened the handle (or first asked for the lease); `None` when it belongs to no known handle.
    pub opened_by: Option<StepId>,
    /// The steps that opened the other handles that it is about as well; a lease can have several.
    pub also: Vec<StepId>,
    /// Fields in the words of the vocabulary: old and new level or state, whether an acknowledgement is required.
    pub answer: Answer,
}
