//! What the engine costs without a server: operations per second as fast as possible, and how late paced dispatches
//! are beside a thread that does nothing but sleep until the same moments, at the same time, and beside a task per
//! client with tokio's own timers, afterwards.
//!
//! `cargo bench -p replay-engine --bench scheduler [-- --seconds N]` prints a table. Figures are ratios of one run;
//! a busy machine shows in the probe's row.

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use replay_engine::{
    Clock, NullBackend, OpTimes, RunOptions, RunReport, Site, Target, Verdict, run,
};
use replay_ir::random::SplitMix64;
use replay_ir::{StepSpec, Trace, TraceBuilder};
use support::VOCABULARY;

const ASAP_CLIENTS: usize = 1_000;
const ASAP_OPERATIONS: usize = 1_000_000;
const PACED_CLIENTS: usize = 5_000;
const PACED_RATE: f64 = 10_000.0;

fn main() {
    println!("| figure | value |\n|---|---|");
    asap();
    match seconds() {
        seconds if seconds > 0.0 => paced(seconds),
        _ => {}
    }
}

/// `--seconds N`, how long the paced part takes, 0 for none; other arguments are cargo's.
fn seconds() -> f64 {
    let mut args = std::env::args()
        .skip_while(|arg| arg != "--seconds")
        .skip(1);
    args.next()
        .and_then(|value| value.parse().ok())
        .unwrap_or(5.0)
}

fn asap() {
    let trace = trace(
        ASAP_CLIENTS,
        (0..ASAP_OPERATIONS).map(|index| (index % ASAP_CLIENTS, None)),
    );
    let options = RunOptions {
        clock: Clock::Asap,
        ..RunOptions::default()
    };
    let mut best = f64::MAX;
    let mut cpu = u64::MAX;
    for _ in 0..3 {
        let before = on_cpu();
        let report = replay(&trace, &options);
        best = best.min(report.duration.as_secs_f64());
        cpu = cpu.min(on_cpu() - before);
    }
    let rate = ASAP_OPERATIONS as f64 / best / 1e6;
    let cpu = cpu as f64 / ASAP_OPERATIONS as f64;
    let what = format!("asap, {ASAP_CLIENTS} clients, {ASAP_OPERATIONS} operations, best of 3");
    println!("| {what} | {rate:.2} M ops/s |");
    println!("| the same, CPU time with set-up and report | {cpu:.0} ns an operation |");
}

/// Nanoseconds that this thread has been on a CPU; 0 where the kernel does not say. Unlike elapsed time it holds on a
/// busy machine, too.
fn on_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

fn paced(seconds: f64) {
    let moments = poisson(seconds);
    let mut random = SplitMix64::new(7);
    let steps: Vec<(usize, u64)> = moments
        .iter()
        .map(|&at| (random.draw() as usize % PACED_CLIENTS, at))
        .collect();
    let trace = trace(
        PACED_CLIENTS,
        steps.iter().map(|&(client, at)| (client, Some(at))),
    );
    let report = replay(
        &trace,
        &RunOptions {
            clock: Clock::default(),
            calibrate: true,
            ..RunOptions::default()
        },
    );
    let probe = report.probe.expect("a paced run has a probe");
    let tasks = tasks(&steps);
    let OpTimes { lag, fault, .. } = &report.times.total;
    let what = format!("paced, {PACED_CLIENTS} clients, {PACED_RATE} ops/s, {seconds} s");
    row(&format!("{what}: drift"), lag);
    row(&format!("{what}: scheduler fault"), fault);
    row("clock_nanosleep probe, same moments, same time", &probe);
    row(
        "a task per client with tokio's sleep_until, same moments",
        &tasks,
    );
    let ratio =
        |quantile: f64, floor: f64| micros(lag, quantile) / micros(&probe, quantile).max(floor);
    println!("| drift p50 / probe p50 | {:.2} |", ratio(0.5, 0.0));
    println!(
        "| drift p99 / max(probe p99, 150 µs) | {:.2} |",
        ratio(0.99, 150.0)
    );
    println!(
        "| drift p50 / p50 of a task per client | {:.3} |",
        micros(lag, 0.5) / micros(&tasks, 0.5)
    );
}

/// How late tasks wake that each sleep until the moments of one client with tokio's own timers.
fn tasks(steps: &[(usize, u64)]) -> Histogram<u64> {
    let mut of_clients = vec![Vec::new(); PACED_CLIENTS];
    for &(client, at) in steps {
        of_clients[client].push(at);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        // All tasks are there before the first moment.
        let start = tokio::time::Instant::now() + Duration::from_millis(200);
        let tasks: Vec<_> = of_clients
            .into_iter()
            .map(|moments| {
                tokio::spawn(async move {
                    let mut late = Vec::with_capacity(moments.len());
                    for at in moments {
                        let due = start + Duration::from_nanos(at);
                        tokio::time::sleep_until(due).await;
                        late.push(tokio::time::Instant::now().saturating_duration_since(due));
                    }
                    late
                })
            })
            .collect();
        let mut all = Histogram::new(3).expect("three significant digits are in range");
        for task in tasks {
            for late in task.await.expect("a task does not panic") {
                all.record(late.as_nanos() as u64)
                    .expect("histograms that resize take any lateness");
            }
        }
        all
    })
}

fn row(what: &str, histogram: &Histogram<u64>) {
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
        println!("| {what} {name} | {:.1} µs |", micros(histogram, quantile));
    }
}

fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

fn replay(trace: &Arc<Trace>, options: &RunOptions) -> RunReport {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let target = Target {
        address: ([127, 0, 0, 1], 1).into(),
        host: String::new(),
        share: String::new(),
        root: String::new(),
        realm: None,
    };
    let site = Site {
        target,
        identities: BTreeMap::new(),
    };
    let report = runtime.block_on(run(
        trace.clone(),
        Arc::new(NullBackend::default()),
        &site,
        options,
    ));
    assert_eq!(report.verdict, Verdict::Passed);
    report
}

fn trace(clients: usize, steps: impl Iterator<Item = (usize, Option<u64>)>) -> Arc<Trace> {
    let mut builder = TraceBuilder::new(&VOCABULARY, "bench");
    let anonymous = [("anonymous".into(), replay_ir::OwnedValue::Flag)];
    let names: Vec<String> = (0..clients).map(|index| format!("c{index}")).collect();
    for name in &names {
        builder.client(name, &anonymous);
    }
    for (client, at) in steps {
        builder.step(&StepSpec {
            at,
            ..StepSpec::new(names[client].as_str(), "echo")
        });
    }
    Arc::new(builder.build().expect("the trace is valid"))
}

/// Arrivals at random, in nanoseconds from the start.
fn poisson(seconds: f64) -> Vec<u64> {
    let mut random = SplitMix64::new(1);
    let mut at = 0.0;
    let mut moments = Vec::new();
    while at < seconds {
        let uniform = (random.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        at -= (1.0 - uniform).ln() / PACED_RATE;
        moments.push((at * 1e9) as u64);
    }
    moments
}
