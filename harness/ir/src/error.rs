//! What can be wrong with a trace, and where.
//!
//! Loading collects every mistake; [`LoadErrors`] holds them in the order of the file. How they look on a terminal is
//! in the `render` module.

use std::fmt;

/// One thing that is wrong with a trace. The text is a lower-case fragment; [`Problem::help`] adds a way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant's text is its documentation")]
pub enum Problem {
    // The file.
    #[error("the trace cannot be read: {0}")]
    Unreadable(String),
    #[error("the zstd stream is damaged: {0}")]
    Damaged(String),
    #[error("the line is longer than {limit} bytes")]
    LineTooLong { limit: usize },
    #[error("the trace is larger than {limit} {unit}")]
    TooLarge { limit: u64, unit: &'static str },
    #[error("the line is not UTF-8")]
    NotUtf8,
    #[error("the trace does not begin with its version")]
    NoVersion { json: bool },
    #[error("version {0} of the trace format is not known here")]
    UnknownVersion(String),

    // The form of a line.
    #[error("{0}")]
    Json(String),
    #[error("the text has no closing quote")]
    OpenQuote,
    #[error("`{0}` is not an escape sequence")]
    UnknownEscape(String),
    #[error("{found} where {expected} should stand")]
    Expected { expected: String, found: String },
    #[error("`{0}` is not a name")]
    NotAName(String),
    #[error("`{0}` starts other lines and cannot be a client")]
    ReservedName(String),

    // Declarations.
    #[error("a second `{0}` line")]
    SecondHeader(&'static str),
    #[error("`{0}` stands after the first step")]
    TooLate(&'static str),
    #[error("unknown mode `{0}`")]
    UnknownMode(String),
    #[error("unknown {what} `{name}`")]
    Unknown {
        what: &'static str,
        name: String,
        like: Option<String>,
    },
    #[error("a second {what} `{name}`; the first is on line {line}")]
    Second {
        what: &'static str,
        name: String,
        line: u32,
    },
    #[error("client `{0}` has no identity")]
    NoIdentity(String),
    #[error("`{0}` and `{1}` exclude each other")]
    Exclusive(&'static str, &'static str),
    #[error("`on={on}` shares that client's connection and session, so `{arg}` has no effect")]
    NoEffect { on: String, arg: &'static str },
    #[error("client `{on}` itself shares the connection of `{root}`")]
    OnALane { on: String, root: String },

    // Arguments and fields.
    #[error("`{owner}` has no {what} `{name}`")]
    UnknownIn {
        owner: String,
        what: &'static str,
        name: String,
        like: Option<String>,
    },
    #[error("`{owner}` takes no further argument by position")]
    TooManyPositional { owner: String },
    #[error("{what} `{name}` is given twice")]
    Twice { what: &'static str, name: String },
    #[error("`{owner}` needs {}", .args.join(", "))]
    Missing { owner: String, args: Vec<String> },
    #[error("`{name}` takes {expected}, not {found}")]
    WrongKind {
        name: String,
        expected: String,
        found: String,
    },
    #[error("`{name}` cannot be `{found}`: {reason}")]
    Refused {
        name: String,
        found: String,
        reason: String,
    },

    // Expectations.
    #[error("unknown status `{name}`")]
    UnknownStatus { name: String, like: Option<String> },
    #[error("`{0}` stands alone")]
    NotAlone(&'static str),

    // Handles.
    #[error("handle `{0}` is not open: nothing opens it before this step")]
    NotOpened(String),
    #[error("handle `{name}` is not open: line {line} closes it")]
    Closed { name: String, line: u32 },
    #[error("handle `{name}` is not open: the step on line {line} does not expect to open it")]
    NeverOpens { name: String, line: u32 },
    #[error("handle `{name}` is still open since line {line}")]
    StillOpen { name: String, line: u32 },

    // Order.
    #[error("unknown label `{name}`")]
    UnknownLabel { name: String, like: Option<String> },
    #[error("there is no step {0}")]
    UnknownStep(u64),
    #[error("steps wait for each other in a circle: {}", .steps.join(" -> "))]
    Circle { steps: Vec<String> },
    #[error("`{step}.pending` never happens: the step on line {line} does not expect `{pending}`")]
    NeverPending {
        step: String,
        line: u32,
        pending: String,
    },
    #[error("`{step}.break` never happens: the step on line {line} opens no handle")]
    NeverBreaks { step: String, line: u32 },
    #[error("`{step}` is not awaited: the step on line {line} does not expect `{pending}` alone")]
    NotPending {
        step: String,
        line: u32,
        pending: String,
    },
    #[error("`{step}` stands on line {line}, after the step that awaits it")]
    AwaitedTooEarly { step: String, line: u32 },
    #[error("`{step}` belongs to client `{client}`, which has another connection")]
    AwaitedElsewhere { step: String, client: String },
    #[error("`{step}` is already awaited on line {line}")]
    AwaitedTwice { step: String, line: u32 },
    #[error(
        "time goes backwards: client `{client}` has a step at {previous} before this one at {at}"
    )]
    Backwards {
        client: String,
        previous: String,
        at: String,
    },
    #[error("the time passes 2^64 nanoseconds")]
    TimeOverflow,
    #[error("`+` joins a step to its client's previous one, and `{0}` has none")]
    NothingToJoin(String),
    #[error("`+` joins operations only, and `{0}` is none")]
    NotJoinable(String),
    #[error("a step with `+` goes out with the one before it and has no time of its own")]
    JoinedTime,

    // Modes and checks.
    #[error("{what} needs mode 2")]
    NeedsBreaks { what: String },
    #[error("`{quantile}` says nothing about {have} steps: it needs at least {need}")]
    TooFewSamples {
        quantile: String,
        need: u64,
        have: u64,
    },
    #[error("no times are recorded for `{0}`")]
    NotTimed(String),
}

impl Problem {
    /// A stable short name of the kind, for machines: `unknown-verb`, `circle`.
    pub fn code(&self) -> String {
        if let Problem::Unknown { what, .. } | Problem::UnknownIn { what, .. } = self {
            return format!("unknown-{}", what.replace(' ', "-"));
        }
        let debug = format!("{self:?}");
        let name = debug.split([' ', '(', '{']).next().unwrap_or_default();
        let mut code = String::with_capacity(name.len() + 4);
        for (index, letter) in name.char_indices() {
            if letter.is_ascii_uppercase() && index > 0 {
                code.push('-');
            }
            code.push(letter.to_ascii_lowercase());
        }
        code
    }

    /// A way out, as a fragment.
    pub fn help(&self) -> Option<String> {
        let like =
            |like: &Option<String>| like.as_ref().map(|like| format!("did you mean `{like}`?"));
        let text = match self {
            Problem::Unknown { like: found, .. }
            | Problem::UnknownIn { like: found, .. }
            | Problem::UnknownLabel { like: found, .. } => return like(found),
            Problem::UnknownStatus { like: found, .. } => {
                return like(found).or_else(|| {
                    Some("write the name of a status, `OK`, or 0x and hex digits".into())
                });
            }
            Problem::NoVersion { json: false } => "write `ir 1` as the first line",
            Problem::NoVersion { json: true } => "write `{\"ir\":1}` as the first line",
            Problem::UnknownVersion(_) => {
                "this program reads version 1; a newer one may read this trace"
            }
            Problem::UnknownEscape(_) => {
                "there are \\\" \\\\ \\n \\r \\t \\0 and \\u{...}; write paths with `/`"
            }
            Problem::NotAName(_) => {
                "a name begins with a letter or `_`; letters, digits, `_` and `-` follow"
            }
            Problem::TooLate(_) => "move it above the first step",
            Problem::UnknownMode(_) => "modes are 0 (file operations), 1 (exact), 2 (breaks)",
            Problem::NoIdentity(_) => "add `user=NAME`, `anonymous`, or `on=CLIENT`",
            Problem::NoEffect { .. } => "leave it away, or give the client a connection of its own",
            Problem::OnALane { root, .. } => return Some(format!("write `on={root}`")),
            Problem::NotOpened(_) => {
                "open it with a step of the same connection that comes first in the file"
            }
            Problem::Closed { .. } => "use it before it is closed, or open it again",
            Problem::NeverOpens { .. } => "let that step expect `OK`, or use another handle",
            Problem::StillOpen { .. } => "close it first, or choose another name",
            Problem::Circle { .. } => {
                "take one `after` away, or change the order of a client's steps"
            }
            Problem::NeverPending { pending, .. } | Problem::NotPending { pending, .. } => {
                return Some(format!(
                    "write `-> {pending}` there if an interim answer must come"
                ));
            }
            Problem::AwaitedTooEarly { .. } => "await a step that comes earlier in the file",
            Problem::AwaitedElsewhere { .. } => "await it with that client or one that is `on` it",
            Problem::Backwards { .. } => "steps of a client stand in the order of their times",
            Problem::NeedsBreaks { .. } => "write `mode 2` at the top",
            Problem::TooFewSamples { .. } => "bound a lower percentile or `max`, or add steps",
            Problem::LineTooLong { .. } => "keep large data in a blob next to the trace",
            _ => return None,
        };
        Some(text.into())
    }
}

/// A problem with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The line, from 1; 0 when the problem is the file itself. In a trace that was built, the number of the item.
    pub line: u32,
    /// The column of the first character, from 1, in characters; 0 when it is the line or the file itself.
    pub column: u32,
    /// How many characters it spans; 0 as for `column`.
    pub width: u32,
    /// What is wrong.
    pub problem: Problem,
    /// The line as it stands in the source, or the part of a very long one around the column; empty without a line.
    pub source: String,
    /// How many characters of the line were left away before `source`.
    pub skipped: u32,
}

impl LoadError {
    /// Of a very long line so many characters are kept around the column.
    const WINDOW: usize = 400;

    fn new(place: Place, problem: Problem, text: &str) -> Self {
        let mut error = LoadError {
            line: place.line,
            column: 0,
            width: 0,
            problem,
            source: String::new(),
            skipped: 0,
        };
        // A span may end in the middle of a character when the line was not UTF-8.
        let start = text.floor_char_boundary(place.span.start as usize);
        let end = text.ceil_char_boundary(place.span.end as usize).max(start);
        let before = text[..start].chars().count();
        if place.span.end > place.span.start {
            error.column = u32::try_from(before + 1).unwrap_or(u32::MAX);
            error.width =
                u32::try_from(text[start..end].chars().count().max(1)).unwrap_or(u32::MAX);
        }
        let skipped = if before < Self::WINDOW / 2 {
            0
        } else {
            before - Self::WINDOW / 4
        };
        error.source = text.chars().skip(skipped).take(Self::WINDOW).collect();
        error.skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
        error
    }
}

/// Everything that is wrong with one trace, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadErrors {
    pub(crate) name: String,
    pub(crate) errors: Vec<LoadError>,
    pub(crate) total: usize,
}

impl LoadErrors {
    /// At most so many errors are kept; [`LoadErrors::total`] counts all.
    pub const KEPT: usize = 1000;
    /// At most so many errors are written by `Display`, with the number of the others.
    pub const SHOWN: usize = 100;

    /// The file's path as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The errors, in the order of the file; the first [`LoadErrors::KEPT`] of them.
    pub fn errors(&self) -> &[LoadError] {
        &self.errors
    }

    /// How many there are in all.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl std::error::Error for LoadErrors {}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().take(Self::SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            f.write_str(&crate::render::error(&self.name, error))?;
        }
        let shown = self.errors.len().min(Self::SHOWN);
        if self.total > shown {
            write!(
                f,
                "\n\nand {} more errors in {}",
                self.total - shown,
                self.name
            )?;
        }
        Ok(())
    }
}

/// Bytes of a line: where a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let narrow = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Span {
            start: narrow(start),
            end: narrow(end),
        }
    }
}

/// A line and bytes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) span: Span,
}

/// Collects problems; the text of their lines is looked up when all are known.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) found: Vec<(Place, Problem)>,
    pub(crate) total: usize,
}

impl Sink {
    /// Notes a problem. `problem` is not called for one that will not be kept.
    pub(crate) fn push(&mut self, place: Place, problem: impl FnOnce() -> Problem) {
        self.total += 1;
        if self.found.len() < LoadErrors::KEPT {
            self.found.push((place, problem()));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The errors in the order of the file, with the text of their lines from `line_text`.
    pub(crate) fn into_errors(
        mut self,
        name: String,
        line_text: impl Fn(u32) -> Option<String>,
    ) -> LoadErrors {
        self.found
            .sort_by_key(|(place, _)| (place.line, place.span.start));
        let locate = |(place, problem): (Place, Problem)| {
            let text = line_text(place.line).unwrap_or_default();
            LoadError::new(place, problem, &text)
        };
        let errors = self.found.into_iter().map(locate).collect();
        LoadErrors {
            name,
            errors,
            total: self.total,
        }
    }
}
