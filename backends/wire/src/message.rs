//! A body of any command as a value: [`Request`] and [`Response`].
//!
//! Which body a response has follows from its command and its status (MS-SMB2 3.3.4.4): most
//! failures carry an ERROR response, a few the command's own. Chains and signatures are left to
//! [`crate::frame`] and [`crate::crypto`].

use crate::codec::{BODY, Reader};
use crate::messages::*;
use crate::{Command, Error, Header, ntstatus};

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// NEGOTIATE.
    Negotiate(NegotiateRequest),
    /// SESSION_SETUP.
    SessionSetup(SessionSetupRequest),
    /// LOGOFF.
    Logoff(LogoffRequest),
    /// TREE_CONNECT.
    TreeConnect(TreeConnectRequest),
    /// TREE_DISCONNECT.
    TreeDisconnect(TreeDisconnectRequest),
    /// CREATE.
    Create(CreateRequest),
    /// CLOSE.
    Close(CloseRequest),
    /// FLUSH.
    Flush(FlushRequest),
    /// READ.
    Read(ReadRequest),
    /// WRITE.
    Write(WriteRequest),
    /// LOCK.
    Lock(LockRequest),
    /// IOCTL.
    Ioctl(IoctlRequest),
    /// CANCEL.
    Cancel(CancelRequest),
    /// ECHO.
    Echo(EchoRequest),
    /// QUERY_DIRECTORY.
    QueryDirectory(QueryDirectoryRequest),
    /// CHANGE_NOTIFY.
    ChangeNotify(ChangeNotifyRequest),
    /// QUERY_INFO.
    QueryInfo(QueryInfoRequest),
    /// SET_INFO.
    SetInfo(SetInfoRequest),
    /// OPLOCK_BREAK for an oplock.
    OplockBreak(OplockBreakAcknowledgment),
    /// OPLOCK_BREAK for a lease.
    LeaseBreak(LeaseBreakAcknowledgment),
    /// An unknown command, or a body that is to be malformed.
    Other {
        /// The command of the header.
        command: Command,
        /// All that follows the header.
        body: Vec<u8>,
    },
}

impl Request {
    /// The command that belongs into the header.
    pub fn command(&self) -> Command {
        match self {
            Self::Negotiate(_) => Command::NEGOTIATE,
            Self::SessionSetup(_) => Command::SESSION_SETUP,
            Self::Logoff(_) => Command::LOGOFF,
            Self::TreeConnect(_) => Command::TREE_CONNECT,
            Self::TreeDisconnect(_) => Command::TREE_DISCONNECT,
            Self::Create(_) => Command::CREATE,
            Self::Close(_) => Command::CLOSE,
            Self::Flush(_) => Command::FLUSH,
            Self::Read(_) => Command::READ,
            Self::Write(_) => Command::WRITE,
            Self::Lock(_) => Command::LOCK,
            Self::Ioctl(_) => Command::IOCTL,
            Self::Cancel(_) => Command::CANCEL,
            Self::Echo(_) => Command::ECHO,
            Self::QueryDirectory(_) => Command::QUERY_DIRECTORY,
            Self::ChangeNotify(_) => Command::CHANGE_NOTIFY,
            Self::QueryInfo(_) => Command::QUERY_INFO,
            Self::SetInfo(_) => Command::SET_INFO,
            Self::OplockBreak(_) | Self::LeaseBreak(_) => Command::OPLOCK_BREAK,
            Self::Other { command, .. } => *command,
        }
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Negotiate(body) => body.encode(out),
            Self::SessionSetup(body) => body.encode(out),
            Self::Logoff(body) => body.encode(out),
            Self::TreeConnect(body) => body.encode(out),
            Self::TreeDisconnect(body) => body.encode(out),
            Self::Create(body) => body.encode(out),
            Self::Close(body) => body.encode(out),
            Self::Flush(body) => body.encode(out),
            Self::Read(body) => body.encode(out),
            Self::Write(body) => body.encode(out),
            Self::Lock(body) => body.encode(out),
            Self::Ioctl(body) => body.encode(out),
            Self::Cancel(body) => body.encode(out),
            Self::Echo(body) => body.encode(out),
            Self::QueryDirectory(body) => body.encode(out),
            Self::ChangeNotify(body) => body.encode(out),
            Self::QueryInfo(body) => body.encode(out),
            Self::SetInfo(body) => body.encode(out),
            Self::OplockBreak(body) => body.encode(out),
            Self::LeaseBreak(body) => body.encode(out),
            Self::Other { body, .. } => out.extend_from_slice(body),
        }
    }

    /// Reads a whole message from its header on. A command that is unknown becomes
    /// [`Request::Other`].
    ///
    /// # Errors
    ///
    /// What the header or the body of the command refuses.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let command = Header::decode(message)?.command;
        Ok(match command {
            Command::NEGOTIATE => Self::Negotiate(NegotiateRequest::decode(message)?),
            Command::SESSION_SETUP => Self::SessionSetup(SessionSetupRequest::decode(message)?),
            Command::LOGOFF => Self::Logoff(LogoffRequest::decode(message)?),
            Command::TREE_CONNECT => Self::TreeConnect(TreeConnectRequest::decode(message)?),
            Command::TREE_DISCONNECT => {
                Self::TreeDisconnect(TreeDisconnectRequest::decode(message)?)
            }
            Command::CREATE => Self::Create(CreateRequest::decode(message)?),
            Command::CLOSE => Self::Close(CloseRequest::decode(message)?),
            Command::FLUSH => Self::Flush(FlushRequest::decode(message)?),
            Command::READ => Self::Read(ReadRequest::decode(message)?),
            Command::WRITE => Self::Write(WriteRequest::decode(message)?),
            Command::LOCK => Self::Lock(LockRequest::decode(message)?),
            Command::IOCTL => Self::Ioctl(IoctlRequest::decode(message)?),
            Command::CANCEL => Self::Cancel(CancelRequest::decode(message)?),
            Command::ECHO => Self::Echo(EchoRequest::decode(message)?),
            Command::QUERY_DIRECTORY => {
                Self::QueryDirectory(QueryDirectoryRequest::decode(message)?)
            }
            Command::CHANGE_NOTIFY => Self::ChangeNotify(ChangeNotifyRequest::decode(message)?),
            Command::QUERY_INFO => Self::QueryInfo(QueryInfoRequest::decode(message)?),
            Command::SET_INFO => Self::SetInfo(SetInfoRequest::decode(message)?),
            Command::OPLOCK_BREAK => match structure_size(message) {
                LeaseBreakAcknowledgment::STRUCTURE_SIZE => {
                    Self::LeaseBreak(LeaseBreakAcknowledgment::decode(message)?)
                }
                _ => Self::OplockBreak(OplockBreakAcknowledgment::decode(message)?),
            },
            _ => Self::Other {
                command,
                body: message[BODY..].to_vec(),
            },
        })
    }
}

