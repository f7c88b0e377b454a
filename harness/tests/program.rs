//! The program as a process, as far as no server is needed: results, messages and exit codes.

mod common;

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{command, run, text};

fn write(folder: &Path, name: &str, content: &str) {
    std::fs::write(folder.join(name), content).expect("written");
}

const GOOD: &str = "ir 1\nclient A user=alice\n\nA create f \"x\" -> OK\nA close f -> OK\n";

#[test]
fn five_mistakes_are_five_located_errors() {
    let folder = tempfile::tempdir().expect("a directory");
    write(
        folder.path(),
        "bad.ir",
        "ir 1\nclient A user=alice\nclient B\nA ecko\nA create f \"x\" colour=red\nA read g len=4\n\
         A close f -> OKAY\n",
    );
    write(folder.path(), "good.ir", GOOD);
    let output = run(folder.path(), &["check", "bad.ir", "good.ir"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = text(&output.stderr);
    assert_eq!(errors.matches("error: ").count(), 5, "{errors}");
    for place in [
        "bad.ir:3:",
        "bad.ir:4:3",
        "bad.ir:5:16",
        "bad.ir:6:8",
        "bad.ir:7:14",
    ] {
        assert!(errors.contains(place), "{place}: {errors}");
    }
    assert!(errors.contains("colour=red"), "{errors}");
    assert_eq!(text(&output.stdout), "good.ir: 2 steps, 1 clients\n");
}

#[test]
fn what_cannot_be_read_or_written_is_said() {
    let folder = tempfile::tempdir().expect("a directory");
    write(folder.path(), "good.ir", GOOD);
    std::os::unix::fs::symlink("good.ir", folder.path().join("link.ir")).expect("a link");
    for (arguments, code, says) in [
        (&["check", "missing.ir"][..], 2, "missing.ir"),
        (&["check", "."], 2, "."),
        (&["run", "missing.ir"], 2, "missing.ir"),
        (&["fmt", "missing.ir"], 2, "missing.ir"),
        (&["fmt", "good.jsonl"], 2, "only the text form"),
        (
            &["convert", "good.ir", "good.json"],
            64,
            ".ir.jsonl.zst is needed",
        ),
        (
            &["convert", "good.ir", "no/such/folder/x.ir"],
            2,
            "no/such/folder",
        ),
        (&["import", "dbench", "missing.txt"], 2, "missing.txt"),
        (
            &["import", "dbench", "good.ir", "-o", "x.txt"],
            64,
            "is needed",
        ),
        (&["import", "dbench", "good.ir"], 2, "good.ir"),
        (&["run", "good.ir", "--backend", "mount"], 64, "native"),
        (&["run", "good.ir", "--server", "windows"], 64, "samba-4.17"),
        (&["run", "good.ir", "--timeout", "5"], 64, "90s"),
        (
            &["run", "good.ir", "--clock", "asap", "--scale", "2"],
            64,
            "--clock paced",
        ),
        (&["convert", "good.ir", "./good.ir"], 64, "what is read"),
        (&["convert", "good.ir", "link.ir"], 64, "what is read"),
        (&["cut", "good.ir", "-o", "good.ir"], 64, "what is read"),
        (
            &["run", "good.ir", "--report", "good.ir"],
            64,
            "what is read",
        ),
        (
            &["run", "good.ir", "--report", "new", "--histograms", "./new"],
            64,
            "--histograms: ./new is what --report is for",
        ),
        (
            &["run", "good.ir", "--report", "no/such/folder/x.json"],
            2,
            "--report: no/such/folder/x.json: ",
        ),
        (
            &["run", "good.ir", "--frames", "f", "--clients", "2"],
            64,
            "--clients",
        ),
        (&["frobnicate"], 64, "frobnicate"),
        (&[], 64, "Usage"),
    ] {
        let output = run(folder.path(), arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(says), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
        let good = std::fs::read_to_string(folder.path().join("good.ir")).expect("read");
        assert_eq!(good, GOOD, "{arguments:?}");
    }
}

/// The output of a program that must end soon.
fn output_soon(mut child: Child) -> Output {
    let until = Instant::now() + Duration::from_secs(20);
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("it has ended")
}

#[test]
fn a_pipe_is_read_once() {
    let folder = tempfile::tempdir().expect("a directory");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let mistakes = GOOD.replace("close", "clsoe");
    for (trace, code, says) in [
        (GOOD, 0, "pipe: 2 steps"),
        (&mistakes, 2, "5 | A clsoe f -> OK"),
    ] {
        let mut command = command(folder.path(), &["check", "pipe"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("it runs");
        std::fs::write(&pipe, trace).expect("it is read");
        let output = output_soon(child);
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{shown}");
        assert!(shown.contains(says), "{shown}");
    }
    // To set clocks, captures are read twice.
    let output = run(folder.path(), &["import", "pcap", "pipe", "pipe"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("pipe: it is no file"));
}

#[test]
fn what_is_for_an_import_is_looked_at_before_it_begins() {
    let folder = tempfile::tempdir().expect("a directory");
    let with_mode = |name: &str, content: &str, mode: u32| {
        write(folder.path(), name, content);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.path().join(name), permissions).expect("ours");
    };
    with_mode("a.pcap", "no capture", 0o644);
    with_mode("short", "15 bytes of it.", 0o600);
    with_mode("open", "more than 16 bytes of a secret", 0o644);
    with_mode("map", "# who\n\nCORP\\smith carol\n", 0o644);
    with_mode("paths", "home/x = ../y\n", 0o644);
    with_mode("keys", "Session Id [0000] 01\nSession Key [zz] 00\n", 0o644);
    for (arguments, code, says) in [
        (
            &["--key-file", "short"][..],
            2,
            "short: a secret of at least 16 bytes",
        ),
        (
            &["--key-file", "open"],
            2,
            "open: others can read it (mode 644)",
        ),
        (&["--key-file", "missing"], 2, "missing: "),
        (
            &["--passwords", "open"],
            2,
            "open: others can read it (mode 644)",
        ),
        (
            &["--identity-map", "map"],
            2,
            "map:3: `from = to` is needed",
        ),
        (&["--path-map", "paths"], 2, "paths:1: `../y` leads out"),
        (&["--keys", "keys"], 2, "keys: line 2: "),
        (&["--keys", "map"], 2, "map: no session keys in it"),
        (&["--replaced", "a.pcap"], 64, "a.pcap is what is read"),
        (
            &["--replaced", "map", "--path-map", "map"],
            64,
            "map is what is read",
        ),
        (
            &["-o", "x.ir", "--replaced", "x.ir"],
            64,
            "x.ir is what --output is for",
        ),
        (&["--replaced", "no/such/x"], 2, "--replaced: no/such/x: "),
        (&["-o", "no/such/x.ir"], 2, "--output: no/such/x.ir: "),
        (&["b.pcap"], 2, "b.pcap: No such file"),
        (&["a.pcap", "--offset", "1"], 64, "1.5s"),
        (
            &["--offset", "1s"],
            64,
            "one for each capture but the first",
        ),
        (
            &["--no-anonymize", "--keep", "x"],
            64,
            "cannot be used with",
        ),
        (&[], 2, "begins neither a pcap nor a pcapng file"),
    ] {
        let all = [&["import", "pcap", "a.pcap"], arguments].concat();
        let output = run(folder.path(), &all);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(says), "{arguments:?}: {message}");
        assert!(!message.contains("secret."), "{arguments:?}: {message}");
        let left = std::fs::read_dir(folder.path()).expect("a directory");
        assert_eq!(left.count(), 6, "{arguments:?}: nothing is left");
    }
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let output = run(Path::new("."), &["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for part in [
        "Examples:",
        "Exit codes:",
        "130",
        "SMB_REPLAY_SERVER",
        "import",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let output = run(Path::new("."), &["run", "--help"]);
    assert!(text(&output.stdout).contains("--step-timeout"));
}

#[test]
fn a_layout_is_checked_and_made() {
    let folder = tempfile::tempdir().expect("a directory");
    write(
        folder.path(),
        "x.ir",
        "ir 1\nclient A   user=alice\n\nA   echo   ->   OK # why\n",
    );
    let output = run(folder.path(), &["fmt", "--check", "x.ir"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "x.ir would change\n");
    assert_eq!(run(folder.path(), &["fmt", "x.ir"]).status.code(), Some(0));
    let formatted = std::fs::read_to_string(folder.path().join("x.ir")).expect("read");
    assert!(formatted.contains("client A user=alice\n") && formatted.contains("# why"));
    assert_eq!(
        run(folder.path(), &["fmt", "--check", "x.ir"])
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn encodings_convert_into_each_other() {
    let folder = tempfile::tempdir().expect("a directory");
    write(folder.path(), "a.ir", GOOD);
    for (from, to) in [
        ("a.ir", "b.ir.jsonl"),
        ("b.ir.jsonl", "c.ir.jsonl.zst"),
        ("c.ir.jsonl.zst", "d.ir"),
    ] {
        let output = run(folder.path(), &["convert", from, to]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    assert_eq!(
        run(folder.path(), &["convert", "a.ir", "e.ir"])
            .status
            .code(),
        Some(0)
    );
    let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("read");
    assert_eq!(read("d.ir"), read("e.ir"));
    let left = std::fs::read_dir(folder.path())
        .expect("a directory")
        .count();
    assert_eq!(left, 5, "no part of a file stays behind");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().expect("a directory");
    write(folder.path(), "x.ir", GOOD);
    let many: Vec<&str> = std::iter::once("check")
        .chain(std::iter::repeat_n("x.ir", 5000))
        .collect();
    for arguments in [&many[..], &["backends"], &["--help"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_smb-replay"))
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        drop(child.stdout.take());
        let mut errors = String::new();
        child
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut errors)
            .expect("read");
        let status = child.wait().expect("it ends");
        assert_eq!(
            (status.code(), errors.as_str()),
            (Some(0), ""),
            "{:?}",
            arguments[0]
        );
    }
}

#[test]
fn backends_say_what_they_can_do() {
    let output = run(Path::new("."), &["backends"]);
    let shown = text(&output.stdout);
    assert!(shown.starts_with("native (mode "), "{shown}");
    assert!(
        shown.contains("\nsmb-rs (mode ") && shown.contains("  verbs: "),
        "{shown}"
    );
}

#[test]
fn a_trace_that_a_backend_cannot_run_is_skipped() {
    let folder = tempfile::tempdir().expect("a directory");
    write(
        folder.path(),
        "x.ir",
        "ir 1\nclient A user=alice\nA create f \"x\" impersonation=0x5\n",
    );
    let output = run(folder.path(), &["run", "x.ir", "--backend", "smb-rs"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("skipped: smb-rs cannot do create impersonation"));
}

#[test]
fn without_a_server_the_sources_are_named() {
    let folder = tempfile::tempdir().expect("a directory");
    write(folder.path(), "x.ir", GOOD);
    let output = Command::new(env!("CARGO_BIN_EXE_smb-replay"))
        .args(["run", "x.ir"])
        .current_dir(folder.path())
        .env("SMB_REPLAY_SOURCE", "docker")
        .env("DOCKER_HOST", "unix:///no/such/socket")
        .env_remove("SMB_REPLAY_SERVER")
        .output()
        .expect("it runs");
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(
        message.contains("docker: ") && message.contains("cargo xtask regressions"),
        "{message}"
    );
}
