//! `cargo xtask mutate`: draws mutations over a folder of traces and prints what became of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use replay_ir::{Check, Trace};
use smb_replay::lab::Lab;
use smb_replay_mutation::{Draw, Kind, Mutation, Outcome, Target, attempt, baseline};

/// Replays traces against a server through a proxy that changes one answer a run.
#[derive(Parser)]
struct Arguments {
    /// Which mutations are drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many.
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// The server, as for `smb-replay run`.
    #[arg(long, default_value = "samba-4.17")]
    server: String,
    /// The folder of the traces.
    #[arg(default_value = "suites/traces")]
    traces: PathBuf,
}

/// A trace with what can be done to its answers.
struct Candidate {
    trace: Arc<Trace>,
    possible: Vec<Mutation>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no threads can be made: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        let lab = Lab::start(&arguments.server).await?;
        let result = mutate(&arguments, &lab).await;
        for trouble in lab.stop().await {
            eprintln!("{trouble}");
        }
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

async fn mutate(arguments: &Arguments, lab: &Lab) -> Result<(), String> {
    let candidates = candidates(&arguments.traces, lab).await?;
    let mut draw = Draw::new(arguments.seed);
    let mut table: BTreeMap<Kind, [usize; 5]> = BTreeMap::new();
    let mut missed = Vec::new();
    for number in 1..=arguments.count {
        let Some((candidate, mutation)) = drawn(&candidates, &mut draw) else {
            return Err("no trace has an answer that could be changed".to_owned());
        };
        let outcome = attempt(lab, &candidate.trace, mutation).await?;
        let (column, shown) = match &outcome {
            Outcome::Caught(how) => (0, how.clone()),
            Outcome::Violation => (1, "violation".to_owned()),
            Outcome::Missed(why) => (2, format!("MISSED: {}", why.unwrap_or("not explained"))),
            Outcome::NotApplicable(why) => (3, format!("not applicable: {why}")),
            Outcome::Allowed(why) => (4, format!("allowed: {why}")),
        };
        table.entry(mutation.kind).or_default()[column] += 1;
        let line = format!(
            "{}: {}: {shown}",
            described(&candidate.trace, mutation),
            mutation.kind.name()
        );
        println!("{number}/{} {line}", arguments.count);
        if column == 2 {
            missed.push(line);
        }
    }
    show(arguments.seed, &table, &missed);
    Ok(())
}

/// The traces that pass through the proxy as it is. Those that judge times are left out: a proxy takes time.
async fn candidates(folder: &Path, lab: &Lab) -> Result<Vec<Candidate>, String> {
    let mut paths = Vec::new();
    collect(folder, &mut paths).map_err(|error| format!("{}: {error}", folder.display()))?;
    paths.sort();
    let mut candidates = Vec::new();
    for path in paths {
        let trace = smb_vocabulary::load(&path).map_err(|error| error.to_string())?;
        if trace
            .checks()
            .iter()
            .any(|check| matches!(check, Check::Time { .. }))
        {
            continue;
        }
        let trace = Arc::new(trace);
        match baseline(lab, &trace).await {
            Ok(possible) => candidates.push(Candidate { trace, possible }),
            Err(reason) => println!("{} is left out: {reason}", path.display()),
        }
    }
    let possible: usize = candidates
        .iter()
        .map(|candidate| candidate.possible.len())
        .sum();
    println!("{} traces, {possible} possible mutations", candidates.len());
    Ok(candidates)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "ir") {
            paths.push(path);
        }
    }
    Ok(())
}

/// A kind first, then one of the traces that have answers for it, then one of those: every kind comes as often, and
/// long traces no more often than short ones.
fn drawn<'c>(candidates: &'c [Candidate], draw: &mut Draw) -> Option<(&'c Candidate, Mutation)> {
    let has = |candidate: &Candidate, kind: Kind| {
        candidate
            .possible
            .iter()
            .any(|mutation| mutation.kind == kind)
    };
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| candidates.iter().any(|candidate| has(candidate, *kind)))
        .collect();
    let kind = *draw.of(&kinds)?;
    let with: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| has(candidate, kind))
        .collect();
    let candidate = *draw.of(&with)?;
    let of_kind: Vec<Mutation> = candidate
        .possible
        .iter()
        .copied()
        .filter(|mutation| mutation.kind == kind)
        .collect();
    draw.of(&of_kind).map(|mutation| (candidate, *mutation))
}

fn described(trace: &Trace, mutation: Mutation) -> String {
    match mutation.target {
        Target::Step(step) => {
            let step = trace.step(step);
            format!("{}:{} {}", trace.name(), step.line(), step.verb().name)
        }
        Target::Break(client, number) => {
            let client = trace.client(client).name();
            format!("{} break {} of {client}", trace.name(), number + 1)
        }
    }
}

fn show(seed: u64, table: &BTreeMap<Kind, [usize; 5]>, missed: &[String]) {
    println!("\nseed {seed}\n");
    println!(
        "| what is changed | tried | caught | violation | missed | not applicable | allowed | share caught |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut all = [0; 5];
    let row = |name: &str, counts: &[usize; 5]| {
        let [caught, violation, missed, not_applicable, allowed] = counts;
        let tried: usize = counts.iter().sum();
        let judged = caught + violation + missed;
        let share = (100 * (caught + violation)).checked_div(judged);
        let share = share.map_or("-".to_owned(), |share| format!("{share} %"));
        println!(
            "| {name} | {tried} | {caught} | {violation} | {missed} | {not_applicable} | {allowed} | {share} |"
        );
    };
    for (kind, counts) in table {
        row(kind.name(), counts);
        for (all, count) in all.iter_mut().zip(counts) {
            *all += count;
        }
    }
    row("all", &all);
    println!("\nmissed: {}", missed.len());
    for line in missed {
        println!("- {line}");
    }
}
