//! What is known of the things of a capture: connections, sessions, trees, opens, files, and requests without an answer.

use super::content::Content;
use super::draft::StepIndex;
use super::ioctl::Effect;
use super::lanes::ClientIndex;
use super::reconnect::Durable;
use crate::capture::ConnectionId;
use smb_wire::crypto::{Key, PreauthHash, TransformCipher};
use smb_wire::security::SecurityDescriptor;
use smb_wire::{AdditionalInformation, Cipher, Dialect, FileId, Guid, OplockLevel, Request};
use std::collections::HashMap;

/// A client of the trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    /// The identity; `None` for an anonymous log-in.
    pub(super) user: Option<String>,
    pub(super) dialect: Option<Dialect>,
    pub(super) signing_required: bool,
}

/// A share that a session is connected to.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// The directory that stands for it in the trace; empty for the first share.
    pub(super) prefix: String,
    /// It is a file share.
    pub(super) disk: bool,
}

/// A session on a connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) client: Option<ClientIndex>,
    pub(super) user: Option<String>,
    pub(super) anonymous: bool,
    pub(super) trees: HashMap<u32, Tree>,
    pub(super) tree_connected: bool,
    /// PreviousSessionId of its log-in.
    pub(super) previous: u64,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct InFlight {
    /// Without the data of a write.
    pub(super) request: Request,
    pub(super) kind: &'static str,
    pub(super) step: Option<StepIndex>,
    pub(super) open: Option<usize>,
    pub(super) session_id: u64,
    pub(super) tree_id: u32,
    /// The fill of a write's data.
    pub(super) fill: u64,
    pub(super) async_id: Option<u64>,
    /// Why no step was made of it.
    pub(super) skipped: Option<&'static str>,
    /// What a control code does.
    pub(super) effect: Effect,
    /// LockSequence of a LOCK.
    pub(super) lock_sequence: u32,
    /// What it sets as security descriptor, until its step is made.
    pub(super) descriptor: Option<SecurityDescriptor>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) mid_stream: bool,
    pub(super) client_guid: Guid,
    /// Bytes of it are missing somewhere.
    pub(super) has_gaps: bool,
    pub(super) dialect: Option<Dialect>,
    pub(super) signing_required: bool,
    pub(super) sessions: HashMap<u64, Session>,
    pub(super) in_flight: HashMap<u64, InFlight>,
    /// The user of the log-in that is going on.
    pub(super) user: Option<String>,
    pub(super) anonymous: bool,
    /// ServerChallenge of the log-in that is going on, and the session key that comes of it.
    pub(super) challenge: Option<[u8; 8]>,
    pub(super) session_key: Option<Key>,
    /// Encrypted frames that no key was there for.
    pub(super) encrypted: u64,
    pub(super) cipher: Option<Cipher>,
    /// Of NEGOTIATE, of the log-in that is going on, and of each session (MS-SMB2 3.2.5.2, 3.2.5.3.1).
    pub(super) negotiate_hash: PreauthHash,
    pub(super) setup_hash: Option<PreauthHash>,
    pub(super) session_hashes: HashMap<u64, PreauthHash>,
    /// What decrypts each session, once that is known.
    pub(super) ciphers: HashMap<u64, [TransformCipher; 2]>,
    pub(super) client_end: std::net::SocketAddr,
    pub(super) server_end: std::net::SocketAddr,
    /// A break that is not answered yet, by what it is about.
    pub(super) breaks: Vec<super::breaks::OpenBreak>,
}

/// An open file or directory.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: String,
    pub(super) connection: ConnectionId,
    pub(super) client: ClientIndex,
    /// The path in the trace, before names are replaced.
    pub(super) path: String,
    /// The directory that stands for its share.
    pub(super) prefix: String,
    pub(super) node: usize,
    pub(super) directory: bool,
    pub(super) created_by: StepIndex,
    /// `None` until it is answered.
    pub(super) file_id: Option<FileId>,
    pub(super) alive: bool,
    /// The server refused it.
    pub(super) failed: bool,
    pub(super) delete_on_close: bool,
    pub(super) oplock: OplockLevel,
    pub(super) lease: Option<Guid>,
    /// A listing was begun that did not fit into one buffer.
    pub(super) listed: bool,
    pub(super) policy: super::breaks::Policy,
    /// It was asked to be durable.
    pub(super) durable: Option<Durable>,
    /// Its locks that have a LockSequence, and whether one came twice.
    pub(super) numbered: Vec<(u32, StepIndex)>,
    pub(super) replays: bool,
    /// The open that it is again.
    pub(super) reconnects: Option<usize>,
}

/// A file, whatever its path.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) content: Content,
    /// The fill of what it held before the first step, once it is needed.
    pub(super) given_fill: Option<u64>,
    /// It existed before the first step.
    pub(super) existed: bool,
    /// The client that made it.
    pub(super) made_by: Option<ClientIndex>,
    /// The parts of its security descriptor that steps have set.
    pub(super) security_set: AdditionalInformation,
}

/// Where the members of a frame stand.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) frame: u64,
    pub(super) session_id: u64,
    pub(super) tree_id: u32,
    /// The open of the member before; `Some(None)` if that had none that is known.
    pub(super) open: Option<Option<usize>>,
    pub(super) lane: Option<(ClientIndex, usize)>,
    pub(super) members: usize,
    /// The member has SMB2_FLAGS_RELATED_OPERATIONS.
    pub(super) related: bool,
    /// Its SessionId and TreeId are all ones.
    pub(super) inherits: bool,
    /// What the step before it works on.
    pub(super) handle: Option<String>,
}
