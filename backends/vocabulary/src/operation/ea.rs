//! Extended attributes: `query-info` and `set-info` of the class `full-ea`, `ea=` of a create and of a `given`.

use crate::args::{ArgError, Args};
use replay_ir::Value;
use smb_wire::fscc::FullEa;
use smb_wire::hex;

/// QUERY_INFO of FileFullEaInformation (MS-SMB2 2.2.37, MS-FSCC 2.4.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryEa<'t> {
    /// The handle.
    pub handle: &'t str,
    /// The names that are asked for as FILE_GET_EA_INFORMATION; none asks for all.
    pub names: Vec<&'t str>,
    /// SL_RETURN_SINGLE_ENTRY.
    pub single: bool,
    /// SL_RESTART_SCAN.
    pub restart: bool,
    /// OutputBufferLength in bytes.
    pub buffer: u32,
}

impl<'t> QueryEa<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let names = args.list("names");
        Ok(Self {
            handle: args.required("handle")?,
            names: names.iter().filter_map(|name| name.as_str()).collect(),
            single: args.has("single"),
            restart: args.has("restart"),
            buffer: args.int("buffer")?.unwrap_or(super::BUFFER),
        })
    }
}

/// SET_INFO of FileFullEaInformation (MS-SMB2 2.2.39, MS-FSCC 2.4.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetEa<'t> {
    /// The handle.
    pub handle: &'t str,
    /// What to set; an attribute without a value is removed.
    pub attributes: Vec<FullEa>,
}

impl<'t> SetEa<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let attributes = attributes(args)?;
        match attributes.is_empty() {
            true => Err(ArgError::Missing("ea")),
            false => Ok(Self {
                handle: args.required("handle")?,
                attributes,
            }),
        }
    }
}

/// The argument `ea`: `NAME=value` each, the value as UTF-8 or as `hex:0a1b`.
pub(crate) fn attributes<'t>(
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<Vec<FullEa>, ArgError> {
    let listed = args.list("ea");
    let texts = listed.iter().filter_map(|value| value.as_str());
    let read =
        texts.map(|text| read(text).map_err(|reason| ArgError::Value { name: "ea", reason }));
    read.collect()
}

fn read(text: &str) -> Result<FullEa, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not `NAME=value`"))?;
    let ea_value = match value.strip_prefix("hex:") {
        None => value.as_bytes().to_vec(),
        Some(digits) => hex::decode(digits)
            .ok_or_else(|| format!("`{value}` is not `hex:` and pairs of digits"))?,
    };
    if name.len() > usize::from(u8::MAX) || ea_value.len() > usize::from(u16::MAX) {
        return Err("a name has at most 255 bytes, a value at most 65535".to_owned());
    }
    Ok(FullEa {
        flags: 0,
        ea_name: name.as_bytes().to_vec(),
        ea_value,
    })
}

/// An attribute as an answer writes it: what [`attributes`] reads.
pub(crate) fn write(attribute: &FullEa) -> String {
    let name = String::from_utf8_lossy(&attribute.ea_name);
    let plain = std::str::from_utf8(&attribute.ea_value).ok();
    match plain.filter(|text| !text.starts_with("hex:") && !text.contains(char::is_control)) {
        Some(value) => format!("{name}={value}"),
        None => {
            let digits = hex::encode(&attribute.ea_value);
            format!("{name}=hex:{digits}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "A=b",
            "A=",
            "A=b=c",
            "A=hex:00ff",
            "A=hex:0a",
            "A=hex:6865783a",
        ] {
            let attribute = read(text).expect(text);
            assert_eq!(write(&attribute), text);
        }
        for text in ["A", "A=hex:0", "A=hex:0g", "A=hex:+f"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!("{}=x", "n".repeat(256))).is_err());
    }
}
