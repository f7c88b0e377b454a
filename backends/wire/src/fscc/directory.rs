//! The entries of a directory, in the classes that QUERY_DIRECTORY can ask for.

use crate::chain::{Chain, encode_chain};
use crate::codec::{Reader, Writer};
use crate::{Error, FileAttributes, FileInfoClass, Filetime, UnicodeString};

/// One entry, with what its class tells (MS-FSCC 2.4.8, 2.4.10, 2.4.15, 2.4.22, 2.4.24, 2.4.33).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryEntry {
    /// FileIndex.
    pub file_index: u32,
    /// Times, sizes and attributes; of every class but FileNamesInformation.
    pub details: Option<EntryDetails>,
    /// EaSize, or the reparse tag of a reparse point; of the Full and Both classes.
    pub ea_size: Option<u32>,
    /// ShortName, at most 24 bytes; of the Both classes.
    pub short_name: Option<UnicodeString>,
    /// FileId; of the Id classes.
    pub file_id: Option<u64>,
    /// FileName without path.
    pub file_name: UnicodeString,
}

/// What every entry but that of FileNamesInformation tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntryDetails {
    /// CreationTime.
    pub creation_time: Filetime,
    /// LastAccessTime.
    pub last_access_time: Filetime,
    /// LastWriteTime.
    pub last_write_time: Filetime,
    /// ChangeTime.
    pub change_time: Filetime,
    /// EndOfFile in bytes.
    pub end_of_file: u64,
    /// AllocationSize in bytes.
    pub allocation_size: u64,
    /// FileAttributes.
    pub file_attributes: FileAttributes,
}

/// The parts that an entry of a class has, and the size of all before its name.
#[derive(Debug, Clone, Copy)]
struct Layout {
    what: &'static str,
    details: bool,
    ea_size: bool,
    short_name: bool,
    file_id: bool,
    fixed: usize,
}

impl Layout {
    fn of(class: FileInfoClass) -> Option<Self> {
        let layout = |what, parts: [bool; 4], fixed| {
            let [details, ea_size, short_name, file_id] = parts;
            Some(Self {
                what,
                details,
                ea_size,
                short_name,
                file_id,
                fixed,
            })
        };
        let (yes, no) = (true, false);
        match class {
            FileInfoClass::NAMES => layout("FileNamesInformation", [no; 4], 12),
            FileInfoClass::DIRECTORY => layout("FileDirectoryInformation", [yes, no, no, no], 64),
            FileInfoClass::FULL_DIRECTORY => {
                layout("FileFullDirectoryInformation", [yes, yes, no, no], 68)
            }
            FileInfoClass::ID_FULL_DIRECTORY => {
                layout("FileIdFullDirectoryInformation", [yes, yes, no, yes], 80)
            }
            FileInfoClass::BOTH_DIRECTORY => {
                layout("FileBothDirectoryInformation", [yes, yes, yes, no], 94)
            }
            FileInfoClass::ID_BOTH_DIRECTORY => {
                layout("FileIdBothDirectoryInformation", [yes; 4], 104)
            }
            _ => None,
        }
    }

    fn unknown(class: FileInfoClass) -> Error {
        let (what, field) = ("directory", "FileInformationClass");
        Error::Invalid {
            what,
            field,
            value: class.0.into(),
        }
    }
}

const SHORT_NAME: usize = 24;

/// Appends entries of a class. What the class has and an entry has not is written as zeros.
///
/// # Errors
///
/// A class that is not one of a directory's entries, or not one of those above.
pub fn encode_directory(
    class: FileInfoClass,
    entries: &[DirectoryEntry],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let layout = Layout::of(class).ok_or_else(|| Layout::unknown(class))?;
    encode_chain(entries, 8, &mut Writer::new(out), |entry, writer| {
        encode_entry(layout, entry, writer)
    });
    Ok(())
}

fn encode_entry(layout: Layout, entry: &DirectoryEntry, writer: &mut Writer<'_>) {
    writer.u32(entry.file_index);
    if layout.details {
        let details = entry.details.unwrap_or_default();
        writer.filetime(details.creation_time);
        writer.filetime(details.last_access_time);
        writer.filetime(details.last_write_time);
        writer.filetime(details.change_time);
        writer.u64(details.end_of_file);
        writer.u64(details.allocation_size);
        writer.u32(details.file_attributes.bits());
    }
    writer.len32(entry.file_name.len());
    if layout.ea_size {
        writer.u32(entry.ea_size.unwrap_or_default());
    }
    if layout.short_name {
        let short_name = entry
            .short_name
            .as_ref()
            .map_or(&[][..], UnicodeString::as_bytes);
        let length = short_name.len().min(SHORT_NAME);
        writer.u8(u8::try_from(length).unwrap_or_default());
        writer.u8(0);
        writer.bytes(&short_name[..length]);
        writer.zeros(SHORT_NAME - length);
    }
    if layout.file_id {
        writer.zeros(if layout.short_name { 2 } else { 4 });
        writer.u64(entry.file_id.unwrap_or_default());
    }
    writer.bytes(entry.file_name.as_bytes());
}

/// The entries of a buffer, none of an empty one.
///
/// # Errors
///
/// A class that is not one of a directory's entries, or not one of those above.
pub fn decode_directory(class: FileInfoClass, data: &[u8]) -> Result<DirectoryEntries<'_>, Error> {
    let layout = Layout::of(class).ok_or_else(|| Layout::unknown(class))?;
    Ok(DirectoryEntries {
        layout,
        chain: Chain::new(layout.what, layout.fixed, data),
    })
}

/// The iterator of [`decode_directory`]. Ends after the first error.
#[derive(Debug, Clone)]
pub struct DirectoryEntries<'a> {
    layout: Layout,
    chain: Chain<'a>,
}

impl Iterator for DirectoryEntries<'_> {
    type Item = Result<DirectoryEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.chain.next()?;
        Some(item.and_then(|reader| decode_entry(self.layout, reader)))
    }
}

fn decode_entry(layout: Layout, mut reader: Reader<'_>) -> Result<DirectoryEntry, Error> {
    let mut entry = DirectoryEntry {
        file_index: reader.u32()?,
        ..DirectoryEntry::default()
    };
    if layout.details {
        entry.details = Some(EntryDetails {
            creation_time: reader.filetime()?,
            last_access_time: reader.filetime()?,
            last_write_time: reader.filetime()?,
            change_time: reader.filetime()?,
            end_of_file: reader.u64()?,
            allocation_size: reader.u64()?,
            file_attributes: FileAttributes::from_bits_retain(reader.u32()?),
        });
    }
    let name_length = reader.len32()?;
    if layout.ea_size {
        entry.ea_size = Some(reader.u32()?);
    }
    if layout.short_name {
        let length = usize::from(reader.u8()?).min(SHORT_NAME);
        reader.skip(1)?;
        let short_name: [u8; SHORT_NAME] = reader.array()?;
        entry.short_name = Some(UnicodeString::from_bytes(&short_name[..length]));
    }
    if layout.file_id {
        reader.skip(if layout.short_name { 2 } else { 4 })?;
        entry.file_id = Some(reader.u64()?);
    }
    entry.file_name = UnicodeString::from_bytes(reader.take(name_length)?);
    Ok(entry)
}
