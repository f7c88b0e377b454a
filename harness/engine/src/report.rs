//! The result of a run, as data. Rendering it for people is left to the harness.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use replay_ir::{Answer, ClientId, StepId};

use crate::backend::{BreakEvent, Reaction};
use crate::times::{Moments, Times};
use crate::verdict::{Kind, Verdict};
use crate::waits::WaitPicture;

/// At most this many differences are kept with their texts; all are counted.
pub const DIFFERENCES_KEPT: usize = 10_000;

/// Everything that came out of a run.
#[derive(Debug)]
pub struct RunReport {
    /// What it comes to.
    pub verdict: Verdict,
    /// The backend that ran it.
    pub backend: &'static str,
    /// How often the trace ran at the same time; 1 for a run that never started.
    pub copies: u32,
    /// Steps of the trace, of all its copies.
    pub steps: usize,
    /// Operations that were given to the backend. A compound counts with each of its members.
    pub operations_issued: u64,
    /// Operations that ended with an answer or with the loss of the connection. As many as were issued, unless some
    /// were still in flight when the run ended: nothing is ever dropped.
    pub operations_completed: u64,
    /// Steps that ended exactly as expected.
    pub answers_agreed: usize,
    /// Steps that ended with at least one difference.
    pub answers_differed: usize,
    /// What differed, in the order in which it was found; at most [`DIFFERENCES_KEPT`].
    pub differences: Vec<Difference>,
    /// How many differences of each kind there were, kept or not.
    pub differences_by_kind: BTreeMap<Kind, usize>,
    /// The answers of steps that differed, as far as their differences are kept. Data longer than 64 KiB is left out.
    pub actual: BTreeMap<StepId, Answer>,
    /// Steps that were not tried, each with its reason, in the order in which that became certain.
    pub not_run: Vec<NotRun>,
    /// The four times.
    pub times: Times,
    /// How late a thread woke that only slept until the same moments, in nanoseconds; with
    /// [`RunOptions::calibrate`](crate::RunOptions::calibrate) and the paced clock.
    pub probe: Option<Box<Histogram<u64>>>,
    /// From time 0 to the end of the last step.
    pub duration: Duration,
    /// The smallest round trip in nanoseconds, where one was measured.
    pub round_trip: Option<u64>,
    /// What each client did, by [`ClientId`], the clients of one copy of the trace after those of the other: all of it with [`RunOptions::event_log`](crate::RunOptions::event_log),
    /// otherwise its last few steps.
    pub records: Vec<Vec<Record>>,
    /// The breaks that arrived, in order; kept with the event log only.
    pub breaks: Vec<BreakRecord>,
    /// What breaks made the clients do by themselves, in order. Without the event log only what people must know:
    /// answers that failed or were refused, and steps that were held back.
    pub reactions: Vec<ReactionRecord>,
    /// From the arrival of a break to its answer on the wire, of those that were answered at once.
    pub break_latency: Option<Box<Histogram<u64>>>,
    /// Connections that ended before the run did, wanted or not.
    pub lost: Vec<LostConnection>,
    /// Who waited for whom when the run ended before its steps did.
    pub stuck: Option<WaitPicture>,
    /// Clients that could not be closed in good order.
    pub close_errors: Vec<String>,
}

impl RunReport {
    /// A report of a run that never started.
    pub(crate) fn not_started(backend: &'static str, steps: usize, verdict: Verdict) -> Self {
        Self {
            verdict,
            backend,
            copies: 1,
            steps,
            operations_issued: 0,
            operations_completed: 0,
            answers_agreed: 0,
            answers_differed: 0,
            differences: Vec::new(),
            differences_by_kind: BTreeMap::new(),
            actual: BTreeMap::new(),
            not_run: Vec::new(),
            times: Times::default(),
            probe: None,
            duration: Duration::ZERO,
            round_trip: None,
            records: Vec::new(),
            breaks: Vec::new(),
            reactions: Vec::new(),
            break_latency: None,
            lost: Vec::new(),
            stuck: None,
            close_errors: Vec::new(),
        }
    }

