//! Negotiation, sessions and trees: who the clients are.

use super::draft::{Draft, Progress};
use super::lanes::ClientIndex;
use super::ntlm::{self, LogIn};
use super::state::{Client, InFlight, Tree};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::ExpectStatus;
use smb_wire::messages::{
    NegotiateContext, NegotiateRequest, SessionSetupRequest, TreeConnectRequest,
};
use smb_wire::{
    Cipher, Dialect, Response, SecurityMode, SessionFlags, SessionSetupFlags, ShareType, ntstatus,
};

impl World {
    pub(super) fn negotiate(&mut self, id: ConnectionId, request: &NegotiateRequest) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.client_guid = request.client_guid;
            connection.signing_required = request
                .security_mode
                .contains(SecurityMode::SIGNING_REQUIRED);
        }
    }

    pub(super) fn negotiated(&mut self, id: ConnectionId, response: &Response) {
        if let (Response::Negotiate(answer), Some(connection)) =
            (response, self.connections.get_mut(&id))
            && answer.dialect_revision != Dialect::WILDCARD
        {
            connection.dialect = Some(answer.dialect_revision);
            connection.cipher = match answer.dialect_revision {
                Dialect::SMB_3_0 | Dialect::SMB_3_0_2 => Some(Cipher::AES_128_CCM),
                _ => answer
                    .negotiate_contexts
                    .iter()
                    .find_map(|context| match context {
                        NegotiateContext::Encryption { ciphers } => ciphers.first().copied(),
                        _ => None,
                    }),
            };
        }
    }

    pub(super) fn session_setup(&mut self, id: ConnectionId, request: &SessionSetupRequest) {
        let account = ntlm_account(&request.buffer);
        let challenge = self
            .connections
            .get(&id)
            .and_then(|connection| connection.challenge);
        match ntlm::log_in(&request.buffer, challenge, &self.passwords) {
            LogIn::Unknown => {}
            LogIn::OtherPassword => self.adapt(
                "session-setup",
                "its password is not the one that was given",
            ),
            LogIn::Key(key) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.session_key = Some(key);
                }
            }
        }
        let name = account
            .as_ref()
            .filter(|(_, user)| !user.is_empty())
            .map(|(domain, user)| self.names.identity(domain, user));
        if let (Some(_), Some(connection)) = (account, self.connections.get_mut(&id)) {
            connection.anonymous = name.is_none();
            connection.user = name;
        }
    }

    pub(super) fn session_set_up(
        &mut self,
        id: ConnectionId,
        session_id: u64,
        status: u32,
        request: &SessionSetupRequest,
        response: &Response,
    ) {
        if status == ntstatus::MORE_PROCESSING_REQUIRED {
            if let (Response::SessionSetup(answer), Some(connection)) =
                (response, self.connections.get_mut(&id))
            {
                connection.challenge = ntlm::challenge(&answer.buffer).or(connection.challenge);
            }
            return;
        }
        if status != ntstatus::SUCCESS {
            return self.skip("session-setup", "the log-in failed");
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let user = connection.user.take();
        if let Some(key) = connection.session_key.take()
            && !connection.sessions.contains_key(&session_id)
        {
            self.keys.learned(session_id, key);
        }
        let flags = match response {
            Response::SessionSetup(answer) => answer.session_flags,
            _ => SessionFlags::empty(),
        };
        let guest = flags.contains(SessionFlags::IS_GUEST);
        let anonymous = !guest && (connection.anonymous || flags.contains(SessionFlags::IS_NULL));
        let known = connection.sessions.contains_key(&session_id);
        let session = connection.sessions.entry(session_id).or_default();
        if !known {
            session.user = user;
            session.anonymous = anonymous;
            session.previous = request.previous_session_id;
        }
        if guest {
            self.adapt("session-setup", "a guest became a user");
        }
        if known {
            self.authenticated_again(id, session_id);
        } else if request.flags.contains(SessionSetupFlags::BINDING) {
            self.adapt(
                "session-setup",
                "a channel of a session became a session of its own",
            );
        } else if request.previous_session_id != 0 {
            // The other session ends with this one's log-in.
            let _ = self.client_of(id, session_id);
        }
    }

    /// The client of a session, made with its first step.
    pub(super) fn client_of(
        &mut self,
        id: ConnectionId,
        session_id: u64,
    ) -> Result<ClientIndex, &'static str> {
        let connection = self.connections.get_mut(&id).ok_or("no connection")?;
        let mid_stream = connection.mid_stream || connection.has_gaps;
        let (dialect, signing_required) = (connection.dialect, connection.signing_required);
        let session = match connection.sessions.get_mut(&session_id) {
            Some(session) => session,
            None if mid_stream => {
                self.adapt("session", "its log-in is not in the capture");
                let connection = self.connections.get_mut(&id).ok_or("no connection")?;
                connection.sessions.entry(session_id).or_default()
            }
            None => return Err("its session is not known"),
        };
        if let Some(client) = session.client {
            return Ok(client);
        }
        let previous = session.previous;
        let user = match (&session.user, session.anonymous) {
            (Some(user), _) => Some(user.clone()),
            (None, true) => None,
            (None, false) => Some(self.names.identity("", "")),
        };
        let returning = self.returning(id, session_id, user.as_deref());
        let client = returning.unwrap_or_else(|| {
            self.clients.push(Client {
                user,
                dialect,
                signing_required,
            });
            self.lanes.client()
        });
        let connection = self.connections.get_mut(&id).ok_or("no connection")?;
        if let Some(session) = connection.sessions.get_mut(&session_id) {
            session.client = Some(client);
        }
        self.sessions.insert(session_id, client);
        if returning.is_none() {
            self.replacing(client, previous);
        }
        Ok(client)
    }

    /// A log-in of a session that is there already. One that has done nothing so far needs no step.
    fn authenticated_again(&mut self, id: ConnectionId, session_id: u64) {
        let session = self
            .connections
            .get(&id)
            .and_then(|connection| connection.sessions.get(&session_id));
        let Some(client) = session.and_then(|session| session.client) else {
            return self.skip("session-setup", "a session was authenticated again");
        };
        let lane = self.lanes.free(client, None, &self.drafts);
        let step = self.add(Draft::new(lane, "reauthenticate"), None, &[], false);
        self.drafts[step].progress = Progress::Done;
    }

    pub(super) fn tree_connected(
        &mut self,
        id: ConnectionId,
        header: (u64, u32, u32),
        request: &TreeConnectRequest,
        response: &Response,
    ) {
        let (session_id, tree_id, status) = header;
        let path = request.path.to_string_lossy();
        let share = path.rsplit('\\').next().unwrap_or("").to_lowercase();
        let disk = match response {
            Response::TreeConnect(answer) => answer.share_type == ShareType::DISK,
            _ => share != "ipc$",
        };
        let first = self
            .connections
            .get(&id)
            .and_then(|connection| connection.sessions.get(&session_id))
            .is_some_and(|session| !session.tree_connected);
        if status != ntstatus::SUCCESS {
            return self.skip("tree-connect", "a share that could not be connected");
        }
        if disk && !self.shares.contains(&share) {
            self.shares.push(share.clone());
        }
        let number = self.shares.iter().position(|known| *known == share);
        let prefix = match number {
            Some(0) | None => String::new(),
            Some(number) => format!("share{}", number + 1),
        };
        if !prefix.is_empty() {
            self.adapt("tree-connect", "a further share became a directory");
            self.initial
                .observe(&prefix, super::initial::Seen::DIRECTORY);
        } else if disk && !first {
            self.adapt(
                "tree-connect",
                "a further tree of a session became the same one",
            );
        }
        if let Some(connection) = self.connections.get_mut(&id)
            && let Some(session) = connection.sessions.get_mut(&session_id)
        {
            session.tree_connected |= disk;
            session.trees.insert(tree_id, Tree { prefix, disk });
        }
    }

    /// The file share that a request works on.
    pub(super) fn tree(
        &mut self,
        id: ConnectionId,
        session_id: u64,
        tree_id: u32,
    ) -> Result<Tree, &'static str> {
        let connection = self.connections.get(&id).ok_or("no connection")?;
        let session = connection.sessions.get(&session_id);
        match session.and_then(|session| session.trees.get(&tree_id)) {
            Some(tree) if tree.disk => Ok(tree.clone()),
            Some(_) => Err("it works on a share of pipes or printers"),
            None if connection.mid_stream || connection.has_gaps => Ok(Tree {
                prefix: String::new(),
                disk: true,
            }),
            None => Err("its tree is not connected"),
        }
    }

    /// LOGOFF and TREE_DISCONNECT, of a session that has done something.
    pub(super) fn leave(
        &mut self,
        id: ConnectionId,
        time: u64,
        verb: &'static str,
        flight: &mut InFlight,
    ) {
        let connection = self.connections.get(&id);
        let session = connection.and_then(|connection| connection.sessions.get(&flight.session_id));
        let Some(session) = session else { return };
        // One of several trees is only forgotten: the trace has them as one.
        let disks = session.trees.values().filter(|tree| tree.disk).count();
        let is_disk = session
            .trees
            .get(&flight.tree_id)
            .is_some_and(|tree| tree.disk);
        if verb == "tree-disconnect" && (!is_disk || disks > 1) {
            return;
        }
        let Some(client) = session.client else { return };
        let lane = self.lanes.free(client, None, &self.drafts);
        let mut touches = Vec::new();
        for open in self
            .opens
            .iter()
            .filter(|open| open.client == client && open.alive)
        {
            touches.push((
                super::lanes::Key::path(&open.path),
                super::lanes::Touch::Change,
            ));
        }
        flight.step = Some(self.add(Draft::new(lane, verb), Some(time), &touches, false));
    }

    /// The answer to one.
    pub(super) fn left(&mut self, id: ConnectionId, status: u32, flight: &InFlight) {
        if status == ntstatus::SUCCESS
            && let Some(connection) = self.connections.get_mut(&id)
            && let Some(session) = connection.sessions.get_mut(&flight.session_id)
            && flight.kind == "tree-disconnect"
        {
            session.trees.remove(&flight.tree_id);
        }
        if let Some(step) = flight.step {
            self.drafts[step].progress = Progress::Done;
            self.drafts[step].status = ExpectStatus::OneOf(vec![status]);
            if status == ntstatus::SUCCESS {
                let client = self.lanes.client_of(self.drafts[step].lane);
                let opens = self.opens.iter_mut();
                for open in opens.filter(|open| open.client == client) {
                    open.alive = false;
                }
            }
        }
    }
}

/// Domain and user of an NTLM AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3), inside of SPNEGO or not.
pub(super) fn ntlm_account(token: &[u8]) -> Option<(String, String)> {
    let start = memchr::memmem::find(token, b"NTLMSSP\0\x03\0\0\0")?;
    let message = &token[start..];
    let field = |at: usize| {
        let bytes = ntlm::field(message, at)?;
        Some(smb_wire::UnicodeString::from_bytes(bytes).to_string_lossy())
    };
    Some((field(28)?, field(36)?))
}
