//! The text form, `.ir`: a line per step, for people.
//!
//! `lex` finds the tokens of a line, `parse` hands lines to the assembler, `write` writes the canonical form of a trace,
//! `fmt` lays a source out again without touching its comments, `rewrite` changes expectations in place.

mod lex;
mod parse;
mod write;

pub(crate) use parse::Parser;

pub(crate) use write::{write_expect, write_step, write_value};
