//! The connections of one ClientGuid. To a server they are one client, which has one table of leases (MS-SMB2 3.3.1.11): an
//! open on any of them can be under a lease of another one's, and the lease's break comes on whichever the server chooses
//! (3.3.4.7). Their sessions are apart: each has a [`Group`](super::group::Group) of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use smb_wire::Guid;

use super::connection::Shared;
use super::opens::SharedOpens;
use super::random;

/// What all connections of one ClientGuid have in common.
#[derive(Debug)]
pub(super) struct Peers {
    /// ClientGuid of each.
    pub(super) client_guid: Guid,
    /// What is open on them.
    pub(super) opens: SharedOpens,
    /// The trace has more than one, as channels or as clients.
    several: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    connections: Vec<Weak<Shared>>,
    groups: u16,
}

impl Peers {
    /// Those of a new ClientGuid.
    pub(super) fn new(several: bool) -> Self {
        Self {
            client_guid: Guid(random()),
            opens: SharedOpens::default(),
            several,
            known: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A further connection.
    pub(super) fn add(&self, connection: &Arc<Shared>) {
        self.lock().connections.push(Arc::downgrade(connection));
    }

    /// A number for a further group, which no other one of them has.
    pub(super) fn add_group(&self) -> u16 {
        let mut known = self.lock();
        known.groups = known.groups.wrapping_add(1);
        known.groups
    }

    /// The other connections, established or not, in the order of the trace's clients.
    pub(super) fn others(&self, than: &Shared) -> Vec<Arc<Shared>> {
        if !self.several {
            return Vec::new();
        }
        let connections = self.lock().connections.clone();
        let others = connections.iter().filter_map(Weak::upgrade);
        others
            .filter(|other| !std::ptr::eq(&raw const **other, than))
            .collect()
    }
}
