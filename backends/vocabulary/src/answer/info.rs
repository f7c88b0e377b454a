//! Answers of QUERY_DIRECTORY and QUERY_INFO, read from their buffers (MS-FSCC 2.4, 2.5).
//!
//! A class without a case of its own, and a buffer that the server cut off, give `len` alone: the length of what came.

use super::Fields;
use crate::operation::write_extended_attribute;
use replay_ir::Answer;
use smb_wire::fscc::{
    FileAccessInformation, FileAlignmentInformation, FileAllInformation,
    FileAttributeTagInformation, FileBasicInformation, FileEaInformation,
    FileFsAttributeInformation, FileFsDeviceInformation, FileFsFullSizeInformation,
    FileFsSectorSizeInformation, FileFsSizeInformation, FileFsVolumeInformation,
    FileInternalInformation, FileModeInformation, FileNameInformation, FileNetworkOpenInformation,
    FilePositionInformation, FileStandardInformation, decode_directory, decode_full_ea,
    decode_streams,
};
use smb_wire::{Error, FileInfoClass, FsInfoClass, ntstatus};

/// The answer of a QUERY_DIRECTORY that succeeded.
///
/// # Errors
/// A buffer that does not decode, or a class that is not for listings.
pub fn query_directory(class: FileInfoClass, buffer: &[u8]) -> Result<Answer, Error> {
    let entries = decode_directory(class, buffer)?.collect::<Result<Vec<_>, _>>()?;
    let names = entries
        .iter()
        .map(|entry| entry.file_name.to_string_lossy());
    let names: Vec<String> = names.filter(|name| name != "." && name != "..").collect();
    Ok(Fields::default()
        .int("count", entries.len() as u64)
        .texts("names", names)
        .ok())
}

/// The answer of a QUERY_INFO about a file with this status, a success or STATUS_BUFFER_OVERFLOW.
///
/// # Errors
/// A buffer that does not decode.
pub fn query_info(class: FileInfoClass, status: u32, buffer: &[u8]) -> Result<Answer, Error> {
    let fields = match status {
        ntstatus::SUCCESS => file(class, buffer)?,
        _ => Fields::default(),
    };
    Ok(fields.int("len", buffer.len() as u64).with_status(status))
}

fn file(class: FileInfoClass, buffer: &[u8]) -> Result<Fields, Error> {
    let fields = Fields::default();
    Ok(match class {
        FileInfoClass::BASIC => basic(fields, &FileBasicInformation::decode(buffer)?),
        FileInfoClass::STANDARD => standard(fields, &FileStandardInformation::decode(buffer)?),
        FileInfoClass::INTERNAL => fields.hex(
            "index",
            FileInternalInformation::decode(buffer)?.index_number,
        ),
        FileInfoClass::EA => {
            fields.int("ea-size", FileEaInformation::decode(buffer)?.ea_size.into())
        }
        FileInfoClass::ACCESS => fields.hex(
            "access",
            FileAccessInformation::decode(buffer)?.access_flags.bits(),
        ),
        FileInfoClass::POSITION => fields.int(
            "position",
            FilePositionInformation::decode(buffer)?.current_byte_offset,
        ),
        FileInfoClass::MODE => fields.hex("mode", FileModeInformation::decode(buffer)?.mode),
        FileInfoClass::ALIGNMENT => {
            let alignment = FileAlignmentInformation::decode(buffer)?;
            fields.int("alignment", alignment.alignment_requirement.into())
        }
        FileInfoClass::NETWORK_OPEN => {
            network_open(fields, &FileNetworkOpenInformation::decode(buffer)?)
        }
        FileInfoClass::ATTRIBUTE_TAG => {
            let tag = FileAttributeTagInformation::decode(buffer)?;
            fields
                .attributes(tag.file_attributes)
                .hex("reparse-tag", tag.reparse_tag)
        }
        FileInfoClass::ALTERNATE_NAME | FileInfoClass::NORMALIZED_NAME | FileInfoClass::NAME => {
            fields.text(
                "name",
                FileNameInformation::decode(buffer)?
                    .file_name
                    .to_string_lossy(),
            )
        }
        FileInfoClass::FULL_EA => {
            let attributes = decode_full_ea(buffer).collect::<Result<Vec<_>, _>>()?;
            let texts = attributes.iter().map(write_extended_attribute);
            fields.texts("ea", texts.collect())
        }
        FileInfoClass::STREAM => {
            let streams = decode_streams(buffer).collect::<Result<Vec<_>, _>>()?;
            let names = streams
                .iter()
                .map(|stream| stream.stream_name.to_string_lossy());
            fields.texts("streams", names.collect())
        }
        FileInfoClass::ALL => all(fields, &FileAllInformation::decode(buffer)?),
        _ => fields,
    })
}

fn basic(fields: Fields, basic: &FileBasicInformation) -> Fields {
    let times = [
        basic.creation_time,
        basic.last_access_time,
        basic.last_write_time,
        basic.change_time,
    ];
    fields.attributes(basic.file_attributes).times(times)
}

fn standard(fields: Fields, standard: &FileStandardInformation) -> Fields {
    fields
        .int("size", standard.end_of_file)
        .int("allocation", standard.allocation_size)
        .int("links", standard.number_of_links.into())
        .yes_no("delete-pending", standard.delete_pending)
        .yes_no("directory", standard.directory)
}

