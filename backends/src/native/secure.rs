//! The keys of a session, and what is signed, verified, encrypted and decrypted with them (MS-SMB2 3.1.4). What must
//! be protected is decided by [`login`](super::login) and [`transport`](super::transport).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// What a session can be protected with, on one of its channels. By default nothing, as for an anonymous client.
#[derive(Debug, Clone, Default)]
pub(super) struct Security {
    signer: Option<Signer>,
    /// While a channel is being bound: Session.SigningKey, by what the channel's connection has settled.
    binding: Option<Box<Signer>>,
    /// The channel's key is in the answer that binds it, and signs that answer.
    key_follows: bool,
    keys: Option<Arc<Keys>>,
    // Most sessions never encrypt, and the expanded form of a key is large: it is made on first use.
    outgoing: Option<TransformCipher>,
    incoming: Option<TransformCipher>,
}

/// The keys of a session, which all its channels share; a channel's own key signs on that channel alone.
#[derive(Debug)]
struct Keys {
    /// Session.SigningKey.
    signing: Key,
    encryption: Option<Encryption>,
}

/// The keys of encryption.
#[derive(Debug)]
struct Encryption {
    cipher: Cipher,
    outgoing: Key,
    incoming: Key,
    /// Counts what was encrypted, on whatever channel: no nonce ever occurs twice with a key.
    nonce: AtomicU64,
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
                outgoing,
                incoming,
                nonce: AtomicU64::new(0),
            }),
            _ => None,
        };
        Ok(Self {
            signer: Some(Signer::new(signing, &keys.signing)?),
            keys: Some(Arc::new(Keys {
                signing: keys.signing,
                encryption,
            })),
            ..Self::default()
        })
    }

    /// The session's keys without those of a channel.
    pub(super) fn shared(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            ..Self::default()
        }
    }

    /// What the requests that bind a new channel to this session are signed with: the session's key, by what the new
    /// connection has settled (MS-SMB2 3.2.4.1.1). `key_follows`: the channel's own key is known with the last answer only.
    pub(super) fn binding(
        &self,
        algorithms: Algorithms,
        key_follows: bool,
    ) -> Result<Self, smb_wire::Error> {
        let keys = self.keys.clone();
        let signer = keys
            .as_ref()
            .map(|keys| Signer::new(algorithms.signing, &keys.signing));
        let signer = signer.transpose()?;
        Ok(Self {
            signer: signer.clone(),
            binding: signer.map(Box::new),
            key_follows,
            keys,
            ..Self::default()
        })
    }

    /// The same with requests that are signed with a key that nobody has.
    pub(super) fn with_a_wrong_key(self, algorithms: Algorithms) -> Result<Self, smb_wire::Error> {
        let wrong = Key::new(&super::random::<16>());
        Ok(Self {
            signer: Some(Signer::new(algorithms.signing, &wrong)?),
            ..self
        })
    }

    /// The same once the channel has a key to sign with of its own, which `session_key` gives (MS-SMB2 3.2.5.3.3).
    pub(super) fn channel(
        &self,
        algorithms: Algorithms,
        session_key: &[u8],
        preauth: &PreauthHash,
    ) -> Result<Self, smb_wire::Error> {
        Ok(Self {
            signer: Self::new(algorithms, session_key, preauth)?.signer,
            binding: self.binding.clone(),
            keys: self.keys.clone(),
            ..Self::default()
        })
    }

    /// The channel is bound.
    pub(super) fn bound(&mut self) {
        self.binding = None;
    }

    /// Whether a channel is being bound with it.
    pub(super) fn is_binding(&self) -> bool {
        self.binding.is_some()
    }

    /// Whether the signature of an answer is right that does not end the binding of a channel: it is made with the session's
    /// key, whatever the request was signed with (MS-SMB2 3.2.5.1.3).
    pub(super) fn verify_unbound(&self, message: &[u8]) -> Result<(), String> {
        self.binding
            .as_ref()
            .map_or(Ok(()), |signer| signer.verify(message))
            .map_err(text)
    }

    /// Whether the last answer of a login must be verified by whoever takes the key out of it (MS-SMB2 3.2.5.1.3): it is
    /// the channel's, not the one that its request is signed with.
    pub(super) fn key_follows(&self) -> bool {
        self.key_follows
    }

    /// Whether there is a key to sign with.
    pub(super) fn can_sign(&self) -> bool {
        self.signer.is_some()
    }

    /// Whether there is a key to encrypt with.
    pub(super) fn can_encrypt(&self) -> bool {
        self.encryption().is_some()
    }

    fn encryption(&self) -> Option<&Encryption> {
        self.keys.as_ref()?.encryption.as_ref()
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
        let keys = self.keys.as_deref();
        let encryption = keys
            .and_then(|keys| keys.encryption.as_ref())
            .ok_or("there is no key to encrypt with")?;
        let mut nonce = [0; 16];
        let count = encryption.nonce.fetch_add(1, Ordering::Relaxed);
        nonce[..8].copy_from_slice(&count.to_le_bytes());
        let cipher = expanded(&mut self.outgoing, encryption.cipher, &encryption.outgoing)?;
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
        let keys = self.keys.as_deref();
        let Some(encryption) = keys.and_then(|keys| keys.encryption.as_ref()) else {
            return Err("an encrypted frame, although there is no key for it".to_owned());
        };
        expanded(&mut self.incoming, encryption.cipher, &encryption.incoming)?
            .decrypt(frame)
            .map_err(text)
    }
}

