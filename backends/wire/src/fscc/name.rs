//! Names: FileNameInformation, and what renames or links a file.

use super::cut_name;
use crate::codec::{Reader, Writer};
use crate::{Error, UnicodeString};

/// FileNameInformation (MS-FSCC 2.1.7); also FileAlternateNameInformation (2.4.5),
/// FileNormalizedNameInformation (2.4.36) and FileShortNameInformation (2.4.46).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileNameInformation {
    /// FileName.
    pub file_name: UnicodeString,
}

impl FileNameInformation {
    /// Appends the structure.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.write(&mut Writer::new(out));
    }

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// Too few bytes for the length of the name.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        Self::read(&mut Reader::new("FileNameInformation", data))
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.len32(self.file_name.len());
        writer.bytes(self.file_name.as_bytes());
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let length = reader.len32()?;
        Ok(Self {
            file_name: cut_name(reader, length),
        })
    }
}

macro_rules! target {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            /// ReplaceIfExists.
            pub replace_if_exists: bool,
            /// RootDirectory, 0 over SMB2.
            pub root_directory: u64,
            /// FileName: the new path from the root of the share, with `\` between its parts.
            pub file_name: UnicodeString,
        }

        impl $name {
            /// Appends the structure.
            pub fn encode(&self, out: &mut Vec<u8>) {
                let mut writer = Writer::new(out);
                writer.u8(self.replace_if_exists.into());
                writer.zeros(7);
                writer.u64(self.root_directory);
                writer.len32(self.file_name.len());
                writer.bytes(self.file_name.as_bytes());
            }

            /// Reads the structure.
            ///
            /// # Errors
            ///
            /// Too few bytes; the name must be there in full.
            pub fn decode(data: &[u8]) -> Result<Self, Error> {
                let mut reader = Reader::new(stringify!($name), data);
                let replace_if_exists = reader.u8()? != 0;
                reader.skip(7)?;
                let root_directory = reader.u64()?;
                let length = reader.len32()?;
                let file_name = UnicodeString::from_bytes(reader.take(length)?);
                Ok(Self { replace_if_exists, root_directory, file_name })
            }
        }
    };
}

target! {
    /// FileRenameInformation as SMB2 sends it (MS-FSCC 2.4.42.2).
    FileRenameInformation
}

target! {
    /// FileLinkInformation as SMB2 sends it (MS-FSCC 2.4.28.2).
    FileLinkInformation
}

/// FileRenameInformationEx (MS-FSCC 2.4.43).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileRenameInformationEx {
    /// Flags: 1 replace if exists, 2 POSIX semantics, and more.
    pub flags: u32,
    /// RootDirectory, 0 over SMB2.
    pub root_directory: u64,
    /// FileName: the new path from the root of the share, with `\` between its parts.
    pub file_name: UnicodeString,
}

impl FileRenameInformationEx {
    /// Appends the structure.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.u32(self.flags);
        writer.u32(0);
        writer.u64(self.root_directory);
        writer.len32(self.file_name.len());
        writer.bytes(self.file_name.as_bytes());
    }

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// Too few bytes; the name must be there in full.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("FileRenameInformationEx", data);
        let flags = reader.u32()?;
        reader.skip(4)?;
        let root_directory = reader.u64()?;
        let length = reader.len32()?;
        let file_name = UnicodeString::from_bytes(reader.take(length)?);
        Ok(Self {
            flags,
            root_directory,
            file_name,
        })
    }
}
