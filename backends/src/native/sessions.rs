//! Sessions and their trees on a connection, and the clients that have one of their own there.

use replay_engine::ClientContext;
use replay_ir::Role;
use smb_vocabulary::ClientSettings;
use smb_wire::messages::TreeConnectResponse;
use smb_wire::{Request, ShareFlags};

use super::connection::State;
use super::group::Group;
use super::item::Item;
use super::pending::Pending;
use super::secure::Security;

pub(super) use super::authentication::Basis;

/// A session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// SessionId; it stays when the session is gone, so that requests can go on to name it.
    pub(super) id: u64,
    /// From the login to LOGOFF.
    pub(super) logged_in: bool,
    /// Session.SigningRequired: every request is signed.
    pub(super) sign: bool,
    /// Session.EncryptData: every request is encrypted.
    pub(super) encrypt: bool,
    /// Its keys.
    pub(super) security: Security,
    /// The tree that requests go to by default.
    pub(super) tree: Tree,
    /// The trees that have a name.
    named: Vec<(String, Tree)>,
}

/// A tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// TreeId.
    pub(super) id: u32,
    /// TreeConnect.EncryptData: every request on it is encrypted.
    pub(super) encrypt: bool,
}

impl Tree {
    /// The tree that a TREE_CONNECT has given.
    pub(super) fn new(id: u32, response: &TreeConnectResponse) -> Self {
        Self {
            id,
            encrypt: response.share_flags.contains(ShareFlags::ENCRYPT_DATA),
        }
    }
}

impl Session {
    /// A share has been connected, as the default tree or under a name.
    pub(super) fn connected(&mut self, name: Option<String>, tree: Tree) {
        match name {
            None => self.tree = tree,
            Some(name) => {
                self.named.retain(|(other, _)| *other != name);
                self.named.push((name, tree));
            }
        }
    }

    /// The tree of this name.
    pub(super) fn named(&self, name: &str) -> Option<Tree> {
        let found = self.named.iter().find(|(known, _)| known == name);
        found.map(|(_, tree)| *tree)
    }

    /// All trees.
    pub(super) fn trees(&self) -> impl Iterator<Item = Tree> {
        let default = Some(self.tree).filter(|tree| tree.id != 0);
        default
            .into_iter()
            .chain(self.named.iter().map(|(_, tree)| *tree))
    }
}

/// Where a handle is open, or a request goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Home {
    /// Whose connection it is: the number of its [`Group`](super::group::Group).
    pub(super) group: u16,
    /// The session, as an index into the connection's.
    pub(super) session: u16,
    /// The tree; `None` is the session's default.
    pub(super) tree: Option<Tree>,
}

impl Home {
    /// A request of the connection's own that goes there.
    pub(super) fn item(self, body: Request) -> Item {
        Item {
            session: self.session,
            tree: self.tree,
            ..Item::own(body)
        }
    }
}

impl Pending {
    /// Where the request went, on a connection of this group.
    pub(super) fn home(&self, group: &Group) -> Home {
        Home {
            group: group.number,
            session: self.session,
            tree: self.tree,
        }
    }
}

/// A lane with a session of its own on another client's connection.
pub(super) struct OwnSession {
    /// The lane.
    pub(super) lane: u16,
    /// The session, as an index into the connection's.
    pub(super) slot: u16,
    /// What its client was given.
    pub(super) context: ClientContext,
    /// It logs in with a step of its own, not together with the connection.
    pub(super) explicit: bool,
    /// Why it could not log in together with the connection.
    pub(super) refused: Option<String>,
}

impl OwnSession {
    /// What is special about a lane, if anything is. The error says what is wrong with its line.
    pub(super) fn new(
        lane: u16,
        slot: usize,
        context: ClientContext,
    ) -> Result<Option<Self>, String> {
        let trace = context.trace.clone();
        let settings = ClientSettings::of(&trace, trace.client(context.client));
        let settings = settings.map_err(|error| error.to_string())?;
        if settings.user.is_none() && !settings.anonymous {
            return Ok(None);
        }
        let slot = u16::try_from(slot).map_err(|_| "too many sessions".to_owned())?;
        let first = trace.steps().find(|step| step.client() == context.client);
        Ok(Some(Self {
            lane,
            slot,
            explicit: first.is_some_and(|step| step.role() == Role::Connect),
            refused: None,
            context,
        }))
    }
}

impl State {
    /// The session of a client, as an index into the connection's.
    pub(super) fn slot(&self, lane: u16) -> u16 {
        let own = self.own.iter().find(|own| own.lane == lane);
        own.map_or(0, |own| own.slot)
    }

    /// What a client with a session of its own on the connection was given.
    pub(super) fn own_context(&self, lane: u16) -> Option<&ClientContext> {
        let own = self.own.iter().find(|own| own.lane == lane)?;
        Some(&own.context)
    }

    /// Why a client can send nothing, if its own login has failed.
    pub(super) fn shut_out(&self, lane: u16) -> Option<String> {
        let own = self.own.iter().find(|own| own.lane == lane)?;
        let reason = own.refused.as_ref()?;
        Some(format!("its own session is not there: {reason}"))
    }

    /// A session of the established connection.
    pub(super) fn session(&mut self, slot: u16) -> Option<&mut Session> {
        self.transport()?.sessions.get_mut(usize::from(slot))
    }

    /// The sessions that are there.
    pub(super) fn sessions(&mut self) -> impl Iterator<Item = (u16, &Session)> {
        let sessions = self.transport().map(|transport| &transport.sessions);
        let sessions = sessions.into_iter().flatten().enumerate();
        sessions
            .filter(|(_, session)| session.logged_in)
            .map(|(slot, session)| (slot as u16, session))
    }
}
