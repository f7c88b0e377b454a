//! What an operation costs on one connection, for every backend that is compiled in, beside smbtorture on the same
//! server in the same run; and what a connection costs in memory.
//!
//!     SMB_REPLAY_SOURCE=local cargo bench -p smb-backends --bench one_connection [-- SECONDS [ROUNDS [CONNECTIONS]]]
//!
//! Each figure is the median of ROUNDS (3) runs of SECONDS (2) each, in turn, so that noise hits all alike. The client
//! runs on one thread. CPU is user and system time of the client's process alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use replay_engine::{
    Backend, ClientContext, Connection, EventKind, EventQueue, Identity, Op, Outcome, RunState,
};
use replay_ir::{ClientId, StepId, Trace, load_str};
use samba_servers::{CaseSite, ServerSpec, StartOptions};
use secrecy::ExposeSecret as _;
use smb_vocabulary::VOCABULARY;

/// Step numbers below are those of this trace.
const TRACE: &str = r#"ir 1
client A user=alice
A echo
A create f "bench" access=rw disposition=open-if
A close f
A create g "data" access=rw disposition=open-if
A write g len=4096 fill=7 -> OK len=4096
A read g len=4096 -> OK len=4096
"#;

/// Name, and the steps that make one operation.
const OPERATIONS: [(&str, &[u32]); 4] = [
    ("echo", &[0]),
    ("create+close", &[1, 2]),
    ("4 KiB write", &[4]),
    ("4 KiB read", &[5]),
];

/// What one run of one operation gave.
#[derive(Clone, Copy)]
struct Figures {
    per_second: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let number = |at: usize, default: u64| numbers.get(at).copied().unwrap_or(default);
    let (seconds, rounds) = (Duration::from_secs(number(0, 2)), number(1, 3));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let spec = ServerSpec::samba("4.17").expect("a known version");
        let options = StartOptions::from_env().expect("the environment is in order");
        let options = StartOptions {
            any_version: true,
            ..options
        };
        let server = match samba_servers::start(&spec, &options).await {
            Ok(server) => server,
            Err(error) => return println!("there is no server: {error}"),
        };
        let site = server
            .open_case("bench", &["alice".to_owned()])
            .await
            .expect("a place");
        println!("server: {}", server.describe());
        speed(&site, seconds, rounds).await;
        memory(&site, number(2, 500)).await;
        site.close(false).await.expect("the place is cleaned up");
        server.stop().await.expect("the server stops");
    });
}

fn backends() -> Vec<Arc<dyn Backend>> {
    vec![
        #[cfg(feature = "native")]
        Arc::new(smb_backends::native::Native::new()),
        #[cfg(feature = "smb-rs")]
        Arc::new(smb_backends::smb_rs::SmbRs::new()),
    ]
}

