//! The vocabulary as a table: every verb, argument, answer field and `given` of a trace, each described once.
//!
//! What the words mean on the wire is [`crate::Operation`]'s; here is what may be written and what it says to a reader.

mod breaks;
mod client;
mod durable;
mod ea;
mod fields;
mod file;
mod given;
mod header;
mod info;
mod io;
mod ioctl;
mod notify;
mod quota;
mod security;
mod session;
mod wire;

use crate::chain::CHAIN;
use replay_ir::spec::{field, flag, optional, positional, required, trailing};
use replay_ir::{ArgKind, ArgSpec, Vocabulary};
use smb_wire::ntstatus;

/// The verbs, arguments, answers and status names of an SMB trace.
pub static VOCABULARY: Vocabulary = Vocabulary {
    verbs: &[
        session::CONNECT,
        session::DISCONNECT,
        session::REAUTHENTICATE,
        wire::request!(session::TREE_CONNECT),
        wire::request!(session::TREE_DISCONNECT),
        wire::request!(session::LOGOFF),
        wire::request!(session::ECHO),
        wire::request!(file::CREATE),
        durable::RECONNECT,
        wire::request!(file::CLOSE),
        wire::request!(io::READ),
        wire::request!(io::WRITE),
        wire::request!(io::FLUSH),
        wire::request!(io::LOCK),
        wire::request!(info::QUERY_DIRECTORY),
        wire::request!(info::QUERY_INFO),
        wire::request!(info::SET_INFO),
        wire::request!(info::QUERY_FS),
        wire::request!(notify::NOTIFY),
        wire::request!(quota::QUERY_QUOTA),
        wire::request!(quota::SET_QUOTA),
        wire::request!(security::QUERY_SECURITY),
        wire::request!(security::SET_SECURITY),
        wire::request!(ioctl::IOCTL),
        session::CANCEL,
        session::AWAIT,
        breaks::BREAK,
        breaks::NO_BREAK,
        breaks::ON_BREAK,
        breaks::ACKNOWLEDGE,
        session::PAUSE,
        wire::RAW,
    ],
    client_args: client::ARGS,
    givens: given::GIVENS,
    needs: given::NEEDS,
    status_by_name: ntstatus::by_name,
    status_name: ntstatus::name,
    ok: ntstatus::SUCCESS,
    pending: ntstatus::PENDING,
};

/// The open handle that most verbs begin with.
const HANDLE: ArgSpec = positional("handle", ArgKind::Handle, "The handle that it works on.");

/// For answers that say whether something is so; a word in both cases, so that both can be expected.
const YES_NO: ArgKind = ArgKind::Word(&["yes", "no"]);
