//! What breaks made clients do by themselves, for reports: answers to breaks, what the server said to them, and steps
//! that were held back meanwhile.

use std::time::Duration;

use replay_engine::{Reaction, ReactionRecord};
use replay_ir::{StepId, Trace, status_text};
use serde_json::{Value, json};

use crate::render::ms;

/// One event of the log.
pub(crate) fn to_json(trace: &Trace, record: &ReactionRecord) -> Value {
    let line = |step: StepId| trace.step(step).line();
    let (client, at) = (trace.client(record.client).name(), record.at);
    match &record.reaction {
        Reaction::Answered {
            opened_by,
            with,
            latency,
        } => json!({
            "event": "break-answered", "client": client, "at": at, "opened_by_line": line(*opened_by),
            "with": with, "latency": latency.map(nanoseconds),
        }),
        Reaction::Failed {
            opened_by,
            with,
            reason,
        } => json!({
            "event": "break-not-answered", "client": client, "at": at, "opened_by_line": line(*opened_by),
            "with": with, "reason": reason,
        }),
        Reaction::Settled {
            opened_by,
            with,
            answer,
        } => json!({
            "event": "break-settled", "client": client, "at": at, "opened_by_line": line(*opened_by),
            "with": with, "answer": answer.to_text(trace.vocabulary()),
        }),
        Reaction::Held { step, time } => json!({
            "event": "held", "client": client, "at": at, "step": step.0 + 1, "line": line(*step),
            "time": nanoseconds(*time),
        }),
    }
}

/// Whether a person who looks at a failure must see it.
pub(crate) fn matters(trace: &Trace, record: &ReactionRecord) -> bool {
    match &record.reaction {
        Reaction::Answered { .. } => false,
        Reaction::Settled { answer, .. } => answer.status != trace.vocabulary().ok,
        Reaction::Failed { .. } | Reaction::Held { .. } => true,
    }
}

/// The same in a sentence.
pub(crate) fn sentence(trace: &Trace, record: &ReactionRecord) -> String {
    let line = |step: StepId| trace.step(step).line();
    let (client, at) = (trace.client(record.client).name(), ms(record.at));
    match &record.reaction {
        Reaction::Answered {
            opened_by, with, ..
        } => format!(
            "{client} answered a break of line {} at {at}: {with}",
            line(*opened_by)
        ),
        Reaction::Failed {
            opened_by,
            with,
            reason,
        } => format!(
            "{client} could not answer a break of line {} at {at} ({with}): {reason}",
            line(*opened_by)
        ),
        Reaction::Settled {
            opened_by,
            with,
            answer,
        } => format!(
            "the server's word at {at} on {client}'s `{with}` for a break of line {}: {}",
            line(*opened_by),
            status_text(trace.vocabulary(), answer.status)
        ),
        Reaction::Held { step, time } => format!(
            "line {} of {client} was held back for {}, until the break of its handle was answered",
            line(*step),
            ms(nanoseconds(*time))
        ),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
