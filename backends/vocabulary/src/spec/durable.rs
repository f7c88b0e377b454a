//! `reconnect`.

use super::{file, flag, optional, positional, required};
use crate::{lease, words};
use replay_ir::{ArgKind, Role, VerbSpec};

pub(super) const RECONNECT: VerbSpec = VerbSpec {
    name: "reconnect",
    role: Role::Operation,
    doc: "Re-establishes a durable open after its connection was lost: a CREATE like the one that opened it, with its \
          FileId in a reconnect context, and the lease if it had one (MS-SMB2 3.2.4.4). Everything that is not named \
          is as in the step of `of=`, but for the other create contexts, which it has where it says so. The open has a new handle from then on.",
    section: "MS-SMB2 2.2.13.2.4, 2.2.13.2.12; 3.3.5.9.7, 3.3.5.9.12",
    args: &[
        positional(
            "handle",
            ArgKind::NewHandle,
            "The name that later steps call the handle.",
        ),
        required(
            "of",
            ArgKind::Label,
            "The step that opened it: a `create` or a `reconnect`, of any client.",
        ),
        optional(
            "durable",
            ArgKind::Word(&["v1", "v2", "persistent"]),
            "DURABLE_HANDLE_RECONNECT or its V2, the latter with the persistent flag for `persistent`. Default: as \
             that step asked for.",
        ),
        file::CREATE_GUID,
        optional(
            "request",
            ArgKind::Word(&["v1", "v2"]),
            "Adds a DURABLE_HANDLE_REQUEST or its V2 to the reconnect context, which MS-SMB2 3.3.5.9.6 to 3.3.5.9.12 \
             have rules for.",
        ),
        optional("path", ArgKind::Text, "Another path."),
        optional(
            "access",
            ArgKind::Token(|text| words::ACCESS.check(text)),
            "Another DesiredAccess.",
        ),
        optional(
            "share",
            ArgKind::Token(|text| words::SHARE.check(text)),
            "Another ShareAccess.",
        ),
        optional(
            "disposition",
            ArgKind::Token(|text| words::DISPOSITION.check(text)),
            "Another CreateDisposition.",
        ),
        optional(
            "options",
            ArgKind::Token(|text| words::OPTIONS.check(text)),
            "Other CreateOptions.",
        ),
        optional(
            "oplock",
            ArgKind::Token(|text| words::OPLOCK.check(text)),
            "Another RequestedOplockLevel.",
        ),
        flag("no-lease", "Leaves out the lease context."),
        optional(
            "lease-key",
            ArgKind::Token(lease::check_key),
            "Another LeaseKey.",
        ),
        optional(
            "lease-state",
            ArgKind::Token(|text| words::LEASE.check(text)),
            "Another LeaseState.",
        ),
        optional(
            "lease-version",
            ArgKind::Word(&["v1", "v2"]),
            "The other lease context.",
        ),
        file::QUERY_MAXIMAL_ACCESS,
        file::QUERY_ON_DISK_ID,
        file::ALLOCATION,
        file::TIMEWARP,
        file::APP_INSTANCE,
        file::APP_INSTANCE_VERSION,
        super::ea::EA,
        super::security::SD,
    ],
    answer: file::CREATE_ANSWER,
    example: "A reconnect g of=first -> OK oplock=batch",
};
