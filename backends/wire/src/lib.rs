//! SMB2/3 messages on the wire (MS-SMB2): exact encoding, tolerant decoding that keeps what it does not know,
//! NTSTATUS names, signing and key derivation. No I/O, no clock, no randomness.

mod chain;
mod codec;
mod constants;
pub mod crypto;
mod error;
mod frame;
pub mod framing;
pub mod fscc;
mod header;
mod message;
pub mod messages;
pub mod ntstatus;
mod types;

pub use constants::*;
pub use error::Error;
pub use frame::{
    FrameBuilder, FrameKind, SplitCompound, encode_request, split_compound, split_mut,
};
pub use header::{Header, HeaderForm, PROTOCOL_ID};
pub use message::{Request, Response};
pub use types::{BadGuid, FileId, Filetime, Guid, UnicodeString};
