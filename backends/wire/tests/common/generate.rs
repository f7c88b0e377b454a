//! Messages and structures made of random bytes: one of every kind from one pool, so that a single property
//! covers them all and shrinking the pool shrinks them all.

use smb_wire::fscc::*;
use smb_wire::messages::*;
use smb_wire::*;

/// Takes values off random bytes; zeros when they are used up.
pub struct Pool<'a>(pub &'a [u8]);

impl Pool<'_> {
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let count = self.0.len().min(N);
        bytes[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        bytes
    }

    pub fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub fn bool(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    pub fn bytes(&mut self, most: u8) -> Vec<u8> {
        let length = self.u8() % (most + 1);
        (0..length).map(|_| self.u8()).collect()
    }

    pub fn some_bytes(&mut self) -> Vec<u8> {
        let mut bytes = self.bytes(20);
        bytes.push(self.u8());
        bytes
    }

    /// Any bytes, of even or odd length.
    pub fn name(&mut self) -> UnicodeString {
        UnicodeString::from_bytes(self.bytes(30))
    }

    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.u8() % 4;
        (0..count).map(|_| item(self)).collect()
    }

    pub fn guid(&mut self) -> Guid {
        Guid(self.array())
    }

    pub fn time(&mut self) -> Filetime {
        Filetime(self.u64())
    }

    pub fn file_id(&mut self) -> FileId {
        FileId {
            persistent: self.u64(),
            volatile: self.u64(),
        }
    }

    pub fn access(&mut self) -> AccessMask {
        AccessMask::from_bits_retain(self.u32())
    }

    pub fn attributes(&mut self) -> FileAttributes {
        FileAttributes::from_bits_retain(self.u32())
    }
}

/// A header of either form; its command and NextCommand are for others to set.
pub fn header(p: &mut Pool<'_>) -> Header {
    let form = if p.bool() {
        HeaderForm::Async { async_id: p.u64() }
    } else {
        HeaderForm::Sync {
            reserved: p.u32(),
            tree_id: p.u32(),
        }
    };
    let mut flags = Flags::from_bits_retain(p.u32());
    flags.set(
        Flags::ASYNC_COMMAND,
        matches!(form, HeaderForm::Async { .. }),
    );
    Header {
        credit_charge: p.u16(),
        status: p.u32(),
        command: Command(p.u16()),
        credits: p.u16(),
        flags,
        next_command: 0,
        message_id: p.u64(),
        form,
        session_id: p.u64(),
        signature: p.array(),
    }
}

fn negotiate_contexts(p: &mut Pool<'_>) -> Vec<NegotiateContext> {
    let mut contexts = vec![
        NegotiateContext::PreauthIntegrity {
            hash_algorithms: p.list(|p| HashAlgorithm(p.u16())),
            salt: p.bytes(32),
        },
        NegotiateContext::Encryption {
            ciphers: p.list(|p| Cipher(p.u16())),
        },
        NegotiateContext::Compression {
            flags: CompressionFlags::from_bits_retain(p.u32()),
            compression_algorithms: p.list(|p| CompressionAlgorithm(p.u16())),
        },
        NegotiateContext::NetName(p.name()),
        NegotiateContext::Transport(TransportFlags::from_bits_retain(p.u32())),
        NegotiateContext::RdmaTransform {
            rdma_transform_ids: p.list(|p| RdmaTransform(p.u16())),
        },
        NegotiateContext::Signing {
            signing_algorithms: p.list(|p| SigningAlgorithm(p.u16())),
        },
        NegotiateContext::Other {
            context_type: 0x100,
            data: p.bytes(20),
        },
    ];
    let keep = p.u8();
    let mut index = 0;
    contexts.retain(|_| {
        index += 1;
        keep >> (index - 1) & 1 == 0
    });
    contexts
}

fn lease(p: &mut Pool<'_>) -> Lease {
    Lease {
        lease_key: p.guid(),
        lease_state: LeaseState::from_bits_retain(p.u32()),
        lease_flags: LeaseFlags::from_bits_retain(p.u32()),
        lease_duration: p.u64(),
    }
}

fn lease_v2(p: &mut Pool<'_>) -> LeaseV2 {
    LeaseV2 {
        lease_key: p.guid(),
        lease_state: LeaseState::from_bits_retain(p.u32()),
        flags: LeaseFlags::from_bits_retain(p.u32()),
        lease_duration: p.u64(),
        parent_lease_key: p.guid(),
        epoch: p.u16(),
        reserved: p.u16(),
    }
}