    /// Connections that ended before the run did. When there are any, ask whether the server is still alive before
    /// the verdict is believed; [`into_broken`](Self::into_broken) if it is not.
    pub fn lost_connections(&self) -> &[LostConnection] {
        &self.lost
    }

    /// The same run, not counted against the server's answers.
    #[must_use]
    pub fn into_broken(mut self, reason: impl Into<String>) -> Self {
        self.verdict = Verdict::Broken {
            reason: reason.into(),
        };
        self
    }

    /// The differences of one step.
    pub fn differences_of(&self, step: StepId) -> impl Iterator<Item = &Difference> {
        self.differences
            .iter()
            .filter(move |difference| difference.place == Place::Step(step))
    }

    /// The last `count` records of a client in a copy of the trace, oldest first.
    pub fn last_steps(&self, copy: u32, client: ClientId, count: usize) -> &[Record] {
        let clients = self.records.len() / self.copies.max(1) as usize;
        let records = self
            .records
            .get(copy as usize * clients + client.0 as usize)
            .map_or(&[][..], Vec::as_slice);
        &records[records.len().saturating_sub(count)..]
    }

    /// The kinds of all differences.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.differences_by_kind.keys().copied().collect()
    }
}

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A step.
    Step(StepId),
    /// A client as a whole: it could not be connected before time 0.
    Client(ClientId),
    /// The `check` in this line.
    Check(u32),
    /// The run as a whole.
    Run,
}

/// One thing that was not as the trace says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// In what way.
    pub kind: Kind,
    /// What the trace says, in its own words: `OK`, `oplock=batch`, `within=1s`.
    pub expected: String,
    /// What came instead.
    pub actual: String,
    /// More lines where they help: bytes in hexadecimal around the first that differs.
    pub detail: Vec<String>,
    /// In which copy of the trace, from 0; 0 for what is about the run as a whole.
    pub copy: u32,
}

impl Difference {
    /// The step that it is about.
    pub fn step(&self) -> Option<StepId> {
        match self.place {
            Place::Step(step) => Some(step),
            _ => None,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {}, got {}",
            self.kind, self.expected, self.actual
        )
    }
}

/// A step that was not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun {
    /// In which copy of the trace, from 0.
    pub copy: u32,
    /// Which.
    pub step: StepId,
    /// Why, as a fragment that names lines: `its handle was not opened in line 4`.
    pub why: String,
    /// The step whose end was the reason, where there is one.
    pub because: Option<StepId>,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which.
    pub step: StepId,
    /// When, in nanoseconds from time 0.
    pub moments: Moments,
    /// How it ended.
    pub end: End,
    /// The whole outcome in the trace's words; kept with the event log only.
    pub text: Option<Box<str>>,
}

/// How a step ended, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an answer of this status.
    Answered(u32),
    /// With an interim answer, as expected.
    Pending,
    /// Its connection was lost.
    Lost,
    /// Its answer broke the protocol.
    Violation,
    /// The backend failed.
    Broken,
    /// No answer came in time.
    TimedOut,
    /// It was about waiting and is over.
    Waited,
    /// It had no answer yet when the run ended.
    Unfinished,
}

/// A break that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakRecord {
    /// In which copy of the trace, from 0.
    pub copy: u32,
    /// On whose connection.
    pub client: ClientId,
    /// Nanoseconds from time 0.
    pub at: u64,
    /// What it said.
    pub event: BreakEvent,
}

/// What a break made a client do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReactionRecord {
    /// In which copy of the trace, from 0.
    pub copy: u32,
    /// On whose connection.
    pub client: ClientId,
    /// Nanoseconds from time 0.
    pub at: u64,
    /// What.
    pub reaction: Reaction,
}

/// A connection that ended before the run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostConnection {
    /// In which copy of the trace, from 0.
    pub copy: u32,
    /// Whose.
    pub client: ClientId,
    /// Nanoseconds from time 0.
    pub at: u64,
    /// Why, as the backend said.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four of them are kept for each client without the event log.
    #[test]
    fn records_stay_small() {
        assert!(size_of::<Record>() <= 64, "{}", size_of::<Record>());
    }
}
