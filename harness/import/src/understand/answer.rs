//! From an answer to what its step expects, and to what it shows of the server's files.

use super::content::{Content, Source};
use super::draft::{Data, Draft, Progress, StepIndex};
use super::initial::Seen;
use super::request::{base, canonical};
use super::world::{InFlight, Node, World};
use crate::capture::ConnectionId;
use replay_ir::{ExpectStatus, OwnedValue};
use smb_vocabulary::{answer, words};
use smb_wire::fscc::{
    FileAllocationInformation, FileDispositionInformation, FileDispositionInformationEx,
    FileEndOfFileInformation, FileRenameInformation, FileRenameInformationEx, decode_directory,
    decode_notify,
};
use smb_wire::messages::{
    CreateRequest, CreateResponse, QueryDirectoryRequest, RequestContext, ResponseContext,
};
use smb_wire::{
    AdditionalInformation, CloseFlags, CreateAction, CreateDisposition, DurableFlags,
    FileAttributes, FileInfoClass, Header, InfoType, OplockLevel, QueryDirectoryFlags, Request,
    Response, ntstatus,
};

/// Attributes that a test can see; the others are as the server makes them.
const VISIBLE: FileAttributes = FileAttributes::READONLY
    .union(FileAttributes::HIDDEN)
    .union(FileAttributes::SYSTEM);

/// Fields of QUERY_INFO that a server does not choose by itself.
const DECIDED: [&str; 4] = ["size", "directory", "delete-pending", "position"];

/// Larger files are not filled with a pattern.
pub(super) const LARGEST_FILLED: u64 = 64 << 20;

const DELETE_PENDING: u32 = 0xC000_0056;
const FILE_IS_A_DIRECTORY: u32 = 0xC000_00BA;
const NOT_A_DIRECTORY: u32 = 0xC000_0103;

/// A listing that leaves so many bytes of its buffer free has come to its end.
const ROOM_FOR_A_NAME: usize = 700;

impl World {
    /// The interim answer of a step's request came.
    pub(super) fn interim(&mut self, step: StepIndex) {
        let draft = &mut self.drafts[step];
        // The others are seldom pending, and not by anything that the trace says.
        if matches!(draft.verb, "create" | "lock" | "notify") && draft.progress == Progress::Sent {
            draft.progress = Progress::Pending;
            draft.status = ExpectStatus::OneOf(vec![ntstatus::PENDING]);
        }
    }

    /// The answer of a request came.
    pub(super) fn answer(
        &mut self,
        id: ConnectionId,
        header: &Header,
        response: Response,
        flight: InFlight,
    ) {
        let status = header.status;
        if status != ntstatus::SUCCESS
            && let Some(count) = self.report.kinds.get_mut(flight.kind)
        {
            count.errors += 1;
        }
        match &flight.request {
            Request::Negotiate(_) => return self.negotiated(id, &response),
            Request::SessionSetup(request) => {
                return self.session_set_up(id, header.session_id, status, request, &response);
            }
            Request::TreeConnect(request) => {
                let tree_id = header.tree_id().unwrap_or(0);
                let header = (flight.session_id, tree_id, status);
                return self.tree_connected(id, header, request, &response);
            }
            Request::Logoff(_) | Request::TreeDisconnect(_) => {
                return self.left(id, status, &flight);
            }
            Request::OplockBreak(_) | Request::LeaseBreak(_) => {
                if let Some(step) = flight.step {
                    self.drafts[step].progress = Progress::Done;
                    self.drafts[step].status = ExpectStatus::OneOf(vec![status]);
                } else if status != ntstatus::SUCCESS {
                    self.adapt(
                        "acknowledgement",
                        "the server refused it, which the trace does not say",
                    );
                }
                return;
            }
            _ => {}
        }
        let (Some(step), None) = (flight.step, flight.skipped) else {
            return;
        };
        if let Some(reason) = self.drafts[step].stale
            && status == ntstatus::SUCCESS
        {
            return self.drop_step(step, reason);
        }
        if let Some(open) = flight.open
            && self.opens[open].failed
            && !matches!(flight.request, Request::Create(_))
        {
            let created_by = &self.drafts[self.opens[open].created_by];
            if created_by.dropped || created_by.frame != self.drafts[step].frame {
                return self.drop_step(step, "it is related to an open that failed");
            }
        }
        let step = match self.drafts[step].progress {
            Progress::Pending if self.needs_no_await(step) => step,
            Progress::Pending => {
                let lane = self.drafts[step].lane;
                let client = self.lanes.client_of(lane);
                let lane = self.lanes.free(client, Some(lane), &self.drafts);
                let mut draft = Draft::new(lane, "await");
                draft.target = Some(step);
                let awaiting = self.add(draft, None, &[], false);
                self.drafts[step].awaited_by = Some(awaiting);
                self.drafts[step].progress = Progress::Done;
                awaiting
            }
            _ => step,
        };
        self.drafts[step].progress = Progress::Done;
        self.drafts[step].status = ExpectStatus::OneOf(vec![status]);
        match (&flight.request, response) {
            (Request::Create(request), Response::Create(answer)) if status == ntstatus::SUCCESS => {
                self.created(id, step, &flight, request, &answer);
            }
            (Request::Create(request), _) => self.not_created(&flight, request, status),
            (_, response) => self.on_open_answered(id, step, status, &flight, response),
        }
    }

