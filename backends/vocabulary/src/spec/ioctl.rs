//! `ioctl`.

use super::{CHAIN, field, flag, header, optional, positional, trailing};
use crate::operation::check_chunk;
use crate::words;
use replay_ir::{ArgKind, Role, VerbSpec};

pub(super) const IOCTL: VerbSpec = VerbSpec {
    name: "ioctl",
    role: Role::Operation,
    doc: "Sends a control code, with the input that its arguments make. The code comes first; a code that needs no \
          open file goes without a handle, and FileId is all ones.",
    section: "MS-SMB2 2.2.31, 2.2.32, 3.3.5.15; MS-FSCC 2.3",
    args: &[
        positional(
            "code",
            ArgKind::Token(words::check_ctl_code),
            "CtlCode: a name of MS-FSCC 2.3 or MS-SMB2 2.2.31 without FSCTL_, as `set-sparse` `srv-copychunk`, or \
             hexadecimal.",
        ),
        trailing("handle", ArgKind::Handle, "The handle that it works on."),
        optional(
            "input",
            ArgKind::Bytes,
            "The input buffer as it is, instead of what the arguments make.",
        ),
        optional(
            "sparse",
            ArgKind::Word(&["yes", "no"]),
            "`set-sparse`: SetSparse; without it the input is empty, which means yes.",
        ),
        optional(
            "range",
            ArgKind::Range,
            "`set-zero-data`, `query-allocated-ranges`: the bytes that are meant.",
        ),
        optional(
            "compression",
            ArgKind::Int,
            "`set-compression`: 0 none, 1 the default, 2 LZNT1.",
        ),
        optional(
            "source",
            ArgKind::Handle,
            "`srv-copychunk`, `srv-copychunk-write`, `duplicate-extents-to-file`: where the bytes come from. Default: \
             the same handle. For the first two `srv-request-resume-key` comes before.",
        ),
        optional(
            "chunks",
            ArgKind::List(&ArgKind::Token(check_chunk)),
            "The same: what is copied, as `0..4096->8192`: the bytes of the source, and where they go.",
        ),
        optional(
            "times",
            ArgKind::Int,
            "With `chunks=`: how often all of them are sent. Default 1.",
        ),
        flag("no-fsctl", "Leaves out SMB2_0_IOCTL_IS_FSCTL."),
        optional(
            "max-input",
            ArgKind::Int,
            "MaxInputResponse in bytes, 0..=2^32-1. Default 0.",
        ),
        optional(
            "max-output",
            ArgKind::Int,
            "MaxOutputResponse in bytes, 0..=2^32-1. Default 65536.",
        ),
        CHAIN,
        header::TREE,
    ],
    answer: &[
        field("len", ArgKind::Int, "OutputCount in bytes."),
        field("output", ArgKind::Bytes, "The output buffer."),
        field(
            "ranges",
            ArgKind::List(&ArgKind::Range),
            "`query-allocated-ranges`: the allocated ones.",
        ),
        field(
            "chunks-written",
            ArgKind::Int,
            "`srv-copychunk`: ChunksWritten; with INVALID_PARAMETER the most chunks that the server takes.",
        ),
        field(
            "chunk-bytes-written",
            ArgKind::Int,
            "ChunkBytesWritten; with INVALID_PARAMETER the most bytes of a chunk.",
        ),
        field(
            "total-bytes-written",
            ArgKind::Int,
            "TotalBytesWritten; with INVALID_PARAMETER the most bytes of all chunks.",
        ),
        field(
            "compression",
            ArgKind::Int,
            "`get-compression`: CompressionState.",
        ),
        field(
            "interfaces",
            ArgKind::Int,
            "`query-network-interface-info`: how many there are.",
        ),
        field(
            "dialect",
            ArgKind::Word(&["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"]),
            "`validate-negotiate-info`: Dialect.",
        ),
        field(
            "signing",
            ArgKind::Word(&["enabled", "required"]),
            "`validate-negotiate-info`: SecurityMode.",
        ),
    ],
    example: "A ioctl query-allocated-ranges f range=0..65536 -> OK ranges=0..4096",
};
