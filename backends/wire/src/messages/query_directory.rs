//! QUERY_DIRECTORY (MS-SMB2 2.2.33, 2.2.34). The entries are read by [`crate::fscc`].

use crate::codec::{Reader, Writer};
use crate::{Error, FileId, FileInfoClass, QueryDirectoryFlags, UnicodeString};

/// QUERY_DIRECTORY request (MS-SMB2 2.2.33).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryDirectoryRequest {
    /// FileInformationClass.
    pub file_information_class: FileInfoClass,
    /// Flags.
    pub flags: QueryDirectoryFlags,
    /// FileIndex, valid with [`QueryDirectoryFlags::INDEX_SPECIFIED`].
    pub file_index: u32,
    /// FileId of the directory.
    pub file_id: FileId,
    /// OutputBufferLength in bytes.
    pub output_buffer_length: u32,
    /// The search pattern.
    pub file_name: UnicodeString,
}

impl QueryDirectoryRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 33);
        writer.u8(self.file_information_class.0);
        writer.u8(self.flags.bits());
        writer.u32(self.file_index);
        writer.file_id(self.file_id);
        writer.len16(writer.offset() + 8);
        writer.len16(self.file_name.len());
        writer.u32(self.output_buffer_length);
        writer.bytes(self.file_name.as_bytes());
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a name outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("QUERY_DIRECTORY request", message, 33)?;
        let file_information_class = FileInfoClass(reader.u8()?);
        let flags = QueryDirectoryFlags::from_bits_retain(reader.u8()?);
        let file_index = reader.u32()?;
        let file_id = reader.file_id()?;
        let (offset, length) = (reader.len16()?, reader.len16()?);
        Ok(Self {
            file_information_class,
            flags,
            file_index,
            file_id,
            output_buffer_length: reader.u32()?,
            file_name: UnicodeString::from_bytes(reader.range(offset, length)?),
        })
    }
}

super::output_buffer_response! {
    /// QUERY_DIRECTORY response (MS-SMB2 2.2.34): the entries of the class that was asked for.
    QueryDirectoryResponse, "QUERY_DIRECTORY response"
}
