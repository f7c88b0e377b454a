//! The runner as a process: names, filters, verdicts, the report, signals. No server is involved:
//! the suite's function returns a verdict by the trace's name.
//!
//! This binary is both: with `RUNNER_FIXTURE` set it is the suite, otherwise it is the tests that
//! run itself as the suite.

use std::io::Read;
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

mod fixture {
    use std::time::Duration;

    use smb_replay::prelude::*;

    #[smb_replay::suite(
        traces = "tests/traces/**/*.ir",
        servers = [samba("4.17")],
        known = "tests/known.toml",
    )]
    async fn outcomes(case: Case) -> Result<Verdict, String> {
        let name = case
            .path()
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Ok(match name.as_str() {
            "fails" | "known" => Verdict::Failed("expected OK, got ACCESS_DENIED".to_owned()),
            "known-otherwise" => Verdict::Failed("expected OK, got SHARING_VIOLATION".to_owned()),
            "skipped" => Verdict::Skipped("no oplocks here".to_owned()),
            "broken" => Verdict::Broken("the server went away".to_owned()),
            "panics" => panic!("a case of its own"),
            "errs" => return Err("an error of its own".to_owned()),
            "sleeps" if std::env::var_os("RUNNER_SLEEP").is_some() => {
                println!("asleep");
                tokio::time::sleep(Duration::from_secs(5)).await;
                Verdict::Passed
            }
            _ => Verdict::Passed,
        })
    }
}

type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    if std::env::var_os("RUNNER_FIXTURE").is_some() {
        return fixture::main();
    }
    let tests: Vec<(&str, Test)> = vec![
        ("lists_names_and_nothing_else", lists_names_and_nothing_else),
        ("filters_select", filters_select),
        ("verdicts_become_outcomes", verdicts_become_outcomes),
        (
            "processes_of_a_nextest_run_share_a_report",
            processes_of_a_nextest_run_share_a_report,
        ),
        (
            "a_senseless_environment_is_refused",
            a_senseless_environment_is_refused,
        ),
        (
            "signals_end_a_run_in_good_order",
            signals_end_a_run_in_good_order,
        ),
    ];
    let trials = tests
        .into_iter()
        .map(|(name, test)| Trial::test(name, test))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The suite, with artefacts in a folder of its own.
struct Suite {
    artifacts: tempfile::TempDir,
}

