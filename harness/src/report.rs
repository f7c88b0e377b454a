//! A run as JSON: what `smb-replay run --report` writes, and what lies beside a failed case.
//!
//! Times are integers in nanoseconds. Fields are only ever added.

use std::collections::BTreeMap;

use replay_engine::{Difference, NotRun, OpTimes, Place, RunReport, Verdict};
use replay_ir::Trace;
use serde::Serialize;

use crate::reactions;
use crate::resources::Resources;

type Histogram = hdrhistogram::Histogram<u64>;

/// One run of one trace.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    version: u32,
    trace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    backend: &'a str,
    server: &'a str,
    /// `passed`, `failed`, `skipped` or `broken`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// How often the trace ran at the same time.
    copies: u32,
    /// Of all copies.
    steps: usize,
    operations_issued: u64,
    /// As many as were issued, unless some were in flight when the run ended.
    operations_completed: u64,
    /// Steps that ended exactly as expected.
    answers_agreed: usize,
    /// Steps that ended otherwise: one entry for each difference.
    answers_differed: Vec<Differed<'a>>,
    /// Steps that ended otherwise, counted; the list above is cut off at 10,000 entries.
    answers_differed_total: usize,
    /// What differed without being about a step: checks, clients, the run as a whole.
    others_differed: Vec<Differed<'a>>,
    differences_by_kind: BTreeMap<&'static str, usize>,
    not_run: Vec<Missed<'a>>,
    duration_ns: u64,
    steps_per_second: f64,
    /// The smallest round trip, where one was measured.
    round_trip_ns: Option<u64>,
    times: Times,
    /// How late a thread woke that only slept until the same moments (`--calibrate`).
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<Percentiles>,
    /// From the arrival of a break to its answer on the wire, of those that were answered at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    break_latency: Option<Percentiles>,
    /// What breaks made the clients do by themselves: without the event log only answers that failed or were refused,
    /// and steps that were held back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    break_reactions: Vec<serde_json::Value>,
    /// What a run of many clients took of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<&'a Resources>,
    lost_connections: Vec<Lost<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
    close_errors: &'a [String],
}

#[derive(Debug, Serialize)]
struct Differed<'a> {
    /// In which copy of the trace, from 0.
    #[serde(skip_serializing_if = "is_first")]
    copy: u32,
    /// The step's ordinal in the file, from 1.
    step: Option<u32>,
    line: Option<u32>,
    client: Option<&'a str>,
    label: Option<&'a str>,
    verb: Option<&'a str>,
    kind: &'static str,
    expected: &'a str,
    actual: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    detail: &'a [String],
}

#[derive(Debug, Serialize)]
struct Missed<'a> {
    #[serde(skip_serializing_if = "is_first")]
    copy: u32,
    step: u32,
    line: u32,
    why: &'a str,
    /// The ordinal of the step whose end was the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Lost<'a> {
    #[serde(skip_serializing_if = "is_first")]
    copy: u32,
    client: &'a str,
    at_ns: u64,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct Times {
    total: Four,
    by_verb: BTreeMap<&'static str, Four>,
}

