//! NEGOTIATE (MS-SMB2 2.2.3, 2.2.4): dialects, capabilities and, from SMB 3.1.1 on, contexts.

use super::negotiate_context::{self, NegotiateContext};
use crate::codec::{Reader, Writer};
use crate::{Capabilities, Dialect, Error, Filetime, Guid, SecurityMode};

/// NEGOTIATE request (MS-SMB2 2.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NegotiateRequest {
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// Capabilities; zero if no dialect of the 3.x family is offered.
    pub capabilities: Capabilities,
    /// ClientGuid.
    pub client_guid: Guid,
    /// ClientStartTime. Not on the wire if 3.1.1 is among the dialects.
    pub client_start_time: Filetime,
    /// Dialects, at most 65535.
    pub dialects: Vec<Dialect>,
    /// NegotiateContextList. On the wire only if 3.1.1 is among the dialects.
    pub negotiate_contexts: Vec<NegotiateContext>,
}

impl NegotiateRequest {
    const WHAT: &str = "NEGOTIATE request";

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 36);
        writer.len16(self.dialects.len());
        writer.u16(self.security_mode.bits());
        writer.u16(0);
        writer.u32(self.capabilities.bits());
        writer.guid(self.client_guid);
        let tail = writer.offset();
        writer.filetime(self.client_start_time);
        self.dialects
            .iter()
            .for_each(|dialect| writer.u16(dialect.0));
        if self.dialects.contains(&Dialect::SMB_3_1_1) {
            negotiate_context::encode_list(&self.negotiate_contexts, &mut writer, tail);
        }
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, contexts outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body(Self::WHAT, message, 36)?;
        let count = reader.len16()?;
        let security_mode = SecurityMode::from_bits_retain(reader.u16()?);
        reader.skip(2)?;
        let capabilities = Capabilities::from_bits_retain(reader.u32()?);
        let client_guid = reader.guid()?;
        let mut tail = reader.clone();
        let start_time = reader.filetime()?;
        let dialects = reader.take(count * 2)?.chunks_exact(2);
        let dialects: Vec<_> = dialects
            .map(|pair| Dialect(u16::from_le_bytes([pair[0], pair[1]])))
            .collect();
        let has_contexts = dialects.contains(&Dialect::SMB_3_1_1);
        let negotiate_contexts = if has_contexts {
            let (offset, count) = (tail.len32()?, tail.u16()?);
            negotiate_context::decode_list(message, offset, count)?
        } else {
            Vec::new()
        };
        let client_start_time = if has_contexts {
            Filetime(0)
        } else {
            start_time
        };
        Ok(Self {
            security_mode,
            capabilities,
            client_guid,
            client_start_time,
            dialects,
            negotiate_contexts,
        })
    }
}

/// NEGOTIATE response (MS-SMB2 2.2.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NegotiateResponse {
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// DialectRevision.
    pub dialect_revision: Dialect,
    /// ServerGuid.
    pub server_guid: Guid,
    /// Capabilities.
    pub capabilities: Capabilities,
    /// MaxTransactSize in bytes.
    pub max_transact_size: u32,
    /// MaxReadSize in bytes.
    pub max_read_size: u32,
    /// MaxWriteSize in bytes.
    pub max_write_size: u32,
    /// SystemTime.
    pub system_time: Filetime,
    /// ServerStartTime.
    pub server_start_time: Filetime,
    /// Buffer: the token with which authentication begins (SPNEGO NegTokenInit2), or nothing.
    pub buffer: Vec<u8>,
    /// NegotiateContextList. On the wire only with dialect 3.1.1.
    pub negotiate_contexts: Vec<NegotiateContext>,
}

impl NegotiateResponse {
    const WHAT: &str = "NEGOTIATE response";

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let has_contexts = self.dialect_revision == Dialect::SMB_3_1_1;
        let mut writer = Writer::body(out, 65);
        writer.u16(self.security_mode.bits());
        writer.u16(self.dialect_revision.0);
        writer.len16(if has_contexts {
            self.negotiate_contexts.len()
        } else {
            0
        });
        writer.guid(self.server_guid);
        writer.u32(self.capabilities.bits());
        writer.u32(self.max_transact_size);
        writer.u32(self.max_read_size);
        writer.u32(self.max_write_size);
        writer.filetime(self.system_time);
        writer.filetime(self.server_start_time);
        writer.len16(writer.offset() + 8);
        writer.len16(self.buffer.len());
        let tail = writer.offset();
        writer.u32(0);
        writer.bytes(&self.buffer);
        if has_contexts {
            let offset = negotiate_context::encode_items(&self.negotiate_contexts, &mut writer);
            writer.set_u32(tail, offset);
        }
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a buffer or contexts outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body(Self::WHAT, message, 65)?;
        let security_mode = SecurityMode::from_bits_retain(reader.u16()?);
        let dialect_revision = Dialect(reader.u16()?);
        let count = reader.u16()?;
        let server_guid = reader.guid()?;
        let capabilities = Capabilities::from_bits_retain(reader.u32()?);
        let (max_transact_size, max_read_size) = (reader.u32()?, reader.u32()?);
        let max_write_size = reader.u32()?;
        let (system_time, server_start_time) = (reader.filetime()?, reader.filetime()?);
        let (offset, length) = (reader.len16()?, reader.len16()?);
        let contexts = reader.len32()?;
        let negotiate_contexts = if dialect_revision == Dialect::SMB_3_1_1 {
            negotiate_context::decode_list(message, contexts, count)?
        } else {
            Vec::new()
        };
        Ok(Self {
            security_mode,
            dialect_revision,
            server_guid,
            capabilities,
            max_transact_size,
            max_read_size,
            max_write_size,
            system_time,
            server_start_time,
            buffer: reader.range(offset, length)?.to_vec(),
            negotiate_contexts,
        })
    }
}