/// The body of a response, or of a break that the server sends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// NEGOTIATE.
    Negotiate(NegotiateResponse),
    /// SESSION_SETUP.
    SessionSetup(SessionSetupResponse),
    /// LOGOFF.
    Logoff(LogoffResponse),
    /// TREE_CONNECT.
    TreeConnect(TreeConnectResponse),
    /// TREE_DISCONNECT.
    TreeDisconnect(TreeDisconnectResponse),
    /// CREATE.
    Create(CreateResponse),
    /// CLOSE.
    Close(CloseResponse),
    /// FLUSH.
    Flush(FlushResponse),
    /// READ.
    Read(ReadResponse),
    /// WRITE.
    Write(WriteResponse),
    /// LOCK.
    Lock(LockResponse),
    /// IOCTL.
    Ioctl(IoctlResponse),
    /// ECHO.
    Echo(EchoResponse),
    /// QUERY_DIRECTORY.
    QueryDirectory(QueryDirectoryResponse),
    /// CHANGE_NOTIFY.
    ChangeNotify(ChangeNotifyResponse),
    /// QUERY_INFO.
    QueryInfo(QueryInfoResponse),
    /// SET_INFO.
    SetInfo(SetInfoResponse),
    /// OPLOCK_BREAK for an oplock, from the server.
    OplockBreakNotification(OplockBreakNotification),
    /// OPLOCK_BREAK for a lease, from the server.
    LeaseBreakNotification(LeaseBreakNotification),
    /// The answer to an acknowledgment for an oplock.
    OplockBreak(OplockBreakResponse),
    /// The answer to an acknowledgment for a lease.
    LeaseBreak(LeaseBreakResponse),
    /// A failure of any command, or an interim response; the status is in the header.
    Error(ErrorResponse),
    /// An unknown command.
    Other {
        /// The command of the header.
        command: Command,
        /// All that follows the header.
        body: Vec<u8>,
    },
}

