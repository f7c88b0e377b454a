//! From frames to messages: encryption, compounds, and which answer belongs to which request.

use super::ioctl::Effect;
use super::state::{Chain, InFlight};
use super::world::World;
use crate::capture::{ConnectionId, Direction};
use smb_wire::messages::TransformHeader;
use smb_wire::{Cipher, Command, Dialect, Flags, FrameKind, Header, Request, Response, ntstatus};

/// The most requests of a connection that are kept for an answer. Servers give at most 8192 credits.
const UNANSWERED: usize = 65_536;

impl World {
    pub(super) fn plain(
        &mut self,
        id: ConnectionId,
        direction: Direction,
        time: u64,
        frame: &[u8],
    ) {
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
    pub(super) fn hash(&mut self, id: ConnectionId, header: &Header, message: &[u8]) {
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
            // After the last answer it is the session's.
            (Command::SESSION_SETUP, true)
                if header.status == ntstatus::MORE_PROCESSING_REQUIRED =>
            {
                if let Some(hash) = &mut connection.setup_hash {
                    hash.update(message);
                }
            }
            _ => {}
        }
    }

    /// Decrypts a frame if there is a key for it.
    pub(super) fn encrypted_frame(
        &mut self,
        id: ConnectionId,
        direction: Direction,
        time: u64,
        frame: &[u8],
    ) {
        let Ok(header) = TransformHeader::decode(frame) else {
            return self.skip("frame", "its transform header does not decode");
        };
        let session_id = header.session_id;
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let side = match direction {
            Direction::ToServer => 0,
            Direction::ToClient => 1,
        };
        let (algorithms, dialect) = (connection.algorithms, connection.dialect);
        let session = connection.sessions.get(&session_id).copied();
        let session = match session {
            Some(session) => session,
            None => self.begun_before(id, session_id),
        };
        let session = &mut self.sessions[session];
        let mut plain = None;
        if let Some(ciphers) = &session.ciphers {
            plain = ciphers[side].decrypt(frame).ok();
        } else {
            let all = [
                Cipher::AES_128_CCM,
                Cipher::AES_128_GCM,
                Cipher::AES_256_CCM,
                Cipher::AES_256_GCM,
            ];
            let agreed = algorithms.cipher.map(|cipher| [cipher]);
            let candidates = agreed.as_ref().map_or(&all[..], |cipher| &cipher[..]);
            let preauth = session.hash.as_ref();
            for &cipher in candidates {
                let ciphers = self.keys.ciphers(session_id, dialect, cipher, preauth);
                if let Some(ciphers) = ciphers
                    && let Ok(found) = ciphers[side].decrypt(frame)
                {
                    plain = Some(found);
                    session.ciphers = Some(ciphers);
                    break;
                }
            }
        }
        match plain {
            None => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.encrypted += 1;
                }
            }
            Some(plain) => match FrameKind::of(&plain) {
                Some(FrameKind::Plain) => self.plain(id, direction, time, &plain),
                Some(FrameKind::Compressed) => self.skip("frame", "it is compressed"),
                _ => self.skip("frame", "what was encrypted in it is no SMB2"),
            },
        }
    }

    pub(super) fn request_message(
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
            sent: time,
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
        self.sequence(id, header, chain);
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

    /// What of the header a client of the trace would send otherwise.
    fn sequence(&self, id: ConnectionId, header: &Header, chain: &mut Chain) {
        chain.replay = header.flags.contains(Flags::REPLAY_OPERATION);
        chain.sequence = None;
        let connection = self.connections.get(&id);
        let dialect = connection.and_then(|connection| connection.dialect);
        // In older dialects the field is reserved.
        if dialect.is_some_and(|dialect| dialect >= Dialect::SMB_3_0) {
            let session = self.session_of(id, chain.session_id);
            let own = session.map_or(0, |session| self.sessions[session].sequence);
            let sent = header.channel_sequence();
            chain.sequence = Some(sent).filter(|&sent| sent != own);
        }
    }

    pub(super) fn response_message(
        &mut self,
        id: ConnectionId,
        time: u64,
        header: &Header,
        message: &[u8],
    ) {
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

    /// A negotiation may begin with SMB1 (MS-SMB2 3.3.5.3); everything else of it is another protocol.
    pub(super) fn smb1(&mut self, direction: Direction, frame: &[u8]) {
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
