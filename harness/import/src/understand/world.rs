//! What is known at a point of a capture: connections, sessions, trees, opens, and requests without an answer.

use super::content::{Content, Fills};
use super::draft::{Draft, Drafts, Progress, StepIndex};
use super::initial::Initial;
use super::ioctl::Effect;
use super::keys::CaptureKeys;
use super::lanes::{self, ClientIndex, Lanes, Touch};
use super::names::Names;
use super::ntlm::Passwords;
use super::reconnect::{Durable, Gone};
use super::security::Accounts;
use crate::capture::{ConnectionId, ConnectionInfo, Direction, FrameSink, Gap};
use crate::report::ImportReport;
use smb_wire::crypto::{Key, PreauthHash, TransformCipher};
use smb_wire::messages::TransformHeader;
use smb_wire::security::SecurityDescriptor;
use smb_wire::{
    AdditionalInformation, Cipher, Command, Dialect, FileId, FrameKind, Guid, Header, OplockLevel,
    Request, Response, ntstatus,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The most requests of a connection that are kept for an answer. Servers give at most 8192 credits.
const UNANSWERED: usize = 65_536;

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
    /// Of NEGOTIATE, of the log-in that is going on, and of each session (MS-SMB2 3.1.4.4.1).
    negotiate_hash: PreauthHash,
    setup_hash: Option<PreauthHash>,
    session_hashes: HashMap<u64, PreauthHash>,
    /// What decrypts each session, once that is known.
    ciphers: HashMap<u64, [TransformCipher; 2]>,
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

/// Everything.
pub(super) struct World {
    pub(super) report: ImportReport,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) lanes: Lanes,
    pub(super) drafts: Drafts,
    pub(super) initial: Initial,
    pub(super) fills: Fills,
    pub(super) nodes: Vec<Node>,
    pub(super) by_path: HashMap<String, usize>,
    pub(super) opens: Vec<Open>,
    pub(super) by_id: HashMap<(ConnectionId, FileId), usize>,
    pub(super) clients: Vec<Client>,
    pub(super) names: Names,
    pub(super) keys: CaptureKeys,
    pub(super) passwords: Passwords,
    /// File shares in the order of their first use, in lower case.
    pub(super) shares: Vec<String>,
    /// Opens by the keys that name them as sources of copies.
    pub(super) resume_keys: HashMap<(ConnectionId, [u8; 24]), usize>,
    /// Extended attributes that steps have set: name and value.
    pub(super) attributes_set: HashSet<(Vec<u8>, Vec<u8>)>,
    pub(super) accounts: Accounts,
    /// Clients that have lost their connection, by ClientGuid.
    pub(super) gone: HashMap<Guid, Vec<Gone>>,
    /// The clients of sessions.
    pub(super) sessions: HashMap<u64, ClientIndex>,
    /// Lease keys, numbered in the order of their first use.
    pub(super) lease_names: HashMap<Guid, usize>,
    frames: u64,
    /// The time of the first request.
    pub(super) start: Option<u64>,
}

impl World {
    pub(super) fn new(names: Names, keys: CaptureKeys, passwords: Passwords) -> Self {
        Self {
            report: ImportReport::default(),
            connections: BTreeMap::new(),
            lanes: Lanes::default(),
            drafts: Drafts::default(),
            initial: Initial::default(),
            fills: Fills::default(),
            nodes: Vec::new(),
            by_path: HashMap::new(),
            opens: Vec::new(),
            by_id: HashMap::new(),
            clients: Vec::new(),
            names,
            keys,
            passwords,
            shares: Vec::new(),
            resume_keys: HashMap::new(),
            attributes_set: HashSet::new(),
            accounts: Accounts::default(),
            gone: HashMap::new(),
            sessions: HashMap::new(),
            lease_names: HashMap::new(),
            frames: 0,
            start: None,
        }
    }

