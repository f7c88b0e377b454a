//! What is open on the connections of a ClientGuid: which FileId a handle is, and what the client may cache of it.
//!
//! A handle is known by the step that opened it, so a name that is opened again is another handle. It belongs to a session,
//! with all its channels (a *group*); a lease belongs to all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use replay_ir::StepId;
use smb_vocabulary::BreakLevel;
use smb_wire::fscc::ResumeKey;
use smb_wire::messages::CreateResponse;
use smb_wire::{FileId, Guid, OplockLevel};

use super::caching::{Alarm, Caching, Key, lease_state};
use super::oplock_state::{Effect, Event, OplockState, Phase};
use super::sessions::Home;

/// An open handle.
#[derive(Debug, Clone, Copy)]
struct Open {
    file_id: FileId,
    /// The lease that was asked for with it.
    lease: Option<Guid>,
    end: OpenEnd,
    /// Where it is.
    home: Home,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenEnd {
    /// It is open.
    No,
    /// A CLOSE is on its way.
    Closing,
    /// The client has closed it by its break policy; the trace may still name it.
    ByPolicy,
    /// Its tree, session or connection is gone. The trace may still name it: that is for the server to refuse.
    Gone,
}

/// The same for all who have a part in it: the connections of a ClientGuid. Locked after a connection's state, never before it,
/// and held for as long as one look takes.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedOpens(Arc<Mutex<Opens>>);

impl SharedOpens {
    /// Nothing that is done under the lock can stop half-way.
    pub(super) fn lock(&self) -> MutexGuard<'_, Opens> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All open handles of the connections, and the oplocks and leases on them.
#[derive(Debug, Default)]
pub(super) struct Opens {
    by_step: HashMap<StepId, Open>,
    /// Leases that CREATEs in flight ask for, and on whose connection.
    asked: HashMap<StepId, (Guid, u16)>,
    /// Of opens without an oplock there is none, unless the trace says what to do on a break.
    caching: HashMap<Key, Caching>,
    /// Resume keys, by the steps that asked for them.
    resume_keys: HashMap<StepId, ResumeKey>,
    /// Counts the acknowledgements that were to be sent later.
    alarms: u64,
    /// Counts the acknowledgements that steps could wait for and that are on their way no more.
    released: u64,
    /// What the break policy closes, on other connections than the one where the break came, and when it came.
    to_close: Vec<(StepId, Instant)>,
}

impl Opens {
    /// A CREATE with a lease has been sent on a connection of this group.
    pub(super) fn lease_asked(&mut self, step: StepId, lease: Guid, group: u16) {
        self.asked.insert(step, (lease, group));
    }

    /// A CREATE has been answered: with an open, or not.
    pub(super) fn created(&mut self, step: StepId, response: Option<&CreateResponse>, home: Home) {
        let lease = self.asked.remove(&step).map(|(lease, _)| lease);
        let Some(response) = response else { return };
        let (file_id, end) = (response.file_id, OpenEnd::No);
        self.by_step.insert(
            step,
            Open {
                file_id,
                lease,
                end,
                home,
            },
        );
        let granted = match (response.oplock_level, lease) {
            (OplockLevel::LEASE, Some(key)) => {
                let state = lease_state(&response.create_contexts);
                Some((Key::Lease(key), BreakLevel::Lease(state)))
            }
            (OplockLevel::NONE, _) => None,
            (level, _) => Some((Key::Oplock(step), BreakLevel::Oplock(level))),
        };
        if let Some((key, level)) = granted {
            self.caching(key).apply(Event::Granted(level));
        }
    }

    /// A CLOSE of this handle is on its way.
    pub(super) fn closing(&mut self, step: StepId) {
        self.end_of(step, OpenEnd::Closing);
    }

    /// The client closes this handle by its break policy.
    pub(super) fn closed_by_policy(&mut self, step: StepId) {
        self.end_of(step, OpenEnd::ByPolicy);
    }

    fn end_of(&mut self, step: StepId, end: OpenEnd) {
        let Some(open) = self.by_step.get_mut(&step) else {
            return;
        };
        open.end = end;
        let keys = [Some(Key::Oplock(step)), open.lease.map(Key::Lease)];
        for key in keys.into_iter().flatten() {
            let last = self.handles_of(key).next().is_none();
            if last {
                self.apply(key, Event::Closed);
            }
        }
    }

