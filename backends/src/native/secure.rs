//! The keys of a session, and what is signed, verified, encrypted and decrypted with them (MS-SMB2 3.1.4). What must
//! be protected is decided by [`login`](super::login) and [`transport`](super::transport).

use smb_wire::crypto::{Key, PreauthHash, SessionKeys, Signer, TransformCipher};
use smb_wire::framing::PREFIX;
use smb_wire::messages::TransformHeader;
use smb_wire::{Cipher, Dialect, SigningAlgorithm};

/// What the connection's negotiation settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Algorithms {
    /// The dialect.
    pub(super) dialect: Dialect,
    /// What signs.
    pub(super) signing: SigningAlgorithm,
    /// What encrypts, if anything can.
    pub(super) cipher: Option<Cipher>,
}

/// What a session can be protected with. By default nothing, as for an anonymous client.
#[derive(Debug, Default)]
pub(super) struct Security {
    signer: Option<Signer>,
    encryption: Option<Encryption>,
}

/// The keys of encryption. Most sessions never use theirs, and the expanded form of a key is large: it is made on first
/// use.
#[derive(Debug)]
struct Encryption {
    cipher: Cipher,
    outgoing: Direction,
    incoming: Direction,
    /// Counts what was encrypted: no nonce ever occurs twice with a key.
    nonce: u64,
}

#[derive(Debug)]
enum Direction {
    Key(Key),
    Cipher(TransformCipher),
}

impl Security {
    /// The keys that `session_key` gives (MS-SMB2 3.1.4.2). The error names what cannot be had.
    pub(super) fn new(
        algorithms: Algorithms,
        session_key: &[u8],
        preauth: &PreauthHash,
    ) -> Result<Self, smb_wire::Error> {
        let Algorithms {
            dialect,
            signing,
            cipher,
        } = algorithms;
        let derived_for = cipher.unwrap_or(Cipher::AES_128_CCM);
        let keys = SessionKeys::derive(dialect, derived_for, session_key, preauth);
        let encryption = match (cipher, keys.encryption, keys.decryption) {
            (Some(cipher), Some(outgoing), Some(incoming)) => Some(Encryption {
                cipher,
                outgoing: Direction::Key(outgoing),
                incoming: Direction::Key(incoming),
                nonce: 0,
            }),
            _ => None,
        };
        Ok(Self {
            signer: Some(Signer::new(signing, &keys.signing)?),
            encryption,
        })
    }

    /// Whether there is a key to sign with.
    pub(super) fn can_sign(&self) -> bool {
        self.signer.is_some()
    }

    /// Whether there is a key to encrypt with.
    pub(super) fn can_encrypt(&self) -> bool {
        self.encryption.is_some()
    }

    /// Signs one message, if there is a key.
    pub(super) fn sign(&self, message: &mut [u8]) -> Result<(), String> {
        self.signer
            .as_ref()
            .map_or(Ok(()), |signer| signer.sign(message))
            .map_err(text)
    }

    /// Whether the signature of a message is right; the error says what is wrong with it.
    pub(super) fn verify(&self, message: &[u8]) -> Result<(), String> {
        self.signer
            .as_ref()
            .map_or(Ok(()), |signer| signer.verify(message))
            .map_err(text)
    }

    /// Encrypts all of `frame` behind its length prefix.
    pub(super) fn encrypt(&mut self, session_id: u64, frame: &mut Vec<u8>) -> Result<(), String> {
        let encryption = self
            .encryption
            .as_mut()
            .ok_or("there is no key to encrypt with")?;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&encryption.nonce.to_le_bytes());
        encryption.nonce += 1;
        let cipher = encryption.outgoing.cipher(encryption.cipher)?;
        let encrypted = cipher
            .encrypt(nonce, session_id, &frame[PREFIX..])
            .map_err(text)?;
        frame.truncate(PREFIX);
        frame.extend(encrypted);
        Ok(())
    }

    /// The frame in an encrypted one of this session.
    pub(super) fn decrypt(&mut self, session_id: u64, frame: &[u8]) -> Result<Vec<u8>, String> {
        let header = TransformHeader::decode(frame).map_err(text)?;
        if header.session_id != session_id {
            let other = header.session_id;
            return Err(format!(
                "an encrypted frame of session {other:#x} instead of {session_id:#x}"
            ));
        }
        let Some(encryption) = &mut self.encryption else {
            return Err("an encrypted frame, although there is no key for it".to_owned());
        };
        encryption
            .incoming
            .cipher(encryption.cipher)?
            .decrypt(frame)
            .map_err(text)
    }
}

impl Direction {
    fn cipher(&mut self, cipher: Cipher) -> Result<&TransformCipher, String> {
        if let Self::Key(key) = self {
            *self = Self::Cipher(TransformCipher::new(cipher, key).map_err(text)?);
        }
        match self {
            Self::Cipher(cipher) => Ok(cipher),
            Self::Key(_) => Err("the key could not be expanded".to_owned()),
        }
    }
}

fn text(error: smb_wire::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use smb_wire::Header;

    use super::*;

    const ALGORITHMS: Algorithms = Algorithms {
        dialect: Dialect::SMB_3_1_1,
        signing: SigningAlgorithm::AES_GMAC,
        cipher: Some(Cipher::AES_128_GCM),
    };

    fn security() -> Security {
        Security::new(ALGORITHMS, &[9; 16], &PreauthHash::default()).unwrap()
    }

    fn frame() -> Vec<u8> {
        let mut frame = vec![0; PREFIX];
        Header::default().encode(&mut frame);
        frame.extend([0x5a; 32]);
        frame
    }

    #[test]
    fn no_nonce_occurs_twice() {
        let mut security = security();
        let (mut first, mut second) = (frame(), frame());
        security.encrypt(7, &mut first).unwrap();
        security.encrypt(7, &mut second).unwrap();
        let nonce = |frame: &[u8]| TransformHeader::decode(&frame[PREFIX..]).unwrap().nonce;
        assert_ne!(nonce(&first), nonce(&second));
        assert!(
            !first.windows(8).any(|bytes| bytes == [0x5a; 8]),
            "the content is readable"
        );
    }

    #[test]
    fn a_frame_of_another_session_or_key_is_refused() {
        let mut security = security();
        let mut sent = frame();
        security.encrypt(7, &mut sent).unwrap();
        let error = security.decrypt(8, &sent[PREFIX..]).unwrap_err();
        assert!(error.contains("session 0x7 instead of 0x8"), "{error}");
        // The two directions have keys of their own, so what was sent does not decrypt as received.
        assert!(security.decrypt(7, &sent[PREFIX..]).is_err());
        assert!(Security::default().decrypt(7, &sent[PREFIX..]).is_err());
    }

    #[test]
    fn a_changed_byte_spoils_the_signature() {
        let security = security();
        let mut message = frame().split_off(PREFIX);
        security.sign(&mut message).unwrap();
        assert_eq!(security.verify(&message), Ok(()));
        message[70] ^= 1;
        assert!(security.verify(&message).is_err());
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", security());
        assert!(!shown.contains("09") && !shown.contains("9, 9"), "{shown}");
    }
}
