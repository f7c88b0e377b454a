//! Verbs of connections, sessions and trees, and those that send nothing of their own.

use super::{CHAIN, field, fields, file, flag, header, notify, optional, positional, trailing};
use crate::client::{check_client_name, check_name};
use replay_ir::{ArgKind, FieldSpec, Role, VerbSpec};

const MECHANISM: FieldSpec = field(
    "mechanism",
    ArgKind::Word(&["ntlm", "kerberos"]),
    "The mechanism of a login that succeeded.",
);

pub(super) const CONNECT: VerbSpec = VerbSpec {
    name: "connect",
    role: Role::Connect,
    doc: "Opens the connection, negotiates, logs in, and connects the share, all as the client's line says. A client \
          whose first step is another one is connected before the trace's time begins; the verb is for traces in \
          which connecting may fail, or which connect again after `disconnect`. The status is that of the exchange \
          that ended it, which `stage` names. What a key distribution center refuses has the status that a login by NTLM \
          would have. After `disconnect` the new session names the lost one as its \
          predecessor, so that the server has ended that one before it answers (MS-SMB2 3.3.5.5.3). A client that has \
          only logged off logs in again on the same connection, and so does one with a session of its own on another's \
          connection. A `channel` connects, negotiates and binds itself to the session, and there its `connect` ends; a \
          client whose session lives on another channel does the same.",
    section: "MS-SMB2 2.2.3, 2.2.5, 2.2.9",
    args: &[optional(
        "previous-session",
        ArgKind::Token(check_client_name),
        "PreviousSessionId: `none`, or the client whose last session it is. Default: the client's own session, if it \
         was lost with its connection.",
    )],
    answer: &[
        field(
            "stage",
            ArgKind::Word(&["negotiate", "session-setup", "tree-connect"]),
            "The exchange that gave the status; `tree-connect` when all went well.",
        ),
        field(
            "dialect",
            ArgKind::Word(&["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"]),
            "DialectRevision.",
        ),
        field(
            "signing",
            ArgKind::Word(&["enabled", "required"]),
            "What the server's SecurityMode says.",
        ),
        field(
            "encryption",
            ArgKind::Word(&["none", "session", "share"]),
            "What the server wants encrypted.",
        ),
        field(
            "account",
            ArgKind::Word(&["user", "guest", "anonymous"]),
            "SessionFlags: as what the client was let in.",
        ),
        MECHANISM,
        field(
            "share-type",
            ArgKind::Word(&["disk", "pipe", "print"]),
            "ShareType.",
        ),
        fields::MAXIMAL_ACCESS,
        field("max-read", ArgKind::Int, "MaxReadSize in bytes."),
        field("max-write", ArgKind::Int, "MaxWriteSize in bytes."),
        field("max-transact", ArgKind::Int, "MaxTransactSize in bytes."),
    ],
    example: "A connect -> OK dialect=3.1.1 account=user",
};

pub(super) const DISCONNECT: VerbSpec = VerbSpec {
    name: "disconnect",
    role: Role::Operation,
    doc: "Closes the TCP connection without a word. What the client had open is left for the server to clean up; its \
          handles cannot be used any more. `connect` may follow.",
    section: "MS-SMB2 3.3.7.1",
    args: &[],
    answer: &[],
    example: "A disconnect",
};

pub(super) const REAUTHENTICATE: VerbSpec = VerbSpec {
    name: "reauthenticate",
    role: Role::Operation,
    doc: "Logs in once more in the client's session, which keeps its id, its keys, its trees and what is open.",
    section: "MS-SMB2 3.2.4.2.3.1, 3.3.5.5.3",
    args: &[flag(
        "wrong-password",
        "Logs in with a password that is not the identity's.",
    )],
    answer: &[MECHANISM],
    example: "A reauthenticate",
};