    /// Whether nothing that its client did depended on the interim answer of an open. A server sends one only when a
    /// break takes it some time, which in a replay it may not.
    fn needs_no_await(&self, step: StepIndex) -> bool {
        let client = self.lanes.client_of(self.drafts[step].lane);
        let later = step + 1..self.drafts.len();
        self.drafts[step].verb == "create"
            && later
                .clone()
                .filter(|&other| !matches!(self.drafts[other].verb, "break" | "on-break"))
                .all(|other| self.lanes.client_of(self.drafts[other].lane) != client)
    }

    fn created(
        &mut self,
        id: ConnectionId,
        step: StepIndex,
        flight: &InFlight,
        request: &CreateRequest,
        answer: &CreateResponse,
    ) {
        let Some(index) = flight.open else { return };
        if let Some(old) = self.opens[index].reconnects {
            return self.reconnected(id, step, (index, old), request, answer);
        }
        let path = self.opens[index].path.clone();
        let raw = self.drafts[self.opens[index].created_by]
            .args
            .iter()
            .any(|(name, _)| name == "raw-path");
        if raw {
            self.opens[index].failed = true;
            let created_by = self.opens[index].created_by;
            return self.drop_step(created_by, "its path cannot be below the trace's root");
        }
        let directory = answer.file_attributes.contains(FileAttributes::DIRECTORY);
        let made = answer.create_action == CreateAction::CREATED;
        self.observe(
            &path,
            match made {
                true => Seen::Absent,
                false => Seen::Present {
                    directory: Some(directory),
                    size: match answer.create_action {
                        CreateAction::OPENED if !directory => answer.end_of_file,
                        _ => 0,
                    },
                    attributes: answer.file_attributes & VISIBLE,
                },
            },
        );
        if made && let Some((parent, _)) = base(&path).rsplit_once('/') {
            self.observe(parent, Seen::DIRECTORY);
        }
        let node = self.node(&path, made, answer.end_of_file);
        if made {
            self.nodes[node].made_by = Some(self.opens[index].client);
        }
        if made
            && request
                .create_contexts
                .iter()
                .any(|context| matches!(context, RequestContext::SdBuffer(_)))
        {
            let all = AdditionalInformation::OWNER | AdditionalInformation::DACL;
            self.nodes[node].security_set = all;
        }
        if !made && answer.create_action != CreateAction::OPENED {
            self.nodes[node].content.resize(0);
        }
        let open = &mut self.opens[index];
        open.node = node;
        open.directory = directory;
        open.file_id = Some(answer.file_id);
        open.oplock = answer.oplock_level;
        if answer.oplock_level != OplockLevel::LEASE {
            open.lease = None;
        }
        self.by_id.insert((id, answer.file_id), index);
        self.expect_created(step, directory, request, answer);
    }

    fn reconnected(
        &mut self,
        id: ConnectionId,
        step: StepIndex,
        (index, old): (usize, usize),
        request: &CreateRequest,
        answer: &CreateResponse,
    ) {
        let before = &self.opens[old];
        let (node, directory, lease) = (before.node, before.directory, before.lease);
        let delete_on_close = before.delete_on_close;
        let open = &mut self.opens[index];
        (open.node, open.directory) = (node, directory);
        open.delete_on_close = delete_on_close;
        open.file_id = Some(answer.file_id);
        open.oplock = answer.oplock_level;
        open.lease = match answer.oplock_level {
            OplockLevel::LEASE => open.lease.or(lease),
            _ => None,
        };
        self.by_id.insert((id, answer.file_id), index);
        self.expect_created(step, directory, request, answer);
    }

