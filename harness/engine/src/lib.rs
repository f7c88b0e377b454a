//! Runs a trace: when each step may go, what came back, and whether that is right.
//!
//! The scheduler is a pure state machine: `now` and events go in, dispatches and a wake-up time come out. The driver
//! is the only part here that reads a clock. Nothing in this crate knows a word of SMB: a backend does, behind
//! [`Backend`] and [`Connection`].

pub mod backend;
pub mod target;

pub use backend::{
    Backend, BreakEvent, Capabilities, ClientContext, CloseError, Connection, Event, Events, Op,
    Outcome, Unsupported,
};
pub use target::{Identity, Target};
