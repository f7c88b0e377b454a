//! Makes a trace in code: for importers, and for work that a harness does around a trace.
//!
//! What is built is checked like what is loaded.

use std::borrow::Cow;

use crate::answer::{OwnedValue, status_text};
use crate::assemble::Assembler;
use crate::error::{LoadErrors, Span};
use crate::model::{Milestone, Mode, Trace};
use crate::name::quote;
use crate::raw::{At, RawArg, RawDeclaration, RawStep, RawTime, RawValue, Str};
use crate::text::write_value;
use crate::value::Value;
use crate::vocabulary::Vocabulary;

/// Collects the parts of a trace. Each call adds one item; an item's number, from 1, stands for its line in errors and
/// in [`Step::line`](crate::Step::line).
pub struct TraceBuilder {
    name: String,
    assembler: Assembler,
    item: u32,
    /// What errors show for an item that has some.
    shown: Vec<(u32, String)>,
}

/// A named argument or expected field.
type Named = (Cow<'static, str>, OwnedValue);

/// A step for [`TraceBuilder::step`].
#[derive(Debug, Clone, Default)]
pub struct StepSpec {
    /// Who does it; declared before.
    pub client: String,
    /// The verb's name.
    pub verb: Cow<'static, str>,
    /// Its label.
    pub label: Option<String>,
    /// Nanoseconds from the start; `None` for the client's previous due time.
    pub at: Option<u64>,
    /// Sent in one frame with its client's previous step.
    pub compounded: bool,
    /// Arguments by name, in any order. For names, words and tokens any of [`OwnedValue::Text`],
    /// [`OwnedValue::Token`] and [`OwnedValue::Word`] does.
    pub args: Vec<Named>,
    /// Labels of steps that it waits for, and how far they must have come.
    pub after: Vec<(String, Milestone)>,
    /// The bound on its answer's time in nanoseconds.
    pub within: Option<u64>,
    /// What must come back.
    pub expect: ExpectSpec,
}

/// The expectation of a [`StepSpec`]; by default `OK`.
#[derive(Debug, Clone, Default)]
pub struct ExpectSpec {
    /// The statuses.
    pub status: ExpectStatus,
    /// Fields by name.
    pub fields: Vec<Named>,
}

/// The statuses of an [`ExpectSpec`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExpectStatus {
    /// The vocabulary's `ok`.
    #[default]
    Ok,
    /// One of these.
    OneOf(Vec<u32>),
    /// Whatever comes (`*`).
    Anything,
    /// Not known yet (`?`).
    Unknown,
}

impl StepSpec {
    /// A step of `client` that does `verb` and expects `OK`.
    pub fn new(client: impl Into<String>, verb: impl Into<Cow<'static, str>>) -> Self {
        StepSpec {
            client: client.into(),
            verb: verb.into(),
            ..StepSpec::default()
        }
    }

    /// Gives it a label.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Makes it due at this many nanoseconds from the start.
    pub fn at(mut self, nanoseconds: u64) -> Self {
        self.at = Some(nanoseconds);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<OwnedValue>) -> Self {
        self.args.push((name.into(), value.into()));
        self
    }

    /// Sets a flag.
    pub fn flag(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.arg(name, OwnedValue::Flag)
    }

    /// Waits for a milestone of a labelled step.
    pub fn after(mut self, label: impl Into<String>, milestone: Milestone) -> Self {
        self.after.push((label.into(), milestone));
        self
    }

    /// Expects this status alone.
    pub fn status(mut self, status: u32) -> Self {
        self.expect.status = ExpectStatus::OneOf(vec![status]);
        self
    }

    /// Expects a field of the answer.
    pub fn field(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<OwnedValue>,
    ) -> Self {
        self.expect.fields.push((name.into(), value.into()));
        self
    }

    /// One line for an error.
    fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(label) = &self.label {
            text.push_str(label);
            text.push_str(": ");
        }
        text.push_str(&self.client);
        text.push(' ');
        text.push_str(&self.verb);
        push_args(&mut text, &self.args);
        if !self.expect.fields.is_empty() {
            text.push_str(" ->");
            push_args(&mut text, &self.expect.fields);
        }
        text
    }
}

impl TraceBuilder {
    /// An empty trace. `name` is what errors and reports call it.
    pub fn new(vocabulary: &'static Vocabulary, name: impl Into<String>) -> Self {
        TraceBuilder {
            name: name.into(),
            assembler: Assembler::new(vocabulary),
            item: 0,
            shown: Vec::new(),
        }
    }

    /// Sets the title.
    pub fn title(&mut self, title: &str) -> &mut Self {
        self.item(
            |assembler, item| assembler.title(item, At::new(title, Span::default())),
            || format!("title {}", quote(title)),
        )
    }

    /// Sets the mode.
    pub fn mode(&mut self, mode: Mode) -> &mut Self {
        let number = mode.number().to_string();
        let at = At {
            value: number.as_str(),
            span: Span::default(),
        };
        self.item(
            |assembler, item| assembler.mode(item, at),
            || format!("mode {number}"),
        )
    }

    /// Adds a word of the vocabulary's `needs`.
    pub fn need(&mut self, word: &str) -> &mut Self {
        let at = At {
            value: word,
            span: Span::default(),
        };
        self.item(
            |assembler, item| assembler.need(item, at),
            || format!("needs {word}"),
        )
    }

