//! Is what came back what the trace says? Pure functions over a step and its outcome.
//!
//! When the scheduler let a step go, and what follows from its end, is none of their business.

mod checks;
mod data;

use replay_ir::answer::status_text;
use replay_ir::{Answer, Role, Step, Value};

use crate::backend::Outcome;
use crate::report::{Difference, Place};
use crate::verdict::Kind;

pub(crate) use checks::{judge_order, judge_time};

/// Every way in which the outcome of a step is not what its expectation says. `took` is the time from its dispatch
/// to its answer in nanoseconds. [`Outcome::Broken`] is no difference: it is for the caller to end the run.
///
/// Fields and data are judged only where the status is right, since another status carries others.
pub fn judge(step: Step<'_>, outcome: &Outcome, took: u64) -> Vec<Difference> {
    let mut differences = Vec::new();
    let place = Place::Step(step.id());
    match outcome {
        Outcome::Answered(answer) => {
            judge_answer(step, answer, &mut differences);
            judge_within(step, took, Kind::Time, &mut differences);
        }
        Outcome::Lost(_) if allows_loss(step) => {}
        Outcome::Lost(reason) => differences.push(Difference {
            place,
            kind: Kind::Lost,
            expected: step.expect().to_text(),
            actual: format!("the connection was lost: {reason}"),
            detail: Vec::new(),
            copy: 0,
        }),
        Outcome::Violation(reason) | Outcome::Discarded(reason) => differences.push(Difference {
            place,
            kind: Kind::Violation,
            expected: step.expect().to_text(),
            actual: format!("an answer that breaks the protocol: {reason}"),
            detail: Vec::new(),
            copy: 0,
        }),
        Outcome::Broken(_) => {}
    }
    differences
}

/// The end of the connection is a right end for this step.
pub(crate) fn allows_loss(step: Step<'_>) -> bool {
    step.expect().anything()
}

/// The same for a break that a step has waited for: its arguments say what the break must say, too.
pub(crate) fn judge_break(step: Step<'_>, answer: &Answer, took: u64) -> Vec<Difference> {
    let mut differences = Vec::new();
    judge_answer(step, answer, &mut differences);
    for (name, expected) in break_fields(step) {
        let field = judge_field(step, name, &expected, answer);
        differences.extend(field.map(|difference| Difference {
            kind: Kind::Break,
            ..difference
        }));
    }
    judge_within(step, took, Kind::Break, &mut differences);
    differences
}

/// The difference of a step that got no answer within this many nanoseconds.
pub(crate) fn no_answer(step: Step<'_>, bound: u64) -> Difference {
    let (kind, what) = match step.role() {
        Role::AwaitBreak => (Kind::Break, "no break"),
        _ => (Kind::Time, "no answer"),
    };
    let bound = replay_ir::time::format_duration(bound);
    Difference {
        place: Place::Step(step.id()),
        kind,
        expected: expected_text(step),
        actual: format!("{what} within {bound}"),
        detail: Vec::new(),
        copy: 0,
    }
}

/// The difference of a wait for a break whose connection was lost.
pub(crate) fn cut_off(step: Step<'_>) -> Difference {
    Difference {
        place: Place::Step(step.id()),
        kind: Kind::Lost,
        expected: expected_text(step),
        actual: "the connection was lost".to_owned(),
        detail: Vec::new(),
        copy: 0,
    }
}

/// The difference of a step that ended with a break that should not have come.
pub(crate) fn unwanted_break(step: Step<'_>, answer: &Answer) -> Difference {
    Difference {
        place: Place::Step(step.id()),
        kind: Kind::Break,
        expected: expected_text(step),
        actual: format!("a break: {}", fields_text(step, answer)),
        detail: Vec::new(),
        copy: 0,
    }
}

/// What a step expects, in the trace's words.
fn expected_text(step: Step<'_>) -> String {
    match step.role() {
        Role::AwaitBreak => {
            let mut text = "a break".to_owned();
            for (name, value) in break_fields(step) {
                text.push(' ');
                text.push_str(&field_text(name, &value));
            }
            text
        }
        Role::NoBreak => "no break".to_owned(),
        _ => step.expect().to_text(),
    }
}

/// The arguments of a step that say what the break must say.
fn break_fields<'t>(step: Step<'t>) -> impl Iterator<Item = (&'static str, Value<'t>)> {
    let fields = step.verb().answer;
    let args = step.args().map(|(spec, value)| (spec.name, value));
    args.filter(|(name, _)| fields.iter().any(|field| field.name == *name))
}

