//! Clients that come back after their connection was lost: the same client of the trace, and `reconnect` for its durable
//! opens (MS-SMB2 3.2.4.4).

use super::draft::{Draft, Progress, StepIndex};
use super::lanes::{ClientIndex, Key, Touch};
use super::names::WirePath;
use super::paths::base;
use super::request::Reason;
use super::state::{Session, SessionIndex};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::OwnedValue;
use smb_vocabulary::RECONNECT_CONTEXTS;
use smb_wire::messages::{CreateRequest, RequestContext};
use smb_wire::{DurableFlags, FileId, Guid};
use std::borrow::Cow;

/// Named arguments of a step.
pub(super) type Arguments = Vec<(Cow<'static, str>, OwnedValue)>;

/// What of an open a reconnect goes back to.
#[derive(Debug, Clone)]
pub(super) struct Durable {
    /// The arguments of the request that opened it.
    args: Arguments,
    /// CreateGuid of a V2 request.
    create_guid: Guid,
}

/// A client whose connection has ended while it had something open.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    client: ClientIndex,
    /// Its session on that connection.
    session_id: u64,
}

/// Arguments that a reconnect can have otherwise than the request that opened, and what they are without being named.
const MAY_DIFFER: [(&str, Option<&str>); 8] = [
    ("access", Some("r")),
    ("share", Some("rwd")),
    ("disposition", Some("open")),
    ("options", Some("0x0")),
    ("oplock", Some("none")),
    ("lease-key", None),
    ("lease-state", None),
    ("lease-version", None),
];

/// A reconnect context: FileId, CreateGuid, and the word of `durable=`.
pub(super) type Wanted = (FileId, Option<Guid>, &'static str);

/// The reconnect context of a request.
pub(super) fn wanted(request: &CreateRequest) -> Result<Option<Wanted>, Reason> {
    let contexts = request.create_contexts.iter();
    let mut wanted = contexts.filter_map(|context| match context {
        RequestContext::DurableHandleReconnect(file_id) => Some((*file_id, None, "v1")),
        RequestContext::DurableHandleReconnectV2(again) => {
            let word = match again.flags.contains(DurableFlags::PERSISTENT) {
                true => "persistent",
                false => "v2",
            };
            Some((again.file_id, Some(again.create_guid), word))
        }
        _ => None,
    });
    match (wanted.next(), wanted.next()) {
        (_, Some(_)) => Err("it reconnects by two contexts at once"),
        (wanted, None) => Ok(wanted),
    }
}

/// What a later reconnect needs of a request that asks for a durable open.
pub(super) fn durable(request: &CreateRequest, draft: &Draft) -> Option<Durable> {
    let mut contexts = request.create_contexts.iter();
    let create_guid = contexts.find_map(|context| match context {
        RequestContext::DurableHandleRequestV2(request) => Some(request.create_guid),
        RequestContext::DurableHandleReconnectV2(again) => Some(again.create_guid),
        RequestContext::DurableHandleRequest | RequestContext::DurableHandleReconnect(_) => {
            Some(Guid::default())
        }
        _ => None,
    })?;
    Some(Durable {
        args: draft.args.clone(),
        create_guid,
    })
}

fn find<'a>(args: &'a Arguments, wanted: &str) -> Option<&'a OwnedValue> {
    args.iter()
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value)
}

impl World {
    /// The open that a reconnect is about.
    pub(super) fn durable_open(&self, file_id: FileId) -> Result<usize, Reason> {
        let found = self.opens.iter().rposition(|open| {
            open.durable.is_some()
                && open
                    .file_id
                    .is_some_and(|known| known.persistent == file_id.persistent)
        });
        found.ok_or("it reconnects a durable open that is not in the trace")
    }

