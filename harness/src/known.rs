//! Known failures: a file of patterns over case names, each with a reason.
//!
//! ```toml
//! [[known]]
//! case = "oplock::*::smb_rs::*"        # `*` also crosses `::`; `-` and `.` stand for `_`
//! reason = "the smb crate asks for no oplocks"
//! shows = "OK oplock=batch"            # optional: a text that the failure's output must hold
//! ```
//!
//! A known failure that passes is a failure, and so is one that fails in another way than it
//! `shows`.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use serde::Deserialize;

use crate::naming;

/// The file, checked.
#[derive(Debug, Default)]
pub(crate) struct KnownFailures {
    entries: Vec<Entry>,
}

/// One `[[known]]` table.
#[derive(Debug)]
pub(crate) struct Entry {
    pattern: Pattern,
    /// Why it is not repaired.
    pub(crate) reason: String,
    /// What its output must hold.
    pub(crate) shows: Option<String>,
}

/// Why a file of known failures cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KnownError {
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: {message}", path.display())]
    Parse { path: PathBuf, message: String },
    #[error("{}: case = \"{case}\": {message}", path.display())]
    Entry {
        path: PathBuf,
        case: String,
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    case: String,
    reason: String,
    shows: Option<String>,
}

impl KnownFailures {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Result<Self, KnownError> {
        let text = std::fs::read_to_string(path).map_err(|source| KnownError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KnownError> {
        let path = || path.to_owned();
        let file: File = toml::from_str(text).map_err(|error| KnownError::Parse {
            path: path(),
            message: error.to_string(),
        })?;
        let entries = file.known.into_iter().map(|raw| {
            let wrong = |message: &str| KnownError::Entry {
                path: path(),
                case: raw.case.clone(),
                message: message.to_owned(),
            };
            if raw.reason.trim().is_empty() {
                return Err(wrong("a reason is needed"));
            }
            let pattern = Pattern::new(&naming::as_written(&raw.case))
                .map_err(|error| wrong(&format!("not a pattern: {}", error.msg)))?;
            Ok(Entry {
                pattern,
                reason: raw.reason,
                shows: raw.shows,
            })
        });
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    /// The first entry for this case.
    pub(crate) fn of(&self, case: &str) -> Option<&Entry> {
        let options = MatchOptions {
            require_literal_separator: false,
            ..MatchOptions::new()
        };
        self.entries
            .iter()
            .find(|entry| entry.pattern.matches_with(case, options))
    }

    /// The patterns that match none of these cases: left over from a renamed or repaired case.
    pub(crate) fn unused<'a>(&self, cases: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
        let is_used = |entry: &&Entry| cases.clone().any(|case| entry.pattern.matches(case));
        let unused = self.entries.iter().filter(|entry| !is_used(entry));
        unused
            .map(|entry| entry.pattern.as_str().to_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy as _;

    use super::*;

    fn parse(text: &str) -> Result<KnownFailures, KnownError> {
        KnownFailures::parse(Path::new("known.toml"), text)
    }

    #[test]
    fn a_pattern_is_written_as_people_write_names() {
        let known =
            parse("[[known]]\ncase = \"oplock::*::smb-rs::samba-4.17\"\nreason = \"no oplocks\"\n")
                .expect("valid");
        let entry = known
            .of("oplock::batch::smb_rs::samba_4_17")
            .expect("matches");
        assert_eq!(entry.reason, "no oplocks");
        assert!(known.of("oplock::batch::native::samba_4_17").is_none());
        assert_eq!(known.unused(["x::native::s"].into_iter()).len(), 1);
        assert!(
            known
                .unused(["oplock::a::b::smb_rs::samba_4_17"].into_iter())
                .is_empty()
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let message = |text| parse(text).expect_err("refused").to_string();
        assert!(
            message("[[known]]\ncase = \"x\"\nreason = \" \"\n").contains("a reason is needed")
        );
        assert!(message("[[known]]\ncase = \"x\"\n").contains("reason"));
        assert!(message("[[known]]\ncase = \"[\"\nreason = \"r\"\n").contains("not a pattern"));
        assert!(message("[[knwon]]\ncase = \"x\"\nreason = \"r\"\n").contains("knwon"));
    }

    proptest::proptest! {
        /// Whatever stands in the file, it is read or refused with its name, and what is read can be asked.
        #[test]
        fn no_text_is_too_strange(text in proptest::collection::vec(proptest::prop_oneof![
            4 => proptest::sample::select(&[
                "[[known]]\n", "case = \"", "a::*", "[", "]", "?", "\\u0000", "\"\n", "reason = \"r\"\n", "shows = '", "'\n",
                "[known]\n", "known = 1\n", "{", "=",
            ][..]).prop_map(str::to_owned),
            1 => proptest::prelude::any::<String>(),
        ], 0..30)) {
            match parse(&text.concat()) {
                Ok(known) => {
                    known.of("a::b::native::samba_4_17");
                    let unused = known.unused(["a::b::native::samba_4_17"].into_iter());
                    proptest::prop_assert!(unused.len() <= known.entries.len());
                }
                Err(error) => proptest::prop_assert!(error.to_string().starts_with("known.toml: ")),
            }
        }
    }
}
