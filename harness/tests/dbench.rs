//! A part of dbench's load file, made into a trace on the spot where Debian's package is installed, and replayed with
//! every status asserted, by both clients.
//!
//! Without a server this test says so and passes, unless `SMB_REPLAY_REQUIRE` is set. The load file is data of another
//! licence, so no part of it is kept here.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const LOAD_FILE: &str = "/usr/share/dbench/client.txt";
/// Enough to meet every kind of error that the file records.
const OPERATIONS: &str = "2000";
const NO_SERVER: i32 = 3;

fn program(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smb-replay"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .output()
        .expect("it runs")
}

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
    let imported = program(folder.path(), &import);
    assert!(imported.status.success(), "{}", shown(&imported));
    for backend in ["native", "smb-rs"] {
        let run = [
            "run",
            "part.ir.jsonl.zst",
            "--clock",
            "asap",
            "--report",
            "report.json",
            "--backend",
            backend,
        ];
        let output = program(folder.path(), &run);
        let shown = shown(&output);
        if output.status.code() == Some(NO_SERVER) {
            let required = ["SMB_REPLAY_REQUIRE", "CI"].map(|name| {
                std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
            });
            assert_eq!(required, [false; 2], "a server is required: {shown}");
            eprintln!("not tested: {shown}");
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