impl Suite {
    fn new() -> Self {
        Self {
            artifacts: tempfile::tempdir().expect("a directory"),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .env("RUNNER_FIXTURE", "1");
        command.env("SMB_REPLAY_ARTIFACTS", self.artifacts.path());
        for name in [
            "CI",
            "IR_UPDATE",
            "NEXTEST_RUN_ID",
            "SMB_REPLAY_REQUIRE",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    fn report(&self) -> Value {
        let path = self.artifacts.path().join("outcomes/report.json");
        serde_json::from_slice(&std::fs::read(path).expect("a report")).expect("JSON")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lists_names_and_nothing_else() -> Result<(), Failed> {
    let suite = Suite::new();
    let output = suite.run(&["--list", "--format", "terse"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
    let names = text(&output.stdout);
    let names: Vec<_> = names.lines().collect();
    assert_eq!(names.len(), 11, "{names:?}");
    assert!(
        names.contains(&"area::known_but_passes::native::samba_4_17: test"),
        "{names:?}"
    );
    assert!(
        names.contains(&"other_area::passes_2nd::native::samba_4_17: test"),
        "{names:?}"
    );
    let ignored = suite.run(&["--list", "--format", "terse", "--ignored"]);
    assert_eq!(text(&ignored.stdout), "");
    assert!(
        !suite.artifacts.path().join("outcomes").exists(),
        "listing writes nothing"
    );
    Ok(())
}

fn filters_select() -> Result<(), Failed> {
    let suite = Suite::new();
    let ran = |arguments: &[&str]| {
        suite.run(arguments);
        suite.report()["cases"].as_array().expect("cases").len()
    };
    assert_eq!(ran(&["passes"]), 3);
    assert_eq!(ran(&["passes", "skipped"]), 4);
    assert_eq!(ran(&["passes", "--skip", "known"]), 2);
    assert_eq!(ran(&["--exact", "area::passes::native::samba-4.17"]), 1);
    assert_eq!(ran(&["--exact", "area::passes"]), 0);
    assert_eq!(ran(&["--ignored"]), 0);
    assert_eq!(ran(&["passes", "--no-capture", "--test-threads", "1"]), 3);
    Ok(())
}

fn verdicts_become_outcomes() -> Result<(), Failed> {
    let suite = Suite::new();
    let output = suite.run(&[]);
    assert_eq!(output.status.code(), Some(101));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let totals = &suite.report()["totals"];
    let expected = [
        ("passed", 3),
        ("failed", 4),
        ("known-failure", 1),
        ("unexpected-pass", 1),
        ("skipped", 1),
        ("broken", 1),
    ];
    for (verdict, count) in expected {
        assert_eq!(totals[verdict], count, "{verdict}: {totals}\n{out}");
    }
    for shown in [
        "expected OK, got ACCESS_DENIED",
        "the server went away",
        "a case of its own",
        "an error of its own",
        "listed as a known failure (no longer true)",
        "failed in another way",
    ] {
        assert!(out.contains(shown), "{shown}: {out}");
    }
    assert!(err.contains("area::renamed::*` matches no case"), "{err}");
    assert!(err.contains("report: "), "{err}");
    assert!(
        suite
            .run(&["--exact", "area::known::native::samba_4_17"])
            .status
            .success()
    );
    assert!(!suite.run(&["known_but_passes"]).status.success());
    Ok(())
}

fn processes_of_a_nextest_run_share_a_report() -> Result<(), Failed> {
    let suite = Suite::new();
    let run = |id, name| {
        let mut command = suite.command(&["--exact", name, "--nocapture"]);
        assert!(
            command
                .env("NEXTEST_RUN_ID", id)
                .output()
                .expect("it runs")
                .status
                .success()
        );
        suite.report()["cases"].as_array().expect("cases").len()
    };
    assert_eq!(run("one", "area::passes::native::samba_4_17"), 1);
    assert_eq!(run("one", "area::skipped::native::samba_4_17"), 2);
    assert_eq!(run("two", "area::passes::native::samba_4_17"), 1);
    Ok(())
}

fn a_senseless_environment_is_refused() -> Result<(), Failed> {
    let suite = Suite::new();
    let with = |name, value| {
        let output = suite
            .command(&[])
            .env(name, value)
            .env("CI", "true")
            .output();
        let output = output.expect("it runs");
        (output.status.code(), text(&output.stderr))
    };
    let (code, message) = with("IR_UPDATE", "overwrite");
    assert_eq!(code, Some(2));
    assert!(message.contains("refused when CI is set"), "{message}");
    let (code, message) = with("IR_UPDATE", "perhaps");
    assert_eq!(code, Some(2));
    assert!(message.contains("IR_UPDATE=perhaps"), "{message}");
    Ok(())
}

fn signals_end_a_run_in_good_order() -> Result<(), Failed> {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let suite = Suite::new();
        let mut command = suite.command(&["area::s", "--test-threads", "1"]);
        command
            .env("RUNNER_SLEEP", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut out = child.stdout.take().expect("piped");
        let mut seen = Vec::new();
        while !text(&seen).contains("asleep") {
            let mut byte = [0];
            assert_eq!(out.read(&mut byte)?, 1, "it ended early: {}", text(&seen));
            seen.extend(byte);
        }
        let begin = Instant::now();
        assert!(
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()?
                .success()
        );
        out.read_to_end(&mut seen)?;
        assert_eq!(child.wait()?.code(), Some(code));
        assert!(begin.elapsed() < Duration::from_secs(10));
        assert!(
            suite.report()["cases"]
                .as_array()
                .is_some_and(|cases| !cases.is_empty())
        );
    }
    Ok(())
}
