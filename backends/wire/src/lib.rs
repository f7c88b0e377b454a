//! SMB2/3 messages on the wire (MS-SMB2): exact encoding, tolerant decoding that keeps what it does
//! not know, NTSTATUS names, signing and key derivation. No I/O, no clock, no randomness.
//!
//! ```
//! use smb_wire::messages::{EchoRequest, EchoResponse};
//! use smb_wire::{Flags, FrameBuilder, Header, Request, Response, encode_request, split_compound};
//!
//! let header = Header { message_id: 7, credits: 1, ..Header::default() };
//! let request = encode_request(&header, &Request::Echo(EchoRequest));
//! # let (header, message) = split_compound(&request).next().expect("a message")?;
//! # assert_eq!(Request::decode(message)?, Request::Echo(EchoRequest));
//!
//! let mut server = FrameBuilder::new();
//! let header = Header { flags: Flags::SERVER_TO_REDIR, ..header };
//! server.response(&header, &Response::Echo(EchoResponse));
//! for message in split_compound(&server.finish()) {
//!     let (header, message) = message?;
//!     assert_eq!(header.message_id, 7);
//!     assert_eq!(Response::decode(message)?, Response::Echo(EchoResponse));
//! }
//! # Ok::<(), smb_wire::Error>(())
//! ```
//!
//! # From the stream to a value
//!
//! [`framing`] finds the frames in a stream, [`FrameKind`] tells plain, encrypted and compressed ones
//! apart, [`split_compound`] the messages in a frame, [`Request`] and [`Response`] read a message, and
//! [`fscc`] what its buffer holds.
//!
//! # What decoding promises
//!
//! Values that the specifications do not define are kept: an unknown command, context, level, flag or
//! status. Reserved fields are not, unless a struct has them. Whatever the bytes, decoding does not
//! panic, takes time linear in the message, and allocates no more than a small multiple of it,
//! whatever lengths it announces. An error tells the structure and the offset.
//!
//! # What encoding promises
//!
//! Offsets, lengths, counts and padding come out as Samba's clients write them; those of Windows
//! differ in padding and in the offsets of what is absent, which receivers ignore. Anything else can
//! be sent as [`Request::Other`]. A buffer that is longer than its length field can tell is written in
//! full, with the largest length that fits; callers that mean a well-formed message keep names, tokens
//! and lists below 64 KiB and everything else below 4 GiB.

mod chain;
mod codec;
mod constants;
pub mod crypto;
mod error;
mod frame;
pub mod framing;
pub mod fscc;
mod header;
pub mod hex;
mod message;
pub mod messages;
pub mod ntstatus;
pub mod security;
mod types;

pub use constants::*;
pub use error::Error;
pub use frame::{
    FrameBuilder, FrameKind, SplitCompound, encode_request, split_compound, split_mut,
};
pub use header::{Header, HeaderForm, PROTOCOL_ID};
pub use message::{Request, Response};
pub use types::{BadGuid, FileId, Filetime, Guid, UnicodeString};
