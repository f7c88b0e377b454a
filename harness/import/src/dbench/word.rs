//! The words of a load file's line, and what one of them says: a time, a number, a path, a status.

use crate::error::LineProblem;
use replay_ir::parse_int;
use smb_vocabulary::paths;
use smb_wire::ntstatus;

/// What is wrong with a line, and in which column it is, in characters from 1.
pub(super) type Located = (usize, LineProblem);

/// A word with its column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'s> {
    pub(super) text: &'s str,
    pub(super) column: usize,
}

impl Word<'_> {
    /// A decimal or `0x` hexadecimal number in the range of `T`.
    pub(super) fn number<T: TryFrom<u64>>(self) -> Result<T, Located> {
        let number = parse_int(self.text).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| (self.column, LineProblem::Number(self.text.to_owned())))
    }

    /// A path in the form of a trace.
    pub(super) fn path(self) -> Result<String, Located> {
        let path = self.text.trim_start_matches(['\\', '/']).replace('\\', "/");
        match paths::check(&path) {
            Ok(()) => Ok(path),
            Err(error) => Err((self.column, LineProblem::Path(error.to_string()))),
        }
    }
}

/// The status that came back; `None` for one that does not matter (`*`).
pub(super) fn status(word: &Word<'_>) -> Result<Option<u32>, Located> {
    if word.text == "*" {
        return Ok(None);
    }
    let number = match word.text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => match word.text.strip_prefix("NT_STATUS_") {
            Some("OK") => Some(ntstatus::SUCCESS),
            Some(name) => ntstatus::by_name(name),
            None => None,
        },
    };
    number
        .map(Some)
        .ok_or_else(|| (word.column, LineProblem::Status(word.text.to_owned())))
}

/// Seconds with a fraction, as nanoseconds; `None` for a word that is no time.
pub(super) fn time(word: &str) -> Option<u64> {
    let (seconds, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || fraction.len() > 9 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let nanoseconds: u64 = format!("{fraction:0<9}").parse().ok()?;
    seconds
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000_000)?
        .checked_add(nanoseconds)
}

/// The words of a line; one in quotes may hold blanks.
pub(super) fn words(text: &str) -> Result<Vec<Word<'_>>, Located> {
    let mut words = Vec::with_capacity(7);
    let (mut rest, mut column) = (text, 1);
    loop {
        let trimmed = rest.trim_start();
        column += rest[..rest.len() - trimmed.len()].chars().count();
        if trimmed.is_empty() {
            return Ok(words);
        }
        let (word, quoted, after) = match trimmed.strip_prefix('"') {
            Some(inside) => {
                let end = inside.find('"').ok_or((column, LineProblem::OpenQuote))?;
                (&inside[..end], 2, &inside[end + 1..])
            }
            None => {
                let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
                (&trimmed[..end], 0, &trimmed[end..])
            }
        };
        words.push(Word { text: word, column });
        column += word.chars().count() + quoted;
        rest = after;
    }
}
