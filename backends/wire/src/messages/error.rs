//! The ERROR response (MS-SMB2 2.2.2), which interim responses use too.

use crate::Error;
use crate::codec::{Reader, Writer};

/// ERROR response (MS-SMB2 2.2.2). The NTSTATUS is in the header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorResponse {
    /// The error contexts of SMB 3.1.1; if there are any, `error_data` is not written.
    pub error_contexts: Vec<ErrorContext>,
    /// ErrorData of the older form, or of contexts that cannot be read: a symbolic link error
    /// response (MS-SMB2 2.2.2.2.1), the size that STATUS_BUFFER_TOO_SMALL asks for, or nothing.
    pub error_data: Vec<u8>,
}

/// One error context (MS-SMB2 2.2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorContext {
    /// ErrorId: 0 for the default, 0x72645253 for a share redirect.
    pub error_id: u32,
    /// ErrorContextData.
    pub error_context_data: Vec<u8>,
}

impl ErrorResponse {
    /// StructureSize, which some bodies of commands have too.
    pub(crate) const STRUCTURE_SIZE: u16 = 9;

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, Self::STRUCTURE_SIZE);
        writer.u8(u8::try_from(self.error_contexts.len()).unwrap_or(u8::MAX));
        writer.u8(0);
        let count = writer.offset();
        writer.u32(0);
        let start = writer.offset();
        for context in &self.error_contexts {
            writer.align(8);
            writer.len32(context.error_context_data.len());
            writer.u32(context.error_id);
            writer.bytes(&context.error_context_data);
        }
        if self.error_contexts.is_empty() {
            writer.bytes(&self.error_data);
        }
        let length = writer.offset() - start;
        writer.set_u32(count, length);
        if length == 0 {
            // The data has at least one byte, which ByteCount leaves out.
            writer.u8(0);
        }
    }

    /// Reads the body of a whole message. Data that ends early is taken as far as it goes, since an
    /// error without its details is still an error.
    ///
    /// # Errors
    ///
    /// Too few bytes for the fixed part, or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("ERROR response", message, Self::STRUCTURE_SIZE)?;
        let count = reader.u8()?;
        reader.skip(1)?;
        let length = reader.len32()?;
        let data = reader.rest();
        let data = data.get(..length).unwrap_or(data);
        Ok(match decode_contexts(data, count) {
            Ok(error_contexts) if count > 0 => Self {
                error_contexts,
                error_data: Vec::new(),
            },
            _ => Self {
                error_contexts: Vec::new(),
                error_data: data.to_vec(),
            },
        })
    }
}

fn decode_contexts(data: &[u8], count: u8) -> Result<Vec<ErrorContext>, Error> {
    let mut reader = Reader::new("error context", data);
    let mut contexts = Vec::new();
    for index in 0..count {
        if index > 0 {
            reader.skip(reader.position().next_multiple_of(8) - reader.position())?;
        }
        let length = reader.len32()?;
        let error_id = reader.u32()?;
        let error_context_data = reader.take(length)?.to_vec();
        contexts.push(ErrorContext {
            error_id,
            error_context_data,
        });
    }
    Ok(contexts)
}
