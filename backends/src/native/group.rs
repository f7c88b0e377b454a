//! The channels of a session (MS-SMB2 3.2.1.3, Session.ChannelList): connections with one ClientGuid that share the
//! session's keys, its trees, and what is open in it, with oplocks. A connection without others is a group of its own.
//!
//! A lock of the group is taken after that of a connection's [`State`](super::connection::State), never before it, and
//! never are two connections locked together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smb_vocabulary::has_channels;

use super::connection::Shared;
use super::peers::Peers;
use super::registry::Registry;
use super::secure::Security;
use super::sessions::{Session, Tree};
use replay_engine::ClientContext;

/// What all channels of a session have in common.
pub(super) struct Group {
    /// The connections of its ClientGuid, these among them.
    pub(super) peers: Arc<Peers>,
    /// Tells it from the other groups of that ClientGuid.
    pub(super) number: u16,
    /// The trace has further channels, so SMB2_GLOBAL_CAP_MULTI_CHANNEL is offered.
    pub(super) multichannel: bool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// How many channels are established.
    up: usize,
    bond: Option<Bond>,
    /// Session.ChannelSequence.
    sequence: u16,
}

/// What a channel needs to be bound to the session.
pub(super) struct Bond {
    /// SessionId.
    pub(super) id: u64,
    /// From the login to LOGOFF, as far as the client knows.
    alive: bool,
    /// Session.SigningRequired.
    pub(super) sign: bool,
    /// Session.EncryptData.
    pub(super) encrypt: bool,
    /// The session's keys.
    pub(super) security: Security,
    /// The tree that requests go to by default.
    tree: Tree,
    named: Vec<(String, Tree)>,
}

impl Bond {
    /// Makes a channel's view of the session: it is logged in there, and finds the session's trees.
    pub(super) fn apply(&self, session: &mut Session) {
        session.logged_in = true;
        session.sign = self.sign;
        session.encrypt = self.encrypt;
        session.security.bound();
        session.connected(None, self.tree);
        for (name, tree) in &self.named {
            session.connected(Some(name.clone()), *tree);
        }
    }
}

impl Group {
    /// The group of a client with a connection of its own.
    pub(super) fn new(context: &ClientContext, registry: &Registry) -> Self {
        let peers = registry.peers(&context.trace, context.client);
        Self {
            number: peers.add_group(),
            peers,
            multichannel: has_channels(&context.trace, context.client),
            known: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The other channels, established or not, that of the owner first.
    pub(super) fn others(&self, than: &Shared) -> Vec<Arc<Shared>> {
        let mut others = self.peers.others(than);
        others.retain(|other| std::ptr::eq(&raw const *other.group, self));
        others
    }

    /// A connection is established.
    pub(super) fn up(&self) {
        self.lock().up += 1;
    }

    /// An established connection has ended; true when it was the last.
    pub(super) fn down(&self) -> bool {
        let mut known = self.lock();
        known.up = known.up.saturating_sub(1);
        if known.up > 0 {
            // MS-SMB2 3.2.7.1: requests tell the server from now on that they come after the loss of a channel.
            known.sequence = known.sequence.wrapping_add(1);
        }
        known.up == 0
    }

    /// Session.ChannelSequence.
    pub(super) fn sequence(&self) -> u16 {
        match self.multichannel {
            true => self.lock().sequence,
            false => 0,
        }
    }

    /// True while the session lives on an established connection.
    pub(super) fn is_alive(&self) -> bool {
        let known = self.lock();
        known.up > 0 && known.bond.as_ref().is_some_and(|bond| bond.alive)
    }

    /// The owner has logged in.
    pub(super) fn logged_in(&self, session: &Session) {
        if !self.multichannel {
            return;
        }
        let bond = Bond {
            id: session.id,
            alive: true,
            sign: session.sign,
            encrypt: session.encrypt,
            security: session.security.shared(),
            tree: session.tree,
            named: Vec::new(),
        };
        let mut known = self.lock();
        known.bond = Some(bond);
        known.sequence = 0;
    }

    /// The session has been logged off.
    pub(super) fn logged_off(&self) {
        if let Some(bond) = &mut self.lock().bond {
            bond.alive = false;
        }
    }

    /// A share has been connected in the session.
    pub(super) fn connected(&self, name: Option<&str>, tree: Tree) {
        if let Some(bond) = &mut self.lock().bond {
            match name {
                None => bond.tree = tree,
                Some(name) => {
                    bond.named.retain(|(other, _)| other != name);
                    bond.named.push((name.to_owned(), tree));
                }
            }
        }
    }

    /// The tree of this name, whichever channel it was connected on.
    pub(super) fn named(&self, name: &str) -> Option<Tree> {
        let known = self.lock();
        let named = &known.bond.as_ref()?.named;
        let found = named.iter().find(|(known, _)| known == name);
        found.map(|(_, tree)| *tree)
    }

    /// What binds a channel; `None` before the first login.
    pub(super) fn bond(&self) -> Option<Bond> {
        let known = self.lock();
        let bond = known.bond.as_ref()?;
        Some(Bond {
            security: bond.security.shared(),
            named: bond.named.clone(),
            ..*bond
        })
    }
}
