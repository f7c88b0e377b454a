//! Where the server of a replay comes from: an address from the environment, a container, or a private local `smbd`.
//!
//! [`start`] turns a [`ServerSpec`] into a running [`Server`] from the first source that can give it;
//! [`Server::open_case`] then makes a share directory and accounts for one trace, the [`CaseSite`]. What is started is
//! registered so that other processes of one cargo-nextest run find it, so that it ends with its owner even when that is
//! killed, and so that [`sweep`] finds what was left all the same.
//!
//! It speaks no SMB beyond the NEGOTIATE that tells whether a server is ready: logging in and making a trace's
//! `given` state is the work of the backends and the harness.

mod address;
mod api;
mod error;
mod options;
mod spec;

pub use address::ExternalAddress;
pub use api::{CaseSite, Liveness, Server, SweepReport, shutdown_signal, start, sweep};
pub use error::{Attempt, NoServer, ServerError};
pub use options::{Progress, StartOptions};
pub use spec::{ServerSpec, Source};
