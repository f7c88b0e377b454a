//! The answer that a step's own expectation asks for: what the null backend says, and the simulated one by default.

use std::path::Path;

use bytes::Bytes;
use replay_ir::{Answer, OwnedValue, Role, Step, StepId, Trace, Value, blob};

/// The first of the expected statuses with the expected fields and data; `ok` for `*` and `?`.
pub(crate) fn expected_answer(step: Step<'_>) -> Answer {
    let expect = step.expect();
    let ok = step.trace().vocabulary().ok;
    if expect.is_plain() {
        return Answer {
            status: ok,
            fields: Vec::new(),
            data: None,
        };
    }
    let status = expect.statuses().next().unwrap_or(ok);
    let length = ["len"].into_iter().find_map(|name| {
        let field = expect
            .fields()
            .find(|(spec, _)| spec.name == name)
            .map(|(_, value)| value);
        field.or_else(|| step.arg(name))?.as_int()
    });
    let mut answer = Answer {
        status,
        fields: Vec::new(),
        data: None,
    };
    for (spec, value) in expect.fields() {
        match spec.name {
            "fill" | "data" | "blob" if answer.data.is_none() => {
                answer.data = data(step, spec.name, &value, length.unwrap_or(0));
            }
            _ => answer.fields.push((spec.name, owned(&value))),
        }
    }
    answer
}

/// The final answer of a step that expects an interim one: what the step that awaits it expects.
pub(crate) fn final_answer(trace: &Trace, step: StepId) -> Answer {
    let later = (step.0 + 1..trace.len() as u32).map(|index| trace.step(StepId(index)));
    let mut awaits = later.filter(|later| later.role() == Role::Await);
    match awaits.find(|later| later.target() == Some(step)) {
        Some(awaits) => expected_answer(awaits),
        None => Answer {
            status: trace.vocabulary().ok,
            fields: Vec::new(),
            data: None,
        },
    }
}

/// The interim answer itself.
pub(crate) fn interim_answer(trace: &Trace) -> Answer {
    Answer {
        status: trace.vocabulary().pending,
        fields: Vec::new(),
        data: None,
    }
}

fn data(step: Step<'_>, name: &str, value: &Value<'_>, length: u64) -> Option<Bytes> {
    match (name, value) {
        ("fill", Value::Int(fill)) => {
            let offset = step
                .arg("offset")
                .and_then(|offset| offset.as_int())
                .unwrap_or(0);
            let mut bytes = vec![0; usize::try_from(length).ok()?];
            replay_ir::fill::fill_into(*fill, offset, &mut bytes);
            Some(bytes.into())
        }
        ("data", value) => Some(Bytes::copy_from_slice(value.as_str()?.as_bytes())),
        (_, value) => blob::read(Path::new(step.trace().name()), value.as_str()?).ok(),
    }
}

fn owned(value: &Value<'_>) -> OwnedValue {
    match value {
        Value::Int(value) => OwnedValue::Int(*value),
        Value::Duration(value) => OwnedValue::Duration(*value),
        Value::Range { start, end } => OwnedValue::Range {
            start: *start,
            end: *end,
        },
        Value::Word(word) => OwnedValue::Token((*word).to_owned()),
        Value::Text(text) => OwnedValue::Text((*text).to_owned()),
        Value::Bytes(bytes) => OwnedValue::Bytes(Bytes::copy_from_slice(bytes)),
        Value::Flag => OwnedValue::Flag,
        Value::List(items) => OwnedValue::List(items.iter().map(owned).collect()),
    }
}
