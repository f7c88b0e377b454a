//! The trace in memory. Made by [`load`](crate::load) or by a builder; never changed afterwards.

use crate::answer::OwnedValue;
pub use crate::step::{Expect, Step};
use crate::store::Store;
use crate::value::Value;
use crate::vocabulary::{ArgSpec, GivenSpec, Vocabulary};

/// A client's index in [`Trace::clients`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// A step's index in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

/// How faithful a replay must be; a backend reaches a mode or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// 0: file operations; families of errors.
    Files,
    /// 1: realistic; exact statuses.
    Exact,
    /// 2: oplocks, leases, and breaks that block.
    Breaks,
}

/// A point in the life of a step that others can wait for or be ordered against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Milestone {
    /// `.sent`: it was dispatched.
    Sent,
    /// `.pending`: its interim answer came.
    Pending,
    /// no suffix, or `.done`: its final answer came.
    Done,
    /// `.break`: the first break of the handle that this step opened arrived.
    Break,
}

impl Milestone {
    /// The word after the dot.
    pub fn name(self) -> &'static str {
        match self {
            Milestone::Sent => "sent",
            Milestone::Pending => "pending",
            Milestone::Done => "done",
            Milestone::Break => "break",
        }
    }
}

/// `after=LABEL[.milestone]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// The step that is waited for.
    pub step: StepId,
    /// How far it must have come.
    pub milestone: Milestone,
}

/// A loaded, valid trace.
#[derive(Debug)]
pub struct Trace {
    pub(crate) vocabulary: &'static Vocabulary,
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) mode: Mode,
    pub(crate) needs: Vec<String>,
    pub(crate) clients: Vec<Client>,
    pub(crate) givens: Vec<Given>,
    pub(crate) checks: Vec<Check>,
    pub(crate) store: Store,
    pub(crate) source: Option<Source>,
}

/// The text of a trace and where its lines begin.
#[derive(Debug)]
pub(crate) struct Source {
    text: String,
    starts: Vec<u32>,
}

impl Source {
    /// `text` must be shorter than 4 GiB; the loader keeps no such source.
    pub(crate) fn new(text: String) -> Self {
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32 + 1);
        let starts = std::iter::once(0).chain(newlines).collect();
        Source { text, starts }
    }

    fn line(&self, line: u32) -> Option<&str> {
        let start = *self.starts.get((line as usize).checked_sub(1)?)? as usize;
        self.text[start..].lines().next()
    }
}

impl Trace {
    /// The vocabulary that it was loaded with.
    pub fn vocabulary(&self) -> &'static Vocabulary {
        self.vocabulary
    }

    /// What errors and reports call it: the file's path as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `title` line.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The `mode` line; [`Mode::Exact`] without one.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The words of all `needs` lines.
    pub fn needs(&self) -> &[String] {
        &self.needs
    }

    /// The clients in file order.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// The client with this id.
    pub fn client(&self, id: ClientId) -> &Client {
        &self.clients[id.0 as usize]
    }

    /// State that must exist before the first step.
    pub fn givens(&self) -> &[Given] {
        &self.givens
    }

    /// The `check` lines.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.store.records.len()
    }

    /// True without steps.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One step. Panics when `id` is not of this trace.
    pub fn step(&self, id: StepId) -> Step<'_> {
        Step { trace: self, id }
    }

    /// All steps in file order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'_>> {
        (0..self.len()).map(|index| self.step(StepId(index as u32)))
    }

    /// The step with this label.
    pub fn labelled(&self, label: &str) -> Option<StepId> {
        let labels = &self.store.labels;
        let found = labels
            .iter()
            .find(|(symbol, _)| self.store.symbols.get(*symbol) == label)?;
        Some(found.1)
    }

    /// The line of the source as it was written, from 1. Only the text form keeps its source, up to
    /// [`SOURCE_KEPT`](crate::load::SOURCE_KEPT) bytes; for other traces [`Step::to_text`] says the same.
    pub fn source_line(&self, line: u32) -> Option<&str> {
        self.source.as_ref()?.line(line)
    }

    /// Where a dependency points: `first.break`, `#7`.
    pub fn milestone_text(&self, dependency: Dependency) -> String {
        let name = self.step(dependency.step).name();
        match dependency.milestone {
            Milestone::Done => name,
            milestone => format!("{name}.{}", milestone.name()),
        }
    }

    /// How many bytes the steps take in memory with all that belongs to them, the source text not counted.
    pub fn memory_bytes(&self) -> usize {
        self.store.bytes()
    }
}

