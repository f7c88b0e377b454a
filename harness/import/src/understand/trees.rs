//! Trees: the shares that a session is connected to, and by which name steps work on them.

use super::draft::{Draft, Progress};
use super::lanes::ClientIndex;
use super::state::{InFlight, Tree};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::{ExpectStatus, OwnedValue};
use smb_wire::messages::TreeConnectRequest;
use smb_wire::{Response, ShareType, ntstatus};

/// The share of pipes (MS-SMB2 3.3.5.7).
pub(super) const PIPES: &str = "IPC$";

const BAD_NETWORK_NAME: u32 = 0xC000_00CC;
const USER_SESSION_DELETED: u32 = 0xC000_0203;
const NETWORK_SESSION_EXPIRED: u32 = 0xC000_035C;

/// A share that no server has.
const NO_SHARE: &str = "no-such-share";

/// A share whose permissions let nobody in (`share-permissions`).
pub(super) const CLOSED_SHARE: &str = "share-none";

impl World {
    /// The answer to a TREE_CONNECT.
    pub(super) fn tree_connected(
        &mut self,
        id: ConnectionId,
        (tree_id, status): (u32, u32),
        flight: &InFlight,
        request: &TreeConnectRequest,
        response: &Response,
    ) {
        if status != ntstatus::SUCCESS {
            return self.tree_refused(id, status, flight);
        }
        let path = request.path.to_string_lossy();
        let share = path.rsplit('\\').next().unwrap_or("").to_lowercase();
        let disk = match response {
            Response::TreeConnect(answer) => answer.share_type == ShareType::DISK,
            _ => !share.eq_ignore_ascii_case(PIPES),
        };
        let mut tree = Tree {
            disk,
            connected: true,
            ..Tree::default()
        };
        let Some(session) = self.session_of(id, flight.session_id) else {
            return self.skip("tree-connect", "its session is not known");
        };
        if disk {
            if !self.shares.contains(&share) {
                self.shares.push(share.clone());
            }
            let number = self.shares.iter().position(|known| *known == share);
            if let Some(number @ 1..) = number {
                tree.prefix = format!("share{}", number + 1);
                self.adapt("tree-connect", "a further share became a directory");
                let seen = super::initial::Seen::DIRECTORY;
                self.initial.observe(&tree.prefix, seen);
            }
            tree.has_step = self.sessions[session].tree_connected;
        }
        if !disk && !share.eq_ignore_ascii_case(PIPES) {
            // What is on a share of printers cannot be said.
            let trees = &mut self.sessions[session].trees;
            trees.insert(tree_id, tree);
            return;
        }
        let session = &mut self.sessions[session];
        let of_default = session
            .default_tree
            .and_then(|tree| session.trees.get(&tree));
        // Channels know of a tree by its name alone.
        let default_is_free =
            session.channels.len() == 1 && of_default.is_some_and(|tree| !tree.connected);
        if disk && (!tree.has_step || default_is_free) {
            session.default_tree = Some(tree_id);
            session.tree_connected = true;
        } else {
            session.named_trees += 1;
            let kind = if disk { "tree" } else { "pipes" };
            tree.name = Some(format!("{kind}{}", session.named_trees));
        }
        session.trees.insert(tree_id, tree.clone());
        if !disk {
            return;
        }
        if let Some(client) = session.channel(id).and_then(|channel| channel.client) {
            self.works_on_files(client);
        }
        if tree.has_step {
            self.connects_tree(id, flight, None, tree.name, Some(flight.sent));
        }
    }

    /// A client's session has a file share.
    pub(super) fn works_on_files(&mut self, client: ClientIndex) {
        let owner = self.clients[client].channel_of.unwrap_or(client);
        self.clients[owner].disk = true;
    }

    /// The step that connects a tree.
    fn connects_tree(
        &mut self,
        id: ConnectionId,
        flight: &InFlight,
        share: Option<&'static str>,
        name: Option<String>,
        time: Option<u64>,
    ) -> Option<usize> {
        let client = self.client_of(id, flight.session_id).ok()?;
        let lane = self.lanes.free(client, None, &self.drafts);
        let mut draft = Draft::new(lane, "tree-connect");
        if let Some(share) = share {
            draft = draft.arg("share", OwnedValue::Text(share.to_owned()));
        }
        if let Some(name) = name {
            draft = draft.arg("as", OwnedValue::Token(name));
        }
        let step = self.add(draft, time, &[], false);
        self.drafts[step].progress = Progress::Done;
        Some(step)
    }

    /// The server has refused to connect a share.
    fn tree_refused(&mut self, id: ConnectionId, status: u32, flight: &InFlight) {
        let share = match status {
            BAD_NETWORK_NAME => Some(NO_SHARE),
            ntstatus::ACCESS_DENIED => Some(CLOSED_SHARE),
            USER_SESSION_DELETED | NETWORK_SESSION_EXPIRED => None,
            _ => return self.skip("tree-connect", "a share that could not be connected"),
        };
        match self.connects_tree(id, flight, share, None, Some(flight.sent)) {
            Some(step) => self.drafts[step].status = ExpectStatus::OneOf(vec![status]),
            None => self.skip("tree-connect", "a share that could not be connected"),
        }
    }

    /// The tree that a request works on, which may have been disconnected.
    pub(super) fn tree(
        &mut self,
        id: ConnectionId,
        session_id: u64,
        tree_id: u32,
    ) -> Result<Tree, &'static str> {
        let connection = self.connections.get(&id).ok_or("no connection")?;
        let session = connection.sessions.get(&session_id);
        let session = session.map(|&session| &self.sessions[session]);
        match session.and_then(|session| session.trees.get(&tree_id)) {
            Some(tree) if tree.disk || tree.name.is_some() => Ok(tree.clone()),
            Some(_) => Err("it works on a share of printers"),
            None if connection.mid_stream || connection.has_gaps => Ok(Tree {
                disk: true,
                connected: true,
                ..Tree::default()
            }),
            None => Err("its tree is not connected"),
        }
    }

    /// Makes sure that a step connects a tree that is worked on.
    pub(super) fn needs_tree(&mut self, id: ConnectionId, tree_id: u32, flight: &InFlight) {
        let Some(session) = self.session_of(id, flight.session_id) else {
            return;
        };
        let tree = self.sessions[session].trees.get_mut(&tree_id);
        let Some(tree) = tree.filter(|tree| !tree.disk && !tree.has_step) else {
            return;
        };
        tree.has_step = true;
        let name = tree.name.clone();
        self.connects_tree(id, flight, Some(PIPES), name, None);
    }
}
