//! Structures of MS-FSCC.

use super::Pool;
use smb_wire::fscc::*;
use smb_wire::*;

pub fn basic(p: &mut Pool<'_>) -> FileBasicInformation {
    FileBasicInformation {
        creation_time: p.time(),
        last_access_time: p.time(),
        last_write_time: p.time(),
        change_time: p.time(),
        file_attributes: p.attributes(),
    }
}

pub fn standard(p: &mut Pool<'_>) -> FileStandardInformation {
    FileStandardInformation {
        allocation_size: p.u64(),
        end_of_file: p.u64(),
        number_of_links: p.u32(),
        delete_pending: p.bool(),
        directory: p.bool(),
    }
}

pub fn all(p: &mut Pool<'_>) -> FileAllInformation {
    FileAllInformation {
        basic: basic(p),
        standard: standard(p),
        internal: FileInternalInformation {
            index_number: p.u64(),
        },
        ea: FileEaInformation { ea_size: p.u32() },
        access: FileAccessInformation {
            access_flags: p.access(),
        },
        position: FilePositionInformation {
            current_byte_offset: p.u64(),
        },
        mode: FileModeInformation { mode: p.u32() },
        alignment: FileAlignmentInformation {
            alignment_requirement: p.u32(),
        },
        name: FileNameInformation {
            file_name: p.name(),
        },
    }
}

/// An entry with what its class tells.
pub fn entry(p: &mut Pool<'_>, class: FileInfoClass) -> DirectoryEntry {
    let names = class == FileInfoClass::NAMES;
    let plain = names || class == FileInfoClass::DIRECTORY;
    let both = class == FileInfoClass::BOTH_DIRECTORY || class == FileInfoClass::ID_BOTH_DIRECTORY;
    let id = class == FileInfoClass::ID_BOTH_DIRECTORY || class == FileInfoClass::ID_FULL_DIRECTORY;
    DirectoryEntry {
        file_index: p.u32(),
        details: (!names).then(|| EntryDetails {
            creation_time: p.time(),
            last_access_time: p.time(),
            last_write_time: p.time(),
            change_time: p.time(),
            end_of_file: p.u64(),
            allocation_size: p.u64(),
            file_attributes: p.attributes(),
        }),
        ea_size: (!plain).then(|| p.u32()),
        short_name: both.then(|| UnicodeString::from_bytes(p.bytes(24))),
        file_id: id.then(|| p.u64()),
        file_name: p.name(),
    }
}
