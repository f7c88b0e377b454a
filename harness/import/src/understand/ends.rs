//! The ends of connections, trees and sessions, and of what was open there.

use super::draft::{Draft, Progress, StepIndex};
use super::lanes::{ClientIndex, Key, Touch};
use super::paths::{base, listings};
use super::state::{InFlight, SessionIndex};
use super::world::World;
use crate::capture::{ConnectionId, Direction};
use replay_ir::{ExpectStatus, OwnedValue};
use smb_wire::ntstatus;

const MILLISECOND: u64 = 1_000_000;

/// What a client says of a server that has closed the connection.
const CONNECTION_DISCONNECTED: u32 = 0xC000_020C;

impl World {
    /// A file that is to be deleted when this open is closed goes with the last of its opens (MS-FSA 2.1.5.5).
    pub(super) fn delete_with_the_last(&mut self, open: usize) {
        let path = self.opens[open].path.clone();
        for other in self.living() {
            let other = &mut self.opens[other];
            other.delete_on_close |= other.path == path;
        }
    }

    /// A client's connection has ended, or the capture.
    pub(super) fn disconnected(&mut self, id: ConnectionId, time: u64, by: Option<Direction>) {
        self.never_acknowledged(id);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let left: Vec<InFlight> = connection
            .in_flight
            .drain()
            .map(|(_, flight)| flight)
            .collect();
        let mut sessions: Vec<SessionIndex> = connection.sessions.values().copied().collect();
        sessions.sort_unstable();
        for flight in &left {
            let Some(step) = flight.step else { continue };
            // What was pending has had an answer, and a handle may have come of it.
            if self.drafts[step].progress == Progress::Sent {
                self.unanswered(step, time.saturating_sub(flight.sent), by);
            }
        }
        let mut clients: Vec<ClientIndex> = Vec::new();
        let (mut files, mut gone_from) = (Vec::new(), Vec::new());
        for index in sessions {
            let session = &mut self.sessions[index];
            let Some(channel) = session.channel(id).filter(|channel| channel.alive) else {
                continue;
            };
            channel.alive = false;
            let client = channel.client;
            if session.channels.iter().any(|channel| channel.alive) {
                // The session lives on (MS-SMB2 3.3.7.1), and requests say that a channel was lost.
                session.sequence = session.sequence.wrapping_add(1);
                clients.extend(client.filter(|_| !session.ended));
                continue;
            }
            // What waits for its final answer waits no more: what would have come of it does not.
            let session_id = session.id;
            let of_session = left.iter().filter(|flight| flight.session_id == session_id);
            let waits = |step: StepIndex| self.drafts[step].progress == Progress::Pending;
            let mut lost = of_session.filter_map(|flight| flight.step).any(waits);
            for open in self.living() {
                let open = &mut self.opens[open];
                if open.session != index {
                    continue;
                }
                let waits = self.drafts[open.created_by].progress == Progress::Pending;
                if open.file_id.is_some() || waits {
                    lost = true;
                    files.push((Key::path(base(&open.path)), Touch::Change));
                    if open.delete_on_close {
                        gone_from.extend(listings(&open.path, Touch::Change));
                    }
                }
                open.alive = false;
            }
            if let Some(client) = client.filter(|_| lost) {
                clients.push(client);
                if by.is_some() {
                    self.gone(id, index);
                }
            }
        }
        clients.sort_unstable();
        clients.dedup();
        if by.is_none() {
            return;
        }
        let touches = [&files[..], &gone_from].concat();
        for client in clients {
            let lane = self.lanes.free(client, None, &self.drafts);
            let step = self.add(Draft::new(lane, "disconnect"), Some(time), &touches, false);
            self.drafts[step].progress = Progress::Done;
            self.losses.lost(step, &files, &gone_from);
        }
    }

    /// A request had no answer when its connection ended, `after` nanoseconds later.
    fn unanswered(&mut self, step: StepIndex, after: u64, by: Option<Direction>) {
        let frame = self.drafts[step].frame;
        let members = (0..self.drafts.len()).rev().take(64);
        let members = members.filter(|&other| self.drafts[other].frame == frame);
        let alone = frame.is_some() && members.count() == 1;
        let draft = &mut self.drafts[step];
        match by.filter(|_| alone) {
            None => return self.drop_step(step, "the capture has no answer to it"),
            Some(Direction::ToClient) => {
                draft.status = ExpectStatus::OneOf(vec![CONNECTION_DISCONNECTED]);
            }
            // Its client did not wait for one.
            Some(Direction::ToServer) => {
                let silence = (after / MILLISECOND).clamp(1, 1000) * MILLISECOND;
                let silence = OwnedValue::Duration(silence);
                draft.args.push(("silence".into(), silence));
                draft.status = ExpectStatus::Anything;
            }
        }
        // Only of a frame that was changed may the answer be missing; this changes nothing.
        draft.edit("header.flags=+0".to_owned());
        draft.progress = Progress::Done;
    }

    /// LOGOFF and TREE_DISCONNECT, of a session that has done something.
    pub(super) fn leave(
        &mut self,
        id: ConnectionId,
        time: u64,
        verb: &'static str,
        flight: &mut InFlight,
    ) {
        let Some(index) = self.session_of(id, flight.session_id) else {
            return;
        };
        let of_tree = verb == "tree-disconnect";
        let session = &mut self.sessions[index];
        let channel = session.channel(id);
        let Some(client) = channel.and_then(|channel| channel.client) else {
            return;
        };
        let default = session.default_tree;
        let tree = session.trees.get(&flight.tree_id);
        if of_tree && !tree.is_some_and(|tree| tree.disk || tree.has_step) {
            return;
        }
        let name = tree.and_then(|tree| tree.name.clone());
        if of_tree && name.is_none() && default != Some(flight.tree_id) {
            // Another one has taken its place.
            return self.skip("tree-disconnect", "its tree is not connected");
        }
        let lane = self.lanes.free(client, None, &self.drafts);
        let mut touches = Vec::new();
        for open in self.living() {
            let open = &self.opens[open];
            if open.session == index && (!of_tree || open.tree == flight.tree_id) {
                touches.push((Key::path(base(&open.path)), Touch::Change));
            }
        }
        let mut draft = Draft::new(lane, verb);
        if let (true, Some(name)) = (of_tree, name) {
            draft = draft.arg("tree", OwnedValue::Token(name));
        }
        flight.step = Some(self.add(draft, Some(time), &touches, false));
    }

    /// The answer to one.
    pub(super) fn left(&mut self, id: ConnectionId, status: u32, flight: &InFlight) {
        let of_tree = flight.kind == "tree-disconnect";
        if let Some(step) = flight.step {
            self.drafts[step].progress = Progress::Done;
            self.drafts[step].status = ExpectStatus::OneOf(vec![status]);
        }
        let Some(index) = self
            .session_of(id, flight.session_id)
            .filter(|_| status == ntstatus::SUCCESS)
        else {
            return;
        };
        let session = &mut self.sessions[index];
        match of_tree {
            true => {
                if let Some(tree) = session.trees.get_mut(&flight.tree_id) {
                    tree.connected = false;
                }
            }
            false => session.ended = true,
        }
        for open in self.living() {
            let open = &mut self.opens[open];
            if open.session == index && (!of_tree || open.tree == flight.tree_id) {
                open.alive = false;
            }
        }
    }
}
