//! `smb-replay validate`: what each client can carry of mode 2, with what was measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use replay_engine::{Backend, RunOptions, RunReport, Verdict};
use replay_ir::Trace;
use smb_vocabulary::VOCABULARY;

use super::{Exit, output, say};
use crate::lab::Lab;
use crate::{backends, resources};

/// Bounds of the times, in nanoseconds: p50 and p99.
const P50: u64 = 5_000_000;
const P99: u64 = 50_000_000;
/// Bound of the memory of a connection with an open file, in bytes.
const MEMORY: u64 = 1 << 20;
/// Connections of the memory row.
const CONNECTIONS: u64 = 100;
/// Operations of the timing row.
const OPERATIONS: usize = 2000;
/// The clients that are looked at, in the order of the table.
const CLIENTS: [&str; 2] = ["smb-rs", "native"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Light {
    Green,
    Amber,
    Red,
    /// There is nothing to judge.
    None,
}

struct Row {
    what: &'static str,
    light: Light,
    measured: String,
}

/// Runs the tests and prints the table.
pub(super) fn validate(server: &str) -> Exit {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(format_args!("no threads can be made: {error}"));
            return Exit::Broken;
        }
    };
    runtime.block_on(async {
        let lab = match Lab::start(server).await {
            Ok(lab) => lab,
            Err(reason) => {
                say(reason);
                return Exit::NoServer;
            }
        };
        let mut text = String::new();
        let mut exit = Exit::Passed;
        for client in CLIENTS {
            match rows(&lab, client).await {
                Ok(rows) => text.push_str(&table(client, &rows)),
                Err(reason) => {
                    say(format_args!("{client}: {reason}"));
                    exit = Exit::Broken;
                }
            }
        }
        for trouble in lab.stop().await {
            say(trouble);
        }
        if output::write(&text) {
            exit
        } else {
            Exit::BadInput
        }
    })
}

fn table(client: &str, rows: &[Row]) -> String {
    let mut text = format!("## {client}\n\n| test | verdict | measured |\n|---|---|---|\n");
    for (number, row) in rows.iter().enumerate() {
        let light = match row.light {
            Light::Green => "green",
            Light::Amber => "amber",
            Light::Red => "red",
            Light::None => "-",
        };
        text.push_str(&format!(
            "| {}. {} | {light} | {} |\n",
            number + 1,
            row.what,
            row.measured
        ));
    }
    text.push('\n');
    text
}

async fn rows(lab: &Lab, client: &str) -> Result<Vec<Row>, String> {
    let backend = backends::by_name(client)?;
    let all = |what, steps: &'static [(&'static str, &'static str)]| {
        several(lab, Arc::clone(&backend), what, steps)
    };
    Ok(vec![
        all("connection", CONNECT).await?,
        all("file operations", FILES).await?,
        all("oplock interface", OPLOCKS).await?,
        all("oplock breaks: received and acknowledged", BREAKS).await?,
        timing(lab, Arc::clone(&backend)).await?,
        memory(lab, Arc::clone(&backend)).await?,
        impacket(lab).await?,
    ])
}

/// What is tried, each with the trace that tries it: clients A and B, and a file `x` of 4096 bytes.
const CONNECT: &[(&str, &str)] = &[
    ("2.0.2", "client C user=alice dialect=2.0.2\nC echo\n"),
    (
        "3.0 encrypted",
        "client C user=alice dialect=3.0 encryption=required\nC echo\n",
    ),
    (
        "3.1.1 signed",
        "client C user=alice dialect=3.1.1 signing=required\nC echo\n",
    ),
    (
        "3.1.1 encrypted",
        "client C user=alice dialect=3.1.1 encryption=required\nC echo\n",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "read and write",
        "A create f \"x\" access=rw\nA write f len=512 fill=3\nA read f len=512 -> OK fill=3\nA flush f\nA close f\n",
    ),
    (
        "directory",
        "A create d \"d\" access=r options=directory\nA query-directory d\nA close d\n",
    ),
    (
        "information",
        "A create f \"x\" access=rw\nA query-info f standard -> OK size=4096\nA set-info f end-of-file size=5\nA close f\n",
    ),
    (
        "lock",
        "A create f \"x\" access=rw\nA lock f range=0..1\nA close f\n",
    ),
    (
        "share mode",
        "a: A create f \"x\" access=rw share=r\nB create g \"x\" access=rw after=a -> SHARING_VIOLATION\n",
    ),
];

const OPLOCKS: &[(&str, &str)] = &[
    (
        "ii",
        "A create f \"x\" access=rw share=rwd oplock=ii -> OK oplock=ii\n",
    ),
    (
        "exclusive",
        "A create f \"x\" access=rw share=rwd oplock=exclusive -> OK oplock=exclusive\n",
    ),
    (
        "batch",
        "A create f \"x\" access=rw share=rwd oplock=batch -> OK oplock=batch\n",
    ),
    (
        "lease",
        "A create f \"x\" access=rw share=rwd lease-key=k lease-state=rwh -> OK lease-state=rwh\n",
    ),
];

const BREAKS: &[(&str, &str)] = &[
    (
        "batch to level II",
        "a: A create f \"x\" access=rw share=rwd oplock=batch\nB create g \"x\" access=rw share=rwd after=a\n\
         A break f batch->ii within=20s\n",
    ),
    (
        "lease rwh to rh",
        "a: A create f \"x\" access=rw share=rwd lease-key=k lease-state=rwh\n\
         B create g \"x\" access=rw share=rwd after=a\nA break f rwh->rh within=20s\n",
    ),
];

