//! From an answer to what its step expects, and to what it shows of the server's files.

use super::content::Source;
use super::draft::{Data, Draft, Progress, StepIndex};
use super::paths::canonical;
use super::state::InFlight;
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::ExpectStatus;
use smb_wire::{CloseFlags, FileInfoClass, Header, InfoType, Request, Response, ntstatus};

/// Larger files are not filled with a pattern.
pub(super) const LARGEST_FILLED: u64 = 64 << 20;

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
                let answered = (header.session_id, status);
                return self.session_set_up(id, answered, &flight, request, &response);
            }
            Request::TreeConnect(request) => {
                let tree_id = header.tree_id().unwrap_or(0);
                return self.tree_connected(id, (tree_id, status), &flight, request, &response);
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
                self.created(step, &flight, request, &answer);
            }
            (Request::Create(request), _) => self.not_created(&flight, request, status),
            (_, response) => self.on_open_answered(step, status, &flight, response),
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

    fn on_open_answered(
        &mut self,
        step: StepIndex,
        status: u32,
        flight: &InFlight,
        response: Response,
    ) {
        if let (Request::Ioctl(request), Response::Ioctl(answer)) = (&flight.request, &response) {
            let code = request.ctl_code;
            return self.controlled(step, status, flight, code, answer.clone());
        }
        let Some(index) = flight.open else { return };
        if self.opens[index].pipe.is_some() {
            return;
        }
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
}
