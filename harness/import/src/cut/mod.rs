//! Cuts a part out of a trace: steps of some clients, of a time, on some paths, or by their numbers, with all that they
//! need, and with the files as they were.
//!
//! What a chosen step needs is kept with it: the step that opened its handle, the members of its compound before it, what
//! it awaits or cancels, the connects and disconnects of its client, and every step that changed one of its files since
//! the first that is kept. What happened before that becomes `given` lines; [`files`] follows it.

mod files;

use files::Files;
use replay_ir::{
    ExpectSpec, ExpectStatus, LoadErrors, Milestone, OwnedValue, Role, Step, StepId, StepSpec,
    Trace, TraceBuilder, Value,
};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Which steps are wanted: those that all of these let through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these clients, by their names, and of those that share their connections; none for all.
    pub clients: Vec<String>,
    /// On these paths or below them; none for all.
    pub paths: Vec<String>,
    /// Due in this time, in nanoseconds from the start.
    pub time: Option<Range<u64>>,
    /// With these numbers, from 1.
    pub steps: Option<Range<usize>>,
}

/// What a cut has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Steps that were chosen.
    pub chosen: usize,
    /// Steps that those need.
    pub needed: usize,
    /// Steps of the trace.
    pub of: usize,
    /// Checks that were left out with their steps.
    pub checks_left_out: usize,
}

/// Why there is no such cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// A client that the trace does not have.
    #[error("the trace has no client `{0}`")]
    NoClient(String),
    /// Nothing is left.
    #[error("no step is chosen")]
    Nothing,
    /// What was cut out makes no trace.
    #[error(transparent)]
    Trace(#[from] LoadErrors),
}

/// Cuts.
///
/// # Errors
/// A client that there is not, or no step at all.
pub fn cut(trace: &Trace, selection: &Selection) -> Result<(Trace, Kept), CutError> {
    for name in &selection.clients {
        if !trace.clients().iter().any(|client| client.name() == name) {
            return Err(CutError::NoClient(name.clone()));
        }
    }
    let chosen: BTreeSet<StepId> = trace
        .steps()
        .filter(|step| selection.wants(step))
        .map(|step| step.id())
        .collect();
    if chosen.is_empty() {
        return Err(CutError::Nothing);
    }
    let kept = close(trace, &chosen);
    let (new, checks_left_out) = write(trace, &kept)?;
    let report = Kept {
        chosen: chosen.len(),
        needed: kept.len() - chosen.len(),
        of: trace.len(),
        checks_left_out,
    };
    Ok((new, report))
}

impl Selection {
    fn wants(&self, step: &Step<'_>) -> bool {
        let trace = step.trace();
        let client = trace.client(step.client());
        let owner = client.on().map(|owner| trace.client(owner).name());
        let by_client = self.clients.is_empty()
            || self
                .clients
                .iter()
                .any(|name| name == client.name() || Some(name.as_str()) == owner);
        let by_time = self
            .time
            .as_ref()
            .is_none_or(|time| time.contains(&step.at()));
        let number = step.id().0 as usize + 1;
        let by_number = self
            .steps
            .as_ref()
            .is_none_or(|steps| steps.contains(&number));
        by_client && by_time && by_number && (self.paths.is_empty() || self.on_paths(step))
    }

    fn on_paths(&self, step: &Step<'_>) -> bool {
        let worked_on = files::paths(step);
        self.paths.iter().any(|wanted| {
            let wanted = wanted.to_lowercase();
            worked_on.iter().any(|path| files::is_below(path, &wanted))
        })
    }
}

/// The chosen steps with all that they need.
fn close(trace: &Trace, chosen: &BTreeSet<StepId>) -> BTreeSet<StepId> {
    let (mut kept, before) = (chosen.clone(), before(trace));
    loop {
        let known = kept.len();
        for id in kept.clone() {
            needs(trace, id, &before, &mut kept);
        }
        connections(trace, &mut kept);
        changes(trace, &mut kept);
        if kept.len() == known {
            return kept;
        }
    }
}

