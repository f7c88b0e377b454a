//! READ (MS-SMB2 2.2.19, 2.2.20).

use crate::codec::{Reader, Writer};
use crate::{Error, FileId, ReadFlags};

/// READ request (MS-SMB2 2.2.19).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadRequest {
    /// Padding: the DataOffset that the client would like in the response.
    pub padding: u8,
    /// Flags; reserved before SMB 3.0.2.
    pub flags: ReadFlags,
    /// Length in bytes.
    pub length: u32,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// FileId.
    pub file_id: FileId,
    /// MinimumCount: fewer bytes are an error.
    pub minimum_count: u32,
    /// Channel: 0 for none, else the kind of the RDMA descriptors.
    pub channel: u32,
    /// RemainingBytes.
    pub remaining_bytes: u32,
    /// The RDMA descriptors (MS-SMBD 2.2.3.1).
    pub read_channel_info: Vec<u8>,
}

impl ReadRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 49);
        writer.u8(self.padding);
        writer.u8(self.flags.bits());
        writer.u32(self.length);
        writer.u64(self.offset);
        writer.file_id(self.file_id);
        writer.u32(self.minimum_count);
        writer.u32(self.channel);
        writer.u32(self.remaining_bytes);
        if self.read_channel_info.is_empty() {
            writer.u32(0);
            // The buffer has at least one byte.
            writer.u8(0);
        } else {
            writer.len16(writer.offset() + 4);
            writer.len16(self.read_channel_info.len());
            writer.bytes(&self.read_channel_info);
        }
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, channel information outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("READ request", message, 49)?;
        let padding = reader.u8()?;
        let flags = ReadFlags::from_bits_retain(reader.u8()?);
        let (length, offset) = (reader.u32()?, reader.u64()?);
        let file_id = reader.file_id()?;
        let (minimum_count, channel) = (reader.u32()?, reader.u32()?);
        let remaining_bytes = reader.u32()?;
        let (info_offset, info_length) = (reader.len16()?, reader.len16()?);
        Ok(Self {
            padding,
            flags,
            length,
            offset,
            file_id,
            minimum_count,
            channel,
            remaining_bytes,
            read_channel_info: reader.range(info_offset, info_length)?.to_vec(),
        })
    }
}

/// READ response (MS-SMB2 2.2.20).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadResponse {
    /// DataRemaining.
    pub data_remaining: u32,
    /// Flags, of SMB 3.1.1; reserved before.
    pub flags: u32,
    /// The bytes.
    pub data: Vec<u8>,
}

impl ReadResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 17);
        writer.u8(80);
        writer.u8(0);
        writer.len32(self.data.len());
        writer.u32(self.data_remaining);
        writer.u32(self.flags);
        writer.bytes(&self.data);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, data outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("READ response", message, 17)?;
        let offset = usize::from(reader.u8()?);
        reader.skip(1)?;
        let length = reader.len32()?;
        let (data_remaining, flags) = (reader.u32()?, reader.u32()?);
        let data = reader.range(offset, length)?.to_vec();
        Ok(Self {
            data_remaining,
            flags,
            data,
        })
    }
}
