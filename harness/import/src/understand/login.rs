//! Negotiation and sessions: who the clients are, and the connections that their sessions are bound to.

use super::draft::{Draft, Progress};
use super::lanes::ClientIndex;
use super::ntlm::{self, LogIn};
use super::refused::is_wrong_password;
use super::stale::NO_LOGIN;
use super::state::{Algorithms, Channel, Client, InFlight, Session, SessionIndex};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::ExpectStatus;
use smb_wire::crypto::ntlm::{Authenticate, server_challenge};
use smb_wire::messages::{NegotiateContext, NegotiateRequest, SessionSetupRequest};
use smb_wire::{
    Capabilities, Cipher, Dialect, Response, SecurityMode, SessionFlags, SessionSetupFlags,
    ntstatus,
};

impl World {
    pub(super) fn negotiate(&mut self, id: ConnectionId, request: &NegotiateRequest) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.client_guid = request.client_guid;
            connection.multichannel = request.capabilities.contains(Capabilities::MULTI_CHANNEL);
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
                connection.challenge = server_challenge(&answer.buffer).or(connection.challenge);
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
                (true, Some(_)) => {
                    self.skip(
                        "session-setup",
                        "a session was bound twice to one connection",
                    );
                }
                (true, None) => self.not_bound(id, session_id, status, flight, (user, true)),
                (false, None) if self.by_session_id.contains_key(&flight.session_id) => {
                    self.not_bound(id, session_id, status, flight, (user, false));
                }
                (false, None) => self.refused(id, status, flight, user),
                (false, Some(_)) => self.authenticated_again(id, session_id, status),
            };
        }
        if known.is_some() {
            return self.authenticated_again(id, session_id, status);
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
            losses: self.losses.count(),
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
        let (client_guid, multichannel) = (connection.client_guid, connection.multichannel);
        let index = match connection.sessions.get(&session_id) {
            Some(&session) => session,
            None if mid_stream => {
                self.adapt("session", "its log-in is not in the capture");
                self.begun_before(id, session_id)
            }
            None => return Err(NO_LOGIN),
        };
        let session = &mut self.sessions[index];
        if session.replaced {
            // Its client has another one now, so that the trace has no name for it.
            return Err(NO_LOGIN);
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
            self.add_client(Client {
                user,
                dialect,
                signing_required,
                client_guid,
                multichannel,
                ..Client::default()
            })
        });
        let session = &mut self.sessions[index];
        let (disk, losses) = (session.tree_connected, session.losses);
        if let Some(channel) = session.channel(id) {
            channel.client = Some(client);
        }
        self.clients[client].disk |= disk;
        let replacing = returning.is_none() && self.replacing(client, previous, losses);
        if returning.is_none() && !replacing && losses > 0 {
            // Left out unless what was lost matters to the client.
            let lane = self.lanes.free(client, None, &self.drafts);
            let step = self.add(Draft::new(lane, "connect"), None, &[], false);
            self.drafts[step].progress = Progress::Done;
            self.drafts[step].dropped = true;
            self.losses.connected(client, step, losses);
        }
        Ok(client)
    }

    /// A log-in of a session that is there already. One that has done nothing so far needs no step.
    fn authenticated_again(&mut self, id: ConnectionId, session_id: u64, status: u32) {
        let wrong_password = is_wrong_password(status);
        if status != ntstatus::SUCCESS && !wrong_password {
            return self.skip(
                "session-setup",
                "a session could not be authenticated again",
            );
        }
        let session = self.session_of(id, session_id);
        let channel = session.and_then(|session| self.sessions[session].channel(id));
        let Some(client) = channel.and_then(|channel| channel.client) else {
            return self.skip("session-setup", "a session was authenticated again");
        };
        let lane = self.lanes.free(client, None, &self.drafts);
        let draft = Draft::new(lane, "reauthenticate").flag("wrong-password", wrong_password);
        let step = self.add(draft, None, &[], false);
        self.drafts[step].progress = Progress::Done;
        self.drafts[step].status = ExpectStatus::OneOf(vec![status]);
    }
}

/// Domain and user of an NTLM AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3), inside of SPNEGO or not.
pub(super) fn ntlm_account(token: &[u8]) -> Option<(String, String)> {
    let message = Authenticate::find(token)?;
    Some((message.domain, message.user))
}
