//! From an operation to the body of its request: every field as the step says. Header, credits, signature and the
//! place in a compound are left to [`transport`](super::transport).

mod create;
pub(super) mod durable;
mod ea;
mod ioctl;
mod quota;
mod security;
mod set_info;

use smb_vocabulary::{Lock, LockKind, Notify, Operation, Principals, QueryDirectory, Read, Write};
use smb_wire::messages::{
    ChangeNotifyRequest, CloseRequest, EchoRequest, FlushRequest, LockElement, LockRequest,
    LogoffRequest, QueryDirectoryRequest, QueryInfoRequest, ReadRequest, TreeConnectRequest,
    TreeDisconnectRequest, WriteRequest,
};
use smb_wire::{
    AdditionalInformation, CloseFlags, Dialect, FileId, InfoType, LockFlags, NotifyFlags,
    QueryDirectoryFlags, ReadFlags, Request, WriteFlags,
};

use super::opens::Opens;
use super::registry::Registry;

/// What a request depends on beside its operation.
pub(super) struct Scope<'a> {
    /// The server's name in UNC paths.
    pub(super) host: &'a str,
    /// The client's share.
    pub(super) share: &'a str,
    /// The directory on the share that the trace's paths are below.
    pub(super) root: &'a str,
    /// The negotiated dialect.
    pub(super) dialect: Dialect,
    /// Whom the names in security descriptors stand for.
    pub(super) principals: &'a Principals,
    /// What could be reconnected.
    pub(super) registry: &'a Registry,
    /// What is open.
    pub(super) opens: &'a Opens,
    /// VALIDATE_NEGOTIATE_INFO of this connection's NEGOTIATE.
    pub(super) validation: &'a [u8],
}

/// Whether an operation is a single request, with a final answer of its own.
pub(super) fn is_request(operation: &Operation<'_>) -> bool {
    !matches!(
        operation,
        Operation::Connect { .. }
            | Operation::Disconnect
            | Operation::Reauthenticate { .. }
            | Operation::Cancel { .. }
            | Operation::OnBreak(_)
            | Operation::Raw { .. }
            | Operation::Engine(_)
    )
}

/// The name of the handle that an operation uses, for messages.
pub(super) fn handle<'t>(operation: &Operation<'t>) -> Option<&'t str> {
    match operation {
        Operation::Close { handle, .. }
        | Operation::Flush { handle }
        | Operation::QueryInfo { handle, .. }
        | Operation::QueryFs { handle, .. } => Some(handle),
        Operation::Read(read) => Some(read.handle),
        Operation::Write(write) => Some(write.handle),
        Operation::Lock(lock) => Some(lock.handle),
        Operation::QueryDirectory(query) => Some(query.handle),
        Operation::SetInfo(set) => Some(set.handle),
        Operation::Notify(notify) => Some(notify.handle),
        Operation::Acknowledge(acknowledge) => Some(acknowledge.handle),
        Operation::QueryQuota(query) => Some(query.handle),
        Operation::SetQuota(set) => Some(set.handle),
        Operation::QuerySecurity(query) => Some(query.handle),
        Operation::SetSecurity(set) => Some(set.handle),
        Operation::QueryEa(query) => Some(query.handle),
        Operation::SetEa(set) => Some(set.handle),
        Operation::Ioctl(ioctl) => ioctl.handle,
        _ => None,
    }
}

/// The bytes of content that a request sends or asks for, which its credit charge counts (MS-SMB2 3.2.4.1.5).
pub(super) fn payload(operation: &Operation<'_>) -> u32 {
    match operation {
        Operation::Read(read) => read.length,
        Operation::Write(write) => u32::try_from(write.content.len()).unwrap_or(u32::MAX),
        Operation::QueryDirectory(query) => query.buffer,
        Operation::Notify(notify) => notify.buffer,
        Operation::QuerySecurity(query) => query.buffer,
        Operation::QueryEa(query) => query.buffer,
        Operation::QueryQuota(query) => query.buffer,
        Operation::Ioctl(ioctl) => ioctl::payload(ioctl),
        Operation::QueryInfo { buffer, .. } | Operation::QueryFs { buffer, .. } => *buffer,
        _ => 0,
    }
}

