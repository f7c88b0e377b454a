//! Clients, their lanes, and which step must wait for which.
//!
//! A client of the trace is a session on a connection. At most one of its steps is in flight in a lane, so requests that
//! overlapped get lanes of their own. What a step waits for is what the capture shows to have come before it *and* what
//! could have made a difference: earlier steps on the same file, or in the same directory where one of them changes it,
//! and within a client all that was answered before.

use super::draft::{Drafts, Progress, StepIndex};
use replay_ir::Milestone;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A lane, numbered over all clients.
pub(super) type LaneIndex = usize;

/// A client, numbered in the order of their log-ins.
pub(super) type ClientIndex = usize;

#[derive(Debug)]
struct Lane {
    client: ClientIndex,
    /// The last step that was put on it.
    last: Option<StepIndex>,
    /// How far the steps of other lanes are known to have come when the last one was sent.
    known: HashMap<LaneIndex, (StepIndex, Milestone)>,
}

/// Something that steps work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

impl Key {
    /// A file or directory.
    pub(super) fn path(path: &str) -> Self {
        Self::of("path", path)
    }

    /// What is in a directory.
    pub(super) fn listing(path: &str) -> Self {
        Self::of("listing", path)
    }

    /// What one can be told of in a directory.
    pub(super) fn watched(path: &str) -> Self {
        Self::of("watched", path)
    }

    fn of(what: &str, path: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (what, path.to_lowercase()).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// How a step works on something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// Another such step may come before or after it.
    Look,
    /// It may change what others find.
    Change,
    /// It asks to be told of changes; for [`Key::watched`] alone.
    Watch,
    /// It may be told to who asks; for [`Key::watched`] alone.
    Alter,
}

/// The clients and lanes, and what their steps work on.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// The lanes of each client; the first is the client itself.
    clients: Vec<Vec<LaneIndex>>,
    /// The client whose session each client works in.
    owners: Vec<ClientIndex>,
    /// The clients of each session, by its owner.
    channels: HashMap<ClientIndex, Vec<ClientIndex>>,
    touched: HashMap<Key, Vec<(StepIndex, Touch)>>,
    /// The steps that have ended sessions of clients from elsewhere.
    ended: HashMap<ClientIndex, StepIndex>,
    /// The last step of each lane that watched there, or altered something.
    watched: HashMap<Key, HashMap<(LaneIndex, bool), StepIndex>>,
}

impl Lanes {
    /// A further client, in a session of its own or in that of another one.
    pub(super) fn client(&mut self, owner: Option<ClientIndex>) -> ClientIndex {
        self.clients.push(Vec::new());
        let client = self.clients.len() - 1;
        self.lane(client);
        self.owners.push(owner.unwrap_or(client));
        if let Some(owner) = owner {
            let channels = self.channels.entry(owner).or_insert_with(|| vec![owner]);
            channels.push(client);
        }
        client
    }

