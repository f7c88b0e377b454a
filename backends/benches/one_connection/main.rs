//! What an operation costs on 1, 10 and 100 connections, for every backend that is compiled in, beside smbtorture and the
//! Impacket library on the same server in the same run; and what a connection costs in memory.
//!
//!     SMB_REPLAY_SOURCE=local cargo bench -p smb-backends --bench one_connection [-- SECONDS [ROUNDS [CONNECTIONS]]]
//!
//! `SMB_REPLAY_BENCH_PYTHON` names a Python that has Impacket. Ratios are rows of a table, `cargo xtask bench` has their bars.
//!
//! Both sides are counted the same way: all connections are there and have worked for about a second ([`WARM`]), then
//! answers are counted for SECONDS (2), with one request in flight on each connection, and CPU is user and system time of
//! the client's process in that same time. What is compared runs one right after the other, in each of ROUNDS (3) rounds
//! in the other order; a ratio is the median of those of the rounds, with the least and the greatest of them.

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod impacket;
mod process;
mod smbtorture;

use std::fmt;
use std::time::Duration;

use replay_engine::Backend;
use samba_servers::CaseSite;

use clients::Clients;
use common::Numbers;

/// Name, and the steps of [`clients::TRACE`] that make one operation.
struct Operation {
    name: &'static str,
    steps: &'static [u32],
}

const ECHO: Operation = Operation {
    name: "echo",
    steps: &[0],
};
const CREATE_CLOSE: Operation = Operation {
    name: "create+close",
    steps: &[1, 2],
};
const WRITE: Operation = Operation {
    name: "4 KiB write",
    steps: &[4],
};
const READ: Operation = Operation {
    name: "4 KiB read",
    steps: &[5],
};

/// The operations that smbtorture has a bench of, with its name and the word that it counts them under.
const OF_SMBTORTURE: [(Operation, &str, &str); 2] = [
    (ECHO, "smb2.bench.echo", "echo"),
    (CREATE_CLOSE, "smb2.bench.path-contention-shared", "close"),
];

/// How many connections work at the same time.
const CONNECTIONS: [usize; 3] = [1, 10, 100];

/// Work before anything is counted.
const WARM: Duration = Duration::from_secs(1);

/// So long may connecting or closing the clients take, and so much longer than it should, work. One bound for all of it:
/// one for each answer would be work of its own.
const LONGEST: Duration = Duration::from_secs(60);

