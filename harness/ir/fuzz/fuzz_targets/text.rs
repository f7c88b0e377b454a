//! `cargo +nightly fuzz run text`: text never makes loading, formatting or rewriting panic, and what loads round-trips.

#![no_main]

use libfuzzer_sys::fuzz_target;
use replay_ir_fuzz::{round_trip, show};

fuzz_target!(|body: &str| {
    let source = format!("ir 1\nmode 2\nclient A user=a\nclient B user=b\nclient L on=A\n{body}");
    let formatted = replay_ir::format(&source);
    assert_eq!(replay_ir::format(&formatted), formatted);
    replay_ir::rewrite_expectations(&source, &[(replay_ir::StepId(0), "?")]);
    match round_trip(source.as_bytes()) {
        Ok(said) => assert_eq!(
            round_trip(formatted.as_bytes()).map_err(|e| e.to_string()),
            Ok(said)
        ),
        Err(errors) => show(&errors),
    }
});
