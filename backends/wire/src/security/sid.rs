//! Security identifiers (MS-DTYP 2.4.2).

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::codec::{Reader, Writer};

/// The most sub-authorities that a security identifier can have (MS-DTYP 2.4.2.2).
const MAX_SUB_AUTHORITIES: usize = 15;

/// IdentifierAuthority has 48 bits.
const MAX_AUTHORITY: u64 = (1 << 48) - 1;

/// A security identifier (MS-DTYP 2.4.2): whom an entry is about, or who owns something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    authority: u64,
    sub_authorities: Vec<u32>,
}

impl Sid {
    /// The identifier `S-1-authority-sub-sub-…`; `None` for an authority of more than 48 bits, or more than 15
    /// sub-authorities.
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Option<Self> {
        let fits = authority <= MAX_AUTHORITY && sub_authorities.len() <= MAX_SUB_AUTHORITIES;
        fits.then(|| Self {
            authority,
            sub_authorities: sub_authorities.to_vec(),
        })
    }

    /// IdentifierAuthority.
    pub fn authority(&self) -> u64 {
        self.authority
    }

    /// SubAuthority, at most 15.
    pub fn sub_authorities(&self) -> &[u32] {
        &self.sub_authorities
    }

    /// Its size on the wire in bytes.
    pub fn size(&self) -> usize {
        8 + 4 * self.sub_authorities.len()
    }

    /// Appends the packet representation (MS-DTYP 2.4.2.2).
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.write(&mut Writer::new(out));
    }

    /// Reads the packet representation from the start of `data`.
    ///
    /// # Errors
    ///
    /// Too few bytes, another revision than 1, more than 15 sub-authorities.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        Self::read(&mut Reader::new("SID", data))
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(1);
        writer.u8(u8::try_from(self.sub_authorities.len()).unwrap_or(u8::MAX));
        writer.bytes(&self.authority.to_be_bytes()[2..]);
        for sub_authority in &self.sub_authorities {
            writer.u32(*sub_authority);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let invalid = |field, value: u8| Error::Invalid {
            what: "SID",
            field,
            value: value.into(),
        };
        let revision = reader.u8()?;
        if revision != 1 {
            return Err(invalid("Revision", revision));
        }
        let count = reader.u8()?;
        if usize::from(count) > MAX_SUB_AUTHORITIES {
            return Err(invalid("SubAuthorityCount", count));
        }
        let [a, b, c, d, e, f] = reader.array()?;
        let sub_authorities = (0..count).map(|_| reader.u32());
        Ok(Self {
            authority: u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
            sub_authorities: sub_authorities.collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for Sid {
    /// As MS-DTYP 2.4.2.1 says: an authority of more than 32 bits in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.authority) {
            Ok(authority) => write!(f, "S-1-{authority}")?,
            Err(_) => write!(f, "S-1-0x{:012x}", self.authority)?,
        }
        self.sub_authorities
            .iter()
            .try_for_each(|sub_authority| write!(f, "-{sub_authority}"))
    }
}

impl FromStr for Sid {
    type Err = BadSid;

    /// Reads `S-1-5-21-1-2-3-500`; the authority may be hexadecimal.
    fn from_str(text: &str) -> Result<Self, BadSid> {
        let rest = text
            .strip_prefix("S-1-")
            .or_else(|| text.strip_prefix("s-1-"));
        let mut parts = rest.ok_or(BadSid)?.split('-');
        let digits = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
        let authority = parts.next().ok_or(BadSid)?;
        let authority = match authority
            .strip_prefix("0x")
            .or_else(|| authority.strip_prefix("0X"))
        {
            Some(hex) if hex.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                u64::from_str_radix(hex, 16).map_err(|_| BadSid)?
            }
            None if digits(authority) => authority.parse().map_err(|_| BadSid)?,
            _ => return Err(BadSid),
        };
        let sub_authorities: Vec<u32> = parts
            .map(|part| match digits(part) {
                true => part.parse().map_err(|_| BadSid),
                false => Err(BadSid),
            })
            .collect::<Result<_, _>>()?;
        Self::new(authority, &sub_authorities).ok_or(BadSid)
    }
}

/// A text that is no security identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a security identifier like S-1-5-21-1-2-3-1000")]
pub struct BadSid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_those_of_the_specification() {
        // MS-DTYP 2.4.2.4: BUILTIN\Administrators.
        let bytes = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        let sid: Sid = "S-1-5-32-544".parse().expect("a SID");
        let mut out = Vec::new();
        sid.encode(&mut out);
        assert_eq!(out, bytes);
        assert_eq!(sid.size(), bytes.len());
        assert_eq!(Sid::decode(&bytes), Ok(sid));
        let large = "S-1-0x0100000000ff-7";
        assert_eq!(
            large.parse::<Sid>().map(|sid| sid.to_string()),
            Ok(large.to_owned())
        );
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for text in [
            "",
            "S-1",
            "S-1-",
            "S-2-5",
            "S-1-5-",
            "S-1-5-4294967296",
            "S-1-0x1000000000000",
            "S-1-5--1",
            "S-1-+5",
            "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16",
            "S-1-5-x",
            "S-1-0x",
        ] {
            assert_eq!(text.parse::<Sid>(), Err(BadSid), "{text}");
        }
        assert!(Sid::decode(&[2, 0, 0, 0, 0, 0, 0, 5]).is_err());
        assert!(Sid::decode(&[1, 16, 0, 0, 0, 0, 0, 5]).is_err());
        assert!(Sid::decode(&[1, 1, 0, 0, 0, 0, 0, 5, 1, 2, 3]).is_err());
    }
}
