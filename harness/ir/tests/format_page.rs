//! The examples of `docs/trace-format.md` are true.

mod common;

use common::{jsonl, load, text};

/// The bodies of the fenced blocks with this info string.
fn blocks(page: &str, info: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if kind == info {
            found.push(body.join("\n") + "\n");
        }
    }
    found
}

fn page() -> String {
    std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/trace-format.md"
    ))
    .expect("the page is in the book")
}

#[test]
fn examples_load_in_both_encodings() {
    let page = page();
    let (texts, lines) = (blocks(&page, "ir"), blocks(&page, "jsonl"));
    assert!(texts.len() >= 3 && !lines.is_empty());
    for example in texts.iter().chain(&lines) {
        let trace = load(example).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(jsonl(&load(&text(&trace)).unwrap()), jsonl(&trace));
    }
    // The examples are written as the formatter and the writer write them.
    for example in &texts {
        assert_eq!(&replay_ir::format(example), example);
    }
    for example in &lines {
        assert_eq!(&jsonl(&load(example).unwrap()), example);
    }
}

#[test]
fn mistakes_are_reported_as_the_page_says() {
    let page = page();
    let (mistakes, reports) = (blocks(&page, "ir-mistakes"), blocks(&page, "text"));
    let report = reports
        .iter()
        .find(|block| block.starts_with("error: "))
        .unwrap();
    let errors = replay_ir::load_str("example.ir", &mistakes[0], &common::VOCABULARY).unwrap_err();
    assert_eq!(errors.to_string() + "\n", *report, "\n{errors}\n");
}
