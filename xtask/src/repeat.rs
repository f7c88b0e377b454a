//! `cargo xtask repeat`: the regression suite several times over, and what differed between the runs.
//!
//! A verdict that is not the same each time is worth as little as none; this finds the cases that
//! have such verdicts. The suite is built once and its binary started anew for every run, each with
//! a folder of its own for reports and artefacts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::command::{Runner, Trouble};

/// Building everything from nothing on a small machine.
const BUILDING: Duration = Duration::from_secs(1500);
/// One run of the suite.
const RUNNING: Duration = Duration::from_secs(1800);

/// The columns of the table: the word of `report.json`, and what stands above its column.
const VERDICTS: [(&str, &str); 6] = [
    ("passed", "passed"),
    ("failed", "failed"),
    ("known-failure", "known"),
    ("unexpected-pass", "unexpected"),
    ("skipped", "skipped"),
    ("broken", "broken"),
];
/// What gates a release.
const BAD: [&str; 3] = ["failed", "unexpected-pass", "broken"];

/// The arguments of `cargo xtask repeat`.
#[derive(Debug, Args)]
pub(crate) struct Repeat {
    /// How many times the suite is run.
    #[arg(default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    times: u32,
    /// Where the server comes from; without it as for any run of the suite.
    #[arg(long)]
    source: Option<Source>,
    /// Build with all features of all crates.
    #[arg(long)]
    all_features: bool,
    /// Filters and options for the suite, as after `cargo test --test regressions --`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Where a server comes from.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Source {
    Local,
    Docker,
}

/// A run's verdicts by case.
type Verdicts = BTreeMap<String, String>;