    /// Declares a client with a connection of its own.
    pub fn client(&mut self, name: &str, args: &[Named]) -> &mut Self {
        self.declare_client(name, None, args)
    }

    /// Declares a client that shares the connection and session of `on`.
    pub fn lane(&mut self, name: &str, on: &str) -> &mut Self {
        self.declare_client(name, Some(on), &[])
    }

    /// Declares a client on the connection of `on`; with a user among `args` it has a session of its own.
    pub fn client_on(&mut self, name: &str, on: &str, args: &[Named]) -> &mut Self {
        self.declare_client(name, Some(on), args)
    }

    fn declare_client(&mut self, name: &str, on: Option<&str>, args: &[Named]) -> &mut Self {
        let raw = declaration(name, on, args);
        self.item(
            |assembler, item| assembler.client(item, raw),
            || {
                let mut text = format!("client {name}");
                push_args(&mut text, args);
                text
            },
        )
    }

    /// Adds state that must exist before the first step.
    pub fn given(&mut self, kind: &str, args: &[Named]) -> &mut Self {
        let raw = declaration(kind, None, args);
        self.item(
            |assembler, item| assembler.given(item, raw),
            || {
                let mut text = format!("given {kind}");
                push_args(&mut text, args);
                text
            },
        )
    }

    /// Adds a step.
    pub fn step(&mut self, spec: &StepSpec) -> &mut Self {
        let vocabulary = self.assembler.vocabulary;
        let statuses: Vec<String> = match &spec.expect.status {
            ExpectStatus::OneOf(statuses) => statuses
                .iter()
                .map(|&status| status_text(vocabulary, status))
                .collect(),
            _ => Vec::new(),
        };
        let after =
            |(label, milestone): &(String, Milestone)| format!("{label}.{}", milestone.name());
        let after: Vec<String> = spec.after.iter().map(after).collect();
        let raw = raw_step(spec, &statuses, &after);
        self.item(
            |assembler, item| {
                assembler.begin_step(item, raw.verb);
                for (name, value) in &spec.args {
                    assembler.arg(&raw_arg(name, value));
                }
                for (name, value) in &spec.expect.fields {
                    assembler.field(&raw_arg(name, value));
                }
                assembler.finish_step(&raw);
            },
            || spec.to_text(),
        )
    }

    /// Adds a check; `text` is what stands after `check` in text form.
    pub fn check(&mut self, text: &str) -> &mut Self {
        let at = At {
            value: text,
            span: Span::default(),
        };
        self.item(
            |assembler, item| assembler.check(item, at),
            || format!("check {text}"),
        )
    }

    /// The number of steps so far.
    pub fn steps(&self) -> usize {
        self.assembler.steps()
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// All mistakes in it; see [`LoadErrors`].
    pub fn build(self) -> Result<Trace, LoadErrors> {
        let (sink, trace) = self.assembler.finish(self.name.clone(), None);
        let shown = self.shown;
        trace.ok_or_else(|| {
            sink.into_errors(self.name, |line| {
                let found = shown.binary_search_by_key(&line, |&(item, _)| item).ok()?;
                Some(shown[found].1.clone())
            })
        })
    }

    fn item(
        &mut self,
        add: impl FnOnce(&mut Assembler, u32),
        text: impl FnOnce() -> String,
    ) -> &mut Self {
        self.item += 1;
        let before = self.assembler.sink.total;
        add(&mut self.assembler, self.item);
        if self.assembler.sink.total > before && self.shown.len() < LoadErrors::KEPT {
            self.shown.push((self.item, text()));
        }
        self
    }
}

fn unplaced(text: &str) -> At<Str<'_>> {
    At::new(Str::plain(text), Span::default())
}

fn declaration<'s>(name: &'s str, on: Option<&'s str>, args: &'s [Named]) -> RawDeclaration<'s> {
    RawDeclaration {
        whole: Span::default(),
        name: unplaced(name),
        on: on.map(unplaced),
        args: args
            .iter()
            .map(|(name, value)| raw_arg(name, value))
            .collect(),
    }
}

fn raw_arg<'s>(name: &'s str, value: &'s OwnedValue) -> RawArg<'s> {
    RawArg {
        name: Some(Str::plain(name)),
        value: RawValue::Owned(value),
        span: Span::default(),
    }
}

fn raw_step<'s>(spec: &'s StepSpec, statuses: &'s [String], after: &'s [String]) -> RawStep<'s> {
    let words = |words: &'s [String]| words.iter().map(|word| unplaced(word)).collect();
    RawStep {
        label: spec.label.as_deref().map(unplaced),
        time: spec
            .at
            .map(|at| At::new(RawTime::Absolute(at), Span::default())),
        client: Some(unplaced(&spec.client)),
        compounded: spec.compounded.then(Span::default),
        verb: Some(unplaced(&spec.verb)),
        after: words(after),
        within: spec.within.map(|within| At::new(within, Span::default())),
        statuses: match &spec.expect.status {
            ExpectStatus::Anything => std::iter::once(unplaced("*")).collect(),
            ExpectStatus::Unknown => std::iter::once(unplaced("?")).collect(),
            ExpectStatus::Ok | ExpectStatus::OneOf(_) => words(statuses),
        },
        ..RawStep::default()
    }
}

fn push_args(text: &mut String, args: &[Named]) {
    for (name, value) in args {
        text.push(' ');
        text.push_str(name);
        let value = value.as_value();
        if value != Value::Flag {
            text.push('=');
            write_value(text, &value);
        }
    }
}
