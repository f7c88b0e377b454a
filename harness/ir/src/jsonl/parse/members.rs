//! Members of a line that have one kind of value each, and what is said of others.

use super::{Line, Read, Strings};
use crate::error::{Problem, Span};
use crate::jsonl::keys::{Key, Kind, NAMES};
use crate::jsonl::scan::{Malformed, Scanner};
use crate::name::excerpt;
use crate::parsed::{Parsed, parse};
use crate::raw::{At, RawArg, RawValue, Str};
use crate::vocabulary::ArgKind;

impl<'s> Line<'_, 's> {
    pub(super) fn has(&self, key: Key) -> bool {
        self.keys & key.bit() != 0
    }

    /// A scanner at the value of a key that was read over.
    pub(super) fn later(&self, key: Key) -> Option<Scanner<'s>> {
        let &(_, at) = self.later.iter().find(|(known, _)| *known == key)?;
        Some(Scanner::at(self.text, at))
    }

    pub(super) fn later_string(&mut self, key: Key) -> Read<Option<At<Str<'s>>>> {
        match self.later(key) {
            Some(mut scanner) => self.string(&mut scanner, key.name()),
            None => Ok(None),
        }
    }

    pub(super) fn string(
        &mut self,
        scanner: &mut Scanner<'s>,
        name: &str,
    ) -> Read<Option<At<Str<'s>>>> {
        let At { value, span } = placed(scanner)?;
        match value {
            RawValue::Text(value) => Ok(Some(At::new(value, span))),
            other => {
                self.wrong(span, name, "a string", &other);
                Ok(None)
            }
        }
    }

    pub(super) fn strings(&mut self, scanner: &mut Scanner<'s>, name: &str) -> Read<Strings<'s>> {
        let mut strings = Strings::new();
        if !scanner.is_array() {
            let At { value, span } = placed(scanner)?;
            self.wrong(span, name, "an array of strings", &value);
            return Ok(strings);
        }
        let mut more = scanner.begin_array()?;
        while more {
            strings.extend(self.string(scanner, name)?);
            more = scanner.next_item()?;
        }
        Ok(strings)
    }

    /// A time: an integer of nanoseconds, or a string as in text form.
    pub(super) fn duration(
        &mut self,
        scanner: &mut Scanner<'s>,
        key: Key,
    ) -> Read<Option<At<u64>>> {
        let At { value, span } = placed(scanner)?;
        if let RawValue::Int(value) = value {
            return Ok(Some(At::new(value, span)));
        }
        match parse(&ArgKind::Duration, value) {
            Ok(Parsed::Duration(value)) => Ok(Some(At::new(value, span))),
            Ok(_) => Ok(None),
            Err(misfit) => {
                self.error(span, || misfit.problem(key.name()));
                Ok(None)
            }
        }
    }

    pub(super) fn compound(&mut self, scanner: &mut Scanner<'s>, start: usize) -> Read<()> {
        let value = placed(scanner)?;
        match value.value {
            RawValue::Bool(true) => {
                self.raw.compounded = Some(Span::new(start, scanner.position()));
            }
            RawValue::Bool(false) => {}
            other => self.wrong(value.span, "compound", "true or false", &other),
        }
        Ok(())
    }

    pub(super) fn error(&mut self, span: Span, problem: impl FnOnce() -> Problem) {
        self.assembler.error(self.number, span, problem);
    }

    pub(super) fn wrong(&mut self, span: Span, name: &str, expected: &str, found: &RawValue<'_>) {
        let found = match found {
            RawValue::Int(value) => format!("the number {value}"),
            RawValue::Text(text) => format!("`{}`", excerpt(&text.get())),
            other => shown(other),
        };
        self.error(span, || Problem::WrongKind {
            name: name.to_owned(),
            expected: expected.to_owned(),
            found,
        });
    }

    pub(super) fn not_an_object(&mut self, scanner: &mut Scanner<'s>, key: Key) -> Read<()> {
        let At { value, span } = placed(scanner)?;
        self.wrong(span, key.name(), "an object", &value);
        Ok(())
    }

    /// Reports the keys that lines of this kind do not have; true when there are some.
    pub(super) fn wrong_keys(&mut self, kind: &Kind) -> bool {
        let wrong = self.keys & !kind.allowed();
        if wrong == 0 {
            return false;
        }
        for (_, name) in NAMES.iter().filter(|(key, _)| wrong & key.bit() != 0) {
            self.error(key_span(self.text, name), || Problem::UnknownIn {
                owner: format!("{} line", kind.name),
                what: "key",
                name: (*name).to_owned(),
                like: None,
            });
        }
        true
    }
}

/// Reads a key and its value.
pub(super) fn any_argument<'s>(scanner: &mut Scanner<'s>) -> Read<RawArg<'s>> {
    let start = scanner.start();
    let (name, _) = scanner.key()?;
    argument(scanner, name, start)
}

/// Reads the value of a key that begins at `start`.
pub(super) fn argument<'s>(
    scanner: &mut Scanner<'s>,
    name: Str<'s>,
    start: usize,
) -> Read<RawArg<'s>> {
    let value = short_value(scanner)?;
    let span = Span::new(start, scanner.position());
    let name = Some(name);
    Ok(RawArg { name, value, span })
}

/// Reads any value; nearly all of a step are short strings and integers.
#[inline]
pub(super) fn short_value<'s>(scanner: &mut Scanner<'s>) -> Read<RawValue<'s>> {
    if let Some(value) = scanner.take_int() {
        return Ok(RawValue::Int(value));
    }
    match scanner.take_string() {
        Some(text) => Ok(RawValue::Text(Str::plain(text))),
        None => scanner.value(),
    }
}

/// A value with its place.
#[inline]
pub(super) fn placed<'s>(scanner: &mut Scanner<'s>) -> Read<At<RawValue<'s>>> {
    let start = scanner.start();
    let value = short_value(scanner)?;
    Ok(At::new(value, Span::new(start, scanner.position())))
}

pub(super) fn shown(value: &RawValue<'_>) -> String {
    match value {
        RawValue::Int(value) => value.to_string(),
        RawValue::Text(text) => excerpt(&text.get()),
        RawValue::Bool(value) => value.to_string(),
        RawValue::Array(_) => "an array".into(),
        RawValue::Other(what) => (*what).into(),
        _ => String::new(),
    }
}

/// Where a key of the outermost object stands.
fn key_span(text: &str, wanted: &str) -> Span {
    let mut scanner = Scanner::new(text);
    let mut find = || {
        let mut more = scanner.begin_object()?;
        while more {
            let (key, span) = scanner.key()?;
            if key.is(wanted) {
                return Ok(span);
            }
            scanner.value()?;
            more = scanner.next_member()?;
        }
        Ok(Span::default())
    };
    find().unwrap_or_else(|_: Malformed| Span::default())
}