fn expanded<'a>(
    kept: &'a mut Option<TransformCipher>,
    cipher: Cipher,
    key: &Key,
) -> Result<&'a TransformCipher, String> {
    if kept.is_none() {
        *kept = Some(TransformCipher::new(cipher, key).map_err(text)?);
    }
    kept.as_ref().ok_or_else(|| "there is no key".to_owned())
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
    fn a_channel_signs_with_a_key_of_its_own_and_encrypts_with_the_sessions() {
        let session = security();
        let binding = session.binding(ALGORITHMS, true).unwrap();
        let mut channel = binding
            .channel(ALGORITHMS, &[8; 16], &PreauthHash::default())
            .unwrap();
        let mut by_session = frame().split_off(PREFIX);
        binding.sign(&mut by_session).unwrap();
        assert_eq!(session.verify(&by_session), Ok(()));
        assert!(channel.verify(&by_session).is_err());
        assert!(channel.is_binding() && !session.is_binding());
        assert_eq!(channel.verify_unbound(&by_session), Ok(()));
        let wrong = session.binding(ALGORITHMS, false).unwrap();
        let wrong = wrong.with_a_wrong_key(ALGORITHMS).unwrap();
        let mut by_nobody = frame().split_off(PREFIX);
        wrong.sign(&mut by_nobody).unwrap();
        assert!(session.verify(&by_nobody).is_err());
        assert_eq!(wrong.verify_unbound(&by_session), Ok(()));
        assert!(binding.key_follows() && !channel.key_follows());
        channel.bound();
        assert!(!channel.is_binding());
        let mut by_channel = frame().split_off(PREFIX);
        channel.sign(&mut by_channel).unwrap();
        assert!(session.verify(&by_channel).is_err());
        assert_eq!(channel.verify(&by_channel), Ok(()));

        let mut session = session;
        let (mut first, mut second) = (frame(), frame());
        session.encrypt(7, &mut first).unwrap();
        channel.encrypt(7, &mut second).unwrap();
        let nonce = |frame: &[u8]| TransformHeader::decode(&frame[PREFIX..]).unwrap().nonce;
        assert_ne!(nonce(&first), nonce(&second));
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", security());
        assert!(!shown.contains("09") && !shown.contains("9, 9"), "{shown}");
    }
}
