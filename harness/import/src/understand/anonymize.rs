//! Replaces names by others of the same shape, under a secret key.
//!
//! A name's letters and digits are replaced, each by one of the same alphabet; everything else of it stays, and so do its
//! length, its depth, whether it is an 8.3 name, and a short extension. Names that differ in case alone still do. Two
//! different names never get the same replacement: the replacement is a permutation of all names of a shape. It is made
//! like a block cipher in rounds: each character is moved by a number that depends on the key and on all the others.

use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Rounds; four make a strong permutation of a Feistel network.
const ROUNDS: u8 = 4;

/// The longest extension that stays, in characters.
const EXTENSION: usize = 4;

/// Names that mean something to a server or a client.
const RESERVED: [&str; 16] = [
    ".",
    "..",
    "con",
    "prn",
    "aux",
    "nul",
    "clock$",
    "$extend",
    "$quota",
    "$data",
    "$mft",
    "zone.identifier",
    "afp_afpinfo",
    "afp_resource",
    "desktop.ini",
    "thumbs.db",
];

/// Alphabets, by their first and last character.
const ALPHABETS: [(char, char); 13] = [
    ('a', 'z'),
    ('0', '9'),
    ('\u{df}', '\u{ff}'),
    ('\u{100}', '\u{17f}'),
    ('\u{3ac}', '\u{3ce}'),
    ('\u{430}', '\u{45f}'),
    ('\u{5d0}', '\u{5ea}'),
    ('\u{621}', '\u{64a}'),
    ('\u{904}', '\u{939}'),
    ('\u{e01}', '\u{e2e}'),
    ('\u{3041}', '\u{30fa}'),
    ('\u{4e00}', '\u{9fa5}'),
    ('\u{ac00}', '\u{d7a3}'),
];

static LETTERS: LazyLock<Vec<Vec<char>>> = LazyLock::new(|| {
    let alphabet = |&(first, last): &(char, char)| {
        // Where letters have capitals, only those count that have one: a name keeps its case.
        let has_capitals = (first..=last).any(|char| upper(char) != char);
        (first..=last)
            .filter(|&char| char.is_alphanumeric() && lower(char) == (char, false))
            .filter(|&char| lower(upper(char)).0 == char)
            .filter(|&char| !has_capitals || upper(char) != char)
            .collect()
    };
    ALPHABETS.iter().map(alphabet).collect()
});

/// The secret under which names are replaced. The same key gives the same replacements.
#[derive(Clone, PartialEq, Eq)]
pub struct NameKey([u8; 32]);

impl std::fmt::Debug for NameKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameKey(..)")
    }
}

impl NameKey {
    /// A key that nobody knows.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> std::io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        Ok(Self(key))
    }

    /// The key of a secret of any length, for instance the content of a file.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// A number from 1000 on for the last of these, which depends on all of them.
    pub(super) fn number(&self, parts: &[u32]) -> u32 {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(b"number");
        parts
            .iter()
            .for_each(|part| hash.update(part.to_le_bytes()));
        let digest: [u8; 32] = hash.finalize().into();
        let number = digest
            .first_chunk()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes));
        number % (u32::MAX - 1000) + 1000
    }

    /// Another name of the same shape for a part of a path.
    pub(super) fn replace(&self, name: &str) -> String {
        let (stem, extension) = split(name);
        if is_reserved(name) || is_reserved(stem) {
            return name.to_owned();
        }
        let chars: Vec<(char, bool)> = stem.chars().map(lower).collect();
        let mut letters: Vec<(usize, usize, usize)> = Vec::new();
        for (place, (char, _)) in chars.iter().enumerate() {
            for (alphabet, all) in LETTERS.iter().enumerate() {
                if let Ok(number) = all.binary_search(char) {
                    letters.push((place, alphabet, number));
                }
            }
        }
        if letters.is_empty() {
            return name.to_owned();
        }
        loop {
            self.permute(&chars, &mut letters);
            let mut replaced = chars.clone();
            for &(place, alphabet, number) in &letters {
                replaced[place].0 = LETTERS[alphabet][number];
            }
            let text: String = replaced
                .iter()
                .map(|&(char, was_upper)| if was_upper { upper(char) } else { char })
                .collect();
            // Again, until it is none that means something: still no two names give the same.
            if !is_reserved(&text) && !is_reserved(&format!("{text}{extension}")) {
                return format!("{text}{extension}");
            }
        }
    }

    fn permute(&self, shape: &[(char, bool)], letters: &mut [(usize, usize, usize)]) {
        for round in 0..ROUNDS {
            for index in 0..letters.len() {
                let mut hash = Sha256::new();
                hash.update(self.0);
                hash.update([round]);
                hash.update((index as u64).to_le_bytes());
                hash.update((shape.len() as u64).to_le_bytes());
                for (other, &(place, alphabet, number)) in letters.iter().enumerate() {
                    let number = if other == index { usize::MAX } else { number };
                    hash.update((place as u64).to_le_bytes());
                    hash.update((alphabet as u64).to_le_bytes());
                    hash.update((number as u64).to_le_bytes());
                }
                let digest: [u8; 32] = hash.finalize().into();
                let moved = digest
                    .first_chunk()
                    .map_or(0, |bytes| u64::from_le_bytes(*bytes));
                let (_, alphabet, number) = &mut letters[index];
                let size = LETTERS[*alphabet].len() as u64;
                *number = ((*number as u64 + moved % size) % size) as usize;
            }
        }
    }
}