/// What one run of one operation gave.
#[derive(Clone, Copy)]
struct Figures {
    per_second: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Figures {
    /// Of so many operations in so many seconds with so much CPU time in µs, without latencies.
    fn new(count: f64, seconds: f64, cpu_us: f64) -> Self {
        Self {
            per_second: count / seconds,
            cpu_us: cpu_us / count,
            p50_us: f64::NAN,
            p99_us: f64::NAN,
        }
    }
}

fn main() {
    let numbers = Numbers::of_the_command_line();
    let (seconds, rounds) = (numbers.at(0, 2).max(1), numbers.at(1, 3).max(1));
    common::on_a_server(Vec::new(), &["alice"], async |_, site| {
        let mut table = Table::default();
        for round in 0..rounds {
            speed(site, seconds, round % 2 == 1, &mut table).await;
        }
        table.print();
        memory(site, numbers.at(2, 900)).await;
    });
}

/// One round. What is compared comes one right after the other, `backwards` in the other order.
async fn speed(site: &CaseSite, seconds: u64, backwards: bool, table: &mut Table) {
    for (operation, test, counted) in &OF_SMBTORTURE {
        for connections in CONNECTIONS {
            let torture = || smbtorture::run(site, test, counted, connections, seconds);
            let before = backwards.then(torture).flatten();
            for backend in smb_backends::all() {
                if connections == 1 || backend.name() == "native" {
                    let figures = work(&*backend, site, operation, connections, seconds).await;
                    table.add(backend.name(), operation.name, connections, figures);
                }
            }
            let figures = if backwards { before } else { torture() };
            if let Some(figures) = figures {
                table.add("smbtorture", operation.name, connections, figures);
            }
        }
    }
    for operation in [&WRITE, &READ] {
        for backend in smb_backends::all() {
            let figures = work(&*backend, site, operation, 1, seconds).await;
            table.add(backend.name(), operation.name, 1, figures);
        }
    }
    if let Some(figures) = impacket::read(site, seconds) {
        table.add("impacket", READ.name, 1, figures);
    }
}

/// So many clients, each one operation after the other.
async fn work(
    backend: &dyn Backend,
    site: &CaseSite,
    operation: &Operation,
    connections: usize,
    seconds: u64,
) -> Figures {
    let window = Duration::from_secs(seconds);
    let worked = async {
        let mut clients = Clients::default();
        for _ in 0..connections {
            clients.connect(backend, site).await;
        }
        let figures = clients.work(operation.steps, WARM, window).await;
        clients.close().await;
        figures
    };
    let bound = WARM + window + LONGEST;
    let worked = tokio::time::timeout(bound, worked).await;
    worked.expect("the server answers")
}

/// A client, an operation, and on how many connections.
type Key = (String, &'static str, usize);

/// What was measured of each, round by round.
#[derive(Default)]
struct Table {
    rows: Vec<(Key, Vec<Figures>)>,
}

impl Table {
    fn add(&mut self, client: &str, operation: &'static str, connections: usize, found: Figures) {
        let key = (client.to_owned(), operation, connections);
        match self.rows.iter_mut().find(|row| row.0 == key) {
            Some(row) => row.1.push(found),
            None => self.rows.push((key, vec![found])),
        }
    }

    fn print(&self) {
        println!(
            "{:<12} {:<14} {:>5} {:>9} {:>10} {:>8} {:>8}",
            "client", "operation", "conns", "ops/s", "CPU us/op", "p50 us", "p99 us"
        );
        let dash = |value: f64| match value.is_nan() {
            true => "-".to_owned(),
            false => format!("{value:.0}"),
        };
        for ((client, operation, connections), rounds) in &self.rows {
            let of = |value: fn(&Figures) -> f64| median(rounds.iter().map(value).collect());
            println!(
                "{client:<12} {operation:<14} {connections:>5} {:>9.0} {:>10.1} {:>8} {:>8}",
                of(|figures| figures.per_second),
                of(|figures| figures.cpu_us),
                dash(of(|figures| figures.p50_us)),
                dash(of(|figures| figures.p99_us)),
            );
        }
        println!("| figure | value |\n|---|---|");
        for (operation, ..) in &OF_SMBTORTURE {
            let operation = operation.name;
            for n in CONNECTIONS {
                let of = |value| self.ratio("smbtorture", operation, n, value);
                let rate = of(|figures| figures.per_second);
                let cpu = of(|figures| figures.cpu_us);
                if let (Some(rate), Some(cpu)) = (rate, cpu) {
                    let name = format!("{operation}, n = {n}: native / smbtorture");
                    println!("| {name}: ops/s | {rate} |");
                    println!("| {name}: CPU an operation | {cpu} |");
                }
            }
        }
        let rate = self.ratio("impacket", READ.name, 1, |figures| figures.per_second);
        if let Some(rate) = rate {
            println!("| {}: native / Impacket: ops/s | {rate} |", READ.name);
        }
    }

    /// The ratio of each round: what disturbs a round disturbs both.
    fn ratio(
        &self,
        other: &str,
        operation: &'static str,
        connections: usize,
        value: fn(&Figures) -> f64,
    ) -> Option<Ratio> {
        let of = |client: &str| {
            let key = (client.to_owned(), operation, connections);
            self.rows.iter().find(|row| row.0 == key).map(|row| &row.1)
        };
        let pairs = of("native")?.iter().zip(of(other)?);
        let ratios = pairs.map(|(ours, theirs)| value(ours) / value(theirs));
        Some(Ratio(ratios.collect()))
    }
}

/// The same ratio in every round; shown are the median, and the least and the greatest.
struct Ratio(Vec<f64>);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let middle = median(self.0.clone());
        write!(f, "{middle:.2} ({least:.2} to {greatest:.2})")
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What the process grows by for each further connection with an open file, beyond the first hundred.
async fn memory(site: &CaseSite, connections: u64) {
    for backend in smb_backends::all() {
        let mut clients = Clients::default();
        let mut before = 0;
        for count in 0..100 + connections {
            if count == 100 {
                before = process::resident_kib();
            }
            clients.connect(&*backend, site).await;
        }
        let grown = process::resident_kib().saturating_sub(before);
        let each = grown as f64 / connections as f64;
        println!(
            "| {}: KiB a connection with an open file | {each:.1} KiB |",
            backend.name()
        );
        clients.close().await;
    }
}
