//! The keys of a session (MS-SMB2 3.1.4.2, 3.2.5.3).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::PreauthHash;
use crate::{Cipher, Dialect};

/// A key of 16 or 32 bytes; erased when dropped, and never shown.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// The key of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// The keys of a session as the client uses them.
///
/// On a further channel of the session only `signing` is of use: the others are those of the first
/// channel.
#[derive(Debug, Clone)]
pub struct SessionKeys {
    /// Session.SigningKey, or Channel.SigningKey.
    pub signing: Key,
    /// Session.ApplicationKey, for protocols above.
    pub application: Key,
    /// Session.EncryptionKey, for what the client sends. None in SMB 2.x.
    pub encryption: Option<Key>,
    /// Session.DecryptionKey, for what the server sends. None in SMB 2.x.
    pub decryption: Option<Key>,
}

impl SessionKeys {
    /// Derives the keys from the session key that authentication has settled.
    ///
    /// `session_key` of any length: its first 16 bytes count, zeros are added to a shorter one, and
    /// the keys of 256-bit ciphers are derived from all of it. `cipher` is that of the connection,
    /// for 3.0 and 3.0.2 [`Cipher::AES_128_CCM`]. `preauth` matters with 3.1.1 only.
    pub fn derive(
        dialect: Dialect,
        cipher: Cipher,
        session_key: &[u8],
        preauth: &PreauthHash,
    ) -> Self {
        let full = Zeroizing::new(session_key.to_vec());
        let mut short = Zeroizing::new([0; 16]);
        let length = full.len().min(16);
        short[..length].copy_from_slice(&full[..length]);
        let short = short.as_slice();

        let (signing, application, encryption, decryption): (Purpose, Purpose, Purpose, Purpose) =
            match dialect {
                Dialect::SMB_3_0 | Dialect::SMB_3_0_2 => (
                    (b"SMB2AESCMAC\0", b"SmbSign\0"),
                    (b"SMB2APP\0", b"SmbRpc\0"),
                    (b"SMB2AESCCM\0", b"ServerIn \0"),
                    (b"SMB2AESCCM\0", b"ServerOut\0"),
                ),
                Dialect::SMB_3_1_1 => (
                    (b"SMBSigningKey\0", preauth.as_bytes()),
                    (b"SMBAppKey\0", preauth.as_bytes()),
                    (b"SMBC2SCipherKey\0", preauth.as_bytes()),
                    (b"SMBS2CCipherKey\0", preauth.as_bytes()),
                ),
                _ => {
                    let (signing, application) = (Key::new(short), Key::new(short));
                    return Self {
                        signing,
                        application,
                        encryption: None,
                        decryption: None,
                    };
                }
            };
        let wide = matches!(cipher, Cipher::AES_256_CCM | Cipher::AES_256_GCM);
        let (cipher_key, cipher_length) = if wide {
            (full.as_slice(), 32)
        } else {
            (short, 16)
        };
        Self {
            signing: derive_key(short, signing, 16),
            application: derive_key(short, application, 16),
            encryption: Some(derive_key(cipher_key, encryption, cipher_length)),
            decryption: Some(derive_key(cipher_key, decryption, cipher_length)),
        }
    }
}

/// Label and context of a derived key, with their terminating zeros.
type Purpose<'a> = (&'a [u8], &'a [u8]);

/// SP 800-108 in counter mode with HMAC-SHA256, a 32-bit counter and a 32-bit length in bits.
///
/// `length` is at most 32, so that a single round gives the whole key.
fn derive_key(key: &[u8], (label, context): Purpose<'_>, length: u8) -> Key {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&1_u32.to_be_bytes());
    mac.update(label);
    mac.update(&[0]);
    mac.update(context);
    mac.update(&(u32::from(length) * 8).to_be_bytes());
    let output = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    Key::new(&output[..usize::from(length)])
}