    fn expect_created(
        &mut self,
        step: StepIndex,
        directory: bool,
        request: &CreateRequest,
        answer: &CreateResponse,
    ) {
        let draft = &mut self.drafts[step];
        let level = answer.oplock_level;
        if request.requested_oplock_level != OplockLevel::NONE || level != OplockLevel::NONE {
            draft.expect("oplock", words::OPLOCK.write(level));
        }
        draft.expect("action", words::ACTION.write(answer.create_action));
        if !directory {
            draft.expect("size", answer.end_of_file);
        }
        let (mut durable, mut asked) = ("no", false);
        for context in &request.create_contexts {
            use smb_wire::messages::RequestContext::*;
            asked |= matches!(context, DurableHandleRequest | DurableHandleRequestV2(_));
        }
        for context in &answer.create_contexts {
            match context {
                ResponseContext::Lease(lease) => {
                    draft.expect("lease-state", words::LEASE.write(lease.lease_state));
                }
                ResponseContext::LeaseV2(lease) => {
                    draft.expect("lease-state", words::LEASE.write(lease.lease_state));
                    draft.expect("lease-epoch", u64::from(lease.epoch));
                }
                ResponseContext::DurableHandleResponse => durable = "v1",
                ResponseContext::DurableHandleResponseV2(answer) => {
                    durable = match answer.flags.contains(DurableFlags::PERSISTENT) {
                        true => "persistent",
                        false => "v2",
                    };
                }
                _ => {}
            }
        }
        if asked {
            draft.expect("durable", OwnedValue::Word(durable));
        }
    }

    fn not_created(&mut self, flight: &InFlight, request: &CreateRequest, status: u32) {
        let Some(index) = flight.open else { return };
        self.opens[index].failed = true;
        self.opens[index].alive = false;
        let step = self.opens[index].created_by;
        if self.drafts[step]
            .args
            .iter()
            .any(|(name, _)| name == "raw-path")
        {
            return;
        }
        if self.opens[index].reconnects.is_some() {
            return;
        }
        let path = self.opens[index].path.clone();
        let finds = matches!(
            request.create_disposition,
            CreateDisposition::OPEN | CreateDisposition::OVERWRITE
        );
        match status {
            FILE_IS_A_DIRECTORY => self.observe(&path, Seen::DIRECTORY),
            NOT_A_DIRECTORY if base(&path).len() == path.len() => self.observe(
                &path,
                Seen::Present {
                    directory: Some(false),
                    size: 0,
                    attributes: FileAttributes::empty(),
                },
            ),
            ntstatus::OBJECT_NAME_COLLISION | ntstatus::SHARING_VIOLATION | DELETE_PENDING => {
                self.observe(&path, Seen::PRESENT);
            }
            ntstatus::ACCESS_DENIED if finds => self.observe(&path, Seen::PRESENT),
            ntstatus::OBJECT_PATH_NOT_FOUND => self.observe(&path, Seen::Absent),
            ntstatus::OBJECT_NAME_NOT_FOUND => {
                self.observe(&path, Seen::Absent);
                if let Some((parent, _)) = base(&path).rsplit_once('/') {
                    self.observe(parent, Seen::DIRECTORY);
                }
            }
            _ => {}
        }
    }

    /// The file at a path; a new one if it was made just now.
    fn node(&mut self, path: &str, made: bool, size: u64) -> usize {
        let key = canonical(path).to_lowercase();
        if let Some(&node) = self.by_path.get(&key).filter(|_| !made) {
            return node;
        }
        self.nodes.push(Node {
            content: if made {
                Content::default()
            } else {
                Content::given(size)
            },
            existed: !made,
            ..Node::default()
        });
        let node = self.nodes.len() - 1;
        self.by_path.insert(key, node);
        if !made {
            self.initial.has_content(&canonical(path), node, size);
        }
        node
    }