    pub(super) fn skip(&mut self, kind: &'static str, reason: &'static str) {
        *self.report.skipped.entry((kind, reason)).or_default() += 1;
    }

    pub(super) fn adapt(&mut self, kind: &'static str, reason: &'static str) {
        *self.report.adapted.entry((kind, reason)).or_default() += 1;
    }

    /// Leaves a step out that was made already.
    pub(super) fn drop_step(&mut self, step: StepIndex, reason: &'static str) {
        if !self.drafts[step].dropped {
            self.drafts[step].dropped = true;
            self.drafts[step].progress = Progress::Done;
            self.skip(self.drafts[step].kind, reason);
        }
    }

    /// Connections with encrypted frames, and how many.
    pub(super) fn encrypted(&self) -> Vec<(String, u64)> {
        let connections = self.connections.values();
        connections
            .filter(|connection| connection.encrypted > 0)
            .map(|connection| {
                let ends = format!("{} to {}", connection.client_end, connection.server_end);
                (ends, connection.encrypted)
            })
            .collect()
    }

    /// Adds a step that was sent at `time`, on `lane` of its draft.
    pub(super) fn add(
        &mut self,
        mut draft: Draft,
        time: Option<u64>,
        touches: &[(lanes::Key, Touch)],
        part: bool,
    ) -> StepIndex {
        draft.sent = time;
        if let Some(time) = time {
            self.start.get_or_insert(time);
        }
        let step = self.drafts.push(draft);
        self.lanes.put(step, touches, part, &mut self.drafts);
        step
    }

    fn plain(&mut self, id: ConnectionId, direction: Direction, time: u64, frame: &[u8]) {
        self.frames += 1;
        let mut chain = Chain {
            frame: self.frames,
            ..Chain::default()
        };
        for part in smb_wire::split_compound(frame) {
            let Ok((header, message)) = part else {
                return self.skip(
                    "message",
                    "it is malformed: its header or its place in the frame",
                );
            };
            self.report.lines += 1;
            self.hash(id, &header, message);
            match (direction, header.is_response()) {
                (Direction::ToServer, false) => {
                    self.request_message(id, time, &header, message, &mut chain);
                }
                (Direction::ToClient, true) => self.response_message(id, time, &header, message),
                _ => self.skip("message", "it goes in the wrong direction"),
            }
        }
    }

    /// Follows the preauthentication hash of a connection and its log-ins.
    fn hash(&mut self, id: ConnectionId, header: &Header, message: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match (header.command, header.is_response()) {
            (Command::NEGOTIATE, _) => connection.negotiate_hash.update(message),
            (Command::SESSION_SETUP, false) => {
                let begun = connection.setup_hash.take();
                let mut hash = match begun.filter(|_| header.session_id != 0) {
                    Some(hash) => hash,
                    None => connection.negotiate_hash.clone(),
                };
                hash.update(message);
                connection.setup_hash = Some(hash);
            }
            (Command::SESSION_SETUP, true) => match header.status {
                ntstatus::MORE_PROCESSING_REQUIRED => {
                    if let Some(hash) = &mut connection.setup_hash {
                        hash.update(message);
                    }
                }
                _ => {
                    if let Some(hash) = connection.setup_hash.take() {
                        connection.session_hashes.insert(header.session_id, hash);
                    }
                }
            },
            _ => {}
        }
    }