fn request_context(p: &mut Pool<'_>) -> RequestContext {
    match p.u8() % 16 {
        0 => RequestContext::EaBuffer(p.bytes(30)),
        1 => RequestContext::SdBuffer(p.bytes(30)),
        2 => RequestContext::DurableHandleRequest,
        3 => RequestContext::DurableHandleReconnect(p.file_id()),
        4 => RequestContext::AllocationSize(p.u64()),
        5 => RequestContext::QueryMaximalAccess(None),
        6 => RequestContext::QueryMaximalAccess(Some(p.time())),
        7 => RequestContext::TimewarpToken(p.time()),
        8 => RequestContext::QueryOnDiskId,
        9 => RequestContext::Lease(lease(p)),
        10 => RequestContext::LeaseV2(lease_v2(p)),
        11 => RequestContext::DurableHandleRequestV2(DurableHandleRequestV2 {
            timeout: p.u32(),
            flags: DurableFlags::from_bits_retain(p.u32()),
            create_guid: p.guid(),
        }),
        12 => RequestContext::DurableHandleReconnectV2(DurableHandleReconnectV2 {
            file_id: p.file_id(),
            create_guid: p.guid(),
            flags: DurableFlags::from_bits_retain(p.u32()),
        }),
        13 => RequestContext::AppInstanceId(p.guid()),
        14 => RequestContext::AppInstanceVersion(AppInstanceVersion {
            high: p.u64(),
            low: p.u64(),
        }),
        _ if p.bool() => RequestContext::Aapl(p.bytes(30)),
        // A name of its own, or one whose data has an impossible length.
        _ if p.bool() => RequestContext::Other {
            name: p.bytes(3),
            data: p.bytes(30),
        },
        _ => RequestContext::Other {
            name: b"RqLs".to_vec(),
            data: p.bytes(30),
        },
    }
}

fn response_context(p: &mut Pool<'_>) -> ResponseContext {
    match p.u8() % 8 {
        0 => ResponseContext::DurableHandleResponse,
        1 => ResponseContext::MaximalAccess(MaximalAccess {
            query_status: p.u32(),
            maximal_access: p.access(),
        }),
        2 => ResponseContext::OnDiskId(OnDiskId {
            disk_file_id: p.u64(),
            volume_id: p.u64(),
            reserved: p.array(),
        }),
        3 => ResponseContext::Lease(lease(p)),
        4 => ResponseContext::LeaseV2(lease_v2(p)),
        5 => ResponseContext::DurableHandleResponseV2(DurableHandleResponseV2 {
            timeout: p.u32(),
            flags: DurableFlags::from_bits_retain(p.u32()),
        }),
        6 => ResponseContext::Aapl(p.bytes(30)),
        _ => ResponseContext::Other {
            name: p.bytes(3),
            data: p.bytes(30),
        },
    }
}

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

pub fn basic(p: &mut Pool<'_>) -> FileBasicInformation {
    FileBasicInformation {
        creation_time: p.time(),
        last_access_time: p.time(),
        last_write_time: p.time(),
        change_time: p.time(),
        file_attributes: p.attributes(),
    }
}

pub fn standard(p: &mut Pool<'_>) -> FileStandardInformation {
    FileStandardInformation {
        allocation_size: p.u64(),
        end_of_file: p.u64(),
        number_of_links: p.u32(),
        delete_pending: p.bool(),
        directory: p.bool(),
    }
}

pub fn all(p: &mut Pool<'_>) -> FileAllInformation {
    FileAllInformation {
        basic: basic(p),
        standard: standard(p),
        internal: FileInternalInformation {
            index_number: p.u64(),
        },
        ea: FileEaInformation { ea_size: p.u32() },
        access: FileAccessInformation {
            access_flags: p.access(),
        },
        position: FilePositionInformation {
            current_byte_offset: p.u64(),
        },
        mode: FileModeInformation { mode: p.u32() },
        alignment: FileAlignmentInformation {
            alignment_requirement: p.u32(),
        },
        name: FileNameInformation {
            file_name: p.name(),
        },
    }
}

/// An entry with what its class tells.
pub fn entry(p: &mut Pool<'_>, class: FileInfoClass) -> DirectoryEntry {
    let names = class == FileInfoClass::NAMES;
    let plain = names || class == FileInfoClass::DIRECTORY;
    let both = class == FileInfoClass::BOTH_DIRECTORY || class == FileInfoClass::ID_BOTH_DIRECTORY;
    let id = class == FileInfoClass::ID_BOTH_DIRECTORY || class == FileInfoClass::ID_FULL_DIRECTORY;
    DirectoryEntry {
        file_index: p.u32(),
        details: (!names).then(|| EntryDetails {
            creation_time: p.time(),
            last_access_time: p.time(),
            last_write_time: p.time(),
            change_time: p.time(),
            end_of_file: p.u64(),
            allocation_size: p.u64(),
            file_attributes: p.attributes(),
        }),
        ea_size: (!plain).then(|| p.u32()),
        short_name: both.then(|| UnicodeString::from_bytes(p.bytes(24))),
        file_id: id.then(|| p.u64()),
        file_name: p.name(),
    }
}
