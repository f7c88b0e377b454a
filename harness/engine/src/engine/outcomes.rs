//! Takes in how operations ended: tells the scheduler, judges, records.

use replay_ir::{Answer, ClientId, Dependency, Role, StepId, Trace};

use super::{BREAKS_KEPT, Engine, Phase};
use crate::backend::{BreakEvent, Op, Outcome};
use crate::copies::Shape;
use crate::events::{EventKind, PlainEnd};
use crate::judge;
use crate::plan::EntryFlags;
use crate::recorder::Recorder;
use crate::report::{End, NotRun};
use crate::scheduler::{Cause, Completion, Ended, How, StepEnd};
use crate::times::Moments;

impl Engine {
    pub(super) fn shape(&self) -> Shape {
        self.scheduler.plan().shape
    }

    /// The short way for most of a recording: an operation that expects nothing but `ok`, and that nobody waits for,
    /// was answered with it. True when that was all there is to it; otherwise nothing has changed.
    #[inline]
    pub(super) fn is_plain(&mut self, client: ClientId, at: u64, kind: &EventKind) -> bool {
        let EventKind::Done(Op::Step(step), Outcome::Answered(answer)) = kind else {
            return false;
        };
        answer.status == self.trace.vocabulary().ok && self.ended_plainly(client, *step, at)
    }

    /// A step was answered with `ok` and no more.
    #[inline]
    pub(crate) fn plain(&mut self, (client, step): PlainEnd, at: u64) {
        if !self.ended_plainly(client, step, at) {
            let answer = Answer {
                status: self.trace.vocabulary().ok,
                ..Answer::default()
            };
            self.step_done(client, step, at, Outcome::Answered(answer));
            self.take_ended();
        }
    }

    #[inline]
    fn ended_plainly(&mut self, client: ClientId, step: StepId, at: u64) -> bool {
        if self.phase != Phase::Running || self.recorder.keeps_texts() {
            return false;
        }
        let Some((entry, moments)) = self.scheduler.complete_plain(client, step, at) else {
            return false;
        };
        self.recorder.completed += 1;
        let ok = self.trace.vocabulary().ok;
        self.recorder.agreed_plainly(client, &entry, moments, ok);
        self.take_ended();
        true
    }

    pub(super) fn setup_done(&mut self, client: ClientId, op: Op, at: u64, outcome: &Outcome) {
        let ok = self.trace.vocabulary().ok;
        match op {
            Op::Connect => {
                let fine = matches!(outcome, Outcome::Answered(answer) if answer.status == ok);
                if !self.ramp.complete(client, fine) || fine {
                    return;
                }
                if let Outcome::Broken(reason) = outcome {
                    let name = self.shape().client(&self.trace, client).name();
                    let reason = format!("client {name} could not connect: {reason}");
                    self.break_off(at, reason);
                    return;
                }
                if let Outcome::Lost(reason) = outcome {
                    self.recorder.lost(client, at, reason.clone());
                }
                self.recorder.not_connected(client, Some(outcome));
                self.not_connected.push(client);
            }
            Op::RoundTrip => {
                self.trips.complete(client, at, outcome, ok);
            }
            Op::Step(_) => {}
        }
    }

    pub(super) fn step_done(&mut self, client: ClientId, id: StepId, at: u64, outcome: Outcome) {
        if self.phase != Phase::Running || id.0 as usize >= self.steps() {
            return;
        }
        self.recorder.completed += 1;
        let end = match &outcome {
            Outcome::Answered(answer) => StepEnd::Answered {
                ok: answer.status == self.trace.vocabulary().ok,
            },
            Outcome::Lost(_) => StepEnd::Lost {
                allowed: judge::allows_loss(self.shape().step(&self.trace, id)),
            },
            Outcome::Violation(_) => StepEnd::Violation,
            Outcome::Discarded(_) => StepEnd::Discarded,
            Outcome::Broken(reason) => {
                let step = self.shape().step(&self.trace, id);
                let name = self.shape().client(&self.trace, client).name();
                let reason = format!("client {name}, line {}: {reason}", step.line());
                self.break_off(at, reason);
                return;
            }
        };
        match self.scheduler.complete(client, id, at, end) {
            Completion::Step(index, moments) => {
                self.step_ended(client, index, moments, end, outcome);
            }
            Completion::Final => self.keep_final(id, outcome),
            Completion::Stray => {
                let line = self.shape().step(&self.trace, id).line();
                tracing::debug!(line, ?outcome, "an answer to a step that is not in flight");
            }
        }
    }

