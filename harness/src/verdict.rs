//! How a case ended.

use std::fmt;

/// What a case's function returns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// The server answered otherwise than expected; the text says how, for a person to read.
    Failed(String),
    /// The case cannot run here; the text says why.
    Skipped(String),
    /// The server or the harness went away. Never counted against the server's answers.
    Broken(String),
}

impl Verdict {
    /// The word that reports use.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::Skipped(_) => "skipped",
            Verdict::Broken(_) => "broken",
        }
    }

    /// The text of everything but `Passed`.
    pub fn text(&self) -> Option<&str> {
        match self {
            Verdict::Passed => None,
            Verdict::Failed(text) | Verdict::Skipped(text) | Verdict::Broken(text) => Some(text),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            None => formatter.write_str(self.word()),
            Some(text) => write!(formatter, "{}: {text}", self.word()),
        }
    }
}

/// What the function of a suite or of a `#[replay]` may return.
pub trait IntoVerdict {
    /// The verdict that it stands for.
    fn into_verdict(self) -> Verdict;
}

impl IntoVerdict for Verdict {
    fn into_verdict(self) -> Verdict {
        self
    }
}

/// A function that asserts for itself and panics when it is not satisfied.
impl IntoVerdict for () {
    fn into_verdict(self) -> Verdict {
        Verdict::Passed
    }
}

/// A function that uses `?`; an error is a failure.
impl<V: IntoVerdict, E: fmt::Display> IntoVerdict for Result<V, E> {
    fn into_verdict(self) -> Verdict {
        match self {
            Ok(value) => value.into_verdict(),
            Err(error) => Verdict::Failed(error.to_string()),
        }
    }
}

/// A verdict in the light of the known failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The verdict stands.
    As(Verdict),
    /// It failed, as is known; the reason from the list, and the failure's text.
    KnownFailure { reason: String, text: String },
    /// It is in the list and passed.
    UnexpectedPass { reason: String },
}

impl Judged {
    /// Puts a verdict and the entry of the list for its case together.
    pub(crate) fn new(verdict: Verdict, known: Option<&crate::known::Entry>) -> Self {
        let Some(entry) = known else {
            return Judged::As(verdict);
        };
        let reason = entry.reason.clone();
        match (verdict, entry.shows.as_deref()) {
            (Verdict::Passed, _) => Judged::UnexpectedPass { reason },
            (Verdict::Failed(text), Some(shows)) if !text.contains(shows) => {
                Judged::As(Verdict::Failed(format!(
                    "{text}\nThis case is a known failure ({reason}), but it failed in another way: \
                     nothing above shows `{shows}`.\n"
                )))
            }
            (Verdict::Failed(text), _) => Judged::KnownFailure { reason, text },
            (other, _) => Judged::As(other),
        }
    }

    /// The word that reports use.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Judged::As(verdict) => verdict.word(),
            Judged::KnownFailure { .. } => "known-failure",
            Judged::UnexpectedPass { .. } => "unexpected-pass",
        }
    }

    /// What a report says beside the word.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Judged::As(verdict) => verdict.text(),
            Judged::KnownFailure { reason, .. } | Judged::UnexpectedPass { reason } => Some(reason),
        }
    }
}
