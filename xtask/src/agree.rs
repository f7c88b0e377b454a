//! `cargo xtask agree`: captures imported and replayed, and how many answers are as they were in the capture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::command::Runner;

/// Building everything from nothing on a small machine.
const BUILDING: Duration = Duration::from_secs(1500);
/// Importing and replaying one capture.
const RUNNING: Duration = Duration::from_secs(900);

/// The arguments of `cargo xtask agree`.
#[derive(Debug, Args)]
pub(crate) struct Agree {
    /// A folder with captures: `.pcap` and `.pcapng`.
    folder: PathBuf,
    /// The port of the server in them, if it is not 445 or 139.
    #[arg(long)]
    port: Option<u16>,
    /// The program, if it is built already; without it, it is built with optimization.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Replay at the captures' own times multiplied by this, instead of as fast as possible: servers notice the end of a
    /// connection some time after it, which a capture with such ends depends on.
    #[arg(long)]
    scale: Option<f64>,
    /// How many reasons are shown of each capture.
    #[arg(long, default_value_t = 5)]
    reasons: usize,
}

/// What came of a capture.
struct Row {
    name: String,
    steps: u64,
    agreed: u64,
    /// Messages that became no step.
    left_out: u64,
    /// Steps that differed, and steps that could not be run.
    differed: u64,
    not_run: u64,
    verdict: String,
    reasons: Vec<(String, u64)>,
}

/// Imports and replays every capture, and prints a table.
pub(crate) fn agree(runner: &Runner, arguments: &Agree) -> ExitCode {
    let program = match program(runner, arguments) {
        Ok(program) => program,
        Err(reason) => {
            println!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    let captures = match captures(&arguments.folder) {
        Ok(captures) if !captures.is_empty() => captures,
        Ok(_) => {
            println!("{}: no captures in it", arguments.folder.display());
            return ExitCode::FAILURE;
        }
        Err(error) => {
            println!("{}: {error}", arguments.folder.display());
            return ExitCode::FAILURE;
        }
    };
    let out = runner.root.join("target/smb-replay/agree");
    if let Err(error) = fs::create_dir_all(&out) {
        println!("{}: {error}", out.display());
        return ExitCode::FAILURE;
    }
    let mut rows = Vec::new();
    for capture in captures {
        rows.push(one(runner, arguments, &program, &capture, &out));
    }
    show(&rows, arguments.reasons);
    ExitCode::SUCCESS
}

fn program(runner: &Runner, arguments: &Agree) -> Result<PathBuf, String> {
    if let Some(program) = &arguments.program {
        return fs::canonicalize(program)
            .map_err(|error| format!("{}: {error}", program.display()));
    }
    let mut cargo = runner.cargo(&["build", "--release", "--package", "smb-replay"]);
    let built = runner.run(&mut cargo, BUILDING);
    built.map_err(|trouble| trouble.to_string())?;
    Ok(runner.root.join("target/release/smb-replay"))
}

fn captures(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(fs::canonicalize(folder)?)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("pcap" | "pcapng")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn one(runner: &Runner, arguments: &Agree, program: &Path, capture: &Path, out: &Path) -> Row {
    let name = capture
        .file_stem()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (trace, report) = (
        out.join(format!("{name}.ir")),
        out.join(format!("{name}.json")),
    );
    for old in [&trace, &report] {
        let _ = fs::remove_file(old);
    }
    let mut import = runner.program(program, &["import", "pcap", "--no-anonymize"]);
    import.arg(capture).arg("-o").arg(&trace);
    let became = out.join(format!("{name}.txt"));
    if let Ok(file) = fs::File::create(&became) {
        import.stderr(file);
    }
    if let Some(port) = arguments.port {
        import.args(["--port", &port.to_string()]);
    }
    let imported = runner.run(&mut import, RUNNING);
    let mut row = Row {
        name,
        steps: 0,
        agreed: 0,
        left_out: 0,
        differed: 0,
        not_run: 0,
        verdict: "not imported".to_owned(),
        reasons: Vec::new(),
    };
    if imported.is_err() || !trace.is_file() {
        return row;
    }
    row.left_out = left_out(&fs::read_to_string(&became).unwrap_or_default());
    let mut run = runner.program(program, &["run"]);
    match arguments.scale {
        Some(scale) => run.args(["--scale", &scale.to_string()]),
        None => run.args(["--clock", "asap"]),
    };
    run.arg(&trace).arg("--report").arg(&report);
    // A run that differs ends with an error, and is what is looked for.
    let _ = runner.run(&mut run, RUNNING);
    let found = fs::read_to_string(&report)
        .ok()
        .and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let Some(found) = found else {
        "not run".clone_into(&mut row.verdict);
        return row;
    };
    let number = |name: &str| found[name].as_u64().unwrap_or(0);
    let length = |name: &str| found[name].as_array().map_or(0, Vec::len) as u64;
    row.steps = number("steps");
    row.agreed = number("answers_agreed");
    row.differed = number("answers_differed_total");
    row.not_run = length("not_run");
    found["verdict"]
        .as_str()
        .unwrap_or("")
        .clone_into(&mut row.verdict);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for difference in found["answers_differed"].as_array().into_iter().flatten() {
        let word = |name: &str| difference[name].as_str().unwrap_or("?").to_owned();
        let reason = format!(
            "{}: {} instead of {}",
            word("verb"),
            word("actual"),
            word("expected")
        );
        *reasons.entry(reason).or_default() += 1;
    }
    row.reasons = reasons.into_iter().collect();
    row.reasons
        .sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    row
}

fn show(rows: &[Row], reasons: usize) {
    println!(
        "| capture | steps | agreed | differed | not run | left out | of the steps | of all | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let share = |of: u64| match of {
            0 => "-".to_owned(),
            of => format!("{:.2} %", 100.0 * row.agreed as f64 / of as f64),
        };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.steps,
            row.agreed,
            row.differed,
            row.not_run,
            row.left_out,
            share(row.steps),
            share(row.steps + row.left_out),
            row.verdict
        );
    }
    for row in rows.iter().filter(|row| !row.reasons.is_empty()) {
        println!("\n{}:", row.name);
        for (reason, count) in row.reasons.iter().take(reasons) {
            println!("  {count} {reason}");
        }
    }
}

/// What an import's report says was left out, in all.
fn left_out(report: &str) -> u64 {
    let lines = report
        .lines()
        .filter_map(|line| line.strip_prefix("left out: "));
    let numbers = lines.filter_map(|line| line.split(' ').next()?.parse::<u64>().ok());
    numbers.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_added_up() {
        let report = "all 9 9 9\nadapted: 5 read: x\nleft out: 3 close: y\nleft out: 12 ioctl: z\n";
        assert_eq!(left_out(report), 15);
        assert_eq!(left_out(""), 0);
    }
}
