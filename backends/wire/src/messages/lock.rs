//! LOCK (MS-SMB2 2.2.26, 2.2.27).

use super::empty_body;
use crate::codec::{Reader, Writer};
use crate::{Error, FileId, LockFlags};

/// LOCK request (MS-SMB2 2.2.26).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockRequest {
    /// LockSequenceNumber (low 4 bits) and LockSequenceIndex; reserved in SMB 2.0.2.
    pub lock_sequence: u32,
    /// FileId.
    pub file_id: FileId,
    /// Locks, at least one for a well-formed request.
    pub locks: Vec<LockElement>,
}

/// SMB2_LOCK_ELEMENT (MS-SMB2 2.2.26.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockElement {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Length in bytes; 0 is a lock too.
    pub length: u64,
    /// Flags.
    pub flags: LockFlags,
}

impl LockRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 48);
        writer.len16(self.locks.len());
        writer.u32(self.lock_sequence);
        writer.file_id(self.file_id);
        for lock in &self.locks {
            writer.u64(lock.offset);
            writer.u64(lock.length);
            writer.u32(lock.flags.bits());
            writer.u32(0);
        }
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("LOCK request", message, 48)?;
        let count = reader.len16()?;
        let lock_sequence = reader.u32()?;
        let file_id = reader.file_id()?;
        let mut locks = Vec::new();
        for _ in 0..count {
            let (offset, length) = (reader.u64()?, reader.u64()?);
            let flags = LockFlags::from_bits_retain(reader.u32()?);
            reader.skip(4)?;
            locks.push(LockElement {
                offset,
                length,
                flags,
            });
        }
        Ok(Self {
            lock_sequence,
            file_id,
            locks,
        })
    }
}

empty_body! {
    /// LOCK response (MS-SMB2 2.2.27).
    LockResponse, "LOCK response"
}
