//! Runs of many clients against a local smbd: the traces, the runs, and what of their reports is to be shown.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::build;
use super::table::Figure;
use crate::command::Runner;

/// Connecting, making directories and closing, for each client; and for all.
const EACH: Duration = Duration::from_millis(150);
const ALL: Duration = Duration::from_secs(120);

/// What is run.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) clients: u32,
    /// How long steps go on.
    seconds: u64,
    /// Between two steps of a client, in milliseconds.
    period: u64,
    work: Work,
    /// Whether the memory's slope is shown.
    soak: bool,
}

/// What each client does.
#[derive(Debug)]
enum Work {
    /// Reads, writes and echoes on one file that stays open.
    OpenFile,
    /// The same, and files that come and go, locks, queries.
    Mixed,
}

/// The two runs of the bench.
pub(super) fn loads(quick: bool) -> [Load; 2] {
    let load = |clients, period, seconds| Load {
        clients,
        seconds,
        period,
        work: Work::OpenFile,
        soak: false,
    };
    if quick {
        [load(1000, 200, 15), load(5000, 1000, 30)]
    } else {
        [load(1000, 200, 60), load(5000, 1000, 120)]
    }
}

impl Load {
    /// A long run of mixed work: a step of each client five times a second.
    pub(super) fn soak(clients: u32, seconds: u64) -> Self {
        Self {
            clients,
            seconds,
            period: 200,
            work: Work::Mixed,
            soak: true,
        }
    }

    /// The trace of one client.
    fn trace(&self) -> String {
        let mut text = "ir 1\ntitle \"paced work of one client\"\nclient A user=alice\n\
            A create f \"file\" access=rw disposition=open-if -> OK\n\
            A write f offset=0 len=4096 fill=7 -> OK len=4096\n"
            .to_owned();
        let steps: &[&str] = match self.work {
            Work::OpenFile => &[
                "read f offset=0 len=4096 -> OK len=4096 fill=7",
                "write f offset=0 len=4096 fill=7 -> OK len=4096",
                "read f offset=0 len=4096 -> OK len=4096 fill=7",
                "echo",
            ],
            Work::Mixed => &[
                "create g \"other\" access=rw disposition=open-if -> OK",
                "write g offset=0 len=65536 fill=9 -> OK len=65536",
                "lock g range=0..100 exclusive",
                "read f offset=0 len=4096 -> OK len=4096 fill=7",
                "query-info g basic",
                "read g offset=0 len=65536 -> OK len=65536 fill=9",
                "close g",
                "echo",
                "create g \"missing\" access=r disposition=open -> OBJECT_NAME_NOT_FOUND",
                "write f offset=0 len=4096 fill=7 -> OK len=4096",
            ],
        };
        for step in 0..self.seconds * 1000 / self.period {
            let at = (step + 1) * self.period;
            let what = steps[step as usize % steps.len()];
            // Writing to a string cannot fail.
            let _ = writeln!(text, "@{at}ms A {what}");
        }
        text
    }
}

/// Runs it; the program's report.
pub(super) fn run(runner: &Runner, program: &Path, load: &Load) -> Result<Value, String> {
    let place = std::env::temp_dir().join(format!("smb-replay-load-{}", std::process::id()));
    let path = |end: &str| place.with_extension(end).to_string_lossy().into_owned();
    let (trace, report) = (path("ir"), path("json"));
    std::fs::write(&trace, load.trace()).map_err(|error| format!("{trace}: {error}"))?;
    let clients = load.clients.to_string();
    // Opening costs the server more than what follows, so at most 200 clients open in a second.
    let spread = format!("{}ms", u64::from(load.clients) * 5);
    let mut command = runner.program(
        program,
        &[
            "run",
            &trace,
            "--clients",
            &clients,
            "--spread",
            &spread,
            "--calibrate",
            "--connect-timeout",
            "60s",
            "--report",
            &report,
        ],
    );
    command.env("SMB_REPLAY_SOURCE", "local");
    command.env("SMB_REPLAY_ANY_VERSION", "1");
    let limit = ALL + EACH * load.clients + Duration::from_secs(load.seconds * 2);
    let _ = std::fs::remove_file(&report);
    let ran = build::output(runner, &mut command, limit);
    let text = std::fs::read(&report);
    let _ = std::fs::remove_file(&trace);
    let _ = std::fs::remove_file(&report);
    // A run that failed has a report all the same, and its figures are to be seen.
    let found = text
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    match (found, ran) {
        (Some(report), _) => Ok(report),
        (None, Err(reason)) => Err(reason),
        (None, Ok(_)) => Err("the run left no report".to_owned()),
    }
}

