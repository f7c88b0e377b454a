//! Keeps what came out of a run while it goes on: counts, differences, times, and what each client did last.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;
use replay_ir::{Answer, ClientId, StepId, Trace};

use crate::backend::{BreakEvent, Outcome, Reaction};
use crate::copies::Shape;
use crate::options::FourQuantiles;
use crate::plan::{Entry, Plan};
use crate::report::{
    BreakRecord, DIFFERENCES_KEPT, Difference, End, LostConnection, NotRun, Place, ReactionRecord,
    Record,
};
use crate::tally::{self, OpTally};
use crate::times::{self, Moments, Times};
use crate::verdict::Kind;

/// So many of a client's last steps are kept without the event log.
const LAST_STEPS: usize = 4;

/// Data of an answer that differed is kept up to this length.
const DATA_KEPT: usize = 64 * 1024;

/// At most so many breaks, and so many lost connections, are kept: how many there are is for the server to say.
const EVENTS_KEPT: usize = 10_000;

pub(crate) struct Recorder {
    trace: Arc<Trace>,
    shape: Shape,
    /// Keep everything, with texts.
    log: bool,
    /// Time 0 on the run's clock.
    pub(crate) start: u64,
    /// When the last step ended, on the run's clock.
    pub(crate) last_end: u64,
    /// How late the latest dispatch was.
    pub(crate) lag: u64,
    /// Operations given to the backend, and those that it has answered.
    pub(crate) issued: u64,
    pub(crate) completed: u64,
    pub(crate) agreed: usize,
    pub(crate) differed: usize,
    pub(crate) differences: Vec<Difference>,
    pub(crate) by_kind: BTreeMap<Kind, usize>,
    pub(crate) actual: BTreeMap<StepId, Answer>,
    pub(crate) not_run: Vec<NotRun>,
    /// By the plan's verb number, for those that the trace uses; others are made on first use.
    times: Vec<Option<Box<OpTally>>>,
    /// Every step of each client, with the event log.
    records: Vec<Vec<Record>>,
    /// The last steps of each client, without it.
    last: LastSteps,
    pub(crate) breaks: Vec<BreakRecord>,
    pub(crate) reactions: Vec<ReactionRecord>,
    pub(crate) break_latency: Option<Box<Histogram<u64>>>,
    pub(crate) lost: Vec<LostConnection>,
}

impl Recorder {
    /// `longest` is what an operation takes at most, in nanoseconds.
    pub(crate) fn new(plan: &Plan, longest: u64, log: bool) -> Self {
        let (trace, shape) = (plan.trace().clone(), plan.shape);
        let clients = trace.clients().len() * shape.copies() as usize;
        let mut times = vec![None; plan.verbs.len()];
        for verb in plan.timed_verbs() {
            times[usize::from(verb)].get_or_insert_with(|| Box::new(OpTally::with_room(longest)));
        }
        Self {
            trace,
            shape,
            log,
            start: 0,
            last_end: 0,
            lag: 0,
            issued: 0,
            completed: 0,
            agreed: 0,
            differed: 0,
            differences: Vec::new(),
            by_kind: BTreeMap::new(),
            actual: BTreeMap::new(),
            not_run: Vec::new(),
            times,
            records: vec![Vec::new(); if log { clients } else { 0 }],
            last: LastSteps::new(if log { 0 } else { clients }),
            breaks: Vec::new(),
            reactions: Vec::new(),
            break_latency: None,
            lost: Vec::new(),
        }
    }

    /// Outcomes are kept with their texts.
    pub(crate) fn keeps_texts(&self) -> bool {
        self.log
    }

    /// All that is to be kept of a step that agreed, without its text.
    #[inline(always)]
    pub(crate) fn agreed_plainly(
        &mut self,
        client: ClientId,
        entry: &Entry,
        moments: Moments,
        status: u32,
    ) {
        self.time(entry.verb, &moments);
        self.last_end = self.last_end.max(moments.completed);
        self.last.add(
            client,
            Brief {
                moments,
                step: entry.step,
                end: End::Answered(status),
            },
        );
        self.agreed += 1;
    }

    /// Counts the times of a step that went to the server.
    #[inline(always)]
    pub(crate) fn time(&mut self, verb: u16, moments: &Moments) {
        self.lag = moments.dispatched.saturating_sub(moments.scheduled);
        self.times[usize::from(verb)]
            .get_or_insert_default()
            .record(moments);
    }

