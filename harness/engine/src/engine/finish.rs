//! How a run ends: out of time, stuck, or with its checks judged and its report handed out.

use std::collections::BTreeSet;
use std::time::Duration;

use replay_ir::{Check, Dependency, Milestone, StepId};

use super::Engine;
use crate::judge;
use crate::report::{Difference, Place, RunReport};
use crate::times::Times;
use crate::verdict::{Kind, Verdict};
use crate::waits::WaitsFor;

impl Engine {
    /// Judges the checks and hands out the report.
    pub(crate) fn finish(mut self, backend: &'static str) -> RunReport {
        let times = self.recorder.take_times(&self.scheduler.plan().verbs);
        if self.broken.is_none() {
            self.check(&times);
        }
        let copies = self.shape().copies();
        let steps = self.steps();
        let recorder = &mut self.recorder;
        let mut kinds: BTreeSet<Kind> = recorder.by_kind.keys().copied().collect();
        if !recorder.not_run.is_empty() {
            kinds.insert(Kind::NotRun);
        }
        let verdict = match self.broken {
            Some(reason) => Verdict::Broken { reason },
            None if kinds.is_empty() => Verdict::Passed,
            None => Verdict::Failed { kinds },
        };
        let ran = recorder.last_end.saturating_sub(recorder.start);
        RunReport {
            copies,
            operations_issued: recorder.issued,
            operations_completed: recorder.completed,
            answers_agreed: recorder.agreed,
            answers_differed: recorder.differed,
            differences: std::mem::take(&mut recorder.differences),
            differences_by_kind: std::mem::take(&mut recorder.by_kind),
            actual: std::mem::take(&mut recorder.actual),
            not_run: std::mem::take(&mut recorder.not_run),
            times,
            duration: Duration::from_nanos(ran),
            round_trip: self.trips.fastest(),
            records: recorder.take_records(),
            breaks: std::mem::take(&mut recorder.breaks),
            reactions: std::mem::take(&mut recorder.reactions),
            break_latency: recorder.break_latency.take(),
            lost: std::mem::take(&mut recorder.lost),
            stuck: self.picture,
            ..RunReport::not_started(backend, steps, verdict)
        }
    }

    pub(super) fn out_of_time(&mut self, now: u64) {
        if self.scheduler.is_over() {
            return;
        }
        let bound = replay_ir::time::format_duration(self.run_bound.unwrap_or_default());
        self.recorder.add(Difference {
            place: Place::Run,
            kind: Kind::Time,
            expected: format!("all steps end within {bound}"),
            actual: format!("{} of {} did", self.recorder.through(), self.steps()),
            detail: Vec::new(),
            copy: 0,
        });
        self.picture = Some(self.scheduler.picture(now));
        self.scheduler.abort(now);
        self.take_ended();
    }

    /// When nothing could move any more, what was waited for did not come: that differs from the trace.
    pub(super) fn note_stuck(&mut self) {
        let Some(picture) = self.scheduler.stuck().cloned() else {
            return;
        };
        for wait in &picture.waits {
            let WaitsFor::Milestone(step, milestone) = wait.what else {
                continue;
            };
            let what = Dependency { step, milestone };
            let kind = if milestone == Milestone::Break {
                Kind::Break
            } else {
                Kind::Order
            };
            self.recorder.add(Difference {
                place: Place::Step(wait.step),
                kind,
                expected: format!("after={}", self.trace.milestone_text(what)),
                actual: "it never came".to_owned(),
                detail: Vec::new(),
                copy: wait.copy,
            });
        }
        self.picture = Some(picture);
    }

    fn check(&mut self, times: &Times) {
        let reason = self
            .trips
            .failure()
            .unwrap_or("no client was connected")
            .to_owned();
        let round_trip = self.trips.fastest().ok_or(reason.as_str());
        let scheduler = &self.scheduler;
        let shape = scheduler.plan().shape;
        for check in self.trace.clone().checks() {
            let mut add = |difference: Option<Difference>, copy| {
                if let Some(difference) = difference {
                    self.recorder.add(Difference { copy, ..difference });
                }
            };
            match check {
                // An order is one of each copy; times are those of all.
                Check::Order { .. } => {
                    for copy in 0..shape.copies() {
                        let first = shape.first_step(copy);
                        let moment = |step: StepId, milestone| {
                            scheduler.moment(StepId(step.0 + first), milestone)
                        };
                        add(judge::judge_order(&self.trace, check, &moment), copy);
                    }
                }
                Check::Time { .. } => add(judge::judge_time(check, times, round_trip), 0),
            }
        }
    }
}
