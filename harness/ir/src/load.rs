//! Reads a trace from a file or from memory, in any encoding.
//!
//! The source is read line by line in one pass, so a recording is never in memory as a whole. Only when it has mistakes
//! is it read a second time, for the text of their lines.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::assemble::Assembler;
use crate::error::{LoadErrors, Place, Problem, Sink, Span};
use crate::lines::{LineReader, Next};
use crate::model::Trace;
use crate::vocabulary::Vocabulary;
use crate::{jsonl, text};

/// The longest line, in bytes.
pub const LONGEST_LINE: usize = 16 << 20;
/// The largest trace, in bytes after decompression.
pub const LARGEST_TRACE: u64 = 4 << 30;
/// The most steps, declarations and checks.
pub const MOST_ITEMS: usize = 1 << 26;
/// A text up to this size, in bytes, stays at hand for [`Trace::source_line`]; of what can be read once only, so much does
/// for the lines with mistakes.
pub const SOURCE_KEPT: usize = 16 << 20;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The bounds on what is read.
#[derive(Debug, Clone, Copy)]
struct Limits {
    line: usize,
    total: u64,
    items: usize,
}

const LIMITS: Limits = Limits {
    line: LONGEST_LINE,
    total: LARGEST_TRACE,
    items: MOST_ITEMS,
};

/// Loads the trace of a file: `.ir` text, JSON Lines, either of them as it is or compressed with zstd. The content says
/// which it is, not the name.
///
/// # Errors
/// All mistakes of the trace at once, or that it cannot be read.
pub fn load(path: impl AsRef<Path>, vocabulary: &'static Vocabulary) -> Result<Trace, LoadErrors> {
    let path = path.as_ref();
    let name = path.display().to_string();
    // Opened again, a pipe would be waited for until somebody writes to it again.
    let is_read_once = std::fs::metadata(path).is_ok_and(|found| !found.is_file());
    if is_read_once {
        let (kept, is_open) = (RefCell::new(Vec::new()), Cell::new(false));
        let open = || {
            if is_open.replace(true) {
                let kept: Vec<u8> = kept.borrow().clone();
                return Ok(Box::new(io::Cursor::new(kept)) as Box<dyn Read + '_>);
            }
            let input = File::open(path)?;
            Ok(Box::new(Keeping { input, kept: &kept }) as Box<dyn Read + '_>)
        };
        return load_from(name, &open, vocabulary, LIMITS);
    }
    let open = || File::open(path).map(|file| Box::new(file) as Box<dyn Read>);
    load_from(name, &open, vocabulary, LIMITS)
}

/// Keeps the beginning of what is read.
struct Keeping<'k> {
    input: File,
    kept: &'k RefCell<Vec<u8>>,
}

impl Read for Keeping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        let mut kept = self.kept.borrow_mut();
        let room = SOURCE_KEPT.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
        Ok(count)
    }
}