    /// A step was answered, or lost its connection.
    pub(super) fn step_ended(
        &mut self,
        client: ClientId,
        index: u32,
        moments: Moments,
        end: StepEnd,
        outcome: Outcome,
    ) {
        let entry = self.scheduler.entry(index);
        if matches!(end, StepEnd::Answered { .. })
            && matches!(entry.flags.role(), Role::Operation | Role::Connect)
        {
            self.recorder.time(entry.verb, &moments);
        }
        let short = end_of(&outcome);
        self.recorder
            .end(client, entry.step, moments, short, Some(&outcome));
        if entry.flags.has(EntryFlags::PLAIN) && end == (StepEnd::Answered { ok: true }) {
            self.recorder.agreed += 1;
            return;
        }
        if let Outcome::Lost(reason) = &outcome {
            self.recorder
                .lost(client, moments.completed, reason.clone());
        }
        let took = moments.completed.saturating_sub(moments.dispatched);
        let differences = judge::judge(self.shape().step(&self.trace, entry.step), &outcome, took);
        self.recorder
            .judged(entry.step, differences, Some(&outcome));
        // A step that had expected an interim answer may be awaited all the same.
        if entry.flags.has(EntryFlags::PENDING) {
            self.keep_final(entry.step, outcome);
        }
    }

    /// Keeps a final answer for the step that awaits it, if one does.
    fn keep_final(&mut self, step: StepId, outcome: Outcome) {
        if self.scheduler.is_cared_for(step) {
            self.finals.insert(step, outcome);
        }
    }

    pub(super) fn interim(&mut self, client: ClientId, id: StepId, at: u64, answer: Answer) {
        if self.phase != Phase::Running || id.0 as usize >= self.steps() {
            return;
        }
        let Some((index, moments)) = self.scheduler.interim(client, id, at) else {
            return;
        };
        let entry = self.scheduler.entry(index);
        self.recorder.time(entry.verb, &moments);
        let outcome = Outcome::Answered(answer);
        self.recorder
            .end(client, id, moments, End::Pending, Some(&outcome));
        let took = moments.completed.saturating_sub(moments.dispatched);
        let differences = judge::judge(self.shape().step(&self.trace, id), &outcome, took);
        self.recorder.judged(id, differences, Some(&outcome));
    }

    pub(super) fn broke(&mut self, client: ClientId, at: u64, event: BreakEvent) {
        self.recorder.broke(client, at, &event);
        if self.phase != Phase::Running {
            return;
        }
        if event.opened_by.is_none() {
            tracing::debug!(?event, "a break for no known handle");
        }
        let steps = self.steps();
        let known = |step: &StepId| (step.0 as usize) < steps;
        let openers = event.opened_by.into_iter().chain(event.also);
        for opener in openers.filter(known).collect::<Vec<_>>() {
            let number = self.scheduler.broke(opener, at);
            if self.scheduler.is_cared_for(opener) && self.breaks.len() < BREAKS_KEPT {
                self.breaks.insert((opener, number), event.answer.clone());
            }
        }
    }

    /// Judges the steps that the scheduler has ended by itself.
    #[inline(always)]
    pub(super) fn take_ended(&mut self) {
        if self.scheduler.has_ended() {
            self.take_all_ended();
        }
    }

    fn take_all_ended(&mut self) {
        while let Some(ended) = self.scheduler.ended() {
            self.ended(ended);
        }
    }

