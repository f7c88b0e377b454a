//! A step as plain data: what to send, with the types of the wire, and every default filled in.
//!
//! Handles, labels and paths stay as the trace has them; which FileId a handle is and below which directory a path
//! lies is known to a backend at run time only.

mod breaks;
mod create;
mod durable;
mod ea;
mod header;
mod io;
mod ioctl;
mod notify;
mod quota;
mod security;
mod set_info;
mod whole;

pub use breaks::{Acknowledge, BreakAction, BreakLevel, OnBreak};
pub(crate) use create::check_version;
pub use create::{Create, Durable, LeaseRequest};
pub use durable::{RECONNECT_CONTEXTS, Reconnect, ReconnectVersion};
pub use ea::{QueryEa, SetEa};
pub(crate) use ea::{attributes as extended_attributes, write as write_extended_attribute};
pub use header::HeaderOptions;
pub use io::{Content, Lock, LockKind, LockRange, QueryDirectory, Read, Write};
pub(crate) use ioctl::check_chunk;
pub use ioctl::{Ioctl, IoctlInput};
pub use notify::Notify;
pub use quota::{QueryQuota, SetQuota};
pub use security::{DescriptorText, NewDescriptor, QuerySecurity, SetSecurity};
pub use set_info::{FileChange, SetInfo, Times};
pub use whole::StepRequest;

use crate::args::{self, ArgError, Args};
use crate::words;
use replay_ir::{Role, Step, StepId, Value};
use smb_wire::{FileInfoClass, FsInfoClass};

