//! Steps in the making: what the capture has shown of them so far.

use super::content::Source;
use super::lanes::LaneIndex;
use replay_ir::{ExpectStatus, Milestone, OwnedValue};
use std::borrow::Cow;
use std::ops::{Index, IndexMut};

/// A step by its number.
pub(super) type StepIndex = usize;

/// How far a step has come in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its request was sent.
    Sent,
    /// Its interim answer came, and it expects that.
    Pending,
    /// It is answered.
    Done,
}

impl Progress {
    /// What another step can wait for.
    pub(super) fn milestone(self) -> Milestone {
        match self {
            Self::Sent => Milestone::Sent,
            Self::Pending => Milestone::Pending,
            Self::Done => Milestone::Done,
        }
    }
}

/// What a read must return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// Nothing is known.
    Unknown,
    /// Bytes of this source, of the file with this content.
    From {
        source: Source,
        node: usize,
        /// All of them were zeros.
        zeros: bool,
    },
}

/// A step.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) lane: LaneIndex,
    pub(super) verb: &'static str,
    pub(super) args: Vec<(Cow<'static, str>, OwnedValue)>,
    pub(super) status: ExpectStatus,
    pub(super) fields: Vec<(Cow<'static, str>, OwnedValue)>,
    pub(super) data: Data,
    /// When it was sent, in nanoseconds since 1970; `None` for one that sends nothing.
    pub(super) sent: Option<u64>,
    pub(super) progress: Progress,
    /// The frame that it was sent in; steps of one frame make a compound.
    pub(super) frame: Option<u64>,
    pub(super) after: Vec<(StepIndex, Milestone)>,
    /// The step that `await` and `cancel` are about.
    pub(super) target: Option<StepIndex>,
    /// The step that takes its final answer.
    pub(super) awaited_by: Option<StepIndex>,
    pub(super) within: Option<u64>,
    /// It stands behind this one in the trace, instead of where it was made.
    pub(super) behind: Option<StepIndex>,
    /// It is left out.
    pub(super) dropped: bool,
    /// What the report counts it as.
    pub(super) kind: &'static str,
    /// It is sent as it was, for this reason, and can only stay if the server refused it.
    pub(super) stale: Option<&'static str>,
}

impl Draft {
    /// A step on a lane that expects success.
    pub(super) fn new(lane: LaneIndex, verb: &'static str) -> Self {
        Self {
            lane,
            verb,
            args: Vec::new(),
            status: ExpectStatus::Ok,
            fields: Vec::new(),
            data: Data::Unknown,
            sent: None,
            progress: Progress::Sent,
            frame: None,
            after: Vec::new(),
            target: None,
            awaited_by: None,
            within: None,
            behind: None,
            dropped: false,
            kind: verb,
            stale: None,
        }
    }

    /// Adds an argument.
    pub(super) fn arg(mut self, name: &'static str, value: impl Into<OwnedValue>) -> Self {
        self.args.push((name.into(), value.into()));
        self
    }

    /// Adds a flag where the condition holds.
    pub(super) fn flag(self, name: &'static str, set: bool) -> Self {
        match set {
            true => self.arg(name, OwnedValue::Flag),
            false => self,
        }
    }

    /// Adds an argument where it is not the default.
    pub(super) fn unless<T: PartialEq>(
        self,
        name: &'static str,
        value: T,
        default: T,
        write: impl FnOnce(T) -> OwnedValue,
    ) -> Self {
        match value == default {
            true => self,
            false => self.arg(name, write(value)),
        }
    }

    /// Whether it has an argument.
    pub(super) fn has(&self, name: &str) -> bool {
        self.args.iter().any(|(other, _)| other == name)
    }

    /// Whether an argument has this text.
    pub(super) fn arg_is(&self, name: &str, text: &str) -> bool {
        let mut args = self.args.iter();
        args.any(|(other, value)| other == name && value.as_value().as_str() == Some(text))
    }

    /// Changes its request on its way, once.
    pub(super) fn edit(&mut self, edit: String) {
        let edit = OwnedValue::Token(edit);
        match self.args.iter_mut().find(|(name, _)| name == "wire") {
            Some((_, OwnedValue::List(edits))) if edits.contains(&edit) => {}
            Some((_, OwnedValue::List(edits))) => edits.push(edit),
            _ => self
                .args
                .push(("wire".into(), OwnedValue::List(vec![edit]))),
        }
    }

    /// The handle that it works on.
    pub(super) fn handle(&self) -> Option<&str> {
        let mut args = self.args.iter();
        let (_, value) = args.find(|(name, _)| name == "handle")?;
        match value {
            OwnedValue::Text(handle) | OwnedValue::Token(handle) => Some(handle),
            _ => None,
        }
    }

    /// Expects a field.
    pub(super) fn expect(&mut self, name: &'static str, value: impl Into<OwnedValue>) {
        self.fields.push((name.into(), value.into()));
    }
}

/// All steps, in the order in which their requests were sent.
#[derive(Debug, Default)]
pub(super) struct Drafts(Vec<Draft>);

impl Drafts {
    /// Adds one.
    pub(super) fn push(&mut self, draft: Draft) -> StepIndex {
        self.0.push(draft);
        self.0.len() - 1
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The order in which they stand in the trace, without those left out.
    pub(super) fn order(&self) -> Vec<StepIndex> {
        let mut moved: Vec<(StepIndex, StepIndex)> = Vec::new();
        let mut order = Vec::with_capacity(self.0.len());
        for (index, draft) in self.0.iter().enumerate() {
            match draft.behind {
                Some(place) => moved.push((self.end_of_compound(place), index)),
                None => order.push(index),
            }
        }
        if !moved.is_empty() {
            moved.sort_unstable();
            let mut merged = Vec::with_capacity(self.0.len());
            let mut rest = moved.into_iter().peekable();
            for index in order {
                merged.push(index);
                while let Some((_, step)) = rest.next_if(|&(place, _)| place <= index) {
                    merged.push(step);
                }
            }
            merged.extend(rest.map(|(_, step)| step));
            order = merged;
        }
        order.retain(|&index| !self.0[index].dropped);
        order
    }

    /// The last member of the compound that a step is in.
    fn end_of_compound(&self, step: StepIndex) -> StepIndex {
        let Some(frame) = self.0[step].frame else {
            return step;
        };
        let later = self.0[step..]
            .iter()
            .take_while(|draft| draft.frame == Some(frame) || draft.lane != self.0[step].lane);
        let last = later
            .enumerate()
            .filter(|(_, draft)| draft.frame == Some(frame))
            .last();
        last.map_or(step, |(ahead, _)| step + ahead)
    }
}

impl Index<StepIndex> for Drafts {
    type Output = Draft;

    fn index(&self, index: StepIndex) -> &Draft {
        &self.0[index]
    }
}

impl IndexMut<StepIndex> for Drafts {
    fn index_mut(&mut self, index: StepIndex) -> &mut Draft {
        &mut self.0[index]
    }
}
