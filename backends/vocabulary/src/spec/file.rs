//! `create` and `close`.

use super::security::SD;
use super::{CHAIN, YES_NO, field, fields, flag, header, optional, positional};
use crate::operation::check_version;
use crate::{lease, time, words};
use replay_ir::{ArgKind, ArgSpec, FieldSpec, Role, VerbSpec};

pub(super) const CREATE_ANSWER: &[FieldSpec] = &[
    field(
        "oplock",
        ArgKind::Token(|text| words::OPLOCK.check_canonical(text)),
        "OplockLevel that was granted.",
    ),
    field(
        "action",
        ArgKind::Token(|text| words::ACTION.check_canonical(text)),
        "CreateAction: `superseded` `opened` `created` `overwritten`.",
    ),
    fields::SIZE,
    fields::ALLOCATION,
    fields::ATTRIBUTES,
    fields::CREATED,
    fields::ACCESSED,
    fields::WRITTEN,
    fields::CHANGED,
    fields::MAXIMAL_ACCESS,
    field(
        "maximal-access-status",
        ArgKind::Token(words::check_canonical_hex),
        "QueryStatus of the maximal access answer, an NTSTATUS in hexadecimal.",
    ),
    field(
        "on-disk-id",
        ArgKind::Token(words::check_canonical_hex),
        "DiskFileId, in hexadecimal (MS-SMB2 2.2.14.2.9).",
    ),
    field(
        "lease-state",
        ArgKind::Token(|text| words::LEASE.check_canonical(text)),
        "LeaseState that was granted: `none` `r` `rh` `rw` `rwh`.",
    ),
    field("lease-epoch", ArgKind::Int, "Epoch (v2)."),
    field(
        "lease-breaking",
        YES_NO,
        "SMB2_LEASE_FLAG_BREAK_IN_PROGRESS.",
    ),
    field(
        "durable",
        ArgKind::Word(&["no", "v1", "v2", "persistent"]),
        "What the server granted.",
    ),
    field(
        "durable-timeout",
        ArgKind::Duration,
        "Timeout of the V2 answer.",
    ),
];

pub(super) const CREATE_GUID: ArgSpec = optional(
    "create-guid",
    ArgKind::Token(lease::check_key),
    "CreateGuid of the V2 request (MS-SMB2 2.2.13.2.11): a name of at most 16 bytes, or 0x and 32 hexadecimal \
     digits. Default: one of its own for every request.",
);

// The create contexts that a reconnect has only where it says so, beside EA and SD.
pub(super) const QUERY_MAXIMAL_ACCESS: ArgSpec = flag(
    "query-maximal-access",
    "Adds QUERY_MAXIMAL_ACCESS_REQUEST (MS-SMB2 2.2.13.2.5).",
);
pub(super) const QUERY_ON_DISK_ID: ArgSpec = flag(
    "query-on-disk-id",
    "Adds QUERY_ON_DISK_ID (MS-SMB2 2.2.13.2.9).",
);
pub(super) const ALLOCATION: ArgSpec = optional(
    "allocation",
    ArgKind::Int,
    "Adds ALLOCATION_SIZE with this number of bytes (MS-SMB2 2.2.13.2.6).",
);
pub(super) const TIMEWARP: ArgSpec = optional(
    "timewarp",
    ArgKind::Token(time::check),
    "Adds TIMEWARP_TOKEN: the snapshot to open in (MS-SMB2 2.2.13.2.7).",
);
pub(super) const APP_INSTANCE: ArgSpec = optional(
    "app-instance",
    ArgKind::Token(lease::check_key),
    "Adds SMB2_CREATE_APP_INSTANCE_ID (MS-SMB2 2.2.13.2.13): a name of at most 16 bytes, or 0x and 32 \
     hexadecimal digits.",
);
pub(super) const APP_INSTANCE_VERSION: ArgSpec = optional(
    "app-instance-version",
    ArgKind::Token(check_version),
    "Adds SMB2_CREATE_APP_INSTANCE_VERSION (MS-SMB2 2.2.13.2.15), as `1.0`: AppInstanceVersionHigh and \
     AppInstanceVersionLow.",
);

