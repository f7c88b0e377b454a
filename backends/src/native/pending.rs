//! The requests of a connection that have no final answer yet, by message id.

use super::sessions::Tree;
use replay_engine::Op;
use replay_ir::StepId;
use smb_wire::messages::{CreateRequest, RequestContext};
use smb_wire::{Command, CtlCode, FileInfoClass, FsInfoClass, InfoType, OplockLevel, Request};

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    /// An operation of a client on the connection.
    Op {
        /// The client, as an index into the connection's lanes.
        lane: u16,
        /// What it submitted.
        op: Op,
    },
    /// A login on the established connection.
    Setup {
        /// The client that logs in.
        lane: u16,
    },
    /// The connection itself, which answers a break as the trace's `on-break` has it.
    Break {
        /// The step that opened the handle.
        opened_by: StepId,
        /// What it was answered with.
        settles: Settles,
    },
    /// Nobody: the connection asked on its own account (an orderly end), or the operation has been reported lost
    /// already.
    Nobody,
}

impl Waiter {
    /// The step that waits.
    pub(super) fn step(self) -> Option<StepId> {
        match self {
            Self::Op {
                op: Op::Step(step), ..
            } => Some(step),
            _ => None,
        }
    }
}

/// What a client answers a break with by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settles {
    /// An acknowledgement.
    Acknowledgement,
    /// A CLOSE.
    Close,
}

/// How an answer is to be read, where its message does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// As its message says.
    Plain,
    /// Directory entries of this class.
    Directory(FileInfoClass),
    /// File information of this class.
    File(FileInfoClass),
    /// File system information of this class.
    FileSystem(FsInfoClass),
    /// A security descriptor.
    Security,
    /// Quotas.
    Quota,
    /// The output of this control code.
    Control(CtlCode),
    /// An open that asked for this oplock level.
    Open(OplockLevel),
}

impl Content {
    /// What the answer to `request` holds.
    pub(super) fn of(request: &Request) -> Self {
        match request {
            Request::Create(create) if !wants_back(create) => {
                Self::Open(create.requested_oplock_level)
            }
            Request::Ioctl(ioctl) => Self::Control(ioctl.ctl_code),
            Request::QueryDirectory(query) => Self::Directory(query.file_information_class),
            Request::QueryInfo(query) => match query.info_type {
                InfoType::FILE => Self::File(FileInfoClass(query.file_info_class)),
                InfoType::SECURITY => Self::Security,
                InfoType::QUOTA => Self::Quota,
                InfoType::FILESYSTEM => Self::FileSystem(FsInfoClass(query.file_info_class)),
                _ => Self::Plain,
            },
            _ => Self::Plain,
        }
    }
}

/// True when a CREATE is about an open that was there before, which has the oplock that it has.
fn wants_back(create: &CreateRequest) -> bool {
    create.create_contexts.iter().any(|context| {
        matches!(
            context,
            RequestContext::DurableHandleReconnect(_) | RequestContext::DurableHandleReconnectV2(_)
        )
    })
}

/// One request in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    /// MessageId.
    pub(super) message_id: u64,
    /// AsyncId, once an interim answer has told it.
    pub(super) async_id: Option<u64>,
    /// What was asked.
    pub(super) command: Command,
    /// In which session, as an index into the connection's.
    pub(super) session: u16,
    /// On which tree; `None` is the session's own.
    pub(super) tree: Option<Tree>,
    /// How the answer is to be read.
    pub(super) content: Content,
    /// Who asked.
    pub(super) waiter: Waiter,
    /// The step whose handle ends with the answer.
    pub(super) closes: Option<StepId>,
    /// The request was signed, so the answer must be (MS-SMB2 3.3.4.1.1).
    pub(super) signed: bool,
    /// The request was encrypted, so the answer must be.
    pub(super) encrypted: bool,
    /// Its SessionId was all ones; an answer may have that too.
    pub(super) inherit: bool,
    /// The request is wrong on purpose, so less is demanded of its answer.
    pub(super) edited: bool,
}

/// All requests in flight; they are few, and their ids only grow.
#[derive(Debug, Default, Clone)]
pub(super) struct PendingTable {
    by_id: Vec<Pending>,
}

impl PendingTable {
    /// A request was sent. Ids are added in ascending order.
    pub(super) fn add(&mut self, pending: Pending) {
        debug_assert!(
            self.by_id
                .last()
                .is_none_or(|last| last.message_id < pending.message_id)
        );
        self.by_id.push(pending);
    }

    /// The same for a request with an id of the trace's own.
    pub(super) fn insert(&mut self, pending: Pending) {
        let before = |other: &Pending| other.message_id <= pending.message_id;
        let index = self.by_id.partition_point(before);
        self.by_id.insert(index, pending);
    }

    /// The request with this id.
    pub(super) fn get(&mut self, message_id: u64) -> Option<&mut Pending> {
        let index = self.index(message_id)?;
        self.by_id.get_mut(index)
    }

    /// The request with this id has its final answer.
    pub(super) fn remove(&mut self, message_id: u64) -> Option<Pending> {
        self.index(message_id).map(|index| self.by_id.remove(index))
    }

    /// The request for this operation, whoever submitted it.
    pub(super) fn find(&self, wanted: Op) -> Option<&Pending> {
        self.by_id
            .iter()
            .find(|pending| matches!(pending.waiter, Waiter::Op { op, .. } if op == wanted))
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.by_id.iter_mut()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Forgets what was added since there were `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.by_id.truncate(len);
    }

    /// True when every request has its final answer.
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    fn index(&self, message_id: u64) -> Option<usize> {
        self.by_id
            .binary_search_by_key(&message_id, |pending| pending.message_id)
            .ok()
    }
}