/// What one step needs by itself.
fn needs(trace: &Trace, id: StepId, before: &[Option<StepId>], kept: &mut BTreeSet<StepId>) {
    let step = trace.step(id);
    kept.extend(step.target());
    if let Some(opener) = step.opened_by() {
        kept.insert(opener);
        // What is said about its breaks before.
        let between = (opener.0..id.0).map(StepId);
        kept.extend(between.filter(|&other| {
            let other = trace.step(other);
            other.role() == Role::OnBreak && other.opened_by() == Some(opener)
        }));
    }
    if let Some(source) = step.arg("source").and_then(|value| value.as_str()) {
        let owner = |step: &Step<'_>| {
            let client = step.client();
            trace.client(client).on().unwrap_or(client)
        };
        let earlier = (0..id.0).rev().map(|other| trace.step(StepId(other)));
        let mut earlier = earlier.filter(|other| owner(other) == owner(&step));
        let handle = |other: &Step<'_>| {
            let handle = other.arg("handle").and_then(|value| value.as_str());
            handle == Some(source)
        };
        let opener = earlier.find(|other| handle(other) && other.opened_by().is_none());
        kept.extend(opener.map(|opener| opener.id()));
    }
    if step.arg("chunks").is_some() {
        // The key that names the source (MS-SMB2 2.2.31.1).
        let keys = (0..id.0).map(|other| trace.step(StepId(other)));
        let code = |other: &Step<'_>| {
            other.arg("code").and_then(|value| value.as_str()) == Some("srv-request-resume-key")
        };
        kept.extend(keys.filter(code).map(|key| key.id()));
    }
    if step.compounded() {
        kept.extend(before.get(id.0 as usize).copied().flatten());
    }
}

/// Connects, disconnects and the like of clients that have a step behind them.
fn connections(trace: &Trace, kept: &mut BTreeSet<StepId>) {
    let mut last: HashMap<u32, StepId> = HashMap::new();
    let owner = |step: &Step<'_>| {
        let client = step.client();
        trace.client(client).on().unwrap_or(client).0
    };
    for &id in kept.iter() {
        last.insert(owner(&trace.step(id)), id);
    }
    let all: Vec<StepId> = trace
        .steps()
        .filter(|step| {
            let word = step.verb().name;
            let role = matches!(
                word,
                "connect"
                    | "disconnect"
                    | "logoff"
                    | "reauthenticate"
                    | "tree-connect"
                    | "tree-disconnect"
            );
            role && last.get(&owner(step)).is_some_and(|&last| step.id() < last)
        })
        .map(|step| step.id())
        .collect();
    kept.extend(all);
    // A handle that is kept ends where it ended.
    let end = kept.last().copied().unwrap_or(StepId(0));
    let closes = trace.steps().take(end.0 as usize).filter(|step| {
        step.verb().name == "close"
            && step
                .opened_by()
                .is_some_and(|opener| kept.contains(&opener))
    });
    let closes: Vec<StepId> = closes.map(|step| step.id()).collect();
    kept.extend(closes);
}

/// Every step that changed a file of the kept ones since the first of them.
fn changes(trace: &Trace, kept: &mut BTreeSet<StepId>) {
    let Some(&first) = kept.first() else { return };
    let mut touched: HashMap<String, StepId> = HashMap::new();
    for &id in kept.iter() {
        for path in files::paths(&trace.step(id)) {
            touched.insert(path, id);
        }
    }
    let unknown = Files::before(trace, first).unknown();
    for step in trace.steps().filter(|step| files::changes(step)) {
        let paths = files::paths(&step);
        let later = touched.iter().any(|(path, &last)| {
            let near = |own: &String| files::is_below(own, path) || files::is_below(path, own);
            let counts = step.id() > first || paths.iter().any(|own| unknown.contains(own));
            counts && step.id() < last && paths.iter().any(near)
        });
        if later {
            kept.insert(step.id());
        }
    }
}

