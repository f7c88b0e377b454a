//! What both fuzz targets do with a source; the vocabulary is that of the tests.

use replay_ir::{LoadErrors, Trace, load_bytes};

#[path = "../../tests/common/vocabulary.rs"]
mod vocabulary;

/// Loads a source; if that goes well, writes it in both encodings, loads those, and returns what all of them say.
pub fn round_trip(source: &[u8]) -> Result<String, LoadErrors> {
    let trace = load_bytes("fuzz", source, &vocabulary::VOCABULARY)?;
    let said = jsonl(&trace);
    let mut text = Vec::new();
    trace.write_text(&mut text).expect("memory is written");
    for written in [&text[..], said.as_bytes()] {
        let back = load_bytes("fuzz", written, &vocabulary::VOCABULARY)
            .unwrap_or_else(|errors| panic!("{errors}\n{}", String::from_utf8_lossy(written)));
        assert_eq!(jsonl(&back), said);
    }
    Ok(said)
}

fn jsonl(trace: &Trace) -> String {
    let mut out = Vec::new();
    trace.write_jsonl(&mut out).expect("memory is written");
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Renders every part of the errors.
pub fn show(errors: &LoadErrors) {
    assert!(errors.total() > 0 && errors.to_string().starts_with("error"));
    for error in errors.errors() {
        assert!(!error.problem.code().is_empty());
        error.problem.help();
    }
}
