//! CHANGE_NOTIFY (MS-SMB2 2.2.35, 2.2.36).

use crate::codec::{Reader, Writer};
use crate::{CompletionFilter, Error, FileId, NotifyFlags};

/// CHANGE_NOTIFY request (MS-SMB2 2.2.35).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeNotifyRequest {
    /// Flags.
    pub flags: NotifyFlags,
    /// OutputBufferLength in bytes.
    pub output_buffer_length: u32,
    /// FileId of the directory.
    pub file_id: FileId,
    /// CompletionFilter.
    pub completion_filter: CompletionFilter,
}

impl ChangeNotifyRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 32);
        writer.u16(self.flags.bits());
        writer.u32(self.output_buffer_length);
        writer.file_id(self.file_id);
        writer.u32(self.completion_filter.bits());
        writer.u32(0);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("CHANGE_NOTIFY request", message, 32)?;
        Ok(Self {
            flags: NotifyFlags::from_bits_retain(reader.u16()?),
            output_buffer_length: reader.u32()?,
            file_id: reader.file_id()?,
            completion_filter: CompletionFilter::from_bits_retain(reader.u32()?),
        })
    }
}

super::output_buffer_response! {
    /// CHANGE_NOTIFY response (MS-SMB2 2.2.36): FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1).
    ChangeNotifyResponse, "CHANGE_NOTIFY response"
}
