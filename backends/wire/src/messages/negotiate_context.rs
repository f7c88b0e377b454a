//! Negotiate contexts (MS-SMB2 2.2.3.1, 2.2.4.1) of both directions.

use crate::codec::{Reader, Writer};
use crate::{
    Cipher, CompressionAlgorithm, CompressionFlags, Error, HashAlgorithm, RdmaTransform,
    SigningAlgorithm, TransportFlags, UnicodeString,
};

/// One negotiate context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NegotiateContext {
    /// SMB2_PREAUTH_INTEGRITY_CAPABILITIES (MS-SMB2 2.2.3.1.1).
    PreauthIntegrity {
        /// HashAlgorithms.
        hash_algorithms: Vec<HashAlgorithm>,
        /// Salt.
        salt: Vec<u8>,
    },
    /// SMB2_ENCRYPTION_CAPABILITIES (MS-SMB2 2.2.3.1.2).
    Encryption {
        /// Ciphers, the preferred one first.
        ciphers: Vec<Cipher>,
    },
    /// SMB2_COMPRESSION_CAPABILITIES (MS-SMB2 2.2.3.1.3).
    Compression {
        /// Flags.
        flags: CompressionFlags,
        /// CompressionAlgorithms.
        compression_algorithms: Vec<CompressionAlgorithm>,
    },
    /// SMB2_NETNAME_NEGOTIATE_CONTEXT_ID (MS-SMB2 2.2.3.1.4): the server's name as the client knows
    /// it.
    NetName(UnicodeString),
    /// SMB2_TRANSPORT_CAPABILITIES (MS-SMB2 2.2.3.1.5).
    Transport(TransportFlags),
    /// SMB2_RDMA_TRANSFORM_CAPABILITIES (MS-SMB2 2.2.3.1.6).
    RdmaTransform {
        /// RDMATransformIds.
        rdma_transform_ids: Vec<RdmaTransform>,
    },
    /// SMB2_SIGNING_CAPABILITIES (MS-SMB2 2.2.3.1.7).
    Signing {
        /// SigningAlgorithms, the preferred one first.
        signing_algorithms: Vec<SigningAlgorithm>,
    },
    /// A context of another type, or one whose data is not as its type prescribes.
    Other {
        /// ContextType.
        context_type: u16,
        /// Data.
        data: Vec<u8>,
    },
}

const PREAUTH_INTEGRITY: u16 = 0x0001;
const ENCRYPTION: u16 = 0x0002;
const COMPRESSION: u16 = 0x0003;
const NETNAME: u16 = 0x0005;
const TRANSPORT: u16 = 0x0006;
const RDMA_TRANSFORM: u16 = 0x0007;
const SIGNING: u16 = 0x0008;

impl NegotiateContext {
    /// ContextType.
    pub fn context_type(&self) -> u16 {
        match self {
            Self::PreauthIntegrity { .. } => PREAUTH_INTEGRITY,
            Self::Encryption { .. } => ENCRYPTION,
            Self::Compression { .. } => COMPRESSION,
            Self::NetName(_) => NETNAME,
            Self::Transport(_) => TRANSPORT,
            Self::RdmaTransform { .. } => RDMA_TRANSFORM,
            Self::Signing { .. } => SIGNING,
            Self::Other { context_type, .. } => *context_type,
        }
    }

    fn encode_data(&self, writer: &mut Writer<'_>) {
        match self {
            Self::PreauthIntegrity {
                hash_algorithms,
                salt,
            } => {
                writer.len16(hash_algorithms.len());
                writer.len16(salt.len());
                hash_algorithms
                    .iter()
                    .for_each(|algorithm| writer.u16(algorithm.0));
                writer.bytes(salt);
            }
            Self::Encryption { ciphers } => {
                writer.len16(ciphers.len());
                ciphers.iter().for_each(|cipher| writer.u16(cipher.0));
            }
            Self::Compression {
                flags,
                compression_algorithms,
            } => {
                writer.len16(compression_algorithms.len());
                writer.u16(0);
                writer.u32(flags.bits());
                compression_algorithms
                    .iter()
                    .for_each(|algorithm| writer.u16(algorithm.0));
            }
            Self::NetName(name) => writer.bytes(name.as_bytes()),
            Self::Transport(flags) => writer.u32(flags.bits()),
            Self::RdmaTransform { rdma_transform_ids } => {
                writer.len16(rdma_transform_ids.len());
                writer.zeros(6);
                rdma_transform_ids
                    .iter()
                    .for_each(|transform| writer.u16(transform.0));
            }
            Self::Signing { signing_algorithms } => {
                writer.len16(signing_algorithms.len());
                signing_algorithms
                    .iter()
                    .for_each(|algorithm| writer.u16(algorithm.0));
            }
            Self::Other { data, .. } => writer.bytes(data),
        }
    }

