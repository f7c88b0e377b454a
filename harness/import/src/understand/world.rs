//! All that is known at a point of a capture.

use super::content::Fills;
use super::draft::{Draft, Drafts, Progress, StepIndex};
use super::initial::Initial;
use super::keys::CaptureKeys;
use super::lanes::{self, ClientIndex, Lanes, Touch};
use super::losses::Losses;
use super::names::Names;
use super::ntlm::Passwords;
use super::reconnect::Gone;
use super::refused::Refused;
use super::security::Accounts;
use super::state::{Algorithms, Client, Connection, Node, Open, Session, SessionIndex};
use super::unacknowledged::Unacknowledged;
use crate::capture::{ConnectionId, ConnectionInfo, Direction, FrameSink, Gap};
use crate::report::ImportReport;
use smb_wire::crypto::PreauthHash;
use smb_wire::{FileId, FrameKind, Guid};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Everything.
pub(super) struct World {
    pub(super) report: ImportReport,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) lanes: Lanes,
    pub(super) drafts: Drafts,
    pub(super) initial: Initial,
    pub(super) fills: Fills,
    pub(super) nodes: Vec<Node>,
    pub(super) by_path: BTreeMap<String, usize>,
    pub(super) opens: Vec<Open>,
    /// Of the opens so far, so many at the last look, those that were alive then.
    pub(super) living: (usize, Vec<usize>),
    pub(super) by_id: HashMap<(SessionIndex, FileId), usize>,
    pub(super) clients: Vec<Client>,
    /// How many of them have sessions of their own.
    pub(super) with_sessions: usize,
    pub(super) names: Names,
    pub(super) keys: CaptureKeys,
    pub(super) passwords: Passwords,
    /// File shares in the order of their first use, in lower case.
    pub(super) shares: Vec<String>,
    /// Opens by the keys that name them as sources of copies.
    pub(super) resume_keys: HashMap<(SessionIndex, [u8; 24]), usize>,
    /// Extended attributes that steps have set: name and value.
    pub(super) attributes_set: HashSet<(Vec<u8>, Vec<u8>)>,
    pub(super) accounts: Accounts,
    /// Security descriptors of `given` lines, by the nodes of their files.
    pub(super) given_descriptors: HashMap<usize, String>,
    /// Clients that have lost their connection, by ClientGuid.
    pub(super) gone: HashMap<Guid, Vec<Gone>>,
    pub(super) sessions: Vec<Session>,
    /// The last session of each SessionId.
    pub(super) by_session_id: HashMap<u64, SessionIndex>,
    pub(super) losses: Losses,
    /// Breaks that are not answered yet.
    pub(super) breaks: Unacknowledged,
    /// Log-ins of accounts that the server would not let in whatever their password.
    pub(super) states: Vec<(String, &'static str, StepIndex)>,
    /// The clients whose log-ins failed, by what they are.
    pub(super) refused: HashMap<Refused, ClientIndex>,
    /// The first step that sent each CreateGuid.
    pub(super) create_guids: HashMap<Guid, StepIndex>,
    /// Lease keys, numbered in the order of their first use.
    pub(super) lease_names: HashMap<Guid, usize>,
    pub(super) frames: u64,
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
            by_path: BTreeMap::new(),
            opens: Vec::new(),
            living: (0, Vec::new()),
            by_id: HashMap::new(),
            clients: Vec::new(),
            with_sessions: 0,
            names,
            keys,
            passwords,
            shares: Vec::new(),
            resume_keys: HashMap::new(),
            attributes_set: HashSet::new(),
            accounts: Accounts::default(),
            given_descriptors: HashMap::new(),
            gone: HashMap::new(),
            sessions: Vec::new(),
            by_session_id: HashMap::new(),
            losses: Losses::default(),
            breaks: Unacknowledged::default(),
            states: Vec::new(),
            refused: HashMap::new(),
            create_guids: HashMap::new(),
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
        let client = self.lanes.client_of(draft.lane);
        let owner = self.clients[client].channel_of.unwrap_or(client);
        let connects = draft.verb == "connect";
        let step = self.drafts.push(draft);
        self.lanes.put(step, touches, part, &mut self.drafts);
        if !part {
            self.behind_breaks(step, touches);
        }
        if !connects {
            self.losses.works_on(owner, touches, &mut self.drafts);
        }
        step
    }
}

impl FrameSink for World {
    fn opened(&mut self, id: ConnectionId, info: &ConnectionInfo) {
        self.connections.insert(
            id,
            Connection {
                mid_stream: info.mid_stream,
                client_guid: Guid::default(),
                multichannel: false,
                has_gaps: false,
                left: false,
                dialect: None,
                signing_required: false,
                sessions: HashMap::new(),
                in_flight: HashMap::new(),
                user: None,
                anonymous: false,
                challenge: None,
                session_key: None,
                encrypted: 0,
                algorithms: Algorithms::default(),
                negotiate_hash: PreauthHash::default(),
                setup_hash: None,
                client_end: info.client,
                server_end: info.server,
            },
        );
    }

    fn frame(&mut self, id: ConnectionId, direction: Direction, time: u64, frame: &[u8]) {
        if self
            .connections
            .get(&id)
            .is_some_and(|connection| connection.left)
        {
            return self.skip("frame", "the server had ended the connection");
        }
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

    fn left(&mut self, id: ConnectionId, time: u64) {
        self.disconnected(id, time, Some(Direction::ToClient));
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.left = true;
        }
    }

    fn closed(&mut self, id: ConnectionId, time: u64, by: Option<Direction>) {
        self.disconnected(id, time, by);
        // Nothing refers to one without a session; there may be as many of these as a capture has packets.
        let is_empty =
            |connection: &Connection| connection.sessions.is_empty() && connection.encrypted == 0;
        if self.connections.get(&id).is_some_and(is_empty) {
            self.connections.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_on_which_nothing_was_done_are_forgotten() {
        let mut world = World::new(
            Names::default(),
            CaptureKeys::default(),
            Passwords::default(),
        );
        let info = ConnectionInfo {
            client: ([10, 0, 0, 1], 50_000).into(),
            server: ([10, 0, 0, 2], 445).into(),
            time: 1,
            mid_stream: false,
        };
        for id in 0..100 {
            world.opened(id, &info);
            world.frame(id, Direction::ToServer, 2, b"\xffSMBr");
            world.closed(id, 3, (id % 2 == 0).then_some(Direction::ToServer));
        }
        // What is encrypted is told with its connection.
        world.opened(100, &info);
        world.frame(
            100,
            Direction::ToServer,
            2,
            &[&b"\xfdSMB"[..], &[0; 80]].concat(),
        );
        world.closed(100, 3, None);
        assert_eq!(world.connections.len(), world.encrypted().len());
    }
}
