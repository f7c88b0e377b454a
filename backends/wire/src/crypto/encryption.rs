//! Encrypted frames (MS-SMB2 3.1.4.3, 2.2.41).

use std::fmt;

use aes::{Aes128, Aes256};
use aes_gcm::aead::{AeadInOut, consts::U11, consts::U16, inout::InOutBuf};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use ccm::Ccm;

use super::Key;
use crate::messages::TransformHeader;
use crate::{Cipher, Error};

/// Encrypts or decrypts frames with the key of one direction.
#[derive(Clone)]
pub struct TransformCipher {
    cipher: Cipher,
    aead: Box<Aead>,
}

#[derive(Clone)]
enum Aead {
    Ccm128(Ccm<Aes128, U16, U11>),
    Gcm128(Aes128Gcm),
    Ccm256(Ccm<Aes256, U16, U11>),
    Gcm256(Aes256Gcm),
}

impl TransformCipher {
    /// A cipher with a key of 16 or 32 bytes, as the cipher demands.
    ///
    /// # Errors
    ///
    /// A key of another length, or a cipher that MS-SMB2 does not define.
    pub fn new(cipher: Cipher, key: &Key) -> Result<Self, Error> {
        let key = key.as_bytes();
        let (expected, aead) = match cipher {
            Cipher::AES_128_CCM => (16, Ccm::new_from_slice(key).map(Aead::Ccm128)),
            Cipher::AES_128_GCM => (16, Aes128Gcm::new_from_slice(key).map(Aead::Gcm128)),
            Cipher::AES_256_CCM => (32, Ccm::new_from_slice(key).map(Aead::Ccm256)),
            Cipher::AES_256_GCM => (32, Aes256Gcm::new_from_slice(key).map(Aead::Gcm256)),
            other => {
                return Err(Error::Algorithm {
                    what: "encryption",
                    value: other.0,
                });
            }
        };
        let aead = aead.map_err(|_| Error::KeyLength {
            expected,
            found: key.len(),
        })?;
        Ok(Self {
            cipher,
            aead: Box::new(aead),
        })
    }

    /// The encrypted form of a frame.
    ///
    /// Of `nonce` the first 11 bytes (CCM) or 12 bytes (GCM) count; they must never occur twice
    /// with one key, or the encryption is void. The others should be zeros.
    ///
    /// # Errors
    ///
    /// A frame beyond what the cipher or the header can hold.
    pub fn encrypt(
        &self,
        nonce: [u8; 16],
        session_id: u64,
        frame: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let too_long = || Error::TooLong {
            length: frame.len(),
        };
        let mut header = TransformHeader {
            signature: [0; 16],
            nonce,
            original_message_size: u32::try_from(frame.len()).map_err(|_| too_long())?,
            flags: TransformHeader::ENCRYPTED,
            session_id,
        };
        let mut out = Vec::with_capacity(TransformHeader::SIZE + frame.len());
        header.encode(&mut out);
        out.extend_from_slice(frame);
        let (head, body) = out.split_at_mut(TransformHeader::SIZE);
        let authenticated = &head[TransformHeader::AUTHENTICATED..];
        header.signature = self.seal(nonce, authenticated, body).ok_or_else(too_long)?;
        head[TransformHeader::SIGNATURE].copy_from_slice(&header.signature);
        Ok(out)
    }

    /// The frame in an encrypted one.
    ///
    /// # Errors
    ///
    /// Bytes that do not begin with a transform header, a size that is not that of the rest, or
    /// [`Error::Decryption`] if key or bytes are not the right ones.
    pub fn decrypt(&self, encrypted: &[u8]) -> Result<Vec<u8>, Error> {
        let header = TransformHeader::decode(encrypted)?;
        let (head, body) = encrypted.split_at(TransformHeader::SIZE);
        if usize::try_from(header.original_message_size) != Ok(body.len()) {
            return Err(Error::Invalid {
                what: "TRANSFORM_HEADER",
                field: "OriginalMessageSize",
                value: header.original_message_size.into(),
            });
        }
        let mut frame = body.to_vec();
        let authenticated = &head[TransformHeader::AUTHENTICATED..];
        self.open(header.nonce, authenticated, &mut frame, header.signature)
            .ok_or(Error::Decryption)?;
        Ok(frame)
    }

    /// Encrypts in place and gives the tag.
    fn seal(&self, nonce: [u8; 16], authenticated: &[u8], body: &mut [u8]) -> Option<[u8; 16]> {
        let [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, ..] = nonce;
        let short = [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10].into();
        let long = [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11].into();
        let body = InOutBuf::from(body);
        let tag = match &*self.aead {
            Aead::Ccm128(ccm) => ccm.encrypt_inout_detached(&short, authenticated, body),
            Aead::Gcm128(gcm) => gcm.encrypt_inout_detached(&long, authenticated, body),
            Aead::Ccm256(ccm) => ccm.encrypt_inout_detached(&short, authenticated, body),
            Aead::Gcm256(gcm) => gcm.encrypt_inout_detached(&long, authenticated, body),
        };
        tag.ok().map(Into::into)
    }

    /// Decrypts in place, if the tag is right.
    fn open(
        &self,
        nonce: [u8; 16],
        authenticated: &[u8],
        body: &mut [u8],
        tag: [u8; 16],
    ) -> Option<()> {
        let [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, ..] = nonce;
        let short = [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10].into();
        let long = [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11].into();
        let (body, tag) = (InOutBuf::from(body), tag.into());
        match &*self.aead {
            Aead::Ccm128(ccm) => ccm.decrypt_inout_detached(&short, authenticated, body, &tag),
            Aead::Gcm128(gcm) => gcm.decrypt_inout_detached(&long, authenticated, body, &tag),
            Aead::Ccm256(ccm) => ccm.decrypt_inout_detached(&short, authenticated, body, &tag),
            Aead::Gcm256(gcm) => gcm.decrypt_inout_detached(&long, authenticated, body, &tag),
        }
        .ok()
    }
}

impl fmt::Debug for TransformCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransformCipher({})", self.cipher)
    }
}
