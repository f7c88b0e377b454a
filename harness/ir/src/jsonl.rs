//! The JSON Lines form, `.ir.jsonl`: an object per line, for recordings of millions of steps.
//!
//! `scan` reads JSON and knows where each part stands, `parse` hands lines to the assembler, `write` writes a trace.

mod keys;
mod parse;
mod scan;
mod write;

pub(crate) use parse::Parser;
pub(crate) use scan::{Scanner, unescape};
