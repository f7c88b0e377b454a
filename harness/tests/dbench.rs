//! A part of dbench's load file, made into a trace on the spot where Debian's package is installed, and replayed with
//! every status asserted, by both clients.
//!
//! Without a server this test says so and passes, unless `SMB_REPLAY_REQUIRE` is set. The load file is data of another
//! licence, so no part of it is kept here.

mod common;

use std::path::Path;
use std::process::Output;

use common::{is_without_server, run};
use serde_json::Value;

const LOAD_FILE: &str = "/usr/share/dbench/client.txt";
/// Enough to meet every kind of error that the file records.
const OPERATIONS: &str = "2000";

fn shown(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

#[test]
fn a_part_of_the_load_file_is_answered_as_recorded() {
    if !Path::new(LOAD_FILE).is_file() {
        eprintln!("not tested: {LOAD_FILE} is not there (Debian's package dbench)");
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let import = [
        "import",
        "dbench",
        LOAD_FILE,
        "--limit",
        OPERATIONS,
        "-o",
        "part.ir.jsonl.zst",
    ];
    let imported = run(folder.path(), &import);
    assert!(imported.status.success(), "{}", shown(&imported));
    for backend in ["native", "smb-rs"] {
        let arguments = [
            "run",
            "part.ir.jsonl.zst",
            "--clock",
            "asap",
            "--report",
            "report.json",
            "--backend",
            backend,
        ];
        let output = run(folder.path(), &arguments);
        let shown = shown(&output);
        if is_without_server(&output) {
            return;
        }
        assert_eq!(output.status.code(), Some(0), "{backend}: {shown}");
        let report = std::fs::read(folder.path().join("report.json")).expect("a report");
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        assert_eq!(report["verdict"], "passed", "{backend}");
        assert_eq!(report["answers_agreed"], report["steps"], "{backend}");
        assert!(
            report["steps"].as_u64() > Some(2000),
            "{backend}: {}",
            report["steps"]
        );
    }
}
