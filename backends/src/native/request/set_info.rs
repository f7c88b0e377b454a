//! SET_INFO of a file (MS-SMB2 2.2.39): each change as the information class of MS-FSCC that carries it.

use smb_vocabulary::{FileChange, paths};
use smb_wire::fscc::{
    FileAllocationInformation, FileBasicInformation, FileDispositionInformation,
    FileDispositionInformationEx, FileEndOfFileInformation, FileLinkInformation,
    FileModeInformation, FilePositionInformation, FileRenameInformation, FileRenameInformationEx,
};
use smb_wire::messages::SetInfoRequest;
use smb_wire::{AdditionalInformation, FileId, FileInfoClass, InfoType, UnicodeString};

use super::Scope;

/// The request; the error says what is wrong with a name in it.
pub(super) fn request(
    change: &FileChange<'_>,
    file_id: FileId,
    scope: &Scope<'_>,
) -> Result<SetInfoRequest, String> {
    let name = |path: &str| {
        // A stream of the same file has no directory in front of it.
        let root = if path.starts_with(':') {
            ""
        } else {
            scope.root
        };
        let name = paths::to_wire(root, path);
        name.map(UnicodeString::from)
            .map_err(|error| error.to_string())
    };
    let mut buffer = Vec::new();
    let class = match *change {
        FileChange::Basic { times, attributes } => {
            let basic = FileBasicInformation {
                creation_time: times.created,
                last_access_time: times.accessed,
                last_write_time: times.written,
                change_time: times.changed,
                file_attributes: attributes,
            };
            basic.encode(&mut buffer);
            FileInfoClass::BASIC
        }
        FileChange::Rename { path, replace } => {
            let rename = FileRenameInformation {
                replace_if_exists: replace,
                root_directory: 0,
                file_name: name(path)?,
            };
            rename.encode(&mut buffer);
            FileInfoClass::RENAME
        }
        FileChange::Link { path, replace } => {
            let link = FileLinkInformation {
                replace_if_exists: replace,
                root_directory: 0,
                file_name: name(path)?,
            };
            link.encode(&mut buffer);
            FileInfoClass::LINK
        }
        FileChange::DispositionEx(flags) => {
            FileDispositionInformationEx { flags }.encode(&mut buffer);
            FileInfoClass::DISPOSITION_EX
        }
        FileChange::RenameEx { path, flags } => {
            let rename = FileRenameInformationEx {
                flags,
                root_directory: 0,
                file_name: name(path)?,
            };
            rename.encode(&mut buffer);
            FileInfoClass::RENAME_EX
        }
        FileChange::ValidDataLength(length) => {
            buffer.extend(length.to_le_bytes());
            FileInfoClass::VALID_DATA_LENGTH
        }
        FileChange::Disposition { delete } => {
            FileDispositionInformation {
                delete_pending: delete,
            }
            .encode(&mut buffer);
            FileInfoClass::DISPOSITION
        }
        FileChange::EndOfFile(end_of_file) => {
            FileEndOfFileInformation { end_of_file }.encode(&mut buffer);
            FileInfoClass::END_OF_FILE
        }
        FileChange::Allocation(allocation_size) => {
            FileAllocationInformation { allocation_size }.encode(&mut buffer);
            FileInfoClass::ALLOCATION
        }
        FileChange::Position(current_byte_offset) => {
            FilePositionInformation {
                current_byte_offset,
            }
            .encode(&mut buffer);
            FileInfoClass::POSITION
        }
        FileChange::Mode(mode) => {
            FileModeInformation { mode: mode.bits() }.encode(&mut buffer);
            FileInfoClass::MODE
        }
    };
    if matches!(
        class,
        FileInfoClass::RENAME | FileInfoClass::RENAME_EX | FileInfoClass::LINK
    ) {
        // Both structures have 24 bytes at least, padding included; some servers refuse fewer.
        buffer.resize(buffer.len().max(24), 0);
    }
    Ok(SetInfoRequest {
        info_type: InfoType::FILE,
        file_info_class: class.0,
        additional_information: AdditionalInformation::empty(),
        file_id,
        buffer,
    })
}