    /// A step has ended. `outcome` is what it ended with, where it has one.
    pub(crate) fn end(
        &mut self,
        client: ClientId,
        step: StepId,
        moments: Moments,
        end: End,
        outcome: Option<&Outcome>,
    ) {
        self.last_end = self.last_end.max(moments.completed);
        let brief = Brief { moments, step, end };
        if self.log {
            let text = outcome.map(|outcome| self.text(outcome));
            let record = brief.record(self.shape, self.start, text);
            self.records[client.0 as usize].push(record);
        } else {
            self.last.add(client, brief);
        }
    }

    /// What is wrong with a step; nothing when it agreed.
    pub(crate) fn judged(
        &mut self,
        step: StepId,
        differences: Vec<Difference>,
        outcome: Option<&Outcome>,
    ) {
        if differences.is_empty() {
            self.agreed += 1;
            return;
        }
        self.differed += 1;
        let room = self.differences.len() < DIFFERENCES_KEPT;
        if let (true, Some(Outcome::Answered(answer))) = (room, outcome) {
            let mut answer = answer.clone();
            answer.data = answer.data.filter(|data| data.len() <= DATA_KEPT);
            self.actual
                .entry(self.shape.in_trace(step))
                .or_insert(answer);
        }
        let copy = self.shape.copy_of(step);
        for difference in differences {
            self.add(Difference { copy, ..difference });
        }
    }

    /// A difference that is not a step's, or comes beside what a step ended with.
    pub(crate) fn add(&mut self, difference: Difference) {
        tracing::debug!(place = ?difference.place, %difference, "differs");
        *self.by_kind.entry(difference.kind).or_default() += 1;
        if self.differences.len() < DIFFERENCES_KEPT {
            self.differences.push(difference);
        }
    }

    pub(crate) fn broke(&mut self, client: ClientId, at: u64, event: &BreakEvent) {
        if self.log && self.breaks.len() < EVENTS_KEPT {
            let at = at.saturating_sub(self.start);
            let mut event = event.clone();
            event.opened_by = event.opened_by.map(|step| self.shape.in_trace(step));
            for step in &mut event.also {
                *step = self.shape.in_trace(*step);
            }
            self.breaks.push(BreakRecord {
                copy: self.shape.copy_of_client(client),
                client: self.shape.client_in_trace(client),
                at,
                event,
            });
        }
    }

    pub(crate) fn reacted(&mut self, client: ClientId, at: u64, reaction: Reaction) {
        if let Reaction::Answered {
            latency: Some(latency),
            ..
        } = &reaction
        {
            let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            let histogram = self
                .break_latency
                .get_or_insert_with(|| Box::new(times::empty()));
            times::record(histogram, nanoseconds);
        }
        let ok = self.trace.vocabulary().ok;
        let must_be_known = match &reaction {
            Reaction::Answered { .. } => false,
            Reaction::Failed { .. } | Reaction::Held { .. } => true,
            Reaction::Settled { answer, .. } => answer.status != ok,
        };
        if (self.log || must_be_known) && self.reactions.len() < EVENTS_KEPT {
            let at = at.saturating_sub(self.start);
            let mut reaction = reaction;
            let step = reaction.step_mut();
            *step = self.shape.in_trace(*step);
            self.reactions.push(ReactionRecord {
                copy: self.shape.copy_of_client(client),
                client: self.shape.client_in_trace(client),
                at,
                reaction,
            });
        }
    }

    pub(crate) fn lost(&mut self, client: ClientId, at: u64, reason: String) {
        tracing::debug!(
            client = self.shape.client(&self.trace, client).name(),
            copy = self.shape.copy_of_client(client),
            reason,
            "connection lost"
        );
        if self.lost.len() < EVENTS_KEPT {
            self.lost.push(LostConnection {
                copy: self.shape.copy_of_client(client),
                client: self.shape.client_in_trace(client),
                at: at.saturating_sub(self.start),
                reason,
            });
        }
    }

    /// A client could not be connected before time 0; `None` for no answer in time.
    pub(crate) fn not_connected(&mut self, client: ClientId, outcome: Option<&Outcome>) {
        let declared = self.shape.client(&self.trace, client);
        let user = declared.arg("user").and_then(|user| user.as_str());
        let who = user.map_or(String::new(), |user| format!(" as `{user}`"));
        let (kind, what) = match outcome {
            Some(Outcome::Answered(answer)) => {
                (Kind::Status, answer.to_text(self.trace.vocabulary()))
            }
            Some(Outcome::Lost(reason)) => (Kind::Lost, reason.clone()),
            Some(Outcome::Violation(reason) | Outcome::Discarded(reason)) => {
                (Kind::Violation, reason.clone())
            }
            Some(Outcome::Broken(reason)) => (Kind::Lost, reason.clone()),
            None => (Kind::Time, "no answer in time".to_owned()),
        };
        self.add(Difference {
            place: Place::Client(self.shape.client_in_trace(client)),
            kind,
            expected: format!("client {} connects{who}", declared.name()),
            actual: what,
            detail: Vec::new(),
            copy: self.shape.copy_of_client(client),
        });
    }

