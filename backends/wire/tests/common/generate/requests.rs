//! Requests.

use super::Pool;
use super::contexts::{negotiate_contexts, request_context};
use smb_wire::messages::*;
use smb_wire::*;

/// One request of every kind.
pub fn requests(p: &mut Pool<'_>) -> Vec<Request> {
    let modern = p.bool();
    let mut dialects = p.list(|p| Dialect(p.u16() & 0x2FF));
    if modern {
        dialects.push(Dialect::SMB_3_1_1);
    }
    vec![
        Request::Negotiate(NegotiateRequest {
            security_mode: SecurityMode::from_bits_retain(p.u16()),
            capabilities: Capabilities::from_bits_retain(p.u32()),
            client_guid: p.guid(),
            client_start_time: if modern { Filetime(0) } else { p.time() },
            dialects,
            negotiate_contexts: if modern {
                negotiate_contexts(p)
            } else {
                Vec::new()
            },
        }),
        Request::SessionSetup(SessionSetupRequest {
            flags: SessionSetupFlags::from_bits_retain(p.u8()),
            security_mode: SecurityMode::from_bits_retain(p.u8().into()),
            capabilities: Capabilities::from_bits_retain(p.u32()),
            channel: p.u32(),
            previous_session_id: p.u64(),
            buffer: p.bytes(100),
        }),
        Request::Logoff(LogoffRequest),
        tree_connect(p),
        Request::TreeDisconnect(TreeDisconnectRequest),
        create(p),
        Request::Close(CloseRequest {
            flags: CloseFlags::from_bits_retain(p.u16()),
            file_id: p.file_id(),
        }),
        Request::Flush(FlushRequest {
            file_id: p.file_id(),
        }),
        Request::Read(ReadRequest {
            padding: p.u8(),
            flags: ReadFlags::from_bits_retain(p.u8()),
            length: p.u32(),
            offset: p.u64(),
            file_id: p.file_id(),
            minimum_count: p.u32(),
            channel: p.u32(),
            remaining_bytes: p.u32(),
            read_channel_info: p.bytes(20),
        }),
        Request::Write(WriteRequest {
            offset: p.u64(),
            file_id: p.file_id(),
            channel: p.u32(),
            remaining_bytes: p.u32(),
            flags: WriteFlags::from_bits_retain(p.u32()),
            write_channel_info: p.bytes(20),
            data: p.bytes(100),
        }),
        Request::Lock(LockRequest {
            lock_sequence: p.u32(),
            file_id: p.file_id(),
            locks: p.list(|p| LockElement {
                offset: p.u64(),
                length: p.u64(),
                flags: LockFlags::from_bits_retain(p.u32()),
            }),
        }),
        Request::Ioctl(IoctlRequest {
            ctl_code: CtlCode(p.u32()),
            file_id: p.file_id(),
            input: p.bytes(40),
            max_input_response: p.u32(),
            output: p.bytes(40),
            max_output_response: p.u32(),
            flags: IoctlFlags::from_bits_retain(p.u32()),
        }),
        Request::Cancel(CancelRequest),
        Request::Echo(EchoRequest),
        Request::QueryDirectory(QueryDirectoryRequest {
            file_information_class: FileInfoClass(p.u8()),
            flags: QueryDirectoryFlags::from_bits_retain(p.u8()),
            file_index: p.u32(),
            file_id: p.file_id(),
            output_buffer_length: p.u32(),
            file_name: p.name(),
        }),
        Request::ChangeNotify(ChangeNotifyRequest {
            flags: NotifyFlags::from_bits_retain(p.u16()),
            output_buffer_length: p.u32(),
            file_id: p.file_id(),
            completion_filter: CompletionFilter::from_bits_retain(p.u32()),
        }),
        Request::QueryInfo(QueryInfoRequest {
            info_type: InfoType(p.u8()),
            file_info_class: p.u8(),
            output_buffer_length: p.u32(),
            additional_information: AdditionalInformation::from_bits_retain(p.u32()),
            flags: p.u32(),
            file_id: p.file_id(),
            buffer: p.bytes(40),
        }),
        Request::SetInfo(SetInfoRequest {
            info_type: InfoType(p.u8()),
            file_info_class: p.u8(),
            additional_information: AdditionalInformation::from_bits_retain(p.u32()),
            file_id: p.file_id(),
            buffer: p.bytes(40),
        }),
        Request::OplockBreak(OplockBreakAcknowledgment {
            oplock_level: OplockLevel(p.u8()),
            file_id: p.file_id(),
        }),
        Request::LeaseBreak(LeaseBreakAcknowledgment {
            flags: LeaseFlags::from_bits_retain(p.u32()),
            lease_key: p.guid(),
            lease_state: LeaseState::from_bits_retain(p.u32()),
            lease_duration: p.u64(),
        }),
        Request::Other {
            command: Command(p.u16() | 0x8000),
            body: p.bytes(40),
        },
    ]
}

fn tree_connect(p: &mut Pool<'_>) -> Request {
    let mut flags = TreeConnectFlags::from_bits_retain(p.u16());
    let extended = p.bool();
    flags.set(TreeConnectFlags::EXTENSION_PRESENT, extended);
    Request::TreeConnect(TreeConnectRequest {
        flags,
        path: p.name(),
        extension: if extended { p.bytes(20) } else { Vec::new() },
        contexts: if extended { p.bytes(20) } else { Vec::new() },
    })
}

fn create(p: &mut Pool<'_>) -> Request {
    Request::Create(CreateRequest {
        security_flags: p.u8(),
        requested_oplock_level: OplockLevel(p.u8()),
        impersonation_level: ImpersonationLevel(p.u32()),
        smb_create_flags: p.u64(),
        reserved: p.u64(),
        desired_access: p.access(),
        file_attributes: p.attributes(),
        share_access: ShareAccess::from_bits_retain(p.u32()),
        create_disposition: CreateDisposition(p.u32()),
        create_options: CreateOptions::from_bits_retain(p.u32()),
        name: p.name(),
        create_contexts: p.list(request_context),
    })
}
