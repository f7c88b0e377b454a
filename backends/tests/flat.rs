//! A run keeps nothing of what is past: what the heap holds does not grow while steps go on.
//!
//! Without a server this test says so and passes, unless `SMB_REPLAY_REQUIRE` is set.

mod common;

use std::alloc::System;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use replay_engine::{
    Backend, Capabilities, ClientContext, Clock, CloseError, Connection, Op, Progress, RunOptions,
    Site, Unsupported, Verdict,
};
use replay_ir::Trace;
use samba_servers::Server;
use smb_backends::native::Native;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CLIENTS: usize = 8;
/// Each is [`ROUND`] for every client.
const ROUNDS: usize = 100;

/// What comes and goes: handles with and without an oplock, locks, opens that fail, answers with data.
const ROUND: &[&str] = &[
    "create g \"~-other\" access=rw disposition=open-if oplock=batch -> OK",
    "write g offset=0 len=512 fill=9 -> OK len=512",
    "lock g range=0..100 exclusive -> OK",
    "read f offset=0 len=512 -> OK len=512 fill=7",
    "query-info g basic -> OK",
    "read g offset=0 len=512 -> OK len=512 fill=9",
    "close g -> OK",
    "echo -> OK",
    "create g \"~-missing\" access=r disposition=open -> OBJECT_NAME_NOT_FOUND",
    "write f offset=0 len=512 fill=7 -> OK len=512",
];

/// For each operation of half a run; the smallest piece that can be lost is larger.
const MOST_BYTES: f64 = 2.0;

#[tokio::test]
async fn a_run_holds_no_more_at_its_end_than_before() {
    let Some(server) = common::server().await else {
        return;
    };
    let native: Arc<dyn Backend> = Arc::new(Native::new());
    let grown = growth(&server, "flat", native.clone()).await;
    assert!(grown < MOST_BYTES, "{grown:.2} bytes an operation");
    let grown = growth(&server, "leaks", Arc::new(Leaks(native))).await;
    assert!(grown > 16.0, "a leak must be seen: {grown:.2} bytes");
    server.stop().await.expect("the server stops");
}

/// By how many bytes an operation the heap has grown from the second quarter of a run to its last. Of each the least that
/// was seen counts, so that what is in flight does not.
async fn growth(server: &Server, name: &str, backend: Arc<dyn Backend>) -> f64 {
    let trace = common::trace(name, &text());
    let case = common::site(server, name, &trace).await;
    let progress = Arc::new(Progress::default());
    let options = RunOptions {
        clock: Clock::Asap,
        progress: Some(progress.clone()),
        ..RunOptions::default()
    };
    let site = Site {
        target: case.target.clone(),
        identities: case.identities.clone(),
    };
    let over = Arc::new(AtomicBool::new(false));
    let seen = {
        let over = over.clone();
        std::thread::spawn(move || least_by_quarter(&progress, &over))
    };
    let run = replay_engine::run(trace.clone(), backend, &site, &options).await;
    over.store(true, Ordering::Relaxed);
    let least = seen.join().expect("the heap was watched");
    assert_eq!(run.verdict, Verdict::Passed, "{:?}", run.differences);
    case.close(false).await.expect("the place is cleaned up");
    let [_, Some(second), _, Some(last)] = least else {
        panic!("nothing was seen of a quarter: {least:?}");
    };
    (last - second) as f64 / (trace.len() / 2) as f64
}

/// What the heap holds while steps go on, the least of each quarter of the run.
fn least_by_quarter(progress: &Progress, over: &AtomicBool) -> [Option<i64>; 4] {
    let mut least = [None; 4];
    while !over.load(Ordering::Relaxed) {
        let done = progress.steps_done.load(Ordering::Relaxed);
        let all = progress.steps_total.load(Ordering::Relaxed);
        if done > 0 && done < all {
            let heap = HEAP.stats();
            let held = heap.bytes_allocated as i64 - heap.bytes_deallocated as i64;
            let least: &mut Option<i64> = &mut least[(done * 4 / all) as usize];
            *least = Some(least.map_or(held, |least| least.min(held)));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    least
}

fn text() -> String {
    let mut text = String::from("title \"steps that leave nothing behind\"\n");
    let mut steps = String::new();
    for number in 0..CLIENTS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "client C{number} user=alice");
        let _ = writeln!(
            steps,
            "C{number} create f \"{number}-file\" access=rw disposition=open-if -> OK\n\
             C{number} write f offset=0 len=512 fill=7 -> OK len=512"
        );
        for step in std::iter::repeat_n(ROUND, ROUNDS).flatten() {
            let _ = writeln!(
                steps,
                "C{number} {}",
                step.replace('~', &number.to_string())
            );
        }
    }
    text + &steps
}

/// Loses some bytes with every submission.
struct Leaks(Arc<dyn Backend>);

struct LeakingClient {
    inner: Box<dyn Connection>,
    lost: Vec<[u8; 24]>,
}

impl Backend for Leaks {
    fn name(&self) -> &'static str {
        "leaks"
    }

    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn missing(&self, trace: &Trace) -> Vec<Unsupported> {
        self.0.missing(trace)
    }

    fn client(&self, context: ClientContext) -> Box<dyn Connection> {
        Box::new(LeakingClient {
            inner: self.0.client(context),
            lost: Vec::new(),
        })
    }
}

#[async_trait]
impl Connection for LeakingClient {
    fn submit(&mut self, ops: &[Op]) {
        self.lost.push([1; 24]);
        self.inner.submit(ops);
    }

    fn lane(&mut self, context: ClientContext) -> Result<Box<dyn Connection>, Unsupported> {
        self.inner.lane(context)
    }

    async fn close(self: Box<Self>) -> Result<(), CloseError> {
        self.inner.close().await
    }
}
