//! WRITE (MS-SMB2 2.2.21, 2.2.22).

use crate::codec::{Reader, Writer};
use crate::{Error, FileId, WriteFlags};

/// WRITE request (MS-SMB2 2.2.21).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteRequest {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// FileId.
    pub file_id: FileId,
    /// Channel: 0 for none, else the kind of the RDMA descriptors.
    pub channel: u32,
    /// RemainingBytes.
    pub remaining_bytes: u32,
    /// Flags.
    pub flags: WriteFlags,
    /// The RDMA descriptors (MS-SMBD 2.2.3.1); written in place of data.
    pub write_channel_info: Vec<u8>,
    /// The bytes.
    pub data: Vec<u8>,
}

impl WriteRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 49);
        let buffer = writer.offset() + 46;
        writer.len16(buffer);
        writer.len32(self.data.len());
        writer.u64(self.offset);
        writer.file_id(self.file_id);
        writer.u32(self.channel);
        writer.u32(self.remaining_bytes);
        if self.write_channel_info.is_empty() {
            writer.u32(0);
        } else {
            writer.len16(buffer + self.data.len());
            writer.len16(self.write_channel_info.len());
        }
        writer.u32(self.flags.bits());
        writer.bytes(&self.data);
        writer.bytes(&self.write_channel_info);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, data or channel information outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("WRITE request", message, 49)?;
        let (data_offset, length) = (reader.len16()?, reader.len32()?);
        let offset = reader.u64()?;
        let file_id = reader.file_id()?;
        let (channel, remaining_bytes) = (reader.u32()?, reader.u32()?);
        let (info_offset, info_length) = (reader.len16()?, reader.len16()?);
        Ok(Self {
            offset,
            file_id,
            channel,
            remaining_bytes,
            flags: WriteFlags::from_bits_retain(reader.u32()?),
            write_channel_info: reader.range(info_offset, info_length)?.to_vec(),
            data: reader.range(data_offset, length)?.to_vec(),
        })
    }
}

/// WRITE response (MS-SMB2 2.2.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteResponse {
    /// Count of bytes written.
    pub count: u32,
    /// Remaining, reserved.
    pub remaining: u32,
}

impl WriteResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 17);
        writer.u16(0);
        writer.u32(self.count);
        writer.u32(self.remaining);
        // WriteChannelInfoOffset and WriteChannelInfoLength, reserved.
        writer.u32(0);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("WRITE response", message, 17)?;
        reader.skip(2)?;
        Ok(Self {
            count: reader.u32()?,
            remaining: reader.u32()?,
        })
    }
}
