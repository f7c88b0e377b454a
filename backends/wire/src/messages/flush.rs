//! FLUSH (MS-SMB2 2.2.17, 2.2.18).

use super::empty_body;
use crate::codec::{Reader, Writer};
use crate::{Error, FileId};

/// FLUSH request (MS-SMB2 2.2.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushRequest {
    /// FileId.
    pub file_id: FileId,
}

impl FlushRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 24);
        writer.zeros(6);
        writer.file_id(self.file_id);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("FLUSH request", message, 24)?;
        reader.skip(6)?;
        Ok(Self {
            file_id: reader.file_id()?,
        })
    }
}

empty_body! {
    /// FLUSH response (MS-SMB2 2.2.18).
    FlushResponse, "FLUSH response"
}
