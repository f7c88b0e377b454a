//! The traces that the pages show load.

use std::path::Path;

use smb_vocabulary::{VOCABULARY, check_trace};

/// The fenced blocks of a page that are whole traces, each with a name that says what encoding it has.
fn traces(page: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(page);
    let text = std::fs::read_to_string(&path).expect("the page is there");
    let blocks = text.split("```").skip(1).step_by(2);
    let bodies = blocks
        .filter_map(|block| block.split_once('\n'))
        .map(|(_, body)| body);
    let named = bodies.enumerate().filter_map(|(index, body)| {
        let encoding = match body {
            _ if body.starts_with("ir 1") => "ir",
            _ if body.starts_with("{\"ir\":1") => "ir.jsonl",
            _ => return None,
        };
        Some((format!("{page}-{index}.{encoding}"), body.to_owned()))
    });
    named.collect()
}

#[test]
fn traces_in_the_pages_load() {
    let pages = ["README.md", "docs/wire.md"].map(traces);
    assert!(pages.iter().all(|traces| !traces.is_empty()));
    for (name, text) in pages.into_iter().flatten() {
        let trace = replay_ir::load_str(&name, &text, &VOCABULARY)
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(check_trace(&trace), [], "{name}");
    }
}
