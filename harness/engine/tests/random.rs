//! The scheduler's promises over random traces and random servers, in simulated time.

mod support;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use replay_engine::{Clock, Op, Outcome, Reply, ReplyEnd, RunOptions, Script, Verdict};
use replay_ir::{ClientId, Milestone, Role, StepId, Trace};
use support::*;

const CLIENTS: [&str; 5] = ["A", "B", "C", "A2", "B2"];
/// Which connection each is on.
const CONNECTION: [usize; 5] = [0, 1, 2, 0, 1];

/// A random step; what does not fit where it stands becomes an `echo`.
#[derive(Debug, Clone)]
struct Draft {
    client: usize,
    verb: u8,
    /// Microseconds after the client's previous step is due.
    at: Option<u16>,
    compounded: bool,
    /// How many steps back, and which milestone.
    after: Vec<(u8, u8)>,
}

/// What the server does on a step.
#[derive(Debug, Clone)]
struct DraftReply {
    latency: u16,
    interim: Option<u16>,
    end: u8,
    breaks: u8,
}

fn drafts() -> impl Strategy<Value = Vec<(Draft, DraftReply)>> {
    let after = prop::collection::vec((1_u8..12, 0_u8..8), 0..3);
    let draft = (
        0..CLIENTS.len(),
        0_u8..16,
        prop::option::weighted(0.3, 0_u16..900),
        prop::bool::weighted(0.2),
        after,
    )
        .prop_map(|(client, verb, at, compounded, after)| Draft {
            client,
            verb,
            at,
            compounded,
            after,
        });
    let reply = (
        0_u16..2_000,
        prop::option::weighted(0.2, 0_u16..2_000),
        0_u8..40,
        0_u8..12,
    )
        .prop_map(|(latency, interim, end, breaks)| DraftReply {
            latency,
            interim,
            end,
            breaks,
        });
    prop::collection::vec((draft, reply), 1..60)
}

/// The text of a trace that loads.
#[derive(Default)]
struct Writer {
    text: String,
    opened: HashMap<usize, Vec<(usize, String)>>,
    pending: HashMap<usize, Vec<usize>>,
    /// Whether each step opens a handle, and whether it expects an interim answer.
    kinds: Vec<(bool, bool)>,
    last_of_client: [Option<usize>; 5],
}

impl Writer {
    fn step(&mut self, draft: &Draft) {
        let number = self.kinds.len();
        let connection = CONNECTION[draft.client];
        let (mut opens, mut pends, mut plain) = (false, false, false);
        // A handle may come from another lane, whose step may wait for the head of the compound.
        let uses =
            (3..=9).contains(&draft.verb) && !handles_of(&self.opened, connection).is_empty();
        let handles = self.opened.entry(connection).or_default();
        let body = match (draft.verb, handles.last().cloned()) {
            (0..=2, _) => {
                opens = true;
                handles.push((number, format!("h{number}")));
                format!("open h{number}")
            }
            (3..=4, Some((_, handle))) => format!("read {handle}"),
            (5, Some((_, handle))) => {
                handles.pop();
                format!("close {handle}")
            }
            (6..=7, Some((_, handle))) => {
                pends = true;
                self.pending.entry(connection).or_default().push(number);
                format!("lock {handle}")
            }
            (8, Some((_, handle))) => {
                plain = true;
                format!("break {handle} within=3ms")
            }
            (9, Some((_, handle))) => {
                plain = true;
                format!("no-break {handle} within=2ms")
            }
            (10..=11, _)
                if self
                    .pending
                    .get(&connection)
                    .is_some_and(|pending| !pending.is_empty()) =>
            {
                plain = true;
                let pending = self.pending.get_mut(&connection).and_then(Vec::pop);
                let target = pending.expect("the guard has looked");
                format!("await s{target}")
            }
            (12, _) => {
                plain = true;
                "pause".to_owned()
            }
            _ => "echo".to_owned(),
        };
        let joins = draft.compounded
            && !plain
            && !uses
            && self.last_of_client[draft.client].is_some_and(|last| !self.kinds[last].1);
        let _ = write!(self.text, "s{number}:");
        if let Some(at) = draft.at.filter(|_| !joins) {
            let _ = write!(self.text, " @+{at}us");
        }
        let _ = write!(
            self.text,
            " {} {}{body}",
            CLIENTS[draft.client],
            if joins { "+ " } else { "" }
        );
        if pends {
            self.text.push_str(" -> PENDING");
        }
        if !joins {
            self.after(draft, number);
        }
        self.text.push('\n');
        self.kinds.push((opens, pends));
        // Only what is sent can be compounded with.
        self.last_of_client[draft.client] = (!plain).then_some(number);
    }

