//! Runs a trace: when each step may go, what came back, and whether that is right.
//!
//! The scheduler is a pure state machine: `now` and events go in, dispatches and a wake-up time come out. The driver
//! is the only part here that reads a clock. Nothing in this crate knows a word of SMB: a backend does, behind
//! [`Backend`] and [`Connection`].

pub mod backend;
mod clients;
pub mod copies;
mod driver;
mod engine;
pub mod events;
mod expected;
mod judge;
pub mod null;
pub mod options;
mod plan;
mod probe;
mod readings;
mod recorder;
pub mod report;
mod scheduler;
pub mod session;
mod setup;
pub mod simulated;
pub mod tally;
mod target;
mod timer;
pub mod times;
pub mod verdict;
pub mod waits;
pub mod wire;

pub use backend::{
    Backend, BreakEvent, Capabilities, ClientContext, CloseError, Connection, Op, Outcome,
    Reaction, RunState, Unsupported,
};
pub use copies::Copies;
pub use driver::{run, skip_reason};
pub use events::{Event, EventKind, EventQueue, Events};
pub use judge::judge;
pub use null::NullBackend;
pub use options::{CONNECT_PARALLEL, Clock, Progress, RunOptions, Site, Stop};
pub use report::{
    BreakRecord, Difference, End, LostConnection, NotRun, Place, ReactionRecord, Record, RunReport,
};
pub use session::{Session, SessionConnection};
pub use simulated::{Reply, ReplyEnd, Script, Seen, SimulatedBackend, simulate};
pub use target::{Identity, Realm, Target};
pub use times::{Moments, OpTimes, Times};
pub use verdict::{Kind, Verdict};
pub use waits::{Wait, WaitPicture, WaitsFor};
pub use wire::{WireEntry, WireEvent, WireFrame, WireLog};
