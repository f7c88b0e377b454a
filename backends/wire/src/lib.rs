//! SMB2/3 messages on the wire (MS-SMB2): exact encoding, tolerant decoding that keeps what it does not know,
//! NTSTATUS names, signing and key derivation. No I/O, no clock, no randomness.

mod codec;
mod constants;
mod error;
mod header;
pub mod messages;
mod types;

pub use constants::*;
pub use error::Error;
pub use header::{Header, HeaderForm, PROTOCOL_ID};
pub use types::{BadGuid, FileId, Filetime, Guid, UnicodeString};
