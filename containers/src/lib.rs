//! Where the server of a replay comes from: an address from the environment, a container, or a private local `smbd`.
//!
//! [`start`] turns a [`ServerSpec`] into a running [`Server`] from the first source that can give it;
//! [`Server::open_case`] then makes a share directory and accounts for one trace, the [`CaseSite`]. What is started is
//! written down so that other processes of one cargo-nextest run find it; a keeper process ends it with its owner, even
//! when that is killed; and [`sweep`] removes what was left all the same.
//!
//! It speaks no SMB beyond the NEGOTIATE that tells whether a server is ready: logging in and making a trace's
//! `given` state is the work of the backends and the harness. It runs on Unix systems; private servers on Linux.

mod accounts;
mod address;
mod case;
mod config;
mod directory;
mod docker;
mod domain;
mod error;
mod host;
mod identities;
mod keeper;
mod launch;
mod local;
mod log;
mod options;
mod probe;
mod process;
mod random;
mod registry;
mod secret;
mod server;
mod signal;
mod smbd;
mod spec;
mod start;
mod sweep;

pub use accounts::CaseAccounts;
pub use address::ExternalAddress;
pub use case::CaseSite;
pub use domain::Domain;
pub use error::{Attempt, NoServer, ServerError};
pub use options::{Progress, StartOptions};
pub use process::process_started;
pub use random::random_letters;
pub use server::{Liveness, Server};
pub use signal::shutdown_signal;
pub use spec::{ServerSpec, Source};
pub use start::start;
pub use sweep::{SweepReport, sweep};

/// What a trace says of an account, and a case makes true.
pub use smb_vocabulary::AccountState;
