//! Whatever the bytes, loading ends with a trace or with errors that can be shown.

mod common;

use common::random::traces;
use common::{VOCABULARY, jsonl, load, text};
use proptest::prelude::*;
use replay_ir::{LoadErrors, load_bytes};

/// Loads bytes and shows what came of it.
fn survive(bytes: &[u8]) {
    match load_bytes("test", bytes, &VOCABULARY) {
        Ok(trace) => {
            // What loads can be written and loads again.
            for written in [text(&trace), jsonl(&trace)] {
                let back = load(&written).unwrap_or_else(|errors| panic!("{errors}\n{written}"));
                assert_eq!(jsonl(&back), jsonl(&trace));
            }
        }
        Err(errors) => {
            assert!(errors.total() >= errors.errors().len() && errors.total() > 0);
            let shown = errors.to_string();
            assert!(shown.starts_with("error"), "{shown}");
            for error in errors.errors() {
                assert!(!error.problem.code().is_empty());
            }
        }
    }
    let source = String::from_utf8_lossy(bytes);
    let formatted = replay_ir::format(&source);
    assert_eq!(replay_ir::format(&formatted), formatted);
    let edits = [(replay_ir::StepId(0), "?"), (replay_ir::StepId(2), "OK")];
    replay_ir::rewrite_expectations(&source, &edits);
}

/// A change to a source.
#[derive(Debug, Clone)]
enum Change {
    Byte(u8),
    Remove(usize),
    Insert(&'static str),
    RepeatLine,
    RemoveLine,
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let words = prop::sample::select(vec![
        "\"",
        "\\",
        "#",
        " -> ",
        "=",
        "|",
        ",",
        "..",
        "@",
        "+",
        ":",
        "after=s1 ",
        "within=1",
        "\n",
        "{",
        "}",
        "[",
        "null",
        "-1",
        "OK",
        "?",
        "*",
        "PENDING",
        "\u{fffd}",
        "\0",
        "99999999999999999999",
        "0x",
        "hex:",
        "A",
        "on=",
        "check order 1 < 2",
    ]);
    let change = prop_oneof![
        any::<u8>().prop_map(Change::Byte),
        (1_usize..20).prop_map(Change::Remove),
        words.prop_map(Change::Insert),
        Just(Change::RepeatLine),
        Just(Change::RemoveLine),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change), 1..6)
}

fn changed(source: String, changes: Vec<(prop::sample::Index, Change)>) -> Vec<u8> {
    let mut bytes = source.into_bytes();
    for (at, change) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        let start = bytes[..at]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let end = bytes[at..]
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(bytes.len(), |end| at + end + 1);
        match change {
            Change::Byte(byte) => bytes[at] = byte,
            Change::Remove(count) => drop(bytes.drain(at..bytes.len().min(at + count))),
            Change::Insert(word) => drop(bytes.splice(at..at, word.bytes())),
            Change::RepeatLine => {
                let line = bytes[start..end].to_vec();
                bytes.splice(end..end, line);
            }
            Change::RemoveLine => drop(bytes.drain(start..end)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survive(&bytes);
    }

    #[test]
    fn random_text(source in "(ir 1\n)?(\\PC|[ \n\"#=@:+]){0,300}") {
        survive(source.as_bytes());
    }

    #[test]
    fn changed_text(trace in traces(), changes in changes()) {
        survive(&changed(text(&trace), changes));
    }

    #[test]
    fn changed_json_lines(trace in traces(), changes in changes()) {
        survive(&changed(jsonl(&trace), changes));
    }

    #[test]
    fn changed_zstd(trace in traces(), changes in changes()) {
        let mut bytes = zstd::encode_all(jsonl(&trace).as_bytes(), 1).unwrap();
        for (at, change) in changes {
            let at = at.index(bytes.len());
            if let Change::Byte(byte) = change {
                bytes[at] = byte;
            } else {
                bytes.truncate(at.max(4));
            }
        }
        survive(&bytes);
    }
}

#[test]
fn odd_sources() {
    survive(b"");
    survive(b"\xef\xbb\xbf");
    survive(b"\xef\xbb\xbfir 1\r\nclient A user=a\r\nA echo\r\n");
    survive(b"\0\0\0");
    survive(b"ir 1\nclient A user=\xff\nA echo \xff\xfe\n");
    survive(&[0x28, 0xb5, 0x2f, 0xfd]);
    survive(b"{");
    survive("{\"ir\":1}\n{\"c\":\"A\",\"do\":\"\u{1}\"}".as_bytes());
    survive(format!("{{\"ir\":1}}\n{}", "[".repeat(1 << 20)).as_bytes());
    survive(
        format!(
            "ir 1\nclient A user=a\nA create f \"{}\" bad=1\n",
            "ü".repeat(1 << 20)
        )
        .as_bytes(),
    );
    survive(format!("ir 1\nclient A user=a\n{} A echo\n", "x".repeat(1 << 20)).as_bytes());
    survive(&vec![b'x'; (16 << 20) + 1]);
}

#[test]
fn a_long_line_is_passed_over_and_the_rest_is_judged() {
    let source = format!(
        "ir 1\n# {}\nclient A user=a\nA ehco\n",
        "x".repeat(17 << 20)
    );
    let errors = load(&source).unwrap_err();
    let found: Vec<_> = errors
        .errors()
        .iter()
        .map(|error| (error.line, error.problem.code()))
        .collect();
    assert_eq!(
        found,
        [
            (2, "line-too-long".to_owned()),
            (4, "unknown-verb".to_owned())
        ]
    );
    assert!(errors.to_string().len() < 2000);
}

#[test]
fn a_million_errors_are_counted_and_some_are_shown() {
    let mut source = String::from("ir 1\nclient A user=a\n");
    source.push_str(&"A frobnicate now\n".repeat(1_000_000));
    let errors = load(&source).unwrap_err();
    assert_eq!(errors.total(), 1_000_000);
    assert_eq!(errors.errors().len(), LoadErrors::KEPT);
    let shown = errors.to_string();
    assert!(
        shown.ends_with("and 999900 more errors in test.ir"),
        "{}",
        &shown[shown.len() - 100..]
    );
}

#[test]
fn a_trace_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&load("ir 1\n").unwrap());
}