/// The OutputBufferLength of queries that do not name one.
const BUFFER: u32 = 65_536;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation<'t> {
    /// NEGOTIATE, SESSION_SETUP and TREE_CONNECT as the client's line says.
    Connect {
        /// PreviousSessionId.
        previous: PreviousSession<'t>,
    },
    /// SESSION_SETUP in the session that there is.
    Reauthenticate {
        /// With a password that is not the identity's.
        wrong_password: bool,
    },
    /// Closes the transport.
    Disconnect,
    /// TREE_CONNECT to a share of the server.
    TreeConnect {
        /// The share's name; `None` is the client's own.
        share: Option<&'t str>,
        /// What the tree is called, if it is not the one that steps work on by default.
        name: Option<&'t str>,
    },
    /// TREE_DISCONNECT.
    TreeDisconnect,
    /// LOGOFF.
    Logoff,
    /// ECHO.
    Echo,
    /// CREATE.
    Create(Create<'t>),
    /// CREATE with a reconnect context.
    Reconnect(Box<Reconnect<'t>>),
    /// CLOSE.
    Close {
        /// The handle.
        handle: &'t str,
        /// SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB.
        postquery: bool,
    },
    /// READ.
    Read(Read<'t>),
    /// WRITE.
    Write(Write<'t>),
    /// FLUSH.
    Flush {
        /// The handle.
        handle: &'t str,
    },
    /// LOCK.
    Lock(Lock<'t>),
    /// QUERY_DIRECTORY.
    QueryDirectory(QueryDirectory<'t>),
    /// QUERY_INFO with SMB2_0_INFO_FILE.
    QueryInfo {
        /// The handle.
        handle: &'t str,
        /// FileInfoClass.
        class: FileInfoClass,
        /// OutputBufferLength in bytes.
        buffer: u32,
    },
    /// QUERY_INFO of extended attributes.
    QueryEa(QueryEa<'t>),
    /// SET_INFO of extended attributes.
    SetEa(SetEa<'t>),
    /// SET_INFO with SMB2_0_INFO_FILE.
    SetInfo(SetInfo<'t>),
    /// QUERY_INFO with SMB2_0_INFO_FILESYSTEM.
    QueryFs {
        /// The handle.
        handle: &'t str,
        /// FileInfoClass.
        class: FsInfoClass,
        /// OutputBufferLength in bytes.
        buffer: u32,
    },
    /// QUERY_INFO with SMB2_0_INFO_QUOTA.
    QueryQuota(QueryQuota<'t>),
    /// SET_INFO with SMB2_0_INFO_QUOTA.
    SetQuota(SetQuota<'t>),
    /// QUERY_INFO with SMB2_0_INFO_SECURITY.
    QuerySecurity(QuerySecurity<'t>),
    /// SET_INFO with SMB2_0_INFO_SECURITY.
    SetSecurity(SetSecurity<'t>),
    /// IOCTL.
    Ioctl(Ioctl<'t>),
    /// CANCEL.
    Cancel {
        /// The pending step.
        step: StepId,
    },
    /// CHANGE_NOTIFY.
    Notify(Notify<'t>),
    /// What a client does when a break of the handle arrives.
    OnBreak(OnBreak<'t>),
    /// OPLOCK_BREAK acknowledgment.
    Acknowledge(Acknowledge<'t>),
    /// A frame of the trace's own bytes.
    Raw {
        /// What stands behind the length prefix.
        bytes: &'t [u8],
        /// What the length prefix says, if not the truth.
        length: Option<u32>,
        /// When so many nanoseconds have passed without an answer, the step ends as IO_TIMEOUT.
        silence: Option<u64>,
    },
    /// A step that the engine judges by itself and of which nothing is sent: `await`, `break`, `no-break`, `pause`.
    Engine(Role),
}

/// Which session a new one replaces (MS-SMB2 2.2.5, PreviousSessionId).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PreviousSession<'t> {
    /// The client's own, if it was lost with its connection.
    #[default]
    Own,
    /// None.
    None,
    /// The last one of this client.
    Of(&'t str),
}

impl<'t> Operation<'t> {
    /// What `step` does. The error is about an argument; a step that passed [`check_trace`](crate::check_trace)
    /// has none.
    pub fn decode(step: &Step<'t>) -> Result<Self, ArgError> {
        Self::read(step, &args::of_step(step))
    }

    fn read(
        step: &Step<'t>,
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let handle = || args.required("handle");
        Ok(match step.verb().name {
            "connect" => Self::Connect {
                previous: match args.str("previous-session") {
                    None => PreviousSession::Own,
                    Some("none") => PreviousSession::None,
                    Some(client) => PreviousSession::Of(client),
                },
            },
            "reauthenticate" => Self::Reauthenticate {
                wrong_password: args.has("wrong-password"),
            },
            "disconnect" => Self::Disconnect,
            "tree-connect" => Self::TreeConnect {
                share: args.str("share"),
                name: args.str("as"),
            },
            "tree-disconnect" => Self::TreeDisconnect,
            "logoff" => Self::Logoff,
            "echo" => Self::Echo,
            "create" => Self::Create(Create::decode(args)?),
            "reconnect" => Self::Reconnect(Box::new(Reconnect::decode(step)?)),
            "close" => Self::Close {
                handle: handle()?,
                postquery: args.has("postquery"),
            },
            "read" => Self::Read(Read::decode(args)?),
            "write" => Self::Write(Write::decode(args)?),
            "flush" => Self::Flush { handle: handle()? },
            "lock" => Self::Lock(Lock::decode(args)?),
            "query-directory" => Self::QueryDirectory(QueryDirectory::decode(args)?),
            "query-info" if args.str("class") == Some("full-ea") => {
                Self::QueryEa(QueryEa::decode(args)?)
            }
            "query-info" if args.has("names") || args.has("single") || args.has("restart") => {
                let text = "`names=`, `single` and `restart` belong to full-ea";
                return Err(ArgError::Conflict(text.to_owned()));
            }
            "set-info" if args.str("class") == Some("full-ea") => Self::SetEa(SetEa::decode(args)?),
            "query-info" => Self::QueryInfo {
                handle: handle()?,
                class: args
                    .parsed("class", |text| words::FILE_CLASS.parse(text))?
                    .ok_or(ArgError::Missing("class"))?,
                buffer: args.int("buffer")?.unwrap_or(BUFFER),
            },
            "set-info" => Self::SetInfo(SetInfo::decode(args)?),
            "query-fs" => Self::QueryFs {
                handle: handle()?,
                class: args
                    .parsed("class", |text| words::FS_CLASS.parse(text))?
                    .ok_or(ArgError::Missing("class"))?,
                buffer: args.int("buffer")?.unwrap_or(BUFFER),
            },
            "query-quota" => Self::QueryQuota(QueryQuota::decode(args)?),
            "set-quota" => Self::SetQuota(SetQuota::decode(args)?),
            "query-security" => Self::QuerySecurity(QuerySecurity::decode(args, BUFFER)?),
            "set-security" => Self::SetSecurity(SetSecurity::decode(args)?),
            "ioctl" => Self::Ioctl(Ioctl::decode(step, args)?),
            "cancel" => Self::Cancel {
                step: step.target().ok_or(ArgError::Missing("step"))?,
            },
            "notify" => Self::Notify(Notify::decode(args)?),
            "on-break" => Self::OnBreak(OnBreak::decode(step, args)?),
            "acknowledge" => Self::Acknowledge(Acknowledge::decode(step, args)?),
            "raw" => Self::Raw {
                bytes: args.bytes("bytes").ok_or(ArgError::Missing("bytes"))?,
                length: args.int("length")?,
                silence: args.nanoseconds("silence"),
            },
            other => match step.role() {
                Role::Operation | Role::Connect | Role::OnBreak => {
                    return Err(ArgError::Conflict(format!(
                        "`{other}` is no verb of this vocabulary"
                    )));
                }
                role => Self::Engine(role),
            },
        })
    }
}
