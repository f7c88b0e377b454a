//! The trace in memory. Made by [`load`](crate::load) or by a builder; never changed afterwards.

use crate::value::Value;
use crate::vocabulary::{ArgSpec, FieldSpec, GivenSpec, Role, VerbSpec, Vocabulary};

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
        unimplemented!()
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

    /// The line of the source as it was written, where the source is still at hand (a file, not a stream).
    pub fn source_line(&self, _line: u32) -> Option<&str> {
        unimplemented!()
    }
}

/// A `client` line.
#[derive(Debug)]
pub struct Client {
    pub(crate) name: String,
    pub(crate) on: Option<ClientId>,
    pub(crate) args: Vec<(&'static ArgSpec, Value<'static>)>,
    pub(crate) line: u32,
}

impl Client {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client whose connection and session it shares (`on=`); never one that has an `on=` itself.
    pub fn on(&self) -> Option<ClientId> {
        self.on
    }

    /// One argument of the vocabulary's [`client_args`](Vocabulary::client_args).
    pub fn arg(&self, _name: &str) -> Option<Value<'_>> {
        unimplemented!()
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
    pub(crate) line: u32,
}

impl Given {
    /// Its kind.
    pub fn spec(&self) -> &'static GivenSpec {
        self.spec
    }

    /// One argument.
    pub fn arg(&self, _name: &str) -> Option<Value<'_>> {
        unimplemented!()
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

/// One step, borrowed from its trace.
#[derive(Debug, Clone, Copy)]
pub struct Step<'t> {
    pub(crate) trace: &'t Trace,
    pub(crate) id: StepId,
}

impl<'t> Step<'t> {
    /// Its index.
    pub fn id(&self) -> StepId {
        self.id
    }

    /// Its trace.
    pub fn trace(&self) -> &'t Trace {
        self.trace
    }

    /// Its line in the source, from 1.
    pub fn line(&self) -> u32 {
        unimplemented!()
    }

    /// Who does it.
    pub fn client(&self) -> ClientId {
        unimplemented!()
    }

    /// When it is due, in nanoseconds from the start; a step without a time has its client's previous one's, and the
    /// first has 0.
    pub fn at(&self) -> u64 {
        unimplemented!()
    }

    /// Its label.
    pub fn label(&self) -> Option<&'t str> {
        unimplemented!()
    }

    /// What it does.
    pub fn verb(&self) -> &'static VerbSpec {
        unimplemented!()
    }

    /// Short for `verb().role`.
    pub fn role(&self) -> Role {
        self.verb().role
    }

    /// True for a step marked `+`: sent in one frame with its client's previous step.
    pub fn compounded(&self) -> bool {
        unimplemented!()
    }

    /// One argument by name.
    pub fn arg(&self, name: &str) -> Option<Value<'t>> {
        self.args().find(|(spec, _)| spec.name == name).map(|(_, value)| value)
    }

    /// All arguments, in the order of the vocabulary.
    pub fn args(&self) -> impl Iterator<Item = (&'static ArgSpec, Value<'t>)> {
        std::iter::empty()
    }

    /// The step that its `Label` argument names.
    pub fn target(&self) -> Option<StepId> {
        unimplemented!()
    }

    /// The step that opened the handle which this step uses or ends.
    pub fn opened_by(&self) -> Option<StepId> {
        unimplemented!()
    }

    /// What it waits for before it may be dispatched.
    pub fn after(&self) -> impl Iterator<Item = Dependency> {
        std::iter::empty()
    }

    /// The bound on its answer's time, in nanoseconds from its dispatch (`within=`).
    pub fn within(&self) -> Option<u64> {
        unimplemented!()
    }

    /// What must come back.
    pub fn expect(&self) -> Expect<'t> {
        unimplemented!()
    }
}

/// The expectation of a step.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'t> {
    #[allow(dead_code)]
    pub(crate) step: Step<'t>,
}

impl<'t> Expect<'t> {
    /// True for `-> *`: whatever comes is right.
    pub fn anything(&self) -> bool {
        unimplemented!()
    }

    /// True for `-> ?`: not known yet; a failure until `IR_UPDATE` has filled it in.
    pub fn unknown(&self) -> bool {
        unimplemented!()
    }

    /// The statuses of which one must come. A step without `->` expects the vocabulary's `ok`.
    pub fn statuses(&self) -> impl Iterator<Item = u32> {
        std::iter::empty()
    }

    /// True when the one expected status is the interim one, so that the step frees its lane with it.
    pub fn is_pending(&self) -> bool {
        unimplemented!()
    }

    /// The fields that must be in the answer with these values.
    pub fn fields(&self) -> impl Iterator<Item = (&'static FieldSpec, Value<'t>)> {
        std::iter::empty()
    }
}
