//! A trace as JSON Lines.

use std::io::{self, Write};

use crate::answer::status_text;
use crate::model::{Mode, Trace};
use crate::step::{Expect, Step};
use crate::value::Value;
use crate::vocabulary::ArgSpec;

impl Trace {
    /// Writes the canonical JSON Lines form: one object a line, no blanks, keys in a fixed order; `at` where a client's
    /// due time changes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_jsonl(&self, out: &mut dyn Write) -> io::Result<()> {
        const PIECE: usize = 1 << 16;
        let mut line = Vec::with_capacity(2 * PIECE);
        self.write_declarations(&mut line);
        let mut due = vec![0; self.clients().len()];
        for step in self.steps() {
            let due = &mut due[step.client().0 as usize];
            write_step(&mut line, &step, std::mem::replace(due, step.at()));
            if line.len() >= PIECE {
                out.write_all(&line)?;
                line.clear();
            }
        }
        for check in self.checks() {
            line.extend_from_slice(b"{\"check\":");
            string(&mut line, &self.check_text(check));
            line.extend_from_slice(b"}\n");
        }
        out.write_all(&line)
    }

    fn write_declarations(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ir\":1");
        if let Some(title) = self.title() {
            out.extend_from_slice(b",\"title\":");
            string(out, title);
        }
        if self.mode() != Mode::Exact {
            out.extend_from_slice(b",\"mode\":");
            out.push(b'0' + self.mode().number());
        }
        if !self.needs().is_empty() {
            out.extend_from_slice(b",\"needs\":");
            array(out, self.needs().iter(), |out, need| string(out, need));
        }
        out.extend_from_slice(b"}\n");
        for client in self.clients() {
            out.extend_from_slice(b"{\"client\":");
            string(out, client.name());
            if let Some(on) = client.through().or(client.on()) {
                out.extend_from_slice(b",\"on\":");
                string(out, self.client(on).name());
            }
            write_args(out, client.args());
            out.extend_from_slice(b"}\n");
        }
        for given in self.givens() {
            out.extend_from_slice(b"{\"given\":");
            string(out, given.spec().name);
            write_args(out, given.args());
            out.extend_from_slice(b"}\n");
        }
    }
}

fn write_step(out: &mut Vec<u8>, step: &Step<'_>, due: u64) {
    let trace = step.trace();
    out.extend_from_slice(b"{\"c\":");
    string(out, trace.client(step.client()).name());
    if step.at() != due {
        out.extend_from_slice(b",\"at\":");
        integer(out, step.at());
    }
    out.extend_from_slice(b",\"do\":");
    string(out, step.verb().name);
    if step.compounded() {
        out.extend_from_slice(b",\"compound\":true");
    }
    if let Some(label) = step.label() {
        out.extend_from_slice(b",\"label\":");
        string(out, label);
    }
    write_args(out, step.args());
    let expect = step.expect();
    if !expect.is_plain() {
        write_expect(out, &expect);
    }
    let mut after = step.after().peekable();
    if after.peek().is_some() {
        out.extend_from_slice(b",\"after\":");
        array(out, after, |out, dependency| {
            string(out, &trace.milestone_text(dependency))
        });
    }
    if let Some(within) = step.within() {
        out.extend_from_slice(b",\"within\":");
        integer(out, within);
    }
    out.extend_from_slice(b"}\n");
}

fn write_expect(out: &mut Vec<u8>, expect: &Expect<'_>) {
    let vocabulary = expect.step.trace().vocabulary();
    out.extend_from_slice(b",\"expect\":{");
    let mut first = true;
    let mut statuses = expect.statuses();
    let single = match (expect.anything(), expect.unknown()) {
        (true, _) => Some("*".to_owned()),
        (_, true) => Some("?".to_owned()),
        _ => match (statuses.next(), statuses.next()) {
            (Some(status), None) => Some(status_text(vocabulary, status)),
            _ => None,
        },
    };
    match single {
        // A field alone says that the status is `OK`.
        Some(status) if status == "OK" => {}
        Some(status) => {
            out.extend_from_slice(b"\"status\":");
            string(out, &status);
            first = false;
        }
        None => {
            out.extend_from_slice(b"\"status\":");
            array(out, expect.statuses(), |out, status| {
                string(out, &status_text(vocabulary, status));
            });
            first = false;
        }
    }
    for (spec, value) in expect.fields() {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        string(out, spec.name);
        out.push(b':');
        write_value(out, &value);
    }
    out.push(b'}');
}

fn write_args<'t>(out: &mut Vec<u8>, args: impl Iterator<Item = (&'static ArgSpec, Value<'t>)>) {
    let mut any = false;
    for (spec, value) in args {
        out.extend_from_slice(if any { b"," } else { b",\"with\":{" });
        any = true;
        string(out, spec.name);
        out.push(b':');
        write_value(out, &value);
    }
    if any {
        out.push(b'}');
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Int(value) | Value::Duration(value) => integer(out, *value),
        Value::Range { start, end } => {
            out.push(b'[');
            integer(out, *start);
            out.push(b',');
            integer(out, *end);
            out.push(b']');
        }
        Value::Word(text) | Value::Text(text) => string(out, text),
        Value::Bytes(bytes) => {
            out.push(b'"');
            for byte in *bytes {
                out.extend(
                    [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]),
                );
            }
            out.push(b'"');
        }
        Value::Flag => out.extend_from_slice(b"true"),
        Value::List(items) => array(out, items.iter(), write_value),
    }
}

fn array<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn string(out: &mut Vec<u8>, text: &str) {
    let plain = |&byte: &u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.as_bytes().iter().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing a string to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}
