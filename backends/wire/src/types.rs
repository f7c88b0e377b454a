//! Values that occur in many messages: [`Guid`], [`FileId`], [`Filetime`], [`UnicodeString`].

use std::{fmt, str::FromStr, time::Duration};

/// A GUID in the order of its bytes on the wire (MS-DTYP 2.3.4.2: the first three groups
/// little-endian).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// The GUID of these integer parts (MS-DTYP 2.3.4.1).
    pub const fn from_parts(data1: u32, data2: u16, data3: u16, data4: [u8; 8]) -> Self {
        let [a, b, c, d] = data1.to_le_bytes();
        let [e, f] = data2.to_le_bytes();
        let [g, h] = data3.to_le_bytes();
        let [i, j, k, l, m, n, o, p] = data4;
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        let data1 = u32::from_le_bytes([a, b, c, d]);
        let (data2, data3) = (u16::from_le_bytes([e, g]), u16::from_le_bytes([h, i]));
        write!(
            f,
            "{data1:08x}-{data2:04x}-{data3:04x}-{:02x}{:02x}-",
            rest[0], rest[1]
        )?;
        rest[2..]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Guid {
    type Err = BadGuid;

    /// Reads `6f9619ff-8b86-d011-b42d-00cf4fc964ff`, in braces or not, in any case.
    fn from_str(text: &str) -> Result<Self, BadGuid> {
        let text = text
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .unwrap_or(text);
        let dashes = [8, 13, 18, 23];
        if text.len() != 36
            || text
                .bytes()
                .enumerate()
                .any(|(i, b)| (b == b'-') != dashes.contains(&i))
        {
            return Err(BadGuid);
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadGuid);
        }
        let number = u128::from_str_radix(&digits, 16).map_err(|_| BadGuid)?;
        let mut bytes = number.to_be_bytes();
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        Ok(Self(bytes))
    }
}

/// A text that is no GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID like 6f9619ff-8b86-d011-b42d-00cf4fc964ff")]
pub struct BadGuid;

/// SMB2_FILEID (MS-SMB2 2.2.14.1): the open that a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct FileId {
    /// Survives a reconnect of a durable open.
    pub persistent: u64,
    /// Valid on this connection.
    pub volatile: u64,
}

impl FileId {
    /// All ones: in a related compound, the open of the request before (MS-SMB2 3.2.4.1.4).
    pub const RELATED: Self = Self {
        persistent: u64::MAX,
        volatile: u64::MAX,
    };
}

/// A point in time, in 100 ns since 1601-01-01 UTC (MS-DTYP 2.3.3).
///
/// In FileBasicInformation 0 means "leave as it is", -1 (all ones) "stop updating", -2 "update
/// again" (MS-FSCC 2.4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Filetime(pub u64);

impl Filetime {
    /// 1970-01-01, in 100 ns since 1601-01-01.
    const UNIX_EPOCH: u64 = 116_444_736_000_000_000;

    /// The time at `since` after 1970-01-01 UTC, rounded down to 100 ns; saturates after the year
    /// 60000.
    pub fn from_unix(since: Duration) -> Self {
        let ticks = u64::try_from(since.as_nanos() / 100).unwrap_or(u64::MAX);
        Self(ticks.saturating_add(Self::UNIX_EPOCH))
    }

    /// The time since 1970-01-01 UTC; `None` before it.
    pub fn to_unix(self) -> Option<Duration> {
        let ticks = self.0.checked_sub(Self::UNIX_EPOCH)?;
        let nanos = u32::try_from(ticks % 10_000_000 * 100).unwrap_or(0);
        Some(Duration::new(ticks / 10_000_000, nanos))
    }
}

/// A name as it is on the wire: UTF-16LE without terminator, kept as bytes, so that a lone
/// surrogate or an odd length survives.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct UnicodeString(Vec<u8>);

impl UnicodeString {
    /// The string of these bytes, whatever they are.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length on the wire in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The text, if it is well-formed UTF-16.
    pub fn to_utf8(&self) -> Option<String> {
        if !self.0.len().is_multiple_of(2) {
            return None;
        }
        char::decode_utf16(self.units())
            .collect::<Result<_, _>>()
            .ok()
    }

    /// The text with U+FFFD for what is not well-formed.
    pub fn to_string_lossy(&self) -> String {
        let tail = (!self.0.len().is_multiple_of(2)).then_some(char::REPLACEMENT_CHARACTER);
        char::decode_utf16(self.units())
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .chain(tail)
            .collect()
    }

    fn units(&self) -> impl Iterator<Item = u16> + '_ {
        self.0
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
    }
}

impl From<&str> for UnicodeString {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
    }
}

impl From<String> for UnicodeString {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Display for UnicodeString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string_lossy())
    }
}

impl fmt::Debug for UnicodeString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}