/// The four times of one kind of operation.
#[derive(Debug, Serialize)]
struct Four {
    /// Completion minus dispatch.
    service: Percentiles,
    /// Completion minus scheduled time.
    response: Percentiles,
    /// Dispatch minus scheduled time.
    lag: Percentiles,
    /// Dispatch minus the moment from which nothing stood in the way.
    fault: Percentiles,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    count: u64,
    min: u64,
    mean: u64,
    p50: u64,
    p95: u64,
    p99: u64,
    #[serde(rename = "p99.9")]
    p99_9: u64,
    max: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_first(copy: &u32) -> bool {
    *copy == 0
}

impl<'a> Report<'a> {
    /// Puts a run into its shape.
    pub(crate) fn new(trace: &'a Trace, server: &'a str, run: &'a RunReport) -> Self {
        let (of_steps, others) = run
            .differences
            .iter()
            .partition::<Vec<_>, _>(|difference| matches!(difference.place, Place::Step(_)));
        let differed = |list: Vec<&'a Difference>| {
            list.into_iter()
                .map(|difference| Differed::new(trace, difference))
                .collect()
        };
        let by_kind = run
            .differences_by_kind
            .iter()
            .map(|(kind, count)| (kind.name(), *count));
        let seconds = run.duration.as_secs_f64();
        let done = run.answers_agreed + run.answers_differed;
        let by_verb = run
            .times
            .by_verb
            .iter()
            .map(|(verb, times)| (*verb, Four::new(times)));
        Self {
            version: 1,
            trace: trace.name(),
            title: trace.title(),
            backend: run.backend,
            server,
            verdict: run.verdict.name(),
            reason: match &run.verdict {
                Verdict::Skipped { reason } | Verdict::Broken { reason } => Some(reason),
                _ => None,
            },
            copies: run.copies,
            steps: run.steps,
            operations_issued: run.operations_issued,
            operations_completed: run.operations_completed,
            answers_agreed: run.answers_agreed,
            answers_differed: differed(of_steps),
            answers_differed_total: run.answers_differed,
            others_differed: differed(others),
            differences_by_kind: by_kind.collect(),
            not_run: run
                .not_run
                .iter()
                .map(|missed| Missed::new(trace, missed))
                .collect(),
            duration_ns: u64::try_from(run.duration.as_nanos()).unwrap_or(u64::MAX),
            steps_per_second: if seconds > 0.0 {
                done as f64 / seconds
            } else {
                0.0
            },
            round_trip_ns: run.round_trip,
            times: Times {
                total: Four::new(&run.times.total),
                by_verb: by_verb.collect(),
            },
            probe: run.probe.as_deref().map(Percentiles::new),
            break_latency: run.break_latency.as_deref().map(Percentiles::new),
            break_reactions: run
                .reactions
                .iter()
                .map(|record| reactions::to_json(trace, record))
                .collect(),
            resources: None,
            lost_connections: run
                .lost
                .iter()
                .map(|lost| Lost {
                    copy: lost.copy,
                    client: trace.client(lost.client).name(),
                    at_ns: lost.at,
                    reason: &lost.reason,
                })
                .collect(),
            waits: run
                .stuck
                .as_ref()
                .map(|picture| picture.display(trace).to_string()),
            close_errors: &run.close_errors,
        }
    }
}

impl<'a> Report<'a> {
    /// The same with what the run took of the process.
    pub(crate) fn with_resources(self, resources: Option<&'a Resources>) -> Self {
        Self { resources, ..self }
    }
}

impl<'a> Differed<'a> {
    fn new(trace: &'a Trace, difference: &'a Difference) -> Self {
        let step = difference.step().map(|id| trace.step(id));
        let client = match difference.place {
            Place::Client(id) => Some(trace.client(id)),
            _ => step.map(|step| trace.client(step.client())),
        };
        Self {
            copy: difference.copy,
            step: step.map(|step| step.id().0 + 1),
            line: match difference.place {
                Place::Step(_) => step.map(|step| step.line()),
                Place::Client(id) => Some(trace.client(id).line()),
                Place::Check(line) => Some(line),
                Place::Run => None,
            },
            client: client.map(|client| client.name()),
            label: step.and_then(|step| step.label()),
            verb: step.map(|step| step.verb().name),
            kind: difference.kind.name(),
            expected: &difference.expected,
            actual: &difference.actual,
            detail: &difference.detail,
        }
    }
}

impl<'a> Missed<'a> {
    fn new(trace: &Trace, missed: &'a NotRun) -> Self {
        Self {
            copy: missed.copy,
            step: missed.step.0 + 1,
            line: trace.step(missed.step).line(),
            why: &missed.why,
            because: missed.because.map(|step| step.0 + 1),
        }
    }
}

impl Four {
    fn new(times: &OpTimes) -> Self {
        Self {
            service: Percentiles::new(&times.service),
            response: Percentiles::new(&times.response),
            lag: Percentiles::new(&times.lag),
            fault: Percentiles::new(&times.fault),
        }
    }
}

impl Percentiles {
    fn new(histogram: &Histogram) -> Self {
        Self {
            count: histogram.len(),
            min: if histogram.is_empty() {
                0
            } else {
                histogram.min()
            },
            mean: histogram.mean() as u64,
            p50: histogram.value_at_quantile(0.5),
            p95: histogram.value_at_quantile(0.95),
            p99: histogram.value_at_quantile(0.99),
            p99_9: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}
