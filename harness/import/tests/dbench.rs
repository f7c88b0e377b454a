//! Load files become traces: lines written here for every command, and the file of Debian's package where it is there.

use replay_import::{DbenchOptions, ImportErrors, ImportReport, import_dbench};
use replay_ir::Trace;
use smb_vocabulary::{VOCABULARY, check_trace};
use std::io::Cursor;
use std::path::Path;

fn import(text: &str) -> Result<(Trace, ImportReport), ImportErrors> {
    import_dbench(Cursor::new(text), "test.txt", &DbenchOptions::default())
}

fn text(trace: &Trace) -> String {
    let mut text = Vec::new();
    trace.write_text(&mut text).expect("memory takes it");
    String::from_utf8(text).expect("text is UTF-8")
}

/// The steps as text, without what says that they succeed.
fn steps(trace: &Trace) -> Vec<String> {
    let text = text(trace);
    let steps = text.lines().filter(|line| line.starts_with("A "));
    steps
        .map(|line| line.strip_suffix(" -> OK").unwrap_or(line).to_owned())
        .collect()
}

#[test]
fn every_command_has_its_steps() {
    let (trace, report) = import(
        r#"
        Deltree "\w" NT_STATUS_OK
        Mkdir "\w" NT_STATUS_OK
        NTCreateX "\w\a.txt" 0x40 0x1 1 NT_STATUS_OBJECT_NAME_NOT_FOUND
        NTCreateX "\w\a.txt" 0x40 0x2 1 NT_STATUS_OK
        WriteX 1 0 100 100 NT_STATUS_OK
        LockX 1 10 5 NT_STATUS_OK
        UnlockX 1 10 5 NT_STATUS_OK
        ReadX 1 50 100 50 NT_STATUS_OK
        ReadX 1 100 1 0 NT_STATUS_OK
        Flush 1 NT_STATUS_OK
        QUERY_FILE_INFORMATION 1 258 NT_STATUS_OK
        SET_FILE_INFORMATION 1 1004 NT_STATUS_OK
        Close 1 NT_STATUS_OK
        QUERY_PATH_INFORMATION "\w\a.txt" 1004 NT_STATUS_OK
        QUERY_PATH_INFORMATION "\w\x\b" 1004 NT_STATUS_OBJECT_PATH_NOT_FOUND
        QUERY_FS_INFORMATION 259 NT_STATUS_OK
        FIND_FIRST "\w\*" 260 1366 3 NT_STATUS_OK
        FIND_FIRST "\w\<.tmp" 260 1366 0 NT_STATUS_NO_SUCH_FILE
        FIND_FIRST "\w\x\*" 260 1366 0 NT_STATUS_OBJECT_PATH_NOT_FOUND
        Rename "\w\a.txt" "\w\b.txt" NT_STATUS_OK
        Unlink "\w\c" 0x6 NT_STATUS_NO_SUCH_FILE
        Unlink "\w\*.bak" 0x6 NT_STATUS_OK
        Rmdir "\w" NT_STATUS_DIRECTORY_NOT_EMPTY
        SET_FILE_INFORMATION_
        "#
        .trim_end()
        .trim_end_matches("SET_FILE_INFORMATION_"),
    )
    .expect("a sound file");
    let expected = r#"
A create path "w" access=r disposition=create options=directory
A close path
A create h1 "w/a.txt" access=rw share=rw disposition=open options=non-directory -> OBJECT_NAME_NOT_FOUND
A create h1 "w/a.txt" access=rw share=rw disposition=create options=non-directory
A write h1 offset=0 len=100 fill=1 -> OK len=100
A lock h1 offset=10 len=5 exclusive
A lock h1 offset=10 len=5 unlock
A read h1 offset=50 len=100 -> OK len=50
A read h1 offset=100 len=1 -> END_OF_FILE
A flush h1
A query-info h1 standard
A set-info h1 basic created=2001-01-01T00:00:00Z
A close h1
A create path "w/a.txt" access=read-attributes
A query-info path basic
A close path
A create path "w/x/b" access=read-attributes -> OBJECT_PATH_NOT_FOUND
A create path "" access=read-attributes
A query-fs path size
A close path
A create path "w" access=read-data|read-attributes options=directory
A query-directory path pattern="*" class=both -> OK count=3
A close path
A create path "w" access=read-data|read-attributes options=directory
A query-directory path pattern="<.tmp" class=both -> NO_SUCH_FILE
A close path
A create path "w/x" access=read-data|read-attributes options=directory -> OBJECT_NAME_NOT_FOUND|OBJECT_PATH_NOT_FOUND
A create path "w/a.txt" access=delete|read-attributes
A set-info path rename path="w/b.txt"
A close path
A create path "w/c" access=delete options=non-directory|delete-on-close -> OBJECT_NAME_NOT_FOUND
A create path "w" access=delete options=directory
A set-info path disposition -> DIRECTORY_NOT_EMPTY
A close path
"#;
    assert_eq!(steps(&trace).join("\n"), expected.trim());
    assert_eq!(check_trace(&trace), []);
    assert_eq!((report.operations(), report.steps()), (23, 34));
    let skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|((kind, _), count)| (*kind, *count))
        .collect();
    assert_eq!(skipped, [("Deltree", 1), ("Unlink", 1)]);
    assert_eq!(report.kinds["FIND_FIRST"].errors, 2);
    assert!(
        report
            .to_string()
            .contains("left out: 1 Unlink: SMB2 deletes no pattern"),
        "{report}"
    );
}