    fn on_open_answered(
        &mut self,
        id: ConnectionId,
        step: StepIndex,
        status: u32,
        flight: &InFlight,
        response: Response,
    ) {
        if let (Request::Ioctl(request), Response::Ioctl(answer)) = (&flight.request, &response) {
            let code = request.ctl_code;
            return self.controlled(id, step, status, flight, code, answer.clone());
        }
        let Some(index) = flight.open else { return };
        let node = self.opens[index].node;
        let success = status == ntstatus::SUCCESS;
        match (&flight.request, response) {
            (Request::Read(request), Response::Read(answer)) if success => {
                let length = answer.data.len() as u64;
                self.drafts[step].expect("len", length);
                let zeros = answer.data.iter().all(|&byte| byte == 0);
                self.read(step, node, request.offset, length, zeros);
                if self.nodes.get(node).is_some_and(|node| node.existed) {
                    let path = self.opens[index].path.clone();
                    let known = self.nodes[node].content.read(request.offset, length);
                    if known == Some(Source::Given) {
                        let end = request.offset.saturating_add(length);
                        self.initial.has_content(&canonical(&path), node, end);
                    }
                }
            }
            (Request::Write(request), Response::Write(answer)) if success => {
                self.drafts[step].expect("len", u64::from(answer.count));
                if let Some(node) = self.nodes.get_mut(node) {
                    let offset = match request.offset {
                        u64::MAX => node.content.size(),
                        offset => offset,
                    };
                    let source = Source::Fill(flight.fill);
                    node.content.write(offset, answer.count.into(), source);
                }
            }
            (Request::Close(_), Response::Close(answer)) if success => {
                let asked = answer.flags.contains(CloseFlags::POSTQUERY_ATTRIB);
                if asked && !self.opens[index].directory {
                    self.drafts[step].expect("size", answer.end_of_file);
                }
            }
            (Request::QueryInfo(request), Response::QueryInfo(answer))
                if success && request.info_type == InfoType::FILE =>
            {
                let class = FileInfoClass(request.file_info_class);
                let directory = self.opens[index].directory;
                self.expect_info(step, class, directory, &answer.buffer);
            }
            (Request::QueryInfo(request), Response::QueryInfo(answer))
                if success && request.info_type == InfoType::SECURITY =>
            {
                self.described(step, index, &answer.buffer);
            }
            (Request::SetInfo(request), _)
                if success && request.info_type == InfoType::SECURITY =>
            {
                self.secured(index, request.additional_information);
            }
            (Request::QueryDirectory(request), Response::QueryDirectory(answer)) if success => {
                self.listed(step, index, request, &answer.buffer);
            }
            (Request::QueryDirectory(_), _)
                if self.opens[index].listed && status == ntstatus::NO_MORE_FILES =>
            {
                self.either_way(step);
            }
            (Request::ChangeNotify(_), Response::ChangeNotify(answer)) if success => {
                self.notified(step, &answer.buffer);
            }
            (Request::SetInfo(request), _) if success && request.info_type == InfoType::FILE => {
                let class = FileInfoClass(request.file_info_class);
                self.changed(index, class, &request.buffer);
            }
            _ => {}
        }
    }

    fn read(&mut self, step: StepIndex, node: usize, offset: u64, length: u64, zeros: bool) {
        let Some(file) = self.nodes.get_mut(node) else {
            return;
        };
        let Some(source) = file.content.read(offset, length) else {
            if length > 0 {
                self.adapt(
                    "read",
                    "of bytes from several writes; only their number is expected",
                );
            }
            return;
        };
        match source {
            Source::Fill(0) if !zeros => {
                return self.adapt(
                    "read",
                    "of bytes that nothing in the capture wrote; only their number is expected",
                );
            }
            Source::Given if !zeros && file.given_fill.is_none() => {
                file.given_fill = Some(self.fills.fresh());
            }
            _ => {}
        }
        self.drafts[step].data = Data::From {
            source,
            node,
            zeros,
        };
    }

