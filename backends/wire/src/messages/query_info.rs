//! QUERY_INFO (MS-SMB2 2.2.37, 2.2.38). What the buffers hold is read by [`crate::fscc`].

use crate::codec::{Reader, Writer};
use crate::{AdditionalInformation, Error, FileId, InfoType};

/// QUERY_INFO request (MS-SMB2 2.2.37).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryInfoRequest {
    /// InfoType.
    pub info_type: InfoType,
    /// FileInfoClass: a [`crate::FileInfoClass`] or a [`crate::FsInfoClass`], as `info_type` says;
    /// else 0.
    pub file_info_class: u8,
    /// OutputBufferLength in bytes.
    pub output_buffer_length: u32,
    /// AdditionalInformation, for security.
    pub additional_information: AdditionalInformation,
    /// Flags, for extended attributes (MS-SMB2 2.2.37): 1 restart, 2 one entry, 4 index given.
    pub flags: u32,
    /// FileId.
    pub file_id: FileId,
    /// The input buffer, for quotas and extended attributes.
    pub buffer: Vec<u8>,
}

impl QueryInfoRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 41);
        writer.u8(self.info_type.0);
        writer.u8(self.file_info_class);
        writer.u32(self.output_buffer_length);
        writer.len16(if self.buffer.is_empty() {
            0
        } else {
            writer.offset() + 32
        });
        writer.u16(0);
        writer.len32(self.buffer.len());
        writer.u32(self.additional_information.bits());
        writer.u32(self.flags);
        writer.file_id(self.file_id);
        writer.bytes(&self.buffer);
        if self.buffer.is_empty() {
            // The buffer has at least one byte.
            writer.u8(0);
        }
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a buffer outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("QUERY_INFO request", message, 41)?;
        let info_type = InfoType(reader.u8()?);
        let file_info_class = reader.u8()?;
        let output_buffer_length = reader.u32()?;
        let offset = reader.len16()?;
        reader.skip(2)?;
        let length = reader.len32()?;
        Ok(Self {
            info_type,
            file_info_class,
            output_buffer_length,
            additional_information: AdditionalInformation::from_bits_retain(reader.u32()?),
            flags: reader.u32()?,
            file_id: reader.file_id()?,
            buffer: reader.range(offset, length)?.to_vec(),
        })
    }
}

super::output_buffer_response! {
    /// QUERY_INFO response (MS-SMB2 2.2.38): the information that was asked for.
    QueryInfoResponse, "QUERY_INFO response"
}