pub(super) const TREE_CONNECT: VerbSpec = VerbSpec {
    name: "tree-connect",
    role: Role::Operation,
    doc: "Connects a share on the client's session. When it succeeds, the steps that follow work on that tree, unless \
          it has a name by `as=`: then those do that say `tree=`, and those on a handle that was opened there.",
    section: "MS-SMB2 2.2.9",
    args: &[
        trailing(
            "share",
            ArgKind::Text,
            "The name of the share, without server. Default: the share that the client's line says.",
        ),
        CHAIN,
        optional(
            "as",
            ArgKind::Token(check_name),
            "The name of the tree, beside the one that steps work on by default.",
        ),
    ],
    answer: &[
        field(
            "share-type",
            ArgKind::Word(&["disk", "pipe", "print"]),
            "ShareType.",
        ),
        fields::MAXIMAL_ACCESS,
    ],
    example: "A tree-connect \"no-such-share\" -> BAD_NETWORK_NAME",
};

pub(super) const TREE_DISCONNECT: VerbSpec = VerbSpec {
    name: "tree-disconnect",
    role: Role::Operation,
    doc: "Disconnects the client's tree, or the named one. The server closes what was open on it.",
    section: "MS-SMB2 2.2.11",
    args: &[CHAIN, header::TREE],
    answer: &[],
    example: "A tree-disconnect",
};

pub(super) const LOGOFF: VerbSpec = VerbSpec {
    name: "logoff",
    role: Role::Operation,
    doc: "Ends the client's session. The server closes what was open in it.",
    section: "MS-SMB2 2.2.7",
    args: &[CHAIN],
    answer: &[],
    example: "A logoff",
};

pub(super) const ECHO: VerbSpec = VerbSpec {
    name: "echo",
    role: Role::Operation,
    doc: "Asks the server for a sign of life; the smallest round trip there is.",
    section: "MS-SMB2 2.2.28",
    args: &[CHAIN],
    answer: &[field(
        "credits",
        ArgKind::Int,
        "CreditResponse: how many credits the server grants with the answer.",
    )],
    example: "A echo",
};

pub(super) const CANCEL: VerbSpec = VerbSpec {
    name: "cancel",
    role: Role::Operation,
    doc: "Asks the server to cancel a step that is pending. CANCEL has no answer of its own: the step ends at once, \
          and what became of the other one is seen by `await`.",
    section: "MS-SMB2 2.2.30",
    args: &[positional(
        "step",
        ArgKind::Label,
        "The step to cancel; it expected `PENDING`.",
    )],
    answer: &[],
    example: "B cancel lk",
};

/// What a step that was pending can say in the end: a create, a notify, or a read that took its time.
static AWAIT_ANSWER: [FieldSpec; file::CREATE_ANSWER.len() + 2] = {
    let mut fields = [const { field("len", ArgKind::Int, "DataLength of a read in bytes.") };
        file::CREATE_ANSWER.len() + 2];
    fields[file::CREATE_ANSWER.len() + 1] = notify::CHANGES;
    let mut index = 0;
    while index < file::CREATE_ANSWER.len() {
        let FieldSpec { name, kind, doc } = &file::CREATE_ANSWER[index];
        fields[index] = field(name, *kind, doc);
        index += 1;
    }
    fields
};

pub(super) const AWAIT: VerbSpec = VerbSpec {
    name: "await",
    role: Role::Await,
    doc: "Takes the final answer of a step that expected `PENDING`. The expectation may name the fields of that \
          step's verb.",
    section: "MS-SMB2 3.2.5.1.5",
    args: &[positional(
        "step",
        ArgKind::Label,
        "The step whose answer is taken.",
    )],
    answer: &AWAIT_ANSWER,
    example: "B await lk -> CANCELLED",
};

pub(super) const PAUSE: VerbSpec = VerbSpec {
    name: "pause",
    role: Role::Pause,
    doc: "Does nothing until the step's time has come. With `after=` it holds a client back until another has come \
          that far.",
    section: "none",
    args: &[optional(
        "why",
        ArgKind::Text,
        "A remark for the reader of a report.",
    )],
    answer: &[],
    example: "@+20ms A pause",
};