    /// A `reconnect` of what was a `create` so far.
    pub(super) fn reconnect(
        &mut self,
        draft: Draft,
        old: usize,
        (guid, version): (Option<Guid>, &'static str),
        request: &CreateRequest,
        path: &WirePath,
    ) -> Result<Draft, Reason> {
        let open = &self.opens[old];
        let before = open
            .durable
            .clone()
            .ok_or("what it reconnects is not durable")?;
        let mut args: Arguments = Vec::new();
        if let Some(handle) = find(&draft.args, "handle") {
            args.push(("handle".into(), handle.clone()));
        }
        let had = find(&before.args, "durable").map(text);
        if had.as_deref() != Some(version) {
            args.push(("durable".into(), OwnedValue::Word(version)));
        }
        if let Some(guid) = guid.filter(|&guid| guid != before.create_guid) {
            let text = self.lease_name(guid);
            args.push(("create-guid".into(), OwnedValue::Token(text)));
        }
        for context in &request.create_contexts {
            let asked = match context {
                RequestContext::DurableHandleRequest => "v1",
                RequestContext::DurableHandleRequestV2(_) => "v2",
                _ => continue,
            };
            args.push(("request".into(), OwnedValue::Word(asked)));
        }
        match path {
            WirePath::Below(path) if *path == self.opens[old].path => {}
            WirePath::Below(path) => {
                let path = path.clone();
                args.push(("path".into(), OwnedValue::Text(self.names.path(&path))));
            }
            WirePath::Raw(_) => return Err("its path cannot be below the trace's root"),
        }
        let leased = |args: &Arguments| find(args, "lease-key").is_some();
        let no_lease = leased(&before.args) && !leased(&draft.args);
        if no_lease {
            args.push(("no-lease".into(), OwnedValue::Flag));
        }
        for (name, default) in MAY_DIFFER {
            if no_lease && (name.starts_with("lease-") || name == "oplock") {
                if let Some(value) = find(&draft.args, name) {
                    args.push((name.into(), value.clone()));
                }
                continue;
            }
            let (new, old) = (find(&draft.args, name), find(&before.args, name));
            match (new, old, default) {
                (new, old, _) if new.map(text) == old.map(text) => {}
                (Some(new), _, _) => args.push((name.into(), new.clone())),
                (None, Some(_), Some(default)) => {
                    args.push((name.into(), OwnedValue::Token(default.to_owned())));
                }
                _ => {}
            }
        }
        let others = draft.args.iter();
        let others = others.filter(|(name, _)| RECONNECT_CONTEXTS.contains(&&**name));
        args.extend(others.cloned());
        Ok(Draft {
            args,
            target: Some(self.opens[old].created_by),
            verb: "reconnect",
            ..draft
        })
    }

    /// A session has lost its last connection while something was open in it.
    pub(super) fn gone(&mut self, id: ConnectionId, session: SessionIndex) {
        let connection = self.connections.get(&id);
        let guid = connection.map_or(Guid::default(), |connection| connection.client_guid);
        let session = &self.sessions[session];
        if let Some(client) = session.owner().filter(|_| guid != Guid::default()) {
            let session_id = session.id;
            let gone = Gone { client, session_id };
            self.gone.entry(guid).or_default().push(gone);
        }
    }

    /// The client that comes back with a session, if it is one.
    pub(super) fn returning(
        &mut self,
        id: ConnectionId,
        session: SessionIndex,
        user: Option<&str>,
    ) -> Option<ClientIndex> {
        let Session {
            previous, losses, ..
        } = self.sessions[session];
        if let Some(client) = self.logged_off_here(id, session, user) {
            let word = (previous != 0).then(|| self.session_name(previous));
            self.connect(client, word.flatten(), losses);
            return Some(client);
        }
        let connection = self.connections.get(&id)?;
        let (dialect, signing) = (connection.dialect, connection.signing_required);
        let known = self.gone.get_mut(&connection.client_guid)?;
        let at = known.iter().rposition(|gone| {
            let client = &self.clients[gone.client];
            client.user.as_deref() == user
                && client.dialect == dialect
                && client.signing_required == signing
        })?;
        let gone = known.remove(at);
        let word = match previous {
            0 => Some("none".to_owned()),
            own if own == gone.session_id => None,
            other => self.session_name(other),
        };
        self.connect(gone.client, word, losses);
        Some(gone.client)
    }

    /// The client that has logged off on the connection, and logs in there again.
    fn logged_off_here(
        &mut self,
        id: ConnectionId,
        session: SessionIndex,
        user: Option<&str>,
    ) -> Option<ClientIndex> {
        let sessions = self.connections.get(&id)?.sessions.values().copied();
        let before: Vec<SessionIndex> = sessions.filter(|&other| other != session).collect();
        let ended = before.into_iter().filter(|&other| {
            let other = &self.sessions[other];
            let client = other.owner().map(|client| &self.clients[client]);
            let same = client.is_some_and(|client| client.user.as_deref() == user);
            other.ended && !other.replaced && other.channels.len() == 1 && same
        });
        let last = ended.max()?;
        self.sessions[last].replaced = true;
        self.sessions[last].owner()
    }

    /// The client that has a session; `None` if it has done nothing.
    fn client_with(&self, session_id: u64) -> Option<ClientIndex> {
        let session = self.by_session_id.get(&session_id)?;
        self.sessions[*session].owner()
    }

    /// What that client is called.
    fn session_name(&self, session_id: u64) -> Option<String> {
        let client = self.client_with(session_id)?;
        Some(self.client_name(client))
    }

    /// A new client whose session takes the place of another one; false if there is none.
    pub(super) fn replacing(&mut self, client: ClientIndex, previous: u64, losses: usize) -> bool {
        if let Some(other) = self.client_with(previous)
            && other != client
        {
            let step = self.connect(client, Some(self.client_name(other)), losses);
            self.lanes.ends(step, other, &mut self.drafts);
            return true;
        }
        false
    }

    /// The step that connects a client, which logged in after so many losses.
    pub(super) fn connect(
        &mut self,
        client: ClientIndex,
        previous: Option<String>,
        losses: usize,
    ) -> StepIndex {
        let lane = self.lanes.free(client, None, &self.drafts);
        let mut draft = Draft::new(lane, "connect");
        if let Some(previous) = previous {
            draft = draft.arg("previous-session", OwnedValue::Token(previous));
        }
        let mut touches = Vec::new();
        let opens = self.opens.iter();
        for open in opens.filter(|open| open.file_id.is_some() && open.durable.is_some()) {
            touches.push((Key::path(base(&open.path)), Touch::Change));
        }
        let step = self.add(draft, None, &touches, false);
        self.drafts[step].progress = Progress::Done;
        self.losses.connected(client, step, losses);
        step
    }
}

fn text(value: &OwnedValue) -> String {
    match value {
        OwnedValue::Word(word) => (*word).to_owned(),
        OwnedValue::Text(text) | OwnedValue::Token(text) => text.clone(),
        other => format!("{other:?}"),
    }
}
