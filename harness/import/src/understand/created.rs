//! The answer to a CREATE: the open that came of it, and what it shows of the file.

use super::content::Content;
use super::draft::StepIndex;
use super::initial::Seen;
use super::paths::{base, canonical};
use super::state::{InFlight, Node};
use super::world::World;
use replay_ir::OwnedValue;
use smb_vocabulary::words;
use smb_wire::messages::{CreateRequest, CreateResponse, RequestContext, ResponseContext};
use smb_wire::{
    AdditionalInformation, CreateAction, CreateDisposition, DurableFlags, FileAttributes,
    OplockLevel, ntstatus,
};

/// Attributes that a test can see; the others are as the server makes them.
pub(super) const VISIBLE: FileAttributes = FileAttributes::READONLY
    .union(FileAttributes::HIDDEN)
    .union(FileAttributes::SYSTEM);

const DELETE_PENDING: u32 = 0xC000_0056;
const FILE_IS_A_DIRECTORY: u32 = 0xC000_00BA;
const NOT_A_DIRECTORY: u32 = 0xC000_0103;

impl World {
    pub(super) fn created(
        &mut self,
        step: StepIndex,
        flight: &InFlight,
        request: &CreateRequest,
        answer: &CreateResponse,
    ) {
        let Some(index) = flight.open else { return };
        if self.opens[index].pipe.is_some() {
            // What a server says of it is its own affair.
            self.opens[index].file_id = Some(answer.file_id);
            let session = self.opens[index].session;
            self.by_id.insert((session, answer.file_id), index);
            return;
        }
        if let Some(old) = self.opens[index].reconnects {
            return self.reconnected(step, (index, old), request, answer);
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
        let session = self.opens[index].session;
        self.by_id.insert((session, answer.file_id), index);
        self.expect_created(step, directory, request, answer);
    }

    pub(super) fn reconnected(
        &mut self,
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
        let session = self.opens[index].session;
        self.by_id.insert((session, answer.file_id), index);
        self.expect_created(step, directory, request, answer);
    }

    pub(super) fn expect_created(
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

    pub(super) fn not_created(&mut self, flight: &InFlight, request: &CreateRequest, status: u32) {
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
    pub(super) fn node(&mut self, path: &str, made: bool, size: u64) -> usize {
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
}