#[test]
fn what_is_not_made_is_given_and_what_is_left_is_removed() {
    let (trace, report) = import(
        "NTCreateX \"\\d\\old\" 0x40 0x1 1 NT_STATUS_OK\n\
         ReadX 1 0 4096 4096 NT_STATUS_OK\n\
         Close 1 NT_STATUS_OK\n\
         NTCreateX \"\\d\\new\" 0x40 0x2 1 NT_STATUS_OK\n\
         Close 1 NT_STATUS_OK\n\
         Deltree \"\\d\" NT_STATUS_OK\n",
    )
    .expect("a sound file");
    let text = text(&trace);
    assert!(
        text.contains("given dir \"d\"\ngiven file \"d/old\" size=4096\n"),
        "{text}"
    );
    let removed: Vec<_> = steps(&trace)
        .into_iter()
        .filter(|step| step.contains("delete-on-close"))
        .collect();
    assert_eq!(
        removed,
        [
            "A create path \"d/old\" access=delete options=non-directory|delete-on-close",
            "A create path \"d/new\" access=delete options=non-directory|delete-on-close",
            "A create path \"d\" access=delete options=directory|delete-on-close",
        ]
    );
    assert_eq!(report.givens, 2);
}

#[test]
fn times_and_sleeps_are_kept() {
    let (trace, _) = import(
        "0.5 Mkdir \"\\a\" NT_STATUS_OK\nSleep 250\nMkdir \"\\b\" NT_STATUS_OK\n2 Rmdir \"\\b\" NT_STATUS_OK\n",
    )
    .expect("a sound file");
    let due: Vec<u64> = trace.steps().map(|step| step.at() / 1_000_000).collect();
    assert_eq!(due, [500, 500, 750, 750, 2250, 2250, 2250]);
}

#[test]
fn all_malformed_lines_are_reported_with_their_place() {
    let text = "Mkdir \"\\a\" NT_STATUS_OK\nOpen 1 NT_STATUS_OK\nClose 7 NT_STATUS_OK\n  ReadX x 0 1 1 NT_STATUS_OK\n";
    let error = import(text).expect_err("three mistakes");
    let ImportErrors::Lines { errors, total } = &error else {
        panic!("{error}")
    };
    let places: Vec<_> = errors
        .iter()
        .map(|error| (error.line, error.column))
        .collect();
    assert_eq!((places, *total), (vec![(2, 1), (3, 1), (4, 9)], 3));
    let shown = error.to_string();
    assert!(shown.contains(" --> test.txt:4:9\n"), "{shown}");
    assert!(
        shown.contains("4 |   ReadX x 0 1 1 NT_STATUS_OK\n  |         ^\n"),
        "{shown}"
    );
    assert!(
        import_dbench(
            Cursor::new([0xff, b'\n']),
            "bytes",
            &DbenchOptions::default()
        )
        .is_err()
    );
    assert!(import(&format!("Mkdir \"{}\" NT_STATUS_OK\n", "x".repeat(100_000))).is_err());
}

#[test]
fn only_the_first_operations_are_taken() {
    let text = "Mkdir \"\\a\" NT_STATUS_OK\n# a comment\nMkdir \"\\b\" NT_STATUS_OK\nnonsense\n";
    let options = DbenchOptions {
        limit: Some(2),
        ..DbenchOptions::default()
    };
    let (trace, report) =
        import_dbench(Cursor::new(text), "test.txt", &options).expect("the rest is not read");
    assert_eq!((trace.len(), report.operations()), (4, 2));
}

/// The load file that Debian's package `dbench` installs; it is not part of this repository.
#[test]
fn the_package_s_load_file_becomes_a_trace() {
    let path = Path::new("/usr/share/dbench/client.txt");
    let Ok(file) = std::fs::File::open(path) else {
        eprintln!("skipped: {} is not there (package dbench)", path.display());
        return;
    };
    let name = path.display().to_string();
    let (trace, report) = import_dbench(
        std::io::BufReader::new(file),
        &name,
        &DbenchOptions::default(),
    )
    .expect("a sound file");
    println!("{report}");
    assert_eq!(
        report.operations(),
        report.lines,
        "every line is an operation"
    );
    assert_eq!(
        report.skipped(),
        1,
        "only the first Deltree finds nothing: {report}"
    );
    assert_eq!(report.givens, 0, "the file makes all that it finds");
    assert_eq!(report.steps(), trace.len() as u64);
    let errors: u64 = report.kinds.values().map(|kind| kind.errors).sum();
    let failing = trace
        .steps()
        .filter(|step| !step.expect().statuses().any(|status| status == 0));
    assert_eq!(
        failing.count() as u64,
        errors,
        "every recorded error is expected of one step"
    );
    assert_eq!(check_trace(&trace), []);
    assert!(std::ptr::eq(trace.vocabulary(), &VOCABULARY));
}