/// A name without its extension, and the extension with its dot.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 => {
            let extension = &name[dot + 1..];
            let short = (1..=EXTENSION).contains(&extension.len());
            match short && extension.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                true => name.split_at(dot),
                false => (name, ""),
            }
        }
        _ => (name, ""),
    }
}

fn is_reserved(name: &str) -> bool {
    let name = name.to_lowercase();
    let device = |prefix: &str| {
        let number = name.strip_prefix(prefix);
        number.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit())
    };
    RESERVED.contains(&name.as_str()) || device("com") || device("lpt")
}

/// The small letter, and whether it was a capital one.
fn lower(char: char) -> (char, bool) {
    let mut small = char.to_lowercase();
    match (small.next(), small.next()) {
        (Some(small), None) if small != char && upper(small) == char => (small, true),
        _ => (char, false),
    }
}

fn upper(char: char) -> char {
    let mut large = char.to_uppercase();
    match (large.next(), large.next()) {
        (Some(large), None) => large,
        _ => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn key() -> NameKey {
        NameKey::of(b"a test")
    }

    #[test]
    fn no_two_names_get_the_same_replacement() {
        for length in 1..=3_u32 {
            let all = 26_u32.pow(length);
            let names = (0..all).map(|mut number| {
                let mut name = String::new();
                for _ in 0..length {
                    name.push(char::from(b'a' + (number % 26) as u8));
                    number /= 26;
                }
                name
            });
            let replaced: HashSet<String> = names.map(|name| key().replace(&name)).collect();
            assert_eq!(replaced.len(), all as usize);
        }
    }

    #[test]
    fn names_that_mean_something_stay() {
        for name in [
            ".",
            "..",
            "CON",
            "nul.txt",
            "Com1",
            "$Extend",
            "Zone.Identifier",
            "--",
            "",
        ] {
            assert_eq!(key().replace(name), name);
        }
        assert_ne!(key().replace("common"), "common");
    }

    #[test]
    fn another_key_gives_other_names() {
        assert_ne!(
            key().replace("quarterly report"),
            NameKey::of(b"x").replace("quarterly report")
        );
        assert_eq!(format!("{:?}", key()), "NameKey(..)");
    }

    proptest! {
        #[test]
        fn the_shape_stays(name in "[A-Za-z0-9äÖßдЖ漢字かé ~_.-]{1,20}") {
            let replaced = key().replace(&name);
            prop_assert_eq!(&replaced, &key().replace(&name));
            prop_assert_eq!(replaced.encode_utf16().count(), name.encode_utf16().count());
            prop_assert_eq!(replaced.to_lowercase(), key().replace(&name.to_lowercase()).to_lowercase());
            for (before, after) in name.chars().zip(replaced.chars()) {
                prop_assert_eq!(before.is_ascii_punctuation(), after.is_ascii_punctuation());
                prop_assert_eq!(before.is_ascii_digit(), after.is_ascii_digit());
                prop_assert_eq!(before.is_uppercase(), after.is_uppercase());
            }
            let (_, extension) = split(&name);
            prop_assert!(replaced.ends_with(extension));
        }
    }
}
