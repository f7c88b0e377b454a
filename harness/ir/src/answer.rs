//! What came back for a step, in the trace's own terms.

use bytes::Bytes;

/// One answer. A vocabulary fills in the fields that the verb documents; an expectation names some of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status as it was on the wire.
    pub status: u32,
    /// Fields by name, in the order of the verb's [`FieldSpec`](crate::FieldSpec)s.
    pub fields: Vec<(&'static str, OwnedValue)>,
    /// The bytes that the answer carried, for instance what a read returned; compared with an expected fill,
    /// text or blob.
    pub data: Option<Bytes>,
}

/// A value that an answer carries; the owned twin of [`Value`](crate::Value).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedValue {
    /// An integer.
    Int(u64),
    /// A length of time in nanoseconds.
    Duration(u64),
    /// A half-open range.
    Range {
        /// The first position.
        start: u64,
        /// The position after the last.
        end: u64,
    },
    /// A word of a fixed set; flags joined by `|` are in the order of the vocabulary.
    Word(&'static str),
    /// A token that is made at run time, for instance a mask.
    Token(String),
    /// Text, for instance a file name.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// A flag that is set.
    Flag,
    /// Several values.
    List(Vec<OwnedValue>),
}
