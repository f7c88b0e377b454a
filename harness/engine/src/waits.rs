//! The waits-for picture: who waits for what, since when. Shown when a run ends before its steps do.

use std::fmt;

use replay_ir::{ClientId, Milestone, StepId, Trace};

/// Every client that still had something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitPicture {
    /// When it was taken, in nanoseconds from time 0.
    pub at: u64,
    /// One entry for each client that was not through with its steps.
    pub waits: Vec<Wait>,
}

/// One client's wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// In which copy of the trace, from 0.
    pub copy: u32,
    /// Who waits.
    pub client: ClientId,
    /// The step that it waits with.
    pub step: StepId,
    /// What it waits for.
    pub what: WaitsFor,
    /// Since when, in nanoseconds from time 0.
    pub since: u64,
}

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// The answer to its own step.
    Answer,
    /// A milestone of another step.
    Milestone(StepId, Milestone),
    /// The final answer of an earlier step (`await`).
    Final(StepId),
    /// A break of the handle that this step opened; `None` for a handle that no step opened.
    Break(Option<StepId>),
    /// That no break of the handle that this step opened arrives.
    NoBreak(Option<StepId>),
    /// Its time, in nanoseconds from time 0.
    Time(u64),
    /// The scheduler's next turn.
    Turn,
}

impl WaitPicture {
    /// The picture with the trace's names and lines, one line a client.
    pub fn display<'a>(&'a self, trace: &'a Trace) -> impl fmt::Display + 'a {
        Shown {
            picture: self,
            trace,
        }
    }
}

struct Shown<'a> {
    picture: &'a WaitPicture,
    trace: &'a Trace,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { picture, trace } = self;
        writeln!(f, "waits at {}:", Seconds(picture.at))?;
        let copies = picture.waits.iter().any(|wait| wait.copy > 0);
        for wait in &picture.waits {
            let step = trace.step(wait.step);
            f.write_str("  ")?;
            if copies {
                write!(f, "copy {}: ", wait.copy)?;
            }
            write!(
                f,
                "{} with `{}` (line {}) waits for ",
                trace.client(wait.client).name(),
                step.verb().name,
                step.line(),
            )?;
            self.what(f, wait)?;
            writeln!(f, ", since {}", Seconds(wait.since))?;
        }
        Ok(())
    }
}

impl Shown<'_> {
    fn what(&self, f: &mut fmt::Formatter<'_>, wait: &Wait) -> fmt::Result {
        match wait.what {
            WaitsFor::Answer => f.write_str("its answer"),
            WaitsFor::Milestone(step, Milestone::Sent) => {
                write!(f, "the dispatch of {}", self.step(step))
            }
            WaitsFor::Milestone(step, Milestone::Pending) => {
                write!(f, "the interim answer of {}", self.step(step))
            }
            WaitsFor::Milestone(step, Milestone::Done) | WaitsFor::Final(step) => {
                write!(f, "the final answer of {}", self.step(step))
            }
            WaitsFor::Milestone(step, Milestone::Break) | WaitsFor::Break(Some(step)) => {
                write!(f, "a break of the handle of {}", self.step(step))
            }
            WaitsFor::Break(None) => f.write_str("a break"),
            WaitsFor::NoBreak(_) => f.write_str("the end of a time without a break"),
            WaitsFor::Time(at) => write!(f, "its time {}", Seconds(at)),
            WaitsFor::Turn => f.write_str("its turn"),
        }
    }

    /// `first (line 4, A)`, or `line 4 (A)` for a step without a label.
    fn step(&self, id: StepId) -> String {
        let step = self.trace.step(id);
        let client = self.trace.client(step.client()).name();
        match step.label() {
            Some(label) => format!("{label} (line {}, {client})", step.line()),
            None => format!("line {} ({client})", step.line()),
        }
    }
}

/// Nanoseconds, shown as seconds to the microsecond.
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1_000;
        write!(f, "{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
    }
}
