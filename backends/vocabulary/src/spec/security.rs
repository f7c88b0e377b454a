//! `query-security` and `set-security`.

use super::{CHAIN, HANDLE, field, fields, flag, optional};
use crate::{security, words};
use replay_ir::{ArgKind, ArgSpec, Role, VerbSpec};

/// The descriptor of what a `create` makes, and of a `given`.
pub(super) const SD: ArgSpec = optional(
    "sd",
    ArgKind::Text,
    "A security descriptor in SDDL (MS-DTYP 2.5.1), as `O:$aliceD:P(A;OICI;FA;;;$alice)(A;;FR;;;WD)`: `$alice` is the \
     identity of that name. `create`: adds SD_BUFFER (MS-SMB2 2.2.13.2.2).",
);

pub(super) const QUERY_SECURITY: VerbSpec = VerbSpec {
    name: "query-security",
    role: Role::Operation,
    doc: "Asks for the security descriptor of an open file. Principals are written as `$alice` where they are an \
          identity of the run, as WD, BA, SY … where SDDL has a name for them, and else as `S-1-…`.",
    section: "MS-SMB2 2.2.37, 3.3.5.20.3; MS-DTYP 2.4.6, 2.5.1",
    args: &[
        HANDLE,
        flag(
            "owner",
            "OWNER_SECURITY_INFORMATION. Without any of these flags owner, group and DACL are asked for.",
        ),
        flag("group", "GROUP_SECURITY_INFORMATION."),
        flag("dacl", "DACL_SECURITY_INFORMATION."),
        flag("sacl", "SACL_SECURITY_INFORMATION."),
        flag("label", "LABEL_SECURITY_INFORMATION."),
        flag("attribute", "ATTRIBUTE_SECURITY_INFORMATION."),
        flag("scope", "SCOPE_SECURITY_INFORMATION."),
        flag("backup", "BACKUP_SECURITY_INFORMATION."),
        optional(
            "buffer",
            ArgKind::Int,
            "OutputBufferLength in bytes, 0..=2^32-1. Default 65536.",
        ),
        CHAIN,
    ],
    answer: &[
        field(
            "owner",
            ArgKind::Token(security::check_canonical_principal),
            "OwnerSid; not there when the answer has none.",
        ),
        field(
            "group",
            ArgKind::Token(security::check_canonical_principal),
            "GroupSid.",
        ),
        field(
            "dacl",
            ArgKind::Text,
            "What SDDL has behind `D:`: flags (`P` protected, `AR`, `AI` auto-inherited) and entries in their order, \
             as `PAI(D;;FW;;;WD)(A;OICI;FA;;;$alice)`; `NO_ACCESS_CONTROL` for a NULL list.",
        ),
        field("sacl", ArgKind::Text, "The same of the SACL."),
        field(
            "control",
            ArgKind::Token(words::check_canonical_hex),
            "Control in hexadecimal (MS-DTYP 2.4.6).",
        ),
        fields::REQUIRED,
        field("len", ArgKind::Int, "The length of the answer in bytes."),
    ],
    example: "A query-security f owner dacl -> OK owner=$alice dacl=\"(A;;FA;;;$alice)\"",
};

pub(super) const SET_SECURITY: VerbSpec = VerbSpec {
    name: "set-security",
    role: Role::Operation,
    doc: "Sets parts of the security descriptor of an open file: those that are named, the others stay.",
    section: "MS-SMB2 2.2.39, 3.3.5.21.3; MS-DTYP 2.4.6, 2.5.1",
    args: &[
        HANDLE,
        optional(
            "owner",
            ArgKind::Token(security::check_principal),
            "OwnerSid: `$alice`, a name of SDDL such as `BA`, or `S-1-…`.",
        ),
        optional(
            "group",
            ArgKind::Token(security::check_principal),
            "GroupSid.",
        ),
        optional(
            "dacl",
            ArgKind::Text,
            "The DACL as SDDL has it behind `D:`, for instance `P(A;;FA;;;$alice)`, or `NO_ACCESS_CONTROL`.",
        ),
        optional(
            "sacl",
            ArgKind::Text,
            "The SACL as SDDL has it behind `S:`.",
        ),
        optional(
            "sd",
            ArgKind::Text,
            "Instead of these: all parts in one text of SDDL, `O:…G:…D:…S:…`.",
        ),
        optional(
            "parts",
            ArgKind::Token(|text| words::SECURITY.check(text)),
            "AdditionalInformation, words of `owner` `group` `dacl` `sacl` `label` `attribute` `scope` `backup` joined \
             by `|`, or hexadecimal. Default: what is given.",
        ),
        optional(
            "bytes",
            ArgKind::Bytes,
            "The descriptor as it is sent, instead; it need not be one.",
        ),
        CHAIN,
    ],
    answer: &[],
    example: "A set-security f dacl=\"P(A;;FA;;;$alice)(A;;FR;;;WD)\"",
};
