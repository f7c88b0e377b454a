//! Directory listings, file information and file system information.

use super::{CHAIN, HANDLE, field, fields, flag, optional, positional};
use crate::{time, words};
use replay_ir::{ArgKind, ArgSpec, FieldSpec, Role, VerbSpec};

pub(super) const BUFFER: ArgSpec = optional(
    "buffer",
    ArgKind::Int,
    "OutputBufferLength in bytes, 0..=2^32-1. Default 65536.",
);
const TEXTS: ArgKind = ArgKind::List(&ArgKind::Text);
const TIME: ArgKind = ArgKind::Token(time::check);

pub(super) const QUERY_DIRECTORY: VerbSpec = VerbSpec {
    name: "query-directory",
    role: Role::Operation,
    doc: "Reads one buffer of a directory listing. The next one goes on where it ended, until NO_MORE_FILES.",
    section: "MS-SMB2 2.2.33, 2.2.34; MS-FSA 2.1.5.6.3",
    args: &[
        HANDLE,
        optional(
            "pattern",
            ArgKind::Text,
            "The search pattern, with `*` and `?` and the DOS wildcards `<` `>` `\"`. Default `*`.",
        ),
        optional(
            "class",
            ArgKind::Token(|text| words::DIRECTORY_CLASS.check(text)),
            "`directory` `full` `both` `names` `id-both` `id-full`, or hexadecimal (MS-SMB2 2.2.33). Default \
             `id-both`.",
        ),
        flag("restart", "SMB2_RESTART_SCANS: from the beginning."),
        flag("single", "SMB2_RETURN_SINGLE_ENTRY: one entry."),
        flag(
            "reopen",
            "SMB2_REOPEN: from the beginning, with the new pattern.",
        ),
        optional(
            "index",
            ArgKind::Int,
            "Sets SMB2_INDEX_SPECIFIED, with this FileIndex, 0..=2^32-1.",
        ),
        BUFFER,
        CHAIN,
    ],
    answer: &[
        field(
            "count",
            ArgKind::Int,
            "Entries in the buffer, `.` and `..` included.",
        ),
        field(
            "names",
            TEXTS,
            "The names without `.` and `..`, sorted by their code points.",
        ),
    ],
    example: "A query-directory f pattern=\"*.txt\" restart -> OK names=\"a.txt\",\"b.txt\"",
};

const QUERY_INFO_ANSWER: &[FieldSpec] = &[
    fields::SIZE,
    fields::ALLOCATION,
    fields::ATTRIBUTES,
    fields::CREATED,
    fields::ACCESSED,
    fields::WRITTEN,
    fields::CHANGED,
    field("links", ArgKind::Int, "NumberOfLinks."),
    fields::DELETE_PENDING,
    fields::DIRECTORY,
    field(
        "index",
        ArgKind::Token(words::check_canonical_hex),
        "IndexNumber in hexadecimal.",
    ),
    field("ea-size", ArgKind::Int, "EaSize in bytes."),
    field(
        "access",
        ArgKind::Token(words::check_canonical_hex),
        "AccessFlags in hexadecimal.",
    ),
    field("position", ArgKind::Int, "CurrentByteOffset."),
    field(
        "mode",
        ArgKind::Token(words::check_canonical_hex),
        "Mode in hexadecimal.",
    ),
    field("alignment", ArgKind::Int, "AlignmentRequirement."),
    field(
        "name",
        ArgKind::Text,
        "FileName as the server writes it, with `\\`.",
    ),
    field(
        "streams",
        TEXTS,
        "The names of the streams, sorted by their code points.",
    ),
    field(
        "reparse-tag",
        ArgKind::Token(words::check_canonical_hex),
        "ReparseTag in hexadecimal.",
    ),
    field("compression", ArgKind::Int, "CompressionFormat."),
    fields::REQUIRED,
    field(
        "ea",
        TEXTS,
        "`full-ea`: `NAME=value` each, sorted; a value that is no plain text as `NAME=hex:0a1b`.",
    ),
    field("len", ArgKind::Int, "The length of the answer in bytes."),
];

pub(super) const QUERY_INFO: VerbSpec = VerbSpec {
    name: "query-info",
    role: Role::Operation,
    doc: "Asks for information about an open file. The answer has the fields of its class.",
    section: "MS-SMB2 2.2.37, 2.2.38; MS-FSCC 2.4",
    args: &[
        HANDLE,
        positional(
            "class",
            ArgKind::Token(|text| words::FILE_CLASS.check(text)),
            "`basic` (times, attributes) `standard` (sizes, links, delete-pending, directory) `internal` `ea-size` \
             `access` `position` `mode` `alignment` `all` `alternate-name` `stream` `compression` `network-open` \
             `attribute-tag` `normalized-name`, or hexadecimal.",
        ),
        BUFFER,
        optional(
            "names",
            TEXTS,
            "`full-ea`: the attributes that are asked for, as FILE_GET_EA_INFORMATION (MS-FSCC 2.4.16.1). Default all.",
        ),
        flag("single", "`full-ea`: SL_RETURN_SINGLE_ENTRY."),
        flag("restart", "`full-ea`: SL_RESTART_SCAN."),
        CHAIN,
    ],
    answer: QUERY_INFO_ANSWER,
    example: "A query-info f standard -> OK size=4096 delete-pending=no",
};

