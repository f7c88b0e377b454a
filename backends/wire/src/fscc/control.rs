//! What the buffers of IOCTL hold (MS-SMB2 2.2.31, 2.2.32; MS-FSCC 2.3).

use std::net::IpAddr;

use super::fixed;
use crate::chain::Chain;
use crate::codec::{Reader, Writer};
use crate::{Error, FileId};

fixed! {
    /// FILE_ALLOCATED_RANGE_BUFFER (MS-FSCC 2.3.51) and FILE_ZERO_DATA_INFORMATION (MS-FSCC 2.3.85), which has the end
    /// instead of the length.
    FileRange + 0 {
        /// FileOffset in bytes.
        offset: u64,
        /// Length in bytes, or BeyondFinalZero.
        length: u64,
    }
}

impl FileRange {
    /// Its size in bytes.
    const SIZE: usize = 16;

    /// The ranges of a FSCTL_QUERY_ALLOCATED_RANGES answer; bytes behind the last whole one are ignored.
    ///
    /// # Errors
    ///
    /// None that is known of; a range always decodes.
    pub fn decode_all(data: &[u8]) -> Result<Vec<Self>, Error> {
        data.chunks_exact(Self::SIZE).map(Self::decode).collect()
    }
}

/// SRV_REQUEST_RESUME_KEY response (MS-SMB2 2.2.32.3): names an open as the source of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeKey(pub [u8; 24]);

impl ResumeKey {
    /// Reads the response; the context behind it is ignored.
    ///
    /// # Errors
    ///
    /// Too few bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("SRV_REQUEST_RESUME_KEY response", data);
        reader.array().map(Self)
    }
}

/// SRV_COPYCHUNK (MS-SMB2 2.2.31.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyChunk {
    /// SourceOffset in bytes.
    pub source_offset: u64,
    /// TargetOffset in bytes.
    pub target_offset: u64,
    /// Length in bytes.
    pub length: u32,
}

/// Appends SRV_COPYCHUNK_COPY (MS-SMB2 2.2.31.1).
pub fn encode_copy_chunks(source: ResumeKey, chunks: &[CopyChunk], out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.bytes(&source.0);
    writer.len32(chunks.len());
    writer.u32(0);
    for chunk in chunks {
        writer.u64(chunk.source_offset);
        writer.u64(chunk.target_offset);
        writer.u32(chunk.length);
        writer.u32(0);
    }
}

/// SRV_COPYCHUNK_RESPONSE (MS-SMB2 2.2.32.1). With STATUS_INVALID_PARAMETER the fields are the server's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyChunkResponse {
    /// ChunksWritten.
    pub chunks_written: u32,
    /// ChunkBytesWritten: of the chunk that was written in part.
    pub chunk_bytes_written: u32,
    /// TotalBytesWritten.
    pub total_bytes_written: u32,
}

impl CopyChunkResponse {
    /// Reads the response.
    ///
    /// # Errors
    ///
    /// Too few bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("SRV_COPYCHUNK_RESPONSE", data);
        Ok(Self {
            chunks_written: reader.u32()?,
            chunk_bytes_written: reader.u32()?,
            total_bytes_written: reader.u32()?,
        })
    }
}

/// DUPLICATE_EXTENTS_DATA (MS-FSCC 2.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateExtents {
    /// SourceFileID.
    pub source: FileId,
    /// SourceFileOffset in bytes.
    pub source_offset: u64,
    /// TargetFileOffset in bytes.
    pub target_offset: u64,
    /// ByteCount.
    pub length: u64,
}

impl DuplicateExtents {
    /// Appends the structure.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.file_id(self.source);
        writer.u64(self.source_offset);
        writer.u64(self.target_offset);
        writer.u64(self.length);
    }
}

/// NETWORK_INTERFACE_INFO (MS-SMB2 2.2.32.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkInterface {
    /// IfIndex.
    pub index: u32,
    /// Capability: 1 for RSS, 2 for RDMA.
    pub capability: u32,
    /// LinkSpeed in bits a second.
    pub link_speed: u64,
    /// SockAddr_Storage, of the two families that are defined.
    pub address: Option<IpAddr>,
}

impl NetworkInterface {
    /// The interfaces of an answer. Ends after the first error.
    pub fn decode_all(data: &[u8]) -> impl Iterator<Item = Result<Self, Error>> + '_ {
        Chain::new("NETWORK_INTERFACE_INFO", 152, data).map(|item| {
            let mut reader = item?;
            let (index, capability) = (reader.u32()?, reader.u32()?);
            reader.skip(4)?;
            let link_speed = reader.u64()?;
            let family = reader.u16()?;
            reader.skip(2)?;
            let address = match family {
                0x0002 => Some(IpAddr::from(reader.array::<4>()?)),
                0x0017 => {
                    reader.skip(4)?;
                    Some(IpAddr::from(reader.array::<16>()?))
                }
                _ => None,
            };
            Ok(Self {
                index,
                capability,
                link_speed,
                address,
            })
        })
    }
}
