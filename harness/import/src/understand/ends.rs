//! The ends of connections, trees and sessions, and of what was open there.

use super::draft::{Draft, Progress};
use super::lanes::{self, ClientIndex, Touch};
use super::state::InFlight;
use super::world::World;
use crate::capture::{ConnectionId, Direction};

impl World {
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
        for flight in left {
            let Some(step) = flight.step else { continue };
            // What was pending has had an answer, and a handle may have come of it.
            if self.drafts[step].progress == Progress::Sent {
                self.drop_step(step, "the capture has no answer to it");
            }
        }
        let mut clients: Vec<ClientIndex> = Vec::new();
        let mut touches = Vec::new();
        for open in self.opens.iter_mut().filter(|open| open.connection == id) {
            if open.alive && open.file_id.is_some() {
                clients.push(open.client);
                touches.push((lanes::Key::path(&open.path), Touch::Change));
                if open.delete_on_close {
                    touches.extend(super::request::listings(&open.path, Touch::Change));
                }
            }
            open.alive = false;
        }
        clients.sort_unstable();
        clients.dedup();
        if by.is_none() {
            return;
        }
        self.gone(id, &clients);
        for client in clients {
            let lane = self.lanes.free(client, None, &self.drafts);
            let step = self.add(Draft::new(lane, "disconnect"), Some(time), &touches, false);
            self.drafts[step].progress = Progress::Done;
        }
    }
}