fn network_open(fields: Fields, open: &FileNetworkOpenInformation) -> Fields {
    let times = [
        open.creation_time,
        open.last_access_time,
        open.last_write_time,
        open.change_time,
    ];
    fields
        .int("size", open.end_of_file)
        .int("allocation", open.allocation_size)
        .attributes(open.file_attributes)
        .times(times)
}

fn all(fields: Fields, all: &FileAllInformation) -> Fields {
    standard(basic(fields, &all.basic), &all.standard)
        .hex("index", all.internal.index_number)
        .int("ea-size", all.ea.ea_size.into())
        .hex("access", all.access.access_flags.bits())
        .int("position", all.position.current_byte_offset)
        .hex("mode", all.mode.mode)
        .int("alignment", all.alignment.alignment_requirement.into())
        .text("name", all.name.file_name.to_string_lossy())
}

/// The answer of a QUERY_INFO about a file system with this status, a success or STATUS_BUFFER_OVERFLOW.
///
/// # Errors
/// The answer of a `query-quota` step that succeeded.
pub fn query_quota(buffer: &[u8]) -> Answer {
    let fields = Fields::default().int("len", buffer.len() as u64);
    fields.with_status(ntstatus::SUCCESS)
}

/// A buffer that does not decode.
pub fn query_fs(class: FsInfoClass, status: u32, buffer: &[u8]) -> Result<Answer, Error> {
    let fields = match status {
        ntstatus::SUCCESS => file_system(class, buffer)?,
        _ => Fields::default(),
    };
    Ok(fields.int("len", buffer.len() as u64).with_status(status))
}

fn file_system(class: FsInfoClass, buffer: &[u8]) -> Result<Fields, Error> {
    let fields = Fields::default();
    Ok(match class {
        FsInfoClass::VOLUME => {
            let volume = FileFsVolumeInformation::decode(buffer)?;
            fields.text("label", volume.volume_label.to_string_lossy())
        }
        FsInfoClass::SIZE => {
            let size = FileFsSizeInformation::decode(buffer)?;
            fields
                .int("total-units", size.total_allocation_units)
                .int("available-units", size.available_allocation_units)
                .int("sectors-per-unit", size.sectors_per_allocation_unit.into())
                .int("bytes-per-sector", size.bytes_per_sector.into())
        }
        FsInfoClass::FULL_SIZE => {
            let size = FileFsFullSizeInformation::decode(buffer)?;
            fields
                .int("total-units", size.total_allocation_units)
                .int("available-units", size.caller_available_allocation_units)
                .int("sectors-per-unit", size.sectors_per_allocation_unit.into())
                .int("bytes-per-sector", size.bytes_per_sector.into())
        }
        FsInfoClass::DEVICE => {
            let device = FileFsDeviceInformation::decode(buffer)?;
            fields
                .hex("device-type", device.device_type)
                .hex("characteristics", device.characteristics)
        }
        FsInfoClass::ATTRIBUTE => {
            let attribute = FileFsAttributeInformation::decode(buffer)?;
            fields
                .hex("fs-attributes", attribute.file_system_attributes.bits())
                .int("max-name", attribute.maximum_component_name_length.into())
                .text("fs-name", attribute.file_system_name.to_string_lossy())
        }
        FsInfoClass::SECTOR_SIZE => {
            let sector = FileFsSectorSizeInformation::decode(buffer)?;
            fields.int("bytes-per-sector", sector.logical_bytes_per_sector.into())
        }
        _ => fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use replay_ir::OwnedValue;
    use smb_wire::fscc::{DirectoryEntry, encode_directory};

    fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a OwnedValue> {
        answer
            .fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    #[test]
    fn a_listing_counts_all_and_names_what_has_a_name() {
        let entries = ["..", "b", ".", "a"].map(|name| DirectoryEntry {
            file_name: name.into(),
            ..DirectoryEntry::default()
        });
        let mut buffer = Vec::new();
        encode_directory(FileInfoClass::NAMES, &entries, &mut buffer)
            .expect("a class for listings");
        let answer = query_directory(FileInfoClass::NAMES, &buffer).expect("what was encoded");
        assert_eq!(field(&answer, "count"), Some(&OwnedValue::Int(4)));
        let names = ["a", "b"].map(|name| OwnedValue::Text(name.to_owned()));
        assert_eq!(
            field(&answer, "names"),
            Some(&OwnedValue::List(names.to_vec()))
        );
        assert!(
            query_directory(FileInfoClass::NAMES, &buffer[..13]).is_err(),
            "cut in the middle"
        );
        assert!(
            query_directory(FileInfoClass::BASIC, &buffer).is_err(),
            "no class for listings"
        );
    }

    #[test]
    fn a_class_gives_its_fields() {
        let mut buffer = Vec::new();
        FileStandardInformation {
            end_of_file: 7,
            delete_pending: true,
            ..Default::default()
        }
        .encode(&mut buffer);
        let answer = query_info(FileInfoClass::STANDARD, 0, &buffer).expect("what was encoded");
        assert_eq!(field(&answer, "size"), Some(&OwnedValue::Int(7)));
        assert_eq!(
            field(&answer, "delete-pending"),
            Some(&OwnedValue::Word("yes"))
        );
        assert_eq!(field(&answer, "len"), Some(&OwnedValue::Int(24)));
        assert!(query_info(FileInfoClass::STANDARD, 0, &buffer[..8]).is_err());
        let cut = query_info(FileInfoClass::ALL, ntstatus::BUFFER_OVERFLOW, &buffer)
            .expect("not decoded");
        assert_eq!(
            (cut.status, cut.fields.len()),
            (ntstatus::BUFFER_OVERFLOW, 1)
        );
    }
}
