//! What is run for each command, and the table at the end.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::command::Runner;
use crate::setup::{self, Sources};
use crate::{arrows, book};

/// How long a step may take that compiles everything from nothing on a small machine.
const BUILDING: Duration = Duration::from_secs(2400);
/// How long a step may take that runs what has been compiled.
const RUNNING: Duration = Duration::from_secs(900);
/// How long a mutation run may take: each mutation is a replay.
const MUTATING: Duration = Duration::from_secs(7200);
const SUITE: &[&str] = &[
    "test",
    "--package",
    "smb-replay-suites",
    "--test",
    "regressions",
];

/// `cargo xtask regressions`.
pub(crate) fn regressions(runner: &Runner, may_install: bool, rest: &[String]) -> ExitCode {
    let sources = setup::bring_up(runner, may_install, false);
    if !sources.docker && !sources.local {
        return ExitCode::FAILURE;
    }
    let mut cargo = runner.cargo(SUITE);
    cargo.env("SMB_REPLAY_REQUIRE", "1").arg("--").args(rest);
    let result = runner.run(&mut cargo, BUILDING + RUNNING);
    let report = runner
        .root
        .join("target/smb-replay/regressions/report.json");
    if report.is_file() {
        println!("report: {}", report.display());
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            println!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

/// `cargo xtask test`.
pub(crate) fn test(runner: &Runner, may_install: bool) -> ExitCode {
    let mut table = Table {
        runner,
        rows: Vec::new(),
    };
    let mut sources = Sources {
        docker: false,
        local: false,
    };
    table.step("set up", || {
        sources = setup::bring_up(runner, may_install, true);
        match sources.docker || sources.local {
            true => Ok(Done::Passed),
            false => Err("no server can be had on this machine".to_owned()),
        }
    });
    let environment = setup::python_environment(runner, may_install);
    // Without a domain controller or Python's development files the suite in a domain is not built.
    let domain = sources.docker && environment.is_ok() && setup::has_python_dev();
    let features: &[&str] = match domain {
        true => &["--all-features"],
        false => &[],
    };
    table.step("format", || {
        run(runner, &["fmt", "--all", "--", "--check"], RUNNING, |_| {})
    });
    table.step("arrows between the crates", || check_arrows(runner));
    table.step("pages and links of the book", || {
        sentences(book::broken(&runner.root))
    });
    // One build of everything serves this and all that follow; the suite is among the tests, on
    // the source of servers that comes first.
    table.step("tests and examples in the documentation", || {
        let all = [&["test", "--workspace", "--no-fail-fast"], features].concat();
        run(runner, &all, BUILDING, |_| {})
    });
    // The tests have run it on Docker where that is there. In the same build, so that nothing is compiled again.
    let suite = [&["test", "--workspace", "--test", "regressions"], features].concat();
    table.step("suite on local", || match (sources.docker, sources.local) {
        (true, true) => run(runner, &suite, RUNNING, |cargo| {
            _ = cargo.env("SMB_REPLAY_SOURCE", "local")
        }),
        (false, true) => Ok(Done::Skipped("it was among the tests")),
        (_, false) => Ok(Done::Skipped("smbd is not on this machine")),
    });
    table.step("suite by nextest", || nextest(runner, features));
    table.step("Python", || python(runner, environment));
    if !domain {
        table.step("suite in a domain", || {
            let why = "it needs Docker, python3-dev and the Python packages";
            match std::env::var_os("SMB_REPLAY_REQUIRE").is_some_and(|value| value == "1") {
                true => Err(why.to_owned()),
                false => Ok(Done::Skipped(why)),
            }
        });
    }
    table.step("lints", || {
        let lints = [
            &["clippy", "--workspace", "--all-targets"],
            features,
            &["--", "--deny", "warnings"],
        ];
        run(runner, &lints.concat(), BUILDING, |_| {})
    });
    table.show()
}

/// `cargo xtask mutate`.
pub(crate) fn mutate(runner: &Runner, rest: &[String]) -> ExitCode {
    let mut cargo = runner.cargo(&["run", "--quiet", "--package", "smb-replay-mutation", "--"]);
    match runner.run(cargo.args(rest), BUILDING + MUTATING) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            println!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

fn nextest(runner: &Runner, features: &[&str]) -> Result<Done, String> {
    if !runner.succeeds("cargo-nextest", &["nextest", "--version"]) {
        return Ok(Done::Skipped("cargo-nextest is not installed"));
    }
    let suite = ["nextest", "run", "--workspace", "--test", "regressions"];
    let arguments = [&suite, features].concat();
    run(runner, &arguments, RUNNING, |_| {})
}

/// The types and the tests of the Python package.
fn python(runner: &Runner, environment: Result<(), String>) -> Result<Done, String> {
    environment?;
    for tool in ["mypy", "pytest"] {
        let path = runner.root.join(setup::ENVIRONMENT).join("bin").join(tool);
        let mut command = runner.program(&path, &[]);
        command.current_dir(runner.root.join("ldap-provision"));
        runner
            .run(&mut command, RUNNING)
            .map_err(|trouble| trouble.to_string())?;
    }
    Ok(Done::Passed)
}

fn check_arrows(runner: &Runner) -> Result<Done, String> {
    let mut command = runner.cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    sentences(arrows::broken(&String::from_utf8_lossy(&output.stdout))?)
}

fn sentences(broken: Vec<String>) -> Result<Done, String> {
    if broken.is_empty() {
        Ok(Done::Passed)
    } else {
        Err(broken.join("\n"))
    }
}

fn run(
    runner: &Runner,
    arguments: &[&str],
    limit: Duration,
    adjust: impl FnOnce(&mut Command),
) -> Result<Done, String> {
    let mut command = runner.cargo(arguments);
    adjust(&mut command);
    println!("$ {}", crate::command::shown(&command));
    runner
        .run(&mut command, limit)
        .map(|()| Done::Passed)
        .map_err(|trouble| trouble.to_string())
}

/// How a step that did not fail ended.
#[derive(Debug, Clone, Copy)]
enum Done {
    Passed,
    /// With the reason.
    Skipped(&'static str),
}

/// The steps that have been, with their times.
struct Table<'a> {
    runner: &'a Runner,
    rows: Vec<(String, Duration, Result<Done, String>)>,
}

impl Table<'_> {
    /// Runs a step. A failure does not keep the others from running; an interrupt does.
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Done, String>) {
        println!("\n== {name}");
        let begin = Instant::now();
        let result = if self.runner.interrupted.get() {
            Err("interrupted".to_owned())
        } else {
            work()
        };
        if let Err(reason) = &result {
            println!("{reason}");
        }
        self.rows.push((name.to_owned(), begin.elapsed(), result));
    }

    fn show(&self) -> ExitCode {
        println!();
        for (name, time, result) in &self.rows {
            let word = match result {
                Ok(Done::Passed) => "ok".to_owned(),
                Ok(Done::Skipped(reason)) => format!("skipped: {reason}"),
                Err(reason) => format!("FAILED: {}", reason.lines().next().unwrap_or_default()),
            };
            println!("{name:<42}{:>8.1} s  {word}", time.as_secs_f64());
        }
        let all: Duration = self.rows.iter().map(|(_, time, _)| *time).sum();
        let failed = self
            .rows
            .iter()
            .filter(|(_, _, result)| result.is_err())
            .count();
        let all = all.as_secs_f64();
        println!(
            "{:<42}{all:>8.1} s  {failed} of {} failed",
            "in all",
            self.rows.len()
        );
        if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
