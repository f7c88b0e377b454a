//! What may be a name, a bare token, a quoted text.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::Problem;

/// A client or a label: a letter or `_`, then letters, digits, `_`, `-`.
pub(crate) fn is_plain_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = text.bytes();
    bytes.next().is_some_and(letter)
        && bytes.all(|byte| letter(byte) || byte.is_ascii_digit() || byte == b'-')
}

/// A handle: a plain name in which dots may stand too.
pub(crate) fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = text.bytes();
    bytes.next().is_some_and(letter)
        && bytes.all(|byte| letter(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// What the text form can carry without quotes.
pub(crate) fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text != "->"
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '#'))
}

/// Text in quotes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            // Separators and direction marks would make a line look like another one.
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What a token in quotes says. The token must begin with a quote.
pub(crate) fn unquote(token: &str) -> Result<Cow<'_, str>, Problem> {
    let body = token.strip_prefix('"').unwrap_or(token);
    let Some(stop) = memchr::memchr2(b'"', b'\\', body.as_bytes()) else {
        return Err(Problem::OpenQuote);
    };
    if body.as_bytes()[stop] == b'"' {
        return match &body[stop + 1..] {
            "" => Ok(Cow::Borrowed(&body[..stop])),
            rest => Err(after_quote(rest)),
        };
    }
    let mut out = String::with_capacity(body.len());
    let mut letters = body.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '"' => {
                return match &body[index + 1..] {
                    "" => Ok(Cow::Owned(out)),
                    rest => Err(after_quote(rest)),
                };
            }
            '\\' => out.push(escape(&body[index..], &mut letters)?),
            c => out.push(c),
        }
    }
    Err(Problem::OpenQuote)
}

fn after_quote(rest: &str) -> Problem {
    Problem::Expected {
        expected: "a blank after the closing quote".into(),
        found: format!("`{}`", excerpt(rest)),
    }
}

fn escape(from: &str, letters: &mut std::str::CharIndices<'_>) -> Result<char, Problem> {
    let unknown = |length: usize| Problem::UnknownEscape(from.chars().take(length).collect());
    Ok(match letters.next().map(|(_, letter)| letter) {
        Some('"') => '"',
        Some('\\') => '\\',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('0') => '\0',
        Some('u') => {
            let digits = from[2..]
                .strip_prefix('{')
                .and_then(|rest| Some(rest.split_once('}')?.0));
            let digits = digits.filter(|digits| {
                (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
            });
            let digits = digits.ok_or_else(|| unknown(3))?;
            let code = u32::from_str_radix(digits, 16).map_err(|_| unknown(digits.len() + 4))?;
            letters.nth(digits.len() + 1);
            char::from_u32(code).ok_or_else(|| unknown(digits.len() + 4))?
        }
        Some(_) => return Err(unknown(2)),
        None => return Err(unknown(1)),
    })
}

/// At most 40 characters of something for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// Decimal, or hexadecimal after `0x`; `0..=u64::MAX`.
pub fn parse_int(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // `from_str_radix` would take a sign.
    if digits.starts_with('+') {
        None
    } else {
        u64::from_str_radix(digits, radix).ok()
    }
}

/// The candidate that is nearest to `name`, if one is near enough to be meant.
pub(crate) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    // How far each candidate is; names of one or two letters are never meant by others.
    let distance = |candidate: &str| {
        let candidate = candidate.to_ascii_lowercase();
        let (short, long) = (
            candidate.len().min(name.len()),
            candidate.len().max(name.len()),
        );
        let begins = candidate.starts_with(&name) || name.starts_with(&candidate);
        let distance = match begins {
            true => 1,
            false => strsim::damerau_levenshtein(&name, &candidate),
        };
        (short >= 3 && distance <= long.div_ceil(4)).then_some(distance)
    };
    candidates
        .filter(|candidate| candidate.len() <= LONGEST)
        .filter_map(|candidate| Some((distance(candidate)?, candidate)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes() {
        let text = "a\"b\\c\nd\re\tf\0g\u{7}h\u{202e}ü";
        assert_eq!(quote(text), r#""a\"b\\c\nd\re\tf\0g\u{7}h\u{202e}ü""#);
        assert_eq!(unquote(&quote(text)), Ok(Cow::Borrowed(text)));
        assert_eq!(unquote(r#""\u{1F600}x""#).as_deref(), Ok("😀x"));
    }

    #[test]
    fn what_is_no_text() {
        assert_eq!(unquote("\"abc"), Err(Problem::OpenQuote));
        assert_eq!(unquote(r#""abc\""#), Err(Problem::OpenQuote));
        for (token, escape) in [
            (r#""\q""#, "\\q"),
            (r#""\u{d800}""#, "\\u{d800}"),
            (r#""\u12""#, "\\u1"),
            (r#""\u{}""#, "\\u{"),
            ("\"\\", "\\"),
        ] {
            assert_eq!(
                unquote(token),
                Err(Problem::UnknownEscape(escape.into())),
                "{token}"
            );
        }
        assert!(matches!(unquote("\"a\"b"), Err(Problem::Expected { .. })));
    }

    #[test]
    fn nearest_is_near() {
        let words = ["create", "close", "write"];
        assert_eq!(
            nearest("creat", words.into_iter()).as_deref(),
            Some("create")
        );
        assert_eq!(
            nearest("WRITE", words.into_iter()).as_deref(),
            Some("write")
        );
        assert_eq!(nearest("frobnicate", words.into_iter()), None);
    }
}
