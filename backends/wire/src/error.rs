//! The one error of the crate: what was being read, where, and what was wrong with it.

/// Why bytes could not be read, or a message could not be verified or decrypted.
///
/// Offsets and lengths are bytes from the start of the structure named by `what`; for a message
/// that is the start of its header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A fixed part ends before it is complete.
    #[error("{what}: {need} bytes needed at offset {at}, {have} left")]
    Truncated {
        /// The structure.
        what: &'static str,
        /// Where the field begins.
        at: usize,
        /// The size of the field.
        need: usize,
        /// What is there.
        have: usize,
    },
    /// An offset and a length in the message point outside it.
    #[error("{what}: bytes {offset}..{offset}+{length} lie outside the {have} bytes present")]
    OutOfRange {
        /// The structure.
        what: &'static str,
        /// The offset as received.
        offset: usize,
        /// The length as received.
        length: usize,
        /// The size of the whole.
        have: usize,
    },
    /// The first two bytes of the body are not those that MS-SMB2 prescribes for the message.
    #[error("{what}: structure size {found} instead of {expected}")]
    StructureSize {
        /// The message.
        what: &'static str,
        /// As prescribed.
        expected: u16,
        /// As received.
        found: u16,
    },
    /// A field has a value with which the rest cannot be read.
    #[error("{what}: {field} cannot be {value:#x}")]
    Invalid {
        /// The structure.
        what: &'static str,
        /// The field, named as in the specification.
        field: &'static str,
        /// As received.
        value: u64,
    },
    /// The first four bytes are not those of the expected kind of message.
    #[error("{what}: protocol id {found:02x?}")]
    ProtocolId {
        /// What was expected.
        what: &'static str,
        /// As received.
        found: [u8; 4],
    },
    /// A key that does not fit the algorithm.
    #[error("a key of {found} bytes where {expected} are needed")]
    KeyLength {
        /// What the algorithm needs, in bytes.
        expected: usize,
        /// What it got.
        found: usize,
    },
    /// An algorithm that MS-SMB2 does not define.
    #[error("no {what} algorithm has the number {value:#x}")]
    Algorithm {
        /// What it is for.
        what: &'static str,
        /// As negotiated.
        value: u16,
    },
    /// More bytes than an algorithm or a header can take.
    #[error("{length} bytes are too many for one frame")]
    TooLong {
        /// The bytes.
        length: usize,
    },
    /// A message without a signature where one is to be verified.
    #[error("the message is not signed")]
    Unsigned,
    /// The signature is not that of the message and the key.
    #[error("the signature is wrong")]
    Signature,
    /// The tag of an encrypted frame is not that of the bytes and the key.
    #[error("the frame cannot be decrypted")]
    Decryption,
}
