//! `cargo +nightly fuzz run jsonl`: no bytes make loading panic, and what loads round-trips.

#![no_main]

use libfuzzer_sys::fuzz_target;
use replay_ir_fuzz::{round_trip, show};

fuzz_target!(|body: &[u8]| {
    // Whole files, compressed ones among them, and lines behind a valid beginning.
    let head = br#"{"ir":1,"mode":2}
{"client":"A","with":{"user":"a"}}
{"client":"B","with":{"user":"b"}}
{"client":"L","on":"A"}
"#;
    for source in [body.to_vec(), [head, body].concat()] {
        if let Err(errors) = round_trip(&source) {
            show(&errors);
        }
    }
});
