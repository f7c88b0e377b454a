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

#[cfg(test)]
mod tests {
    use replay_ir::{Answer, ClientId};
    use smb_vocabulary::VOCABULARY;

    use super::*;

    #[test]
    fn what_a_person_must_see_is_a_sentence_that_names_the_line() {
        let text = "ir 1\nmode 2\nclient A user=alice\nA create f \"x\" oplock=batch\nA flush f\n";
        let trace = replay_ir::load_str("x.ir", text, &VOCABULARY).expect("a trace");
        let (opened_by, with) = (StepId(0), "acknowledge ii".to_owned());
        let settled = |status| Reaction::Settled {
            opened_by,
            with: with.clone(),
            answer: Answer {
                status,
                ..Answer::default()
            },
        };
        let answered = Reaction::Answered {
            opened_by,
            with: with.clone(),
            latency: Some(Duration::from_micros(7)),
        };
        let failed = Reaction::Failed {
            opened_by,
            with: with.clone(),
            reason: "no credits".to_owned(),
        };
        let held = Reaction::Held {
            step: StepId(1),
            time: Duration::from_millis(5),
        };
        for (reaction, event, seen) in [
            (answered, "break-answered", None),
            (settled(0), "break-settled", None),
            (
                settled(0xC000_00E3),
                "break-settled",
                Some("line 4: INVALID_OPLOCK_PROTOCOL"),
            ),
            (
                failed,
                "break-not-answered",
                Some("line 4 at 1.000 ms (acknowledge ii): no credits"),
            ),
            (held, "held", Some("line 5 of A was held back for 5.000 ms")),
        ] {
            let record = ReactionRecord {
                copy: 0,
                client: ClientId(0),
                at: 1_000_000,
                reaction,
            };
            let json = to_json(&trace, &record);
            assert_eq!(
                (&json["event"], &json["at"]),
                (&event.into(), &1_000_000.into())
            );
            assert_eq!(matters(&trace, &record), seen.is_some(), "{event}");
            let sentence = sentence(&trace, &record);
            assert!(sentence.contains(seen.unwrap_or("line 4")), "{sentence}");
        }
    }
}
