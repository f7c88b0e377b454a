//! A small vocabulary, and shorthands for traces, scripts and what a simulation shows.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::sync::Arc;
use std::time::Duration;

use replay_engine::{
    BreakEvent, Clock, EventKind, Kind, Op, Reply, RunOptions, RunReport, Script, Seen, simulate,
};
use replay_ir::{
    Answer, ArgKind, ArgSpec, ClientId, FieldSpec, OwnedValue, Role, StepId, Trace, VerbSpec,
    Vocabulary, load_str, spec,
};

pub const OK: u32 = 0;
pub const PENDING: u32 = 0x103;
pub const DENIED: u32 = 0xc000_0022;

const fn arg(name: &'static str, kind: ArgKind) -> ArgSpec {
    spec::optional(name, kind, "An argument.")
}

const fn positional(name: &'static str, kind: ArgKind) -> ArgSpec {
    spec::positional(name, kind, "An argument.")
}

const fn field(name: &'static str, kind: ArgKind) -> FieldSpec {
    spec::field(name, kind, "A field.")
}

const fn verb(
    name: &'static str,
    role: Role,
    args: &'static [ArgSpec],
    answer: &'static [FieldSpec],
) -> VerbSpec {
    VerbSpec {
        name,
        role,
        doc: "Does something.",
        section: "TEST 1",
        args,
        answer,
        example: "",
    }
}

fn token(_: &str) -> Result<(), String> {
    Ok(())
}

const HANDLE: ArgSpec = positional("handle", ArgKind::Handle);

const STATUSES: &[(&str, u32)] = &[("PENDING", PENDING), ("ACCESS_DENIED", DENIED)];

pub static VOCABULARY: Vocabulary = Vocabulary {
    verbs: &[
        verb("connect", Role::Connect, &[], &[]),
        verb("echo", Role::Operation, &[], &[]),
        verb(
            "open",
            Role::Operation,
            &[positional("handle", ArgKind::NewHandle)],
            &[
                field("level", ArgKind::Token(token)),
                field("mask", ArgKind::Token(token)),
            ],
        ),
        verb(
            "close",
            Role::Operation,
            &[positional("handle", ArgKind::EndHandle)],
            &[],
        ),
        verb(
            "read",
            Role::Operation,
            &[
                HANDLE,
                arg("offset", ArgKind::Int),
                arg("len", ArgKind::Int),
            ],
            &[field("len", ArgKind::Int)],
        ),
        verb(
            "reopen",
            Role::Operation,
            &[
                positional("handle", ArgKind::NewHandle),
                positional("step", ArgKind::Label),
            ],
            &[],
        ),
        verb("lock", Role::Operation, &[HANDLE], &[]),
        verb(
            "cancel",
            Role::Operation,
            &[positional("step", ArgKind::Label)],
            &[],
        ),
        verb(
            "await",
            Role::Await,
            &[positional("step", ArgKind::Label)],
            &[],
        ),
        verb(
            "break",
            Role::AwaitBreak,
            &[
                HANDLE,
                ArgSpec {
                    positional: true,
                    ..arg("transition", ArgKind::Token(token))
                },
            ],
            &[field("transition", ArgKind::Token(token))],
        ),
        verb("no-break", Role::NoBreak, &[HANDLE], &[]),
        verb(
            "on-break",
            Role::OnBreak,
            &[
                HANDLE,
                positional("action", ArgKind::Word(&["ack", "ignore"])),
            ],
            &[],
        ),
        verb("pause", Role::Pause, &[], &[]),
    ],
    client_args: &[
        arg("user", ArgKind::Token(token)),
        arg("anonymous", ArgKind::Flag),
    ],
    givens: &[],
    needs: &[],
    status_by_name: |name| {
        STATUSES
            .iter()
            .find(|known| known.0 == name)
            .map(|known| known.1)
    },
    status_name: |status| {
        STATUSES
            .iter()
            .find(|known| known.1 == status)
            .map(|known| known.0)
    },
    ok: OK,
    pending: PENDING,
};

/// A trace from its lines; clients A, B, C, and A2 on A's connection are declared.
pub fn trace(lines: &str) -> Arc<Trace> {
    let text = format!(
        "ir 1\nmode 2\nclient A anonymous\nclient B anonymous\nclient C anonymous\nclient A2 on=A\n{lines}\n"
    );
    raw_trace(&text)
}

pub fn raw_trace(text: &str) -> Arc<Trace> {
    match load_str("test.ir", text, &VOCABULARY) {
        Ok(trace) => Arc::new(trace),
        Err(errors) => panic!("{errors}"),
    }
}