/// The body; `file_id` is the open of the handle that the operation uses. The error says what of the step cannot be
/// sent.
pub(super) fn body(
    operation: &Operation<'_>,
    file_id: FileId,
    scope: &Scope<'_>,
) -> Result<Request, String> {
    Ok(match operation {
        Operation::TreeConnect { share, .. } => {
            Request::TreeConnect(tree_connect(scope.host, share.unwrap_or(scope.share)))
        }
        Operation::TreeDisconnect => Request::TreeDisconnect(TreeDisconnectRequest),
        Operation::Logoff => Request::Logoff(LogoffRequest),
        Operation::Echo => Request::Echo(EchoRequest),
        Operation::Create(wanted) => Request::Create(create::request(wanted, scope)?),
        Operation::Reconnect(reconnect) => Request::Create(durable::reconnect(reconnect, scope)?),
        Operation::Close { postquery, .. } => {
            let flags = if *postquery {
                CloseFlags::POSTQUERY_ATTRIB
            } else {
                CloseFlags::empty()
            };
            Request::Close(CloseRequest { flags, file_id })
        }
        Operation::Read(read) => Request::Read(self::read(read, file_id)),
        Operation::Write(write) => Request::Write(self::write(write, file_id)),
        Operation::Flush { .. } => Request::Flush(FlushRequest { file_id }),
        Operation::Lock(lock) => Request::Lock(self::lock(lock, file_id)),
        Operation::QueryDirectory(query) => {
            Request::QueryDirectory(query_directory(query, file_id))
        }
        Operation::QueryInfo { class, buffer, .. } => {
            Request::QueryInfo(query_info(InfoType::FILE, class.0, *buffer, file_id))
        }
        Operation::QueryFs { class, buffer, .. } => {
            Request::QueryInfo(query_info(InfoType::FILESYSTEM, class.0, *buffer, file_id))
        }
        Operation::SetInfo(set) => {
            Request::SetInfo(set_info::request(&set.change, file_id, scope)?)
        }
        Operation::Notify(notify) => Request::ChangeNotify(self::notify(notify, file_id)),
        Operation::Ioctl(ioctl) => Request::Ioctl(self::ioctl::request(ioctl, file_id, scope)?),
        Operation::QueryEa(query) => Request::QueryInfo(ea::query(query, file_id)),
        Operation::SetEa(set) => Request::SetInfo(ea::set(set, file_id)),
        Operation::QueryQuota(query) => Request::QueryInfo(quota::query(query, file_id)),
        Operation::SetQuota(set) => Request::SetInfo(quota::set(set, file_id)),
        Operation::QuerySecurity(query) => Request::QueryInfo(security::query(query, file_id)),
        Operation::SetSecurity(set) => {
            Request::SetInfo(security::set(set, file_id, scope.principals)?)
        }
        Operation::Connect { .. }
        | Operation::Disconnect
        | Operation::Reauthenticate { .. }
        | Operation::Cancel { .. }
        | Operation::OnBreak(_)
        | Operation::Acknowledge(_)
        | Operation::Raw { .. }
        | Operation::Engine(_) => return Err("the step is no request of its own".to_owned()),
    })
}

/// TREE_CONNECT to a share of the server.
pub(super) fn tree_connect(host: &str, share: &str) -> TreeConnectRequest {
    TreeConnectRequest {
        path: format!("\\\\{host}\\{share}").into(),
        ..Default::default()
    }
}

fn read(read: &Read<'_>, file_id: FileId) -> ReadRequest {
    ReadRequest {
        flags: if read.unbuffered {
            ReadFlags::READ_UNBUFFERED
        } else {
            ReadFlags::empty()
        },
        length: read.length,
        offset: read.offset,
        file_id,
        minimum_count: read.minimum,
        ..Default::default()
    }
}

fn write(write: &Write<'_>, file_id: FileId) -> WriteRequest {
    let mut flags = WriteFlags::empty();
    flags.set(WriteFlags::WRITE_THROUGH, write.write_through);
    flags.set(WriteFlags::WRITE_UNBUFFERED, write.unbuffered);
    let mut data = Vec::with_capacity(write.content.len());
    write.content.append_to(write.offset, &mut data);
    WriteRequest {
        offset: write.offset,
        file_id,
        flags,
        data,
        ..Default::default()
    }
}

fn lock(lock: &Lock<'_>, file_id: FileId) -> LockRequest {
    let mut flags = match lock.kind {
        LockKind::Exclusive => LockFlags::EXCLUSIVE_LOCK,
        LockKind::Shared => LockFlags::SHARED_LOCK,
        LockKind::Unlock => LockFlags::UNLOCK,
    };
    // An unlock never waits, and MS-SMB2 2.2.26.1 allows no other flag beside it.
    flags.set(
        LockFlags::FAIL_IMMEDIATELY,
        !lock.wait && lock.kind != LockKind::Unlock,
    );
    let element = |range: &smb_vocabulary::LockRange| LockElement {
        offset: range.offset,
        length: range.length,
        flags,
    };
    LockRequest {
        lock_sequence: 0,
        file_id,
        locks: lock.ranges.iter().map(element).collect(),
    }
}

fn query_directory(query: &QueryDirectory<'_>, file_id: FileId) -> QueryDirectoryRequest {
    let mut flags = QueryDirectoryFlags::empty();
    flags.set(QueryDirectoryFlags::RESTART_SCANS, query.restart);
    flags.set(QueryDirectoryFlags::RETURN_SINGLE_ENTRY, query.single);
    flags.set(QueryDirectoryFlags::REOPEN, query.reopen);
    flags.set(QueryDirectoryFlags::INDEX_SPECIFIED, query.index.is_some());
    QueryDirectoryRequest {
        file_information_class: query.class,
        flags,
        file_index: query.index.unwrap_or(0),
        file_id,
        output_buffer_length: query.buffer,
        file_name: query.pattern.into(),
    }
}

fn notify(notify: &Notify<'_>, file_id: FileId) -> ChangeNotifyRequest {
    let mut flags = NotifyFlags::empty();
    flags.set(NotifyFlags::WATCH_TREE, notify.tree);
    ChangeNotifyRequest {
        flags,
        output_buffer_length: notify.buffer,
        file_id,
        completion_filter: notify.filter,
    }
}

fn query_info(info_type: InfoType, class: u8, buffer: u32, file_id: FileId) -> QueryInfoRequest {
    QueryInfoRequest {
        info_type,
        file_info_class: class,
        output_buffer_length: buffer,
        additional_information: AdditionalInformation::empty(),
        flags: 0,
        file_id,
        buffer: Vec::new(),
    }
}
