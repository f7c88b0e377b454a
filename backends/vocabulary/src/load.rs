//! Loads a trace with this vocabulary and everything that is checked beyond the table.

use std::fmt;
use std::path::Path;

use replay_ir::{LoadErrors, Trace};

use crate::{Problem, VOCABULARY, check_trace};

/// Why a trace cannot be used. `Display` is the whole text for a person: every mistake with file, line and the line
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadTrace {
    /// It does not load.
    Load(LoadErrors),
    /// It loads, but means something that cannot be.
    Meaning {
        /// The file as it was named.
        name: String,
        /// Each problem with the line as it stands in the source, where that is at hand.
        problems: Vec<(Problem, Option<String>)>,
    },
}

/// Loads a trace file, of any encoding, and checks all of it.
///
/// # Errors
/// All mistakes at once. What [`check_trace`] finds is told only of a trace that loads.
pub fn load(path: impl AsRef<Path>) -> Result<Trace, BadTrace> {
    let trace = replay_ir::load(path, &VOCABULARY).map_err(BadTrace::Load)?;
    let problems = check_trace(&trace);
    if problems.is_empty() {
        return Ok(trace);
    }
    let with_line = |problem: Problem| {
        let line = trace.source_line(problem.line).map(str::to_owned);
        (problem, line)
    };
    let problems = problems.into_iter().map(with_line).collect();
    Err(BadTrace::Meaning {
        name: trace.name().to_owned(),
        problems,
    })
}

impl std::error::Error for BadTrace {}

impl fmt::Display for BadTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, problems) = match self {
            BadTrace::Load(errors) => return errors.fmt(f),
            BadTrace::Meaning { name, problems } => (name, problems),
        };
        let shown = problems.iter().take(LoadErrors::SHOWN);
        for (index, (problem, line)) in shown.enumerate() {
            let separator = if index > 0 { "\n\n" } else { "" };
            write!(
                f,
                "{separator}error: {}\n --> {name}:{}",
                problem.message, problem.line
            )?;
            if let Some(line) = line {
                let gutter = " ".repeat(problem.line.to_string().len());
                write!(f, "\n{gutter} |\n{} | {line}", problem.line)?;
            }
        }
        if problems.len() > LoadErrors::SHOWN {
            write!(
                f,
                "\n\nand {} more errors in {name}",
                problems.len() - LoadErrors::SHOWN
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_cannot_say_is_shown_with_its_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.ir");
        let write = |text: &str| std::fs::write(&path, text).expect("written");
        write("ir 1\nclient A user=alice\ngiven file \"f\" data=\"x\" fill=1\nA echo\n");
        let error = load(&path).expect_err("refused").to_string();
        assert!(error.contains("x.ir:3\n  |\n3 | given file"), "{error}");
        write("ir 1\nclient A user=alice\nA ecko\n");
        let error = load(&path).expect_err("refused").to_string();
        assert!(error.contains("ecko"), "{error}");
        write("ir 1\nclient A user=alice\nA echo\n");
        assert_eq!(load(&path).expect("a trace").len(), 1);
    }
}
