//! IOCTL (MS-SMB2 2.2.31, 2.2.32). What the buffers hold is left to the control code.

use crate::codec::{Reader, Writer};
use crate::{CtlCode, Error, FileId, IoctlFlags};

/// IOCTL request (MS-SMB2 2.2.31).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IoctlRequest {
    /// CtlCode.
    pub ctl_code: CtlCode,
    /// FileId; all ones for a code that needs no open.
    pub file_id: FileId,
    /// The input buffer.
    pub input: Vec<u8>,
    /// MaxInputResponse in bytes.
    pub max_input_response: u32,
    /// The output buffer, which no known code sends.
    pub output: Vec<u8>,
    /// MaxOutputResponse in bytes.
    pub max_output_response: u32,
    /// Flags.
    pub flags: IoctlFlags,
}

impl IoctlRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 57);
        writer.u16(0);
        writer.u32(self.ctl_code.0);
        writer.file_id(self.file_id);
        let offsets = writer.offset();
        writer.u32(0);
        writer.len32(self.input.len());
        writer.u32(self.max_input_response);
        writer.u32(0);
        writer.len32(self.output.len());
        writer.u32(self.max_output_response);
        writer.u32(self.flags.bits());
        writer.u32(0);
        let buffers = [(offsets, &*self.input), (offsets + 12, &*self.output)];
        let absent = if self.input.is_empty() {
            0
        } else {
            writer.offset()
        };
        encode_buffers(&mut writer, buffers, absent);
        if self.input.is_empty() && self.output.is_empty() {
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
        let mut reader = Reader::body("IOCTL request", message, 57)?;
        reader.skip(2)?;
        let ctl_code = CtlCode(reader.u32()?);
        let file_id = reader.file_id()?;
        let (input_offset, input_count) = (reader.len32()?, reader.len32()?);
        let max_input_response = reader.u32()?;
        let (output_offset, output_count) = (reader.len32()?, reader.len32()?);
        let max_output_response = reader.u32()?;
        Ok(Self {
            ctl_code,
            file_id,
            input: reader.range(input_offset, input_count)?.to_vec(),
            max_input_response,
            output: reader.range(output_offset, output_count)?.to_vec(),
            max_output_response,
            flags: IoctlFlags::from_bits_retain(reader.u32()?),
        })
    }
}

/// IOCTL response (MS-SMB2 2.2.32).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IoctlResponse {
    /// CtlCode.
    pub ctl_code: CtlCode,
    /// FileId.
    pub file_id: FileId,
    /// The input buffer, echoed by some servers.
    pub input: Vec<u8>,
    /// The output buffer.
    pub output: Vec<u8>,
    /// Flags, reserved.
    pub flags: u32,
}

impl IoctlResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 49);
        writer.u16(0);
        writer.u32(self.ctl_code.0);
        writer.file_id(self.file_id);
        let offsets = writer.offset();
        writer.u32(0);
        writer.len32(self.input.len());
        writer.u32(0);
        writer.len32(self.output.len());
        writer.u32(self.flags);
        writer.u32(0);
        let buffers = [(offsets, &*self.input), (offsets + 8, &*self.output)];
        let end = writer.offset();
        encode_buffers(&mut writer, buffers, end);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a buffer outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("IOCTL response", message, 49)?;
        reader.skip(2)?;
        let ctl_code = CtlCode(reader.u32()?);
        let file_id = reader.file_id()?;
        let (input_offset, input_count) = (reader.len32()?, reader.len32()?);
        let (output_offset, output_count) = (reader.len32()?, reader.len32()?);
        Ok(Self {
            ctl_code,
            file_id,
            input: reader.range(input_offset, input_count)?.to_vec(),
            output: reader.range(output_offset, output_count)?.to_vec(),
            flags: reader.u32()?,
        })
    }
}

/// Appends the input and, aligned to 8 bytes, the output, and writes their offsets where they
/// belong; of what is empty the offset is `absent`.
fn encode_buffers(writer: &mut Writer<'_>, buffers: [(usize, &[u8]); 2], absent: usize) {
    for (offset_at, buffer) in buffers {
        if buffer.is_empty() {
            writer.set_u32(offset_at, absent);
            continue;
        }
        writer.align(8);
        let start = writer.offset();
        writer.set_u32(offset_at, start);
        writer.bytes(buffer);
    }
}