    /// Decrypts a frame if there is a key for it.
    fn encrypted_frame(&mut self, id: ConnectionId, direction: Direction, time: u64, frame: &[u8]) {
        let Ok(header) = TransformHeader::decode(frame) else {
            return self.skip("frame", "its transform header does not decode");
        };
        let session_id = header.session_id;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let side = match direction {
            Direction::ToServer => 0,
            Direction::ToClient => 1,
        };
        let mut plain = None;
        if let Some(ciphers) = connection.ciphers.get(&session_id) {
            plain = ciphers[side].decrypt(frame).ok();
        } else {
            let all = [
                Cipher::AES_128_CCM,
                Cipher::AES_128_GCM,
                Cipher::AES_256_CCM,
                Cipher::AES_256_GCM,
            ];
            let agreed = connection.cipher.map(|cipher| [cipher]);
            let candidates = agreed.as_ref().map_or(&all[..], |cipher| &cipher[..]);
            let preauth = connection.session_hashes.get(&session_id);
            for &cipher in candidates {
                let ciphers = self
                    .keys
                    .ciphers(session_id, connection.dialect, cipher, preauth);
                if let Some(ciphers) = ciphers
                    && let Ok(found) = ciphers[side].decrypt(frame)
                {
                    plain = Some(found);
                    connection.ciphers.insert(session_id, ciphers);
                    break;
                }
            }
        }
        match plain {
            None => connection.encrypted += 1,
            Some(plain) => match FrameKind::of(&plain) {
                Some(FrameKind::Plain) => self.plain(id, direction, time, &plain),
                Some(FrameKind::Compressed) => self.skip("frame", "it is compressed"),
                _ => self.skip("frame", "what was encrypted in it is no SMB2"),
            },
        }
    }