    fn after(&mut self, draft: &Draft, number: usize) {
        let mut labels = Vec::new();
        for &(back, milestone) in &draft.after {
            let Some(target) = number.checked_sub(usize::from(back)) else {
                continue;
            };
            let (opens, pends) = self.kinds[target];
            let suffix = match milestone {
                0..=2 => "",
                3 | 4 => ".sent",
                5 | 6 if pends => ".pending",
                7 if opens => ".break",
                _ => continue,
            };
            labels.push(format!("s{target}{suffix}"));
        }
        labels.sort();
        labels.dedup();
        if !labels.is_empty() {
            let _ = write!(self.text, " after={}", labels.join(","));
        }
    }
}

fn handles_of(
    opened: &HashMap<usize, Vec<(usize, String)>>,
    connection: usize,
) -> &[(usize, String)] {
    opened.get(&connection).map_or(&[], Vec::as_slice)
}

fn build(drafts: &[(Draft, DraftReply)]) -> (Arc<Trace>, Script) {
    let mut writer = Writer::default();
    writer.text.push_str("ir 1\nmode 2\n");
    for (index, name) in CLIENTS.iter().enumerate() {
        let how = if CONNECTION[index] == index {
            "anonymous".to_owned()
        } else {
            format!("on={}", CLIENTS[CONNECTION[index]])
        };
        let _ = writeln!(writer.text, "client {name} {how}");
    }
    for (draft, _) in drafts {
        writer.step(draft);
    }
    let trace = raw_trace(&writer.text);
    let mut script = Script::default();
    for (index, (_, draft)) in drafts.iter().enumerate() {
        let step = StepId(index as u32);
        let mut reply = Reply::after(draft.latency.into());
        reply.interim = draft
            .interim
            .map(|at| Duration::from_micros(at.min(draft.latency).into()));
        reply = match draft.end {
            0 => reply.end(ReplyEnd::Never),
            1 => reply.end(ReplyEnd::Interim),
            2 => reply.end(ReplyEnd::With(Outcome::Lost("reset".to_owned()))),
            3 => reply.end(ReplyEnd::With(Outcome::Violation("garbage".to_owned()))),
            4..=6 => reply.status(DENIED),
            _ => reply,
        };
        let opener = trace
            .steps()
            .take(index)
            .filter(|step| step.verb().name == "open")
            .last();
        if let Some(opener) = opener.filter(|_| draft.breaks == 0) {
            let event = break_of(&trace, &opener.name(), "batch->ii");
            let half = u64::from(draft.latency) / 2;
            reply = reply.breaks(half, opener.client(), event);
        }
        script.steps.insert(step, reply);
    }
    (trace, script)
}

/// What has been seen so far, as an outside observer keeps the books.
struct Books {
    trace: Arc<Trace>,
    /// Members of the submission in flight that have not freed the lane.
    in_flight: HashMap<ClientId, HashSet<StepId>>,
    last: HashMap<ClientId, StepId>,
    seen: HashSet<(StepId, Milestone)>,
    failed: HashSet<StepId>,
    start: u64,
}

impl Books {
    fn submitted(&mut self, at: u64, client: ClientId, ops: &[Op], scale: Option<u64>) {
        let members: Vec<StepId> = ops
            .iter()
            .filter_map(|op| match op {
                Op::Step(step) => Some(*step),
                _ => None,
            })
            .collect();
        if members.is_empty() {
            return;
        }
        let flying = self.in_flight.entry(client).or_default();
        assert!(
            flying.is_empty(),
            "{client:?} has {flying:?} in flight, gets {members:?}"
        );
        flying.extend(&members);
        for &id in &members {
            let step = self.trace.step(id);
            assert_eq!(step.client(), client);
            assert!(
                matches!(step.role(), Role::Operation | Role::OnBreak),
                "{id:?} was submitted"
            );
            let before = self.last.insert(client, id);
            assert!(
                before.is_none_or(|before| before < id),
                "{id:?} after {before:?}"
            );
            assert!(self.seen.insert((id, Milestone::Sent)), "{id:?} twice");
            if let Some(scale) = scale {
                assert!(at >= self.start + step.at() * scale, "{id:?} at {at}");
            }
        }
        for &id in &members {
            let step = self.trace.step(id);
            for what in step.after() {
                let seen = self.seen.contains(&(what.step, what.milestone))
                    || self.trace.step(what.step).role() != Role::Operation;
                assert!(seen, "{id:?} went before {what:?}");
            }
            let opener = step.opened_by().filter(|opener| !members.contains(opener));
            if let Some(opener) = opener {
                assert!(
                    self.seen.contains(&(opener, Milestone::Done)),
                    "{id:?} before its handle"
                );
                assert!(!self.failed.contains(&opener), "{id:?} without its handle");
            }
        }
    }

