//! From the crate's messages to answers: each is turned into the same message of `smb-wire`, field by field, and the
//! vocabulary makes the answer of that, so that both backends name and write their fields alike.

use bytes::Bytes;
use replay_ir::Answer;
use smb::binrw_util::prelude::FileTime;
use smb::connection::connection_info::ConnectionInfo;
use smb::msg_handler::IncomingMessage;
use smb::{
    CloseResponse, CreateContextResponse, CreateContextResponseData, CreateResponse, Dialect,
    FileId, InfoType, NegotiateResponse, ResponseContent, SessionFlags, TreeConnectResponse,
};
use smb_vocabulary::answer::{self, Connected};
use smb_vocabulary::{Mechanism, Operation, answer::Stage};
use smb_wire::{self as wire, messages as message};

use super::failure::Failure;

const STATUS_SUCCESS: u32 = 0;
const STATUS_BUFFER_OVERFLOW: u32 = 0x8000_0005;

/// The open that a CREATE made.
pub(super) fn opened_file(message: &IncomingMessage) -> Option<FileId> {
    let opened = message.message.header.status == STATUS_SUCCESS;
    message
        .message
        .content
        .as_create()
        .ok()
        .filter(|_| opened)
        .map(|create| create.file_id)
}

/// How the answer to `operation` reads.
pub(super) fn of(operation: &Operation<'_>, message: IncomingMessage) -> Result<Answer, Failure> {
    let status = message.message.header.status;
    let content = message.message.content;
    let carries = match operation {
        // A buffer that was too short for all of it comes back full.
        Operation::QueryInfo { .. } | Operation::QueryFs { .. } => {
            matches!(status, STATUS_SUCCESS | STATUS_BUFFER_OVERFLOW)
        }
        _ => status == STATUS_SUCCESS,
    };
    match carries {
        true => Ok(read(operation, status, content)?),
        false => Ok(answer::status(status)),
    }
}

