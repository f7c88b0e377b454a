//! Preauthentication integrity (MS-SMB2 3.2.5.2, 3.2.5.3.1): a hash over all messages that set up a session.

use sha2::{Digest, Sha512};

/// PreauthIntegrityHashValue of a connection or a session, by SHA-512.
///
/// The value of the connection covers the NEGOTIATE request and response; the value of a session
/// starts with a copy of that and goes on with its SESSION_SETUP messages, up to the last request.
/// The final response, which is signed with the keys that depend on the value, is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreauthHash([u8; 64]);

impl Default for PreauthHash {
    /// Zeros, before the first message.
    fn default() -> Self {
        Self([0; 64])
    }
}

impl PreauthHash {
    /// Takes in a message, from its header on and without the length prefix.
    pub fn update(&mut self, message: &[u8]) {
        let mut hash = Sha512::new();
        hash.update(self.0);
        hash.update(message);
        self.0 = hash.finalize().into();
    }

    /// The value.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}
