//! `cargo xtask bench`: what the engine and the clients cost, in one table and as JSON.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::{Value, json};

use crate::command::{Runner, Trouble, shown};

/// Building with optimization from nothing, and running, on a small machine.
const LIMIT: Duration = Duration::from_secs(3600);

/// The arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How many seconds the engine's paced part takes; 0 for none.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// The engine alone, without a server.
    #[arg(long)]
    engine_only: bool,
    /// Where the JSON goes.
    #[arg(
        long,
        value_name = "FILE.json",
        default_value = "target/smb-replay/bench.json"
    )]
    json: PathBuf,
}

/// Runs it.
pub(crate) fn bench(runner: &Runner, arguments: &Bench) -> ExitCode {
    let seconds = arguments.seconds.to_string();
    let engine = ["replay-engine", "scheduler", "--seconds", &seconds];
    let clients = ["smb-backends", "one_connection"];
    let mut benches = vec![&engine[..]];
    if !arguments.engine_only {
        benches.push(&clients[..]);
    }
    let json = runner.root.join(&arguments.json);
    let mut results = Vec::new();
    let mut whole = true;
    for bench in benches {
        match one(runner, bench, &json) {
            Ok(result) => results.push(result),
            Err(reason) => {
                println!("{}: {reason}", bench[1]);
                whole = false;
            }
        }
    }
    println!("| figure | value |\n|---|---|");
    for (figure, value) in results.iter().flat_map(|result| &result.rows) {
        println!("| {figure} | {value} |");
    }
    for line in results.iter().flat_map(|result| &result.others) {
        println!("{line}");
    }
    match write(&json, &document(&results)) {
        Ok(()) => println!("as JSON: {}", json.display()),
        Err(error) => {
            println!("{}: {error}", json.display());
            whole = false;
        }
    }
    if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What a bench printed.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    command: String,
    /// Rows of its table with two columns.
    rows: Vec<(String, String)>,
    others: Vec<String>,
}

/// Runs one: package, bench, its own arguments.
fn one(runner: &Runner, bench: &[&str], json: &Path) -> Result<Printed, String> {
    let mut cargo = runner.cargo(&["bench", "-p", bench[0], "--bench", bench[1], "--"]);
    cargo.args(&bench[2..]);
    let command = shown(&cargo);
    let output = json.with_extension(format!("{}.txt", bench[1]));
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let file = File::create(&output).map_err(|error| format!("{}: {error}", output.display()))?;
    cargo.stdout(file);
    runner
        .run(&mut cargo, LIMIT)
        .map_err(|trouble: Trouble| trouble.to_string())?;
    let text = std::fs::read_to_string(&output)
        .map_err(|error| format!("{}: {error}", output.display()))?;
    Ok(printed(command, &text))
}

fn printed(command: String, text: &str) -> Printed {
    let mut printed = Printed {
        command,
        rows: Vec::new(),
        others: Vec::new(),
    };
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let cells = line
            .strip_prefix("| ")
            .and_then(|line| line.strip_suffix(" |")?.split_once(" | "));
        match cells {
            Some(("figure", _)) => {}
            Some((figure, value)) => printed.rows.push((figure.to_owned(), value.to_owned())),
            None if line.starts_with("|--") => {}
            None => printed.others.push(line.to_owned()),
        }
    }
    printed
}

/// Everything, with what is to be known about the machine.
fn document(results: &[Printed]) -> Value {
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let benches: Vec<Value> = results
        .iter()
        .map(|result| {
            let rows: Vec<Value> = result
                .rows
                .iter()
                .map(|(figure, value)| json!({ "figure": figure, "value": value }))
                .collect();
            json!({ "command": result.command, "figures": rows, "output": result.others })
        })
        .collect();
    json!({
        "version": 1,
        "unix_time": seconds,
        "machine": {
            "cpus": std::thread::available_parallelism().map_or(0, usize::from),
            "cpu": value_of("/proc/cpuinfo", "model name"),
            "kernel": first_line("/proc/sys/kernel/osrelease"),
            "load": first_line("/proc/loadavg"),
        },
        "benches": benches,
    })
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The value of the first `key : value` line.
fn value_of(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':')
        .map(|(_, value)| value.trim().to_owned())
}

fn write(path: &Path, document: &Value) -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_table_are_told_from_the_rest() {
        let text =
            "server: x\n| figure | value |\n|---|---|\n| drift | p50 1, p99 2 µs |\n\nlast\n";
        let printed = printed("cargo bench".to_owned(), text);
        let row = ("drift".to_owned(), "p50 1, p99 2 µs".to_owned());
        assert_eq!(printed.rows, [row]);
        assert_eq!(printed.others, ["server: x", "last"]);
        let document = document(&[printed]);
        assert_eq!(document["benches"][0]["figures"][0]["figure"], "drift");
        assert_eq!(document["version"], 1);
    }
}
