//! Reports as runs write them, and what is made of them.

use serde_json::{Value, json};

use super::*;

/// The lines of causes, each with those of its consequences.
type Lines = Vec<(Option<u32>, Vec<u32>)>;

/// What follows from what, as lines: each cause with its consequences.
fn compared(source: &str, reports: &[Value]) -> (Lines, Value, String) {
    let trace = replay_ir::load_str("a.ir", source, &smb_vocabulary::VOCABULARY)
        .unwrap_or_else(|errors| panic!("{errors}"));
    let folder = tempfile::tempdir().expect("a directory");
    let paths: Vec<PathBuf> = (0..reports.len())
        .map(|number| folder.path().join(format!("{number}.json")))
        .collect();
    for (path, report) in paths.iter().zip(reports) {
        std::fs::write(path, report.to_string()).expect("written");
    }
    let comparison = Comparison::new(&trace, "a.ir", &paths).expect("reports of the trace");
    let line = |place| comparison.line(place);
    let lines = comparison.causes.iter().map(|cause| {
        let followers = cause.consequences.keys();
        (
            line(cause.place),
            followers.filter_map(|&at| line(at)).collect(),
        )
    });
    let lines = lines.collect();
    (lines, to_json(&comparison), to_text(&comparison, false))
}

fn differed(step: u32, kind: &str, expected: &str, actual: &str) -> Value {
    json!({ "step": step, "kind": kind, "expected": expected, "actual": actual })
}

fn missed(step: u32, because: u32) -> Value {
    json!({ "step": step, "line": 0, "why": "it could not", "because": because })
}

fn report(steps: u32, differed: &[Value], not_run: &[Value]) -> Value {
    json!({
        "verdict": "failed", "copies": 1, "steps": steps,
        "answers_agreed": steps as usize - differed.len() - not_run.len(),
        "answers_differed": differed, "answers_differed_total": differed.len(),
        "others_differed": [], "not_run": not_run,
    })
}

const OK: &str = "OK";
const NOT_FOUND: &str = "OBJECT_NAME_NOT_FOUND";

