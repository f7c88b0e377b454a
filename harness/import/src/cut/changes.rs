//! Which changes of files the kept steps need.
//!
//! A file is touched up to the last kept step that works on it, and its changes are needed from the first kept step on, of
//! whatever file. Both bounds only ever widen while steps are added, so that the changes of each file are gone through once, in both
//! directions; the next one below the lower bound waits in a heap until that bound has passed it.

use super::files::{self, Files, Known};
use replay_ir::{StepId, Trace};
use smb_vocabulary::subjects::{self, PathId, Subjects};
use std::collections::{BinaryHeap, HashMap};

/// Steps in their order, and which of them are needed: those from `low` up to, but not with, `high`.
#[derive(Debug, Default)]
struct Span {
    steps: Vec<StepId>,
    low: usize,
    high: usize,
    is_open: bool,
}

impl Span {
    /// All before `end` are wanted that are not before the lower bound; those that were not so before.
    fn raise(&mut self, end: StepId) -> std::ops::Range<usize> {
        let high = self.steps.partition_point(|&id| id < end);
        if !self.is_open {
            (self.is_open, self.low, self.high) = (true, high, high);
            return high..high;
        }
        let new = self.high..high.max(self.high);
        self.high = new.end;
        new
    }

    /// The next one below.
    fn below(&self) -> Option<StepId> {
        self.steps.get(self.low.checked_sub(1)?).copied()
    }
}

/// The changes of all files, and how far they are needed.
pub(super) struct Changes<'t> {
    subjects: &'t Subjects,
    /// Changes of each path, and of what is below it.
    at: Vec<Span>,
    under: Vec<Span>,
    /// The next change below the lower bound of a span, its path, and whether it is one of `under`.
    lower: BinaryHeap<(StepId, PathId, bool)>,
    known: Known,
    /// Until which step the bytes of a touched path stay known when the lower bound goes down.
    until: BinaryHeap<(StepId, PathId)>,
    /// Paths below each whose bytes are not known at some time.
    unknown_under: HashMap<PathId, Vec<PathId>>,
    /// How often a bound was looked at.
    #[cfg(test)]
    pub(super) work: usize,
}

impl<'t> Changes<'t> {
    pub(super) fn new(trace: &Trace, subjects: &'t Subjects) -> Self {
        let spans = || (0..subjects.count()).map(|_| Span::default()).collect();
        let mut changes = Self {
            subjects,
            at: spans(),
            under: spans(),
            lower: BinaryHeap::new(),
            known: Files::known(trace, subjects),
            until: BinaryHeap::new(),
            unknown_under: HashMap::new(),
            #[cfg(test)]
            work: 0,
        };
        for step in trace.steps().filter(files::changes) {
            for path in subjects.of(step.id()) {
                changes.index(path, step.id());
            }
        }
        for path in changes.known.sometimes_unknown() {
            let Some(id) = subjects.find(path) else {
                continue;
            };
            for above in subjects::above(path).filter_map(|above| subjects.find(above)) {
                changes.unknown_under.entry(above).or_default().push(id);
            }
        }
        changes
    }

    fn index(&mut self, path: PathId, id: StepId) {
        self.at[path.index()].steps.push(id);
        for above in self.above(path) {
            let steps = &mut self.under[above.index()].steps;
            if steps.last() != Some(&id) {
                steps.push(id);
            }
        }
    }

    /// The directories above a path that steps work on.
    fn above(&self, path: PathId) -> impl Iterator<Item = PathId> + use<'t> {
        let subjects = self.subjects;
        subjects::above(subjects.path(path)).filter_map(|above| subjects.find(above))
    }

    /// A path is worked on by a kept step: whatever changed it before is needed. Adds what was not needed so far to `found`.
    pub(super) fn touch(&mut self, path: PathId, id: StepId, found: &mut Vec<StepId>) {
        self.raise(path, id, false, found);
        self.raise(path, id, true, found);
        for above in self.above(path) {
            self.raise(above, id, false, found);
        }
        for below in self.unknown_under.get(&path).cloned().unwrap_or_default() {
            self.raise(below, id, false, found);
        }
    }

    /// Adds to `found` what is needed now that nothing before `first` is kept; false when that is nothing more.
    pub(super) fn next(&mut self, first: StepId, found: &mut Vec<StepId>) -> bool {
        if let Some(&(id, path, under)) = self.lower.peek()
            && id > first
        {
            self.lower.pop();
            let span = self.span(path, under);
            // Otherwise it was kept for its bytes already.
            if span.below() == Some(id) {
                span.low -= 1;
                let below = span.below();
                self.lower.extend(below.map(|id| (id, path, under)));
                found.push(id);
            }
            return true;
        }
        // Only now is the lower bound where it stays unless something is added. What one file adds moves the bound, so
        // all are looked at before: else it would depend on their order what is kept.
        let mut looked = false;
        while let Some(&(until, path)) = self.until.peek()
            && until >= first
        {
            self.until.pop();
            self.look_at_bytes(path, first, found);
            looked = true;
        }
        looked
    }

    fn raise(&mut self, path: PathId, end: StepId, under: bool, found: &mut Vec<StepId>) {
        #[cfg(test)]
        {
            self.work += 1;
        }
        let span = self.span(path, under);
        let was_open = span.is_open;
        let new = span.raise(end);
        found.extend_from_slice(&span.steps[new]);
        let below = span.below();
        if !was_open {
            self.lower.extend(below.map(|id| (id, path, under)));
            if !under {
                self.until.push((StepId(u32::MAX), path));
            }
        }
    }

    fn span(&mut self, path: PathId, under: bool) -> &mut Span {
        match under {
            true => &mut self.under[path.index()],
            false => &mut self.at[path.index()],
        }
    }

    /// All changes of a path are needed if no `given` line can say its bytes at the first step that is kept.
    fn look_at_bytes(&mut self, path: PathId, first: StepId, found: &mut Vec<StepId>) {
        match self.known.before(self.subjects.path(path), first) {
            (false, _) => {
                let span = &mut self.at[path.index()];
                found.extend_from_slice(&span.steps[..std::mem::take(&mut span.low)]);
            }
            (true, Some(until)) => self.until.push((until, path)),
            (true, None) => {}
        }
    }
}
