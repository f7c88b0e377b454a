//! Negotiation and sessions: who the clients are, and the connections that their sessions are bound to.

use super::draft::{Draft, Progress};
use super::lanes::ClientIndex;
use super::ntlm::{self, LogIn};
use super::state::{Algorithms, Channel, Client, InFlight, Session, SessionIndex};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::ExpectStatus;
use smb_wire::messages::{NegotiateContext, NegotiateRequest, SessionSetupRequest};
use smb_wire::{
    Cipher, Dialect, Response, SecurityMode, SessionFlags, SessionSetupFlags, ntstatus,
};

/// What a client whose log-in failed is: the user, what is wrong with it, its dialect, whether it must sign.
pub(super) type Refused = (String, Option<&'static str>, Option<Dialect>, bool);

const LOGON_FAILURE: u32 = 0xC000_006D;
const WRONG_PASSWORD: u32 = 0xC000_006A;
const PASSWORD_EXPIRED: u32 = 0xC000_0071;
const ACCOUNT_DISABLED: u32 = 0xC000_0072;
const ACCOUNT_EXPIRED: u32 = 0xC000_0193;
const PASSWORD_MUST_CHANGE: u32 = 0xC000_0224;
const ACCOUNT_LOCKED_OUT: u32 = 0xC000_0234;

/// The state of an account that is not let in with its password, and what a login of such a one is answered with
/// (`given user`).
fn state(status: u32) -> Option<(&'static str, Vec<u32>)> {
    Some(match status {
        ACCOUNT_DISABLED => ("disabled", vec![status]),
        ACCOUNT_EXPIRED => ("expired", vec![status]),
        ACCOUNT_LOCKED_OUT => ("locked-out", vec![status]),
        // A password that has expired must be changed as one that was made so: servers say either.
        PASSWORD_EXPIRED | PASSWORD_MUST_CHANGE => {
            ("must-change", vec![PASSWORD_MUST_CHANGE, PASSWORD_EXPIRED])
        }
        _ => return None,
    })
}

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
            let mut algorithms = Algorithms::default();
            for context in &answer.negotiate_contexts {
                match context {
                    NegotiateContext::Encryption { ciphers } => {
                        algorithms.cipher = ciphers.first().copied();
                    }
                    NegotiateContext::Signing {
                        signing_algorithms: signing,
                    } => {
                        algorithms.signing = signing.first().copied();
                    }
                    _ => {}
                }
            }
            if matches!(
                answer.dialect_revision,
                Dialect::SMB_3_0 | Dialect::SMB_3_0_2
            ) {
                algorithms.cipher = Some(Cipher::AES_128_CCM);
            }
            connection.algorithms = algorithms;
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
        (session_id, status): (u64, u32),
        flight: &InFlight,
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
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let hash = connection.setup_hash.take();
        let user = connection.user.take();
        let key = connection.session_key.take();
        let anonymous = connection.anonymous;
        let known = connection.sessions.get(&session_id).copied();
        let binds = request.flags.contains(SessionSetupFlags::BINDING);
        if status != ntstatus::SUCCESS {
            return match (binds, known) {
                (true, _) => self.not_bound(id, session_id, status, flight, user),
                (false, None) => self.refused(id, status, flight, user),
                (false, Some(_)) => self.skip("session-setup", "the log-in failed"),
            };
        }
        if known.is_some() {
            return self.authenticated_again(id, session_id);
        }
        if binds && self.bound(id, session_id, flight) {
            return;
        }
        if let Some(key) = key {
            self.keys.learned(session_id, key);
        }
        let flags = match response {
            Response::SessionSetup(answer) => answer.session_flags,
            _ => SessionFlags::empty(),
        };
        let guest = flags.contains(SessionFlags::IS_GUEST);
        let session = Session {
            user,
            anonymous: !guest && (anonymous || flags.contains(SessionFlags::IS_NULL)),
            previous: request.previous_session_id,
            hash,
            ..Session::default()
        };
        self.begin(id, session_id, session);
        if guest {
            self.adapt("session-setup", "a guest became a user");
        }
        if binds {
            self.adapt(
                "session-setup",
                "a channel whose session is not in the capture became a session of its own",
            );
        } else if request.previous_session_id != 0 {
            // The other session ends with this one's log-in.
            let _ = self.client_of(id, session_id);
        }
    }

    /// A session on its first connection.
    fn begin(&mut self, id: ConnectionId, session_id: u64, session: Session) -> SessionIndex {
        let index = self.sessions.len();
        self.sessions.push(Session {
            id: session_id,
            channels: vec![Channel {
                connection: id,
                client: None,
                alive: true,
            }],
            ..session
        });
        self.by_session_id.insert(session_id, index);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.sessions.insert(session_id, index);
        }
        index
    }

    /// A session whose log-in the capture does not have.
    pub(super) fn begun_before(&mut self, id: ConnectionId, session_id: u64) -> SessionIndex {
        self.begin(id, session_id, Session::default())
    }

    /// The session of a request.
    pub(super) fn session_of(&self, id: ConnectionId, session_id: u64) -> Option<SessionIndex> {
        let connection = self.connections.get(&id)?;
        connection.sessions.get(&session_id).copied()
    }

    /// The client of a session on a connection, made with its first step.
    pub(super) fn client_of(
        &mut self,
        id: ConnectionId,
        session_id: u64,
    ) -> Result<ClientIndex, &'static str> {
        let connection = self.connections.get(&id).ok_or("no connection")?;
        let mid_stream = connection.mid_stream || connection.has_gaps;
        let (dialect, signing_required) = (connection.dialect, connection.signing_required);
        let index = match connection.sessions.get(&session_id) {
            Some(&session) => session,
            None if mid_stream => {
                self.adapt("session", "its log-in is not in the capture");
                self.begun_before(id, session_id)
            }
            None => return Err("its session is not known"),
        };
        let session = &mut self.sessions[index];
        if session.replaced {
            return Err("its session was logged off, and its client has another one");
        }
        if let Some(client) = session.channel(id).and_then(|channel| channel.client) {
            return Ok(client);
        }
        let previous = session.previous;
        let user = match (&session.user, session.anonymous) {
            (Some(user), _) => Some(user.clone()),
            (None, true) => None,
            (None, false) => Some(self.names.identity("", "")),
        };
        let returning = self.returning(id, index, user.as_deref());
        let client = returning.unwrap_or_else(|| {
            self.clients.push(Client {
                user,
                dialect,
                signing_required,
                ..Client::default()
            });
            self.lanes.client(None)
        });
        let session = &mut self.sessions[index];
        let disk = session.tree_connected;
        if let Some(channel) = session.channel(id) {
            channel.client = Some(client);
        }
        self.clients[client].disk |= disk;
        if returning.is_none() {
            self.replacing(client, previous);
        }
        Ok(client)
    }

    /// A connection has become a further channel of a session (MS-SMB2 3.3.5.5); false if that one is not known.
    fn bound(&mut self, id: ConnectionId, session_id: u64, flight: &InFlight) -> bool {
        let Some(&index) = self.by_session_id.get(&session_id) else {
            return false;
        };
        let first = self.sessions[index].channels[0].connection;
        let Ok(owner) = self.client_of(first, session_id) else {
            return false;
        };
        // One that was lost is bound again.
        let channels = &mut self.sessions[index].channels;
        let lost = channels
            .iter()
            .position(|channel| !channel.alive && channel.client.is_some());
        let back = lost.and_then(|lost| channels[lost].client.take());
        let client = match back {
            Some(client) => client,
            None => self.channel_client(id, owner, None),
        };
        // The owner stays the first, whatever connection it has now.
        let channel = Channel {
            connection: id,
            client: Some(client),
            alive: true,
        };
        let channels = &mut self.sessions[index].channels;
        match lost {
            Some(lost) => channels[lost] = channel,
            None => channels.push(channel),
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.sessions.insert(session_id, index);
        }
        let lane = self.lanes.free(client, None, &self.drafts);
        let step = self.add(Draft::new(lane, "connect"), Some(flight.sent), &[], false);
        self.drafts[step].progress = Progress::Done;
        true
    }

    /// A client that is a further channel of another one's session.
    fn channel_client(
        &mut self,
        id: ConnectionId,
        owner: ClientIndex,
        user: Option<String>,
    ) -> ClientIndex {
        let connection = self.connections.get(&id);
        let dialect = connection.and_then(|connection| connection.dialect);
        let signing_required = connection.is_some_and(|connection| connection.signing_required);
        self.clients.push(Client {
            user: user.filter(|user| self.clients[owner].user.as_ref() != Some(user)),
            dialect,
            signing_required,
            channel_of: Some(owner),
            ..Client::default()
        });
        self.lanes.client(Some(owner))
    }

    /// The server has refused to bind a channel.
    fn not_bound(
        &mut self,
        id: ConnectionId,
        session_id: u64,
        status: u32,
        flight: &InFlight,
        user: Option<String>,
    ) {
        // The answer may name no session.
        let named = [session_id, flight.session_id];
        let found = named.iter().find_map(|id| self.by_session_id.get(id));
        let Some(&index) = found else {
            return self.skip("session-setup", "a channel of a session that is not known");
        };
        let first = self.sessions[index].channels[0].connection;
        let Ok(owner) = self.client_of(first, self.sessions[index].id) else {
            return self.skip("session-setup", "a channel of a session that is not known");
        };
        let client = self.channel_client(id, owner, user);
        let own_algorithms = |id: &ConnectionId| {
            let connection = self.connections.get(id)?;
            Some(connection.algorithms)
        };
        let (mine, theirs) = (own_algorithms(&id), own_algorithms(&first));
        if mine != theirs && self.clients[client].dialect == self.clients[owner].dialect {
            self.clients[client].algorithms = mine;
            self.clients[owner].algorithms = theirs;
        }
        let other = &mut self.clients[client];
        other.wrong_password = matches!(status, LOGON_FAILURE | WRONG_PASSWORD);
        if other.wrong_password && other.user.is_none() {
            let user = self.clients[owner].user.clone();
            self.clients[client].user = user;
        }
        self.not_connected(client, flight, vec![status]);
    }

    /// The server has let nobody in.
    fn refused(&mut self, id: ConnectionId, status: u32, flight: &InFlight, user: Option<String>) {
        let wrong_password = matches!(status, LOGON_FAILURE | WRONG_PASSWORD);
        let state = state(status);
        let (Some(user), true) = (user, wrong_password || state.is_some()) else {
            return self.skip("session-setup", "the log-in failed");
        };
        let connection = self.connections.get(&id);
        let dialect = connection.and_then(|connection| connection.dialect);
        let signing_required = connection.is_some_and(|connection| connection.signing_required);
        let (word, statuses) = match state {
            Some((word, statuses)) => (Some(word), statuses),
            None => (None, vec![status]),
        };
        let what = (user.clone(), word, dialect, signing_required);
        // Who tries again and again is one client.
        let client = match self.refused.get(&what) {
            Some(&client) => client,
            None => {
                self.clients.push(Client {
                    user: Some(user.clone()),
                    dialect,
                    signing_required,
                    wrong_password,
                    ..Client::default()
                });
                let client = self.lanes.client(None);
                self.refused.insert(what, client);
                client
            }
        };
        let step = self.not_connected(client, flight, statuses);
        if let Some(word) = word {
            self.states.push((user, word, step));
        }
    }

    /// The step of a client that could not log in.
    fn not_connected(
        &mut self,
        client: ClientIndex,
        flight: &InFlight,
        statuses: Vec<u32>,
    ) -> usize {
        let lane = self.lanes.free(client, None, &self.drafts);
        let step = self.add(Draft::new(lane, "connect"), Some(flight.sent), &[], false);
        let draft = &mut self.drafts[step];
        draft.progress = Progress::Done;
        draft.status = ExpectStatus::OneOf(statuses);
        draft.expect("stage", "session-setup");
        step
    }

    /// A log-in of a session that is there already. One that has done nothing so far needs no step.
    fn authenticated_again(&mut self, id: ConnectionId, session_id: u64) {
        let session = self.session_of(id, session_id);
        let channel = session.and_then(|session| self.sessions[session].channel(id));
        let Some(client) = channel.and_then(|channel| channel.client) else {
            return self.skip("session-setup", "a session was authenticated again");
        };
        let lane = self.lanes.free(client, None, &self.drafts);
        let step = self.add(Draft::new(lane, "reauthenticate"), None, &[], false);
        self.drafts[step].progress = Progress::Done;
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
