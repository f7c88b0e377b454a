//! From an operation of the vocabulary to a request of the crate.
//!
//! [`body`] is the one place that decides what can be said: [`super::capabilities`] asks it for every step before a
//! run, so that what the backend promises and what it sends cannot differ. Its error is a fragment that names what
//! cannot be said.
//!
//! Flags go over as bits and not by the crate's names, because four of those stand for other bits than MS-SMB2 says
//! (`smb-msg-0.12.1`): `LockFlag::fail_immediately` is 0x08 instead of 0x10 (`lock.rs`), `WriteFlags` has its two
//! swapped (`file.rs`), `QueryDirectoryFlags::reopen` is 0x08 instead of 0x10 (`query_dir.rs`).

use std::sync::Arc;

use smb::{
    AdditionalInfo, AllocationSize, CloseRequest, Command, CreateContextRequest, CreateDisposition,
    CreateOptions, CreateRequest, DurableHandleRequest, DurableHandleRequestV2,
    DurableHandleV2Flags, EchoMessage, FileAccessMask, FileAttributes, FileId, FlushRequest,
    GetInfoRequestData, Guid, ImpersonationLevel, InfoType, LockElement, LockFlag, LockRequest,
    LockSequence, LogoffRequest, OplockLevel, QueryDirectoryFlags, QueryDirectoryInfoClass,
    QueryDirectoryRequest, QueryFileInfoClass, QueryFileSystemInfoClass, QueryInfoClass,
    QueryInfoFlags, QueryInfoRequest, QueryMaximalAccessRequest, QueryOnDiskIdReq, ReadFlags,
    ReadRequest, RequestContent, ShareAccessFlags, TimewarpToken, TreeConnectRequest,
    TreeDisconnectRequest, WriteFlags, WriteRequest,
};
use smb_vocabulary::{
    Create, Durable, Lock, LockKind, Operation, QueryDirectory, Read, Write, paths,
};
use smb_wire as wire;

use super::set_info;

/// Where a client's paths and shares are.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The server's name in UNC paths.
    pub(super) host: String,
    /// The client's share.
    pub(super) share: String,
    /// The directory of the share below which the trace's paths are.
    pub(super) root: String,
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct Body {
    /// The command of the header.
    pub(super) command: Command,
    /// What follows the header.
    pub(super) content: RequestContent,
    /// What follows that: the data of a WRITE.
    pub(super) payload: Option<Arc<[u8]>>,
}

impl From<RequestContent> for Body {
    fn from(content: RequestContent) -> Self {
        Self {
            command: content.associated_cmd(),
            content,
            payload: None,
        }
    }
}

/// What to send for `operation`, of which the engine or the client itself does nothing. `file` is the open that its
/// handle stands for.
pub(super) fn body(operation: &Operation<'_>, file: FileId, place: &Place) -> Result<Body, String> {
    let content: RequestContent = match operation {
        Operation::TreeConnect { name: Some(_), .. } => return Err("tree-connect as=".into()),
        Operation::TreeConnect { share, name: None } => {
            let share = share.unwrap_or(&place.share);
            TreeConnectRequest::new(&format!(r"\\{}\{share}", place.host)).into()
        }
        Operation::TreeDisconnect => TreeDisconnectRequest::default().into(),
        Operation::Logoff => LogoffRequest::default().into(),
        Operation::Echo => EchoMessage::default().into(),
        Operation::Create(create) => create_request(create, place)?.into(),
        Operation::Close { postquery, .. } => return Ok(close(file, *postquery)),
        Operation::Read(read) => read_request(read, file)?.into(),
        Operation::Write(write) => return Ok(write_body(write, file)),
        Operation::Flush { .. } => FlushRequest { file_id: file }.into(),
        Operation::Lock(lock) => lock_request(lock, file).into(),
        Operation::QueryDirectory(query) => directory_request(query, file)?.into(),
        Operation::QueryInfo { class, buffer, .. } => {
            let class =
                file_class(class.0).ok_or_else(|| format!("query-info class {:#x}", class.0))?;
            query(InfoType::File, QueryInfoClass::File(class), *buffer, file).into()
        }
        Operation::QueryFs { class, buffer, .. } => {
            let class =
                fs_class(class.0).ok_or_else(|| format!("query-fs class {:#x}", class.0))?;
            query(
                InfoType::FileSystem,
                QueryInfoClass::FileSystem(class),
                *buffer,
                file,
            )
            .into()
        }
        Operation::QueryEa(_) | Operation::SetEa(_) => return Err("extended attributes".into()),
        Operation::Ioctl(_) => return Err("ioctl".into()),
        Operation::QueryQuota(_) | Operation::SetQuota(_) => return Err("quotas".into()),
        Operation::QuerySecurity(_) | Operation::SetSecurity(_) => {
            return Err("security descriptors".into());
        }
        Operation::SetInfo(change) => set_info::request(change, file, place)?.into(),
        Operation::Notify(_) => return Err("notify".into()),
        Operation::Acknowledge(_) => return Err("acknowledge".into()),
        Operation::Reconnect(_) => return Err("reconnect".into()),
        Operation::Reauthenticate { .. } => return Err("reauthenticate".into()),
        Operation::Connect { .. }
        | Operation::Disconnect
        | Operation::Cancel { .. }
        | Operation::OnBreak(_)
        | Operation::Raw { .. }
        | Operation::Engine(_) => return Err("a step of which nothing is sent".into()),
    };
    Ok(content.into())
}

