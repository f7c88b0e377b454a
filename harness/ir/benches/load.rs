//! How long a recording takes to load, beside the time memchr takes over the same bytes, and what a step takes in memory.
//!
//! `cargo bench -p replay-ir` prints a table: a million steps of a hundred clients; of several runs the median and the
//! best, which is what a busy machine leaves of the truth. The times are those of `load` on a file in the page cache,
//! validation included. The program fails when loading JSON Lines takes more than 100 times memchr (best over best), or a
//! step more than 64 bytes. A number as argument is another count of steps.

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use replay_ir::spec::{field, optional, positional};
use replay_ir::{ArgKind, Role, StepSpec, Trace, TraceBuilder, VerbSpec, Vocabulary, load};

const RUNS: usize = 7;
const CLIENTS: u64 = 100;
const LARGEST_RATIO: f64 = 100.0;
const LARGEST_STEP: f64 = 64.0;

fn main() -> ExitCode {
    let count = std::env::args()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder for the traces");
    let trace = recording(count);
    let mut text = Vec::new();
    let mut jsonl = Vec::new();
    trace.write_text(&mut text).expect("memory is written");
    trace.write_jsonl(&mut jsonl).expect("memory is written");
    drop(trace);
    let compressed = zstd::encode_all(&*jsonl, 3).expect("memory is compressed");

    println!("{count} steps, {CLIENTS} clients, {RUNS} runs; times in ms");
    println!(
        "| encoding | bytes | bytes/step | memchr median | best | load median | best | load/memchr median | best | bytes/step in memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut met = true;
    for (name, file, plain) in [
        ("jsonl", &jsonl, &jsonl),
        ("jsonl.zst", &compressed, &jsonl),
        ("text", &text, &text),
    ] {
        let path = folder.path().join(format!("trace.ir.{name}"));
        let mut out = fs::File::create(&path).expect("a file");
        out.write_all(file).expect("a file is written");
        drop(out);
        let mut memory = 0;
        let mut memchr = Vec::new();
        let mut loading = Vec::new();
        for _ in 0..RUNS {
            memchr.push(time(|| {
                black_box(memchr::memchr_iter(b'\n', black_box(plain)).count());
            }));
            loading.push(time(|| {
                let loaded = load(&path, &VOCABULARY).expect("the trace is valid");
                assert_eq!(loaded.len() as u64, count + CLIENTS);
                memory = loaded.memory_bytes();
            }));
        }
        memchr.sort_by(f64::total_cmp);
        loading.sort_by(f64::total_cmp);
        let ratio = |at: usize| loading[at] / memchr[at];
        let each = memory as f64 / count as f64;
        println!(
            "| {name} | {} | {:.1} | {:.2} | {:.2} | {:.0} | {:.0} | {:.1} | {:.1} | {each:.1} |",
            file.len(),
            file.len() as f64 / count as f64,
            memchr[RUNS / 2],
            memchr[0],
            loading[RUNS / 2],
            loading[0],
            ratio(RUNS / 2),
            ratio(0),
        );
        met &= each <= LARGEST_STEP && (name != "jsonl" || ratio(0) <= LARGEST_RATIO);
    }
    if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Milliseconds that `work` takes.
fn time(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64() * 1e3
}

/// Writes of 4 KiB, each at an offset of its own, with an expected length.
fn recording(count: u64) -> Trace {
    let mut builder = TraceBuilder::new(&VOCABULARY, "recording");
    let name = |client: u64| format!("c{client}");
    for client in 0..CLIENTS {
        builder.client(&name(client), &[("user".into(), "alice".into())]);
    }
    for client in 0..CLIENTS {
        let path = format!("home/{client}/report.docx");
        builder.step(
            &StepSpec::new(name(client), "create")
                .arg("handle", "f")
                .arg("path", path)
                .at(client * 1000),
        );
    }
    for step in 0..count {
        builder.step(
            &StepSpec::new(name(step % CLIENTS), "write")
                .at(1_000_000 + step * 98_765)
                .arg("handle", "f")
                .arg("offset", step * 4096)
                .arg("len", 4096)
                .arg("fill", 7)
                .field("len", 4096),
        );
    }
    builder.build().expect("the trace is valid")
}

static VOCABULARY: Vocabulary = Vocabulary {
    verbs: &[
        VerbSpec {
            name: "create",
            role: Role::Operation,
            doc: "",
            section: "",
            args: &[
                positional("handle", ArgKind::NewHandle, ""),
                positional("path", ArgKind::Text, ""),
            ],
            answer: &[],
            example: "",
        },
        VerbSpec {
            name: "write",
            role: Role::Operation,
            doc: "",
            section: "",
            args: &[
                positional("handle", ArgKind::Handle, ""),
                optional("offset", ArgKind::Int, ""),
                optional("len", ArgKind::Int, ""),
                optional("fill", ArgKind::Int, ""),
            ],
            answer: &[field("len", ArgKind::Int, "")],
            example: "",
        },
    ],
    client_args: &[optional("user", ArgKind::Text, "")],
    givens: &[],
    needs: &[],
    status_by_name: |name| (name == "PENDING").then_some(0x103),
    status_name: |_| None,
    ok: 0,
    pending: 0x103,
};
