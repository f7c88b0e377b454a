//! What came back for a step, in the trace's own terms.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::value::Value;
use crate::vocabulary::Vocabulary;

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

impl Answer {
    /// The answer as an expectation would write it: `OK oplock=batch size=0`. Data is given as its length.
    pub fn to_text(&self, vocabulary: &Vocabulary) -> String {
        let mut text = status_text(vocabulary, self.status);
        for (name, value) in &self.fields {
            text.push(' ');
            text.push_str(name);
            let value = value.as_value();
            if value != Value::Flag {
                text.push('=');
                crate::text::write_value(&mut text, &value);
            }
        }
        text
    }
}

impl OwnedValue {
    /// The borrowed form.
    pub fn as_value(&self) -> Value<'_> {
        match self {
            OwnedValue::Int(value) => Value::Int(*value),
            OwnedValue::Duration(value) => Value::Duration(*value),
            OwnedValue::Range { start, end } => Value::Range {
                start: *start,
                end: *end,
            },
            OwnedValue::Word(word) => Value::Word(word),
            OwnedValue::Token(token) => Value::Word(token),
            OwnedValue::Text(text) => Value::Text(text),
            OwnedValue::Bytes(bytes) => Value::Bytes(bytes),
            OwnedValue::Flag => Value::Flag,
            OwnedValue::List(items) => {
                Value::List(items.iter().map(OwnedValue::as_value).collect())
            }
        }
    }
}

impl From<u64> for OwnedValue {
    fn from(value: u64) -> Self {
        OwnedValue::Int(value)
    }
}

/// A name, a word, or text: an argument's kind says which.
impl From<&str> for OwnedValue {
    fn from(value: &str) -> Self {
        OwnedValue::Text(value.to_owned())
    }
}

/// A name, a word, or text: an argument's kind says which.
impl From<String> for OwnedValue {
    fn from(value: String) -> Self {
        OwnedValue::Text(value)
    }
}

impl From<Duration> for OwnedValue {
    fn from(value: Duration) -> Self {
        OwnedValue::Duration(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Range<u64>> for OwnedValue {
    fn from(value: Range<u64>) -> Self {
        OwnedValue::Range {
            start: value.start,
            end: value.end,
        }
    }
}

/// A status as a trace writes it: `OK`, a name, or `0x` and eight digits.
pub fn status_text(vocabulary: &Vocabulary, status: u32) -> String {
    if status == vocabulary.ok {
        return "OK".into();
    }
    match (vocabulary.status_name)(status) {
        Some(name) => name.into(),
        None => format!("{status:#010X}"),
    }
}