#[test]
fn a_handle_and_a_file_lead_to_what_was_not_opened_and_made() {
    let source = "ir 1\nclient A user=alice\nclient B user=bob\n\
        A create d \"D\" options=directory disposition=create\n\
        A create f \"d/a\" disposition=create access=rw\nA read f len=4\nA close f\n\
        B create g \"d/A\"\nB create h \"other\"\nB read h len=1\nA query-directory d -> OK names=\"a\"\n";
    let run = report(
        8,
        &[
            differed(2, "status", OK, "ACCESS_DENIED"),
            differed(5, "status", OK, NOT_FOUND),
            differed(6, "status", OK, NOT_FOUND),
            differed(8, "field", "names=\"a\"", "names="),
        ],
        &[missed(3, 2), missed(4, 2), missed(7, 6)],
    );
    let (lines, json, text) = compared(source, &[run]);
    assert_eq!(lines, [(Some(5), vec![6, 7, 8, 11]), (Some(9), vec![10])]);
    let by: Vec<&str> = json["causes"][0]["consequences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["follows"][0]["by"].as_str())
        .collect();
    assert_eq!(by, ["handle", "handle", "file", "file"]);
    assert_eq!(
        json["causes"][0]["consequences"][2]["follows"][0]["aspect"],
        "existence"
    );
    assert!(
        text.contains("1 of 8 steps agree (12.50 %); 2 causes, 5 consequences"),
        "{text}"
    );
    assert!(text.contains("a.ir:6: A read f"), "{text}");
}

#[test]
fn parts_of_a_file_that_have_nothing_to_do_with_each_other_are_causes_of_their_own() {
    let source = "ir 1\nmode 2\nclient A user=alice\nclient B user=bob\n\
        A create f \"x\" access=rw oplock=batch -> OK oplock=batch\nA lock f range=0..9\n\
        first: B create g \"x\" access=rw\nA break f batch->ii\nB read g len=4 -> OK fill=7\n\
        B write g len=4 -> FILE_LOCK_CONFLICT\nA set-info f rename path=\"y\"\nB create h \"Y\"\n\
        B query-info g standard -> OK size=9\nB set-info h basic attributes=hidden\n";
    let run = report(
        10,
        &[
            differed(1, "field", "oplock=batch", "oplock=none"),
            differed(2, "status", OK, "LOCK_NOT_GRANTED"),
            differed(4, "break", "a break batch->ii", "no break within 5s"),
            differed(5, "data", "fill=7", "fill=0"),
            differed(6, "status", "FILE_LOCK_CONFLICT", OK),
            differed(7, "status", OK, "ACCESS_DENIED"),
            differed(8, "status", OK, NOT_FOUND),
            differed(9, "field", "size=9", "size=4"),
        ],
        &[missed(10, 8)],
    );
    let (lines, json, _) = compared(source, &[run]);
    // The break follows from the oplock, the write that went through from the lock, its size from the write,
    // and the name that is not there from the rename.
    assert_eq!(
        lines,
        [
            (Some(5), vec![8, 11, 12, 14]),
            (Some(6), vec![10, 13]),
            (Some(9), vec![]),
        ]
    );
    let groups = json["groups"].as_array().map_or(0, Vec::len);
    assert_eq!(groups, 9, "each differs in its own way: {}", json["groups"]);
}

#[test]
fn compounds_awaits_waits_and_connections_are_followed() {
    let source = "ir 1\nclient A user=alice\nclient B user=bob\n\
        A create f \"x\" access=rw\nA + query-info f standard\nA + close f\n\
        lk: B create g \"y\" access=rw -> PENDING\nB await lk\nB echo\n\
        B disconnect\nB connect\nB echo\nA echo after=lk\ncheck order lk < 9\n";
    let mut run = report(
        10,
        &[
            differed(1, "status", OK, NOT_FOUND),
            differed(2, "status", OK, NOT_FOUND),
            differed(3, "status", OK, NOT_FOUND),
            differed(4, "time", "PENDING", "no answer within 30s"),
            differed(5, "lost", OK, "the connection was lost"),
            differed(8, "status", OK, "LOGON_FAILURE"),
        ],
        &[missed(6, 4), missed(9, 8), missed(10, 4)],
    );
    run["others_differed"] = json!([
        { "line": 14, "kind": "order", "expected": "lk < #9", "actual": "lk never came" },
        { "kind": "time", "expected": "an end", "actual": "none" },
    ]);
    let (lines, json, text) = compared(source, &[run]);
    assert_eq!(
        lines,
        [
            (Some(4), vec![5, 6]),
            (Some(7), vec![8, 9, 13, 14]),
            (Some(11), vec![12]),
            (None, vec![]),
        ]
    );
    let by =
        |cause: usize, one: usize| &json["causes"][cause]["consequences"][one]["follows"][0]["by"];
    assert_eq!((by(0, 0), by(1, 0)), (&json!("compound"), &json!("target")));
    assert_eq!(
        (by(1, 2), by(2, 0)),
        (&json!("after"), &json!("connection"))
    );
    assert!(text.contains("a.ir: the run"), "{text}");
}

#[test]
fn a_chain_that_comes_back_begins_at_its_first_step() {
    let source = "ir 1\nclient A user=alice\nclient B user=bob\n\
        a: A create f \"x\" disposition=create after=b\nA close f\nb: B create g \"y\" disposition=create after=c\nc: B create h \"x\"\n";
    // No run ends so; a report that somebody wrote may.
    let run = report(
        4,
        &[],
        &[missed(1, 3), missed(2, 1), missed(3, 4), missed(4, 1)],
    );
    let source = source.replace(" after=c", "");
    let (lines, ..) = compared(&source, &[run]);
    assert_eq!(lines, [(Some(4), vec![5, 6, 7])]);
}

#[test]
fn copies_and_runs_are_told_apart() {
    let source = "ir 1\nclient A user=alice\nA create f \"x\"\nA close f\nA echo\n";
    let mut run = report(6, &[differed(1, "status", OK, NOT_FOUND)], &[missed(2, 1)]);
    run["copies"] = json!(2);
    let mut other = run["answers_differed"][0].clone();
    other["copy"] = json!(1);
    other["actual"] = json!("ACCESS_DENIED");
    run["answers_differed"] = json!([run["answers_differed"][0], other]);
    run["answers_differed_total"] = json!(3);
    run["answers_agreed"] = json!(2);
    let one = report(3, &[differed(3, "time", OK, "no answer within 30s")], &[]);
    let (lines, json, text) = compared(source, &[run, one]);
    assert_eq!(lines, [(Some(3), vec![4]), (Some(5), vec![])]);
    assert_eq!(
        (&json["replays"], &json["causes"][0]["replays"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(json["runs"][0]["not_listed"], json!(1));
    assert!(
        text.contains("got ACCESS_DENIED [1 of 3 replays]"),
        "{text}"
    );
    assert!(
        text.contains("in all 3 replays: 0 causes; in some only: 2"),
        "{text}"
    );
    assert!(text.contains("1 more steps differed"), "{text}");
}

#[test]
fn thousands_of_differences_stay_readable() {
    let mut source = String::from("ir 1\nclient A user=alice\n");
    let mut all = Vec::new();
    for number in 0..3_000_u32 {
        source.push_str(&format!("A create h{number} \"f{number}\"\n"));
        all.push(differed(
            number + 1,
            "status",
            OK,
            ["ACCESS_DENIED", NOT_FOUND][number as usize % 2],
        ));
    }
    let (lines, json, text) = compared(&source, &[report(3_000, &all, &[])]);
    assert_eq!(lines.len(), 3_000);
    assert_eq!(json["groups"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["groups"][0]["causes"], json!(1_500));
    assert!(
        text.lines().count() < 40 && text.contains("and 1497 more causes"),
        "{text}"
    );
}

/// A chain as long as the trace, and a report that tells of more copies than anybody has run.
#[test]
fn the_time_it_takes_does_not_grow_with_the_square() {
    const STEPS: u32 = 20_000;
    let source = "ir 1\nclient A user=alice\n".to_owned() + &"A echo\n".repeat(STEPS as usize);
    let not_run: Vec<Value> = (2..=STEPS).map(|step| missed(step, step - 1)).collect();
    let mut run = report(STEPS, &[differed(1, "status", OK, NOT_FOUND)], &not_run);
    run["copies"] = u32::MAX.into();
    run["steps"] = (u64::from(STEPS) * u64::from(u32::MAX)).into();
    let begun = std::time::Instant::now();
    let (lines, json, _) = compared(&source, &[run]);
    assert_eq!((lines.len(), lines[0].1.len()), (1, STEPS as usize - 1));
    assert_eq!(json["replays"], u32::MAX);
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_secs(30), "{took:?}");
}