    fn decode_data(context_type: u16, data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("negotiate context", data);
        let context = match context_type {
            PREAUTH_INTEGRITY => {
                let (count, salt_length) = (reader.len16()?, reader.len16()?);
                Self::PreauthIntegrity {
                    hash_algorithms: numbers(&mut reader, count, HashAlgorithm)?,
                    salt: reader.take(salt_length)?.to_vec(),
                }
            }
            ENCRYPTION => {
                let count = reader.len16()?;
                Self::Encryption {
                    ciphers: numbers(&mut reader, count, Cipher)?,
                }
            }
            COMPRESSION => {
                let count = reader.len16()?;
                reader.skip(2)?;
                let flags = CompressionFlags::from_bits_retain(reader.u32()?);
                let compression_algorithms = numbers(&mut reader, count, CompressionAlgorithm)?;
                Self::Compression {
                    flags,
                    compression_algorithms,
                }
            }
            NETNAME => Self::NetName(UnicodeString::from_bytes(reader.take(data.len())?)),
            TRANSPORT => Self::Transport(TransportFlags::from_bits_retain(reader.u32()?)),
            RDMA_TRANSFORM => {
                let count = reader.len16()?;
                reader.skip(6)?;
                let rdma_transform_ids = numbers(&mut reader, count, RdmaTransform)?;
                Self::RdmaTransform { rdma_transform_ids }
            }
            SIGNING => {
                let count = reader.len16()?;
                let signing_algorithms = numbers(&mut reader, count, SigningAlgorithm)?;
                Self::Signing { signing_algorithms }
            }
            _ => Self::Other {
                context_type,
                data: data.to_vec(),
            },
        };
        Ok(context)
    }
}

fn numbers<T>(reader: &mut Reader<'_>, count: usize, make: fn(u16) -> T) -> Result<Vec<T>, Error> {
    let pairs = reader.take(count * 2)?.chunks_exact(2);
    Ok(pairs
        .map(|pair| make(u16::from_le_bytes([pair[0], pair[1]])))
        .collect())
}

/// Appends the contexts of a request and writes their offset and count at `tail`.
pub(super) fn encode_list(contexts: &[NegotiateContext], writer: &mut Writer<'_>, tail: usize) {
    let offset = encode_items(contexts, writer);
    writer.set_u32(tail, offset);
    // NegotiateContextCount and Reserved2 together: the count cannot pass 16 bits.
    writer.set_u32(tail + 4, contexts.len().min(usize::from(u16::MAX)));
}

/// Appends the contexts, each aligned to 8 bytes, and returns the offset of the first, 0 for none.
pub(super) fn encode_items(contexts: &[NegotiateContext], writer: &mut Writer<'_>) -> usize {
    let mut first = 0;
    for context in contexts {
        writer.align(8);
        let start = writer.offset();
        if first == 0 {
            first = start;
        }
        writer.u16(context.context_type());
        writer.u16(0);
        writer.u32(0);
        context.encode_data(writer);
        let length = writer.offset() - start - 8;
        writer.set_u16(start + 2, length);
    }
    first
}

/// Reads `count` contexts that begin at `offset` of `message`.
pub(super) fn decode_list(
    message: &[u8],
    offset: usize,
    count: u16,
) -> Result<Vec<NegotiateContext>, Error> {
    let mut contexts = Vec::new();
    if count == 0 {
        return Ok(contexts);
    }
    let mut reader = Reader::new("negotiate context list", message);
    reader.skip(offset)?;
    for index in 0..count {
        if index > 0 {
            reader.skip(reader.position().next_multiple_of(8) - reader.position())?;
        }
        let context_type = reader.u16()?;
        let length = reader.len16()?;
        reader.skip(4)?;
        let data = reader.take(length)?;
        contexts.push(
            NegotiateContext::decode_data(context_type, data).unwrap_or_else(|_| {
                NegotiateContext::Other {
                    context_type,
                    data: data.to_vec(),
                }
            }),
        );
    }
    Ok(contexts)
}
