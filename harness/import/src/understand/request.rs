//! From a request to the step that sends it again.

use super::draft::{Draft, Progress};
use super::lanes::{ClientIndex, Key, Touch};
use super::lock::lock;
use super::paths::{altered, base, listings, parents};
use super::state::{Chain, InFlight, SessionIndex};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::ExpectStatus;
use smb_vocabulary::{VOCABULARY, words};
use smb_wire::messages::EchoRequest;
use smb_wire::{
    CloseFlags, Flags, Header, InfoType, NotifyFlags, ReadFlags, Request, WriteFlags, ntstatus,
};

/// Why there is no step of a request.
pub(super) type Reason = &'static str;

/// The OutputBufferLength that a query has without `buffer=`.
const BUFFER: u32 = 65_536;

/// The longest write of a step.
const LONGEST_WRITE: usize = 8 << 20;

/// A step on an open: whose it is, the step itself, and what it touches.
type OnOpen = (ClientIndex, Draft, Vec<(Key, Touch)>);

impl World {
    /// Makes the step of a request.
    pub(super) fn request(
        &mut self,
        id: ConnectionId,
        time: u64,
        header: &Header,
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let mut request = std::mem::replace(&mut flight.request, Request::Echo(EchoRequest));
        let result = self.step_of(id, time, header, &mut request, flight, chain);
        flight.request = request;
        if result.is_err() {
            chain.open = Some(None);
        }
        result
    }

    fn step_of(
        &mut self,
        id: ConnectionId,
        time: u64,
        header: &Header,
        request: &mut Request,
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        match request {
            Request::Negotiate(request) => self.negotiate(id, request),
            Request::SessionSetup(request) => self.session_setup(id, request),
            Request::TreeConnect(_) => {}
            Request::Logoff(_) => self.leave(id, time, "logoff", flight),
            Request::TreeDisconnect(_) => self.leave(id, time, "tree-disconnect", flight),
            Request::Echo(_) => {
                // It needs no session.
                let client = match self.client_of(id, flight.session_id) {
                    Ok(client) => client,
                    Err(reason) => self.anyone_on(id).ok_or(reason)?,
                };
                flight.step = Some(self.put(client, chain, time, "echo", |draft| draft, &[]));
            }
            Request::Cancel(_) => return self.cancel(id, time, header, chain),
            Request::OplockBreak(ack) => {
                self.oplock_acknowledged(id, time, (ack.file_id, ack.oplock_level), flight, chain)?;
            }
            Request::LeaseBreak(ack) => {
                self.lease_acknowledged(id, time, (ack.lease_key, ack.lease_state), flight, chain)?;
            }
            Request::Create(request) => {
                let dfs = header.flags.contains(Flags::DFS_OPERATIONS);
                self.create(id, time, request, dfs, flight, chain)?;
            }
            Request::Other { .. } => return Err("the command is not known"),
            request => {
                let (client, draft, touches) = self.on_open(id, time, request, flight, chain)?;
                let Draft {
                    verb, args, stale, ..
                } = draft;
                let with = |draft: Draft| Draft {
                    args,
                    stale,
                    ..draft
                };
                let step = self.put(client, chain, time, verb, with, &touches);
                flight.step = Some(step);
                if let (sequence @ 1.., Some(open)) = (flight.lock_sequence, flight.open) {
                    self.numbered(open, step, sequence);
                }
                if let Some(descriptor) = flight.descriptor.take() {
                    self.describe(step, descriptor);
                }
            }
        }
        Ok(())
    }

    /// A client on a connection.
    pub(super) fn anyone_on(&mut self, id: ConnectionId) -> Option<ClientIndex> {
        let sessions = self.connections.get(&id)?.sessions.values();
        let mut sessions: Vec<SessionIndex> = sessions.copied().collect();
        sessions.sort_unstable();
        sessions.into_iter().find_map(|session| {
            let session_id = self.sessions[session].id;
            self.client_of(id, session_id).ok()
        })
    }

