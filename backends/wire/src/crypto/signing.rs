//! Signatures of messages (MS-SMB2 3.1.4.1, 3.1.5.1).

use std::fmt;

use aes::Aes128;
use aes_gcm::aead::{AeadInOut, inout::InOutBuf};
use aes_gcm::{Aes128Gcm, KeyInit};
use cmac::{Cmac, Mac};
use hmac::Hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Key;
use crate::{Command, Dialect, Error, Flags, Header, SigningAlgorithm};

/// Where the signature is in a message.
const SIGNATURE: std::ops::Range<usize> = 48..64;

/// Signs and verifies with one key.
///
/// Works on one message, which in a compound reaches to the header of the next one, padding
/// included (see [`crate::split_compound`] and [`crate::split_mut`]).
#[derive(Clone)]
pub struct Signer(Algorithm);

#[derive(Clone)]
enum Algorithm {
    HmacSha256(Hmac<Sha256>),
    AesCmac(Box<Cmac<Aes128>>),
    AesGmac(Box<Aes128Gcm>),
}

impl Signer {
    /// A signer with a key of 16 bytes.
    ///
    /// # Errors
    ///
    /// A key of another length, or an algorithm that MS-SMB2 does not define.
    pub fn new(algorithm: SigningAlgorithm, key: &Key) -> Result<Self, Error> {
        let key = key.as_bytes();
        let length = Error::KeyLength {
            expected: 16,
            found: key.len(),
        };
        let key: &[u8; 16] = key.try_into().map_err(|_| length)?;
        match algorithm {
            SigningAlgorithm::HMAC_SHA256 => Hmac::new_from_slice(key).map(Algorithm::HmacSha256),
            SigningAlgorithm::AES_CMAC => Ok(Algorithm::AesCmac(Box::new(Cmac::new(key.into())))),
            SigningAlgorithm::AES_GMAC => {
                Ok(Algorithm::AesGmac(Box::new(Aes128Gcm::new(key.into()))))
            }
            other => {
                return Err(Error::Algorithm {
                    what: "signing",
                    value: other.0,
                });
            }
        }
        .map(Self)
        .map_err(|_| Error::KeyLength {
            expected: 16,
            found: key.len(),
        })
    }

    /// The algorithm of a dialect when none was negotiated (MS-SMB2 3.1.4.1).
    pub fn default_algorithm(dialect: Dialect) -> SigningAlgorithm {
        match dialect {
            Dialect::SMB_3_0 | Dialect::SMB_3_0_2 | Dialect::SMB_3_1_1 => {
                SigningAlgorithm::AES_CMAC
            }
            _ => SigningAlgorithm::HMAC_SHA256,
        }
    }

    /// Sets [`Flags::SIGNED`] and the signature in the header.
    ///
    /// # Errors
    ///
    /// Bytes that do not begin with a header.
    pub fn sign(&self, message: &mut [u8]) -> Result<(), Error> {
        const FLAGS: usize = 16;
        let mut header = Header::decode(message)?;
        header.flags |= Flags::SIGNED;
        message[FLAGS..FLAGS + 4].copy_from_slice(&header.flags.bits().to_le_bytes());
        let signature = self.signature(&header, message)?;
        message[SIGNATURE].copy_from_slice(&signature);
        Ok(())
    }

    /// Compares the signature in the header, in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::Unsigned`] without [`Flags::SIGNED`], [`Error::Signature`] if it is wrong, or bytes
    /// that do not begin with a header.
    pub fn verify(&self, message: &[u8]) -> Result<(), Error> {
        let header = Header::decode(message)?;
        if !header.is_signed() {
            return Err(Error::Unsigned);
        }
        let signature = self.signature(&header, message)?;
        if bool::from(signature.ct_eq(&header.signature)) {
            Ok(())
        } else {
            Err(Error::Signature)
        }
    }

    /// The signature of a message whose signature field counts as zeros.
    fn signature(&self, header: &Header, message: &[u8]) -> Result<[u8; 16], Error> {
        let parts = [
            &message[..SIGNATURE.start],
            &[0; 16],
            &message[SIGNATURE.end..],
        ];
        Ok(match &self.0 {
            Algorithm::HmacSha256(keyed) => {
                let full: [u8; 32] = digest(keyed.clone(), parts).into();
                let [
                    signature @ ..,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                ] = full;
                signature
            }
            Algorithm::AesCmac(keyed) => digest(Cmac::clone(keyed), parts).into(),
            Algorithm::AesGmac(gcm) => {
                let mut nothing = [];
                gcm.encrypt_inout_detached(
                    &gmac_nonce(header).into(),
                    &parts.concat(),
                    InOutBuf::from(&mut nothing[..]),
                )
                .map_err(|_| Error::TooLong {
                    length: message.len(),
                })?
                .into()
            }
        })
    }
}

fn digest<M: Mac>(mut mac: M, parts: [&[u8]; 3]) -> cmac::digest::Output<M> {
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes()
}

/// MessageId, then a bit for the server as sender and one for CANCEL (MS-SMB2 3.1.4.1).
fn gmac_nonce(header: &Header) -> [u8; 12] {
    let role = u8::from(header.is_response());
    let cancel = u8::from(header.command == Command::CANCEL);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&header.message_id.to_le_bytes());
    nonce[8] = role | cancel << 1;
    nonce
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Algorithm::HmacSha256(_) => "Signer(HMAC-SHA256)",
            Algorithm::AesCmac(_) => "Signer(AES-CMAC)",
            Algorithm::AesGmac(_) => "Signer(AES-GMAC)",
        })
    }
}
