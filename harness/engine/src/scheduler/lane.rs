//! What the scheduler keeps for each client and each step.

use replay_ir::{ClientId, Milestone, StepId};

use crate::plan::LanePlan;
use crate::times::Moments;

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneState {
    /// Its next step waits for other steps.
    Blocked,
    /// Its next step waits for its time; there is a timer for it.
    Timed,
    /// Its next step is in the queue of those to be dispatched.
    Ready,
    /// The backend works on its step.
    Flying,
    /// Its step is about waiting and goes on; there is a timer for its bound.
    Waiting,
    /// It is through.
    Finished,
}

pub(super) const LANE_STATES: usize = 6;

/// One client.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    /// The entry that is next, in flight, or waiting.
    pub(super) next: u32,
    pub(super) end: u32,
    /// How many entries from `next` on are in flight together.
    pub(super) run: u32,
    /// How many of them have not ended.
    pub(super) left: u32,
    pub(super) base: ClientId,
    pub(super) state: LaneState,
    /// Why nothing can be sent any more.
    pub(super) dead: Option<Cause>,
    /// When its previous step ended.
    pub(super) previous_end: u64,
    /// When nothing stood in the next step's way any more; since when it is blocked while it is.
    pub(super) eligible: u64,
    pub(super) dispatched: u64,
    /// When the wait for its answer or its break ends.
    pub(super) deadline: u64,
}

impl Lane {
    pub(super) fn new(plan: &LanePlan) -> Self {
        Self {
            next: plan.start,
            end: plan.end,
            run: 0,
            left: 0,
            base: plan.base,
            state: LaneState::Finished,
            dead: None,
            previous_end: 0,
            eligible: 0,
            dispatched: 0,
            deadline: u64::MAX,
        }
    }
}

/// What has happened to a step so far, as a set of bits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) const SENT: u8 = 1;
    pub(super) const PENDING: u8 = 1 << 1;
    pub(super) const DONE: u8 = 1 << 2;
    pub(super) const BREAK: u8 = 1 << 3;
    /// What has not happened by now will not happen: it was not run, or nothing came back.
    pub(super) const NEVER: u8 = 1 << 4;
    /// Dispatched and not ended.
    pub(super) const FLYING: u8 = 1 << 5;
    /// Its lane went on after an interim answer; the final one is due.
    pub(super) const PENDED: u8 = 1 << 6;
    /// Somebody waits for it or compares its milestones.
    pub(super) const CARED_FOR: u8 = 1 << 7;

    pub(super) fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }

    pub(super) fn are_none(self) -> bool {
        self.0 == 0
    }

    /// Sent and in flight, nothing else, and nobody waits for it.
    pub(super) fn are_of_plain_flight(self) -> bool {
        self.0 == Self::SENT | Self::FLYING
    }

    pub(super) fn set(&mut self, bits: u8) {
        self.0 |= bits;
    }

    pub(super) fn clear(&mut self, bits: u8) {
        self.0 &= !bits;
    }

    pub(super) fn bit(milestone: Milestone) -> u8 {
        match milestone {
            Milestone::Sent => Self::SENT,
            Milestone::Pending => Self::PENDING,
            Milestone::Done => Self::DONE,
            Milestone::Break => Self::BREAK,
        }
    }
}

/// Why a step was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its client was not connected before time 0.
    NotConnected,
    /// This step did not connect it.
    Refused(StepId),
    /// Its connection was lost in this step.
    Lost(StepId),
    /// This earlier step of its client got no answer.
    NoAnswer(StepId),
    /// This step did not open its handle.
    NotOpened(StepId),
    /// It waits for something that cannot happen any more.
    Never(StepId, Milestone),
    /// The run ended before.
    RunEnded,
}

impl Cause {
    /// The step whose end is the reason, where there is one.
    pub(crate) fn step(self) -> Option<StepId> {
        match self {
            Cause::Refused(step)
            | Cause::Lost(step)
            | Cause::NoAnswer(step)
            | Cause::NotOpened(step)
            | Cause::Never(step, _) => Some(step),
            Cause::NotConnected | Cause::RunEnded => None,
        }
    }
}

/// What the scheduler wants submitted: these entries of the plan, as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Submission {
    pub(crate) client: ClientId,
    pub(crate) first: u32,
    /// The step of the first.
    pub(crate) step: StepId,
    pub(crate) count: u32,
}

/// A step that ended without an answer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) client: ClientId,
    /// Index into the plan's entries.
    pub(crate) entry: u32,
    pub(crate) moments: Moments,
    pub(crate) how: How,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// With the final answer of this step.
    Awaited(StepId),
    /// With the break of this number (from 0) of the handle that this step opened.
    Broke(StepId, u32),
    /// With a break that should not have come.
    Unwanted(StepId, u32),
    /// No break came, as it should be.
    Quiet,
    /// Its time had come.
    Paused,
    /// Nothing came within this many nanoseconds.
    TimedOut(u64),
    /// The connection was lost while it waited.
    CutOff,
    /// It was in flight or waiting when the run ended.
    Unfinished,
    /// It was not tried.
    NotRun(Cause),
}

/// How the answer to a step bears on what may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepEnd {
    /// A final answer.
    Answered {
        /// Its status is the vocabulary's `ok`.
        ok: bool,
    },
    /// The connection is gone.
    Lost {
        /// The step's expectation allows that.
        allowed: bool,
    },
    /// The answer broke the protocol, and the connection is gone.
    Violation,
    /// The answer was not believed; the connection goes on.
    Discarded,
}

/// What a report about a step meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completion {
    /// The end of the step in this entry.
    Step(u32, Moments),
    /// The final answer after the step had already freed its lane.
    Final,
    /// Nothing: the step was not in flight, or is over.
    Stray,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Entry;

    /// The documented memory: a client's lane, its place in the timers and in the queue; an operation's entry and
    /// marks.
    #[test]
    fn clients_and_operations_stay_small() {
        assert!(size_of::<Lane>() <= 88, "{}", size_of::<Lane>());
        assert_eq!(size_of::<Entry>() + size_of::<Marks>(), 17);
    }
}
