//! Arguments that change the header of a request rather than its body.

use super::{flag, optional};
use crate::client::check_name;
use replay_ir::{ArgKind, ArgSpec};

pub(super) const REPLAY: ArgSpec = flag(
    "replay",
    "Sets SMB2_FLAGS_REPLAY_OPERATION in the header: the request says that it was sent before (MS-SMB2 3.2.4.1.1).",
);

pub(super) const CHANNEL_SEQUENCE: ArgSpec = optional(
    "channel-sequence",
    ArgKind::Int,
    "ChannelSequence of the header, 0..=65535, from dialect 3.0 on (MS-SMB2 2.2.1.2). Default: how many channels the \
     session has lost.",
);

pub(super) const CREDITS: ArgSpec = optional(
    "credits",
    ArgKind::Int,
    "CreditRequest of the header, 0..=65535 (MS-SMB2 2.2.1.2). Default: what is missing to the client's `credits=`, and \
     at least what the request costs.",
);

pub(super) const CHARGE: ArgSpec = optional(
    "charge",
    ArgKind::Int,
    "CreditCharge of the header, 0..=65535; the client takes that many message ids, and at least one. Default: what the \
     payload costs (MS-SMB2 3.2.4.1.5).",
);

pub(super) const TREE: ArgSpec = optional(
    "tree",
    ArgKind::Token(check_name),
    "The tree of the request, by the name that a `tree-connect` gave it. Default: that of the handle, or the one that \
     was connected last without a name.",
);
