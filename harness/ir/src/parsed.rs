//! From a raw value to one of the kind that an argument or field has.

use std::borrow::Cow;

use crate::answer::OwnedValue;
use crate::error::Problem;
use crate::jsonl::Scanner;
use crate::name::{excerpt, is_bare, is_name, is_plain_name, parse_int, unquote};
use crate::raw::RawValue;
use crate::store::{Interner, Symbols, Writer};
use crate::time::parse_duration;
use crate::vocabulary::ArgKind;

/// A value that fits its kind.
#[derive(Debug)]
pub(crate) enum Parsed<'s> {
    Int(u64),
    Duration(u64),
    Range(u64, u64),
    /// A word of a fixed set and its index there.
    Word(usize, &'static str),
    /// A handle, a label, a token.
    Bare(Cow<'s, str>),
    Text(Cow<'s, str>),
    Bytes(Cow<'s, [u8]>),
    Flag,
    /// A flag that is written as not set.
    Absent,
    List(Vec<Parsed<'s>>),
}

/// Why a value does not fit; the caller knows the argument's name.
pub(crate) enum Misfit {
    /// It is of another kind.
    Kind { expected: String, found: String },
    /// The vocabulary refuses the token.
    Token { found: String, reason: String },
    /// It has a form of its own that is broken.
    Form(Problem),
}

impl Misfit {
    pub(crate) fn problem(self, name: &str) -> Problem {
        match self {
            Misfit::Kind { expected, found } => Problem::WrongKind {
                name: name.to_owned(),
                expected,
                found,
            },
            Misfit::Token { found, reason } => Problem::Refused {
                name: name.to_owned(),
                found,
                reason,
            },
            Misfit::Form(problem) => problem,
        }
    }
}

impl From<Problem> for Misfit {
    fn from(problem: Problem) -> Self {
        Misfit::Form(problem)
    }
}

/// Reads `raw` as a value of `kind`.
pub(crate) fn parse<'s>(kind: &'static ArgKind, raw: RawValue<'s>) -> Result<Parsed<'s>, Misfit> {
    match raw {
        RawValue::Token(token) => from_token(kind, token),
        RawValue::Present => match kind {
            ArgKind::Flag => Ok(Parsed::Flag),
            _ => Err(misfit(kind, "nothing")),
        },
        RawValue::Owned(value) => from_owned(kind, value),
        json => from_json(kind, json),
    }
}

fn from_token<'s>(kind: &'static ArgKind, token: &'s str) -> Result<Parsed<'s>, Misfit> {
    match kind {
        ArgKind::Text if token.starts_with('"') => Ok(Parsed::Text(unquote(token)?)),
        ArgKind::Text => Err(misfit(
            kind,
            &format!("`{}`; put it in quotes", excerpt(token)),
        )),
        ArgKind::List(kind) => split_list(token)
            .map(|item| from_token(kind, item))
            .collect::<Result<_, _>>()
            .map(Parsed::List),
        ArgKind::Bytes => match token.strip_prefix("hex:") {
            Some(digits) => from_hex(kind, digits),
            None => Err(misfit(kind, &format!("`{}`", excerpt(token)))),
        },
        ArgKind::Flag => Err(misfit(kind, &format!("`{}`", excerpt(token)))),
        _ => from_bare(kind, Cow::Borrowed(token)),
    }
}

/// The parts of a list between commas; commas in quotes belong to the text.
fn split_list(token: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let empty = token.is_empty();
    token
        .split(move |letter: char| {
            match letter {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' => return !quoted,
                _ => {}
            }
            false
        })
        .filter(move |_| !empty)
}

/// Everything that has the same form in a bare token and in a JSON string.
fn from_bare<'s>(kind: &'static ArgKind, text: Cow<'s, str>) -> Result<Parsed<'s>, Misfit> {
    let wrong = || misfit(kind, &format!("`{}`", excerpt(&text)));
    match kind {
        ArgKind::NewHandle | ArgKind::Handle | ArgKind::EndHandle => {
            if is_name(&text) {
                Ok(Parsed::Bare(text))
            } else {
                Err(wrong())
            }
        }
        ArgKind::Label => {
            if is_plain_name(&text) {
                Ok(Parsed::Bare(text))
            } else {
                Err(wrong())
            }
        }
        ArgKind::Int => parse_int(&text).map(Parsed::Int).ok_or_else(wrong),
        ArgKind::Duration => parse_duration(&text)
            .map(Parsed::Duration)
            .ok_or_else(wrong),
        ArgKind::Range => {
            let ends = text
                .split_once("..")
                .and_then(|(a, b)| Some((parse_int(a)?, parse_int(b)?)));
            let (start, end) = ends.filter(|(start, end)| start <= end).ok_or_else(wrong)?;
            Ok(Parsed::Range(start, end))
        }
        ArgKind::Word(words) => match words.iter().position(|word| *word == text) {
            Some(index) => Ok(Parsed::Word(index, words[index])),
            None => Err(wrong()),
        },
        ArgKind::Token(accept) => {
            if !is_bare(&text) {
                return Err(misfit(kind, &format!("`{}`", excerpt(&text))));
            }
            match accept(&text) {
                Ok(()) => Ok(Parsed::Bare(text)),
                Err(reason) => Err(Misfit::Token {
                    found: excerpt(&text),
                    reason,
                }),
            }
        }
        ArgKind::Bytes => from_hex(kind, text.strip_prefix("hex:").unwrap_or(&text)),
        ArgKind::Text => Ok(Parsed::Text(text)),
        ArgKind::Flag | ArgKind::List(_) => Err(wrong()),
    }
}

fn from_json<'s>(kind: &'static ArgKind, raw: RawValue<'s>) -> Result<Parsed<'s>, Misfit> {
    match (kind, raw) {
        (ArgKind::Int, RawValue::Int(value)) => Ok(Parsed::Int(value)),
        (ArgKind::Duration, RawValue::Int(value)) => Ok(Parsed::Duration(value)),
        (ArgKind::Flag, RawValue::Bool(true)) => Ok(Parsed::Flag),
        (ArgKind::Flag, RawValue::Bool(false)) => Ok(Parsed::Absent),
        (ArgKind::Range, RawValue::Array(ends)) => match items(ends)[..] {
            [RawValue::Int(start), RawValue::Int(end)] if start <= end => {
                Ok(Parsed::Range(start, end))
            }
            _ => Err(misfit(kind, "this array")),
        },
        (ArgKind::List(kind), RawValue::Array(array)) => items(array)
            .into_iter()
            .map(|item| from_json(kind, item).and_then(|item| list_item(kind, item)))
            .collect::<Result<_, _>>()
            .map(Parsed::List),
        (_, RawValue::Text(text)) => from_bare(kind, text.get()),
        (_, RawValue::Int(value)) => Err(misfit(kind, &format!("the number {value}"))),
        (_, RawValue::Bool(value)) => Err(misfit(kind, &format!("`{value}`"))),
        (_, RawValue::Array(_)) => Err(misfit(kind, "an array")),
        (_, RawValue::Other(what)) => Err(misfit(kind, what)),
        (_, RawValue::Token(_) | RawValue::Present | RawValue::Owned(_)) => {
            Err(misfit(kind, "a value of another encoding"))
        }
    }
}

fn from_owned<'s>(kind: &'static ArgKind, value: &'s OwnedValue) -> Result<Parsed<'s>, Misfit> {
    match (kind, value) {
        (ArgKind::Int, OwnedValue::Int(value)) => Ok(Parsed::Int(*value)),
        (ArgKind::Duration, OwnedValue::Duration(value)) => Ok(Parsed::Duration(*value)),
        (ArgKind::Range, OwnedValue::Range { start, end }) if start <= end => {
            Ok(Parsed::Range(*start, *end))
        }
        (ArgKind::Flag, OwnedValue::Flag) => Ok(Parsed::Flag),
        (ArgKind::Bytes, OwnedValue::Bytes(bytes)) => Ok(Parsed::Bytes(Cow::Borrowed(bytes))),
        (ArgKind::List(kind), OwnedValue::List(items)) => items
            .iter()
            .map(|item| from_owned(kind, item).and_then(|item| list_item(kind, item)))
            .collect::<Result<_, _>>()
            .map(Parsed::List),
        (
            ArgKind::NewHandle
            | ArgKind::Handle
            | ArgKind::EndHandle
            | ArgKind::Label
            | ArgKind::Word(_)
            | ArgKind::Token(_)
            | ArgKind::Text,
            OwnedValue::Token(text) | OwnedValue::Text(text),
        ) => from_bare(kind, Cow::Borrowed(text)),
        (ArgKind::Word(_) | ArgKind::Token(_) | ArgKind::Text, OwnedValue::Word(word)) => {
            from_bare(kind, Cow::Borrowed(word))
        }
        _ => Err(misfit(kind, &format!("{value:?}"))),
    }
}

/// The items of an array that the scanner has read.
fn items(array: &str) -> Vec<RawValue<'_>> {
    let mut scanner = Scanner::new(array);
    let mut items = Vec::new();
    // The scanner has read it before, so it has no mistakes.
    let mut more = scanner.begin_array().unwrap_or(false);
    while more {
        items.extend(scanner.value());
        more = scanner.next_item().unwrap_or(false);
    }
    items
}

/// Refuses a bare item that the text form could not tell from two.
fn list_item<'s>(kind: &'static ArgKind, item: Parsed<'s>) -> Result<Parsed<'s>, Misfit> {
    match &item {
        Parsed::Bare(text) if text.contains(',') => {
            Err(misfit(kind, &format!("`{}`", excerpt(text))))
        }
        _ => Ok(item),
    }
}

fn from_hex<'s>(kind: &'static ArgKind, digits: &str) -> Result<Parsed<'s>, Misfit> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(*pair.get(1)?)?) as u8);
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    match bytes {
        Some(bytes) => Ok(Parsed::Bytes(Cow::Owned(bytes))),
        None => Err(misfit(kind, &format!("`{}`", excerpt(digits)))),
    }
}

fn misfit(kind: &'static ArgKind, found: &str) -> Misfit {
    Misfit::Kind {
        expected: describe(kind),
        found: found.to_owned(),
    }
}

/// What a kind takes, as a fragment: `one of a, b`, `a length of time such as 5ms`.
pub(crate) fn describe(kind: &ArgKind) -> String {
    match kind {
        ArgKind::NewHandle => "a name for a new handle".into(),
        ArgKind::Handle | ArgKind::EndHandle => "the name of a handle".into(),
        ArgKind::Label => "the label of a step".into(),
        ArgKind::Text => "text".into(),
        ArgKind::Int => "an integer of at most 64 bits".into(),
        ArgKind::Duration => "a length of time such as 5ms".into(),
        ArgKind::Range => "a range such as 0..16".into(),
        ArgKind::Flag => "no value".into(),
        ArgKind::Word(words) => format!("one of {}", words.join(", ")),
        ArgKind::Token(_) => "a word without blanks and quotes".into(),
        ArgKind::Bytes => "bytes such as hex:0a1b".into(),
        ArgKind::List(kind) => format!("a list, each {}", describe(kind)),
    }
}

impl Parsed<'_> {
    /// Appends it to `out` in the form of the store. `None` when the trace has too many strings.
    pub(crate) fn encode(
        &self,
        interner: &mut Interner,
        symbols: &mut Symbols,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match self {
            Parsed::Int(value) | Parsed::Duration(value) => out.varint(*value),
            Parsed::Range(start, end) => {
                out.varint(*start);
                out.varint(end - start);
            }
            Parsed::Word(index, _) => out.varint(*index as u64),
            Parsed::Bare(text) | Parsed::Text(text) => {
                out.varint(interner.intern(symbols, text)?.0.into());
            }
            Parsed::Bytes(bytes) => out.block(bytes),
            Parsed::Flag | Parsed::Absent => {}
            Parsed::List(items) => {
                out.varint(items.len() as u64);
                for item in items {
                    item.encode(interner, symbols, out)?;
                }
            }
        }
        Some(())
    }

    /// The owned form, for declarations.
    pub(crate) fn into_owned(self) -> OwnedValue {
        match self {
            Parsed::Int(value) => OwnedValue::Int(value),
            Parsed::Duration(value) => OwnedValue::Duration(value),
            Parsed::Range(start, end) => OwnedValue::Range { start, end },
            Parsed::Word(_, word) => OwnedValue::Word(word),
            Parsed::Bare(text) => OwnedValue::Token(text.into_owned()),
            Parsed::Text(text) => OwnedValue::Text(text.into_owned()),
            Parsed::Bytes(bytes) => OwnedValue::Bytes(bytes.into_owned().into()),
            Parsed::Flag | Parsed::Absent => OwnedValue::Flag,
            Parsed::List(items) => {
                OwnedValue::List(items.into_iter().map(Parsed::into_owned).collect())
            }
        }
    }
}
