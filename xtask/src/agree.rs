//! `cargo xtask agree`: captures imported and replayed, and how many answers are as they were in the capture.

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
    /// A file with passwords of the captures' accounts, for what is encrypted or must be known to be imported.
    #[arg(long)]
    passwords: Option<PathBuf>,
    /// Replay at the captures' own times multiplied by this, instead of as fast as possible: servers notice the end of a
    /// connection some time after it, which a capture with such ends depends on.
    #[arg(long)]
    scale: Option<f64>,
    /// How often each is replayed: what differs every time is told from what does not.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// How many kinds of causes are shown of each capture.
    #[arg(long, default_value_t = 5)]
    reasons: usize,
}

/// What came of a capture.
struct Row {
    name: String,
    /// Messages that became no step.
    left_out: u64,
    /// What `smb-replay compare` found in the runs, or why there is nothing.
    compared: Result<Value, &'static str>,
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
    let trace = out.join(format!("{name}.ir"));
    let _ = fs::remove_file(&trace);
    let mut import = runner.program(program, &["import", "pcap", "--no-anonymize"]);
    import.arg(capture).arg("-o").arg(&trace);
    let became = out.join(format!("{name}.txt"));
    if let Ok(file) = fs::File::create(&became) {
        import.stderr(file);
    }
    if let Some(port) = arguments.port {
        import.args(["--port", &port.to_string()]);
    }
    if let Some(passwords) = &arguments.passwords {
        import.arg("--passwords").arg(passwords);
    }
    let imported = runner.run(&mut import, RUNNING);
    if imported.is_err() || !trace.is_file() {
        return Row {
            name,
            left_out: 0,
            compared: Err("not imported"),
        };
    }
    let left_out = left_out(&fs::read_to_string(&became).unwrap_or_default());
    let mut reports = Vec::new();
    for number in 1..=arguments.runs {
        let report = out.join(format!("{name}.{number}.json"));
        let _ = fs::remove_file(&report);
        let mut run = runner.program(program, &["run"]);
        match arguments.scale {
            Some(scale) => run.args(["--scale", &scale.to_string()]),
            None => run.args(["--clock", "asap"]),
        };
        // Samba waits 35 s for an acknowledgement that does not come.
        run.args(["--step-timeout", "60s"]);
        run.arg(&trace).arg("--report").arg(&report);
        // A run that differs ends with an error, and is what is looked for.
        let _ = runner.run(&mut run, RUNNING);
        reports.push(report);
    }
    let compared = compare(
        runner,
        program,
        &trace,
        &reports,
        &out.join(format!("{name}.json")),
    );
    Row {
        name,
        left_out,
        compared: compared.ok_or("not run"),
    }
}

/// What `smb-replay compare --json` says, which also stays in a file.
fn compare(
    runner: &Runner,
    program: &Path,
    trace: &Path,
    reports: &[PathBuf],
    to: &Path,
) -> Option<Value> {
    let mut compare = runner.program(program, &["compare", "--json"]);
    compare.arg(trace).args(reports);
    compare.stdout(fs::File::create(to).ok()?);
    // It ends with an error, too, when there are differences.
    let _ = runner.run(&mut compare, RUNNING);
    serde_json::from_str(&fs::read_to_string(to).ok()?).ok()
}

fn show(rows: &[Row], reasons: usize) {
    println!(
        "| capture | steps | left out | agreed | of the steps | of all | causes | of them steady | consequences | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!("{}", line(row));
    }
    for row in rows {
        let groups = row
            .compared
            .as_ref()
            .ok()
            .and_then(|found| found["groups"].as_array());
        let causes = |group: &&Value| group["causes"].as_u64().unwrap_or(0) > 0;
        let mut groups = groups.into_iter().flatten().filter(causes).peekable();
        if groups.peek().is_none() {
            continue;
        }
        println!("\n{}:", row.name);
        for group in groups.take(reasons) {
            let word = |name: &str| group[name].as_str().unwrap_or("?").to_owned();
            println!(
                "  {} causes and {} consequences: {}: {} instead of {}",
                group["causes"],
                group["consequences"],
                word("verb"),
                word("actual"),
                word("expected")
            );
        }
    }
}

/// A capture's row; what is not the same in all runs is a range.
fn line(row: &Row) -> String {
    let found = match &row.compared {
        Ok(found) => found,
        Err(why) => return format!("| {} | | | | | | | | | {why} |", row.name),
    };
    let runs = found["runs"].as_array().map_or(&[][..], Vec::as_slice);
    let number = |run: &Value, name: &str| run[name].as_u64().unwrap_or(0);
    let range = |name: &str| {
        let all = runs.iter().map(|run| number(run, name).to_string());
        span(all.collect())
    };
    let share = |more: u64| {
        let all = runs.iter().map(|run| match number(run, "steps") + more {
            0 => "-".to_owned(),
            of => format!("{:.2}", 100.0 * number(run, "agreed") as f64 / of as f64),
        });
        span(all.collect()) + " %"
    };
    let verdicts = runs.iter().filter_map(|run| run["verdict"].as_str());
    let causes = found["causes"].as_array().map_or(&[][..], Vec::as_slice);
    let steady = causes
        .iter()
        .filter(|cause| cause["replays"] == found["replays"]);
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        row.name,
        range("steps"),
        row.left_out,
        range("agreed"),
        share(0),
        share(row.left_out),
        range("causes"),
        steady.count(),
        range("consequences"),
        span(verdicts.map(str::to_owned).collect()),
    )
}

/// `7` for what is always the same, `5 to 9` for what is not.
fn span(mut all: Vec<String>) -> String {
    all.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
    match (all.first(), all.last()) {
        (Some(first), Some(last)) if first == last => first.clone(),
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => String::new(),
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
    fn a_row_tells_what_several_runs_came_to() {
        let run = |agreed: u32, causes: u32| {
            serde_json::json!({
                "steps": 200, "agreed": agreed, "causes": causes, "consequences": 3, "verdict": "failed",
            })
        };
        let row = Row {
            name: "lock".to_owned(),
            left_out: 50,
            compared: Ok(serde_json::json!({
                "replays": 2, "runs": [run(190, 4), run(8, 4)],
                "causes": [{"replays": 2}, {"replays": 1}], "groups": [],
            })),
        };
        assert_eq!(
            line(&row),
            "| lock | 200 | 50 | 8 to 190 | 4.00 to 95.00 % | 3.20 to 76.00 % | 4 | 1 | 3 | failed |"
        );
        let row = Row {
            compared: Err("not run"),
            ..row
        };
        assert!(line(&row).ends_with("| not run |"));
    }

    #[test]
    fn what_is_left_out_is_added_up() {
        let report = "all 9 9 9\nadapted: 5 read: x\nleft out: 3 close: y\nleft out: 12 ioctl: z\n";
        assert_eq!(left_out(report), 15);
        assert_eq!(left_out(""), 0);
    }
}
