//! The canonical text of a trace.

use std::fmt::Write as _;
use std::io;

use crate::answer::status_text;
use crate::model::{Bound, Check, Mode, Trace};
use crate::name::quote;
use crate::step::{Expect, Step};
use crate::time::format_duration;
use crate::value::Value;
use crate::vocabulary::{ArgKind, ArgSpec, Role};

impl Trace {
    /// Writes the canonical text form: single blanks, arguments in the order of the vocabulary, a time where a client's
    /// due time changes, `after=` and `within=` at the end.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_text(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut text = self.head();
        let mut due = vec![0; self.clients.len()];
        for step in self.steps() {
            let due = &mut due[step.client().0 as usize];
            write_timed_step(&mut text, &step, std::mem::replace(due, step.at()));
            text.push('\n');
            if text.len() >= 1 << 16 {
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        for check in self.checks() {
            text.push_str("check ");
            text.push_str(&self.check_text(check));
            text.push('\n');
        }
        out.write_all(text.as_bytes())
    }

    /// All before the first step.
    fn head(&self) -> String {
        let mut text = String::from("ir 1\n");
        if let Some(title) = self.title() {
            let _ = writeln!(text, "title {}", quote(title));
        }
        if self.mode() != Mode::Exact {
            let _ = writeln!(text, "mode {}", self.mode().number());
        }
        if !self.needs().is_empty() {
            let _ = writeln!(text, "needs {}", self.needs().join(" "));
        }
        for client in self.clients() {
            let _ = write!(text, "client {}", client.name());
            if let Some(on) = client.through().or(client.on()) {
                let _ = write!(text, " on={}", self.client(on).name());
            }
            write_args(&mut text, self.vocabulary().client_args, client.args());
            text.push('\n');
        }
        for given in self.givens() {
            let _ = write!(text, "given {}", given.spec().name);
            write_args(&mut text, given.spec().args, given.args());
            text.push('\n');
        }
        text
    }

    /// What stands after `check`: `p99 write < 20ms`, `order a < b.break`.
    pub fn check_text(&self, check: &Check) -> String {
        let (quantile, verb, metric, bound) = match check {
            Check::Order { milestones, .. } => {
                let names: Vec<String> = milestones
                    .iter()
                    .map(|&at| self.milestone_text(at).replace('#', ""))
                    .collect();
                return format!("order {}", names.join(" < "));
            }
            Check::Time {
                quantile,
                verb,
                metric,
                bound,
                ..
            } => (quantile, verb, metric, bound),
        };
        let quantile = match (quantile * 1e6).round() as u64 {
            1_000_000 => "max".to_owned(),
            millionths => {
                let (whole, rest) = (millionths / 10_000, millionths % 10_000);
                let digits = format!("{whole}.{rest:04}");
                format!("p{}", digits.trim_end_matches('0').trim_end_matches('.'))
            }
        };
        let bound = match bound {
            Bound::Absolute(bound) => format_duration(*bound),
            Bound::RoundTrips(times) => format!("{times}x rtt"),
        };
        let verb = verb.unwrap_or("all");
        match metric {
            crate::model::Metric::Service => format!("{quantile} {verb} < {bound}"),
            metric => format!("{quantile} {verb} {} < {bound}", metric.name()),
        }
    }
}

impl Mode {
    /// As the `mode` line writes it: 0, 1, 2.
    pub fn number(self) -> u8 {
        match self {
            Mode::Files => 0,
            Mode::Exact => 1,
            Mode::Breaks => 2,
        }
    }
}

/// A step in one line; its time is always written unless it is 0.
pub(crate) fn write_step(text: &mut String, step: &Step<'_>) {
    write_timed_step(text, step, 0);
}

fn write_timed_step(text: &mut String, step: &Step<'_>, due: u64) {
    let trace = step.trace();
    if let Some(label) = step.label() {
        let _ = write!(text, "{label}: ");
    }
    if step.at() != due {
        let _ = write!(text, "@{} ", format_duration(step.at()));
    }
    text.push_str(trace.client(step.client()).name());
    text.push_str(if step.compounded() { " + " } else { " " });
    text.push_str(step.verb().name);
    write_args(text, step.verb().args, step.args());
    let expect = step.expect();
    if shows_ok(step.role()) || !expect.is_plain() {
        text.push_str(" -> ");
        write_expect(text, &expect);
    }
    let mut after = step.after();
    if let Some(first) = after.next() {
        let _ = write!(text, " after={}", trace.milestone_text(first));
        for dependency in after {
            let _ = write!(text, ",{}", trace.milestone_text(dependency));
        }
    }
    if let Some(within) = step.within() {
        let _ = write!(text, " within={}", format_duration(within));
    }
}

/// A plain `-> OK` says something of a step that is sent; of the others it would be noise.
fn shows_ok(role: Role) -> bool {
    matches!(role, Role::Operation | Role::Connect | Role::Await)
}

pub(crate) fn write_expect(text: &mut String, expect: &Expect<'_>) {
    if expect.anything() {
        text.push('*');
    } else if expect.unknown() {
        text.push('?');
    }
    let vocabulary = expect.step.trace().vocabulary();
    for (index, status) in expect.statuses().enumerate() {
        if index > 0 {
            text.push('|');
        }
        text.push_str(&status_text(vocabulary, status));
    }
    for (spec, value) in expect.fields() {
        text.push(' ');
        text.push_str(spec.name);
        if value != Value::Flag {
            text.push('=');
            write_value(text, &value);
        }
    }
}

fn write_args<'t>(
    text: &mut String,
    specs: &'static [ArgSpec],
    args: impl Iterator<Item = (&'static ArgSpec, Value<'t>)>,
) {
    // The positional arguments that were not written yet.
    let mut positions = specs.iter().filter(|spec| spec.positional);
    for (spec, value) in args {
        text.push(' ');
        if matches!(spec.kind, ArgKind::Flag) {
            text.push_str(spec.name);
            continue;
        }
        let next = spec.positional && positions.next().is_some_and(|next| next.name == spec.name);
        // A bare word for an optional argument could be a flag; a token with `=` could be another argument.
        let clear = matches!(spec.kind, ArgKind::Text) || (spec.required && !has_equals(&value));
        if !(next && clear) {
            text.push_str(spec.name);
            text.push('=');
        }
        write_value(text, &value);
    }
}

fn has_equals(value: &Value<'_>) -> bool {
    match value {
        Value::Word(word) => word.contains('='),
        Value::List(_) => true,
        _ => false,
    }
}

/// A value as the text form writes it.
pub(crate) fn write_value(text: &mut String, value: &Value<'_>) {
    let _ = match value {
        Value::Int(value) => write!(text, "{value}"),
        Value::Duration(value) => text.write_str(&format_duration(*value)),
        Value::Range { start, end } => write!(text, "{start}..{end}"),
        Value::Word(word) => text.write_str(word),
        Value::Text(value) => text.write_str(&quote(value)),
        Value::Bytes(bytes) => {
            text.push_str("hex:");
            bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
        }
        Value::Flag => Ok(()),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            Ok(())
        }
    };
}