    fn reported(&mut self, client: ClientId, shape: &EventShape) {
        match shape {
            EventShape::Done(Op::Step(step)) => {
                self.seen.insert((*step, Milestone::Done));
                self.in_flight.entry(client).or_default().remove(step);
            }
            EventShape::Interim(Op::Step(step)) => {
                self.seen.insert((*step, Milestone::Pending));
                if self.trace.step(*step).expect().is_pending() {
                    self.in_flight.entry(client).or_default().remove(step);
                }
            }
            EventShape::Break(Some(opener)) => {
                self.seen.insert((*opener, Milestone::Break));
            }
            _ => {}
        }
    }
}

fn check(trace: &Arc<Trace>, script: &Script, options: &RunOptions, scale: Option<u64>) {
    let run = replay(trace, script, options);
    let connects = run.happened.iter().any(
        |happened| matches!(happened, Happened::Submitted(_, _, ops) if ops[..] == [Op::Connect]),
    );
    let failed = script
        .steps
        .iter()
        .filter_map(|(step, reply)| match &reply.end {
            ReplyEnd::With(Outcome::Answered(answer)) => (answer.status != OK).then_some(*step),
            ReplyEnd::With(_) => Some(*step),
            _ => None,
        });
    let mut books = Books {
        trace: trace.clone(),
        in_flight: HashMap::new(),
        last: HashMap::new(),
        seen: HashSet::new(),
        failed: failed.collect(),
        start: if connects { 100_000 } else { 0 },
    };
    for happened in &run.happened {
        match happened {
            Happened::Submitted(at, client, ops) => books.submitted(*at, *client, ops, scale),
            Happened::Reported(_, client, shape) => books.reported(*client, shape),
        }
    }
    let report = &run.report;
    assert!(
        !matches!(report.verdict, Verdict::Broken { .. }),
        "{}",
        report.verdict
    );
    let through = report.answers_agreed + report.answers_differed + report.not_run.len();
    assert_eq!(through, trace.len(), "every step ends or is not run, once");
    // Each step takes at most its bound, and at the end the run waits once more for a break.
    let longest = trace.steps().map(|step| step.at()).max().unwrap_or(0)
        + (trace.len() as u64 + 1) * options.step_timeout.as_nanos() as u64;
    assert!(
        report.duration.as_nanos() as u64 <= longest,
        "{:?}",
        report.duration
    );
    for (client, records) in report.records.iter().enumerate() {
        for record in records {
            let moments = record.moments;
            assert_eq!(trace.step(record.step).client().0 as usize, client);
            assert!(moments.dispatched >= moments.eligible, "{record:?}");
            assert!(moments.completed >= moments.dispatched, "{record:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold(drafts in drafts(), asap in any::<bool>()) {
        let (trace, script) = build(&drafts);
        let clock = if asap { Clock::Asap } else { Clock::Paced { scale: 1.0 } };
        let options = RunOptions { clock, step_timeout: Duration::from_millis(50), ..options() };
        check(&trace, &script, &options, (!asap).then_some(1));
    }

    /// A server that does as the trace says makes every step agree, but for steps about breaks.
    #[test]
    fn a_good_server_passes(drafts in drafts()) {
        let good: Vec<_> = drafts
            .into_iter()
            .map(|(mut draft, reply)| {
                draft.after.retain(|(_, milestone)| *milestone < 7);
                if draft.verb == 8 {
                    draft.verb = 15;
                }
                (draft, DraftReply { end: 39, breaks: 1, ..reply })
            })
            .collect();
        let (trace, script) = build(&good);
        let run = replay(&trace, &script, &options());
        prop_assert_eq!(run.differences(), Vec::<String>::new());
        prop_assert_eq!(run.not_run(), Vec::<String>::new());
    }
}