/// `CloseRequest` always asks for the attributes. Without that flag a CLOSE has the layout of a FLUSH, byte by byte
/// (MS-SMB2 2.2.15, 2.2.17).
pub(super) fn close(file_id: FileId, postquery: bool) -> Body {
    let content: RequestContent = match postquery {
        true => CloseRequest { file_id }.into(),
        false => FlushRequest { file_id }.into(),
    };
    Body {
        command: Command::Close,
        content,
        payload: None,
    }
}

fn create_request(create: &Create<'_>, place: &Place) -> Result<CreateRequest, String> {
    let unknown = |what: &str, value: u32| format!("create {what}={value:#x}");
    if create.sd.is_some() || !create.ea.is_empty() {
        return Err("create sd= or ea=".into());
    }
    if create.lease.is_some() {
        return Err("create lease-key".into());
    }
    if create.app_instance.is_some() || create.app_instance_version.is_some() {
        return Err("create app-instance=".into());
    }
    if create.create_guid.is_some() {
        return Err("create create-guid".into());
    }
    let requested_oplock_level = match create.oplock {
        wire::OplockLevel::NONE => OplockLevel::None,
        wire::OplockLevel::II => OplockLevel::II,
        level => {
            return Err(format!(
                "create oplock={}",
                smb_vocabulary::words::OPLOCK.write(level)
            ));
        }
    };
    let impersonation_level = match create.impersonation.0 {
        0 => ImpersonationLevel::Anonymous,
        1 => ImpersonationLevel::Identification,
        2 => ImpersonationLevel::Impersonation,
        3 => ImpersonationLevel::Delegate,
        value => return Err(unknown("impersonation", value)),
    };
    let create_disposition = match create.disposition.0 {
        0 => CreateDisposition::Superseded,
        1 => CreateDisposition::Open,
        2 => CreateDisposition::Create,
        3 => CreateDisposition::OpenIf,
        4 => CreateDisposition::Overwrite,
        5 => CreateDisposition::OverwriteIf,
        value => return Err(unknown("disposition", value)),
    };
    let name = match create.raw_path {
        true => create.path.to_owned(),
        false => paths::to_wire(&place.root, create.path).map_err(|error| error.to_string())?,
    };
    Ok(CreateRequest {
        requested_oplock_level,
        impersonation_level,
        desired_access: FileAccessMask::from_bytes(create.access.bits().to_le_bytes()),
        file_attributes: FileAttributes::from_bytes(create.attributes.bits().to_le_bytes()),
        share_access: ShareAccessFlags::from_bytes(create.share.bits().to_le_bytes()),
        create_disposition,
        create_options: CreateOptions::from_bytes(create.options.bits().to_le_bytes()),
        name: name.as_str().into(),
        contexts: contexts(create).into(),
    })
}

fn contexts(create: &Create<'_>) -> Vec<CreateContextRequest> {
    let mut contexts: Vec<CreateContextRequest> = Vec::new();
    match create.durable {
        Some(Durable::V1) => contexts.push(DurableHandleRequest {}.into()),
        Some(Durable::V2 {
            timeout,
            persistent,
        }) => contexts.push(
            DurableHandleRequestV2 {
                timeout,
                flags: DurableHandleV2Flags::new().with_persistent(persistent),
                create_guid: Guid::generate(),
            }
            .into(),
        ),
        None => {}
    }
    if let Some(allocation_size) = create.allocation {
        contexts.push(AllocationSize { allocation_size }.into());
    }
    if create.query_maximal_access {
        contexts.push(QueryMaximalAccessRequest::default().into());
    }
    if let Some(time) = create.timewarp {
        contexts.push(
            TimewarpToken {
                timestamp: time.0.into(),
            }
            .into(),
        );
    }
    if create.query_on_disk_id {
        contexts.push(QueryOnDiskIdReq.into());
    }
    contexts
}

fn read_request(read: &Read<'_>, file_id: FileId) -> Result<ReadRequest, String> {
    if read.length == 0 {
        return Err("read len=0".into());
    }
    Ok(ReadRequest {
        flags: ReadFlags::from_bytes([u8::from(read.unbuffered)]),
        length: read.length,
        offset: read.offset,
        file_id,
        minimum_count: read.minimum,
    })
}