    /// Puts a step of a request on a lane.
    pub(super) fn put(
        &mut self,
        client: ClientIndex,
        chain: &mut Chain,
        time: u64,
        verb: &'static str,
        with: impl FnOnce(Draft) -> Draft,
        touches: &[(Key, Touch)],
    ) -> usize {
        let before = chain.lane.filter(|&(other, _)| other == client);
        let lane = match before {
            Some((_, lane)) => lane,
            None => self.lanes.free(client, None, &self.drafts),
        };
        chain.lane = Some((client, lane));
        let mut draft = with(Draft::new(lane, verb));
        draft.frame = Some(chain.frame);
        let handle = draft.handle().map(str::to_owned);
        let same = handle.is_some() && handle == chain.handle;
        let word = match (before, chain.related) {
            (None, false) => None,
            (None, true) => (chain.members == 1).then_some("related"),
            (Some(_), true) if chain.inherits => Some("inherit"),
            (Some(_), true) => (!same).then_some("related"),
            (Some(_), false) => same.then_some("unrelated"),
        };
        let can_say = !matches!(verb, "notify" | "cancel" | "acknowledge" | "reconnect");
        if let Some(word) = word.filter(|_| can_say && !draft.has("chain")) {
            draft = draft.arg("chain", word);
        }
        chain.handle = handle;
        if chain.replay || chain.sequence.is_some() {
            draft = self.resent(draft, chain);
        }
        self.add(draft, Some(time), touches, before.is_some())
    }

    /// With what the header says of a request that was sent before, or after the loss of a channel.
    fn resent(&mut self, draft: Draft, chain: &Chain) -> Draft {
        let verb = VOCABULARY.verbs.iter().find(|verb| verb.name == draft.verb);
        let args = verb.map_or(&[][..], |verb| verb.args);
        if !args.iter().any(|arg| arg.name == "replay") {
            if chain.replay {
                self.adapt("replay", "of a request that cannot be said to be one");
            }
            return draft;
        }
        let draft = draft.flag("replay", chain.replay);
        match chain.sequence {
            Some(sequence) => draft.arg("channel-sequence", u64::from(sequence)),
            None => draft,
        }
    }

