//! The generated pages are current, and what they show as an example loads.
//!
//! `UPDATE_DOCS=1 cargo test -p smb-vocabulary` writes the pages anew.

use smb_vocabulary::{VOCABULARY, check_trace};
use std::path::{Path, PathBuf};

const INTRODUCTION: &str = "\
# Reference of the trace language

Every verb with its arguments and the fields of its answer, as `smb-vocabulary` defines them. This page is generated from
that table (`UPDATE_DOCS=1 cargo test -p smb-vocabulary`).

Short names of the specifications: MS-SMB2 is the protocol, MS-FSA what a file system answers to it, MS-FSCC the structures
and names of files, MS-ERREF the status codes.

";

/// What the examples find: handles `f` of A and `g` of B, and a lock of B that waits.
const BEFORE: &str = "\
ir 1
mode 2
client A user=alice
client B user=bob
given file \"report.docx\"
";
const OPENED: &str = "\
first: A create f \"report.docx\" access=rw oplock=batch durable=v2
B create g \"report.docx\" access=rw
lk: B lock g range=0..1 exclusive wait -> PENDING
";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

/// Compares a page with what it should hold, or writes it where the environment asks for it.
fn current(name: &str, expected: &str) {
    let path = docs(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).expect("the page can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is not current; run UPDATE_DOCS=1 cargo test -p smb-vocabulary",
        path.display()
    );
}

#[test]
fn the_reference_is_current() {
    let page = format!(
        "{INTRODUCTION}{}",
        replay_ir::reference::markdown(&VOCABULARY)
    );
    current("reference.md", &page);
}

#[test]
fn the_schema_is_current() {
    let schema = replay_ir::schema::json_schema(&VOCABULARY);
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    current("trace-schema.json", &format!("{text}\n"));
}

#[test]
fn every_example_loads() {
    for verb in VOCABULARY.verbs {
        let opened = if verb.name == "create" { "" } else { OPENED };
        let text = format!("{BEFORE}{opened}{}\n", verb.example);
        let trace = replay_ir::load_str(verb.name, &text, &VOCABULARY)
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(check_trace(&trace), [], "{}", verb.example);
        let last = trace.steps().last().expect("the example is a step");
        assert_eq!(last.verb().name, verb.name, "{}", verb.example);
    }
}

#[test]
fn every_name_is_described_once() {
    for verb in VOCABULARY.verbs {
        let same = VOCABULARY
            .verbs
            .iter()
            .filter(|other| other.name == verb.name);
        assert_eq!(same.count(), 1, "{}", verb.name);
        let mut names: Vec<&str> = verb.args.iter().map(|arg| arg.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), verb.args.len(), "arguments of {}", verb.name);
        assert!(
            verb.args.is_sorted_by_key(|arg| !arg.positional),
            "{}: by position first",
            verb.name
        );
        assert!(
            !verb.doc.is_empty() && verb.args.iter().all(|arg| arg.doc.ends_with('.')),
            "{}",
            verb.name
        );
    }
}