/// A `client` line.
#[derive(Debug)]
pub struct Client {
    pub(crate) name: String,
    pub(crate) on: Option<ClientId>,
    pub(crate) through: Option<ClientId>,
    pub(crate) args: Vec<(&'static ArgSpec, OwnedValue)>,
    pub(crate) line: u32,
}

impl Client {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client whose connection it shares (`on=`), and whose session unless it names a user of its own; never one that has an `on=` itself.
    pub fn on(&self) -> Option<ClientId> {
        self.on
    }

    /// The client that `on=` names where that is a further connection of [`on`](Self::on)'s session: its connection is
    /// the one that is shared.
    pub fn through(&self) -> Option<ClientId> {
        self.through
    }

    /// One argument of the vocabulary's [`client_args`](Vocabulary::client_args).
    pub fn arg(&self, name: &str) -> Option<Value<'_>> {
        self.args()
            .find(|(spec, _)| spec.name == name)
            .map(|(_, value)| value)
    }

    /// All arguments, in the order of the vocabulary.
    pub fn args(&self) -> impl Iterator<Item = (&'static ArgSpec, Value<'_>)> {
        self.args
            .iter()
            .map(|(spec, value)| (*spec, value.as_value()))
    }

    /// The line that declares it, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }
}

/// A `given` line.
#[derive(Debug)]
pub struct Given {
    pub(crate) spec: &'static GivenSpec,
    pub(crate) args: Vec<(&'static ArgSpec, OwnedValue)>,
    pub(crate) line: u32,
}

impl Given {
    /// Its kind.
    pub fn spec(&self) -> &'static GivenSpec {
        self.spec
    }

    /// One argument.
    pub fn arg(&self, name: &str) -> Option<Value<'_>> {
        self.args()
            .find(|(spec, _)| spec.name == name)
            .map(|(_, value)| value)
    }

    /// All arguments, in the order of the vocabulary.
    pub fn args(&self) -> impl Iterator<Item = (&'static ArgSpec, Value<'_>)> {
        self.args
            .iter()
            .map(|(spec, value)| (*spec, value.as_value()))
    }

    /// Its line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }
}

/// A `check` line: a bound on times, or an order of milestones, judged when all steps have ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// `check p99 write < 20ms`, `check p50 all response < 3x rtt`.
    Time {
        /// The quantile in `0.0..=1.0`; 1.0 is `max`.
        quantile: f64,
        /// The verb, or all verbs.
        verb: Option<&'static str>,
        /// Which of the times.
        metric: Metric,
        /// The bound; the measured value must be below it.
        bound: Bound,
        /// The line, from 1.
        line: u32,
    },
    /// `check order a < b.break < c`: each milestone before the next.
    Order {
        /// At least two.
        milestones: Vec<Dependency>,
        /// The line, from 1.
        line: u32,
    },
}

/// One of the four times that are recorded for each operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Dispatch minus scheduled time.
    Lag,
    /// Dispatch minus the later of the scheduled time and the end of the client's previous step.
    Fault,
    /// Completion minus scheduled time (free of coordinated omission).
    Response,
    /// Completion minus dispatch; the default of a `check`.
    Service,
}

/// The right side of a time check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Nanoseconds.
    Absolute(u64),
    /// A multiple of the smallest round trip that the backend measured on the same connections in the same run
    /// (`3x rtt`).
    RoundTrips(f64),
}
