//! SESSION_SETUP (MS-SMB2 2.2.5, 2.2.6). The tokens are left to the authentication package, and are
//! not shown: with a captured answer to a challenge a password can be guessed offline.

use std::fmt;

use crate::codec::{Reader, Writer};
use crate::{Capabilities, Error, SecurityMode, SessionFlags, SessionSetupFlags};

/// SESSION_SETUP request (MS-SMB2 2.2.5).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SessionSetupRequest {
    /// Flags.
    pub flags: SessionSetupFlags,
    /// SecurityMode; one byte on the wire, here as wide as in NEGOTIATE.
    pub security_mode: SecurityMode,
    /// Capabilities.
    pub capabilities: Capabilities,
    /// Channel, reserved.
    pub channel: u32,
    /// PreviousSessionId: the session to be replaced after a reconnect.
    pub previous_session_id: u64,
    /// Buffer: the token.
    pub buffer: Vec<u8>,
}

impl SessionSetupRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 25);
        writer.u8(self.flags.bits());
        writer.u8(self.security_mode.bits().to_le_bytes()[0]);
        writer.u32(self.capabilities.bits());
        writer.u32(self.channel);
        writer.len16(writer.offset() + 12);
        writer.len16(self.buffer.len());
        writer.u64(self.previous_session_id);
        writer.bytes(&self.buffer);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a buffer outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("SESSION_SETUP request", message, 25)?;
        let flags = SessionSetupFlags::from_bits_retain(reader.u8()?);
        let security_mode = SecurityMode::from_bits_retain(reader.u8()?.into());
        let capabilities = Capabilities::from_bits_retain(reader.u32()?);
        let channel = reader.u32()?;
        let (offset, length) = (reader.len16()?, reader.len16()?);
        Ok(Self {
            flags,
            security_mode,
            capabilities,
            channel,
            previous_session_id: reader.u64()?,
            buffer: reader.range(offset, length)?.to_vec(),
        })
    }
}

impl fmt::Debug for SessionSetupRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSetupRequest")
            .field("flags", &self.flags)
            .field("security_mode", &self.security_mode)
            .field("capabilities", &self.capabilities)
            .field("channel", &self.channel)
            .field("previous_session_id", &self.previous_session_id)
            .field("buffer", &format_args!("{} bytes", self.buffer.len()))
            .finish()
    }
}

/// SESSION_SETUP response (MS-SMB2 2.2.6), of STATUS_SUCCESS and STATUS_MORE_PROCESSING_REQUIRED.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SessionSetupResponse {
    /// SessionFlags.
    pub session_flags: SessionFlags,
    /// Buffer: the token.
    pub buffer: Vec<u8>,
}

impl SessionSetupResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 9);
        writer.u16(self.session_flags.bits());
        writer.len16(writer.offset() + 4);
        writer.len16(self.buffer.len());
        writer.bytes(&self.buffer);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a buffer outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("SESSION_SETUP response", message, 9)?;
        let session_flags = SessionFlags::from_bits_retain(reader.u16()?);
        let (offset, length) = (reader.len16()?, reader.len16()?);
        Ok(Self {
            session_flags,
            buffer: reader.range(offset, length)?.to_vec(),
        })
    }
}

impl fmt::Debug for SessionSetupResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSetupResponse")
            .field("session_flags", &self.session_flags)
            .field("buffer", &format_args!("{} bytes", self.buffer.len()))
            .finish()
    }
}
