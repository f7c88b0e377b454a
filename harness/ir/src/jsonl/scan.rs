//! A reader of JSON that borrows from the line and knows the place of every part.
//!
//! A general JSON library says at most where it stopped, so a wrong value in a valid line could not be shown with its
//! column; and it would build each value before the assembler takes it apart. What is accepted here is what `serde_json`
//! accepts (a property test holds the two together), except that a number must be an integer of at most 64 bits to be
//! a value of a trace.

mod strings;

use crate::error::{Problem, Span};
use crate::raw::{RawValue, Str};

use strings::special_bytes;
pub(crate) use strings::unescape;

/// Arrays and objects may lie in each other this deep.
const DEPTH: usize = 64;

/// A place in one line.
#[derive(Debug)]
pub(crate) struct Scanner<'s> {
    text: &'s str,
    at: usize,
}

/// Where and why a line is no JSON. Boxed, because results of this type are passed on at every step.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) Box<(Span, Problem)>);

type Scanned<T> = Result<T, Malformed>;

impl<'s> Scanner<'s> {
    pub(crate) fn new(text: &'s str) -> Self {
        Scanner { text, at: 0 }
    }

    /// Begins in the middle of a text.
    pub(crate) fn at(text: &'s str, at: usize) -> Self {
        Scanner { text, at }
    }

    /// The position of the next byte that is no blank.
    #[inline]
    pub(crate) fn start(&mut self) -> usize {
        while let Some(byte) = self.peek() {
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                break;
            }
            self.at += 1;
        }
        self.at
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn malformed<T>(&self, what: impl Into<String>) -> Scanned<T> {
        self.malformed_at(self.at, what)
    }

    #[cold]
    fn malformed_at<T>(&self, at: usize, what: impl Into<String>) -> Scanned<T> {
        let width = self.text[at.min(self.text.len())..]
            .chars()
            .next()
            .map_or(1, char::len_utf8);
        let span = Span::new(at, at + width);
        Err(Malformed(Box::new((span, Problem::Json(what.into())))))
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Scanned<()> {
        self.start();
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        self.unexpected(byte)
    }

    #[cold]
    fn unexpected(&self, byte: u8) -> Scanned<()> {
        let expected = char::from(byte);
        match self.text[self.at..].chars().next() {
            Some(found) => self.malformed(format!(
                "`{}` where `{expected}` should stand",
                found.escape_debug()
            )),
            None => self.malformed(format!("the line ends where `{expected}` should stand")),
        }
    }

    /// Nothing but blanks may follow.
    pub(crate) fn end(&mut self) -> Scanned<()> {
        self.start();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.malformed("something after the object's end"),
        }
    }

    /// Enters an object; true when it has a member, which must be read with [`Scanner::key`] and [`Scanner::value`].
    #[inline]
    pub(crate) fn begin_object(&mut self) -> Scanned<bool> {
        self.begin(b'{', b'}')
    }

    /// Goes on behind a member; true when another one follows, false when the object has ended.
    #[inline]
    pub(crate) fn next_member(&mut self) -> Scanned<bool> {
        self.next(b'}')
    }

    /// Enters an array; true when it has an item, which must be read.
    pub(crate) fn begin_array(&mut self) -> Scanned<bool> {
        self.begin(b'[', b']')
    }

    /// Goes on behind an item; true when another one follows, false when the array has ended.
    pub(crate) fn next_item(&mut self) -> Scanned<bool> {
        self.next(b']')
    }

    #[inline]
    fn begin(&mut self, open: u8, close: u8) -> Scanned<bool> {
        self.expect(open)?;
        self.start();
        let empty = self.peek() == Some(close);
        self.at += usize::from(empty);
        Ok(!empty)
    }

    #[inline]
    fn next(&mut self, close: u8) -> Scanned<bool> {
        self.start();
        if self.peek() == Some(b',') {
            self.at += 1;
            return Ok(true);
        }
        self.expect(close).map(|()| false)
    }

