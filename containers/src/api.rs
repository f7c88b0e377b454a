//! The signatures; the bodies follow.

use std::{collections::BTreeMap, net::SocketAddr};

use replay_engine::{Identity, Target};

use crate::{NoServer, ServerError, ServerSpec, Source, StartOptions};

/// Starts (or finds) the server that `spec` asks for, from the first source that can give it.
///
/// # Errors
///
/// [`NoServer`] with what was tried.
pub async fn start(_spec: &ServerSpec, _options: &StartOptions) -> Result<Server, NoServer> {
    unimplemented!()
}

/// Whether a server can still be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// It answered a NEGOTIATE.
    Alive,
    /// It is there but did not answer in time.
    Unresponsive {
        /// What was tried and what came.
        reason: String,
    },
    /// It is gone.
    Gone {
        /// How that is known.
        reason: String,
    },
}

/// A running server. Call [`Server::stop`] at the end; a drop without it also ends a server of this process's own.
pub struct Server {}

impl Server {
    /// A line for people: what it is, from where, at which address.
    #[must_use]
    pub fn describe(&self) -> String {
        unimplemented!()
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> Source {
        unimplemented!()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        unimplemented!()
    }

    /// Makes a directory and accounts of its own for `case` (a test's name), one account for each of `users` (the
    /// identities' names in the trace).
    ///
    /// # Errors
    ///
    /// A server that went away, or an identity without an account on an external server.
    pub async fn open_case(&self, _case: &str, _users: &[String]) -> Result<CaseSite, ServerError> {
        unimplemented!()
    }

    /// Whether it still answers; takes 2 seconds at most.
    pub async fn is_alive(&self) -> Liveness {
        unimplemented!()
    }

    /// The end of the server's own log, 64 KiB at most; a note instead where there is none.
    pub async fn log(&self) -> String {
        unimplemented!()
    }

    /// Ends the server and removes all it had; leaves it running when other processes of the run share it.
    ///
    /// # Errors
    ///
    /// What could not be removed.
    pub async fn stop(self) -> Result<(), ServerError> {
        unimplemented!()
    }
}

/// A case's own place on a server. Call [`CaseSite::close`] at the end.
#[derive(Debug)]
pub struct CaseSite {
    /// Where the trace's clients connect, and the directory that is the trace's root.
    pub target: Target,
    /// The account of each identity, by its name in the trace.
    pub identities: BTreeMap<String, Identity>,
    /// The account that makes the `given` state; may do anything in the share.
    pub setup: Identity,
    /// Whether the root directory is there; otherwise the set-up account must make it over SMB (and remove it).
    pub root_exists: bool,
}

impl CaseSite {
    /// Removes the case's accounts, and its directory unless it is to be kept for as long as the server lives.
    ///
    /// # Errors
    ///
    /// What could not be removed.
    pub async fn close(self, _keep: bool) -> Result<(), ServerError> {
        unimplemented!()
    }
}

/// What a sweep removed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SweepReport {
    /// What was removed, a line each.
    pub removed: Vec<String>,
    /// What should have been removed and could not be, with the reason.
    pub failed: Vec<String>,
}

/// Removes what killed runs left: containers and private servers whose owner is gone. Touches nothing that lives.
pub async fn sweep() -> SweepReport {
    unimplemented!()
}

/// Returns when the process is asked to end (SIGINT or SIGTERM): stop the servers, then exit with 128 + the signal's
/// number, which is returned.
pub async fn shutdown_signal() -> i32 {
    unimplemented!()
}
