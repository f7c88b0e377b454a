//! Channels: connections that are bound to a session which there is (MS-SMB2 3.2.4.2.3, 3.3.5.5).

use super::draft::{Draft, Progress};
use super::lanes::ClientIndex;
use super::refused::is_wrong_password;
use super::state::{Channel, Client, InFlight};
use super::world::World;
use crate::capture::ConnectionId;

impl World {
    /// A connection has become a further channel of a session (MS-SMB2 3.3.5.5); false if that one is not known.
    pub(super) fn bound(&mut self, id: ConnectionId, session_id: u64, flight: &InFlight) -> bool {
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
        self.add_client(Client {
            user: user.filter(|user| self.clients[owner].user.as_ref() != Some(user)),
            dialect,
            signing_required,
            channel_of: Some(owner),
            ..Client::default()
        })
    }

    /// The server has refused to bind a channel, as whom, and whether the request says that it is to be bound.
    pub(super) fn not_bound(
        &mut self,
        id: ConnectionId,
        session_id: u64,
        status: u32,
        flight: &InFlight,
        (user, says_so): (Option<String>, bool),
    ) {
        // The answer may name no session.
        let named = [session_id, flight.session_id];
        let found = named.iter().find_map(|id| self.by_session_id.get(id));
        let Some(&index) = found else {
            return self.skip("session-setup", "a channel of a session that is not known");
        };
        let session = &self.sessions[index];
        if session.ended && session.owner().is_none() {
            return self.skip("session-setup", "a channel of a session that did nothing");
        }
        let first = session.channels[0].connection;
        let Ok(owner) = self.client_of(first, session.id) else {
            return self.skip("session-setup", "a channel of a session that is not known");
        };
        let client = self.channel_client(id, owner, user);
        let own_algorithms = |id: &ConnectionId| {
            let connection = self.connections.get(id)?;
            Some(connection.algorithms)
        };
        let (mine, theirs) = (own_algorithms(&id), own_algorithms(&first));
        if mine != theirs {
            self.clients[client].algorithms = mine;
            self.clients[owner].algorithms = theirs;
        }
        let other = &mut self.clients[client];
        other.no_binding = !says_so;
        other.wrong_password = is_wrong_password(status);
        if other.wrong_password && other.user.is_none() {
            let user = self.clients[owner].user.clone();
            self.clients[client].user = user;
        }
        self.not_connected(client, flight, vec![status]);
    }
}
