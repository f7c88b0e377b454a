//! The session key of an NTLM version 2 login, for whoever sees its messages and knows the password (MS-NLMP 3.3.2, 3.4.5).
//!
//! Clients leave NTLM to a library; what is here is for those in between: captures, and proxies that sign again.

use super::Key;
use crate::UnicodeString;
use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest as _, Md4};
use md5::Md5;
use subtle::ConstantTimeEq;

/// Signature of every message.
const SIGNATURE: &[u8] = b"NTLMSSP\0";
const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;

/// NTLMSSP_NEGOTIATE_KEY_EXCH (MS-NLMP 2.2.2.5).
const KEY_EXCHANGE: u32 = 0x4000_0000;

/// NTLMSSP_NEGOTIATE_UNICODE (MS-NLMP 2.2.2.5).
const UNICODE: u32 = 1;

/// The fixed part of an AUTHENTICATE_MESSAGE without Version and MIC.
const FIXED: usize = 64;

/// The length of NTProofStr, and of every key.
const LENGTH: usize = 16;

/// The hash of a password that a server keeps: NTOWFv1 (MS-NLMP 3.3.1).
pub fn password_hash(password: &str) -> Key {
    Key::new(&Md4::digest(utf16(password)))
}

/// ServerChallenge of the CHALLENGE_MESSAGE in a token, within SPNEGO or not (MS-NLMP 2.2.1.2).
pub fn server_challenge(token: &[u8]) -> Option<[u8; 8]> {
    find(token, CHALLENGE)?.get(24..)?.first_chunk().copied()
}

/// An AUTHENTICATE_MESSAGE of UserName alone (MS-NLMP 2.2.1.3): who logs in, and nothing that proves it or that a password could be
/// guessed from. An empty name is an anonymous login's.
pub fn name_only(user: &str) -> Vec<u8> {
    let name = utf16(user);
    let length = u16::try_from(name.len()).unwrap_or(0);
    let mut message = [SIGNATURE, &AUTHENTICATE.to_le_bytes()].concat();
    // LmChallengeResponse, NtChallengeResponse, DomainName, UserName, Workstation, EncryptedRandomSessionKey.
    for length in [0, 0, 0, length, 0, 0] {
        message.extend([length.to_le_bytes(), length.to_le_bytes()].concat());
        message.extend((FIXED as u32).to_le_bytes());
    }
    message.extend(UNICODE.to_le_bytes());
    message.extend_from_slice(&name[..usize::from(length)]);
    message
}

/// What an AUTHENTICATE_MESSAGE says (MS-NLMP 2.2.1.3).
#[derive(Clone)]
pub struct Authenticate<'a> {
    /// UserName; empty for an anonymous login.
    pub user: String,
    /// DomainName.
    pub domain: String,
    /// NtChallengeResponse.
    response: &'a [u8],
    /// EncryptedRandomSessionKey.
    encrypted_key: &'a [u8],
    /// NegotiateFlags.
    flags: u32,
}

impl<'a> Authenticate<'a> {
    /// Finds the message in a token, within SPNEGO or not.
    pub fn find(token: &'a [u8]) -> Option<Self> {
        let message = find(token, AUTHENTICATE)?;
        let text = |at| Some(UnicodeString::from_bytes(field(message, at)?).to_string_lossy());
        Some(Self {
            domain: text(28)?,
            user: text(36)?,
            response: field(message, 20).unwrap_or_default(),
            // Messages of old clients end before these.
            encrypted_key: field(message, 52).unwrap_or_default(),
            flags: word(message, 60).unwrap_or(0),
        })
    }

    /// Whether the client knew the password with this hash when it answered a challenge; `None` if its response is not of NTLM
    /// version 2.
    pub fn proves(&self, hash: &Key, challenge: [u8; 8]) -> Option<bool> {
        let (proof, rest) = self.response.split_first_chunk::<LENGTH>()?;
        let expected = hmac_md5(self.owner(hash).as_bytes(), &[&challenge, rest]);
        Some(expected.ct_eq(proof).into())
    }

    /// ExportedSessionKey, for the password with this hash; `None` if the response is not of NTLM version 2.
    pub fn session_key(&self, hash: &Key) -> Option<Key> {
        let proof = self.response.first_chunk::<LENGTH>()?;
        let base = hmac_md5(self.owner(hash).as_bytes(), &[proof]);
        if self.flags & KEY_EXCHANGE == 0 {
            return Some(Key::new(&base));
        }
        (self.encrypted_key.len() == LENGTH).then(|| Key::new(&rc4(&base, self.encrypted_key)))
    }