async fn speed(site: &CaseSite, seconds: Duration, rounds: u64) {
    println!(
        "{:<12} {:<14} {:>9} {:>10} {:>8} {:>8}",
        "client", "operation", "ops/s", "CPU us/op", "p50 us", "p99 us"
    );
    let mut rows: Vec<(String, &str, Vec<Figures>)> = Vec::new();
    let mut add = |client: &str, operation: &'static str, figures: Figures| match rows
        .iter_mut()
        .find(|row| row.0 == client && row.1 == operation)
    {
        Some(row) => row.2.push(figures),
        None => rows.push((client.to_owned(), operation, vec![figures])),
    };
    for _ in 0..rounds {
        for backend in backends() {
            let mut client =
                Client::connect(&*backend, site, site.identities["alice"].clone()).await;
            client.run(3).await;
            for (operation, steps) in OPERATIONS {
                add(
                    backend.name(),
                    operation,
                    client.measure(steps, seconds).await,
                );
            }
            client.close().await;
        }
        for (operation, test, counted) in [
            ("echo", "smb2.bench.echo", "echo"),
            ("create+close", "smb2.bench.path-contention-shared", "close"),
        ] {
            if let Some(figures) = smbtorture(site, test, counted, seconds) {
                add("smbtorture", operation, figures);
            }
        }
    }
    for (client, operation, figures) in rows {
        let median = |value: fn(&Figures) -> f64| {
            let mut values: Vec<_> = figures.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let dash = |value: f64| {
            if value.is_nan() {
                "-".to_owned()
            } else {
                format!("{value:.0}")
            }
        };
        println!(
            "{client:<12} {operation:<14} {:>9.0} {:>10.1} {:>8} {:>8}",
            median(|figures| figures.per_second),
            median(|figures| figures.cpu_us),
            dash(median(|figures| figures.p50_us)),
            dash(median(|figures| figures.p99_us)),
        );
    }
}

/// What the process grows by for each further connection with an open file, beyond the first hundred.
async fn memory(site: &CaseSite, connections: u64) {
    for backend in backends() {
        let mut clients = Vec::new();
        let mut before = 0;
        for count in 0..100 + connections {
            if count == 100 {
                before = resident_kib();
            }
            let mut client =
                Client::connect(&*backend, site, site.identities["alice"].clone()).await;
            client.run(3).await;
            clients.push(client);
        }
        let grown = resident_kib().saturating_sub(before);
        let each = grown as f64 / connections as f64;
        println!(
            "{}: {each:.1} KiB for each of {connections} connections with an open file",
            backend.name()
        );
        for client in clients {
            client.close().await;
        }
    }
}

/// One client and its reports.
struct Client {
    connection: Box<dyn Connection>,
    queue: EventQueue,
    batch: Vec<replay_engine::Event>,
}

impl Client {
    async fn connect(backend: &dyn Backend, site: &CaseSite, identity: Identity) -> Self {
        let trace: Arc<Trace> = Arc::new(load_str("bench", TRACE, &VOCABULARY).expect("a trace"));
        let queue = EventQueue::new();
        let context = ClientContext {
            trace,
            client: ClientId(0),
            target: site.target.clone(),
            identity: Some(identity),
            sids: Arc::default(),
            events: queue.events(ClientId(0)),
            run: RunState::default(),
        };
        let mut client = Self {
            connection: backend.client(context),
            queue,
            batch: Vec::new(),
        };
        client.submit(Op::Connect).await;
        client
    }

    /// Submits one operation and waits for its end.
    async fn submit(&mut self, op: Op) {
        self.connection.submit(&[op]);
        loop {
            self.queue.arrived().await;
            self.queue.take(&mut self.batch);
            for event in &self.batch {
                match &event.kind {
                    EventKind::Done(_, Outcome::Answered(answer)) if answer.status == 0 => return,
                    EventKind::Interim(..) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    async fn run(&mut self, step: u32) {
        self.submit(Op::Step(StepId(step))).await;
    }

    async fn measure(&mut self, steps: &[u32], seconds: Duration) -> Figures {
        let mut latencies: Vec<u32> = Vec::with_capacity(1 << 18);
        let (begun, cpu) = (Instant::now(), cpu_us("self", 11));
        let mut last = begun;
        while last - begun < seconds {
            for step in steps {
                self.run(*step).await;
            }
            let now = Instant::now();
            latencies.push((now - last).as_nanos().try_into().unwrap_or(u32::MAX));
            last = now;
        }
        let cpu = cpu_us("self", 11) - cpu;
        let count = latencies.len() as f64;
        latencies.sort_unstable();
        let quantile = |q: f64| f64::from(latencies[((count - 1.0) * q) as usize]) / 1000.0;
        Figures {
            per_second: count / (last - begun).as_secs_f64(),
            cpu_us: cpu / count,
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
        }
    }

    async fn close(self) {
        self.connection.close().await.expect("the client closes");
    }
}

/// One smbtorture run; `None` where it is not installed or says something else than usual.
fn smbtorture(site: &CaseSite, test: &str, counted: &str, seconds: Duration) -> Option<Figures> {
    let identity = &site.identities["alice"];
    // The password goes by a file: arguments can be seen by everybody.
    let account = std::env::temp_dir().join(format!("smb-replay-bench-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&account)
        .ok()?;
    let password = identity.password.expose_secret();
    write!(
        file,
        "username={}\npassword={password}\ndomain={}\n",
        identity.account, identity.domain
    )
    .ok()?;
    let cpu = cpu_us("self", 13);
    let output = Command::new("smbtorture")
        .arg(format!(
            "//{}/{}",
            site.target.address.ip(),
            site.target.share
        ))
        .args(["-p", &site.target.address.port().to_string(), "-A"])
        .arg(&account)
        .arg(format!("--option=torture:timelimit={}", seconds.as_secs()))
        .args([
            "--option=torture:nprocs=1",
            "--option=torture:qdepth=1",
            test,
        ])
        .output();
    fs::remove_file(&account).ok()?;
    // It shows its progress on standard error, in one line that it overwrites.
    let text = String::from_utf8_lossy(&output.ok()?.stderr).into_owned();
    let marker = format!("{counted}[num/s=");
    let rates = text
        .split(&marker)
        .skip(1)
        .filter_map(|rest| rest.split(',').next()?.parse::<f64>().ok());
    let rates: Vec<_> = rates.collect();
    if rates.is_empty() {
        return None;
    }
    let per_second = rates.iter().sum::<f64>() / rates.len() as f64;
    // Its login is in this too, some milliseconds.
    let cpu_us = (cpu_us("self", 13) - cpu) / (per_second * seconds.as_secs_f64());
    Some(Figures {
        per_second,
        cpu_us,
        p50_us: f64::NAN,
        p99_us: f64::NAN,
    })
}

/// User and system time in microseconds, from two fields of /proc/PID/stat beginning at `field` (proc(5), from 0 behind
/// the name): 11 for the process, 13 for the children that it has waited for.
fn cpu_us(process: &str, field: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name
        .split(' ')
        .skip(field)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() * 10_000.0
}

/// Resident memory in KiB.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}
