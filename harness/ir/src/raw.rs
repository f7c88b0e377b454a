//! One line of a trace after its form is understood and before its words are: what all encodings hand to the
//! assembler, borrowed from the line, each part with its place.
//!
//! Nothing here owns memory, so a line costs no allocation unless a step has uncommonly many parts.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::answer::OwnedValue;
use crate::error::Span;
use crate::vocabulary::ArgKind;

/// Something with its place in the line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T> At<T> {
    pub(crate) fn new(value: T, span: Span) -> Self {
        At { value, span }
    }
}

/// A string of the line. One of JSON may still have its escapes in it, which are known to be right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Str<'s> {
    raw: &'s str,
    escaped: bool,
}

impl<'s> Str<'s> {
    /// A string as it stands.
    pub(crate) fn plain(raw: &'s str) -> Self {
        Str {
            raw,
            escaped: false,
        }
    }

    /// What stands between the quotes of a JSON string with escapes.
    pub(crate) fn escaped(raw: &'s str) -> Self {
        Str { raw, escaped: true }
    }

    /// What it says if nothing in it is escaped.
    pub(crate) fn as_plain(self) -> Option<&'s str> {
        (!self.escaped).then_some(self.raw)
    }

    /// True when it says `other`.
    pub(crate) fn is(self, other: &str) -> bool {
        if self.escaped {
            self.get() == other
        } else {
            self.raw == other
        }
    }

    /// What it says.
    pub(crate) fn get(self) -> Cow<'s, str> {
        match self.escaped {
            false => Cow::Borrowed(self.raw),
            true => Cow::Owned(crate::jsonl::unescape(self.raw)),
        }
    }
}

/// A value before its kind is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RawValue<'s> {
    /// A token of the text form, quotes and escapes still in it.
    Token(&'s str),
    /// A flag's bare name in text form.
    Present,
    /// A JSON string.
    Text(Str<'s>),
    /// A JSON integer, `0..=u64::MAX`.
    Int(u64),
    /// A JSON boolean.
    Bool(bool),
    /// A JSON array as it stands; it is known to be right.
    Array(&'s str),
    /// Any other JSON value, by name.
    Other(&'static str),
    /// A value of a built trace.
    Owned(&'s OwnedValue),
}

/// One argument or expected field. Without a name it is positional.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawArg<'s> {
    pub(crate) name: Option<Str<'s>>,
    pub(crate) value: RawValue<'s>,
    pub(crate) span: Span,
}

impl<'s> RawArg<'s> {
    /// The value as one of `kind`: a flag's bare name is no value of its own.
    pub(crate) fn value_for(&self, kind: &ArgKind) -> RawValue<'s> {
        match (&self.name, kind) {
            (None, ArgKind::Flag) => RawValue::Present,
            _ => self.value,
        }
    }
}

/// When a step is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawTime {
    /// Nanoseconds from the start.
    Absolute(u64),
    /// Nanoseconds after the client's previous due time.
    Later(u64),
}

/// A step without its arguments and expected fields, which go to the assembler one by one.
#[derive(Debug, Default)]
pub(crate) struct RawStep<'s> {
    pub(crate) whole: Span,
    pub(crate) label: Option<At<Str<'s>>>,
    pub(crate) time: Option<At<RawTime>>,
    pub(crate) client: Option<At<Str<'s>>>,
    pub(crate) compounded: Option<Span>,
    pub(crate) verb: Option<At<Str<'s>>>,
    /// `LABEL[.milestone]`, not yet taken apart.
    pub(crate) after: SmallVec<[At<Str<'s>>; 2]>,
    pub(crate) within: Option<At<u64>>,
    /// Statuses, `*` or `?`; empty means the vocabulary's `ok`.
    pub(crate) statuses: SmallVec<[At<Str<'s>>; 2]>,
}

/// A `client` or `given` line.
#[derive(Debug)]
pub(crate) struct RawDeclaration<'s> {
    pub(crate) whole: Span,
    pub(crate) name: At<Str<'s>>,
    pub(crate) on: Option<At<Str<'s>>>,
    pub(crate) args: SmallVec<[RawArg<'s>; 8]>,
}
