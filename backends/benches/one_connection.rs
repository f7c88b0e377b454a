//! What an operation costs on 1, 10 and 100 connections, for every backend that is compiled in, beside smbtorture and the
//! Impacket library on the same server in the same run; and what a connection costs in memory.
//!
//!     SMB_REPLAY_SOURCE=local cargo bench -p smb-backends --bench one_connection [-- SECONDS [ROUNDS [CONNECTIONS]]]
//!
//! `SMB_REPLAY_BENCH_PYTHON` names a Python that has Impacket. Ratios are rows of a table, `cargo xtask bench` has their bars.
//!
//! Each figure is the median of ROUNDS (3) runs of SECONDS (2) each, in turn, so that noise hits all alike. The client
//! runs on one thread. CPU is user and system time of the client's process alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use replay_engine::{
    Backend, ClientContext, Connection, EventKind, EventQueue, Identity, Op, Outcome, RunState,
};
use replay_ir::{ClientId, StepId, Trace, load_str};
use samba_servers::{CaseAccounts, CaseSite, ServerSpec, StartOptions};
use secrecy::ExposeSecret as _;
use smb_vocabulary::VOCABULARY;

/// Step numbers below are those of this trace. What is created and closed is what smbtorture opens, a directory that is there.
const TRACE: &str = r#"ir 1
client A user=alice
A echo
A create f "" access=read-attributes share=rwd disposition=open options=open-reparse-point
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

/// How many connections work at the same time; on more than one the native client alone, with the first operations.
const CONNECTIONS: [usize; 3] = [1, 10, 100];
const OF_MANY: usize = 2;

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
            .open_case("bench", &CaseAccounts::users(["alice"]))
            .await
            .expect("a place");
        println!("server: {}", server.describe());
        speed(&site, seconds, rounds).await;
        memory(&site, number(2, 900)).await;
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

/// A client, an operation, on so many connections.
type Key = (String, &'static str, usize);

async fn speed(site: &CaseSite, seconds: Duration, rounds: u64) {
    println!(
        "{:<12} {:<14} {:>5} {:>9} {:>10} {:>8} {:>8}",
        "client", "operation", "conns", "ops/s", "CPU us/op", "p50 us", "p99 us"
    );
    let mut rows: Vec<(Key, Vec<Figures>)> = Vec::new();
    let mut add = |key: Key, figures: Figures| match rows.iter_mut().find(|row| row.0 == key) {
        Some(row) => row.1.push(figures),
        None => rows.push((key, vec![figures])),
    };
    for _ in 0..rounds {
        for backend in backends() {
            for connections in CONNECTIONS {
                let many = connections > 1;
                if many && backend.name() != "native" {
                    continue;
                }
                let mut clients = Vec::new();
                for _ in 0..connections {
                    let identity = site.identities["alice"].clone();
                    clients.push(Client::connect(&*backend, site, identity).await);
                }
                clients[0].run(3).await;
                let count = if many { OF_MANY } else { OPERATIONS.len() };
                for (operation, steps) in &OPERATIONS[..count] {
                    let figures;
                    (clients, figures) = measure(clients, steps, seconds).await;
                    add((backend.name().to_owned(), operation, connections), figures);
                }
                for client in clients {
                    client.close().await;
                }
            }
        }
        for connections in CONNECTIONS {
            for (operation, test, counted) in [
                ("echo", "smb2.bench.echo", "echo"),
                ("create+close", "smb2.bench.path-contention-shared", "close"),
            ] {
                if let Some(figures) = smbtorture(site, test, counted, connections, seconds) {
                    add(("smbtorture".to_owned(), operation, connections), figures);
                }
            }
        }
        if let Some(figures) = impacket(site, seconds) {
            add(("impacket".to_owned(), "4 KiB read", 1), figures);
        }
    }
    let median = |figures: &[Figures], value: fn(&Figures) -> f64| {
        let mut values: Vec<_> = figures.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    for ((client, operation, connections), figures) in &rows {
        let dash = |value: f64| {
            if value.is_nan() {
                "-".to_owned()
            } else {
                format!("{value:.0}")
            }
        };
        println!(
            "{client:<12} {operation:<14} {connections:>5} {:>9.0} {:>10.1} {:>8} {:>8}",
            median(figures, |figures| figures.per_second),
            median(figures, |figures| figures.cpu_us),
            dash(median(figures, |figures| figures.p50_us)),
            dash(median(figures, |figures| figures.p99_us)),
        );
    }
    // The ratio of each round, and of these the median: what disturbs a round disturbs both.
    let ratio = |other: &str, operation: &'static str, connections, value: fn(&Figures) -> f64| {
        let of = |client: &str| {
            let key = (client.to_owned(), operation, connections);
            rows.iter().find(|row| row.0 == key).map(|row| &row.1)
        };
        let pairs = of("native")?.iter().zip(of(other)?);
        let mut ratios: Vec<f64> = pairs
            .map(|(ours, theirs)| value(ours) / value(theirs))
            .collect();
        ratios.sort_by(f64::total_cmp);
        Some(ratios[ratios.len() / 2])
    };
    println!("| figure | value |\n|---|---|");
    for (operation, _) in &OPERATIONS[..OF_MANY] {
        for n in CONNECTIONS {
            let rate = ratio("smbtorture", operation, n, |figures| figures.per_second);
            let cpu = ratio("smbtorture", operation, n, |figures| figures.cpu_us);
            if let (Some(rate), Some(cpu)) = (rate, cpu) {
                println!("| {operation}, n = {n}: native / smbtorture: ops/s | {rate:.2} |");
                println!(
                    "| {operation}, n = {n}: native / smbtorture: CPU an operation | {cpu:.2} |"
                );
            }
        }
    }
    if let Some(rate) = ratio("impacket", "4 KiB read", 1, |figures| figures.per_second) {
        println!("| 4 KiB read: native / Impacket: ops/s | {rate:.1} |");
    }
}

/// All clients do the same at the same time, each one operation after the other.
async fn measure(
    clients: Vec<Client>,
    steps: &'static [u32],
    seconds: Duration,
) -> (Vec<Client>, Figures) {
    let (begun, cpu) = (Instant::now(), cpu_us("self", 11));
    let working: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(client.work(steps, begun + seconds)))
        .collect();
    let (mut clients, mut latencies) = (Vec::new(), Vec::new());
    for client in working {
        let (client, mut took) = client.await.expect("the client works");
        clients.push(client);
        latencies.append(&mut took);
    }
    let (took, cpu) = (begun.elapsed(), cpu_us("self", 11) - cpu);
    let count = latencies.len() as f64;
    latencies.sort_unstable();
    let quantile = |q: f64| f64::from(latencies[((count - 1.0) * q) as usize]) / 1000.0;
    let figures = Figures {
        per_second: count / took.as_secs_f64(),
        cpu_us: cpu / count,
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
    };
    (clients, figures)
}

