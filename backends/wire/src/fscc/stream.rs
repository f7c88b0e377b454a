//! The streams of a file (MS-FSCC 2.4.49).

use super::cut_name;
use crate::chain::{Chain, encode_chain};
use crate::codec::Writer;
use crate::{Error, UnicodeString};

/// One stream (MS-FSCC 2.4.49).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileStreamInformation {
    /// StreamSize in bytes.
    pub stream_size: u64,
    /// StreamAllocationSize in bytes.
    pub stream_allocation_size: u64,
    /// StreamName with its type, for instance `:notes:$DATA`.
    pub stream_name: UnicodeString,
}

/// Appends a list of streams.
pub fn encode_streams(streams: &[FileStreamInformation], out: &mut Vec<u8>) {
    encode_chain(streams, 8, &mut Writer::new(out), |stream, writer| {
        writer.len32(stream.stream_name.len());
        writer.u64(stream.stream_size);
        writer.u64(stream.stream_allocation_size);
        writer.bytes(stream.stream_name.as_bytes());
    });
}

/// The streams of a buffer, none of an empty one. Ends after the first error.
pub fn decode_streams(
    data: &[u8],
) -> impl Iterator<Item = Result<FileStreamInformation, Error>> + '_ {
    Chain::new("FileStreamInformation", 24, data).map(|item| {
        let mut reader = item?;
        let length = reader.len32()?;
        Ok(FileStreamInformation {
            stream_size: reader.u64()?,
            stream_allocation_size: reader.u64()?,
            stream_name: cut_name(&reader, length),
        })
    })
}
