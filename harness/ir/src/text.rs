//! The text form, `.ir`: a line per step, for people.
//!
//! `lex` finds the tokens of a line, `parse` hands lines to the assembler, `write` writes the canonical form of a trace,
//! `fmt` lays a source out again without touching its comments, `rewrite` changes expectations in place.

mod fmt;
mod lex;
mod parse;
mod rewrite;
mod write;

pub use fmt::format;
pub(crate) use parse::Parser;
pub use rewrite::rewrite_expectations;
pub(crate) use write::{write_expect, write_step, write_value};

use crate::assemble::KEYWORDS;

/// True for the first token of a step, false for that of another line.
fn is_step(first: &lex::Token<'_>) -> bool {
    !KEYWORDS.contains(&first.text)
}

/// True for the arguments of the core that stand at a step's end.
fn is_ending(token: &lex::Token<'_>) -> bool {
    token.text.starts_with("after=") || token.text.starts_with("within=")
}
