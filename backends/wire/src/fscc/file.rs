//! Information about a file, of fixed size (MS-FSCC 2.4), and FileAllInformation, which collects
//! it.

use super::{FileNameInformation, fixed};
use crate::codec::{Reader, Writer};
use crate::{AccessMask, Error, FileAttributes, Filetime};

fixed! {
    /// FileBasicInformation (MS-FSCC 2.4.7). For the special values of times see [`Filetime`].
    FileBasicInformation + 4 {
        /// CreationTime.
        creation_time: Filetime,
        /// LastAccessTime.
        last_access_time: Filetime,
        /// LastWriteTime.
        last_write_time: Filetime,
        /// ChangeTime.
        change_time: Filetime,
        /// FileAttributes; 0 leaves them as they are.
        file_attributes: FileAttributes,
    }
}

fixed! {
    /// FileStandardInformation (MS-FSCC 2.4.47).
    FileStandardInformation + 2 {
        /// AllocationSize in bytes.
        allocation_size: u64,
        /// EndOfFile in bytes.
        end_of_file: u64,
        /// NumberOfLinks.
        number_of_links: u32,
        /// DeletePending.
        delete_pending: bool,
        /// Directory.
        directory: bool,
    }
}

fixed! {
    /// FileInternalInformation (MS-FSCC 2.4.27).
    FileInternalInformation + 0 {
        /// IndexNumber: the 64-bit file id.
        index_number: u64,
    }
}

fixed! {
    /// FileEaInformation (MS-FSCC 2.4.13).
    FileEaInformation + 0 {
        /// EaSize in bytes.
        ea_size: u32,
    }
}

fixed! {
    /// FileAccessInformation (MS-FSCC 2.4.1).
    FileAccessInformation + 0 {
        /// AccessFlags of the open.
        access_flags: AccessMask,
    }
}

fixed! {
    /// FilePositionInformation (MS-FSCC 2.4.40).
    FilePositionInformation + 0 {
        /// CurrentByteOffset.
        current_byte_offset: u64,
    }
}

fixed! {
    /// FileModeInformation (MS-FSCC 2.4.31).
    FileModeInformation + 0 {
        /// Mode: some of the bits of [`crate::CreateOptions`].
        mode: u32,
    }
}

fixed! {
    /// FileAlignmentInformation (MS-FSCC 2.4.3).
    FileAlignmentInformation + 0 {
        /// AlignmentRequirement: the alignment in bytes minus one.
        alignment_requirement: u32,
    }
}

fixed! {
    /// FileNetworkOpenInformation (MS-FSCC 2.4.34).
    FileNetworkOpenInformation + 4 {
        /// CreationTime.
        creation_time: Filetime,
        /// LastAccessTime.
        last_access_time: Filetime,
        /// LastWriteTime.
        last_write_time: Filetime,
        /// ChangeTime.
        change_time: Filetime,
        /// AllocationSize in bytes.
        allocation_size: u64,
        /// EndOfFile in bytes.
        end_of_file: u64,
        /// FileAttributes.
        file_attributes: FileAttributes,
    }
}

fixed! {
    /// FileAttributeTagInformation (MS-FSCC 2.4.6).
    FileAttributeTagInformation + 0 {
        /// FileAttributes.
        file_attributes: FileAttributes,
        /// ReparseTag, 0 for none.
        reparse_tag: u32,
    }
}

fixed! {
    /// FileEndOfFileInformation (MS-FSCC 2.4.14).
    FileEndOfFileInformation + 0 {
        /// EndOfFile in bytes; signed, so beyond 2^63 it is refused.
        end_of_file: u64,
    }
}

fixed! {
    /// FileAllocationInformation (MS-FSCC 2.4.4).
    FileAllocationInformation + 0 {
        /// AllocationSize in bytes.
        allocation_size: u64,
    }
}

fixed! {
    /// FileDispositionInformation (MS-FSCC 2.4.11).
    FileDispositionInformation + 0 {
        /// DeletePending: whether the file is to be deleted when its last open is closed.
        delete_pending: bool,
    }
}

fixed! {
    /// FileDispositionInformationEx (MS-FSCC 2.4.12).
    FileDispositionInformationEx + 0 {
        /// Flags: 1 delete, 2 POSIX semantics, 4 force image section check, 8 on close, 0x10 ignore
        /// read-only.
        flags: u32,
    }
}

/// FileAllInformation (MS-FSCC 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileAllInformation {
    /// BasicInformation.
    pub basic: FileBasicInformation,
    /// StandardInformation.
    pub standard: FileStandardInformation,
    /// InternalInformation.
    pub internal: FileInternalInformation,
    /// EaInformation.
    pub ea: FileEaInformation,
    /// AccessInformation.
    pub access: FileAccessInformation,
    /// PositionInformation.
    pub position: FilePositionInformation,
    /// ModeInformation.
    pub mode: FileModeInformation,
    /// AlignmentInformation.
    pub alignment: FileAlignmentInformation,
    /// NameInformation.
    pub name: FileNameInformation,
}

impl FileAllInformation {
    /// Appends the structure.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let writer = &mut Writer::new(out);
        self.basic.write(writer);
        self.standard.write(writer);
        self.internal.write(writer);
        self.ea.write(writer);
        self.access.write(writer);
        self.position.write(writer);
        self.mode.write(writer);
        self.alignment.write(writer);
        self.name.write(writer);
    }

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// Too few bytes for what comes before the name.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let reader = &mut Reader::new("FileAllInformation", data);
        Ok(Self {
            basic: FileBasicInformation::read(reader)?,
            standard: FileStandardInformation::read(reader)?,
            internal: FileInternalInformation::read(reader)?,
            ea: FileEaInformation::read(reader)?,
            access: FileAccessInformation::read(reader)?,
            position: FilePositionInformation::read(reader)?,
            mode: FileModeInformation::read(reader)?,
            alignment: FileAlignmentInformation::read(reader)?,
            name: FileNameInformation::read(reader)?,
        })
    }
}