    fn expect_info(
        &mut self,
        step: StepIndex,
        class: FileInfoClass,
        directory: bool,
        buffer: &[u8],
    ) {
        if class == FileInfoClass::FULL_EA {
            match self.expected_attributes(buffer) {
                Some(attributes) => self.drafts[step].expect("ea", attributes),
                None => self.adapt(
                    "query-info",
                    "of extended attributes that no step has set; only the status is expected",
                ),
            }
            return;
        }
        let Ok(found) = answer::query_info(class, ntstatus::SUCCESS, buffer) else {
            return self.adapt(
                "query-info",
                "its answer does not decode; only the status is expected",
            );
        };
        for (name, value) in found.fields {
            match (name, value) {
                ("size", _) if directory => {}
                ("streams", OwnedValue::List(streams)) => {
                    let mut names: Vec<String> = streams
                        .iter()
                        .filter_map(|stream| stream.as_value().as_str().map(str::to_owned))
                        .map(|stream| self.names.stream(&stream))
                        .collect();
                    names.sort_unstable();
                    let names = names.into_iter().map(OwnedValue::Text).collect();
                    self.drafts[step].expect("streams", OwnedValue::List(names));
                }
                (name, value) if DECIDED.contains(&name) => self.drafts[step].expect(name, value),
                _ => {}
            }
        }
    }

