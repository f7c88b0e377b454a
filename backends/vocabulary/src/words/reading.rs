//! How words are read as numbers and written for them, whatever the words are.

use bitflags::Flags;
use smb_wire::CtlCode;

/// A set of flags that are written as words joined by `|`, as joined letters, or as hexadecimal.
#[derive(Debug)]
pub struct FlagWords<F: 'static> {
    /// What one of them is, for messages: `access right`.
    pub(super) what: &'static str,
    /// Words and their bits, in canonical order. Two words may name the same bit; writing takes the first.
    pub(super) words: &'static [(&'static str, F)],
    /// Letters that may be joined without `|`, and what each stands for.
    pub(super) letters: &'static [(char, F)],
    /// Whether [`FlagWords::write`] uses the letters.
    pub(super) by_letter: bool,
}

impl<F: Flags<Bits = u32> + Copy> FlagWords<F> {
    /// The flags that `text` stands for. The error is a sentence fragment for the user.
    pub fn parse(&self, text: &str) -> Result<F, String> {
        if text == "none" {
            return Ok(F::empty());
        }
        text.split('|').try_fold(F::empty(), |flags, part| {
            Ok(flags.union(self.parse_part(part)?))
        })
    }

    fn parse_part(&self, part: &str) -> Result<F, String> {
        if let Some(number) = parse_hex(part)? {
            return Ok(F::from_bits_retain(number));
        }
        if let Some((_, flags)) = self.words.iter().find(|(word, _)| *word == part) {
            return Ok(*flags);
        }
        let letters = part.chars().try_fold(F::empty(), |flags, letter| {
            let known = self.letters.iter().find(|(known, _)| *known == letter);
            known.map(|(_, more)| flags.union(*more))
        });
        match letters {
            Some(flags) if !part.is_empty() => Ok(flags),
            _ => Err(format!(
                "`{part}` is no {}; one may write {}",
                self.what,
                self.known()
            )),
        }
    }

    /// What may be written, as a fragment for messages.
    fn known(&self) -> String {
        let mut known = String::new();
        if !self.letters.is_empty() {
            let letters: Vec<String> = self.letters.iter().map(|(c, _)| format!("`{c}`")).collect();
            known.push_str(&format!("letters of {}, ", letters.join(" ")));
        }
        if !self.words.is_empty() {
            known.push_str(&format!(
                "{} joined by `|`, ",
                quoted(self.words.iter().map(|(word, _)| *word))
            ));
        }
        known.push_str("`none`, or 0x hexadecimal");
        known
    }

    /// The canonical text: known words in the table's order, what is left over in hexadecimal, `none` for no flag.
    pub fn write(&self, flags: F) -> String {
        if flags.bits() == 0 {
            return "none".to_owned();
        }
        if self.by_letter {
            return self.write_letters(flags.bits());
        }
        let (mut left, mut parts) = (flags.bits(), Vec::new());
        for (word, flag) in self.words {
            if left & flag.bits() != 0 {
                parts.push((*word).to_owned());
                left &= !flag.bits();
            }
        }
        if left != 0 {
            parts.push(format!("{left:#x}"));
        }
        parts.join("|")
    }

    fn write_letters(&self, bits: u32) -> String {
        let known = self
            .letters
            .iter()
            .fold(0, |all, (_, flag)| all | flag.bits());
        if bits & !known != 0 {
            return format!("{bits:#x}");
        }
        let set = self
            .letters
            .iter()
            .filter(|(_, flag)| bits & flag.bits() != 0);
        set.map(|(letter, _)| *letter).collect()
    }

    /// The words and their bits, in canonical order.
    pub fn words(&self) -> &'static [(&'static str, F)] {
        self.words
    }

    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        self.parse(text).map(drop)
    }

    /// Accepts the canonical form only: what an expectation is compared with.
    pub(crate) fn check_canonical(&self, text: &str) -> Result<(), String> {
        canonical(text, &self.write(self.parse(text)?))
    }
}

/// A number of which a few values have names.
#[derive(Debug)]
pub struct ChoiceWords<T: 'static> {
    /// What it is, for messages: `create disposition`.
    pub(super) what: &'static str,
    /// Values and names, in the order of the specification.
    pub(super) words: &'static [(T, &'static str)],
    /// The value of a number that has no name; `None` when the field is too narrow for it.
    pub(super) from_number: fn(u32) -> Option<T>,
    /// The number of a value.
    pub(super) number: fn(T) -> u32,
}

impl<T: Copy + PartialEq> ChoiceWords<T> {
    /// The value that `text` stands for. The error is a sentence fragment for the user.
    pub fn parse(&self, text: &str) -> Result<T, String> {
        let number = parse_hex(text)?.and_then(self.from_number);
        let known = || {
            self.words
                .iter()
                .find(|(_, word)| *word == text)
                .map(|(value, _)| *value)
        };
        number.or_else(known).ok_or_else(|| {
            let words = quoted(self.words.iter().map(|(_, word)| *word));
            format!(
                "`{text}` is no {}; one may write {words} or 0x hexadecimal",
                self.what
            )
        })
    }

    /// The name of `value`, or its hexadecimal form.
    pub fn write(&self, value: T) -> String {
        let known = self.words.iter().find(|(known, _)| *known == value);
        known.map_or_else(
            || format!("{:#x}", (self.number)(value)),
            |(_, word)| (*word).to_owned(),
        )
    }

    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        self.parse(text).map(drop)
    }

    /// Accepts the canonical form only.
    pub(crate) fn check_canonical(&self, text: &str) -> Result<(), String> {
        canonical(text, &self.write(self.parse(text)?))
    }
}

/// A hexadecimal number of at most 32 bits.
pub(crate) fn parse_number(text: &str) -> Result<u32, String> {
    parse_hex(text)?.ok_or_else(|| format!("`{text}` is no 0x hexadecimal number"))
}

pub(crate) fn check_number(text: &str) -> Result<(), String> {
    parse_number(text).map(drop)
}

/// The control code that `text` names (MS-SMB2 2.2.31), or is in hexadecimal.
pub(crate) fn parse_ctl_code(text: &str) -> Result<CtlCode, String> {
    if let Some(number) = parse_hex(text)? {
        return Ok(CtlCode(number));
    }
    CtlCode::from_word(text).filter(|code| code.word() == Some(text)).ok_or_else(|| {
        format!("`{text}` is no control code; one may write a name without FSCTL_, as `set-sparse`, or 0x hexadecimal")
    })
}

pub(crate) fn check_ctl_code(text: &str) -> Result<(), String> {
    parse_ctl_code(text).map(drop)
}

/// Accepts `0x` hexadecimal in the form in which answers carry it: lower case, no leading zeros.
pub(crate) fn check_canonical_hex(text: &str) -> Result<(), String> {
    let value = text
        .strip_prefix("0x")
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let value = value.ok_or("must be 0x hexadecimal of at most 64 bits")?;
    canonical(text, &format!("{value:#x}"))
}

/// Whether a text is as answers write it.
pub(crate) fn canonical(text: &str, written: &str) -> Result<(), String> {
    match text == written {
        true => Ok(()),
        false => Err(format!("answers write this as `{written}`")),
    }
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `Some` for `0x…`; the error is for `0x` with something else than at most eight hexadecimal digits behind it.
fn parse_hex(text: &str) -> Result<Option<u32>, String> {
    let Some(digits) = text.strip_prefix("0x") else {
        return Ok(None);
    };
    u32::from_str_radix(digits, 16)
        .map(Some)
        .map_err(|_| format!("`{text}` is no hexadecimal number of at most 32 bits"))
}