type Named = (Cow<'static, str>, OwnedValue);

fn write(trace: &Trace, kept: &BTreeSet<StepId>) -> Result<(Trace, usize), CutError> {
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
        .flat_map(|&id| {
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
    let first = kept.first().copied().unwrap_or(StepId(0));
    for (kind, args) in Files::before(trace, first).givens(trace) {
        new.given(kind, &args);
    }
    let start = kept
        .iter()
        .map(|&id| trace.step(id).at())
        .min()
        .unwrap_or(0);
    let before = before(trace);
    let waits: HashMap<StepId, Waits> = kept
        .iter()
        .map(|&id| (id, waits(trace, id, kept, &before)))
        .collect();
    let targets = kept.iter().filter_map(|&id| trace.step(id).target());
    let named = waits
        .values()
        .flatten()
        .map(|&(other, _)| other)
        .chain(targets)
        .collect();
    let labels = labels(trace, kept, &named);
    for &id in kept {
        new.step(&spec(trace, id, start, &waits[&id], &labels));
    }
    let mut left_out = 0;
    for check in trace.checks() {
        let whole = match check {
            replay_ir::Check::Order { milestones, .. } => milestones
                .iter()
                .all(|at| kept.contains(&at.step) && trace.step(at.step).label().is_some()),
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
fn has_samples(trace: &Trace, kept: &BTreeSet<StepId>, quantile: f64, verb: Option<&str>) -> bool {
    let of = kept.iter().filter(|&&id| {
        let step = trace.step(id);
        step.role() == Role::Operation && verb.is_none_or(|verb| step.verb().name == verb)
    });
    let samples = of.count() as f64;
    // A quantile of 1 is the largest.
    samples >= 1.0 && (quantile >= 1.0 || samples * (1.0 - quantile) > 0.999_999)
}

/// Steps, and how far they must have come.
type Waits = Vec<(StepId, Milestone)>;

/// The step of the same client before each.
fn before(trace: &Trace) -> Vec<Option<StepId>> {
    let mut last: HashMap<u32, StepId> = HashMap::new();
    trace
        .steps()
        .map(|step| last.insert(step.client().0, step.id()))
        .collect()
}

/// Labels of the kept steps: their own, and one for each that another names.
fn labels(
    trace: &Trace,
    kept: &BTreeSet<StepId>,
    named: &HashSet<StepId>,
) -> HashMap<StepId, String> {
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
        .filter(|id| named.contains(id) || trace.step(**id).label().is_some());
    with.map(|&id| (id, label(id))).collect()
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

/// What a step waits for of the kept ones. One that is left out stands for what it waited for, and for what its client
/// did before it.
fn waits(trace: &Trace, id: StepId, kept: &BTreeSet<StepId>, before: &[Option<StepId>]) -> Waits {
    let step = trace.step(id);
    let mut found = Waits::new();
    let mut open: Waits = step
        .after()
        .map(|dependency| (dependency.step, dependency.milestone))
        .collect();
    let mut seen = HashSet::new();
    while let Some((other, milestone)) = open.pop() {
        if !seen.insert(other) {
            continue;
        }
        if kept.contains(&other) {
            let own = trace.step(other).client() == step.client() && other < id;
            if !own && !found.iter().any(|&(known, _)| known == other) {
                found.push((other, milestone));
            }
            continue;
        }
        let left_out = trace.step(other);
        let after = left_out.after();
        open.extend(after.map(|dependency| (dependency.step, dependency.milestone)));
        let earlier = before.get(other.0 as usize).copied().flatten();
        open.extend(earlier.map(|earlier| (earlier, Milestone::Done)));
    }
    found.sort_unstable_by_key(|&(other, _)| other);
    found
}

fn owned<'t>(args: impl Iterator<Item = (&'static str, Value<'t>)>) -> Vec<Named> {
    args.map(|(name, value)| (name.into(), own(&value)))
        .collect()
}

/// A value of its own. Words of all kinds are tokens, which the builder takes for any of them.
fn own(value: &Value<'_>) -> OwnedValue {
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

#[cfg(test)]
mod tests {
    use super::*;
    use smb_vocabulary::VOCABULARY;

    const TRACE: &str = r#"ir 1
title "two clients"
client A user=alice
client B user=bob
given file "d/old" size=10 fill=3
made: A create f "d/new" access=rw disposition=create -> OK action=created
A write f len=100 fill=7 -> OK len=100
A close f
@1s A create g "d/old" access=rw -> OK action=opened
mark: @2s B create h "d/new" access=rw -> OK action=opened after=made
@3s B write h offset=50 len=10 fill=9 -> OK len=10
@4s A read g len=10 -> OK fill=3
a: @5s B read h len=50 -> OK fill=7
b: @6s A close g after=a
check order mark < a
check order a < b
check max read < 1s
"#;

    fn cut_to_text(selection: &Selection) -> (String, Kept) {
        let trace = replay_ir::load_str("a.ir", TRACE, &VOCABULARY).expect("a trace");
        let (new, kept) = cut(&trace, selection).expect("a cut");
        let mut text = Vec::new();
        new.write_text(&mut text).expect("text");
        (String::from_utf8(text).expect("UTF-8"), kept)
    }

    #[test]
    fn a_client_is_cut_out_with_the_files_that_it_finds() {
        let (text, kept) = cut_to_text(&Selection {
            clients: vec!["B".to_owned()],
            ..Selection::default()
        });
        assert!(
            text.contains("given file \"d/new\" size=100 fill=7\n"),
            "{text}"
        );
        assert!(
            text.contains("given file \"d/old\" size=10 fill=3\n"),
            "{text}"
        );
        assert!(
            !text.contains("alice") && !text.contains("after="),
            "{text}"
        );
        assert!(
            text.contains("check order mark < a") && text.contains("check max read"),
            "{text}"
        );
        assert_eq!(
            (kept.chosen, kept.needed, kept.of, kept.checks_left_out),
            (3, 0, 9, 1)
        );
        assert!(
            text.contains("\nmark: B create h") && text.contains("@3s B read")
                || text.contains("@3000ms B read"),
            "{text}"
        );
    }

    #[test]
    fn a_time_is_cut_out_with_opens_and_changes_that_it_needs() {
        let (text, kept) = cut_to_text(&Selection {
            time: Some(5_000_000_000..6_000_000_000),
            ..Selection::default()
        });
        // The read, what opened its handle, and the write in between.
        assert_eq!((kept.chosen, kept.needed), (1, 2), "{text}");
        assert!(text.contains("B write h offset=50 len=10 fill=9"), "{text}");
        let (text, kept) = cut_to_text(&Selection {
            paths: vec!["D/OLD".to_owned()],
            ..Selection::default()
        });
        assert_eq!((kept.chosen, kept.needed), (3, 0), "{text}");
    }

    #[test]
    fn bytes_that_no_given_can_say_are_written_again() {
        let trace = r#"ir 1
client A user=alice
client B user=bob
A create f "x" access=rw disposition=create -> OK action=created
A write f len=100 fill=7 -> OK len=100
A write f offset=50 len=10 fill=9 -> OK len=10
done: A close f
B create g "x" -> OK action=opened after=done
B read g len=50 -> OK fill=7
"#;
        let trace = replay_ir::load_str("a.ir", trace, &VOCABULARY).expect("a trace");
        let selection = Selection {
            steps: Some(6..7),
            ..Selection::default()
        };
        let (new, kept) = cut(&trace, &selection).expect("a cut");
        assert_eq!((new.len(), kept.needed, new.givens().len()), (6, 5, 0));
        let waits: Vec<_> = new.step(StepId(4)).after().map(|on| on.step).collect();
        assert_eq!(waits, [StepId(3)]);
        let none = Selection {
            clients: vec!["Z".to_owned()],
            ..Selection::default()
        };
        assert!(matches!(cut(&trace, &none), Err(CutError::NoClient(name)) if name == "Z"));
    }
}
