//! A comparison for programs.

use serde_json::{Value, json};

use super::{By, Cause, Comparison, Consequence, Otherwise, Place, Run};

/// One JSON object; see `docs/captures.md`. Fields are only ever added.
pub(crate) fn to_json(comparison: &Comparison<'_>) -> Value {
    let groups: Vec<Value> = comparison
        .groups()
        .into_iter()
        .map(|(group, causes, consequences)| {
            json!({
                "verb": group.verb, "expected": group.expected, "actual": group.actual,
                "causes": causes, "consequences": consequences,
            })
        })
        .collect();
    json!({
        "version": 1,
        "trace": comparison.shown,
        "replays": comparison.replays,
        "runs": comparison.runs.iter().map(run).collect::<Vec<_>>(),
        "causes": comparison.causes.iter().map(|one| cause(comparison, one)).collect::<Vec<_>>(),
        "groups": groups,
    })
}

fn run(run: &Run) -> Value {
    json!({
        "report": run.shown, "verdict": run.verdict, "reason": run.reason, "copies": run.copies,
        "steps": run.steps, "agreed": run.agreed, "differed": run.differed, "not_run": run.not_run,
        "causes": run.causes, "consequences": run.consequences, "not_listed": run.not_listed,
        "share": run.share(),
    })
}

fn cause(comparison: &Comparison<'_>, cause: &Cause) -> Value {
    let mut all = place(comparison, cause.place);
    otherwise(&mut all, &cause.what);
    let consequences = cause.consequences.iter();
    all["consequences"] = consequences
        .map(|(&place, one)| consequence(comparison, place, one))
        .collect();
    all
}

fn consequence(comparison: &Comparison<'_>, at: Place, one: &Consequence) -> Value {
    let mut all = place(comparison, at);
    otherwise(&mut all, &one.what);
    let follows = one.follows.iter();
    all["follows"] = follows
        .map(|&(from, by)| {
            let mut from = place(comparison, from);
            from["by"] = By::word(by).into();
            if let Some(aspect) = by.aspect() {
                from["aspect"] = aspect.into();
            }
            from
        })
        .collect();
    all
}

fn place(comparison: &Comparison<'_>, place: Place) -> Value {
    let trace = comparison.trace;
    let mut at = json!({ "line": comparison.line(place), "verb": comparison.verb(place) });
    match place {
        Place::Step(id) => {
            let step = trace.step(id);
            at["step"] = (id.0 + 1).into();
            at["client"] = trace.client(step.client()).name().into();
            at["text"] = step.to_text().into();
            if let Some(label) = step.label() {
                at["label"] = label.into();
            }
        }
        Place::Client(client) => at["client"] = trace.client(client).name().into(),
        Place::Check(_) | Place::Run => {}
    }
    at
}

fn otherwise(all: &mut Value, what: &Otherwise) {
    all["replays"] = what.seen.into();
    let differences = what.differences.iter();
    all["differences"] = differences
        .map(|((kind, expected, actual, detail), seen)| {
            json!({
                "kind": kind, "expected": expected, "actual": actual, "detail": detail, "replays": seen,
            })
        })
        .collect();
    if !what.not_run.is_empty() {
        all["not_run"] = what.not_run.iter().cloned().collect();
    }
}
