//! `query-quota` and `set-quota`.

use super::info::BUFFER;
use super::{CHAIN, HANDLE, field, flag, positional};
use replay_ir::{ArgKind, Role, VerbSpec};

pub(super) const QUERY_QUOTA: VerbSpec = VerbSpec {
    name: "query-quota",
    role: Role::Operation,
    doc: "Asks for the quotas of the volume, of all users (SMB2_0_INFO_QUOTA). The handle is that of its quota file, \
          `$Extend/$Quota:$Q:$INDEX_ALLOCATION` in the root of the share.",
    section: "MS-SMB2 2.2.37.1, 3.3.5.20.4; MS-FSCC 2.4.41",
    args: &[
        HANDLE,
        BUFFER,
        flag("single", "ReturnSingle."),
        flag("restart", "RestartScan."),
        CHAIN,
    ],
    answer: &[field(
        "len",
        ArgKind::Int,
        "The length of the answer in bytes.",
    )],
    example: "A query-quota f restart -> INVALID_PARAMETER",
};

pub(super) const SET_QUOTA: VerbSpec = VerbSpec {
    name: "set-quota",
    role: Role::Operation,
    doc: "Sets quotas of the volume (SMB2_0_INFO_QUOTA).",
    section: "MS-SMB2 2.2.39, 3.3.5.21.4; MS-FSCC 2.4.41",
    args: &[
        HANDLE,
        positional(
            "entries",
            ArgKind::Bytes,
            "FILE_QUOTA_INFORMATION entries as they are.",
        ),
        CHAIN,
    ],
    answer: &[],
    example: "A set-quota f hex:0000 -> INVALID_PARAMETER",
};
