//! Answer fields that several verbs share.

use super::{YES_NO, field};
use crate::{time, words};
use replay_ir::{ArgKind, FieldSpec};

const TIME: ArgKind = ArgKind::Token(time::check_canonical);

pub(super) const SIZE: FieldSpec = field("size", ArgKind::Int, "EndOfFile in bytes.");
pub(super) const ALLOCATION: FieldSpec =
    field("allocation", ArgKind::Int, "AllocationSize in bytes.");
pub(super) const ATTRIBUTES: FieldSpec = field(
    "attributes",
    ArgKind::Token(|text| words::ATTRIBUTES.check_canonical(text)),
    "File attributes (MS-FSCC 2.6), joined by `|`.",
);
pub(super) const CREATED: FieldSpec = field("created", TIME, "CreationTime.");
pub(super) const ACCESSED: FieldSpec = field("accessed", TIME, "LastAccessTime.");
pub(super) const WRITTEN: FieldSpec = field("written", TIME, "LastWriteTime.");
pub(super) const CHANGED: FieldSpec = field("changed", TIME, "ChangeTime.");
pub(super) const DELETE_PENDING: FieldSpec = field(
    "delete-pending",
    YES_NO,
    "DeletePending: the file goes when its last handle is closed.",
);
pub(super) const DIRECTORY: FieldSpec = field("directory", YES_NO, "Directory: whether it is one.");
pub(super) const MAXIMAL_ACCESS: FieldSpec = field(
    "maximal-access",
    ArgKind::Token(words::check_canonical_hex),
    "MaximalAccess as an access mask in hexadecimal.",
);
pub(super) const REQUIRED: FieldSpec = field(
    "required",
    ArgKind::Int,
    "With BUFFER_TOO_SMALL: the length in bytes that the server asks for (MS-SMB2 2.2.2).",
);