    /// The lanes of all clients that share a client's session.
    fn in_session(&self, client: ClientIndex) -> impl Iterator<Item = LaneIndex> + '_ {
        let channels = self.channels.get(&self.owners[client]);
        let alone = channels.is_none().then_some(client);
        let clients = channels.into_iter().flatten().copied().chain(alone);
        clients.flat_map(|client| self.clients[client].iter().copied())
    }

    fn lane(&mut self, client: ClientIndex) -> LaneIndex {
        self.lanes.push(Lane {
            client,
            last: None,
            known: HashMap::new(),
        });
        self.clients[client].push(self.lanes.len() - 1);
        self.lanes.len() - 1
    }

    /// The client whose lane this is.
    pub(super) fn client_of(&self, lane: LaneIndex) -> ClientIndex {
        self.lanes[lane].client
    }

    /// Every lane: its client, and its number within it.
    pub(super) fn all(&self) -> impl Iterator<Item = (ClientIndex, usize)> + '_ {
        self.lanes.iter().enumerate().map(|(index, lane)| {
            let place = self.clients[lane.client]
                .iter()
                .position(|&other| other == index);
            (lane.client, place.unwrap_or(0))
        })
    }

    /// Whether a client has done nothing yet but this.
    pub(super) fn has_only(&self, client: ClientIndex, verb: &str, drafts: &Drafts) -> bool {
        let last = |&lane: &LaneIndex| self.lanes[lane].last;
        let mut lasts = self.clients[client].iter().filter_map(last);
        lasts.all(|last| drafts[last].verb == verb)
    }

    /// A lane of the client with nothing in flight: `wanted` if it is free, otherwise the first, or a new one.
    pub(super) fn free(
        &mut self,
        client: ClientIndex,
        wanted: Option<LaneIndex>,
        drafts: &Drafts,
    ) -> LaneIndex {
        let is_free = |&lane: &LaneIndex| {
            let last = self.lanes[lane].last;
            last.is_none_or(|step| drafts[step].progress != Progress::Sent)
        };
        let lanes = wanted
            .into_iter()
            .chain(self.clients[client].iter().copied());
        let found = lanes.into_iter().find(is_free);
        found.unwrap_or_else(|| self.lane(client))
    }

    /// Puts a new step on its lane, and finds what it must wait for. `part` is for the further members of a compound.
    pub(super) fn put(
        &mut self,
        step: StepIndex,
        touches: &[(Key, Touch)],
        part: bool,
        drafts: &mut Drafts,
    ) {
        let lane = drafts[step].lane;
        let client = self.lanes[lane].client;
        let mut wanted: Vec<(StepIndex, Milestone)> = Vec::new();
        if !part {
            // All of the client's own, as far as it has come.
            for other in self.in_session(client).filter(|&other| other != lane) {
                if let Some(last) = self.lanes[other].last {
                    wanted.push((last, drafts[last].progress.milestone()));
                }
            }
            if let Some(&end) = self.ended.get(&client) {
                wanted.push((end, drafts[end].progress.milestone()));
            }
        }
        for &(key, touch) in touches {
            if matches!(touch, Touch::Watch | Touch::Alter) {
                let (watches, last) = (touch == Touch::Watch, self.watched.entry(key).or_default());
                for (&(of, watched), &other) in last.iter() {
                    if watched != watches && of != lane {
                        wanted.push((other, drafts[other].progress.milestone()));
                    }
                }
                last.insert((lane, watches), step);
                continue;
            }
            let before = self.touched.entry(key).or_default();
            for &(other, how) in before.iter() {
                let matters = touch == Touch::Change || how == Touch::Change;
                if matters && drafts[other].lane != lane {
                    wanted.push((other, drafts[other].progress.milestone()));
                }
            }
            if touch == Touch::Change {
                // What is done is waited for by this step, and so by all that wait for this one.
                before.retain(|&(other, _)| drafts[other].progress != Progress::Done);
            }
            before.push((step, touch));
        }
        wanted.sort_unstable_by_key(|&(other, _)| other);
        for (other, milestone) in wanted {
            self.wait(step, other, milestone, drafts);
        }
        self.lanes[lane].last = Some(step);
    }

    /// A step that ends the session of another client: it waits for what that one has done, and what that one does
    /// later waits for it.
    pub(super) fn ends(&mut self, step: StepIndex, client: ClientIndex, drafts: &mut Drafts) {
        let lanes: Vec<LaneIndex> = self.in_session(client).collect();
        for lane in lanes {
            if let Some(last) = self.lanes[lane].last {
                self.wait(step, last, drafts[last].progress.milestone(), drafts);
            }
        }
        self.ended.insert(client, step);
    }

    /// Lets `step` wait for another one, unless that is known to have come so far.
    pub(super) fn wait(
        &mut self,
        step: StepIndex,
        mut other: StepIndex,
        mut milestone: Milestone,
        drafts: &mut Drafts,
    ) {
        if milestone == Milestone::Done
            && let Some(awaiting) = drafts[other].awaited_by
        {
            // Its own end was the interim answer.
            other = awaiting;
            milestone = drafts[other].progress.milestone();
        }
        let lane = drafts[step].lane;
        let of = drafts[other].lane;
        if of == lane || other == step {
            return;
        }
        let known = self.lanes[lane].known.get(&of);
        let is_known = known.is_some_and(|&(latest, upto)| {
            latest > other || latest == other && rank(upto) >= rank(milestone)
        });
        if is_known {
            return;
        }
        self.lanes[lane].known.insert(of, (other, milestone));
        let after = &mut drafts[step].after;
        // A later step of the same lane stands for the earlier ones.
        after.retain(|&(earlier, upto)| earlier != other || rank(upto) > rank(milestone));
        after.push((other, milestone));
    }
}

fn rank(milestone: Milestone) -> u8 {
    match milestone {
        Milestone::Sent => 0,
        Milestone::Pending | Milestone::Break => 1,
        Milestone::Done => 2,
    }
}
