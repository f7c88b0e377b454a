//! Oplock and lease breaks: asserting that one came or did not, and saying what to do on one.

use super::{HANDLE, YES_NO, field, positional, trailing};
use crate::lease::{check_level, check_transition};
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
          acknowledged at once to the level that the server asks for.",
    section: "MS-SMB2 2.2.24, 3.2.5.19",
    args: &[
        HANDLE,
        positional(
            "action",
            ArgKind::Word(&["ack", "ack-after", "close", "ignore"]),
            "`ack`: at once; `ack-after`: after a time; `close`: closes the handle instead; `ignore`: nothing.",
        ),
        trailing("delay", ArgKind::Duration, "How long `ack-after` waits."),
        super::optional(
            "level",
            ArgKind::Token(check_level),
            "The level or lease state to acknowledge, if not the one that the server asks for.",
        ),
    ],
    answer: &[],
    example: "A on-break f ack-after 500ms",
};
