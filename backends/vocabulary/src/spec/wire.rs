//! Frames that are wrong on purpose: `raw`, and what every request can be changed by.

use super::{header, optional, positional};
use crate::wire_edit::check_edit;
use replay_ir::{ArgKind, ArgSpec, Role, VerbSpec};

/// What every verb has that sends one request.
pub(super) const EDITS: [ArgSpec; 6] = [
    header::REPLAY,
    header::CHANNEL_SEQUENCE,
    header::CREDITS,
    header::CHARGE,
    optional(
        "wire",
        ArgKind::List(&ArgKind::Token(check_edit)),
        "Changes of the frame, which make it wrong on purpose: see [frames that are wrong](wire.md).",
    ),
    SILENCE,
];

const SILENCE: ArgSpec = optional(
    "silence",
    ArgKind::Duration,
    "With `wire=`: when nothing came in so long a time the step ends with IO_TIMEOUT.",
);

pub(super) const RAW: VerbSpec = VerbSpec {
    name: "raw",
    role: Role::Operation,
    doc: "Sends bytes as a frame, as they are: nothing is signed, and no message id is taken. Ends with the answer to \
          them, with CONNECTION_DISCONNECTED when the server closes the connection instead, and with IO_TIMEOUT when \
          `silence=` is over.",
    section: "MS-SMB2 2.1, 3.3.5.2",
    args: &[
        positional(
            "bytes",
            ArgKind::Bytes,
            "What stands behind the length prefix.",
        ),
        optional(
            "length",
            ArgKind::Int,
            "What the length prefix says, 0..2^24. Default the number of bytes.",
        ),
        optional(
            "silence",
            ArgKind::Duration,
            "When nothing came in so long a time the step ends with IO_TIMEOUT.",
        ),
    ],
    answer: &[],
    example: "A raw hex:00000000 -> CONNECTION_DISCONNECTED",
};

/// A verb with [`EDITS`] behind its own arguments.
macro_rules! request {
    ($verb:expr) => {{
        const VERB: replay_ir::VerbSpec = $verb;
        const OWN: usize = VERB.args.len();
        const ARGS: [replay_ir::ArgSpec; OWN + crate::spec::wire::EDITS.len()] = {
            let mut args =
                [const { crate::spec::flag("", "") }; OWN + crate::spec::wire::EDITS.len()];
            let mut index = 0;
            while index < args.len() {
                let replay_ir::ArgSpec {
                    name,
                    kind,
                    positional,
                    required,
                    doc,
                } = if index < OWN {
                    &VERB.args[index]
                } else {
                    &crate::spec::wire::EDITS[index - OWN]
                };
                args[index] = replay_ir::ArgSpec {
                    name,
                    kind: *kind,
                    positional: *positional,
                    required: *required,
                    doc,
                };
                index += 1;
            }
            args
        };
        replay_ir::VerbSpec {
            args: &ARGS,
            ..VERB
        }
    }};
}
pub(super) use request;