impl Response {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Negotiate(body) => body.encode(out),
            Self::SessionSetup(body) => body.encode(out),
            Self::Logoff(body) => body.encode(out),
            Self::TreeConnect(body) => body.encode(out),
            Self::TreeDisconnect(body) => body.encode(out),
            Self::Create(body) => body.encode(out),
            Self::Close(body) => body.encode(out),
            Self::Flush(body) => body.encode(out),
            Self::Read(body) => body.encode(out),
            Self::Write(body) => body.encode(out),
            Self::Lock(body) => body.encode(out),
            Self::Ioctl(body) => body.encode(out),
            Self::Echo(body) => body.encode(out),
            Self::QueryDirectory(body) => body.encode(out),
            Self::ChangeNotify(body) => body.encode(out),
            Self::QueryInfo(body) => body.encode(out),
            Self::SetInfo(body) => body.encode(out),
            Self::OplockBreakNotification(body) => body.encode(out),
            Self::LeaseBreakNotification(body) => body.encode(out),
            Self::OplockBreak(body) => body.encode(out),
            Self::LeaseBreak(body) => body.encode(out),
            Self::Error(body) => body.encode(out),
            Self::Other { body, .. } => out.extend_from_slice(body),
        }
    }

    /// Reads a whole message from its header on. A command that is unknown becomes
    /// [`Response::Other`].
    ///
    /// # Errors
    ///
    /// What the header or the body refuses.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let header = Header::decode(message)?;
        if !has_own_body(&header, structure_size(message)) {
            return ErrorResponse::decode(message).map(Self::Error);
        }
        Ok(match header.command {
            Command::NEGOTIATE => Self::Negotiate(NegotiateResponse::decode(message)?),
            Command::SESSION_SETUP => Self::SessionSetup(SessionSetupResponse::decode(message)?),
            Command::LOGOFF => Self::Logoff(LogoffResponse::decode(message)?),
            Command::TREE_CONNECT => Self::TreeConnect(TreeConnectResponse::decode(message)?),
            Command::TREE_DISCONNECT => {
                Self::TreeDisconnect(TreeDisconnectResponse::decode(message)?)
            }
            Command::CREATE => Self::Create(CreateResponse::decode(message)?),
            Command::CLOSE => Self::Close(CloseResponse::decode(message)?),
            Command::FLUSH => Self::Flush(FlushResponse::decode(message)?),
            Command::READ => Self::Read(ReadResponse::decode(message)?),
            Command::WRITE => Self::Write(WriteResponse::decode(message)?),
            Command::LOCK => Self::Lock(LockResponse::decode(message)?),
            Command::IOCTL => Self::Ioctl(IoctlResponse::decode(message)?),
            Command::ECHO => Self::Echo(EchoResponse::decode(message)?),
            Command::QUERY_DIRECTORY => {
                Self::QueryDirectory(QueryDirectoryResponse::decode(message)?)
            }
            Command::CHANGE_NOTIFY => Self::ChangeNotify(ChangeNotifyResponse::decode(message)?),
            Command::QUERY_INFO => Self::QueryInfo(QueryInfoResponse::decode(message)?),
            Command::SET_INFO => Self::SetInfo(SetInfoResponse::decode(message)?),
            Command::OPLOCK_BREAK => Self::decode_break(&header, message)?,
            command => Self::Other {
                command,
                body: message[BODY..].to_vec(),
            },
        })
    }

    /// The four messages under OPLOCK_BREAK differ by StructureSize and by whether they answer
    /// anything.
    fn decode_break(header: &Header, message: &[u8]) -> Result<Self, Error> {
        let unsolicited = header.message_id == Header::UNSOLICITED;
        Ok(match structure_size(message) {
            LeaseBreakNotification::STRUCTURE_SIZE => {
                Self::LeaseBreakNotification(LeaseBreakNotification::decode(message)?)
            }
            LeaseBreakResponse::STRUCTURE_SIZE => {
                Self::LeaseBreak(LeaseBreakResponse::decode(message)?)
            }
            _ if unsolicited => {
                Self::OplockBreakNotification(OplockBreakNotification::decode(message)?)
            }
            _ => Self::OplockBreak(OplockBreakResponse::decode(message)?),
        })
    }
}

/// The first two bytes of the body, 0 if there are fewer: the decoder of the body says so then.
fn structure_size(message: &[u8]) -> u16 {
    let mut reader = Reader::new("body", message);
    reader
        .skip(BODY)
        .and_then(|()| reader.u16())
        .unwrap_or_default()
}

/// Whether a response carries the body of its command rather than an ERROR response (MS-SMB2
/// 3.3.4.4).
fn has_own_body(header: &Header, structure_size: u16) -> bool {
    let status = header.status;
    match header.command {
        _ if status == ntstatus::SUCCESS => true,
        // These bodies have the StructureSize of an ERROR response, so only the status tells.
        Command::SESSION_SETUP => status == ntstatus::MORE_PROCESSING_REQUIRED,
        Command::CHANGE_NOTIFY => status == ntstatus::NOTIFY_ENUM_DIR,
        Command::QUERY_INFO | Command::QUERY_DIRECTORY => status == ntstatus::BUFFER_OVERFLOW,
        // READ of a pipe, IOCTL with a part of the answer, copy-chunk with its limits.
        _ => structure_size != ErrorResponse::STRUCTURE_SIZE,
    }
}