/// An answer whose body is not of its command, or whose buffer is not of its class, is the server's fault.
#[derive(Debug, thiserror::Error)]
enum BadBody {
    #[error(transparent)]
    Message(#[from] smb::SmbMsgError),
    #[error("its buffer: {0}")]
    Buffer(#[from] wire::Error),
}

impl From<BadBody> for Failure {
    fn from(error: BadBody) -> Self {
        Failure::Violation(format!("the answer's body: {error}"))
    }
}

fn read(
    operation: &Operation<'_>,
    status: u32,
    content: ResponseContent,
) -> Result<Answer, BadBody> {
    Ok(match operation {
        Operation::Create(_) => answer::create(&created(content.as_create()?)),
        Operation::Close { .. } => answer::close(&closed(content.as_close()?)),
        Operation::Read(_) => answer::read_data(Bytes::from(content.to_read()?.buffer)),
        Operation::Write(_) => {
            let count = content.as_write()?.count;
            answer::write(&message::WriteResponse {
                count,
                ..Default::default()
            })
        }
        Operation::QueryDirectory(query) => {
            answer::query_directory(query.class, &content.to_querydirectory()?.output_buffer)?
        }
        Operation::QueryInfo { class, .. } => {
            let data = content
                .as_queryinfo()?
                .parse(InfoType::File)
                .map_err(smb::SmbMsgError::from)?
                .as_file()?;
            answer::query_info(*class, status, data.data())?
        }
        Operation::QueryFs { class, .. } => {
            let data = content
                .as_queryinfo()?
                .parse(InfoType::FileSystem)
                .map_err(smb::SmbMsgError::from)?
                .as_filesystem()?;
            answer::query_fs(*class, status, data.data())?
        }
        _ => answer::status(status),
    })
}

/// The answer of a TREE_CONNECT.
pub(super) fn tree_connected(response: &TreeConnectResponse) -> Answer {
    answer::tree_connect(&tree(response))
}

/// What is known of a connection when connecting has ended.
pub(super) struct Summary<'a> {
    /// What was negotiated, and the server's answer to it.
    pub(super) negotiated: Option<(&'a ConnectionInfo, &'a NegotiateResponse)>,
    /// The session's flags.
    pub(super) session: Option<SessionFlags>,
    /// The tree.
    pub(super) tree: Option<&'a TreeConnectResponse>,
}

/// The answer of a `connect` step that ended with `status` in `stage`.
pub(super) fn connect(stage: Stage, status: u32, summary: &Summary<'_>) -> Answer {
    let negotiate = summary
        .negotiated
        .map(|(info, response)| message::NegotiateResponse {
            security_mode: wire::SecurityMode::from_bits_retain(u16::from_le_bytes(
                response
                    .security_mode
                    .into_bytes()
                    .first_chunk()
                    .copied()
                    .unwrap_or_default(),
            )),
            dialect_revision: dialect(info.negotiation.dialect_rev),
            max_transact_size: response.max_transact_size,
            max_read_size: response.max_read_size,
            max_write_size: response.max_write_size,
            ..Default::default()
        });
    let session = summary
        .session
        .map(|flags| wire::SessionFlags::from_bits_retain(u16::from_le_bytes(flags.into_bytes())));
    let tree = summary.tree.map(tree);
    answer::connect(&Connected {
        stage,
        status,
        negotiate: negotiate.as_ref(),
        session,
        // It logs in by nothing else.
        mechanism: session.map(|_| Mechanism::Ntlm),
        tree: tree.as_ref(),
    })
}

fn dialect(dialect: Dialect) -> wire::Dialect {
    match dialect {
        Dialect::Smb0202 => wire::Dialect::SMB_2_0_2,
        Dialect::Smb021 => wire::Dialect::SMB_2_1,
        Dialect::Smb030 => wire::Dialect::SMB_3_0,
        Dialect::Smb0302 => wire::Dialect::SMB_3_0_2,
        Dialect::Smb0311 => wire::Dialect::SMB_3_1_1,
    }
}

fn tree(response: &TreeConnectResponse) -> message::TreeConnectResponse {
    message::TreeConnectResponse {
        share_type: wire::ShareType(response.share_type as u8),
        share_flags: wire::ShareFlags::from_bits_retain(u32::from_le_bytes(
            response.share_flags.into_bytes(),
        )),
        maximal_access: wire::AccessMask::from_bits_retain(response.maximal_access),
        ..Default::default()
    }
}

fn time(time: FileTime) -> wire::Filetime {
    wire::Filetime(*time)
}

fn attributes(attributes: smb::FileAttributes) -> wire::FileAttributes {
    wire::FileAttributes::from_bits_retain(u32::from_le_bytes(attributes.into_bytes()))
}

fn created(response: &CreateResponse) -> message::CreateResponse {
    let oplock_level = match response.oplock_level {
        smb::OplockLevel::None => wire::OplockLevel::NONE,
        smb::OplockLevel::II => wire::OplockLevel::II,
        // What the crate calls exclusive is 2 on the wire, which no server sends (MS-SMB2 2.2.14).
        smb::OplockLevel::Exclusive => wire::OplockLevel(2),
    };
    message::CreateResponse {
        oplock_level,
        create_action: wire::CreateAction(match response.create_action {
            smb::CreateAction::Superseded => 0,
            smb::CreateAction::Opened => 1,
            smb::CreateAction::Created => 2,
            smb::CreateAction::Overwritten => 3,
        }),
        creation_time: time(response.creation_time),
        last_access_time: time(response.last_access_time),
        last_write_time: time(response.last_write_time),
        change_time: time(response.change_time),
        allocation_size: response.allocation_size,
        end_of_file: response.endof_file,
        file_attributes: attributes(response.file_attributes),
        create_contexts: response
            .create_contexts
            .iter()
            .filter_map(context)
            .collect(),
        ..Default::default()
    }
}

fn context(context: &CreateContextResponse) -> Option<message::ResponseContext> {
    use CreateContextResponseData as Data;
    Some(match &context.data {
        Data::MxacResponse(access) => {
            message::ResponseContext::MaximalAccess(message::MaximalAccess {
                query_status: access.query_status as u32,
                maximal_access: wire::AccessMask::from_bits_retain(u32::from_le_bytes(
                    access.maximal_access.into_bytes(),
                )),
            })
        }
        Data::QfidResponse(id) => message::ResponseContext::OnDiskId(message::OnDiskId {
            disk_file_id: id.file_id,
            volume_id: id.volume_id,
            ..Default::default()
        }),
        Data::DhnqResponse(_) => message::ResponseContext::DurableHandleResponse,
        Data::Dh2qResponse(durable) => {
            message::ResponseContext::DurableHandleResponseV2(message::DurableHandleResponseV2 {
                timeout: durable.timeout,
                flags: wire::DurableFlags::from_bits_retain(u32::from_le_bytes(
                    durable.flags.into_bytes(),
                )),
            })
        }
        _ => return None,
    })
}

fn closed(response: &CloseResponse) -> message::CloseResponse {
    message::CloseResponse {
        flags: wire::CloseFlags::from_bits_retain(u16::from_le_bytes(response.flags.into_bytes())),
        creation_time: time(response.creation_time),
        last_access_time: time(response.last_access_time),
        last_write_time: time(response.last_write_time),
        change_time: time(response.change_time),
        allocation_size: response.allocation_size,
        end_of_file: response.endof_file,
        file_attributes: attributes(response.file_attributes),
    }
}