    /// How many steps are through.
    pub(crate) fn through(&self) -> usize {
        self.agreed + self.differed + self.not_run.len()
    }

    pub(crate) fn publish_quantiles(&self, to: &FourQuantiles) {
        tally::publish_quantiles(self.times.iter().flatten().map(|tally| &**tally), to);
    }

    pub(crate) fn take_times(&mut self, verbs: &[&'static str]) -> Times {
        let used = self.times.drain(..).zip(verbs);
        let used = used.filter_map(|(times, verb)| Some((*verb, times?)));
        let used = used.filter(|(_, times)| !times.is_empty());
        Times::from_verbs(used.map(|(verb, times)| (verb, times.times())).collect())
    }

    pub(crate) fn take_records(&mut self) -> Vec<Vec<Record>> {
        if self.log {
            return std::mem::take(&mut self.records);
        }
        let clients = 0..self.trace.clients().len() as u32 * self.shape.copies();
        clients
            .map(|client| {
                let steps = self.last.of(ClientId(client));
                let record = |brief: &Brief| brief.record(self.shape, self.start, None);
                steps.map(record).collect()
            })
            .collect()
    }

    fn text(&self, outcome: &Outcome) -> Box<str> {
        match outcome {
            Outcome::Answered(answer) => answer.to_text(self.trace.vocabulary()).into(),
            Outcome::Lost(reason) => format!("lost: {reason}").into(),
            Outcome::Violation(reason) | Outcome::Discarded(reason) => {
                format!("violation: {reason}").into()
            }
            Outcome::Broken(reason) => format!("broken: {reason}").into(),
        }
    }
}

/// What became of a step, in short, on the run's clock.
#[derive(Debug, Clone, Copy)]
struct Brief {
    moments: Moments,
    step: StepId,
    end: End,
}

impl Brief {
    /// With times from time 0 on, and the trace's number of the step.
    fn record(&self, shape: Shape, start: u64, text: Option<Box<str>>) -> Record {
        let Moments {
            scheduled,
            eligible,
            dispatched,
            completed,
        } = self.moments;
        Record {
            step: shape.in_trace(self.step),
            moments: Moments {
                scheduled: scheduled.saturating_sub(start),
                eligible: eligible.saturating_sub(start),
                dispatched: dispatched.saturating_sub(start),
                completed: completed.saturating_sub(start),
            },
            end: self.end,
            text,
        }
    }
}

/// The last [`LAST_STEPS`] of each client, in one array.
struct LastSteps {
    rings: Vec<[Option<Brief>; LAST_STEPS]>,
    /// How many each client has had so far; where in its ring the next goes.
    counts: Vec<u32>,
}

impl LastSteps {
    fn new(clients: usize) -> Self {
        Self {
            rings: vec![[None; LAST_STEPS]; clients],
            counts: vec![0; clients],
        }
    }

    #[inline]
    fn add(&mut self, client: ClientId, brief: Brief) {
        let index = client.0 as usize;
        let count = self.counts[index];
        self.rings[index][count as usize % LAST_STEPS] = Some(brief);
        self.counts[index] = count.wrapping_add(1);
    }

    /// Oldest first. The length of a ring divides the range of a count, so that a count may begin anew.
    fn of(&self, client: ClientId) -> impl Iterator<Item = &Brief> {
        let index = client.0 as usize;
        let count = self.counts[index] as usize;
        let places = (0..LAST_STEPS).map(move |place| (count + place) % LAST_STEPS);
        places.filter_map(move |place| self.rings[index][place].as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented memory of a client beside its lane.
    #[test]
    fn last_steps_stay_small() {
        let ring = size_of::<[Option<Brief>; LAST_STEPS]>() + size_of::<u32>();
        assert!(ring <= 196, "{ring}");
    }

    #[test]
    fn the_last_steps_are_kept_oldest_first() {
        let mut last = LastSteps::new(2);
        for step in 0..7 {
            let brief = Brief {
                moments: Moments::default(),
                step: StepId(step),
                end: End::Pending,
            };
            last.add(ClientId(1), brief);
            let kept: Vec<u32> = last.of(ClientId(1)).map(|brief| brief.step.0).collect();
            let expected: Vec<u32> = (step.saturating_sub(3)..=step).collect();
            assert_eq!(kept, expected);
        }
        assert_eq!(last.of(ClientId(0)).count(), 0);
    }
}