/// Loads a trace from memory; `name` is what errors call it.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(
    name: &str,
    bytes: &[u8],
    vocabulary: &'static Vocabulary,
) -> Result<Trace, LoadErrors> {
    let open = || Ok(Box::new(bytes) as Box<dyn Read + '_>);
    load_from(name.to_owned(), &open, vocabulary, LIMITS)
}

/// Loads a trace from a string; `name` is what errors call it.
///
/// # Errors
/// As [`load`].
pub fn load_str(
    name: &str,
    text: &str,
    vocabulary: &'static Vocabulary,
) -> Result<Trace, LoadErrors> {
    load_bytes(name, text.as_bytes(), vocabulary)
}

type Open<'o> = &'o dyn Fn() -> io::Result<Box<dyn Read + 'o>>;

fn load_from(
    name: String,
    open: Open<'_>,
    vocabulary: &'static Vocabulary,
    limits: Limits,
) -> Result<Trace, LoadErrors> {
    let mut assembler = Assembler::new(vocabulary);
    let source = read(open, &mut assembler, limits);
    let (sink, trace) = assembler.finish(name.clone(), source);
    trace.ok_or_else(|| with_lines(sink, name, open, limits))
}

/// What a line is read as.
enum Form {
    Text(text::Parser),
    Json(jsonl::Parser),
}

/// Reads everything into the assembler. Returns the source where it is to be kept.
fn read(open: Open<'_>, assembler: &mut Assembler, limits: Limits) -> Option<String> {
    let mut lines = match lines(open, limits) {
        Ok(lines) => lines,
        Err(problem) => {
            assembler.error(0, Span::default(), || problem);
            return None;
        }
    };
    let mut form = if lines.first_byte() == Some(b'{') {
        Form::Json(jsonl::Parser::new())
    } else {
        Form::Text(text::Parser::new())
    };
    let mut kept = match form {
        Form::Text(_) => Some(String::new()),
        Form::Json(_) => None,
    };
    let mut number = 0_u32;
    let ended = loop {
        number = number.saturating_add(1);
        let line = match lines.next() {
            Next::Line(line) => line,
            Next::TooLong => {
                let limit = limits.line;
                assembler.error(number, Span::default(), || Problem::LineTooLong { limit });
                kept = None;
                continue;
            }
            Next::End => break Ok(()),
            Next::Failed(problem) => break Err(problem),
        };
        if assembler.items() > limits.items {
            let limit = limits.items as u64;
            break Err(Problem::TooLarge {
                limit,
                unit: "items",
            });
        }
        let line = match std::str::from_utf8(line) {
            Ok(line) => line,
            Err(error) => {
                let at = error.valid_up_to();
                assembler.error(number, Span::new(at, at + 1), || Problem::NotUtf8);
                kept = None;
                continue;
            }
        };
        match &mut form {
            Form::Text(parser) => parser.line(assembler, number, line),
            Form::Json(parser) => parser.line(assembler, number, line),
        }
        kept = kept.filter(|kept| kept.len() + line.len() < SOURCE_KEPT);
        if let Some(kept) = &mut kept {
            kept.push_str(line);
            kept.push('\n');
        }
    };
    match (ended, form) {
        (Err(problem), _) => {
            // What came before it is judged all the same, but nothing is said of what may have followed.
            assembler.error(number, Span::default(), || problem);
        }
        (Ok(()), Form::Text(parser)) => parser.finish(assembler),
        (Ok(()), Form::Json(parser)) => parser.finish(assembler),
    }
    kept
}

/// The lines of a source, decompressed if need be.
fn lines<'o>(open: Open<'o>, limits: Limits) -> Result<LineReader<Box<dyn Read + 'o>>, Problem> {
    let unreadable = |error: io::Error| Problem::Unreadable(error.to_string());
    let mut input = open().map_err(unreadable)?;
    let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
    input
        .by_ref()
        .take(ZSTD_MAGIC.len() as u64)
        .read_to_end(&mut magic)
        .map_err(unreadable)?;
    let compressed = magic == ZSTD_MAGIC;
    let input = io::Cursor::new(magic).chain(input);
    let input: Box<dyn Read + 'o> = if compressed {
        let decoder = zstd::stream::read::Decoder::with_buffer(BufReader::new(input));
        Box::new(decoder.map_err(unreadable)?)
    } else {
        Box::new(input)
    };
    LineReader::new(input, compressed, limits.line, limits.total)
}

/// Reads the source again for the lines that have errors.
fn with_lines(sink: Sink, name: String, open: Open<'_>, limits: Limits) -> LoadErrors {
    let mut wanted: BTreeMap<u32, Option<String>> = BTreeMap::new();
    for (Place { line, .. }, _) in &sink.found {
        wanted.entry(*line).or_default();
    }
    if let Ok(mut lines) = lines(open, limits) {
        let mut number = 0;
        for (&line, text) in &mut wanted {
            while number < line {
                number += 1;
                match lines.next() {
                    Next::Line(found) if number == line => {
                        *text = Some(String::from_utf8_lossy(found).into_owned());
                    }
                    Next::Line(_) | Next::TooLong => {}
                    Next::End | Next::Failed(_) => number = u32::MAX,
                }
            }
        }
    }
    sink.into_errors(name, |line| wanted.get(&line).cloned().flatten())
}
