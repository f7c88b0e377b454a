//! Writes the kept steps as a trace of their own.

use super::Steps;
use super::files::Files;
use super::order::{Order, Waits};
use replay_ir::{
    ExpectSpec, ExpectStatus, LoadErrors, OwnedValue, Role, StepId, StepSpec, Trace, TraceBuilder,
    Value,
};
use smb_vocabulary::subjects::Subjects;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A named argument.
pub(super) type Named = (Cow<'static, str>, OwnedValue);

/// The trace of the kept steps, and how many checks were left out with the others.
pub(super) fn write(
    trace: &Trace,
    subjects: &Subjects,
    kept: &Steps,
) -> Result<(Trace, usize), LoadErrors> {
    let mut new = TraceBuilder::new(trace.vocabulary(), trace.name());
    if let Some(title) = trace.title() {
        new.title(title);
    }
    new.mode(trace.mode());
    for need in trace.needs() {
        new.need(need);
    }
    let used: HashSet<u32> = kept
        .iter()
        .flat_map(|id| {
            let client = trace.step(id).client();
            let previous = trace.step(id).arg("previous-session").and_then(|name| {
                let name = name.as_str()?.to_owned();
                let mut clients = trace.clients().iter();
                clients.position(|client| client.name() == name)
            });
            let client = trace.client(client);
            let through = client.through().map(|through| through.0);
            let owner = client.on().map(|owner| owner.0);
            [
                Some(trace.step(id).client().0),
                through,
                owner,
                previous.and_then(|at| u32::try_from(at).ok()),
            ]
        })
        .flatten()
        .collect();
    for (index, client) in trace.clients().iter().enumerate() {
        if !used.contains(&u32::try_from(index).unwrap_or(u32::MAX)) {
            continue;
        }
        let args: Vec<Named> = owned(client.args().map(|(spec, value)| (spec.name, value)));
        match client.through().or(client.on()) {
            Some(owner) => new.client_on(client.name(), trace.client(owner).name(), &args),
            None => new.client(client.name(), &args),
        };
    }
    let first = kept.iter().next().unwrap_or(StepId(0));
    for (kind, args) in Files::before(trace, subjects, first).givens(trace) {
        new.given(kind, &args);
    }
    let start = kept.iter().map(|id| trace.step(id).at()).min().unwrap_or(0);
    let order = Order::new(trace, kept);
    let waits: HashMap<StepId, Waits> = kept.iter().map(|id| (id, order.waits(id))).collect();
    let targets = kept.iter().filter_map(|id| trace.step(id).target());
    let named = waits
        .values()
        .flatten()
        .map(|&(other, _)| other)
        .chain(targets)
        .collect();
    let labels = labels(trace, kept, &named);
    for id in kept.iter() {
        new.step(&spec(trace, id, start, &waits[&id], &labels));
    }
    let mut left_out = 0;
    for check in trace.checks() {
        let whole = match check {
            replay_ir::Check::Order { milestones, .. } => milestones
                .iter()
                .all(|at| kept.contains(at.step) && trace.step(at.step).label().is_some()),
            replay_ir::Check::Time { quantile, verb, .. } => {
                has_samples(trace, kept, *quantile, *verb)
            }
        };
        match whole {
            true => drop(new.check(&trace.check_text(check))),
            false => left_out += 1,
        }
    }
    Ok((new.build()?, left_out))
}

/// Whether a quantile of the times of a verb can be told from the kept steps.
fn has_samples(trace: &Trace, kept: &Steps, quantile: f64, verb: Option<&str>) -> bool {
    let of = kept.iter().filter(|&id| {
        let step = trace.step(id);
        step.role() == Role::Operation && verb.is_none_or(|verb| step.verb().name == verb)
    });
    let samples = of.count() as f64;
    // A quantile of 1 is the largest.
    samples >= 1.0 && (quantile >= 1.0 || samples * (1.0 - quantile) > 0.999_999)
}

/// Labels of the kept steps: their own, and one for each that another names.
fn labels(trace: &Trace, kept: &Steps, named: &HashSet<StepId>) -> HashMap<StepId, String> {
    let taken: HashSet<&str> = trace.steps().filter_map(|step| step.label()).collect();
    let label = |id: StepId| {
        let own = trace.step(id).label().map(str::to_owned);
        own.unwrap_or_else(|| {
            let mut name = format!("step-{}", id.0 + 1);
            while taken.contains(name.as_str()) {
                name.push('x');
            }
            name
        })
    };
    let with = kept
        .iter()
        .filter(|&id| named.contains(&id) || trace.step(id).label().is_some());
    with.map(|id| (id, label(id))).collect()
}

fn spec(
    trace: &Trace,
    id: StepId,
    start: u64,
    waits: &Waits,
    labels: &HashMap<StepId, String>,
) -> StepSpec {
    let step = trace.step(id);
    let mut spec = StepSpec::new(trace.client(step.client()).name(), step.verb().name);
    spec.compounded = step.compounded();
    let at = step.at().saturating_sub(start);
    spec.at = (at > 0 && !spec.compounded).then_some(at);
    spec.args = owned(step.args().map(|(spec, value)| (spec.name, value)));
    spec.within = step.within();
    let expect = step.expect();
    spec.expect = ExpectSpec {
        status: match (expect.anything(), expect.unknown()) {
            (true, _) => ExpectStatus::Anything,
            (_, true) => ExpectStatus::Unknown,
            _ => ExpectStatus::OneOf(expect.statuses().collect()),
        },
        fields: owned(expect.fields().map(|(spec, value)| (spec.name, value))),
    };
    for &(other, milestone) in waits {
        spec.after.push((labels[&other].clone(), milestone));
    }
    spec.label = labels.get(&id).cloned();
    spec
}

fn owned<'t>(args: impl Iterator<Item = (&'static str, Value<'t>)>) -> Vec<Named> {
    args.map(|(name, value)| (name.into(), own(&value)))
        .collect()
}

/// A value of its own. Words of all kinds are tokens, which the builder takes for any of them.
pub(super) fn own(value: &Value<'_>) -> OwnedValue {
    match value {
        Value::Int(number) => OwnedValue::Int(*number),
        Value::Duration(time) => OwnedValue::Duration(*time),
        Value::Range { start, end } => OwnedValue::Range {
            start: *start,
            end: *end,
        },
        Value::Word(word) => OwnedValue::Token((*word).to_owned()),
        Value::Text(text) => OwnedValue::Text((*text).to_owned()),
        Value::Bytes(bytes) => OwnedValue::Bytes(bytes.to_vec().into()),
        Value::Flag => OwnedValue::Flag,
        Value::List(items) => OwnedValue::List(items.iter().map(own).collect()),
    }
}
