//! Any text, read as a key file, as a list of passwords and as a load file of dbench: no panic, and messages name a line of it.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use replay_import::{CaptureKeys, DbenchOptions, Passwords, import_dbench};

fuzz_target!(|text: &str| {
    let lines = 1..=text.lines().count();
    if let Err(error) = CaptureKeys::parse(text) {
        assert!(lines.contains(&error.line), "{error}");
    }
    if let Err(line) = Passwords::parse(text) {
        assert!(lines.contains(&line), "line {line}");
    }
    match import_dbench(Cursor::new(text), "fuzz", &DbenchOptions::default()) {
        Ok((trace, report)) => assert_eq!(trace.len() as u64, report.steps()),
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
});
