//! Argument and field values, borrowed from a trace.

/// One value as a trace holds it. Which variant an argument has follows from its
/// [`ArgKind`](crate::ArgKind): `NewHandle`, `Handle`, `EndHandle`, `Label`, `Word` and `Token` give [`Value::Word`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value<'t> {
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
    /// A bare word.
    Word(&'t str),
    /// Quoted text.
    Text(&'t str),
    /// Bytes.
    Bytes(&'t [u8]),
    /// A flag that is set.
    Flag,
    /// Several values.
    List(Vec<Value<'t>>),
}

impl<'t> Value<'t> {
    /// The integer, if this is one.
    pub fn as_int(&self) -> Option<u64> {
        match self {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The word or text, if this is one.
    pub fn as_str(&self) -> Option<&'t str> {
        match self {
            Value::Word(value) | Value::Text(value) => Some(value),
            _ => None,
        }
    }

    /// As the text form writes it; nothing for a flag, which is its name alone.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        crate::text::write_value(&mut text, self);
        text
    }
}
