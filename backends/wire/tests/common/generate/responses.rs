//! Responses, with the headers that make them what they are.

use super::contexts::{negotiate_contexts, response_context};
use super::{Pool, header};
use smb_wire::messages::*;
use smb_wire::*;

/// One response of every kind, each with the header that makes it one.
pub fn responses(p: &mut Pool<'_>) -> Vec<(Header, Response)> {
    let mut header = header(p);
    header.flags |= Flags::SERVER_TO_REDIR;
    let with = |command, status| Header {
        command,
        status,
        ..header
    };
    let ok = |command| with(command, ntstatus::SUCCESS);
    let unsolicited = Header {
        message_id: Header::UNSOLICITED,
        ..ok(Command::OPLOCK_BREAK)
    };
    let answered = Header {
        message_id: 7,
        ..ok(Command::OPLOCK_BREAK)
    };
    vec![
        (ok(Command::NEGOTIATE), negotiate_response(p)),
        (
            with(Command::SESSION_SETUP, ntstatus::MORE_PROCESSING_REQUIRED),
            Response::SessionSetup(SessionSetupResponse {
                session_flags: SessionFlags::from_bits_retain(p.u16()),
                buffer: p.bytes(100),
            }),
        ),
        (ok(Command::LOGOFF), Response::Logoff(LogoffResponse)),
        (
            ok(Command::TREE_CONNECT),
            Response::TreeConnect(TreeConnectResponse {
                share_type: ShareType(p.u8()),
                share_flags: ShareFlags::from_bits_retain(p.u32()),
                capabilities: ShareCapabilities::from_bits_retain(p.u32()),
                maximal_access: p.access(),
            }),
        ),
        (
            ok(Command::TREE_DISCONNECT),
            Response::TreeDisconnect(TreeDisconnectResponse),
        ),
        (ok(Command::CREATE), create_response(p)),
        (ok(Command::CLOSE), close_response(p)),
        (ok(Command::FLUSH), Response::Flush(FlushResponse)),
        (
            with(Command::READ, ntstatus::BUFFER_OVERFLOW),
            Response::Read(ReadResponse {
                data_remaining: p.u32(),
                flags: p.u32(),
                data: p.bytes(100),
            }),
        ),
        (
            ok(Command::WRITE),
            Response::Write(WriteResponse {
                count: p.u32(),
                remaining: p.u32(),
            }),
        ),
        (ok(Command::LOCK), Response::Lock(LockResponse)),
        // Copy-chunk tells its limits in the answer to an invalid parameter.
        (
            with(Command::IOCTL, 0xC000_000D),
            Response::Ioctl(IoctlResponse {
                ctl_code: CtlCode(p.u32()),
                file_id: p.file_id(),
                input: p.bytes(40),
                output: p.bytes(40),
                flags: p.u32(),
            }),
        ),
        (ok(Command::ECHO), Response::Echo(EchoResponse)),
        (
            ok(Command::QUERY_DIRECTORY),
            Response::QueryDirectory(QueryDirectoryResponse {
                buffer: p.bytes(100),
            }),
        ),
        (
            with(Command::CHANGE_NOTIFY, ntstatus::NOTIFY_ENUM_DIR),
            Response::ChangeNotify(ChangeNotifyResponse {
                buffer: p.bytes(100),
            }),
        ),
        (
            with(Command::QUERY_INFO, ntstatus::BUFFER_OVERFLOW),
            Response::QueryInfo(QueryInfoResponse {
                buffer: p.bytes(100),
            }),
        ),
        (ok(Command::SET_INFO), Response::SetInfo(SetInfoResponse)),
        (
            unsolicited,
            Response::OplockBreakNotification(OplockBreakNotification {
                oplock_level: OplockLevel(p.u8()),
                file_id: p.file_id(),
            }),
        ),
        (unsolicited, lease_break(p)),
        (
            answered,
            Response::OplockBreak(OplockBreakResponse {
                oplock_level: OplockLevel(p.u8()),
                file_id: p.file_id(),
            }),
        ),
        (
            answered,
            Response::LeaseBreak(LeaseBreakResponse {
                flags: LeaseFlags::from_bits_retain(p.u32()),
                lease_key: p.guid(),
                lease_state: LeaseState::from_bits_retain(p.u32()),
                lease_duration: p.u64(),
            }),
        ),
        (
            with(Command::CREATE, ntstatus::PENDING),
            Response::Error(ErrorResponse::default()),
        ),
        (
            with(Command::CREATE, 0x8000_002D),
            Response::Error(ErrorResponse {
                error_contexts: Vec::new(),
                error_data: p.bytes(100),
            }),
        ),
        (
            with(Command::TREE_CONNECT, 0xC000_00CC),
            Response::Error(ErrorResponse {
                error_contexts: p.list(|p| ErrorContext {
                    error_id: p.u32(),
                    error_context_data: p.bytes(20),
                }),
                error_data: Vec::new(),
            }),
        ),
        (
            ok(Command(p.u16() | 0x8000)),
            Response::Other {
                command: Command(0),
                body: p.some_bytes(),
            },
        ),
    ]
}

fn negotiate_response(p: &mut Pool<'_>) -> Response {
    let modern = p.bool();
    Response::Negotiate(NegotiateResponse {
        security_mode: SecurityMode::from_bits_retain(p.u16()),
        dialect_revision: if modern {
            Dialect::SMB_3_1_1
        } else {
            Dialect(p.u16() & 0x2FF)
        },
        server_guid: p.guid(),
        capabilities: Capabilities::from_bits_retain(p.u32()),
        max_transact_size: p.u32(),
        max_read_size: p.u32(),
        max_write_size: p.u32(),
        system_time: p.time(),
        server_start_time: p.time(),
        buffer: p.bytes(100),
        negotiate_contexts: if modern {
            negotiate_contexts(p)
        } else {
            Vec::new()
        },
    })
}

fn create_response(p: &mut Pool<'_>) -> Response {
    Response::Create(CreateResponse {
        oplock_level: OplockLevel(p.u8()),
        flags: CreateResponseFlags::from_bits_retain(p.u8()),
        create_action: CreateAction(p.u32()),
        creation_time: p.time(),
        last_access_time: p.time(),
        last_write_time: p.time(),
        change_time: p.time(),
        allocation_size: p.u64(),
        end_of_file: p.u64(),
        file_attributes: p.attributes(),
        file_id: p.file_id(),
        create_contexts: p.list(response_context),
    })
}

fn close_response(p: &mut Pool<'_>) -> Response {
    Response::Close(CloseResponse {
        flags: CloseFlags::from_bits_retain(p.u16()),
        creation_time: p.time(),
        last_access_time: p.time(),
        last_write_time: p.time(),
        change_time: p.time(),
        allocation_size: p.u64(),
        end_of_file: p.u64(),
        file_attributes: p.attributes(),
    })
}

fn lease_break(p: &mut Pool<'_>) -> Response {
    Response::LeaseBreakNotification(LeaseBreakNotification {
        new_epoch: p.u16(),
        flags: LeaseFlags::from_bits_retain(p.u32()),
        lease_key: p.guid(),
        current_lease_state: LeaseState::from_bits_retain(p.u32()),
        new_lease_state: LeaseState::from_bits_retain(p.u32()),
        break_reason: p.u32(),
        access_mask_hint: p.access(),
        share_mask_hint: ShareAccess::from_bits_retain(p.u32()),
    })
}
