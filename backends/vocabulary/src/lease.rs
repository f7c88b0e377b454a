//! Lease keys, and the levels and states between which breaks happen, as a trace writes them.

use crate::words::{LEASE, OPLOCK};
use smb_wire::{Guid, hex};

/// The lease key that `text` stands for: the bytes of a name, padded with zeros, or `0x` and 32 hexadecimal digits.
pub(crate) fn key(text: &str) -> Result<Guid, String> {
    let mut bytes = [0; 16];
    if let Some(digits) = text.strip_prefix("0x") {
        let bytes = hex::decode(digits).and_then(|bytes| bytes.try_into().ok());
        return bytes.map(Guid).ok_or_else(|| {
            format!("`{text}` is no lease key; after 0x must stand 32 hexadecimal digits")
        });
    }
    if text.is_empty() || text.len() > bytes.len() {
        return Err(format!(
            "`{text}` is no lease key; a name has 1 to 16 bytes"
        ));
    }
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    Ok(Guid(bytes))
}

pub(crate) fn check_key(text: &str) -> Result<(), String> {
    key(text).map(drop)
}

/// The text of a lease key, in the form in which answers carry it: a name where it can be one.
pub(crate) fn write_key(key: Guid) -> String {
    let name = key.0.iter().rposition(|byte| *byte != 0);
    let name = name.map_or(&[][..], |last| &key.0[..=last]);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_empty() && !text.starts_with("0x") && name.iter().all(plain) => {
            text.to_owned()
        }
        _ => format!("0x{:032x}", u128::from_be_bytes(key.0)),
    }
}

/// Accepts a lease key in canonical form only.
pub(crate) fn check_canonical_key(text: &str) -> Result<(), String> {
    let written = write_key(key(text)?);
    match text == written {
        true => Ok(()),
        false => Err(format!("answers write this as `{written}`")),
    }
}

/// Accepts an oplock level or a lease state in canonical form.
pub(crate) fn check_level(text: &str) -> Result<(), String> {
    if OPLOCK.check_canonical(text).is_ok() || LEASE.check_canonical(text).is_ok() {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no level; one may write `none` `ii` `exclusive` `batch`, or a lease state `r` `rh` `rw` `rwh`"
    ))
}

/// Accepts `batch->ii` and the like.
pub(crate) fn check_transition(text: &str) -> Result<(), String> {
    let (from, to) = text
        .split_once("->")
        .ok_or_else(|| format!("`{text}` is no transition like `batch->ii` or `rwh->rh`"))?;
    check_level(from)?;
    check_level(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_or_numbers() {
        assert_eq!(key("k1"), Ok(Guid(*b"k1\0\0\0\0\0\0\0\0\0\0\0\0\0\0")));
        let number = key("0x000102030405060708090a0b0c0d0e0f");
        assert_eq!(number.map(|key| key.0[15]), Ok(15));
        for bad in [
            "",
            "0x01",
            "a-name-of-17-byte",
            "0x000102030405060708090a0b0c0d0e0g",
        ] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_written_as_they_are_read() {
        let mut odd = [0; 16];
        odd[3] = 7;
        for bytes in [
            [0; 16],
            *b"k1\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            *b"0xabcdefghijklmn",
            [0xff; 16],
            odd,
        ] {
            let text = write_key(Guid(bytes));
            assert_eq!(key(&text), Ok(Guid(bytes)), "{text}");
            assert_eq!(check_canonical_key(&text), Ok(()));
        }
        assert_eq!(
            write_key(Guid(*b"key-16-bytes-oh!")),
            format!("0x{:032x}", u128::from_be_bytes(*b"key-16-bytes-oh!"))
        );
        assert!(check_canonical_key("0x6b310000000000000000000000000000").is_err());
    }

    #[test]
    fn transitions_name_two_levels() {
        for good in ["batch->ii", "exclusive->none", "rwh->rh", "rh->none"] {
            assert_eq!(check_transition(good), Ok(()), "{good}");
        }
        for bad in ["batch", "batch->", "hr->r", "batch->iii"] {
            assert!(check_transition(bad).is_err(), "{bad}");
        }
    }
}
