//! NTLM log-ins whose password is known: the session key that comes of one (MS-NLMP 3.3.2, 3.4.5).

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest as _, Md4};
use md5::Md5;
use smb_wire::crypto::Key;

const CHALLENGE: &[u8] = b"NTLMSSP\0\x02\0\0\0";
const AUTHENTICATE: &[u8] = b"NTLMSSP\0\x03\0\0\0";

/// NTLMSSP_NEGOTIATE_KEY_EXCH (MS-NLMP 2.2.2.5).
const KEY_EXCHANGE: u32 = 0x4000_0000;

/// The length of NTProofStr, and of every key.
const PROOF: usize = 16;

/// Accounts with their passwords, of which only hashes are kept. `Debug` never shows one.
#[derive(Clone, Default)]
pub struct Passwords(Vec<(String, Key)>);

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passwords({})", self.0.len())
    }
}

impl Passwords {
    /// Reads lines `DOMAIN\user = password` or `user = password`. Empty lines and those that begin with `#` mean nothing.
    /// A password begins behind the blank that follows `=`, and is all that is left of the line.
    ///
    /// # Errors
    /// The number of a line that is none of this.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut all = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let (account, password) = line.split_once('=').ok_or(at + 1)?;
            let password = password.strip_prefix(' ').unwrap_or(password);
            let account = account.trim();
            if account.is_empty() {
                return Err(at + 1);
            }
            let hash = Md4::digest(utf16(password));
            all.push((account.to_lowercase(), Key::new(&hash)));
        }
        Ok(Self(all))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, domain: &str, user: &str) -> Option<&Key> {
        let (user, full) = (
            user.to_lowercase(),
            format!("{domain}\\{user}").to_lowercase(),
        );
        let mut known = self.0.iter();
        let found = known.find(|(account, _)| *account == full || *account == user);
        found.map(|(_, hash)| hash)
    }
}

/// What a log-in with a known password came to.
#[derive(Debug)]
pub(super) enum LogIn {
    /// No password of its account is known, or it is none of NTLM version 2.
    Unknown,
    /// The password is another one.
    OtherPassword,
    /// The session key.
    Key(Key),
}

/// ServerChallenge of a CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2).
pub(super) fn challenge(token: &[u8]) -> Option<[u8; 8]> {
    let start = memchr::memmem::find(token, CHALLENGE)?;
    token.get(start + 24..)?.first_chunk().copied()
}

/// The session key of an AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3).
pub(super) fn log_in(token: &[u8], challenge: Option<[u8; 8]>, passwords: &Passwords) -> LogIn {
    if passwords.is_empty() {
        return LogIn::Unknown;
    }
    exchanged(token, challenge, passwords).unwrap_or(LogIn::Unknown)
}

fn exchanged(token: &[u8], challenge: Option<[u8; 8]>, passwords: &Passwords) -> Option<LogIn> {
    let message = &token[memchr::memmem::find(token, AUTHENTICATE)?..];
    let (domain, user) = super::login::ntlm_account(token)?;
    let hash = passwords.of(&domain, &user)?;
    let (proof, rest) = field(message, 20)?.split_at_checked(PROOF)?;
    // MS-NLMP 3.3.2: NTOWFv2, NTProofStr, SessionBaseKey.
    let owner = hmac_md5(
        hash.as_bytes(),
        &[&utf16(&user.to_uppercase()), &utf16(&domain)],
    )?;
    if hmac_md5(&owner, &[&challenge?, rest])? != proof {
        return Some(LogIn::OtherPassword);
    }
    let base = hmac_md5(&owner, &[proof])?;
    let flags = u32::from_le_bytes(*message.get(60..)?.first_chunk()?);
    Some(LogIn::Key(match flags & KEY_EXCHANGE {
        0 => Key::new(&base),
        _ => Key::new(&rc4(&base, field(message, 52)?.get(..PROOF)?)),
    }))
}

/// What the length and offset at a place of a message point to.
pub(super) fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_le_bytes(*message.get(at..)?.first_chunk()?);
    let offset = u32::from_le_bytes(*message.get(at + 4..)?.first_chunk()?);
    let offset = usize::try_from(offset).ok()?;
    message.get(offset..offset.checked_add(length.into())?)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Option<[u8; PROOF]> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

/// RC4K (MS-NLMP 6): of use for sixteen bytes here, so that a crate for it would be one more for nothing.
fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|index| index as u8);
    let mut j = 0_u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
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
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
            .collect()
    }

    /// MS-NLMP 4.2.4: user `User`, domain `Domain`, password `Password`, keys of 0x55.
    #[test]
    fn the_keys_of_the_specifications_example() {
        let passwords = Passwords::parse("# one\n\nDOMAIN\\user = Password\n").expect("a list");
        let hash = passwords.of("Domain", "User").expect("known");
        assert_eq!(hash.as_bytes(), hex("a4f49c406510bdcab6824ee7c30fd852"));
        let owner = hmac_md5(hash.as_bytes(), &[&utf16("USER"), &utf16("Domain")]);
        assert_eq!(
            owner,
            hex("0c868a403bfd7a93a3001ef22ef02e3f")
                .first_chunk()
                .copied()
        );
        let owner = owner.expect("a key");
        let temp = hex(concat!(
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00",
            "01000c005300650072007600650072000000000000000000"
        ));
        let challenge = hex("0123456789abcdef");
        let proof = hmac_md5(&owner, &[&challenge, &temp]).expect("a proof");
        assert_eq!(proof[..], hex("68cd0ab851e51c96aabc927bebef6a1c"));
        let base = hmac_md5(&owner, &[&proof]).expect("a key");
        assert_eq!(base[..], hex("8de40ccadbc14a82f15cb0ad0de95ca3"));
        assert_eq!(
            rc4(&base, &[0x55; 16]),
            hex("c5dad2544fc9799094ce1ce90bc9d03e")
        );
    }

    #[test]
    fn passwords_are_not_shown() {
        let text = "a = secret one\nb=\n";
        let passwords = Passwords::parse(text).expect("a list");
        assert_eq!(
            (passwords.len(), passwords.of("x", "A").is_some()),
            (2, true)
        );
        assert!(!format!("{passwords:?}").contains("secret"));
        assert_eq!(Passwords::parse("a = b\nno password\n").err(), Some(2));
    }

    #[test]
    fn damaged_messages_are_survived() {
        let passwords = Passwords::parse("u = p").expect("a list");
        let mut token = AUTHENTICATE.to_vec();
        for length in 0..80 {
            token.resize(AUTHENTICATE.len() + length, 0xFF);
            assert!(matches!(
                log_in(&token, Some([0; 8]), &passwords),
                LogIn::Unknown
            ));
        }
        assert_eq!(challenge(CHALLENGE), None);
    }
}