/// Reads 4 KiB again and again with the Impacket library; `None` without a Python that has it.
fn impacket(site: &CaseSite, seconds: Duration) -> Option<Figures> {
    const SCRIPT: &str = r#"
import json, sys, time
from impacket.smbconnection import SMBConnection
place = json.load(sys.stdin)
connection = SMBConnection("*SMBSERVER", place["host"], sess_port=place["port"])
connection.login(place["account"], place["password"], place["domain"])
tree = connection.connectTree(place["share"])
file = connection.openFile(tree, place["root"] + "\data")
begun, cpu, count = time.perf_counter(), time.process_time(), 0
while time.perf_counter() - begun < place["seconds"]:
    if len(connection.readFile(tree, file, 0, 4096)) != 4096:
        sys.exit("a short read")
    count += 1
took, cpu = time.perf_counter() - begun, time.process_time() - cpu
connection.close()
print(count / took, cpu * 1e6 / count)
"#;
    let python = std::env::var_os("SMB_REPLAY_BENCH_PYTHON").filter(|path| !path.is_empty())?;
    let (target, identity) = (&site.target, &site.identities["alice"]);
    let text = |value: &str| format!("{value:?}");
    let place = format!(
        "{{\"host\": {}, \"port\": {}, \"account\": {}, \"password\": {}, \"domain\": {}, \
         \"share\": {}, \"root\": {}, \"seconds\": {}}}",
        text(&target.address.ip().to_string()),
        target.address.port(),
        text(&identity.account),
        text(identity.password.expose_secret()),
        text(&identity.domain),
        text(&target.share),
        text(&target.root.replace('/', "\\")),
        seconds.as_secs_f64(),
    );
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    // The password goes by the pipe: arguments can be seen by everybody.
    child.stdin.take()?.write_all(place.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    Some(Figures {
        per_second: numbers.next()?,
        cpu_us: numbers.next()?,
        p50_us: f64::NAN,
        p99_us: f64::NAN,
    })
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
            "| {}: KiB a connection with an open file | {each:.1} KiB |",
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

    /// One operation after the other until then; what each took, in nanoseconds.
    async fn work(mut self, steps: &'static [u32], until: Instant) -> (Self, Vec<u32>) {
        let mut latencies: Vec<u32> = Vec::with_capacity(1 << 12);
        let mut last = Instant::now();
        while last < until {
            for step in steps {
                self.run(*step).await;
            }
            let now = Instant::now();
            latencies.push((now - last).as_nanos().try_into().unwrap_or(u32::MAX));
            last = now;
        }
        (self, latencies)
    }

    async fn close(self) {
        self.connection.close().await.expect("the client closes");
    }
}

/// One smbtorture run; `None` where it is not installed or says something else than usual.
fn smbtorture(
    site: &CaseSite,
    test: &str,
    counted: &str,
    connections: usize,
    seconds: Duration,
) -> Option<Figures> {
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
            &format!("--option=torture:nprocs={connections}"),
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