    /// The step of a request that works on an open, without its place.
    fn on_open(
        &mut self,
        id: ConnectionId,
        time: u64,
        request: &mut Request,
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<OnOpen, Reason> {
        let file_id = match request {
            Request::Close(request) => request.file_id,
            Request::Flush(request) => request.file_id,
            Request::Read(request) => request.file_id,
            Request::Write(request) => request.file_id,
            Request::Lock(request) => request.file_id,
            Request::QueryDirectory(request) => request.file_id,
            Request::QueryInfo(request) => request.file_id,
            Request::SetInfo(request) => request.file_id,
            Request::ChangeNotify(request) => request.file_id,
            Request::Ioctl(request) if Self::is_about_nothing(request, chain.related) => {
                let client = self.client_of(id, flight.session_id)?;
                let draft = Draft::new(0, "ioctl");
                let draft = self.ioctl(id, draft, request, None, flight, &mut Vec::new())?;
                return Ok((client, draft, Vec::new()));
            }
            Request::Ioctl(request) => request.file_id,
            _ => return Err("the trace has no verb for it"),
        };
        self.tree(id, flight.session_id, flight.tree_id)?;
        let client = self.client_of(id, flight.session_id)?;
        let open = self.open_of(id, time, file_id, flight, chain)?;
        if self.opens[open].pipe.is_some() {
            let name = self.opens[open].name.clone();
            let draft = |verb| Draft::new(0, verb).arg("handle", name.clone());
            if let Some(draft) = self.on_pipe(open, draft, request)? {
                flight.open = Some(open);
                return Ok((client, draft, Vec::new()));
            }
        }
        let path = self.opens[open].path.clone();
        // It may go by another tree than that of its handle, as far as a step can say that.
        let elsewhere = self.opens[open].tree != flight.tree_id && chain.members == 1;
        let elsewhere = elsewhere && matches!(request, Request::Read(_) | Request::Write(_));
        // Of a stream, the file that it belongs to as well.
        let file = (base(&path).len() < path.len()).then(|| base(&path));
        let mut touches: Vec<(Key, Touch)> = parents(&path)
            .chain(file)
            .map(|above| (Key::path(above), Touch::Look))
            .collect();
        touches.push((Key::path(&path), Touch::Look));
        let change = touches.len() - 1;
        let draft = |verb| Draft::new(0, verb).arg("handle", self.opens[open].name.clone());
        let draft = match request {
            Request::Close(request) => {
                touches[change].1 = Touch::Change;
                if self.opens[open].delete_on_close {
                    touches.extend(listings(&path, Touch::Change));
                    // A directory goes only if nothing is in it.
                    touches.push((Key::listing(&path), Touch::Look));
                }
                let asks = request.flags.contains(CloseFlags::POSTQUERY_ATTRIB);
                let draft = draft("close").flag("postquery", asks);
                if self.opens[open].delete_on_close {
                    self.delete_with_the_last(open);
                }
                self.closing(open);
                draft
            }
            Request::Flush(_) => draft("flush"),
            Request::Read(request) => draft("read")
                .unless("offset", request.offset, 0, Into::into)
                .arg("len", u64::from(request.length))
                .unless("min", u64::from(request.minimum_count), 0, Into::into)
                .flag(
                    "unbuffered",
                    request.flags.contains(ReadFlags::READ_UNBUFFERED),
                ),
            Request::Write(request) => {
                touches[change].1 = Touch::Change;
                let data = std::mem::take(&mut request.data);
                if data.len() > LONGEST_WRITE {
                    return Err("the write is longer than 8 MiB");
                }
                flight.fill = self.fills.of(&data);
                draft("write")
                    .unless("offset", request.offset, 0, Into::into)
                    .arg("len", data.len() as u64)
                    .unless("fill", flight.fill, 0, Into::into)
                    .flag(
                        "write-through",
                        request.flags.contains(WriteFlags::WRITE_THROUGH),
                    )
                    .flag(
                        "unbuffered",
                        request.flags.contains(WriteFlags::WRITE_UNBUFFERED),
                    )
            }
            Request::Lock(request) => {
                touches[change].1 = Touch::Change;
                flight.lock_sequence = request.lock_sequence;
                lock(draft("lock"), request)
            }
            Request::QueryDirectory(request) => {
                touches.push((Key::listing(&path), Touch::Look));
                let draft = draft("query-directory");
                self.query_directory(draft, request)?
            }
            Request::ChangeNotify(request) => {
                touches.push((Key::listing(&path), Touch::Look));
                touches.push((Key::watched(&path), Touch::Watch));
                let filter = words::COMPLETION_FILTER.write(request.completion_filter);
                let draft = draft("notify")
                    .arg("filter", filter)
                    .flag("tree", request.flags.contains(NotifyFlags::WATCH_TREE));
                buffer(draft, request.output_buffer_length)
            }
            Request::Ioctl(request) => {
                let draft = draft("ioctl");
                self.ioctl(id, draft, request, Some(open), flight, &mut touches)?
            }
            Request::QueryInfo(request) => {
                let draft = draft("query-info");
                self.query_info(draft, request)?
            }
            Request::SetInfo(request) if request.info_type == InfoType::SECURITY => {
                touches[change].1 = Touch::Change;
                let draft = draft("set-security");
                let (draft, descriptor) = self.set_security(draft, request)?;
                flight.descriptor = Some(descriptor);
                draft
            }
            Request::SetInfo(request) => {
                touches[change].1 = Touch::Change;
                let draft = draft("set-info");
                let prefix = self.tree(id, flight.session_id, flight.tree_id)?.prefix;
                self.set_info(draft, request, &path, &prefix, &mut touches)?
            }
            _ => return Err("the trace has no verb for it"),
        };
        flight.open = Some(open);
        let draft = match elsewhere {
            true => self.on_tree(id, draft, flight)?,
            false => draft,
        };
        if self.opens[open].pipe.is_some() {
            touches.clear();
            return Ok((client, draft, touches));
        }
        if touches[change].1 == Touch::Change && draft.verb != "lock" {
            touches.extend(altered(&path));
        }
        Ok((client, draft, touches))
    }

    fn cancel(
        &mut self,
        id: ConnectionId,
        time: u64,
        header: &Header,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let connection = self.connections.get(&id).ok_or("no connection")?;
        let flight = match header.async_id() {
            Some(async_id) => connection
                .in_flight
                .values()
                .find(|flight| flight.async_id == Some(async_id)),
            None => connection.in_flight.get(&header.message_id),
        };
        let step = flight.and_then(|flight| flight.step);
        let step = step.ok_or("what it cancels is not in the trace, or answered")?;
        let draft = &mut self.drafts[step];
        if draft.progress == Progress::Sent && matches!(draft.verb, "notify" | "lock") {
            // The client did not wait for the interim answer; a trace has to.
            draft.progress = Progress::Pending;
            draft.status = ExpectStatus::OneOf(vec![ntstatus::PENDING]);
        }
        if draft.progress != Progress::Pending {
            return Err("what it cancels is not pending in the trace");
        }
        let client = self.lanes.client_of(self.drafts[step].lane);
        let with = |draft: Draft| Draft {
            target: Some(step),
            ..draft
        };
        let cancel = self.put(client, chain, time, "cancel", with, &[]);
        self.drafts[cancel].progress = Progress::Done;
        Ok(())
    }
}

/// With the length of its buffer.
pub(super) fn buffer(draft: Draft, length: u32) -> Draft {
    draft.unless("buffer", u64::from(length), u64::from(BUFFER), Into::into)
}
