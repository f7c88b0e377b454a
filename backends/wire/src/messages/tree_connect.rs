//! TREE_CONNECT (MS-SMB2 2.2.9, 2.2.10). The extension of SMB 3.1.1 is kept as bytes.

use crate::codec::{Reader, Writer};
use crate::{
    AccessMask, Error, ShareCapabilities, ShareFlags, ShareType, TreeConnectFlags, UnicodeString,
};

/// TREE_CONNECT request (MS-SMB2 2.2.9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeConnectRequest {
    /// Flags; reserved before SMB 3.1.1.
    pub flags: TreeConnectFlags,
    /// The share as `\\server\share`.
    pub path: UnicodeString,
    /// What lies before the path: the fixed part of the extension (MS-SMB2 2.2.9.1), 16 bytes if
    /// there is one.
    pub extension: Vec<u8>,
    /// What lies behind the path: the tree connect contexts (MS-SMB2 2.2.9.2) with their padding.
    pub contexts: Vec<u8>,
}

impl TreeConnectRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 9);
        writer.u16(self.flags.bits());
        writer.len16(writer.offset() + 4 + self.extension.len());
        writer.len16(self.path.len());
        writer.bytes(&self.extension);
        writer.bytes(self.path.as_bytes());
        writer.bytes(&self.contexts);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a path outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("TREE_CONNECT request", message, 9)?;
        let flags = TreeConnectFlags::from_bits_retain(reader.u16()?);
        let (offset, length) = (reader.len16()?, reader.len16()?);
        let path = UnicodeString::from_bytes(reader.range(offset, length)?);
        let extended = flags.contains(TreeConnectFlags::EXTENSION_PRESENT);
        let (extension, contexts) = if extended && offset >= reader.position() {
            let extension = reader.take(offset - reader.position())?.to_vec();
            reader.skip(length)?;
            (extension, reader.rest().to_vec())
        } else {
            (Vec::new(), Vec::new())
        };
        Ok(Self {
            flags,
            path,
            extension,
            contexts,
        })
    }
}

/// TREE_CONNECT response (MS-SMB2 2.2.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeConnectResponse {
    /// ShareType.
    pub share_type: ShareType,
    /// ShareFlags.
    pub share_flags: ShareFlags,
    /// Capabilities.
    pub capabilities: ShareCapabilities,
    /// MaximalAccess of the user on the share.
    pub maximal_access: AccessMask,
}

impl TreeConnectResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 16);
        writer.u8(self.share_type.0);
        writer.u8(0);
        writer.u32(self.share_flags.bits());
        writer.u32(self.capabilities.bits());
        writer.u32(self.maximal_access.bits());
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("TREE_CONNECT response", message, 16)?;
        let share_type = ShareType(reader.u8()?);
        reader.skip(1)?;
        Ok(Self {
            share_type,
            share_flags: ShareFlags::from_bits_retain(reader.u32()?),
            capabilities: ShareCapabilities::from_bits_retain(reader.u32()?),
            maximal_access: AccessMask::from_bits_retain(reader.u32()?),
        })
    }
}
