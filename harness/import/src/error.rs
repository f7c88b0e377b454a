//! What can be wrong with a file that is imported, and where.

use replay_ir::LoadErrors;
use std::fmt;
use std::io;

/// Why a file did not become a trace.
#[derive(Debug, thiserror::Error)]
pub enum ImportErrors {
    /// It could not be read.
    #[error("{name}: {error}")]
    Read {
        /// What the file is called.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// Lines are malformed: the first of them, and how many there are in all.
    #[error("{}", show(.errors, *.total))]
    Lines {
        /// The first [`ImportErrors::KEPT`], in the order of the file.
        errors: Vec<LineError>,
        /// How many there are.
        total: u64,
    },
    /// A capture that no trace can be made of.
    #[error("{name}: {reason}")]
    Capture {
        /// What the file is called.
        name: String,
        /// Why, and what would help.
        reason: String,
    },
    /// What the lines say makes no trace.
    #[error(transparent)]
    Trace(#[from] LoadErrors),
}

impl ImportErrors {
    /// How many errors are kept.
    pub const KEPT: usize = 50;
}

/// One malformed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// What the file is called.
    pub name: String,
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: LineProblem,
    /// The line as it is, cut after 200 characters.
    pub text: String,
}

/// What is wrong with a line. A lower-case fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// A command that no load file has.
    #[error("unknown command `{0}`; known are {known}", known = crate::dbench::COMMANDS.join(", "))]
    UnknownCommand(String),
    /// Too few or too many words.
    #[error("`{command}` takes {expected}")]
    Arguments {
        /// The command.
        command: &'static str,
        /// Its arguments.
        expected: &'static str,
    },
    /// A word that should be a number.
    #[error("`{0}` is no number")]
    Number(String),
    /// A status that MS-ERREF does not list.
    #[error(
        "`{0}` is no status; one may write NT_STATUS_ and a name of MS-ERREF, 0x hexadecimal, or `*`"
    )]
    Status(String),
    /// A text without its second quote.
    #[error("the text has no closing quote")]
    OpenQuote,
    /// A handle that is not open.
    #[error("handle {0} is not open: no line before this one opens it")]
    NotOpen(u64),
    /// A handle that is open already.
    #[error("handle {handle} is still open since line {line}")]
    StillOpen {
        /// The handle.
        handle: u64,
        /// The line that opened it.
        line: u64,
    },
    /// A time before that of an earlier line.
    #[error("the time goes backwards")]
    Backwards,
    /// Bytes that are no text.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// A path that cannot be below a trace's root.
    #[error("{0}")]
    Path(String),
    /// A line of unreasonable length.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let margin = self.line.to_string().len();
        writeln!(f, "error: {}", self.problem)?;
        writeln!(
            f,
            "{:margin$}--> {}:{}:{}",
            "", self.name, self.line, self.column
        )?;
        writeln!(f, "{:margin$} |", "")?;
        writeln!(f, "{} | {}", self.line, self.text)?;
        writeln!(f, "{:margin$} | {:>width$}", "", "^", width = self.column)
    }
}

fn show(errors: &[LineError], total: u64) -> String {
    let mut text: String = errors.iter().map(|error| format!("{error}\n")).collect();
    text.push_str(&format!("{total} malformed lines"));
    text
}
