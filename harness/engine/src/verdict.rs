//! What a run comes to.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// What kind of thing differed from the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Another status than expected.
    Status,
    /// The status was right, a field of the answer was not.
    Field,
    /// The bytes of the answer were not those expected.
    Data,
    /// Milestones came in another order than a `check order` demands.
    Order,
    /// A break did not come, came unwanted, or said something else.
    Break,
    /// An answer came too late or not at all, or a time bound was missed or could not be judged.
    Time,
    /// The connection ended before the answer.
    Lost,
    /// The server broke the protocol.
    Violation,
    /// The expectation is still `?`.
    Unknown,
    /// A step could not be tried because of what happened to others.
    NotRun,
}

impl Kind {
    /// The word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Status => "status",
            Kind::Field => "field",
            Kind::Data => "data",
            Kind::Order => "order",
            Kind::Break => "break",
            Kind::Time => "time",
            Kind::Lost => "lost",
            Kind::Violation => "violation",
            Kind::Unknown => "unknown",
            Kind::NotRun => "not-run",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// Every step ran and everything was as the trace says.
    Passed,
    /// The server did something else.
    Failed {
        /// In which ways; never empty.
        kinds: BTreeSet<Kind>,
    },
    /// Not tried.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Failed, as a list of known failures says it does.
    KnownFailure {
        /// The list's reason.
        reason: String,
    },
    /// Passed although the list says that it fails. Counts as a failure, so that the list stays true.
    UnexpectedPass {
        /// The list's reason.
        reason: String,
    },
    /// The harness or the server went away; says nothing about the server's answers.
    Broken {
        /// What happened.
        reason: String,
    },
}

impl Verdict {
    /// The verdict for a case that a list of known failures names, with the list's reason. Skipped and broken runs
    /// stay what they are: they show neither that the failure is still there nor that it is gone.
    #[must_use]
    pub fn against_known(self, reason: &str) -> Verdict {
        let reason = reason.to_owned();
        match self {
            Verdict::Passed | Verdict::UnexpectedPass { .. } => Verdict::UnexpectedPass { reason },
            Verdict::Failed { .. } | Verdict::KnownFailure { .. } => {
                Verdict::KnownFailure { reason }
            }
            Verdict::Skipped { .. } | Verdict::Broken { .. } => self,
        }
    }

    /// True when a test run may be green with it: passed, skipped, or a known failure.
    pub fn is_green(&self) -> bool {
        matches!(
            self,
            Verdict::Passed | Verdict::Skipped { .. } | Verdict::KnownFailure { .. }
        )
    }

    /// The word for reports: `passed`, `failed`, `skipped`, `known failure`, `unexpected pass`, `broken`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed { .. } => "failed",
            Verdict::Skipped { .. } => "skipped",
            Verdict::KnownFailure { .. } => "known failure",
            Verdict::UnexpectedPass { .. } => "unexpected pass",
            Verdict::Broken { .. } => "broken",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Verdict::Passed => Ok(()),
            Verdict::Failed { kinds } => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
                write!(f, " ({})", kinds.join(", "))
            }
            Verdict::Skipped { reason }
            | Verdict::KnownFailure { reason }
            | Verdict::UnexpectedPass { reason }
            | Verdict::Broken { reason } => write!(f, ": {reason}"),
        }
    }
}
