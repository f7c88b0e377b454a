//! One line of a trace after its form is understood and before its words are: what all encodings hand to the
//! assembler, borrowed from the line, each part with its place.

use std::borrow::Cow;

use crate::answer::OwnedValue;
use crate::error::Span;
use crate::vocabulary::ArgKind;

/// Something with its place in the line.
#[derive(Debug, Clone, Default)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A value before its kind is known.
#[derive(Debug, Clone, Default)]
pub(crate) enum RawValue<'s> {
    /// A token of the text form, quotes and escapes still in it.
    Token(&'s str),
    /// A flag's bare name in text form.
    #[default]
    Present,
    /// A JSON string, escapes resolved.
    Text(Cow<'s, str>),
    /// A JSON integer, `0..=u64::MAX`.
    Int(u64),
    /// A JSON boolean.
    Bool(bool),
    /// A JSON array.
    Array(Vec<RawValue<'s>>),
    /// Any other JSON value, by name.
    Other(&'static str),
    /// A value of a built trace.
    Owned(&'s OwnedValue),
}

/// One argument or expected field. Without a name it is positional.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawArg<'s> {
    pub(crate) name: Option<Cow<'s, str>>,
    pub(crate) value: RawValue<'s>,
    pub(crate) span: Span,
}

impl<'s> RawArg<'s> {
    /// The value as one of `kind`: a flag's bare name is no value of its own.
    pub(crate) fn value_for(&self, kind: &ArgKind) -> RawValue<'s> {
        match (&self.name, kind) {
            (None, ArgKind::Flag) => RawValue::Present,
            _ => self.value.clone(),
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

/// A step. Its vectors are reused from line to line.
#[derive(Debug, Default)]
pub(crate) struct RawStep<'s> {
    pub(crate) whole: Span,
    pub(crate) label: Option<At<Cow<'s, str>>>,
    pub(crate) time: Option<At<RawTime>>,
    pub(crate) client: Option<At<Cow<'s, str>>>,
    pub(crate) compounded: Option<Span>,
    pub(crate) verb: Option<At<Cow<'s, str>>>,
    pub(crate) args: Vec<RawArg<'s>>,
    /// `LABEL[.milestone]`, not yet taken apart.
    pub(crate) after: Vec<At<Cow<'s, str>>>,
    pub(crate) within: Option<At<u64>>,
    /// Statuses, `*` or `?`; empty means the vocabulary's `ok`.
    pub(crate) statuses: Vec<At<Cow<'s, str>>>,
    pub(crate) fields: Vec<RawArg<'s>>,
}

impl RawStep<'_> {
    /// An empty step with the same buffers, for a line that lives at another time.
    pub(crate) fn recycle<'b>(self) -> RawStep<'b> {
        // Collecting a vector's own iterator into the same type keeps its allocation.
        fn args<'b>(mut args: Vec<RawArg<'_>>) -> Vec<RawArg<'b>> {
            args.clear();
            args.into_iter().map(|_| RawArg::default()).collect()
        }
        fn words<'b>(mut words: Vec<At<Cow<'_, str>>>) -> Vec<At<Cow<'b, str>>> {
            words.clear();
            words.into_iter().map(|_| At::default()).collect()
        }
        RawStep {
            args: args(self.args),
            after: words(self.after),
            statuses: words(self.statuses),
            fields: args(self.fields),
            ..RawStep::default()
        }
    }
}

/// A `client` or `given` line.
#[derive(Debug)]
pub(crate) struct RawDeclaration<'s> {
    pub(crate) whole: Span,
    pub(crate) name: At<Cow<'s, str>>,
    pub(crate) on: Option<At<Cow<'s, str>>>,
    pub(crate) args: Vec<RawArg<'s>>,
}