/// Runs it.
pub(crate) fn repeat(runner: &Runner, arguments: &Repeat) -> ExitCode {
    let binary = match build(runner, arguments.all_features) {
        Ok(binary) => binary,
        Err(reason) => {
            println!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    let base = runner.root.join("target/smb-replay/repeat");
    let mut runs = Vec::new();
    let mut troubles = Vec::new();
    for number in 1..=arguments.times {
        let folder = base.join(number.to_string());
        let begin = Instant::now();
        match one(runner, arguments, &binary, &folder) {
            Ok(verdicts) => {
                println!(
                    "run {number}: {} in {:.0} s",
                    totals(&verdicts),
                    begin.elapsed().as_secs_f64()
                );
                runs.push(verdicts);
            }
            Err(reason) => {
                println!("run {number}: {reason}");
                troubles.push(format!("run {number}: {reason}"));
            }
        }
        if runner.interrupted.get() {
            break;
        }
    }
    println!();
    print!("{}", table(&runs));
    let differing = differing(&runs);
    println!(
        "\n{} of {} cases had verdicts that differed over {} runs",
        differing.len(),
        names(&runs).len(),
        runs.len()
    );
    for line in &differing {
        println!("  {line}");
    }
    let bad = always_bad(&runs);
    for line in &bad {
        println!("  {line}");
    }
    for trouble in &troubles {
        println!("  {trouble}");
    }
    println!("reports, output and artefacts: {}", base.display());
    match differing.is_empty() && bad.is_empty() && troubles.is_empty() && !runs.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Builds the suite and says where its binary is.
fn build(runner: &Runner, all_features: bool) -> Result<PathBuf, String> {
    let mut cargo = runner.cargo(&["test", "--workspace", "--test", "regressions", "--no-run"]);
    if all_features {
        cargo.arg("--all-features");
    }
    runner
        .run(&mut cargo, BUILDING)
        .map_err(|trouble| trouble.to_string())?;
    // Everything is fresh now, so this only says where the binary is.
    cargo.args(["--quiet", "--message-format", "json"]);
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    executable(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| "cargo does not say where it put the suite's binary".to_owned())
}

/// The suite's binary, out of cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "regressions")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

fn one(
    runner: &Runner,
    arguments: &Repeat,
    binary: &Path,
    folder: &Path,
) -> Result<Verdicts, String> {
    // An earlier run's report must not be taken for this one's.
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(format!("{}: {error}", folder.display()));
    }
    let written = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(written)?;
    let output = File::create(folder.join("output.txt")).map_err(written)?;
    let mut suite = runner.program(binary, &[]);
    suite
        .args(&arguments.rest)
        .env("SMB_REPLAY_ARTIFACTS", folder)
        .env("SMB_REPLAY_REQUIRE", "1")
        .stdout(output.try_clone().map_err(written)?)
        .stderr(output);
    match arguments.source {
        Some(Source::Local) => _ = suite.env("SMB_REPLAY_SOURCE", "local"),
        Some(Source::Docker) => _ = suite.env("SMB_REPLAY_SOURCE", "docker"),
        None => {}
    }
    // A failing case ends it with something else than 0; the report says which.
    match runner.run(&mut suite, RUNNING) {
        Ok(()) | Err(Trouble::Ended(..)) => {}
        Err(trouble) => return Err(trouble.to_string()),
    }
    let report = folder.join("regressions/report.json");
    let text = std::fs::read_to_string(&report)
        .map_err(|error| format!("no report ({error}); see {}/output.txt", folder.display()))?;
    verdicts(&text).map_err(|error| format!("{}: {error}", report.display()))
}

/// The verdicts of a report.
fn verdicts(report: &str) -> Result<Verdicts, String> {
    let report: Value = serde_json::from_str(report).map_err(|error| error.to_string())?;
    let cases = report["cases"].as_array().ok_or("it has no cases")?;
    cases
        .iter()
        .map(|case| {
            let text = |key: &str| case[key].as_str().map(str::to_owned);
            text("name")
                .zip(text("verdict"))
                .ok_or_else(|| "a case without name or verdict".to_owned())
        })
        .collect()
}

fn names(runs: &[Verdicts]) -> BTreeSet<&str> {
    runs.iter()
        .flat_map(|run| run.keys().map(String::as_str))
        .collect()
}

fn count(verdicts: &Verdicts, word: &str, area: Option<&str>) -> usize {
    verdicts
        .iter()
        .filter(|(name, verdict)| *verdict == word && area.is_none_or(|area| area_of(name) == area))
        .count()
}

/// What stands before the first `::` of a case's name.
fn area_of(case: &str) -> &str {
    case.split("::").next().unwrap_or(case)
}

/// `80 passed, 11 known`.
fn totals(verdicts: &Verdicts) -> String {
    let counted = VERDICTS
        .iter()
        .map(|(word, shown)| (count(verdicts, word, None), *shown))
        .filter(|(count, _)| *count > 0)
        .map(|(count, shown)| format!("{count} {shown}"));
    let text = counted.collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        "no case".to_owned()
    } else {
        text
    }
}

/// Cases of a run by area and verdict; `11-12` where the runs differ.
fn table(runs: &[Verdicts]) -> String {
    let areas: BTreeSet<&str> = names(runs).into_iter().map(area_of).collect();
    let mut text = format!("{:<14}", "cases of a run");
    for (_, shown) in VERDICTS {
        text.push_str(&format!("{shown:>12}"));
    }
    text.push('\n');
    for area in areas.into_iter().map(Some).chain([None]) {
        text.push_str(&format!("{:<14}", area.unwrap_or("in all")));
        for (word, _) in VERDICTS {
            let counts: BTreeSet<usize> = runs.iter().map(|run| count(run, word, area)).collect();
            let cell = match (counts.first(), counts.last()) {
                (Some(least), Some(most)) if least != most => format!("{least}-{most}"),
                (Some(count), _) => count.to_string(),
                _ => "-".to_owned(),
            };
            text.push_str(&format!("{cell:>12}"));
        }
        text.push('\n');
    }
    text
}

/// A line for each case whose verdict was not the same in all runs.
fn differing(runs: &[Verdicts]) -> Vec<String> {
    let mut lines = Vec::new();
    for name in names(runs) {
        let mut by_verdict: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (index, run) in runs.iter().enumerate() {
            let verdict = run.get(name).map_or("absent", String::as_str);
            by_verdict
                .entry(verdict)
                .or_default()
                .push((index + 1).to_string());
        }
        if by_verdict.len() > 1 {
            let said = by_verdict.iter().map(|(verdict, runs)| {
                format!("{verdict} in {} (run {})", runs.len(), runs.join(", "))
            });
            lines.push(format!("{name}: {}", said.collect::<Vec<_>>().join("; ")));
        }
    }
    lines
}

/// A line for each case that failed in the same way every time.
fn always_bad(runs: &[Verdicts]) -> Vec<String> {
    let Some((first, rest)) = runs.split_first() else {
        return Vec::new();
    };
    first
        .iter()
        .filter(|(name, verdict)| {
            BAD.contains(&verdict.as_str())
                && rest.iter().all(|run| run.get(*name) == Some(*verdict))
        })
        .map(|(name, verdict)| format!("{name}: {verdict} every time"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cases: &[(&str, &str)]) -> Verdicts {
        let cases: Vec<Value> = cases
            .iter()
            .map(|(name, verdict)| serde_json::json!({"name": name, "verdict": verdict}))
            .collect();
        verdicts(&serde_json::json!({ "cases": cases }).to_string()).expect("a report")
    }

    #[test]
    fn cases_that_differ_are_named_with_their_runs() {
        let runs = [
            run(&[
                ("lock::a", "passed"),
                ("lock::b", "passed"),
                ("io::c", "failed"),
            ]),
            run(&[
                ("lock::a", "failed"),
                ("lock::b", "passed"),
                ("io::c", "failed"),
            ]),
            run(&[("lock::a", "passed"), ("io::c", "failed")]),
        ];
        assert_eq!(
            differing(&runs),
            [
                "lock::a: failed in 1 (run 2); passed in 2 (run 1, 3)",
                "lock::b: absent in 1 (run 3); passed in 2 (run 1, 2)",
            ]
        );
        assert_eq!(always_bad(&runs), ["io::c: failed every time"]);
        let table = table(&runs);
        let row = |area: &str| {
            let line = table.lines().find(|line| line.starts_with(area));
            line.expect("a row")
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(row("lock")[1..3], ["1-2", "0-1"]);
        assert_eq!(row("io")[1..3], ["0", "1"]);
        assert_eq!(row("in all")[2..4], ["1-2", "1-2"]);
    }

    #[test]
    fn a_report_without_cases_is_refused() {
        assert!(verdicts("{}").is_err());
        assert!(verdicts(r#"{"cases":[{"name":"a"}]}"#).is_err());
        assert!(differing(&[]).is_empty() && always_bad(&[]).is_empty());
    }

    #[test]
    fn the_binary_is_found_among_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/o"}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"regressions"},"executable":"/r"}"#,
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/r")));
        assert_eq!(executable(""), None);
    }
}