    /// NTOWFv2 (MS-NLMP 3.3.2).
    fn owner(&self, hash: &Key) -> Key {
        let whom = utf16(&(self.user.to_uppercase() + &self.domain));
        Key::new(&hmac_md5(hash.as_bytes(), &[&whom]))
    }
}

impl std::fmt::Debug for Authenticate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticate(..)")
    }
}

/// The message of a type, from its signature on.
fn find(token: &[u8], kind: u32) -> Option<&[u8]> {
    let at = token
        .windows(SIGNATURE.len() + 4)
        .position(|bytes| bytes.starts_with(SIGNATURE) && word(bytes, 8) == Some(kind))?;
    token.get(at..)
}

fn word(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*message.get(at..)?.first_chunk()?))
}

/// What the length and the offset at a place of a message point to.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_le_bytes(*message.get(at..)?.first_chunk()?);
    let offset = usize::try_from(word(message, at + 4)?).ok()?;
    message.get(offset..offset.checked_add(length.into())?)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; LENGTH] {
    // HMAC takes keys of any length.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// RC4K (MS-NLMP 6): of use for sixteen bytes here, so that a crate for it would be one more for nothing.
fn rc4(key: &[u8; LENGTH], data: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|index| index as u8);
    let mut j = 0_u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % LENGTH]);
        state.swap(i, usize::from(j));
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    let next = |byte: &u8| {
        i = i.wrapping_add(1);
        j = j.wrapping_add(state[usize::from(i)]);
        state.swap(usize::from(i), usize::from(j));
        let sum = state[usize::from(i)].wrapping_add(state[usize::from(j)]);
        byte ^ state[usize::from(sum)]
    };
    data.iter().map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        crate::hex::decode(text).expect("hexadecimal")
    }

    /// MS-NLMP 4.2.4: user `User`, domain `Domain`, password `Password`, keys of 0x55.
    #[test]
    fn the_keys_of_the_specifications_example() {
        // MS-NLMP 4.2.2.1.2, of the password of MS-NLMP 4.2.1.
        let hash = password_hash("Password");
        assert_eq!(hash.as_bytes(), hex("a4f49c406510bdcab6824ee7c30fd852"));
        let response = hex(concat!(
            "68cd0ab851e51c96aabc927bebef6a1c",
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00",
            "01000c005300650072007600650072000000000000000000"
        ));
        let encrypted = hex("c5dad2544fc9799094ce1ce90bc9d03e");
        let message = |flags, encrypted_key| Authenticate {
            user: "User".to_owned(),
            domain: "Domain".to_owned(),
            response: &response,
            encrypted_key,
            flags,
        };
        let plain = message(0, &[]);
        assert_eq!(
            plain.owner(&hash).as_bytes(),
            hex("0c868a403bfd7a93a3001ef22ef02e3f")
        );
        let challenge = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        assert_eq!(plain.proves(&hash, challenge), Some(true));
        assert_eq!(plain.proves(&password_hash("x"), challenge), Some(false));
        let key = |message: Authenticate<'_>| Some(message.session_key(&hash)?.as_bytes().to_vec());
        assert_eq!(key(plain), Some(hex("8de40ccadbc14a82f15cb0ad0de95ca3")));
        let exchanged = message(KEY_EXCHANGE, &encrypted);
        assert_eq!(format!("{exchanged:?}"), "Authenticate(..)");
        assert_eq!(key(exchanged), Some(vec![0x55; 16]));
        assert_eq!(key(message(KEY_EXCHANGE, &[])), None);
    }

    #[test]
    fn a_message_of_a_name_alone_proves_nothing() {
        for name in ["", "alice", "J\u{fc}rgen"] {
            let token = name_only(name);
            let found = Authenticate::find(&token).expect("a message");
            assert_eq!((found.user.as_str(), found.domain.as_str()), (name, ""));
            let hash = password_hash("x");
            assert!(found.session_key(&hash).is_none() && found.proves(&hash, [1; 8]).is_none());
            assert_eq!(
                token.len(),
                FIXED + utf16(name).len(),
                "nothing else is in it"
            );
        }
        assert_eq!(name_only(&"x".repeat(40_000)).len(), FIXED);
    }

    #[test]
    fn damaged_messages_are_survived() {
        let mut token = [b"x", SIGNATURE, &[3, 0, 0, 0]].concat();
        for _ in 0..80 {
            assert!(Authenticate::find(&token).is_none_or(|found| found.user.is_empty()));
            token.push(0xff);
        }
        assert!(Authenticate::find(&[0x60; 300]).is_none());
        assert!(Authenticate::find(b"NTLMSSP\0\x01\0\0\0").is_none());
        assert_eq!(server_challenge(b"NTLMSSP\0\x02\0\0\0"), None);
    }
}
