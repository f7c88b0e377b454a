//! Oplock and lease breaks: asserting that one came or did not, and saying what to do on one.

use super::{HANDLE, YES_NO, field, flag, optional, positional, trailing};
use crate::lease::{self, check_level, check_transition};
use crate::words;
use replay_ir::{ArgKind, Role, VerbSpec};

pub(super) const BREAK: VerbSpec = VerbSpec {
    name: "break",
    role: Role::AwaitBreak,
    doc: "Waits until a break of the handle's oplock or lease has arrived; each takes one break, in the order of \
          their arrival. The bound is `within=`.",
    section: "MS-SMB2 2.2.23",
    args: &[
        HANDLE,
        trailing(
            "transition",
            ArgKind::Token(check_transition),
            "The level or lease state before and after, as `batch->ii` or `rwh->rh`.",
        ),
    ],
    answer: &[
        field(
            "transition",
            ArgKind::Token(check_transition),
            "The level or lease state before and after.",
        ),
        field(
            "acknowledge",
            YES_NO,
            "Whether the server waits for an acknowledgement.",
        ),
        field("lease-epoch", ArgKind::Int, "NewEpoch (v2)."),
        field(
            "lease-key",
            ArgKind::Token(lease::check_canonical_key),
            "LeaseKey, as `create` writes it.",
        ),
    ],
    example: "A break f batch->ii within=1s",
};

pub(super) const NO_BREAK: VerbSpec = VerbSpec {
    name: "no-break",
    role: Role::NoBreak,
    doc: "Ends when no break of the handle's oplock or lease has arrived within `within=`.",
    section: "MS-SMB2 2.2.23",
    args: &[HANDLE],
    answer: &[],
    example: "A no-break f within=100ms",
};

pub(super) const ON_BREAK: VerbSpec = VerbSpec {
    name: "on-break",
    role: Role::OnBreak,
    doc: "Says what the client does when a break of the handle arrives, from now on. Without it every break is \
          acknowledged at once to the level that the server asks for. The handles of a lease have one policy together.",
    section: "MS-SMB2 2.2.24, 3.2.5.19",
    args: &[
        HANDLE,
        positional(
            "action",
            ArgKind::Word(&["ack", "ack-after", "close", "ignore"]),
            "`ack`: at once; `ack-after`: after a time, and what uses the handle waits until then; `close`: closes the \
             handle instead, or all handles of the lease; `ignore`: nothing.",
        ),
        trailing("delay", ArgKind::Duration, "How long `ack-after` waits."),
        optional(
            "level",
            ArgKind::Token(check_level),
            "The level or lease state to acknowledge, if not the one that the server asks for.",
        ),
    ],
    answer: &[],
    example: "A on-break f ack-after 500ms",
};

pub(super) const ACKNOWLEDGE: VerbSpec = VerbSpec {
    name: "acknowledge",
    role: Role::Operation,
    doc: "Acknowledges a break of the handle's oplock or lease, asked for or not, whatever `on-break` says; the status \
          is what the server answers to that. A handle whose `create` has a `lease-key=` is acknowledged as a lease.",
    section: "MS-SMB2 2.2.24, 2.2.25, 3.3.5.22",
    args: &[
        HANDLE,
        positional(
            "level",
            ArgKind::Token(check_level),
            "The level or lease state that the client accepts, or hexadecimal.",
        ),
        optional(
            "lease-key",
            ArgKind::Token(lease::check_key),
            "The LeaseKey to send, instead of the handle's own; always acknowledges a lease.",
        ),
        flag(
            "as-oplock",
            "Acknowledges an oplock, also where the handle has a lease.",
        ),
    ],
    answer: &[
        field(
            "oplock",
            ArgKind::Token(|text| words::OPLOCK.check_canonical(text)),
            "OplockLevel of the answer.",
        ),
        field(
            "lease-state",
            ArgKind::Token(|text| words::LEASE.check_canonical(text)),
            "LeaseState of the answer.",
        ),
    ],
    example: "A acknowledge f ii -> INVALID_DEVICE_STATE",
};
