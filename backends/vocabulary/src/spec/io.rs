//! `read`, `write`, `flush` and `lock`.

use super::{CHAIN, HANDLE, field, flag, header, optional, required};
use replay_ir::{ArgKind, ArgSpec, Role, VerbSpec};

const OFFSET: ArgSpec = optional("offset", ArgKind::Int, "Offset in bytes. Default 0.");

pub(super) const READ: VerbSpec = VerbSpec {
    name: "read",
    role: Role::Operation,
    doc: "Reads from a file. The expectation may say what the bytes must be: `fill=` a pattern, `data=` text, `blob=` \
          the hash of a blob.",
    section: "MS-SMB2 2.2.19, 2.2.20; MS-FSA 2.1.5.3",
    args: &[
        HANDLE,
        OFFSET,
        required("len", ArgKind::Int, "Length in bytes, 0..=2^32-1."),
        optional(
            "min",
            ArgKind::Int,
            "MinimumCount in bytes: fewer are END_OF_FILE. Default 0.",
        ),
        flag("unbuffered", "Sets SMB2_READFLAG_READ_UNBUFFERED."),
        CHAIN,
        header::TREE,
    ],
    answer: &[field("len", ArgKind::Int, "DataLength in bytes.")],
    example: "A read f offset=1024 len=512 -> OK len=512 fill=7",
};

pub(super) const WRITE: VerbSpec = VerbSpec {
    name: "write",
    role: Role::Operation,
    doc: "Writes to a file: `len` bytes of the pattern `fill`, or `data`, or `bytes`.",
    section: "MS-SMB2 2.2.21, 2.2.22; MS-FSA 2.1.5.4",
    args: &[
        HANDLE,
        optional(
            "offset",
            ArgKind::Int,
            "Offset in bytes; 2^64-1 appends where the server knows that. Default 0.",
        ),
        optional(
            "len",
            ArgKind::Int,
            "Length of the pattern in bytes, 0..=8 MiB.",
        ),
        optional("fill", ArgKind::Int, "The pattern; 0 (default) is zeros."),
        optional("data", ArgKind::Text, "The content as UTF-8."),
        optional("bytes", ArgKind::Bytes, "The content as it is."),
        flag("write-through", "Sets SMB2_WRITEFLAG_WRITE_THROUGH."),
        flag("unbuffered", "Sets SMB2_WRITEFLAG_WRITE_UNBUFFERED."),
        CHAIN,
        header::TREE,
    ],
    answer: &[field(
        "len",
        ArgKind::Int,
        "Count: the bytes that were written.",
    )],
    example: "A write f offset=0 len=4096 fill=7 -> OK len=4096",
};

pub(super) const FLUSH: VerbSpec = VerbSpec {
    name: "flush",
    role: Role::Operation,
    doc: "Has the server write out what it holds of a file.",
    section: "MS-SMB2 2.2.17, 2.2.18; MS-FSA 2.1.5.7",
    args: &[HANDLE, CHAIN],
    answer: &[],
    example: "A flush f",
};

pub(super) const LOCK: VerbSpec = VerbSpec {
    name: "lock",
    role: Role::Operation,
    doc: "Locks or unlocks byte ranges. One of `exclusive`, `shared` and `unlock` goes for all ranges of the step. \
          Without `wait` a conflict is answered at once with LOCK_NOT_GRANTED; with it the answer is PENDING until \
          the range is free.",
    section: "MS-SMB2 2.2.26, 2.2.27; MS-FSA 2.1.5.8, 2.1.5.9",
    args: &[
        HANDLE,
        optional(
            "range",
            ArgKind::List(&ArgKind::Range),
            "The ranges; `start..start` is one of no bytes.",
        ),
        optional(
            "offset",
            ArgKind::Int,
            "Instead of `range`: Offset of one range, with `len`; their sum may pass 2^64.",
        ),
        optional("len", ArgKind::Int, "Length in bytes, with `offset`."),
        flag("exclusive", "SMB2_LOCKFLAG_EXCLUSIVE_LOCK; the default."),
        flag("shared", "SMB2_LOCKFLAG_SHARED_LOCK."),
        flag("unlock", "SMB2_LOCKFLAG_UNLOCK."),
        flag("wait", "Leaves out SMB2_LOCKFLAG_FAIL_IMMEDIATELY."),
        CHAIN,
    ],
    answer: &[],
    example: "B lock g range=0..1,100..200 shared -> LOCK_NOT_GRANTED",
};
