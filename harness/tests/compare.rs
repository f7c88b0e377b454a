//! `smb-replay compare` on real runs: a trace with mistakes that have consequences.
//!
//! Without a server these tests say so and pass, unless `SMB_REPLAY_REQUIRE` is set.

mod common;

use std::path::Path;

use common::{is_without_server, run, text};
use serde_json::Value;

/// Five expectations are wrong; what else differs follows from them.
const WRONG: &str = r#"ir 1
mode 2
client A user=alice
client B user=bob
given file "there" size=100 fill=3
given file "shared" size=10

A create f "there" access=rw -> OK size=100
A create n "missing" access=rw -> OK  # it is not there
A write n len=10 -> OK len=10
A close n
made: A create m "made" access=rw disposition=create -> OK action=created
wrote: A write m len=50 fill=1 -> OK len=50
B create x "made" access=rw -> OK size=60 after=wrote  # it has 50
B query-info x standard -> OK size=60
A lock f range=0..10 exclusive -> OK
locked: A echo
B create g "there" access=rw -> OK after=locked
own: B lock g range=0..5 exclusive -> OK  # it is locked
A read f offset=0 len=5 -> FILE_LOCK_CONFLICT after=own
A read f offset=20 len=4 -> OK fill=9  # it has 3
B create y "shared" access=rw -> OK
opened: B echo
caught: A create s "shared" access=rw oplock=batch -> OK oplock=batch after=opened  # somebody has it open
asked: B create z "shared" access=rw -> OK after=caught
A break s batch->ii within=300ms
last: B echo after=caught.break
A echo after=last
"#;

/// The lines of the causes with those of their consequences.
fn causes(compared: &Value) -> Vec<(u64, Vec<u64>)> {
    let line = |one: &Value| one["line"].as_u64().unwrap_or(0);
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let causes = list(&compared["causes"]);
    let causes = causes.iter().map(|cause| {
        (
            line(cause),
            list(&cause["consequences"]).iter().map(line).collect(),
        )
    });
    causes.collect()
}

/// Runs a trace as fast as possible and writes its report; false without a server.
fn replay(folder: &Path, trace: &str, report: &str) -> bool {
    let arguments = [
        "run",
        trace,
        "--clock",
        "asap",
        "--step-timeout",
        "2s",
        "--report",
        report,
    ];
    let ran = run(folder, &arguments);
    if is_without_server(&ran) {
        return false;
    }
    let said = text(&ran.stdout) + &text(&ran.stderr);
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{said}");
    true
}

#[test]
fn each_cause_of_a_real_run_is_told_once_with_what_follows() {
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path();
    std::fs::write(folder.join("wrong.ir"), WRONG).expect("written");
    if !replay(folder, "wrong.ir", "run.json") {
        return;
    }
    let compared = run(folder, &["compare", "wrong.ir", "run.json", "--json"]);
    assert_eq!(
        compared.status.code(),
        Some(1),
        "{}",
        text(&compared.stderr)
    );
    let json: Value = serde_json::from_slice(&compared.stdout).expect("JSON");
    let expected = [
        (9, vec![10, 11]),
        (14, vec![15]),
        (19, vec![20]),
        (21, vec![]),
        (24, vec![26, 27, 28]),
    ];
    assert_eq!(causes(&json), expected, "{json:#}");
    assert_eq!(json["runs"][0]["causes"], 5);
    assert_eq!(json["runs"][0]["consequences"], 7);
    assert_eq!(json["runs"][0]["agreed"], 9);
    let shown = run(folder, &["compare", "wrong.ir", "run.json"]);
    let shown = text(&shown.stdout);
    for line in [
        "wrong.ir against run.json: 9 of 21 steps agree (42.86 %); 5 causes, 7 consequences",
        "  wrong.ir:9: A create n \"missing\" access=rw -> OK",
        "    status: expected OK, got OBJECT_NAME_NOT_FOUND",
        "      wrong.ir:26: A break s transition=batch->ii within=300ms",
        "        its handle was opened otherwise in line 24",
        "        otherwise since line 19: the locks of its file",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[test]
fn several_runs_tell_what_is_steady() {
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path();
    let right = WRONG.replace("len=4 -> OK fill=9", "len=4 -> OK fill=3");
    for (name, trace) in [("wrong.ir", WRONG), ("right.ir", &right)] {
        std::fs::write(folder.join(name), trace).expect("written");
    }
    if !replay(folder, "wrong.ir", "one.json") || !replay(folder, "right.ir", "two.json") {
        return;
    }
    let compared = run(folder, &["compare", "wrong.ir", "one.json", "two.json"]);
    let shown = text(&compared.stdout);
    assert_eq!(compared.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("in all 2 replays: 4 causes; in some only: 1\n"),
        "{shown}"
    );
    assert!(
        shown.contains("[1 of 2 replays]") && shown.contains("[2 of 2 replays]"),
        "{shown}"
    );
}

#[test]
fn a_run_that_agrees_and_reports_that_are_none() {
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path();
    std::fs::write(folder.join("a.ir"), "ir 1\nclient A user=alice\nA echo\n").expect("written");
    std::fs::write(
        folder.join("b.ir"),
        "ir 1\nclient A user=alice\nA echo\nA echo\n",
    )
    .expect("written");
    std::fs::write(folder.join("broken.json"), "{\n  \"steps\": 1,").expect("written");
    let missing = run(folder, &["compare", "a.ir", "none.json"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stderr).starts_with("none.json: "),
        "{}",
        text(&missing.stderr)
    );
    let broken = run(folder, &["compare", "a.ir", "broken.json"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(
        text(&broken.stderr).starts_with("broken.json:2:"),
        "{}",
        text(&broken.stderr)
    );
    assert_eq!(run(folder, &["compare", "a.ir"]).status.code(), Some(64));
    if !replay(folder, "a.ir", "run.json") {
        return;
    }
    let agreed = run(folder, &["compare", "a.ir", "run.json"]);
    assert_eq!(agreed.status.code(), Some(0));
    assert_eq!(
        text(&agreed.stdout),
        "a.ir against run.json: 1 of 1 steps agree (100.00 %); 0 causes, 0 consequences\n"
    );
    let other = run(folder, &["compare", "b.ir", "run.json"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(
        text(&other.stderr).contains("run.json: of another trace"),
        "{}",
        text(&other.stderr)
    );
}
