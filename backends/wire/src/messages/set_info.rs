//! SET_INFO (MS-SMB2 2.2.39, 2.2.40). What the buffer holds is written by [`crate::fscc`].

use crate::codec::{Reader, Writer};
use crate::{AdditionalInformation, Error, FileId, InfoType};

/// SET_INFO request (MS-SMB2 2.2.39).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetInfoRequest {
    /// InfoType.
    pub info_type: InfoType,
    /// FileInfoClass: a [`crate::FileInfoClass`] or a [`crate::FsInfoClass`], as `info_type` says;
    /// else 0.
    pub file_info_class: u8,
    /// AdditionalInformation, for security.
    pub additional_information: AdditionalInformation,
    /// FileId.
    pub file_id: FileId,
    /// The information to set.
    pub buffer: Vec<u8>,
}

impl SetInfoRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 33);
        writer.u8(self.info_type.0);
        writer.u8(self.file_info_class);
        writer.len32(self.buffer.len());
        writer.len16(writer.offset() + 24);
        writer.u16(0);
        writer.u32(self.additional_information.bits());
        writer.file_id(self.file_id);
        writer.bytes(&self.buffer);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a buffer outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("SET_INFO request", message, 33)?;
        let info_type = InfoType(reader.u8()?);
        let file_info_class = reader.u8()?;
        let length = reader.len32()?;
        let offset = reader.len16()?;
        reader.skip(2)?;
        Ok(Self {
            info_type,
            file_info_class,
            additional_information: AdditionalInformation::from_bits_retain(reader.u32()?),
            file_id: reader.file_id()?,
            buffer: reader.range(offset, length)?.to_vec(),
        })
    }
}

/// SET_INFO response (MS-SMB2 2.2.40), which is its StructureSize alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetInfoResponse;

impl SetInfoResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::body(out, 2);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        Reader::body("SET_INFO response", message, 2).map(|_| Self)
    }
}
