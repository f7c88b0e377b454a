//! CLOSE (MS-SMB2 2.2.15, 2.2.16).

use crate::codec::{Reader, Writer};
use crate::{CloseFlags, Error, FileAttributes, FileId, Filetime};

/// CLOSE request (MS-SMB2 2.2.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseRequest {
    /// Flags.
    pub flags: CloseFlags,
    /// FileId.
    pub file_id: FileId,
}

impl CloseRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 24);
        writer.u16(self.flags.bits());
        writer.u32(0);
        writer.file_id(self.file_id);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("CLOSE request", message, 24)?;
        let flags = CloseFlags::from_bits_retain(reader.u16()?);
        reader.skip(4)?;
        Ok(Self {
            flags,
            file_id: reader.file_id()?,
        })
    }
}

/// CLOSE response (MS-SMB2 2.2.16); all but the flags is zero without
/// [`CloseFlags::POSTQUERY_ATTRIB`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseResponse {
    /// Flags.
    pub flags: CloseFlags,
    /// CreationTime.
    pub creation_time: Filetime,
    /// LastAccessTime.
    pub last_access_time: Filetime,
    /// LastWriteTime.
    pub last_write_time: Filetime,
    /// ChangeTime.
    pub change_time: Filetime,
    /// AllocationSize in bytes.
    pub allocation_size: u64,
    /// EndofFile in bytes.
    pub end_of_file: u64,
    /// FileAttributes.
    pub file_attributes: FileAttributes,
}

impl CloseResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 60);
        writer.u16(self.flags.bits());
        writer.u32(0);
        writer.filetime(self.creation_time);
        writer.filetime(self.last_access_time);
        writer.filetime(self.last_write_time);
        writer.filetime(self.change_time);
        writer.u64(self.allocation_size);
        writer.u64(self.end_of_file);
        writer.u32(self.file_attributes.bits());
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("CLOSE response", message, 60)?;
        let flags = CloseFlags::from_bits_retain(reader.u16()?);
        reader.skip(4)?;
        Ok(Self {
            flags,
            creation_time: reader.filetime()?,
            last_access_time: reader.filetime()?,
            last_write_time: reader.filetime()?,
            change_time: reader.filetime()?,
            allocation_size: reader.u64()?,
            end_of_file: reader.u64()?,
            file_attributes: FileAttributes::from_bits_retain(reader.u32()?),
        })
    }
}