fn write_body(write: &Write<'_>, file: FileId) -> Body {
    const WRITE_THROUGH: u32 = 0x1;
    const WRITE_UNBUFFERED: u32 = 0x2;
    let flags = match write.write_through {
        true => WRITE_THROUGH,
        false => 0,
    } | match write.unbuffered {
        true => WRITE_UNBUFFERED,
        false => 0,
    };
    let mut data = Vec::with_capacity(write.content.len());
    write.content.append_to(write.offset, &mut data);
    let flags = WriteFlags::from_bytes(flags.to_le_bytes());
    let request = WriteRequest::new(write.offset, file, flags, data.len() as u32);
    Body {
        payload: Some(data.into()),
        ..RequestContent::from(request).into()
    }
}

fn lock_request(lock: &Lock<'_>, file_id: FileId) -> LockRequest {
    const SHARED: u32 = 0x01;
    const EXCLUSIVE: u32 = 0x02;
    const UNLOCK: u32 = 0x04;
    const FAIL_IMMEDIATELY: u32 = 0x10;
    let kind = match lock.kind {
        LockKind::Exclusive => EXCLUSIVE,
        LockKind::Shared => SHARED,
        LockKind::Unlock => UNLOCK,
    };
    let at_once = match lock.wait || lock.kind == LockKind::Unlock {
        true => 0,
        false => FAIL_IMMEDIATELY,
    };
    let element = |range: &smb_vocabulary::LockRange| LockElement {
        offset: range.offset,
        length: range.length,
        flags: LockFlag::from_bytes((kind | at_once).to_le_bytes()),
    };
    let locks = lock.ranges.iter().map(element).collect();
    LockRequest {
        lock_sequence: LockSequence::new(),
        file_id,
        locks,
    }
}

fn directory_request(
    query: &QueryDirectory<'_>,
    file_id: FileId,
) -> Result<QueryDirectoryRequest, String> {
    const RESTART_SCANS: u8 = 0x01;
    const RETURN_SINGLE_ENTRY: u8 = 0x02;
    const INDEX_SPECIFIED: u8 = 0x04;
    const REOPEN: u8 = 0x10;
    let flags = [
        (query.restart, RESTART_SCANS),
        (query.single, RETURN_SINGLE_ENTRY),
        (query.index.is_some(), INDEX_SPECIFIED),
        (query.reopen, REOPEN),
    ];
    let flags = flags
        .iter()
        .filter(|(set, _)| *set)
        .fold(0, |all, (_, flag)| all | flag);
    Ok(QueryDirectoryRequest {
        file_information_class: directory_class(query.class.0)
            .ok_or_else(|| format!("query-directory class={:#x}", query.class.0))?,
        flags: QueryDirectoryFlags::from_bytes([flags]),
        file_index: query.index.unwrap_or(0),
        file_id,
        output_buffer_length: query.buffer,
        file_name: query.pattern.into(),
    })
}

fn query(
    info_type: InfoType,
    info_class: QueryInfoClass,
    output_buffer_length: u32,
    file_id: FileId,
) -> QueryInfoRequest {
    QueryInfoRequest {
        info_type,
        info_class,
        output_buffer_length,
        additional_info: AdditionalInfo::new(),
        flags: QueryInfoFlags::new(),
        file_id,
        data: GetInfoRequestData::None(()),
    }
}

/// The classes that `smb-fscc` has for SMB2_0_INFO_FILE (`query_file_info.rs`). FullEa is left out: it takes a list
/// of names with it.
fn file_class(number: u8) -> Option<QueryFileInfoClass> {
    use QueryFileInfoClass::*;
    [
        BasicInformation,
        StandardInformation,
        InternalInformation,
        EaInformation,
        AccessInformation,
        PositionInformation,
        ModeInformation,
        AlignmentInformation,
        AllInformation,
        AlternateNameInformation,
        StreamInformation,
        PipeInformation,
        PipeLocalInformation,
        PipeRemoteInformation,
        CompressionInformation,
        NetworkOpenInformation,
        AttributeTagInformation,
        NormalizedNameInformation,
        IdInformation,
    ]
    .into_iter()
    .find(|class| *class as u8 == number)
}

/// The classes that `smb-fscc` has for SMB2_0_INFO_FILESYSTEM (`filesystem_info.rs`).
fn fs_class(number: u8) -> Option<QueryFileSystemInfoClass> {
    use QueryFileSystemInfoClass::*;
    [
        FsVolumeInformation,
        FsSizeInformation,
        FsDeviceInformation,
        FsAttributeInformation,
        FsControlInformation,
        FsFullSizeInformation,
        FsObjectIdInformation,
        FsSectorSizeInformation,
    ]
    .into_iter()
    .find(|class| *class as u8 == number)
}

/// The classes that `smb-fscc` has for directories (`directory_info.rs`) and the vocabulary can read.
fn directory_class(number: u8) -> Option<QueryDirectoryInfoClass> {
    use QueryDirectoryInfoClass::*;
    [
        DirectoryInformation,
        FullDirectoryInformation,
        BothDirectoryInformation,
        NamesInformation,
        IdBothDirectoryInformation,
        IdFullDirectoryInformation,
    ]
    .into_iter()
    .find(|class| *class as u8 == number)
}

#[cfg(test)]
mod tests;
