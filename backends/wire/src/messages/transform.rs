//! The headers of encrypted and of compressed messages (MS-SMB2 2.2.41, 2.2.42). Encryption itself
//! is in [`crate::crypto`]; compressed data is recognised and kept as it is.

use crate::codec::{Reader, Writer};
use crate::{CompressionAlgorithm, CompressionFlags, Error};

/// SMB2 TRANSFORM_HEADER (MS-SMB2 2.2.41), before the encrypted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransformHeader {
    /// Signature: the authentication tag.
    pub signature: [u8; 16],
    /// Nonce: 11 bytes for CCM, 12 for GCM, then zeros.
    pub nonce: [u8; 16],
    /// OriginalMessageSize in bytes.
    pub original_message_size: u32,
    /// Flags: 1 for an encrypted message (SMB 3.1.1); before, EncryptionAlgorithm, also 1.
    pub flags: u16,
    /// SessionId.
    pub session_id: u64,
}

impl TransformHeader {
    /// The protocol id of an encrypted message: 0xFD 'S' 'M' 'B'.
    pub const PROTOCOL_ID: [u8; 4] = *b"\xFDSMB";

    /// The size on the wire in bytes.
    pub const SIZE: usize = 52;

    /// The value of Flags in an encrypted message, and of EncryptionAlgorithm before SMB 3.1.1.
    pub const ENCRYPTED: u16 = 0x0001;

    /// Where the tag is.
    pub(crate) const SIGNATURE: std::ops::Range<usize> = 4..20;

    /// Where the bytes begin that the tag authenticates beside the message.
    pub(crate) const AUTHENTICATED: usize = 20;

    /// Appends the 52 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.bytes(&Self::PROTOCOL_ID);
        writer.bytes(&self.signature);
        writer.bytes(&self.nonce);
        writer.u32(self.original_message_size);
        writer.u16(0);
        writer.u16(self.flags);
        writer.u64(self.session_id);
    }

    /// Reads the header at the start of a frame.
    ///
    /// # Errors
    ///
    /// Too few bytes or another protocol id.
    pub fn decode(frame: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "TRANSFORM_HEADER";
        let mut reader = Reader::new(WHAT, frame);
        let found = reader.array()?;
        if found != Self::PROTOCOL_ID {
            return Err(Error::ProtocolId { what: WHAT, found });
        }
        let (signature, nonce) = (reader.array()?, reader.array()?);
        let original_message_size = reader.u32()?;
        reader.skip(2)?;
        let flags = reader.u16()?;
        let session_id = reader.u64()?;
        Ok(Self {
            signature,
            nonce,
            original_message_size,
            flags,
            session_id,
        })
    }
}

/// SMB2 COMPRESSION_TRANSFORM_HEADER (MS-SMB2 2.2.42) with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressionTransformHeader {
    /// OriginalCompressedSegmentSize in bytes.
    pub original_compressed_segment_size: u32,
    /// CompressionAlgorithm.
    pub compression_algorithm: CompressionAlgorithm,
    /// Flags; two bytes on the wire, here as wide as in NEGOTIATE.
    pub flags: CompressionFlags,
    /// Offset of the compressed data behind the header, or with [`CompressionFlags::CHAINED`] the
    /// length of the first payload.
    pub offset_or_length: u32,
    /// All that follows.
    pub payload: Vec<u8>,
}

impl CompressionTransformHeader {
    /// The protocol id of a compressed message: 0xFC 'S' 'M' 'B'.
    pub const PROTOCOL_ID: [u8; 4] = *b"\xFCSMB";

    /// Appends header and payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let [low, high, ..] = self.flags.bits().to_le_bytes();
        let mut writer = Writer::new(out);
        writer.bytes(&Self::PROTOCOL_ID);
        writer.u32(self.original_compressed_segment_size);
        writer.u16(self.compression_algorithm.0);
        writer.bytes(&[low, high]);
        writer.u32(self.offset_or_length);
        writer.bytes(&self.payload);
    }

    /// Reads a whole frame.
    ///
    /// # Errors
    ///
    /// Too few bytes or another protocol id.
    pub fn decode(frame: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "COMPRESSION_TRANSFORM_HEADER";
        let mut reader = Reader::new(WHAT, frame);
        let found = reader.array()?;
        if found != Self::PROTOCOL_ID {
            return Err(Error::ProtocolId { what: WHAT, found });
        }
        Ok(Self {
            original_compressed_segment_size: reader.u32()?,
            compression_algorithm: CompressionAlgorithm(reader.u16()?),
            flags: CompressionFlags::from_bits_retain(reader.u16()?.into()),
            offset_or_length: reader.u32()?,
            payload: reader.rest().to_vec(),
        })
    }
}