    /// A handle has been closed.
    pub(super) fn closed(&mut self, step: StepId) {
        let Some(open) = self.by_step.get(&step).copied() else {
            return;
        };
        // What the policy has closed is remembered as long as the trace may name it.
        if open.end == OpenEnd::ByPolicy {
            return;
        }
        self.by_step.remove(&step);
        self.caching.remove(&Key::Oplock(step));
        if let Some(key) = open.lease
            && !self.by_step.values().any(|other| other.lease == Some(key))
        {
            self.caching.remove(&Key::Lease(key));
        }
    }

    /// Where a handle is.
    pub(super) fn home(&self, step: StepId) -> Option<Home> {
        self.by_step.get(&step).map(|open| open.home)
    }

    /// A tree is gone, and what was open on it.
    pub(super) fn end_of_tree(&mut self, tree: Home) {
        self.gone(|open| open.home == tree);
    }

    /// The session of `home` is gone, and what was open in it: what still uses that goes to the session's next tree.
    pub(super) fn end_of_session(&mut self, home: Home) {
        self.gone(|open| {
            let there = (open.home.group, open.home.session) == (home.group, home.session);
            if there {
                open.home.tree = None;
            }
            there
        });
    }

    /// A connection of a group has ended. When it was the last one, nothing of the group is open any more; otherwise the
    /// first session lives on on the others, and what is open in it.
    pub(super) fn end_of_connection(&mut self, group: u16, last: bool) {
        self.gone(|open| {
            let there = open.home.group == group && (last || open.home.session != 0);
            if there {
                open.home.tree = None;
            }
            there
        });
        if last {
            self.asked.retain(|_, (_, asked)| *asked != group);
        }
    }

    /// The server has given a resume key to the step that asked for it.
    pub(super) fn set_resume_key(&mut self, step: StepId, key: ResumeKey) {
        self.resume_keys.insert(step, key);
    }

    /// The resume key that a step was given.
    pub(super) fn resume_key(&self, step: StepId) -> Option<ResumeKey> {
        self.resume_keys.get(&step).copied()
    }

    /// A number that changes when something may have been released that waited for an acknowledgement.
    pub(super) fn released(&self) -> u64 {
        self.released
    }

    /// Takes in what happened to what is cached under this key, if anything is.
    pub(super) fn apply(&mut self, key: Key, event: Event) {
        let Some(caching) = self.caching.get_mut(&key) else {
            return;
        };
        if caching.apply(event) == Effect::Release {
            self.released += 1;
        }
    }

    fn gone(&mut self, mut is_gone: impl FnMut(&mut Open) -> bool) {
        for open in self.by_step.values_mut() {
            if is_gone(open) {
                open.end = OpenEnd::Gone;
            }
        }
        let opens = &self.by_step;
        let there = |open: &Open| open.end != OpenEnd::Gone;
        self.to_close
            .retain(|(step, _)| opens.get(step).is_some_and(there));
        self.caching.retain(|key, caching| {
            let stays = match key {
                Key::Oplock(step) => opens.get(step).is_some_and(there),
                Key::Lease(lease) => opens
                    .values()
                    .any(|open| open.lease == Some(*lease) && there(open)),
            };
            if !stays {
                caching.disarm();
            }
            stays
        });
    }

    /// The FileId of the handle that a step opened, also of one that the break policy has closed.
    pub(super) fn file_id(&self, step: StepId) -> Option<FileId> {
        self.by_step.get(&step).map(|open| open.file_id)
    }

    /// The step that opened a group's handle with this FileId. A CREATE that was replayed gives its open a second name: then
    /// it is the last one, of those that are not being closed if there is one. Breaks alone ask for it: a search will do.
    pub(super) fn by_file_id(&self, file_id: FileId, group: u16) -> Option<StepId> {
        let opens = self.by_step.iter().filter(|(_, open)| {
            let is_it = open.file_id == file_id && open.home.group == group;
            is_it && open.end != OpenEnd::Gone
        });
        opens
            .max_by_key(|(step, open)| (open.end == OpenEnd::No, **step))
            .map(|(step, _)| *step)
    }

