//! What can go wrong with a server, and how it is said.

use std::{fmt, io, path::PathBuf, time::Duration};

use crate::{ServerSpec, Source};

/// What went wrong with a server or with a case's place on it. Never holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No such server is known.
    #[error(
        "no server is called {text:?}; there is samba-4.13, samba-4.17, samba-4.22, samba-ad and smb://host:port/share"
    )]
    UnknownServer {
        /// What was asked for.
        text: String,
    },
    /// No package has that version.
    #[error("there is no Samba {version:?} to start; there is {known}")]
    UnknownVersion {
        /// What was asked for.
        version: String,
        /// The versions there are.
        known: String,
    },
    /// An address cannot be read.
    #[error("{text:?} is not a server's address: {reason} (smb://host:port/share)")]
    Address {
        /// The text, without anything that may be a password.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A host name stands for no address.
    #[error("the host {host:?} cannot be resolved: {reason}")]
    Resolve {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// An environment variable holds what it may not.
    #[error("the environment variable {variable} is {value:?}: {reason}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// Its value; never that of a variable which holds a secret.
        value: String,
        /// What it may be.
        reason: String,
    },
    /// The identities file cannot be used.
    #[error("the identities file {} cannot be used: {reason}", path.display())]
    Identities {
        /// The file.
        path: PathBuf,
        /// Why, with the line where there is one.
        reason: String,
    },
    /// A trace's identity has no account on a server that is not ours.
    #[error(
        "the identity {name:?} has no account: name it (or *) in SMB_REPLAY_IDENTITIES, or set SMB_REPLAY_USER"
    )]
    NoIdentity {
        /// The name in the trace.
        name: String,
    },
    /// The identities file has no table that will do for a name of the trace.
    #[error("{name:?} is {is} in the trace: {what} (docs/servers.md, \"A server of your own\")")]
    NotNamed {
        /// The name in the trace.
        name: String,
        /// What it is there: "a group".
        is: &'static str,
        /// What the file must have, and where the value for it is found.
        what: String,
    },
    /// A server of ours cannot have what a case needs.
    #[error("there cannot be {what}: {why}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// Why it cannot be.
        why: &'static str,
    },
    /// A file operation failed.
    #[error("{action} {} failed: {source}", path.display())]
    File {
        /// What was tried: "create", "lock".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
    /// A program could not be run, or failed.
    #[error("{program} failed: {reason}")]
    Program {
        /// Its name.
        program: String,
        /// Its last lines, or why it did not start.
        reason: String,
    },
    /// The Docker engine said no.
    #[error("docker: {action}: {reason}")]
    Docker {
        /// What was tried.
        action: String,
        /// The engine's word.
        reason: String,
    },
    /// An image could not be built.
    #[error("the image {image} could not be built: {reason}; the build's last lines:\n{tail}")]
    Build {
        /// Its name and tag.
        image: String,
        /// The engine's word.
        reason: String,
        /// The end of the build's output.
        tail: String,
    },
    /// A server that exists as a container only.
    #[error("{spec} runs in a container only; start Docker")]
    OnlyInDocker {
        /// What was asked for.
        spec: String,
    },
    /// Something did not happen in its time.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// The bound.
        limit: Duration,
    },
    /// A server answered, but not as a server that can be used.
    #[error("the server at {address} is not usable: {reason}")]
    NotReady {
        /// Where.
        address: String,
        /// Why, with the end of its log where there is one.
        reason: String,
    },
}

impl ServerError {
    /// The error with the last lines of the server's log, where a server did not become ready.
    pub(crate) fn with_log(self, log: &str) -> Self {
        match self {
            Self::NotReady { address, reason } if !log.is_empty() => {
                let reason = format!("{reason}; its log ends:\n{}", crate::log::tail(log));
                Self::NotReady { address, reason }
            }
            other => other,
        }
    }
}

/// One source that was tried in vain.
#[derive(Debug)]
pub struct Attempt {
    /// The source.
    pub source: Source,
    /// Why it gave no server.
    pub error: ServerError,
}

/// No source could give the server. The text says what was tried, why each failed, and the one command that helps.
#[derive(Debug)]
pub struct NoServer {
    /// What was asked for.
    pub spec: ServerSpec,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
}

impl fmt::Display for NoServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no server {} could be had; tried:", self.spec)?;
        for Attempt { source, error } in &self.attempts {
            let text = error.to_string().replace('\n', "\n      ");
            write!(f, "\n  {source}: {text}")?;
        }
        write!(
            f,
            "\n`cargo xtask regressions` installs what is missing and tries again."
        )
    }
}

impl std::error::Error for NoServer {}