    fn request_message(
        &mut self,
        id: ConnectionId,
        time: u64,
        header: &Header,
        message: &[u8],
        chain: &mut Chain,
    ) {
        let kind = header.command.word().unwrap_or("unknown command");
        self.report.kinds.entry(kind).or_default().operations += 1;
        chain.members += 1;
        let Ok(request) = Request::decode(message) else {
            chain.open = Some(None);
            return self.skip(kind, "the request does not decode");
        };
        if !(header.is_related() && chain.members > 1) {
            chain.session_id = header.session_id;
            chain.tree_id = header.tree_id().unwrap_or(0);
            chain.open = None;
        }
        let mut flight = InFlight {
            request,
            kind,
            step: None,
            open: None,
            session_id: chain.session_id,
            tree_id: chain.tree_id,
            fill: 0,
            async_id: None,
            skipped: None,
            effect: Effect::None,
            lock_sequence: 0,
            descriptor: None,
        };
        chain.related = header.is_related();
        chain.inherits = header.session_id == u64::MAX && header.tree_id() == Some(u32::MAX);
        let result = self.request(id, time, header, &mut flight, chain);
        let whole = (header, message);
        let result =
            result.or_else(|reason| self.as_it_was(id, time, whole, reason, &mut flight, chain));
        if let Err(reason) = result {
            flight.skipped = Some(reason);
            self.skip(kind, reason);
        }
        if header.command == Command::CANCEL {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.in_flight.len() >= UNANSWERED {
            if let Some(step) = flight.step {
                self.drop_step(step, "too many requests without an answer");
            }
            return;
        }
        if let Some(old) = connection.in_flight.insert(header.message_id, flight)
            && let Some(step) = old.step
        {
            self.drop_step(step, "its message id was used again before an answer came");
        }
    }

    fn response_message(&mut self, id: ConnectionId, time: u64, header: &Header, message: &[u8]) {
        let kind = header.command.word().unwrap_or("unknown command");
        let Ok(response) = Response::decode(message) else {
            if let Some(connection) = self.connections.get_mut(&id)
                && let Some(flight) = connection.in_flight.remove(&header.message_id)
                && let Some(step) = flight.step
            {
                self.drop_step(step, "its answer does not decode");
                return;
            }
            return self.skip(kind, "the answer does not decode");
        };
        if header.message_id == Header::UNSOLICITED {
            return self.broken(id, time, &response);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if header.is_interim() {
            match connection.in_flight.get_mut(&header.message_id) {
                Some(flight) => {
                    flight.async_id = header.async_id();
                    let step = flight.step;
                    if let Some(step) = step {
                        self.interim(step);
                    }
                }
                None => self.skip("interim answer", "its request is not in the capture"),
            }
            return;
        }
        match connection.in_flight.remove(&header.message_id) {
            Some(flight) => self.answer(id, header, response, flight),
            None => self.skip(kind, "an answer whose request is not in the capture"),
        }
    }

    /// A client's connection has ended, or the capture.
    fn disconnected(&mut self, id: ConnectionId, time: u64, by: Option<Direction>) {
        self.never_acknowledged(id);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let left: Vec<InFlight> = connection
            .in_flight
            .drain()
            .map(|(_, flight)| flight)
            .collect();
        for flight in left {
            let Some(step) = flight.step else { continue };
            // What was pending has had an answer, and a handle may have come of it.
            if self.drafts[step].progress == Progress::Sent {
                self.drop_step(step, "the capture has no answer to it");
            }
        }
        let mut clients: Vec<ClientIndex> = Vec::new();
        let mut touches = Vec::new();
        for open in self.opens.iter_mut().filter(|open| open.connection == id) {
            if open.alive && open.file_id.is_some() {
                clients.push(open.client);
                touches.push((lanes::Key::path(&open.path), Touch::Change));
                if open.delete_on_close {
                    touches.extend(super::request::listings(&open.path, Touch::Change));
                }
            }
            open.alive = false;
        }
        clients.sort_unstable();
        clients.dedup();
        if by.is_none() {
            return;
        }
        self.gone(id, &clients);
        for client in clients {
            let lane = self.lanes.free(client, None, &self.drafts);
            let step = self.add(Draft::new(lane, "disconnect"), Some(time), &touches, false);
            self.drafts[step].progress = Progress::Done;
        }
    }
}

impl FrameSink for World {
    fn opened(&mut self, id: ConnectionId, info: &ConnectionInfo) {
        self.connections.insert(
            id,
            Connection {
                mid_stream: info.mid_stream,
                client_guid: Guid::default(),
                has_gaps: false,
                dialect: None,
                signing_required: false,
                sessions: HashMap::new(),
                in_flight: HashMap::new(),
                user: None,
                anonymous: false,
                challenge: None,
                session_key: None,
                encrypted: 0,
                cipher: None,
                negotiate_hash: PreauthHash::default(),
                setup_hash: None,
                session_hashes: HashMap::new(),
                ciphers: HashMap::new(),
                client_end: info.client,
                server_end: info.server,
                breaks: Vec::new(),
            },
        );
    }

    fn frame(&mut self, id: ConnectionId, direction: Direction, time: u64, frame: &[u8]) {
        match FrameKind::of(frame) {
            Some(FrameKind::Plain) => self.plain(id, direction, time, frame),
            Some(FrameKind::Encrypted) => self.encrypted_frame(id, direction, time, frame),
            Some(FrameKind::Compressed) => self.skip("frame", "it is compressed"),
            Some(FrameKind::Smb1) => self.smb1(direction, frame),
            None => {}
        }
    }

    fn gap(&mut self, id: ConnectionId, _: Gap) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.has_gaps = true;
        }
    }

    fn closed(&mut self, id: ConnectionId, time: u64, by: Option<Direction>) {
        self.disconnected(id, time, by);
    }
}

impl World {
    /// A negotiation may begin with SMB1 (MS-SMB2 3.3.5.3); everything else of it is another protocol.
    fn smb1(&mut self, direction: Direction, frame: &[u8]) {
        const NEGOTIATE: u8 = 0x72;
        let command = frame.get(4).copied();
        match (command, direction) {
            (Some(NEGOTIATE), Direction::ToServer) => {
                self.report.kinds.entry("negotiate").or_default().operations += 1;
                self.adapt(
                    "negotiate",
                    "of SMB1 with SMB2 on offer; clients begin with SMB2",
                );
            }
            (Some(NEGOTIATE), Direction::ToClient) => {
                self.skip("SMB1 message", "the server chose SMB1 for a connection");
            }
            _ => self.skip("SMB1 message", "it is of another protocol"),
        }
    }
}