/// The step with this label.
pub fn step(trace: &Trace, label: &str) -> StepId {
    trace
        .labelled(label)
        .unwrap_or_else(|| panic!("no step is labelled {label}"))
}

pub fn client(trace: &Trace, name: &str) -> ClientId {
    let index = trace
        .clients()
        .iter()
        .position(|client| client.name() == name);
    ClientId(index.unwrap_or_else(|| panic!("no client {name}")) as u32)
}

/// A script that answers after 100 µs, but for these labelled steps.
pub fn script<const N: usize>(trace: &Trace, replies: [(&str, Reply); N]) -> Script {
    let mut script = Script::default();
    for (label, reply) in replies {
        script.steps.insert(step(trace, label), reply);
    }
    script
}

/// A break of the handle that the step with this label opened.
pub fn break_of(trace: &Trace, label: &str, transition: &str) -> BreakEvent {
    let fields = vec![("transition", OwnedValue::Token(transition.to_owned()))];
    let answer = Answer {
        status: OK,
        fields,
        data: None,
    };
    BreakEvent {
        opened_by: Some(step(trace, label)),
        also: Vec::new(),
        answer,
    }
}

pub fn options() -> RunOptions {
    RunOptions {
        clock: Clock::Paced { scale: 1.0 },
        step_timeout: Duration::from_secs(30),
        event_log: true,
        ..RunOptions::default()
    }
}

/// What went to and came from the clients, with times in microseconds from the simulation's start.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    Submitted(u64, ClientId, Vec<Op>),
    Reported(u64, ClientId, EventShape),
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventShape {
    Done(Op),
    Interim(Op),
    Break(Option<StepId>),
    Reaction,
    Lost,
}

pub struct Run {
    pub trace: Arc<Trace>,
    pub report: RunReport,
    pub happened: Vec<Happened>,
}

pub fn replay(trace: &Arc<Trace>, script: &Script, options: &RunOptions) -> Run {
    let mut happened = Vec::new();
    let report = simulate(trace, script, options, |at, seen| {
        happened.push(match seen {
            Seen::Submitted(client, ops) => Happened::Submitted(at, client, ops.to_vec()),
            Seen::Reported(client, kind) => Happened::Reported(
                at,
                client,
                match kind {
                    EventKind::Done(op, _) => EventShape::Done(*op),
                    EventKind::Interim(op, _) => EventShape::Interim(*op),
                    EventKind::Break(event) => EventShape::Break(event.opened_by),
                    EventKind::Reaction(_) => EventShape::Reaction,
                    EventKind::Lost(_) => EventShape::Lost,
                },
            ),
        });
    });
    Run {
        trace: trace.clone(),
        report,
        happened,
    }
}

impl Run {
    /// When this step was submitted, in nanoseconds.
    pub fn sent(&self, label: &str) -> Option<u64> {
        let wanted = Op::Step(step(&self.trace, label));
        self.happened.iter().find_map(|happened| match happened {
            Happened::Submitted(at, _, ops) if ops.contains(&wanted) => Some(*at),
            _ => None,
        })
    }

    /// When its final answer was reported.
    pub fn done(&self, label: &str) -> Option<u64> {
        self.reported(EventShape::Done(Op::Step(step(&self.trace, label))))
    }

    /// When this was first reported.
    pub fn reported(&self, wanted: EventShape) -> Option<u64> {
        self.happened.iter().find_map(|happened| match happened {
            Happened::Reported(at, _, shape) if *shape == wanted => Some(*at),
            _ => None,
        })
    }

    /// The differences in short: `line kind expected / actual`.
    pub fn differences(&self) -> Vec<String> {
        let differences = self.report.differences.iter();
        differences
            .map(|difference| {
                let place = match difference.step() {
                    Some(step) => self.trace.step(step).name(),
                    None => format!("{:?}", difference.place),
                };
                format!(
                    "{place} {}: {} / {}",
                    difference.kind, difference.expected, difference.actual
                )
            })
            .collect()
    }

    /// What was not run: `name: why`.
    pub fn not_run(&self) -> Vec<String> {
        let not_run = self.report.not_run.iter();
        not_run
            .map(|not_run| format!("{}: {}", self.trace.step(not_run.step).name(), not_run.why))
            .collect()
    }

    pub fn kinds(&self) -> Vec<Kind> {
        self.report.kinds().into_iter().collect()
    }

    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(
            self.report.verdict == replay_engine::Verdict::Passed,
            "{}\n{:#?}\n{:#?}",
            self.report.verdict,
            self.differences(),
            self.not_run(),
        );
        assert_eq!(self.report.answers_agreed, self.trace.len());
    }
}
