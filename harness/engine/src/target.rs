//! Where a replay goes and as whom.

use std::net::SocketAddr;

use secrecy::SecretString;

/// The place that a trace's clients work in.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The server's name as clients call it (in UNC paths, in service principal names).
    pub host: String,
    /// The share.
    pub share: String,
    /// The directory below the share that stands for the trace's root, with `/` between its parts; empty for the
    /// share's own root. Every path of the trace is below it.
    pub root: String,
    /// The realm that the server is in, for Kerberos.
    pub realm: Option<Realm>,
}

/// A Kerberos realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm {
    /// Its name, in capitals: `AD.TEST`.
    pub name: String,
    /// Where its key distribution center listens, by TCP.
    pub kdc: SocketAddr,
    /// Whether clients whose line does not say how log in by Kerberos.
    pub by_default: bool,
    /// The security identifier of the domain, `S-1-5-21-…`, where it is known.
    pub sid: Option<String>,
}

/// The account that a trace's `user=` name stands for in this run.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The name in the trace.
    pub name: String,
    /// The account on the server.
    pub account: String,
    /// Its domain or workgroup; empty for none.
    pub domain: String,
    /// Its security identifier (`S-1-5-21-…`), where the run knows it.
    pub sid: Option<String>,
    /// Never printed: `Debug` shows `[REDACTED]`.
    pub password: SecretString,
}
