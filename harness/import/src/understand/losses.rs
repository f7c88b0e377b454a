//! What was open when connections ended. A server closes it some time later, and tells nobody when it has. In the capture a client that
//! logged in after that gave it the time to; so such a client connects after it in the trace, too, if it works on the same files.

use super::draft::{Drafts, StepIndex};
use super::lanes::{ClientIndex, Key, Touch};
use replay_ir::Milestone;
use std::collections::HashMap;

/// The ends of connections with something open, and the clients that came later.
#[derive(Debug, Default)]
pub(super) struct Losses {
    count: usize,
    /// By what was open, and by the directories that a file went from with it: which losses, and their steps.
    files: HashMap<Key, Vec<(usize, StepIndex)>>,
    listings: HashMap<Key, Vec<(usize, StepIndex)>>,
    /// The steps that connect clients which came later, and how many losses there had been.
    later: HashMap<ClientIndex, (StepIndex, usize)>,
}

impl Losses {
    /// How many there were so far.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// A connection has ended, which this step says, and with it what was open there.
    pub(super) fn lost(
        &mut self,
        step: StepIndex,
        files: &[(Key, Touch)],
        listings: &[(Key, Touch)],
    ) {
        for (all, keys) in [(&mut self.files, files), (&mut self.listings, listings)] {
            for &(key, _) in keys {
                all.entry(key).or_default().push((self.count, step));
            }
        }
        self.count += 1;
    }

    /// A client is connected by this step, and logged in when so many losses had been there.
    pub(super) fn connected(&mut self, client: ClientIndex, step: StepIndex, losses: usize) {
        if losses > 0 {
            self.later.insert(client, (step, losses));
        }
    }

    /// A step of a client works on this, or lists it. The last loss of it before the client came stands for the earlier ones, whose
    /// steps it waits for.
    pub(super) fn works_on(
        &self,
        client: ClientIndex,
        touches: &[(Key, Touch)],
        drafts: &mut Drafts,
    ) {
        let Some(&(connect, losses)) = self.later.get(&client) else {
            return;
        };
        for (key, touch) in touches {
            let lists = || self.listings.get(key).filter(|_| *touch == Touch::Look);
            let of_key = self.files.get(key).or_else(lists);
            let of_key = of_key.map_or(&[][..], |of_key| of_key);
            let before = of_key.partition_point(|&(number, _)| number < losses);
            let Some(&(_, step)) = before.checked_sub(1).and_then(|at| of_key.get(at)) else {
                continue;
            };
            if drafts[step].lane == drafts[connect].lane {
                continue;
            }
            let draft = &mut drafts[connect];
            draft.dropped = false;
            if !draft.after.iter().any(|&(other, _)| other == step) {
                draft.after.push((step, Milestone::Done));
            }
        }
    }
}