    /// Reads a key and the colon behind it.
    pub(crate) fn key(&mut self) -> Scanned<(Str<'s>, Span)> {
        let start = self.start();
        let key = self.string()?;
        let span = Span::new(start, self.at);
        self.expect(b':')?;
        Ok((key, span))
    }

    /// Takes a key and its colon if they stand here and are written exactly so, without blanks or escapes.
    #[inline]
    pub(crate) fn take_key(&mut self, name: &str) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let end = name.len() + 1;
        let taken = rest.len() > end + 1
            && rest[end + 1] == b':'
            && rest[end] == b'"'
            && rest[0] == b'"'
            && &rest[1..end] == name.as_bytes();
        if taken {
            self.at += end + 2;
        }
        taken
    }

    /// Takes an integer of at most 18 digits if one stands here and the object goes on or ends behind it.
    #[inline]
    pub(crate) fn take_int(&mut self) -> Option<u64> {
        const DIGITS: usize = 18;
        let rest = &self.text.as_bytes()[self.at..];
        let (mut count, mut value) = (0, 0_u64);
        loop {
            let byte = *rest.get(count)?;
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
                count += 1;
                continue;
            }
            let leading_zero = count > 1 && rest[0] == b'0';
            let whole = (byte == b',' || byte == b'}') && (1..=DIGITS).contains(&count);
            if !whole || leading_zero {
                return None;
            }
            self.at += count;
            return Some(value);
        }
    }

    /// Takes a string if one stands here that is short and has no escapes.
    #[inline]
    pub(crate) fn take_string(&mut self) -> Option<&'s str> {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.first() != Some(&b'"') {
            return None;
        }
        let mut end = 1;
        loop {
            let special = special_bytes(u64::from_le_bytes(*rest[end..].first_chunk()?));
            if special != 0 {
                end += special.trailing_zeros() as usize / 8;
                break;
            }
            end += 8;
        }
        if rest[end] != b'"' {
            return None;
        }
        let start = self.at + 1;
        self.at += end + 1;
        Some(&self.text[start..start + end - 1])
    }

    /// Reads any value. Objects, `null` and numbers that no trace can hold are read over.
    pub(crate) fn value(&mut self) -> Scanned<RawValue<'s>> {
        self.nested_value(DEPTH)
    }

    fn nested_value(&mut self, depth: usize) -> Scanned<RawValue<'s>> {
        self.start();
        match self.peek() {
            Some(b'"') => self.string().map(RawValue::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", RawValue::Bool(true)),
            Some(b'f') => self.word("false", RawValue::Bool(false)),
            Some(b'n') => self.word("null", RawValue::Other("null")),
            Some(b'[' | b'{') if depth == 0 => self.malformed("arrays or objects too deep"),
            Some(b'[') => {
                let start = self.at;
                let mut more = self.begin_array()?;
                while more {
                    self.nested_value(depth - 1)?;
                    more = self.next_item()?;
                }
                Ok(RawValue::Array(&self.text[start..self.at]))
            }
            Some(b'{') => {
                let mut more = self.begin_object()?;
                while more {
                    self.key()?;
                    self.nested_value(depth - 1)?;
                    more = self.next_member()?;
                }
                Ok(RawValue::Other("an object"))
            }
            Some(_) => self.malformed("a value should stand here"),
            None => self.malformed("the line ends where a value should stand"),
        }
    }

    fn word(&mut self, word: &str, value: RawValue<'s>) -> Scanned<RawValue<'s>> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        self.malformed("a value should stand here")
    }

    /// Reads a number. Nearly all are integers of few digits; those take the short way.
    #[inline]
    fn number(&mut self) -> Scanned<RawValue<'s>> {
        const DIGITS: usize = 19;
        let rest = &self.text.as_bytes()[self.at..];
        let (mut count, mut value) = (0, 0_u64);
        while let Some(digit) = rest.get(count).map(|byte| byte.wrapping_sub(b'0')) {
            if digit > 9 {
                break;
            }
            // Nineteen digits fit; the value is not used when there are more.
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            count += 1;
        }
        let more = matches!(rest.get(count), Some(b'.' | b'e' | b'E'));
        let leading_zero = count > 1 && rest[0] == b'0';
        if (1..=DIGITS).contains(&count) && !more && !leading_zero {
            self.at += count;
            return Ok(RawValue::Int(value));
        }
        self.any_number()
    }

    fn any_number(&mut self) -> Scanned<RawValue<'s>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let whole = start + usize::from(bytes[start] == b'-');
        let mut end = digits(whole);
        if end == whole || (bytes[whole] == b'0' && end > whole + 1) {
            return self.malformed("not a number");
        }
        let mut integer = whole == start;
        if bytes.get(end) == Some(&b'.') {
            let fraction = end + 1;
            end = digits(fraction);
            integer = false;
            if end == fraction {
                return self.malformed("not a number");
            }
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            end = digits(exponent);
            integer = false;
            if end == exponent {
                return self.malformed("not a number");
            }
        }
        self.at = end;
        if !integer {
            let negative = bytes[start] == b'-';
            return Ok(RawValue::Other(if negative {
                "a negative number"
            } else {
                "a fraction"
            }));
        }
        let value = bytes[start..end].iter().try_fold(0_u64, |value, &digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        Ok(value.map_or(
            RawValue::Other("a number of more than 64 bits"),
            RawValue::Int,
        ))
    }

    /// True when the next value is an array.
    pub(crate) fn is_array(&mut self) -> bool {
        self.start();
        self.peek() == Some(b'[')
    }

    /// True when the next value is an object.
    pub(crate) fn is_object(&mut self) -> bool {
        self.start();
        self.peek() == Some(b'{')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.value().and_then(|_| scanner.end()).is_ok()
    }

    fn string(text: &str) -> Option<String> {
        let mut scanner = Scanner::new(text);
        let string = scanner.string().ok()?.get().into_owned();
        scanner.end().ok().map(|()| string)
    }

    /// Whether `serde_json` takes it for JSON; `None` where it stops at a number that is too large for it, which
    /// is JSON nonetheless.
    fn serde_accepts(text: &str) -> Option<bool> {
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(_) => Some(true),
            Err(error) if error.to_string().contains("number out of range") => None,
            Err(_) => Some(false),
        }
    }

    /// Text that is nearly JSON.
    fn nearly_json() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\"a\"",
            "\"b\\n\"",
            "\\u00e4",
            "\\ud83d\\ude00",
            "\\ud800",
            "\\u0000",
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1.5",
            "01",
            "1e9",
            "1e",
            "18446744073709551616",
            " ",
            "\t",
            "ü",
            "\u{1}",
            "x",
        ]);
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn accepts_what_serde_json_accepts(text in nearly_json()) {
            if let Some(theirs) = serde_accepts(&text) {
                prop_assert_eq!(accepts(&text), theirs, "{}", text);
            }
        }

        #[test]
        fn valid_json_is_accepted(value in json()) {
            prop_assert!(accepts(&value.to_string()));
        }

        #[test]
        fn a_changed_byte_is_judged_alike(value in json(), at: prop::sample::Index, byte in 0_u8..0x80) {
            let mut bytes = value.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let Ok(text) = String::from_utf8(bytes) else {
                return Ok(());
            };
            if let Some(theirs) = serde_accepts(&text) {
                prop_assert_eq!(accepts(&text), theirs, "{}", text);
            }
        }

        #[test]
        fn strings_say_the_same(text in "\"(\\PC|\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-fD]{4}){0,8}\"") {
            prop_assert_eq!(string(&text), serde_json::from_str::<String>(&text).ok(), "{}", text);
        }

        #[test]
        fn integers_say_the_same(value: u64) {
            let text = value.to_string();
            let scanned = Scanner::new(&text).value();
            prop_assert!(matches!(scanned, Ok(RawValue::Int(found)) if found == value));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(!accepts(&deep));
        assert!(accepts(&format!("{}{}", "[".repeat(64), "]".repeat(64))));
    }
}
