//! `cargo xtask bench`: what the engine, the clients and a run of many clients cost, against their bars, in one table
//! and as JSON. `cargo xtask soak`: whether a long run keeps what it takes.

mod build;
mod many;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use crate::command::Runner;
use build::Programs;
use many::Load;
use table::{Figure, Table};

/// Running one bench, on a small and busy machine.
const LIMIT: Duration = Duration::from_secs(1800);
/// Valgrind makes the loop some fifty times slower.
const INSTRUCTIONS: &str = "*Instrumented*poll*";

/// The arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Short runs: about 8 minutes after the build instead of about 20.
    #[arg(long)]
    quick: bool,
    /// Keep two threads busy beside everything.
    #[arg(long)]
    busy: bool,
    /// The engine alone, without a server.
    #[arg(long)]
    engine_only: bool,
    /// Leave out the runs with 1000 and 5000 clients.
    #[arg(long)]
    no_many: bool,
    /// Where the JSON goes.
    #[arg(
        long,
        value_name = "FILE.json",
        default_value = "target/smb-replay/bench.json"
    )]
    json: PathBuf,
}

/// The arguments of `cargo xtask soak`.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// How long, in minutes.
    #[arg(long, default_value_t = 30)]
    minutes: u32,
    /// How many clients.
    #[arg(long, default_value_t = 100)]
    clients: u32,
}

/// Runs the benches.
pub(crate) fn bench(runner: &Runner, arguments: &Bench) -> ExitCode {
    let programs = match Programs::build(runner) {
        Ok(programs) => programs,
        Err(reason) => {
            println!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    let _busy = arguments.busy.then(Busy::start);
    let mut table = Table::default();
    engine(runner, &programs, arguments, &mut table);
    if !arguments.engine_only {
        clients(runner, &programs, arguments, &mut table);
        if !arguments.no_many {
            for load in many::loads(arguments.quick) {
                println!("{} clients on a local smbd …", load.clients);
                match many::run(runner, &programs.smb_replay, &load) {
                    Ok(report) => table.add(many::figures(&load, &report)),
                    Err(reason) => table.trouble(format!("{} clients: {reason}", load.clients)),
                }
            }
        }
    }
    println!("{table}");
    let json = runner.root.join(&arguments.json);
    match table.save(&json, arguments.quick, arguments.busy) {
        Ok(()) => println!("as JSON: {}", json.display()),
        Err(error) => table.trouble(format!("{}: {error}", json.display())),
    }
    if table.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs for long, and shows what was sampled.
pub(crate) fn soak(runner: &Runner, arguments: &Soak) -> ExitCode {
    let programs = match Programs::build(runner) {
        Ok(programs) => programs,
        Err(reason) => {
            println!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    let load = Load::soak(arguments.clients, u64::from(arguments.minutes) * 60);
    match many::run(runner, &programs.smb_replay, &load) {
        Ok(report) => {
            let mut table = Table::default();
            table.add(many::figures(&load, &report));
            println!("{table}");
            if table.is_whole() && report["verdict"] == "passed" {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// The engine without a server. What a busy moment spoils is taken from the best of three runs.
fn engine(runner: &Runner, programs: &Programs, arguments: &Bench, table: &mut Table) {
    let seconds = if arguments.quick { "4" } else { "10" };
    let mut rounds = Vec::new();
    for round in 1..=3 {
        println!("the engine, {round} of 3 …");
        let mut command = runner.program(&programs.scheduler, &["--seconds", seconds]);
        match build::output(runner, &mut command, LIMIT) {
            Ok(text) => rounds.push(table::rows(&text)),
            Err(reason) => table.trouble(reason),
        }
    }
    table.add(table::best(rounds));
    let instructions = instructions(runner, programs);
    match instructions {
        Ok(figure) => table.add(vec![figure]),
        Err(reason) => table.trouble(format!("instructions an operation: {reason}")),
    }
}

/// Instructions an operation of the engine's loop, counted by callgrind.
fn instructions(runner: &Runner, programs: &Programs) -> Result<Figure, String> {
    if !runner.succeeds("valgrind", &["--version"]) {
        return Err("valgrind is not installed".to_owned());
    }
    println!("the engine under callgrind …");
    let out = std::env::temp_dir().join(format!("smb-replay-callgrind-{}", std::process::id()));
    let toggle = format!("--toggle-collect={INSTRUCTIONS}");
    let file = format!("--callgrind-out-file={}", out.display());
    let bench = programs.scheduler.to_string_lossy();
    let arguments = ["--tool=callgrind", &toggle, &file, &bench, "--seconds", "0"];
    let mut command = runner.program("valgrind", &arguments);
    command.stderr(std::process::Stdio::null());
    let ran = build::output(runner, &mut command, LIMIT);
    let text = std::fs::read_to_string(&out);
    let _ = std::fs::remove_file(&out);
    ran?;
    let text = text.map_err(|error| error.to_string())?;
    let total = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("summary: ")
                .or(line.strip_prefix("totals: "))
        })
        .and_then(|total| total.trim().parse::<f64>().ok())
        .ok_or("callgrind said no total")?;
    // The bench runs a million operations three times.
    Ok(Figure::new(
        "asap: instructions an operation",
        total / 3e6,
        "",
    ))
}

/// The clients beside others on the same server.
fn clients(runner: &Runner, programs: &Programs, arguments: &Bench, table: &mut Table) {
    println!("one connection, and some, on a local smbd …");
    let python = build::impacket(runner);
    let (seconds, rounds, connections) = if arguments.quick {
        ("1", "5", "900")
    } else {
        ("2", "9", "900")
    };
    let mut command = runner.program(&programs.one_connection, &[seconds, rounds, connections]);
    command.env("SMB_REPLAY_SOURCE", "local");
    command.env("SMB_REPLAY_ANY_VERSION", "1");
    match &python {
        Ok(python) => {
            command.env("SMB_REPLAY_BENCH_PYTHON", python);
        }
        Err(reason) => table.trouble(format!("impacket: {reason}")),
    }
    match build::output(runner, &mut command, LIMIT) {
        Ok(text) => {
            table.add(table::rows(&text));
            table.note(&text);
        }
        Err(reason) => table.trouble(reason),
    }
}

/// Two threads that do nothing, as fast as they can.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..2 {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
