//! The session key of an NTLM login, from its AUTHENTICATE message and the account's password (MS-NLMP 3.3.2, 3.4.5).
//!
//! The proxy is given the passwords of the accounts that the run itself uses. It needs the key to sign and encrypt an
//! answer again that it has changed; otherwise only unsigned sessions could be tried.

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest as _, Md4};
use md5::Md5;

/// NTLMSSP_NEGOTIATE_KEY_EXCH.
const KEY_EXCHANGE: u32 = 0x4000_0000;
const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// What an AUTHENTICATE message says (MS-NLMP 2.2.1.3).
pub(crate) struct Authenticate<'a> {
    user: String,
    domain: String,
    response: &'a [u8],
    encrypted_key: &'a [u8],
    flags: u32,
}

impl<'a> Authenticate<'a> {
    /// Finds the message in a token, within SPNEGO or not.
    pub(crate) fn find(token: &'a [u8]) -> Option<Self> {
        let at = token
            .windows(SIGNATURE.len())
            .position(|bytes| bytes == SIGNATURE)?;
        let message = &token[at..];
        let word = |offset: usize| Some(u32::from_le_bytes(*message.get(offset..)?.first_chunk()?));
        let field = |offset: usize| {
            let length = usize::from(u16::from_le_bytes(*message.get(offset..)?.first_chunk()?));
            let begin = usize::try_from(word(offset + 4)?).ok()?;
            message.get(begin..begin.checked_add(length)?)
        };
        if word(8)? != 3 {
            return None;
        }
        Some(Self {
            response: field(20)?,
            domain: text(field(28)?),
            user: text(field(36)?),
            encrypted_key: field(52)?,
            flags: word(60)?,
        })
    }

    /// The account's name.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// ExportedSessionKey; `None` where the message holds no NTLMv2 response.
    pub(crate) fn session_key(&self, password: &str) -> Option<Vec<u8>> {
        let proof: &[u8; 16] = self.response.first_chunk()?;
        let hash = Md4::digest(utf16(password));
        let whom = utf16(&(self.user.to_uppercase() + &self.domain));
        let base = hmac_md5(&hmac_md5(&hash, &whom), proof);
        if self.flags & KEY_EXCHANGE == 0 {
            return Some(base.to_vec());
        }
        (self.encrypted_key.len() == 16).then(|| rc4(&base, self.encrypted_key))
    }
}

fn text(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac_md5(key: &[u8], message: &[u8]) -> [u8; 16] {
    // HMAC takes keys of any length.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|index| index as u8);
    let mut j = 0u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
        state.swap(i, usize::from(j));
    }
    let (mut i, mut j) = (0u8, 0u8);
    data.iter()
        .map(|byte| {
            i = i.wrapping_add(1);
            j = j.wrapping_add(state[usize::from(i)]);
            state.swap(usize::from(i), usize::from(j));
            let sum = state[usize::from(i)].wrapping_add(state[usize::from(j)]);
            byte ^ state[usize::from(sum)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of MS-NLMP 4.2.4: user `User`, domain `Domain`, password `Password`.
    const PROOF: [u8; 16] = [
        0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92, 0x7b, 0xeb, 0xef, 0x6a,
        0x1c,
    ];
    const BASE: [u8; 16] = [
        0x8d, 0xe4, 0x0c, 0xca, 0xdb, 0xc1, 0x4a, 0x82, 0xf1, 0x5c, 0xb0, 0xad, 0x0d, 0xe9, 0x5c,
        0xa3,
    ];
    const ENCRYPTED: [u8; 16] = [
        0xc5, 0xda, 0xd2, 0x54, 0x4f, 0xc9, 0x79, 0x90, 0x94, 0xce, 0x1c, 0xe9, 0x0b, 0xc9, 0xd0,
        0x3e,
    ];

    #[test]
    fn the_published_example_gives_its_key() {
        let message = |flags, encrypted_key| Authenticate {
            user: "User".to_owned(),
            domain: "Domain".to_owned(),
            response: &PROOF,
            encrypted_key,
            flags,
        };
        let key = message(0, &[]).session_key("Password");
        assert_eq!(key.as_deref(), Some(&BASE[..]));
        let key = message(KEY_EXCHANGE, &ENCRYPTED).session_key("Password");
        assert_eq!(key.as_deref(), Some(&[0x55; 16][..]));
        assert!(message(KEY_EXCHANGE, &[]).session_key("Password").is_none());
    }

    #[test]
    fn a_token_without_the_message_gives_nothing() {
        assert!(Authenticate::find(b"NTLMSSP\0\x01\0\0\0").is_none());
        assert!(
            Authenticate::find(&[b"xx".as_slice(), SIGNATURE, &[3, 0, 0, 0]].concat()).is_none()
        );
        assert!(Authenticate::find(&[0x60; 300]).is_none());
    }
}