    fn listed(
        &mut self,
        step: StepIndex,
        open: usize,
        request: &QueryDirectoryRequest,
        buffer: &[u8],
    ) {
        let path = self.opens[open].path.clone();
        let class = request.file_information_class;
        let Ok(entries) = decode_directory(class, buffer) else {
            return self.adapt(
                "query-directory",
                "of a class that is not read; only the status is expected",
            );
        };
        let mut names = Vec::new();
        let mut count = 0_u64;
        for entry in entries {
            let Ok(entry) = entry else {
                return self.adapt(
                    "query-directory",
                    "its answer does not decode; only the status is expected",
                );
            };
            count += 1;
            let name = entry.file_name.to_string_lossy();
            if name == "." || name == ".." {
                continue;
            }
            let below = match path.is_empty() {
                true => name.clone(),
                false => format!("{path}/{name}"),
            };
            let seen = match &entry.details {
                None => Seen::PRESENT,
                Some(details) => {
                    let directory = details.file_attributes.contains(FileAttributes::DIRECTORY);
                    Seen::Present {
                        directory: Some(directory),
                        size: if directory { 0 } else { details.end_of_file },
                        attributes: details.file_attributes & VISIBLE,
                    }
                }
            };
            self.observe(&below, seen);
            names.push(
                self.names
                    .path(&below)
                    .rsplit('/')
                    .next()
                    .unwrap_or("")
                    .to_owned(),
            );
        }
        let again = QueryDirectoryFlags::RESTART_SCANS | QueryDirectoryFlags::REOPEN;
        let goes_on = self.opens[open].listed && !request.flags.intersects(again);
        let single = request
            .flags
            .contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY)
            || request.flags.contains(QueryDirectoryFlags::INDEX_SPECIFIED);
        let pattern = request.file_name.to_string_lossy();
        if !self.names.finds_the_same(&pattern) {
            let either = vec![
                ntstatus::SUCCESS,
                ntstatus::NO_SUCH_FILE,
                ntstatus::NO_MORE_FILES,
            ];
            self.drafts[step].status = ExpectStatus::OneOf(either);
            return self.adapt(
                "query-directory",
                "a pattern with a part of a name, which the replaced names do not have",
            );
        }
        let room = (request.output_buffer_length as usize).saturating_sub(buffer.len());
        if single {
            return;
        }
        if goes_on {
            return self.either_way(step);
        }
        if room < ROOM_FOR_A_NAME {
            self.opens[open].listed = true;
            return self.adapt(
                "query-directory",
                "the listing goes on in another buffer; which names are in which is not expected",
            );
        }
        self.opens[open].listed = false;
        self.drafts[step].expect("count", count);
        names.sort_unstable();
        let names = names.into_iter().map(OwnedValue::Text).collect();
        self.drafts[step].expect("names", OwnedValue::List(names));
    }

    /// Several changes may come in one answer or in more, so only a single one is expected.
    fn notified(&mut self, step: StepIndex, buffer: &[u8]) {
        let changes: Vec<_> = decode_notify(buffer).filter_map(Result::ok).collect();
        let [change] = &changes[..] else {
            return self.adapt(
                "change-notify",
                "which changes come in one answer is not expected",
            );
        };
        let name = change.file_name.to_string_lossy().replace('\\', "/");
        let action = words::NOTIFY_ACTION.write(change.action);
        let text = format!("{action} {}", self.names.path(&name));
        let changes = OwnedValue::List(vec![OwnedValue::Text(text)]);
        self.drafts[step].expect("changes", changes);
    }

    /// How many buffers a long listing takes depends on the order in which a server keeps the names.
    fn either_way(&mut self, step: StepIndex) {
        self.adapt(
            "query-directory",
            "in how many buffers a long listing comes is not expected",
        );
        let either = vec![ntstatus::SUCCESS, ntstatus::NO_MORE_FILES];
        self.drafts[step].status = ExpectStatus::OneOf(either);
    }

    /// What a SET_INFO that succeeded has changed.
    fn changed(&mut self, open: usize, class: FileInfoClass, data: &[u8]) {
        let node = self.opens[open].node;
        match class {
            FileInfoClass::END_OF_FILE => {
                if let (Ok(size), Some(node)) = (
                    FileEndOfFileInformation::decode(data),
                    self.nodes.get_mut(node),
                ) {
                    node.content.resize(size.end_of_file);
                }
            }
            FileInfoClass::ALLOCATION => {
                if let (Ok(size), Some(node)) = (
                    FileAllocationInformation::decode(data),
                    self.nodes.get_mut(node),
                ) && size.allocation_size < node.content.size()
                {
                    node.content.resize(size.allocation_size);
                }
            }
            FileInfoClass::DISPOSITION => {
                if let Ok(disposition) = FileDispositionInformation::decode(data) {
                    self.opens[open].delete_on_close = disposition.delete_pending;
                }
            }
            FileInfoClass::DISPOSITION_EX => {
                if let Ok(disposition) = FileDispositionInformationEx::decode(data) {
                    self.opens[open].delete_on_close = disposition.flags & 1 != 0;
                }
            }
            FileInfoClass::RENAME | FileInfoClass::RENAME_EX => {
                let to = match class {
                    FileInfoClass::RENAME => {
                        FileRenameInformation::decode(data).map(|to| to.file_name)
                    }
                    _ => FileRenameInformationEx::decode(data).map(|to| to.file_name),
                };
                if let Some(to) = to.ok().and_then(|to| to.to_utf8()) {
                    if to.starts_with(':') {
                        return self.stream_renamed(open, &to);
                    }
                    let prefix = self.opens[open].prefix.clone();
                    let to = to.replace('\\', "/");
                    self.renamed(
                        open,
                        &match prefix.is_empty() {
                            true => to,
                            false => format!("{prefix}/{to}"),
                        },
                    );
                }
            }
            _ => {}
        }
    }

    /// A stream has another name; the file is the same.
    fn stream_renamed(&mut self, open: usize, to: &str) {
        let from = self.opens[open].path.clone();
        let to = canonical(&format!("{}{to}", base(&from)));
        self.initial.observe(&to, Seen::Absent);
        let key = |path: &str| canonical(path).to_lowercase();
        if let Some(node) = self.by_path.remove(&key(&from)) {
            self.by_path.insert(key(&to), node);
        }
        for other in self.opens.iter_mut().filter(|open| open.alive) {
            if key(&other.path) == key(&from) {
                other.path.clone_from(&to);
            }
        }
    }

    fn renamed(&mut self, open: usize, to: &str) {
        let from = self.opens[open].path.clone();
        if let Some((parent, _)) = to.rsplit_once('/') {
            self.observe(parent, Seen::DIRECTORY);
        }
        self.observe(to, Seen::Absent);
        self.initial.rename(&from, to);
        let moved = |path: &str| {
            let below = path.strip_prefix(&from)?;
            (below.is_empty() || below.starts_with('/')).then(|| format!("{to}{below}"))
        };
        for open in self.opens.iter_mut().filter(|open| open.alive) {
            if let Some(path) = moved(&open.path) {
                open.path = path;
            }
        }
        let (from, to) = (from.to_lowercase(), to.to_lowercase());
        let below = format!("{from}/");
        let all: Vec<String> = self
            .by_path
            .keys()
            .filter(|path| **path == from || path.starts_with(&below))
            .cloned()
            .collect();
        for path in all {
            if let Some(node) = self.by_path.remove(&path) {
                self.by_path
                    .insert(format!("{to}{}", &path[from.len()..]), node);
            }
        }
    }
}
