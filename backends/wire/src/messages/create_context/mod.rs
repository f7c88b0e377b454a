//! Create contexts (MS-SMB2 2.2.13.2, 2.2.14.2): one enum for requests, one for responses, since
//! the data of a context depends on the direction.

mod lease;
mod request;
mod response;

pub use lease::{Lease, LeaseV2};
pub use request::{
    AppInstanceVersion, DurableHandleReconnectV2, DurableHandleRequestV2, RequestContext,
};
pub use response::{DurableHandleResponseV2, MaximalAccess, OnDiskId, ResponseContext};

use crate::Error;
use crate::chain::{Chain, encode_chain};
use crate::codec::Writer;

const EXTA: &[u8] = b"ExtA";
const SECD: &[u8] = b"SecD";
const DHNQ: &[u8] = b"DHnQ";
const DHNC: &[u8] = b"DHnC";
const ALSI: &[u8] = b"AlSi";
const MXAC: &[u8] = b"MxAc";
const TWRP: &[u8] = b"TWrp";
const QFID: &[u8] = b"QFid";
const RQLS: &[u8] = b"RqLs";
const DH2Q: &[u8] = b"DH2Q";
const DH2C: &[u8] = b"DH2C";
const AAPL: &[u8] = b"AAPL";
const APP_INSTANCE_ID: &[u8] = b"\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74";
const APP_INSTANCE_VERSION: &[u8] =
    b"\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10";

/// A context as the list sees it: a name and data.
pub(super) trait Context: Sized {
    fn name(&self) -> &[u8];
    fn encode_data(&self, writer: &mut Writer<'_>);
    /// `None` for a name or a length of data that is not known.
    fn decode_data(name: &[u8], data: &[u8]) -> Result<Option<Self>, Error>;
    fn other(name: Vec<u8>, data: Vec<u8>) -> Self;
}

/// Appends the list; the writer stands at a multiple of 8.
pub(super) fn encode_list<C: Context>(contexts: &[C], writer: &mut Writer<'_>) {
    encode_chain(contexts, 8, writer, |context, writer| {
        let start = writer.offset() - 4;
        writer.u16(16);
        writer.len16(context.name().len());
        writer.u32(0);
        writer.u32(0);
        writer.bytes(context.name());
        writer.align(8);
        let data = writer.offset();
        context.encode_data(writer);
        let length = writer.offset() - data;
        if length > 0 {
            writer.set_u16(start + 10, data - start);
            writer.set_u32(start + 12, length);
        }
    });
}

/// Reads a list that fills `bytes`.
pub(super) fn decode_list<C: Context>(bytes: &[u8]) -> Result<Vec<C>, Error> {
    Chain::new("create context list", 16, bytes)
        .map(|item| {
            let mut reader = item?;
            let (name_offset, name_length) = (reader.len16()?, reader.len16()?);
            reader.skip(2)?;
            let (data_offset, data_length) = (reader.len16()?, reader.len32()?);
            let name = reader.range(name_offset, name_length)?;
            let data = reader.range(data_offset, data_length)?;
            let known = C::decode_data(name, data)?;
            Ok(known.unwrap_or_else(|| C::other(name.to_vec(), data.to_vec())))
        })
        .collect()
}
