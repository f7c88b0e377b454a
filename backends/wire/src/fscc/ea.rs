//! Extended attributes (MS-FSCC 2.4.16), also in the create context `ExtA`.

use crate::Error;
use crate::chain::{Chain, encode_chain};
use crate::codec::Writer;

/// One entry of FileFullEaInformation (MS-FSCC 2.4.16).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FullEa {
    /// Flags: 0x80 if the file cannot be understood without the attribute.
    pub flags: u8,
    /// EaName, at most 255 bytes of ASCII, without the terminating zero.
    pub ea_name: Vec<u8>,
    /// EaValue, at most 65535 bytes.
    pub ea_value: Vec<u8>,
}

/// Appends a list of extended attributes. A name or value that is too long is written in full with
/// the largest length.
pub fn encode_full_ea(attributes: &[FullEa], out: &mut Vec<u8>) {
    encode_chain(attributes, 4, &mut Writer::new(out), |attribute, writer| {
        writer.u8(attribute.flags);
        writer.u8(u8::try_from(attribute.ea_name.len()).unwrap_or(u8::MAX));
        writer.len16(attribute.ea_value.len());
        writer.bytes(&attribute.ea_name);
        writer.u8(0);
        writer.bytes(&attribute.ea_value);
    });
}

/// Appends FILE_GET_EA_INFORMATION (MS-FSCC 2.4.16.1): the names of what is asked for. A name that is too long is
/// written in full with the largest length.
pub fn encode_get_ea<'n>(names: impl IntoIterator<Item = &'n [u8]>, out: &mut Vec<u8>) {
    let names: Vec<&[u8]> = names.into_iter().collect();
    encode_chain(&names, 4, &mut Writer::new(out), |name, writer| {
        writer.u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        writer.bytes(name);
        writer.u8(0);
    });
}

/// The extended attributes of a buffer, none of an empty one. Ends after the first error.
pub fn decode_full_ea(data: &[u8]) -> impl Iterator<Item = Result<FullEa, Error>> + '_ {
    Chain::new("FileFullEaInformation", 8, data).map(|item| {
        let mut reader = item?;
        let flags = reader.u8()?;
        let name_length = usize::from(reader.u8()?);
        let value_length = reader.len16()?;
        let ea_name = reader.take(name_length)?.to_vec();
        reader.skip(1)?;
        Ok(FullEa {
            flags,
            ea_name,
            ea_value: reader.take(value_length)?.to_vec(),
        })
    })
}

/// The names of FILE_GET_EA_INFORMATION (MS-FSCC 2.4.16.1), none of an empty buffer. Ends after the first error.
pub fn decode_get_ea(data: &[u8]) -> impl Iterator<Item = Result<Vec<u8>, Error>> + '_ {
    Chain::new("FILE_GET_EA_INFORMATION", 5, data).map(|item| {
        let mut reader = item?;
        let length = usize::from(reader.u8()?);
        Ok(reader.take(length)?.to_vec())
    })
}