fn trace(steps: &str) -> Result<Arc<Trace>, String> {
    let text = format!(
        "ir 1\nmode {}\ngiven file \"x\" size=4096 fill=7\ngiven dir \"d\"\nclient A user=alice\nclient B user=bob\n{steps}",
        if steps.contains("A break") { 2 } else { 1 }
    );
    let trace = replay_ir::load_str("validate.ir", &text, &VOCABULARY);
    trace.map(Arc::new).map_err(|errors| errors.to_string())
}

async fn replay(
    lab: &Lab,
    backend: Arc<dyn Backend>,
    trace: Arc<Trace>,
) -> Result<RunReport, String> {
    let options = RunOptions {
        run_timeout: Some(Duration::from_secs(120)),
        ..RunOptions::default()
    };
    let through = |site: &replay_engine::Site| Ok(site.target.address);
    lab.replay("validate", trace, backend, options, &through)
        .await
}

/// Green when all goes, amber when some does, red when nothing does.
async fn several(
    lab: &Lab,
    backend: Arc<dyn Backend>,
    what: &'static str,
    tried: &[(&str, &str)],
) -> Result<Row, String> {
    let (mut passed, mut not) = (0, Vec::new());
    let begin = Instant::now();
    for (name, steps) in tried {
        let trace = trace(steps)?;
        if let Some(reason) = replay_engine::skip_reason(&trace, &*backend) {
            not.push(format!("{name}: {reason}"));
            continue;
        }
        let run = replay(lab, Arc::clone(&backend), trace).await?;
        match run.verdict {
            Verdict::Passed => passed += 1,
            verdict => {
                let first = run.differences.first().map(ToString::to_string);
                not.push(format!(
                    "{name}: {}",
                    first.unwrap_or_else(|| verdict.to_string())
                ));
            }
        }
    }
    let mut measured = format!(
        "{passed} of {} in {:.1} s",
        tried.len(),
        begin.elapsed().as_secs_f64()
    );
    for reason in not {
        measured.push_str("; ");
        measured.push_str(&reason.replace('\n', " ").replace('|', "\\|"));
    }
    let light = match passed {
        0 => Light::Red,
        _ if passed == tried.len() => Light::Green,
        _ => Light::Amber,
    };
    Ok(Row {
        what,
        light,
        measured,
    })
}

async fn timing(lab: &Lab, backend: Arc<dyn Backend>) -> Result<Row, String> {
    let mut steps = "A create f \"x\" access=rw\n".to_owned();
    for _ in 0..OPERATIONS / 2 {
        steps.push_str("A write f len=4096 fill=3\nA read f len=4096 -> OK fill=3\n");
    }
    let run = replay(lab, backend, trace(&steps)?).await?;
    if run.verdict != Verdict::Passed {
        return Err(format!("the timing trace: {}", run.verdict));
    }
    let service = &run.times.total.service;
    let (p50, p99) = (
        service.value_at_quantile(0.5),
        service.value_at_quantile(0.99),
    );
    let light = match (p50 < P50, p99 < P99) {
        (true, true) => Light::Green,
        (true, false) | (false, true) => Light::Amber,
        (false, false) => Light::Red,
    };
    let milliseconds = |time: u64| time as f64 / 1e6;
    Ok(Row {
        what: "timing of 4 KiB reads and writes (green: p50 < 5 ms, p99 < 50 ms)",
        light,
        measured: format!(
            "p50 {:.2} ms, p99 {:.2} ms, {} operations",
            milliseconds(p50),
            milliseconds(p99),
            service.len()
        ),
    })
}

async fn memory(lab: &Lab, backend: Arc<dyn Backend>) -> Result<Row, String> {
    const WHAT: &str = "memory of a connection with an open file (green: < 1 MiB)";
    let many = |count: u64| {
        let clients: String = (0..count)
            .map(|n| format!("client C{n} user=alice\n"))
            .collect();
        let opens: String = (0..count)
            .map(|n| format!("C{n} create f{n} \"x\" access=r share=rwd\n@1500ms C{n} pause\n"))
            .collect();
        trace(&(clients + &opens))
    };
    // What is allocated once is there before it is measured.
    replay(lab, Arc::clone(&backend), many(10)?).await?;
    let Some(before) = resident() else {
        return Ok(Row {
            what: WHAT,
            light: Light::None,
            measured: "this system does not tell".to_owned(),
        });
    };
    let (most, over) = (
        Arc::new(AtomicU64::new(before)),
        Arc::new(AtomicBool::new(false)),
    );
    let watch = {
        let (most, over) = (Arc::clone(&most), Arc::clone(&over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(resident().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let run = replay(lab, backend, many(CONNECTIONS)?).await;
    over.store(true, Ordering::Relaxed);
    // It only sleeps and looks.
    let _ = watch.join();
    let run = run?;
    if run.verdict != Verdict::Passed {
        return Err(format!("{CONNECTIONS} connections: {}", run.verdict));
    }
    let each = most.load(Ordering::Relaxed).saturating_sub(before) / CONNECTIONS;
    Ok(Row {
        what: WHAT,
        light: match each {
            0..MEMORY => Light::Green,
            _ if each < 4 * MEMORY => Light::Amber,
            _ => Light::Red,
        },
        measured: format!("{} KiB each, {CONNECTIONS} connections", each / 1024),
    })
}

/// The resident memory of this process in bytes, on Linux.
fn resident() -> Option<u64> {
    resources::resident_kib().map(|kib| kib * 1024)
}

async fn impacket(lab: &Lab) -> Result<Row, String> {
    const WHAT: &str = "Impacket worker";
    match backends::by_name("impacket") {
        Ok(backend) => several(lab, backend, WHAT, FILES).await,
        Err(_) => Ok(Row {
            what: WHAT,
            light: Light::None,
            measured: "not built".to_owned(),
        }),
    }
}