/// What of its report is to be shown.
pub(super) fn figures(load: &Load, report: &Value) -> Vec<Figure> {
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
    let (issued, completed) = (
        number("/operations_issued").unwrap_or(-1.0),
        number("/operations_completed").unwrap_or(-2.0),
    );
    let expected = number("/steps").unwrap_or(-3.0);
    let lost = number("/answers_agreed").map_or(f64::NAN, |agreed| expected - agreed);
    let name = |what: &str| format!("{} clients on smbd: {what}", load.clients);
    let micros = |pointer: &str| number(pointer).map_or(f64::NAN, |time| time / 1e3);
    let mut figures = vec![
        Figure::new(name("operations completed"), completed, ""),
        Figure::new(
            name("operations issued and not completed"),
            issued - completed,
            "",
        ),
        Figure::new(
            name("steps that were not as expected, or not run"),
            lost,
            "",
        ),
        Figure::new(
            name("operations a second"),
            number("/steps_per_second").unwrap_or(f64::NAN),
            "ops/s",
        ),
        Figure::new(name("lag p50"), micros("/times/total/lag/p50"), "µs"),
        Figure::new(name("lag p99"), micros("/times/total/lag/p99") / 1e3, "ms"),
        Figure::new(
            name("response p99"),
            micros("/times/total/response/p99") / 1e3,
            "ms",
        ),
        Figure::new(
            name("service p50"),
            micros("/times/total/service/p50"),
            "µs",
        ),
        Figure::new(name("probe p99"), micros("/probe/p99") / 1e3, "ms"),
        Figure::new(
            name("client process, peak"),
            number("/resources/peak_kib").map_or(f64::NAN, |kib| kib / 1024.0),
            "MiB",
        ),
        Figure::new(
            name("CPU of the client process an operation"),
            number("/resources/cpu_s")
                .map_or(f64::NAN, |seconds| seconds * 1e6 / completed.max(1.0)),
            "µs",
        ),
    ];
    if load.soak {
        let change = |what: &str, after: &str, before: &str| {
            let of = |which: &str| number(&format!("/resources/{which}/{what}"));
            of(after)
                .zip(of(before))
                .map_or(f64::NAN, |(after, before)| after - before)
        };
        figures.extend([
            Figure::new(
                name("slope of the memory"),
                number("/resources/slope_kib_per_s").unwrap_or(f64::NAN),
                "KiB/s",
            ),
            Figure::new(
                name("growth of the memory an operation"),
                number("/resources/slope_kib_per_s")
                    .zip(number("/steps_per_second"))
                    .map_or(f64::NAN, |(slope, rate)| slope * 1024.0 / rate),
                "bytes",
            ),
            Figure::new(
                name("samples"),
                number("/resources/samples").unwrap_or(0.0),
                "",
            ),
        ]);
        let meanwhile = ("last sample less first", "last", "first");
        let in_all = ("after less before", "after", "before");
        let changes = [
            ("memory", "resident_kib", meanwhile, "KiB"),
            ("descriptors", "descriptors", meanwhile, ""),
            ("descriptors", "descriptors", in_all, ""),
            ("tasks", "tasks", meanwhile, ""),
            ("tasks", "tasks", in_all, ""),
        ];
        figures.extend(
            changes.map(|(shown, what, (between, after, before), unit)| {
                let value = change(what, after, before);
                Figure::new(name(&format!("{shown}, {between}")), value, unit)
            }),
        );
    }
    figures
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::Table;
    use super::*;

    #[test]
    fn a_trace_has_its_steps_at_their_times() {
        let load = Load::soak(2, 4);
        let text = load.trace();
        assert!(text.contains("\n@200ms A create g "), "{text}");
        assert!(text.ends_with("@4000ms A write f offset=0 len=4096 fill=7 -> OK len=4096\n"));
        assert_eq!(
            text.lines().filter(|line| line.starts_with('@')).count(),
            20
        );
    }

    #[test]
    fn memory_that_grows_with_the_operations_is_a_leak() {
        let grows = |slope: f64| {
            let report = json!({
                "steps": 10, "answers_agreed": 10, "operations_issued": 10, "operations_completed": 10,
                "steps_per_second": 500.0, "resources": {
                    "slope_kib_per_s": slope, "samples": 9,
                    "before": {"resident_kib": 1, "descriptors": 1, "tasks": 1},
                    "after": {"resident_kib": 1, "descriptors": 1, "tasks": 1},
                    "first": {"resident_kib": 1, "descriptors": 1, "tasks": 1},
                    "last": {"resident_kib": 1, "descriptors": 1, "tasks": 1},
                },
            });
            let mut figures = figures(&Load::soak(100, 60), &report);
            figures.retain(|figure| figure.name.ends_with("growth of the memory an operation"));
            let value = figures.first().map(|figure| figure.value);
            let mut table = Table::default();
            table.add(figures);
            (value, table.is_whole())
        };
        assert_eq!(grows(0.25), (Some(0.512), true));
        // Sixteen bytes an operation, the least that an allocator gives.
        assert_eq!(grows(7.8125), (Some(16.0), false));
    }

    #[test]
    fn a_lost_operation_is_seen() {
        let report = json!({
            "steps": 10, "answers_agreed": 8, "operations_issued": 10, "operations_completed": 9,
            "times": {"total": {"lag": {"p99": 2_000_000}}},
        });
        let figures = figures(&loads(true)[0], &report);
        let value = |what: &str| {
            let found = figures.iter().find(|figure| figure.name.ends_with(what));
            found.map(|figure| figure.value)
        };
        assert_eq!(value("issued and not completed"), Some(1.0));
        assert_eq!(value("or not run"), Some(2.0));
        assert_eq!(value("lag p99"), Some(2.0));
    }
}
