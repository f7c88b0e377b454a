//! The login of a client without a name.

use super::auth::AuthError;

/// A bare NTLM login as nobody (MS-NLMP 3.2.5.1.2, the anonymous case).
pub(super) enum Anonymous {
    /// Nothing said yet.
    Negotiate,
    /// NEGOTIATE_MESSAGE sent.
    Authenticate,
    /// All said.
    Complete,
}

impl Anonymous {
    /// Unicode, request target, NTLM, extended session security, always sign, 56 and 128 bits.
    const FLAGS: u32 = 0xa008_8205;
    const NEGOTIATE_ANONYMOUS: u32 = 0x0000_0800;

    pub(super) fn next(&mut self, token: &[u8]) -> Result<Vec<u8>, AuthError> {
        match self {
            Self::Negotiate => {
                *self = Self::Authenticate;
                Ok(Self::message(1, Self::FLAGS, 2))
            }
            Self::Authenticate if token.starts_with(b"NTLMSSP\0\x02") => {
                *self = Self::Complete;
                Ok(Self::authenticate())
            }
            Self::Authenticate => Err("the server's challenge is not one of NTLM".into()),
            Self::Complete if token.is_empty() => Ok(Vec::new()),
            Self::Complete => Err("the server goes on with a login that is complete".into()),
        }
    }

    /// AUTHENTICATE_MESSAGE with no name, no response, and an LM response of one zero byte (MS-NLMP 2.2.1.3).
    fn authenticate() -> Vec<u8> {
        const FIXED: u32 = 64;
        let mut message = b"NTLMSSP\0".to_vec();
        message.extend(3u32.to_le_bytes());
        // LM response, NT response, domain, user, workstation, session key: length, room, offset.
        for (length, offset) in [
            (1u16, FIXED),
            (0, FIXED + 1),
            (0, FIXED),
            (0, FIXED),
            (0, FIXED),
            (0, FIXED + 1),
        ] {
            message.extend(length.to_le_bytes());
            message.extend(length.to_le_bytes());
            message.extend(offset.to_le_bytes());
        }
        message.extend((Self::FLAGS | Self::NEGOTIATE_ANONYMOUS).to_le_bytes());
        message.push(0);
        message
    }

    /// A message of this type with `fields` empty fields behind its flags.
    fn message(kind: u32, flags: u32, fields: usize) -> Vec<u8> {
        let mut message = b"NTLMSSP\0".to_vec();
        message.extend(kind.to_le_bytes());
        message.extend(flags.to_le_bytes());
        message.resize(message.len() + 8 * fields, 0);
        message
    }
}
