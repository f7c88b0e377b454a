//! Data that is kept next to a trace: a file `blobs/HEX` whose name is the SHA-256 of its bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

const PREFIX: &str = "sha256:";

/// Accepts `sha256:` and 64 lower-case hexadecimal digits; for [`ArgKind::Token`](crate::ArgKind::Token).
pub fn check(token: &str) -> Result<(), String> {
    hex_of(token)
        .map(|_| ())
        .ok_or_else(|| "a blob is `sha256:` and 64 lower-case hex digits".into())
}

fn hex_of(token: &str) -> Option<&str> {
    let hex = token.strip_prefix(PREFIX)?;
    let digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    (hex.len() == 64 && hex.bytes().all(digit)).then_some(hex)
}

/// How a trace names these bytes: `sha256:…`.
pub fn name(data: &[u8]) -> String {
    let mut name = String::with_capacity(PREFIX.len() + 64);
    name.push_str(PREFIX);
    for byte in Sha256::digest(data) {
        for nibble in [byte >> 4, byte & 15] {
            name.extend(char::from_digit(nibble.into(), 16));
        }
    }
    name
}

/// The file of a blob of the trace at `trace`. `None` for a token that [`check`] refuses.
pub fn path(trace: &Path, token: &str) -> Option<PathBuf> {
    let directory = trace.parent().unwrap_or(Path::new(""));
    Some(directory.join("blobs").join(hex_of(token)?))
}

/// The bytes of a blob of the trace at `trace`.
///
/// # Errors
/// Those of the file, [`io::ErrorKind::InvalidInput`] for a token that [`check`] refuses, and
/// [`io::ErrorKind::InvalidData`] when the bytes have another hash.
pub fn read(trace: &Path, token: &str) -> io::Result<Bytes> {
    let path = path(trace, token).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{token}` is not a blob"),
        )
    })?;
    let located =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let data = fs::read(&path).map_err(located)?;
    let found = name(&data);
    if found != token {
        let message = format!("{} holds {found}", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(data.into())
}

/// Keeps bytes next to the trace at `trace` and returns their name. A blob that is there already is left alone.
///
/// # Errors
/// Those of making the directory and the file.
pub fn write(trace: &Path, data: &[u8]) -> io::Result<String> {
    let name = name(data);
    let directory = trace.parent().unwrap_or(Path::new("")).join("blobs");
    let path = directory.join(&name[PREFIX.len()..]);
    if !path.exists() {
        fs::create_dir_all(&directory)?;
        fs::write(&path, data)?;
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_come_back_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("a.ir");
        let name = write(&trace, b"abc").unwrap();
        assert_eq!(
            name,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(&read(&trace, &name).unwrap()[..], b"abc");
        fs::write(path(&trace, &name).unwrap(), b"abd").unwrap();
        assert_eq!(
            read(&trace, &name).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            read(&trace, "sha256:../../x").unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
