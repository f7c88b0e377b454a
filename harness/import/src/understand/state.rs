//! What is known of the things of a capture: connections, sessions, trees, opens, files, and requests without an answer.

use super::content::Content;
use super::draft::StepIndex;
use super::ioctl::Effect;
use super::lanes::ClientIndex;
use super::reconnect::Durable;
use crate::capture::ConnectionId;
use smb_wire::crypto::{Key, PreauthHash, TransformCipher};
use smb_wire::security::SecurityDescriptor;
use smb_wire::{
    AdditionalInformation, Cipher, Dialect, FileId, Guid, OplockLevel, Request, SigningAlgorithm,
};
use std::collections::HashMap;

/// A session, numbered over all connections.
pub(super) type SessionIndex = usize;

/// A client of the trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    /// The identity; `None` for an anonymous log-in, and for a channel that logs in as its session's user.
    pub(super) user: Option<String>,
    pub(super) dialect: Option<Dialect>,
    pub(super) signing_required: bool,
    /// It is a further channel of this one's session.
    pub(super) channel_of: Option<ClientIndex>,
    /// Which one it is, from 1: of those with sessions of their own, or of the further channels of its session.
    pub(super) number: usize,
    /// How many further channels its session has.
    pub(super) channels: usize,
    /// It names the session, and does not say that it is to be bound to it.
    pub(super) no_binding: bool,
    /// ClientGuid of its first connection.
    pub(super) client_guid: Guid,
    /// It has offered SMB2_GLOBAL_CAP_MULTI_CHANNEL there.
    pub(super) multichannel: bool,
    /// A LOCK of its has been sent again.
    pub(super) replays: bool,
    /// It logs in with another password than the user's.
    pub(super) wrong_password: bool,
    /// It has connected a file share.
    pub(super) disk: bool,
    /// It has connected that of pipes, and no other.
    pub(super) pipes_only: bool,
    /// The algorithms of its connection, where its line says them.
    pub(super) algorithms: Option<Algorithms>,
}

/// What NEGOTIATE has settled, from 3.1.1 on (MS-SMB2 2.2.3.1.2, 2.2.3.1.7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Algorithms {
    pub(super) cipher: Option<Cipher>,
    pub(super) signing: Option<SigningAlgorithm>,
}

/// A share that a session is connected to, or was.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// The directory that stands for it in the trace; empty for the first share.
    pub(super) prefix: String,
    /// It is a file share.
    pub(super) disk: bool,
    /// What the trace calls it; `None` for the tree that steps work on without a name.
    pub(super) name: Option<String>,
    /// From TREE_CONNECT to TREE_DISCONNECT.
    pub(super) connected: bool,
    /// A step connects it. That of a share of pipes is made when something is done there.
    pub(super) has_step: bool,
}

/// A connection that a session is bound to.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) connection: ConnectionId,
    /// The client that its requests are steps of.
    pub(super) client: Option<ClientIndex>,
    /// The connection has not ended.
    pub(super) alive: bool,
}

/// A session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// SessionId.
    pub(super) id: u64,
    /// The connection of its log-in, and those that were bound later.
    pub(super) channels: Vec<Channel>,
    pub(super) user: Option<String>,
    pub(super) anonymous: bool,
    pub(super) trees: HashMap<u32, Tree>,
    /// A file share has been connected.
    pub(super) tree_connected: bool,
    /// The tree that steps work on without naming one.
    pub(super) default_tree: Option<u32>,
    /// How many trees have a name.
    pub(super) named_trees: usize,
    /// PreviousSessionId of its log-in.
    pub(super) previous: u64,
    /// How many connections had ended with something open when it began.
    pub(super) losses: usize,
    /// It was logged off.
    pub(super) ended: bool,
    /// Its client has logged in anew on the same connection.
    pub(super) replaced: bool,
    /// The ChannelSequence that a client has by itself: how many channels it has lost (MS-SMB2 3.2.7.1).
    pub(super) sequence: u16,
    /// Of its log-in (MS-SMB2 3.2.5.3.1).
    pub(super) hash: Option<PreauthHash>,
    /// What decrypts it, on whatever channel, once that is known.
    pub(super) ciphers: Option<[TransformCipher; 2]>,
}

impl Session {
    /// The channel on a connection.
    pub(super) fn channel(&mut self, id: ConnectionId) -> Option<&mut Channel> {
        let mut channels = self.channels.iter_mut().rev();
        channels.find(|channel| channel.connection == id)
    }

    /// The client that logged in.
    pub(super) fn owner(&self) -> Option<ClientIndex> {
        self.channels.first()?.client
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct InFlight {
    /// Without the data of a write.
    pub(super) request: Request,
    /// When it was sent, in nanoseconds since 1970.
    pub(super) sent: u64,
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
    /// The client has offered SMB2_GLOBAL_CAP_MULTI_CHANNEL.
    pub(super) multichannel: bool,
    /// Bytes of it are missing somewhere.
    pub(super) has_gaps: bool,
    /// The server has ended it.
    pub(super) left: bool,
    pub(super) dialect: Option<Dialect>,
    pub(super) signing_required: bool,
    /// The sessions on it by their SessionIds.
    pub(super) sessions: HashMap<u64, SessionIndex>,
    pub(super) in_flight: HashMap<u64, InFlight>,
    /// The user of the log-in that is going on.
    pub(super) user: Option<String>,
    pub(super) anonymous: bool,
    /// ServerChallenge of the log-in that is going on, and the session key that comes of it.
    pub(super) challenge: Option<[u8; 8]>,
    pub(super) session_key: Option<Key>,
    /// Encrypted frames that no key was there for.
    pub(super) encrypted: u64,
    pub(super) algorithms: Algorithms,
    /// Of NEGOTIATE and of the log-in that is going on (MS-SMB2 3.2.5.2, 3.2.5.3.1).
    pub(super) negotiate_hash: PreauthHash,
    pub(super) setup_hash: Option<PreauthHash>,
    pub(super) client_end: std::net::SocketAddr,
    pub(super) server_end: std::net::SocketAddr,
}

/// An open file or directory.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: String,
    pub(super) session: SessionIndex,
    /// TreeId.
    pub(super) tree: u32,
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
    /// It was closed, so that the trace has no name for it any more.
    pub(super) closed: bool,
    /// It is no file.
    pub(super) pipe: Option<Pipe>,
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

impl Open {
    /// One that a step makes, before it is answered.
    pub(super) fn new(
        name: String,
        session: SessionIndex,
        client: ClientIndex,
        path: String,
        created_by: StepIndex,
    ) -> Self {
        Self {
            name,
            session,
            tree: 0,
            client,
            path,
            prefix: String::new(),
            node: usize::MAX,
            directory: false,
            created_by,
            file_id: None,
            alive: true,
            closed: false,
            pipe: None,
            failed: false,
            delete_on_close: false,
            oplock: OplockLevel::NONE,
            lease: None,
            listed: false,
            policy: super::breaks::Policy::default(),
            durable: None,
            numbered: Vec::new(),
            replays: false,
            reconnects: None,
        }
    }
}

/// What is known of a pipe.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pipe {
    /// The last message to it is not in the trace, so its answer is not either.
    pub(super) silent: bool,
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
    /// ChannelSequence, where the client of a trace would send another one.
    pub(super) sequence: Option<u16>,
    /// SMB2_FLAGS_REPLAY_OPERATION.
    pub(super) replay: bool,
}