fn fields_text(step: Step<'_>, answer: &Answer) -> String {
    let fields: Vec<String> = answer
        .fields
        .iter()
        .map(|(name, value)| field_text(name, &value.as_value()))
        .collect();
    match fields.is_empty() {
        true => status_text(step.trace().vocabulary(), answer.status),
        false => fields.join(" "),
    }
}

fn judge_answer(step: Step<'_>, answer: &Answer, differences: &mut Vec<Difference>) {
    let expect = step.expect();
    let vocabulary = step.trace().vocabulary();
    let place = Place::Step(step.id());
    if expect.unknown() {
        differences.push(Difference {
            place,
            kind: Kind::Unknown,
            expected: "?".to_owned(),
            actual: answer.to_text(vocabulary),
            detail: Vec::new(),
            copy: 0,
        });
        return;
    }
    if !expect.anything() && !expect.statuses().any(|status| status == answer.status) {
        let names: Vec<String> = expect
            .statuses()
            .map(|status| status_text(vocabulary, status))
            .collect();
        differences.push(Difference {
            place,
            kind: Kind::Status,
            expected: names.join("|"),
            actual: status_text(vocabulary, answer.status),
            detail: Vec::new(),
            copy: 0,
        });
        return;
    }
    for (field, expected) in expect.fields() {
        let difference = match field.name {
            _ if answer.fields.iter().any(|(name, _)| *name == field.name) => {
                judge_field(step, field.name, &expected, answer)
            }
            "fill" | "data" | "blob" => data::judge(step, field.name, &expected, answer),
            "len" => judge_length(step, &expected, answer),
            name => judge_field(step, name, &expected, answer),
        };
        differences.extend(difference);
    }
}

fn judge_field(
    step: Step<'_>,
    name: &'static str,
    expected: &Value<'_>,
    answer: &Answer,
) -> Option<Difference> {
    let actual = answer.fields.iter().find(|(field, _)| *field == name);
    let actual = actual.map(|(_, value)| value.as_value());
    if actual.as_ref().is_some_and(|actual| same(expected, actual)) {
        return None;
    }
    Some(Difference {
        place: Place::Step(step.id()),
        kind: Kind::Field,
        expected: field_text(name, expected),
        actual: match actual {
            Some(actual) => field_text(name, &actual),
            None => format!("an answer without `{name}`"),
        },
        detail: Vec::new(),
        copy: 0,
    })
}

/// `len=` of an answer that does not carry it as a field is the length of its data.
fn judge_length(step: Step<'_>, expected: &Value<'_>, answer: &Answer) -> Option<Difference> {
    let Some(data) = &answer.data else {
        return judge_field(step, "len", expected, answer);
    };
    let actual = Value::Int(data.len() as u64);
    (*expected != actual).then(|| Difference {
        place: Place::Step(step.id()),
        kind: Kind::Field,
        expected: field_text("len", expected),
        actual: field_text("len", &actual),
        detail: Vec::new(),
        copy: 0,
    })
}

fn judge_within(step: Step<'_>, took: u64, kind: Kind, differences: &mut Vec<Difference>) {
    let Some(within) = step.within().filter(|within| took > *within) else {
        return;
    };
    differences.push(Difference {
        place: Place::Step(step.id()),
        kind,
        expected: format!("within={}", replay_ir::time::format_duration(within)),
        actual: format!("after {}", replay_ir::time::format_duration(took)),
        detail: Vec::new(),
        copy: 0,
    });
}

/// Words that are sets are the same in any order: `read|write`, `write|read`.
fn same(expected: &Value<'_>, actual: &Value<'_>) -> bool {
    match (expected, actual) {
        (Value::Word(a), Value::Word(b)) if a != b && a.contains('|') => {
            let sorted = |set: &str| {
                let mut parts: Vec<String> = set.split('|').map(str::to_owned).collect();
                parts.sort_unstable();
                parts
            };
            sorted(a) == sorted(b)
        }
        (Value::Word(a) | Value::Text(a), Value::Word(b) | Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (a, b) => a == b,
    }
}

fn field_text(name: &str, value: &Value<'_>) -> String {
    match value {
        Value::Flag => name.to_owned(),
        value => format!("{name}={}", value.to_text()),
    }
}
