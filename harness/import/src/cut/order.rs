//! What a kept step waits for, where steps that it waited for are left out.

use super::{Steps, before};
use replay_ir::{Milestone, StepId, Trace};
use std::collections::HashMap;
use std::rc::Rc;

/// Steps, and how far they must have come.
pub(super) type Waits = Vec<(StepId, Milestone)>;

/// One that is left out stands for what it waited for, and for what its client did before it.
pub(super) struct Order<'t> {
    trace: &'t Trace,
    kept: &'t Steps,
    /// What each left out step that counts stands for, of the kept ones. Steps of one client that none other joins share it.
    stands_for: HashMap<StepId, Rc<Waits>>,
}

impl<'t> Order<'t> {
    pub(super) fn new(trace: &'t Trace, kept: &'t Steps) -> Self {
        let mut order = Self {
            trace,
            kept,
            stands_for: HashMap::new(),
        };
        let before = before(trace);
        for id in kept.iter() {
            let open = order.left_out(id).collect();
            order.find(open, &before);
        }
        order
    }

    /// What a step waits for itself and is left out.
    fn left_out(&self, id: StepId) -> impl Iterator<Item = StepId> + use<'t> {
        let kept = self.kept;
        let after = self.trace.step(id).after().map(|after| after.step);
        after.filter(move |&other| !kept.contains(other))
    }

    /// Works out what these stand for, and all that they rest on.
    fn find(&mut self, mut open: Vec<StepId>, before: &[Option<StepId>]) {
        let mut entered = std::collections::HashSet::new();
        while let Some(&id) = open.last() {
            if self.stands_for.contains_key(&id) {
                open.pop();
                continue;
            }
            let earlier = before.get(id.0 as usize).copied().flatten();
            if entered.insert(id) {
                let first = self.left_out(id);
                let rests_on = first.chain(earlier.filter(|&earlier| !self.kept.contains(earlier)));
                let missing = rests_on
                    .filter(|other| {
                        !self.stands_for.contains_key(other) && !entered.contains(other)
                    })
                    .collect::<Vec<_>>();
                if !missing.is_empty() {
                    open.extend(missing);
                    continue;
                }
            }
            open.pop();
            let found = self.join(id, earlier);
            self.stands_for.insert(id, found);
        }
    }

    fn join(&self, id: StepId, earlier: Option<StepId>) -> Rc<Waits> {
        let mut after = self.trace.step(id).after().peekable();
        let of_earlier = match earlier {
            Some(earlier) if self.kept.contains(earlier) => {
                Some(Rc::new(vec![(earlier, Milestone::Done)]))
            }
            Some(earlier) => self.stands_for.get(&earlier).cloned(),
            None => None,
        };
        if after.peek().is_none() {
            return of_earlier.unwrap_or_default();
        }
        let mut all: Waits = of_earlier
            .iter()
            .flat_map(|of| of.iter().copied())
            .collect();
        for dependency in after {
            match self.kept.contains(dependency.step) {
                true => all.push((dependency.step, dependency.milestone)),
                false => {
                    let stands_for = self.stands_for.get(&dependency.step);
                    all.extend(stands_for.iter().flat_map(|of| of.iter().copied()));
                }
            }
        }
        Rc::new(self.latest(all))
    }

    /// The same without steps whose client did another one of these behind them: who waits for the end of that one has waited
    /// for theirs.
    fn latest(&self, mut all: Waits) -> Waits {
        all.sort_unstable_by_key(|&(id, milestone)| (id, milestone.name()));
        all.dedup();
        let mut last = HashMap::new();
        for &(id, milestone) in &all {
            if milestone == Milestone::Done {
                last.insert(self.trace.step(id).client(), id);
            }
        }
        all.retain(|&(id, milestone)| {
            let step = self.trace.step(id);
            let is_implied = matches!(milestone, Milestone::Done | Milestone::Sent)
                && !step.expect().is_pending()
                && last.get(&step.client()).is_some_and(|&last| last > id);
            !is_implied
        });
        all
    }

    /// What a step waits for of the kept ones.
    pub(super) fn waits(&self, id: StepId) -> Waits {
        let step = self.trace.step(id);
        let (mut found, mut inherited) = (Waits::new(), Waits::new());
        for dependency in step.after() {
            match self.stands_for.get(&dependency.step) {
                Some(of) => inherited.extend(of.iter().copied()),
                None => found.push((dependency.step, dependency.milestone)),
            }
        }
        found.extend(self.latest(inherited));
        let own = |other: StepId| self.trace.step(other).client() == step.client() && other < id;
        found.retain(|&(other, _)| !own(other));
        found.sort_by_key(|&(other, _)| other);
        found.dedup_by_key(|&mut (other, _)| other);
        found
    }
}