    /// The step that a break of this lease belongs to on a connection of this group: the first whose handle is open, or
    /// else is being closed; one of the group's own if there is one.
    pub(super) fn by_lease(&self, lease: Guid, group: u16) -> Option<StepId> {
        let opens = self
            .by_step
            .iter()
            .filter(|(_, open)| open.lease == Some(lease) && open.end != OpenEnd::Gone);
        opens
            .min_by_key(|(step, open)| {
                let closing = open.end != OpenEnd::No;
                (closing, open.home.group != group, **step)
            })
            .map(|(step, _)| *step)
    }

    /// What breaks of this handle are about.
    pub(super) fn key_of(&self, step: StepId) -> Key {
        let lease = self.by_step.get(&step).and_then(|open| open.lease);
        lease.map_or(Key::Oplock(step), Key::Lease)
    }

    /// The handles that are open under this key.
    pub(super) fn handles_of(&self, key: Key) -> impl Iterator<Item = StepId> {
        let opens = self.by_step.iter().filter(move |(step, open)| match key {
            Key::Oplock(opener) => opener == **step,
            Key::Lease(lease) => open.lease == Some(lease),
        });
        opens
            .filter(|(_, open)| open.end == OpenEnd::No)
            .map(|(step, _)| *step)
    }

    /// What is cached under this key, and what is to be done about it.
    pub(super) fn caching(&mut self, key: Key) -> &mut Caching {
        self.caching.entry(key).or_default()
    }

    /// The same, if there is anything.
    pub(super) fn known(&mut self, key: Key) -> Option<&mut Caching> {
        self.caching.get_mut(&key)
    }

    /// Where what is cached under this key stands.
    pub(super) fn state(&self, key: Key) -> Option<OplockState> {
        self.caching.get(&key)?.state
    }

    /// An acknowledgement will be sent later; its number.
    pub(super) fn set_alarm(&mut self, key: Key) -> u64 {
        self.alarms += 1;
        let number = self.alarms;
        self.caching(key).alarm = Some(Alarm { number, task: None });
        number
    }

    /// The break policy closes a handle that is not of the connection where the break came, at this time.
    pub(super) fn close_elsewhere(&mut self, step: StepId, at: Instant) {
        self.to_close.push((step, at));
    }

    /// Whether there is such a handle.
    pub(super) fn closes_elsewhere(&self) -> bool {
        !self.to_close.is_empty()
    }

    /// The handles of a group that its connection is to close, and when their breaks came.
    pub(super) fn take_to_close(&mut self, group: u16) -> Vec<(StepId, Instant)> {
        let opens = &self.by_step;
        let own = |(step, _): &mut (StepId, Instant)| {
            let open = opens.get(step);
            open.is_none_or(|open| open.home.group == group)
        };
        self.to_close.extract_if(.., own).collect()
    }

    /// The acknowledgement of this number, if it is still to be sent.
    pub(super) fn alarm(&mut self, key: Key, number: u64) -> Option<&mut Alarm> {
        let alarm = self.caching.get_mut(&key)?.alarm.as_mut();
        alarm.filter(|alarm| alarm.number == number)
    }

    /// The time of the acknowledgement of this number has come, on a connection of this group: what it says, if the break is
    /// not over, and the step that opened the handle.
    pub(super) fn due(
        &mut self,
        key: Key,
        number: u64,
        group: u16,
    ) -> Option<(BreakLevel, StepId)> {
        self.alarm(key, number)?;
        let caching = self.caching.get_mut(&key)?;
        caching.alarm = None;
        self.released += 1;
        let pending = caching
            .state
            .filter(|state| state.phase == Phase::BreakPending)?;
        let level = caching.policy.level.unwrap_or(pending.target);
        let step = match key {
            Key::Oplock(step) => Some(step),
            Key::Lease(lease) => self.by_lease(lease, group),
        };
        Some((level, step?))
    }

    /// True while what uses this handle must wait for an acknowledgement.
    pub(super) fn holds(&self, step: StepId) -> bool {
        !self.caching.is_empty()
            && self
                .caching
                .get(&self.key_of(step))
                .is_some_and(Caching::holds)
    }

    /// All handles of a group that nobody has closed, each with its place.
    pub(super) fn open_handles(&self, group: u16) -> impl Iterator<Item = (FileId, Home)> {
        let open = self.by_step.values();
        let open = open.filter(move |open| open.end == OpenEnd::No && open.home.group == group);
        open.map(|open| (open.file_id, open.home))
    }
}

#[cfg(test)]
mod tests;