pub(super) const SET_INFO: VerbSpec = VerbSpec {
    name: "set-info",
    role: Role::Operation,
    doc: "Changes information about an open file. Which arguments belong to a class is said with each of them.",
    section: "MS-SMB2 2.2.39, 2.2.40; MS-FSCC 2.4",
    args: &[
        HANDLE,
        positional(
            "class",
            ArgKind::Word(&[
                "basic",
                "rename",
                "link",
                "disposition",
                "end-of-file",
                "allocation",
                "position",
                "mode",
                "full-ea",
                "disposition-ex",
                "rename-ex",
                "valid-data-length",
            ]),
            "The file information class.",
        ),
        optional(
            "path",
            ArgKind::Text,
            "`rename`, `rename-ex`, `link`: the new path, relative to the trace's root; `:name:$DATA` names a stream of \
             the same file.",
        ),
        flag("replace", "`rename`, `link`: ReplaceIfExists."),
        flag(
            "keep",
            "`disposition`: DeletePending is cleared; without it, it is set.",
        ),
        optional(
            "size",
            ArgKind::Int,
            "`end-of-file`, `allocation`, `valid-data-length`: the size in bytes. `position`: the offset.",
        ),
        optional(
            "mode",
            ArgKind::Token(|text| words::OPTIONS.check(text)),
            "`mode`: the create options to have (MS-FSCC 2.4.31).",
        ),
        optional(
            "attributes",
            ArgKind::Token(|text| words::ATTRIBUTES.check(text)),
            "`basic`: file attributes; left as they are without it.",
        ),
        optional(
            "created",
            TIME,
            "`basic`: CreationTime, as `2020-02-29T12:00:00Z` or in hexadecimal.",
        ),
        optional("accessed", TIME, "`basic`: LastAccessTime."),
        optional("written", TIME, "`basic`: LastWriteTime."),
        optional("changed", TIME, "`basic`: ChangeTime."),
        super::ea::EA,
        optional(
            "flags",
            ArgKind::Token(words::check_number),
            "`disposition-ex` (MS-FSCC 2.4.12), `rename-ex` (MS-FSCC 2.4.43): Flags in hexadecimal.",
        ),
        CHAIN,
    ],
    answer: &[],
    example: "A set-info f rename path=\"d/new.docx\" replace",
};

pub(super) const QUERY_FS: VerbSpec = VerbSpec {
    name: "query-fs",
    role: Role::Operation,
    doc: "Asks for information about the file system that an open file is on.",
    section: "MS-SMB2 2.2.37; MS-FSCC 2.5",
    args: &[
        HANDLE,
        positional(
            "class",
            ArgKind::Token(|text| words::FS_CLASS.check(text)),
            "`volume` `size` `device` `attribute` `control` `full-size` `object-id` `sector-size`, or hexadecimal.",
        ),
        BUFFER,
        CHAIN,
    ],
    answer: &[
        field("label", ArgKind::Text, "VolumeLabel."),
        field("total-units", ArgKind::Int, "TotalAllocationUnits."),
        field(
            "available-units",
            ArgKind::Int,
            "AvailableAllocationUnits, to the caller.",
        ),
        field(
            "sectors-per-unit",
            ArgKind::Int,
            "SectorsPerAllocationUnit.",
        ),
        field("bytes-per-sector", ArgKind::Int, "BytesPerSector."),
        field(
            "device-type",
            ArgKind::Token(words::check_canonical_hex),
            "DeviceType in hexadecimal.",
        ),
        field(
            "characteristics",
            ArgKind::Token(words::check_canonical_hex),
            "Characteristics in hexadecimal.",
        ),
        field(
            "fs-attributes",
            ArgKind::Token(words::check_canonical_hex),
            "FileSystemAttributes in hexadecimal.",
        ),
        field(
            "max-name",
            ArgKind::Int,
            "MaximumComponentNameLength in characters.",
        ),
        field("fs-name", ArgKind::Text, "FileSystemName."),
        fields::REQUIRED,
        field("len", ArgKind::Int, "The length of the answer in bytes."),
    ],
    example: "A query-fs f attribute -> OK max-name=255",
};
