//! What the tests share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod random;
pub mod vocabulary;

use replay_ir::{LoadErrors, Trace};
pub use vocabulary::VOCABULARY;

pub fn load(text: &str) -> Result<Trace, LoadErrors> {
    replay_ir::load_str("test.ir", text, &VOCABULARY)
}

pub fn text(trace: &Trace) -> String {
    let mut out = Vec::new();
    trace.write_text(&mut out).expect("memory is written");
    String::from_utf8(out).expect("a trace is UTF-8")
}

pub fn jsonl(trace: &Trace) -> String {
    let mut out = Vec::new();
    trace.write_jsonl(&mut out).expect("memory is written");
    String::from_utf8(out).expect("a trace is UTF-8")
}