    pub(super) fn ended(&mut self, ended: Ended) {
        let Ended {
            client,
            entry,
            moments,
            how,
        } = ended;
        let trace = self.trace.clone();
        let id = self.scheduler.entry(entry).step;
        let step = self.shape().step(&trace, id);
        let took = moments.completed.saturating_sub(moments.dispatched);
        let waited = |recorder: &mut Recorder, end, outcome: Option<&Outcome>| {
            recorder.end(client, id, moments, end, outcome);
        };
        match how {
            How::Awaited(target) => self.awaited(client, id, target, moments),
            How::Broke(opener, number) => {
                let answer = self.breaks.remove(&(opener, number)).unwrap_or_default();
                let differences = judge::judge_break(step, &answer, took);
                let outcome = Outcome::Answered(answer);
                waited(&mut self.recorder, End::Waited, Some(&outcome));
                self.recorder.judged(id, differences, Some(&outcome));
            }
            How::Unwanted(opener, number) => {
                let answer = self.breaks.remove(&(opener, number)).unwrap_or_default();
                let difference = judge::unwanted_break(step, &answer);
                let outcome = Outcome::Answered(answer);
                waited(&mut self.recorder, End::Waited, Some(&outcome));
                self.recorder.judged(id, vec![difference], Some(&outcome));
            }
            How::Quiet | How::Paused => {
                waited(&mut self.recorder, End::Waited, None);
                self.recorder.judged(id, Vec::new(), None);
            }
            How::TimedOut(bound) => {
                waited(&mut self.recorder, End::TimedOut, None);
                let difference = judge::no_answer(step, bound);
                self.recorder.judged(id, vec![difference], None);
            }
            How::CutOff => {
                waited(&mut self.recorder, End::Lost, None);
                let difference = judge::cut_off(step);
                self.recorder.judged(id, vec![difference], None);
            }
            How::Unfinished => {
                waited(&mut self.recorder, End::Unfinished, None);
                let why = "the run ended before its answer came".to_owned();
                self.recorder.not_run.push(NotRun {
                    copy: self.shape().copy_of(id),
                    step: step.id(),
                    why,
                    because: None,
                });
            }
            How::NotRun(cause) => {
                let shape = self.shape();
                self.recorder.not_run.push(NotRun {
                    copy: shape.copy_of(id),
                    step: step.id(),
                    why: why(&trace, shape, cause),
                    because: cause.step().map(|step| shape.in_trace(step)),
                });
            }
        }
    }

    pub(super) fn awaited(
        &mut self,
        client: ClientId,
        id: StepId,
        target: StepId,
        moments: Moments,
    ) {
        let outcome = self.finals.get(&target).cloned().unwrap_or_else(|| {
            Outcome::Lost("the awaited step has no final answer of its own".to_owned())
        });
        let took = moments.completed.saturating_sub(moments.dispatched);
        let step = self.shape().step(&self.trace, id);
        let differences = judge::judge(step, &outcome, took);
        self.recorder
            .end(client, id, moments, end_of(&outcome), Some(&outcome));
        self.recorder.judged(id, differences, Some(&outcome));
    }
}

fn end_of(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Answered(answer) => End::Answered(answer.status),
        Outcome::Lost(_) => End::Lost,
        Outcome::Violation(_) | Outcome::Discarded(_) => End::Violation,
        Outcome::Broken(_) => End::Broken,
    }
}

/// Why a step was not run, with the lines that people look for.
fn why(trace: &Trace, shape: Shape, cause: Cause) -> String {
    let line = |step: StepId| shape.step(trace, step).line();
    match cause {
        Cause::NotConnected => "its client was not connected".to_owned(),
        Cause::Refused(step) => format!("line {} did not connect its client", line(step)),
        Cause::Lost(step) => format!("its connection was lost in line {}", line(step)),
        Cause::NoAnswer(step) => format!("line {} of its client got no answer", line(step)),
        Cause::NotOpened(step) => format!("its handle was not opened in line {}", line(step)),
        Cause::Never(step, milestone) => {
            let in_trace = shape.in_trace(step);
            let what = trace.milestone_text(Dependency {
                step: in_trace,
                milestone,
            });
            format!(
                "it waits for {what} (line {}), which cannot come any more",
                line(step)
            )
        }
        Cause::RunEnded => "the run ended before".to_owned(),
    }
}
