//! Which open a request is about, also one from before the capture.

use super::content::Content;
use super::draft::{Draft, Progress};
use super::initial::Seen;
use super::lanes::{Key, Touch};
use super::request::Reason;
use super::stale::{CLOSED, UNKNOWN, UNRELATED};
use super::state::{Chain, InFlight, Node, Open};
use super::world::World;
use crate::capture::ConnectionId;
use smb_wire::FileId;

impl World {
    /// The opens that are alive, in their order. One that is not never is again, so that a capture may have any number of them.
    pub(super) fn living(&mut self) -> Vec<usize> {
        let (looked_at, living) = &mut self.living;
        living.extend(*looked_at..self.opens.len());
        *looked_at = self.opens.len();
        living.retain(|&open| self.opens[open].alive);
        living.clone()
    }

    /// The open that a request is about.
    pub(super) fn open_of(
        &mut self,
        id: ConnectionId,
        time: u64,
        file_id: FileId,
        flight: &InFlight,
        chain: &mut Chain,
    ) -> Result<usize, Reason> {
        let found = match chain.open {
            Some(Some(open)) if file_id == FileId::RELATED => open,
            Some(None) if file_id == FileId::RELATED => {
                return Err(UNRELATED);
            }
            _ => match self.open_in(id, flight, file_id) {
                Some(open) => open,
                None => {
                    let connection = self.connections.get(&id).ok_or("no connection")?;
                    if !(connection.mid_stream || connection.has_gaps) {
                        return Err(UNKNOWN);
                    }
                    self.open_before(id, time, file_id, flight)?
                }
            },
        };
        if self.opens[found].closed {
            return Err(CLOSED);
        }
        chain.open = Some(Some(found));
        Ok(found)
    }

    /// What is open under a FileId in the session of a request.
    fn open_in(&self, id: ConnectionId, flight: &InFlight, file_id: FileId) -> Option<usize> {
        let session = self.session_of(id, flight.session_id)?;
        let own = self.by_id.get(&(session, file_id)).copied();
        own.or_else(|| {
            // A client may go on to name what it had open in the session before.
            let client = self.sessions[session].owner()?;
            let before = (0..session).rev();
            let mut its = before.filter(|&before| self.sessions[before].owner() == Some(client));
            let before = its.find_map(|before| self.by_id.get(&(before, file_id)).copied());
            before.filter(|&open| !self.opens[open].alive)
        })
    }

    /// An open from before the capture: a file of unknown name.
    pub(super) fn open_before(
        &mut self,
        id: ConnectionId,
        time: u64,
        file_id: FileId,
        flight: &InFlight,
    ) -> Result<usize, Reason> {
        let client = self.client_of(id, flight.session_id)?;
        let session = self.session_of(id, flight.session_id).ok_or(UNKNOWN)?;
        let directory = matches!(flight.kind, "query-directory" | "change-notify");
        let name = format!("h{}", self.opens.len() + 1);
        let path = format!("unknown-{}", self.opens.len() + 1);
        self.adapt(
            "open",
            "it was opened before the capture; its name is not known",
        );
        let seen = Seen::Present {
            directory: Some(directory),
            size: 0,
            attributes: Default::default(),
        };
        self.initial.observe(&path, seen);
        self.nodes.push(Node {
            content: Content::given(1 << 40),
            existed: true,
            ..Node::default()
        });
        let node = self.nodes.len() - 1;
        self.by_path.insert(path.clone(), node);
        self.initial.has_content(&path, node, 0);
        let lane = self.lanes.free(client, None, &self.drafts);
        let draft = Draft::new(lane, "create")
            .arg("handle", name.clone())
            .arg("path", path.clone())
            .arg("access", if directory { "r" } else { "rwd" });
        let touches = [(Key::path(&path), Touch::Change)];
        let step = self.add(draft, Some(time), &touches, false);
        self.drafts[step].progress = Progress::Done;
        self.opens.push(Open {
            tree: flight.tree_id,
            node,
            directory,
            file_id: Some(file_id),
            ..Open::new(name, session, client, path, step)
        });
        self.by_id.insert((session, file_id), self.opens.len() - 1);
        Ok(self.opens.len() - 1)
    }
}
