//! Strings of JSON with their escapes.

use super::{Scanned, Scanner};
use crate::raw::Str;

impl<'s> Scanner<'s> {
    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Scanned<Str<'s>> {
        if self.peek() != Some(b'"') {
            self.expect(b'"')?;
        }
        self.at += 1;
        let start = self.at;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Str::plain(&self.text[start..self.at - 1]));
        }
        self.escaped_string(start)
    }

    /// Goes on to the next quote, backslash or control character.
    #[inline]
    fn skip_plain(&mut self) {
        let bytes = self.text.as_bytes();
        // Eight bytes at a time: most strings of a trace are not longer.
        while let Some(&eight) = bytes[self.at..].first_chunk::<8>() {
            let special = special_bytes(u64::from_le_bytes(eight));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        let rest = &bytes[self.at..];
        let special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    #[cold]
    fn escaped_string(&mut self, start: usize) -> Scanned<Str<'s>> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Str::escaped(&self.text[start..self.at - 1]));
                }
                Some(b'\\') => drop(self.escape()?),
                Some(_) => return self.malformed("a control character in a string; escape it"),
                None => return self.malformed_at(start - 1, "a string without its closing quote"),
            }
            self.skip_plain();
        }
    }

    fn escape(&mut self) -> Scanned<char> {
        let start = self.at;
        self.at += 2;
        let letter = match self.text.as_bytes().get(start + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => {
                self.at = start;
                return self.malformed("not an escape sequence");
            }
        };
        Ok(letter)
    }

    fn unicode_escape(&mut self, start: usize) -> Scanned<char> {
        let letter = match self.hex4() {
            Some(high @ 0xd800..=0xdbff) if self.text[self.at..].starts_with("\\u") => {
                self.at += 2;
                let low = self.hex4().filter(|low| (0xdc00..=0xdfff).contains(low));
                low.and_then(|low| {
                    char::from_u32(0x1_0000 + (high - 0xd800) * 0x400 + low - 0xdc00)
                })
            }
            unit => unit.and_then(char::from_u32),
        };
        match letter {
            Some(letter) => Ok(letter),
            None => self.malformed_at(
                start,
                "not a character: \\u takes four hex digits, surrogates in pairs",
            ),
        }
    }

    /// Reads four hexadecimal digits.
    fn hex4(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        let unit = digits.iter().try_fold(0, |unit, &digit| {
            Some(unit << 4 | char::from(digit).to_digit(16)?)
        })?;
        self.at += 4;
        Some(unit)
    }
}

/// Has the top bit of each byte set that is a quote, a backslash or a control character, up to the first such one;
/// what is above that means nothing.
#[inline]
pub(super) fn special_bytes(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const TOPS: u64 = ONES << 7;
    // The classic test for a zero byte: right for the lowest one, and false marks lie above it only.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(eight ^ (ONES * b'"' as u64));
    let backslash = zero(eight ^ (ONES * b'\\' as u64));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight;
    (quote | backslash | control) & TOPS
}

/// What the inside of a JSON string says. Only for one that a [`Scanner`] has read; of another it gives the part
/// before its first mistake.
pub(crate) fn unescape(raw: &str) -> String {
    let mut scanner = Scanner::new(raw);
    let mut text = String::with_capacity(raw.len());
    loop {
        let start = scanner.at;
        scanner.skip_plain();
        text.push_str(&raw[start..scanner.at]);
        match scanner.peek() {
            Some(b'\\') => match scanner.escape() {
                Ok(letter) => text.push(letter),
                Err(_) => return text,
            },
            _ => return text,
        }
    }
}