pub(super) const CREATE: VerbSpec = VerbSpec {
    name: "create",
    role: Role::Operation,
    doc: "Opens or makes a file or directory. Every field of the request is under the trace's control; what is not \
          named has the default that its line says.",
    section: "MS-SMB2 2.2.13, 2.2.14; MS-FSA 2.1.5.1",
    args: &[
        positional(
            "handle",
            ArgKind::NewHandle,
            "The name that later steps call the handle.",
        ),
        positional(
            "path",
            ArgKind::Text,
            "Relative to the trace's root, parts joined by `/`; empty for the root itself. `f:stream:$DATA` names a \
             stream.",
        ),
        flag(
            "raw-path",
            "Sends the path as it is: no root in front of it, `/` stays `/`.",
        ),
        optional(
            "access",
            ArgKind::Token(|text| words::ACCESS.check(text)),
            "DesiredAccess: letters `r` (0x120089) `w` (0x120116) `d` (0x10000), words as `read-data|delete`, or \
             hexadecimal. Default `r`.",
        ),
        optional(
            "share",
            ArgKind::Token(|text| words::SHARE.check(text)),
            "ShareAccess: letters of `r` `w` `d`, `none`, or hexadecimal. Default `rwd`.",
        ),
        optional(
            "disposition",
            ArgKind::Token(|text| words::DISPOSITION.check(text)),
            "CreateDisposition: `supersede` `open` `create` `open-if` `overwrite` `overwrite-if`, or hexadecimal. \
             Default `open`.",
        ),
        optional(
            "options",
            ArgKind::Token(|text| words::OPTIONS.check(text)),
            "CreateOptions: `directory` `non-directory` `delete-on-close` and the others of MS-SMB2 2.2.13, joined \
             by `|`, or hexadecimal. Default none.",
        ),
        optional(
            "attributes",
            ArgKind::Token(|text| words::ATTRIBUTES.check(text)),
            "FileAttributes of MS-FSCC 2.6, joined by `|`, or hexadecimal. Default none.",
        ),
        optional(
            "impersonation",
            ArgKind::Token(|text| words::IMPERSONATION.check(text)),
            "ImpersonationLevel: `anonymous` `identification` `impersonation` `delegate`, or hexadecimal. Default \
             `impersonation`.",
        ),
        optional(
            "oplock",
            ArgKind::Token(|text| words::OPLOCK.check(text)),
            "RequestedOplockLevel: `none` `ii` `exclusive` `batch` `lease`, or hexadecimal. Default `none`, or \
             `lease` with a `lease-key`.",
        ),
        optional(
            "lease-key",
            ArgKind::Token(lease::check_key),
            "LeaseKey (MS-SMB2 2.2.13.2.8): a name of at most 16 bytes, or 0x and 32 hexadecimal digits. Clients \
             with connections of their own never share a lease, whatever its key.",
        ),
        optional(
            "lease-state",
            ArgKind::Token(|text| words::LEASE.check(text)),
            "LeaseState: letters of `r` `w` `h`, `none`, or hexadecimal. Default `none`.",
        ),
        optional(
            "lease-version",
            ArgKind::Word(&["v1", "v2"]),
            "The create context. Default `v2` from dialect 3.0 on, otherwise `v1`.",
        ),
        optional(
            "lease-parent",
            ArgKind::Token(lease::check_key),
            "ParentLeaseKey (v2).",
        ),
        optional(
            "lease-epoch",
            ArgKind::Int,
            "Epoch, 0..=65535 (v2). Default 0.",
        ),
        QUERY_MAXIMAL_ACCESS,
        QUERY_ON_DISK_ID,
        ALLOCATION,
        TIMEWARP,
        optional(
            "durable",
            ArgKind::Word(&["v1", "v2", "persistent"]),
            "Adds DURABLE_HANDLE_REQUEST or its V2, the latter with the persistent flag for `persistent` (MS-SMB2 \
             2.2.13.2.3, 2.2.13.2.11).",
        ),
        optional(
            "durable-timeout",
            ArgKind::Duration,
            "Timeout of the V2 request, whole milliseconds. Default 0.",
        ),
        APP_INSTANCE,
        APP_INSTANCE_VERSION,
        super::ea::EA,
        SD,
        CHAIN,
        CREATE_GUID,
        header::TREE,
    ],
    answer: CREATE_ANSWER,
    example: "A create f \"report.docx\" access=rw share=r disposition=open-if oplock=batch -> OK action=opened \
              oplock=batch",
};

pub(super) const CLOSE: VerbSpec = VerbSpec {
    name: "close",
    role: Role::Operation,
    doc: "Ends a handle. Whatever the server answers, later steps cannot use the name until a `create` opens it again.",
    section: "MS-SMB2 2.2.15, 2.2.16; MS-FSA 2.1.5.5",
    args: &[
        positional("handle", ArgKind::EndHandle, "The handle to close."),
        flag(
            "postquery",
            "Sets SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB; without it the answer's fields are not filled in.",
        ),
        CHAIN,
        header::TREE,
    ],
    answer: &[
        fields::SIZE,
        fields::ALLOCATION,
        fields::ATTRIBUTES,
        fields::CREATED,
        fields::ACCESSED,
        fields::WRITTEN,
        fields::CHANGED,
    ],
    example: "A close f postquery -> OK size=4096",
};
