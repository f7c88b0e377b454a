//! Signing, encryption and key derivation of sessions (MS-SMB2 3.1.4), as computations on bytes.
//!
//! The primitives are those of RustCrypto; here is what MS-SMB2 feeds into them. Random numbers,
//! counters of nonces and the choice of what is signed or encrypted are left to the caller.

mod encryption;
mod keys;
pub mod ntlm;
mod preauth;
mod signing;

pub use encryption::TransformCipher;
pub use keys::{Key, SessionKeys};
pub use preauth::PreauthHash;
pub use signing::Signer;
