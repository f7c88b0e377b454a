//! `notify`.

use super::{HANDLE, field, flag, optional};
use crate::words;
use replay_ir::{ArgKind, FieldSpec, Role, VerbSpec};

pub(super) const CHANGES: FieldSpec = field(
    "changes",
    ArgKind::List(&ArgKind::Text),
    "What CHANGE_NOTIFY reports, in the server's order: `ACTION NAME`, where the action is `added` `removed` \
     `modified` `renamed-old-name` `renamed-new-name` `added-stream` `removed-stream` `modified-stream` or \
     hexadecimal, and the name begins below the directory, its parts joined by `/`.",
);

pub(super) const NOTIFY: VerbSpec = VerbSpec {
    name: "notify",
    role: Role::Operation,
    doc: "Asks to be told of changes in a directory. The answer is PENDING until there is one; `await` takes what \
          there was. It ends as CANCELLED by `cancel`, as NOTIFY_CLEANUP when the handle is closed, and as \
          NOTIFY_ENUM_DIR when there was more than the buffer holds.",
    section: "MS-SMB2 2.2.35, 2.2.36; MS-FSA 2.1.5.11; MS-FSCC 2.7.1",
    args: &[
        HANDLE,
        optional(
            "filter",
            ArgKind::Token(|text| words::COMPLETION_FILTER.check(text)),
            "CompletionFilter: `file-name` `dir-name` `attributes` `size` `last-write` `last-access` `creation` `ea` \
             `security` `stream-name` `stream-size` `stream-write`, joined by `|`, or hexadecimal. Default all of \
             them.",
        ),
        flag(
            "tree",
            "SMB2_WATCH_TREE: of everything below the directory.",
        ),
        optional(
            "buffer",
            ArgKind::Int,
            "OutputBufferLength in bytes, 0..=2^32-1. Default 65536.",
        ),
    ],
    answer: &[CHANGES],
    example: "A notify f filter=file-name|dir-name tree -> PENDING",
};
