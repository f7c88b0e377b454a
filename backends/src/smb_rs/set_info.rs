//! SET_INFO: from a change of the vocabulary to the crate's information classes (MS-FSCC 2.4).

use smb::{
    AdditionalInfo, FileAllocationInformation, FileAttributes, FileBasicInformation,
    FileDispositionInformation, FileEndOfFileInformation, FileId, FileInfoType,
    FileLinkInformation, FileModeInformation, FilePositionInformation, FileRenameInformation,
    RawSetInfoData, SetFileInfo, SetInfoData, SetInfoRequest,
};
use smb_vocabulary::{FileChange, SetInfo, paths};

use super::request::Place;

/// The request. The error names what cannot be said.
pub(super) fn request(
    set: &SetInfo<'_>,
    file: FileId,
    place: &Place,
) -> Result<SetInfoRequest, String> {
    let path = |path: &str| match path.starts_with(':') {
        true => Err("set-info rename of a stream".to_owned()),
        false => paths::to_wire(&place.root, path).map_err(|error| error.to_string()),
    };
    let info: SetFileInfo = match &set.change {
        FileChange::Basic { times, attributes } => FileBasicInformation {
            creation_time: times.created.0.into(),
            last_access_time: times.accessed.0.into(),
            last_write_time: times.written.0.into(),
            change_time: times.changed.0.into(),
            file_attributes: FileAttributes::from_bytes(attributes.bits().to_le_bytes()),
        }
        .into(),
        FileChange::Rename { path: to, replace } => FileRenameInformation {
            replace_if_exists: (*replace).into(),
            root_directory: 0,
            file_name: path(to)?.as_str().into(),
        }
        .into(),
        FileChange::Link { path: to, replace } => FileLinkInformation {
            replace_if_exists: (*replace).into(),
            file_name: path(to)?.as_str().into(),
        }
        .into(),
        FileChange::Disposition { delete } => FileDispositionInformation {
            delete_pending: (*delete).into(),
        }
        .into(),
        FileChange::DispositionEx(_) => return Err("set-info disposition-ex".into()),
        FileChange::RenameEx { .. } => return Err("set-info rename-ex".into()),
        FileChange::ValidDataLength(_) => return Err("set-info valid-data-length".into()),
        FileChange::EndOfFile(end_of_file) => FileEndOfFileInformation {
            end_of_file: *end_of_file,
        }
        .into(),
        FileChange::Allocation(allocation_size) => FileAllocationInformation {
            allocation_size: *allocation_size,
        }
        .into(),
        FileChange::Position(current_byte_offset) => FilePositionInformation {
            current_byte_offset: *current_byte_offset,
        }
        .into(),
        FileChange::Mode(options) => {
            FileModeInformation::from_bytes(options.bits().to_le_bytes()).into()
        }
    };
    let class = info.class().into();
    let data = SetInfoData::from(RawSetInfoData::from(info));
    Ok(data.to_req(class, file, AdditionalInfo::new()))
}
