//! Requests that the trace has no verb for since they name nothing that is open, or stand where they must not: they are
//! sent as they were, as a control code that is changed on its way (`wire=`). What they hold of names and data is zeros.

use super::draft::Draft;
use super::request::Reason;
use super::state::{Chain, InFlight};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::OwnedValue;
use smb_wire::{Command, Header, hex};

/// The longest body that is sent so, in bytes.
const LONGEST: usize = 2048;

/// The body of a control code without input, in bytes.
const CARRIER: usize = 57;

/// A FileId that no server gives.
const NOTHING: [u8; 16] = [0xFE; 16];

/// One of a request that is about nothing, or about what the request before it has opened.
const ALL_ONES: [u8; 16] = [0xFF; 16];

/// A session that no server gives.
const NO_SESSION: &str = "header.session-id=0xfefefefefefefefe";

/// A tree that no server gives.
pub(super) const NO_TREE: &str = "header.tree-id=0xfffffffe";

/// A request as it was, without what a trace must not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AsItWas {
    command: u16,
    body: Vec<u8>,
    /// Where the FileId is in the body, if it has one.
    file_id: Option<usize>,
}

impl AsItWas {
    /// Reads a message; `None` for a command that works on no open.
    pub(super) fn of(header: &Header, message: &[u8]) -> Option<Self> {
        let body = message.get(Header::SIZE..)?;
        // Where the FileId is, and where names and data begin.
        let (file_id, data) = match header.command {
            Command::CLOSE | Command::FLUSH => (8, 24),
            Command::READ => (16, 48),
            Command::WRITE => (16, 48),
            Command::LOCK => (8, usize::MAX),
            Command::IOCTL => (8, 56),
            Command::QUERY_DIRECTORY | Command::CHANGE_NOTIFY => (8, 32),
            Command::QUERY_INFO => (24, 40),
            Command::SET_INFO => (16, 32),
            // What it asks for beside its name is behind that.
            Command::CREATE => (usize::MAX, 56),
            _ => return None,
        };
        let file_id = Some(file_id).filter(|&at| at < data);
        let least = file_id.map_or(data, |at| at + 16);
        if body.len() > LONGEST || body.len() < least || header.credit_charge > 1 {
            return None;
        }
        let mut body = body.to_vec();
        let data = data.min(body.len());
        body[data..].fill(0);
        Some(Self {
            command: header.command.0,
            body,
            file_id,
        })
    }

    /// The step that sends it. `related` is for one that works on what the request before it opened.
    pub(super) fn draft(&self, draft: Draft, related: bool, edits: &[&str]) -> Draft {
        let mut body = self.body.clone();
        if let Some(at) = self.file_id {
            let id = &mut body[at..at + 16];
            if related || *id != ALL_ONES {
                id.copy_from_slice(if related { &ALL_ONES } else { &NOTHING });
            }
        }
        let mut wire: Vec<String> = edits.iter().map(|&edit| edit.to_owned()).collect();
        wire.push(format!("header.command={}", self.command));
        let (first, rest) = body.split_at(body.len().min(CARRIER));
        wire.push(format!("at.{}=hex:{}", Header::SIZE, hex::encode(first)));
        if first.len() < CARRIER {
            wire.push(format!("truncate={}", Header::SIZE + first.len()));
        }
        if !rest.is_empty() {
            wire.push(format!("append=hex:{}", hex::encode(rest)));
        }
        draft
            .arg("code", OwnedValue::Token("0x0".to_owned()))
            .arg("wire", tokens(wire))
    }
}

impl World {
    /// Makes the step of a request that no verb can say, if a trace can send it as it was.
    pub(super) fn as_it_was(
        &mut self,
        id: ConnectionId,
        time: u64,
        (header, message): (&Header, &[u8]),
        reason: Reason,
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let mut edits = Vec::new();
        let related = header.is_related();
        let session = self.session_of(id, flight.session_id);
        let reason = match session.filter(|&session| !self.sessions[session].replaced) {
            Some(_) => reason,
            None => NO_LOGIN,
        };
        let of_session = match header.session_id {
            0 => "header.session-id=0",
            _ => NO_SESSION,
        };
        match reason {
            NO_LOGIN => edits.push(of_session),
            UNKNOWN | CLOSED => {}
            NOT_CONNECTED => edits.push(NO_TREE),
            UNRELATED if chain.lane.is_some() => {}
            FIRST => edits.push("header.flags=+4"),
            _ => return Err(reason),
        }
        let sent = AsItWas::of(header, message).ok_or(reason)?;
        let client = match reason {
            NO_LOGIN => self.anyone_on(id).ok_or(reason)?,
            _ => self.client_of(id, flight.session_id)?,
        };
        if reason == NO_LOGIN && self.clients[client].signing_required {
            // Nobody can verify what is signed in a session that is not there.
            edits.push("signature=none");
        }
        let word = (related && reason == UNRELATED).then_some("related");
        let kind = flight.kind;
        let with = |draft: Draft| {
            let draft = sent.draft(draft, related, &edits);
            let draft = Draft {
                kind,
                stale: Some(reason),
                ..draft
            };
            match word {
                Some(word) => draft.arg("chain", word),
                None => draft,
            }
        };
        flight.step = Some(self.put(client, chain, time, "ioctl", with, &[]));
        Ok(())
    }
}

pub(super) const NO_LOGIN: Reason = "its session is not known";
pub(super) const UNKNOWN: Reason = "its file id is not known";
pub(super) const CLOSED: Reason = "its file id is closed";
pub(super) const NOT_CONNECTED: Reason = "its tree is not connected";
pub(super) const UNRELATED: Reason = "it is related to a request that is not in the trace";
pub(super) const FIRST: Reason =
    "its frame is a malformed compound: it begins with a related request";

/// Words of `wire=`.
pub(super) fn tokens(words: Vec<String>) -> OwnedValue {
    OwnedValue::List(words.into_iter().map(OwnedValue::Token).collect())
}
