//! Load files of dbench and of smbtorture's `bench.nbench`: one SMB1 operation a line, with the status that the server
//! gave.
//!
//! `word` and `line` read a line, `tree` follows which files exist and which handles are open, `steps` says what an operation is
//! in SMB2. How each one is mapped, and where SMB2 must answer otherwise than SMB1 did, is in `docs/dbench.md`.

mod line;
mod steps;
mod tree;
mod word;

use crate::error::{ImportErrors, LineError, LineProblem};
use crate::report::ImportReport;
use line::Line;
use replay_ir::{OwnedValue, Trace, TraceBuilder};
use smb_vocabulary::VOCABULARY;
use std::io::{BufRead, Read, Seek, SeekFrom};
use steps::Steps;
use tree::{Initial, Tree};

pub(crate) use line::COMMANDS;

/// The longest line in bytes; real ones have less than 300.
const LONGEST_LINE: usize = 64 * 1024;

/// How a load file becomes a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbenchOptions {
    /// The identity that the one client logs in as.
    pub user: String,
    /// Only so many operations, from the first.
    pub limit: Option<u64>,
    /// Expect of a listing as many entries as the file says, and not only its status.
    pub counts: bool,
}

impl Default for DbenchOptions {
    fn default() -> Self {
        Self {
            user: "alice".to_owned(),
            limit: None,
            counts: true,
        }
    }
}

/// Turns a load file into a trace of one client that expects every recorded status. `name` is what the trace and
/// errors call it.
///
/// The file is read twice: once for what must exist before the first operation, once for the steps. It is never in
/// memory as a whole.
///
/// # Errors
/// All malformed lines at once, each with its place; or the file cannot be read.
pub fn import_dbench(
    mut reader: impl BufRead + Seek,
    name: &str,
    options: &DbenchOptions,
) -> Result<(Trace, ImportReport), ImportErrors> {
    let initial = survey(&mut reader, name, options)?;
    reader
        .seek(SeekFrom::Start(0))
        .map_err(|error| unreadable(name, error))?;

    let mut trace = TraceBuilder::new(&VOCABULARY, name);
    trace.title("operations of a dbench load file");
    let user = OwnedValue::Text(options.user.clone());
    trace.client(steps::CLIENT, &[("user".into(), user)]);
    let mut tree = Tree::default();
    for (path, item) in &initial.items {
        given(&mut trace, path, item);
        tree.seed(path, item);
    }
    let mut steps = Steps::new(trace, tree, options.counts);
    steps.report.givens = initial.items.len() as u64;
    for_each_line(&mut reader, name, options.limit, |line| steps.line(line))?;
    let (trace, report) = steps.finish();
    Ok((trace.build()?, report))
}

/// The first reading: every mistake, and what the operations find that none of them makes.
fn survey(
    reader: &mut impl BufRead,
    name: &str,
    options: &DbenchOptions,
) -> Result<Initial, ImportErrors> {
    let mut tree = Tree::default();
    for_each_line(reader, name, options.limit, |line| tree.apply(line))?;
    Ok(tree.into_initial())
}

fn given(trace: &mut TraceBuilder, path: &str, item: &tree::InitialItem) {
    let path = ("path".into(), OwnedValue::Text(path.to_owned()));
    match item.directory {
        true => trace.given("dir", &[path]),
        false => trace.given("file", &[path, ("size".into(), OwnedValue::Int(item.size))]),
    };
}

fn unreadable(name: &str, error: std::io::Error) -> ImportErrors {
    ImportErrors::Read {
        name: name.to_owned(),
        error,
    }
}

/// Calls `each` for every operation, and goes on after errors to find the others.
fn for_each_line(
    reader: &mut impl BufRead,
    name: &str,
    limit: Option<u64>,
    mut each: impl FnMut(&Line<'_>) -> Result<(), LineProblem>,
) -> Result<(), ImportErrors> {
    let mut errors = Vec::new();
    let (mut total, mut operations, mut number) = (0, 0, 0);
    let mut bytes = Vec::new();
    while limit.is_none_or(|limit| operations < limit) {
        bytes.clear();
        let longest = LONGEST_LINE as u64 + 1;
        let read = reader.by_ref().take(longest).read_until(b'\n', &mut bytes);
        if read.map_err(|error| unreadable(name, error))? == 0 {
            break;
        }
        number += 1;
        let outcome = if bytes.len() > LONGEST_LINE {
            reader
                .skip_until(b'\n')
                .map_err(|error| unreadable(name, error))?;
            Err((1, LineProblem::TooLong(LONGEST_LINE)))
        } else {
            operation(&bytes, number, &mut each)
        };
        match outcome {
            Ok(done) => operations += u64::from(done),
            Err((column, problem)) => {
                total += 1;
                if errors.len() < ImportErrors::KEPT {
                    let text = String::from_utf8_lossy(&bytes)
                        .trim_end()
                        .chars()
                        .take(200)
                        .collect();
                    errors.push(LineError {
                        name: name.to_owned(),
                        line: number,
                        column,
                        problem,
                        text,
                    });
                }
            }
        }
    }
    match total {
        0 => Ok(()),
        _ => Err(ImportErrors::Lines { errors, total }),
    }
}

/// One line: true if it holds an operation, false for an empty one and a comment.
fn operation(
    bytes: &[u8],
    number: u64,
    each: &mut impl FnMut(&Line<'_>) -> Result<(), LineProblem>,
) -> Result<bool, (usize, LineProblem)> {
    let text = std::str::from_utf8(bytes).map_err(|_| (1, LineProblem::NotUtf8))?;
    let Some(line) = Line::parse(text, number)? else {
        return Ok(false);
    };
    each(&line).map_err(|problem| (line.column, problem))?;
    Ok(true)
}
