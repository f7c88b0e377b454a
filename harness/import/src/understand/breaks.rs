//! Oplock and lease breaks: that they came, and what the client did on one.

use super::draft::{Draft, Progress, StepIndex};
use super::lanes::{Key, Touch};
use super::paths::base;
use super::request::Reason;
use super::state::{Chain, InFlight, SessionIndex};
use super::unacknowledged::OpenBreak;
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::{Milestone, OwnedValue};
use smb_vocabulary::words;
use smb_wire::{FileId, Guid, LeaseFlags, LeaseState, OplockLevel, Response};

/// How long a replay waits for a break, in nanoseconds.
const WITHIN: u64 = 10_000_000_000;

/// An acknowledgement that comes later than this, in nanoseconds, was delayed on purpose.
const AT_ONCE: u64 = 200_000_000;

/// What a client does on breaks of an open, as far as the trace has said it.
#[derive(Debug, Default)]
pub(super) struct Policy {
    /// The step behind which a change of it stands: the last break; without one the step that opened.
    place: Option<StepIndex>,
    /// It is not to acknowledge at once.
    changed: bool,
}

impl World {
    /// The server has sent a break.
    pub(super) fn broken(&mut self, id: ConnectionId, time: u64, response: &Response) {
        let kinds = self.report.kinds.entry("break").or_default();
        kinds.operations += 1;
        let (open, from, to, acknowledge) = match response {
            Response::OplockBreakNotification(broken) => {
                let Some(open) = self.open_by_id(id, broken.file_id) else {
                    return self.skip("break", "of an open that is not in the trace");
                };
                let from = std::mem::replace(&mut self.opens[open].oplock, broken.oplock_level);
                let level = |level| words::OPLOCK.write(level);
                let acknowledge = from != OplockLevel::II;
                (open, level(from), level(broken.oplock_level), acknowledge)
            }
            Response::LeaseBreakNotification(broken) => {
                let Some(open) = self.holder(id, broken.lease_key) else {
                    return self.skip("break", "of a lease that no open of the trace has");
                };
                let state = |state| words::LEASE.write(state);
                let (from, to) = (broken.current_lease_state, broken.new_lease_state);
                let acknowledge = broken.flags.contains(LeaseFlags::BREAK_ACK_REQUIRED);
                (open, state(from), state(to), acknowledge)
            }
            _ => return self.skip("break", "an unsolicited message that is no break"),
        };
        if !self.opens[open].alive {
            return self.skip("break", "of an open that is being closed");
        }
        // It may come on another channel than the open's.
        let session = &mut self.sessions[self.opens[open].session];
        let channel = session.channel(id).and_then(|channel| channel.client);
        let client = channel.unwrap_or(self.opens[open].client);
        let lane = self.lanes.free(client, None, &self.drafts);
        let mut draft = Draft::new(lane, "break")
            .arg("handle", self.opens[open].name.clone())
            .arg("transition", format!("{from}->{to}"));
        draft.within = Some(WITHIN);
        let step = self.add(draft, None, &[], false);
        self.drafts[step].progress = Progress::Done;
        if acknowledge {
            self.breaks.add(OpenBreak {
                open,
                file: self.file_of(open),
                connection: id,
                step,
                time,
                asked: to,
            });
        } else {
            self.opens[open].policy.place = Some(step);
        }
    }

    /// A step works on files while breaks of their opens are not acknowledged: it was sent after those had come.
    pub(super) fn behind_breaks(&mut self, step: StepIndex, touches: &[(Key, Touch)]) {
        for &(touched, _) in touches {
            for &broken in self.breaks.of_file(touched) {
                let (lanes, drafts) = (&mut self.lanes, &mut self.drafts);
                lanes.wait(step, broken, Milestone::Done, drafts);
            }
        }
    }

    /// The file of an open, by the name that it has.
    fn file_of(&self, open: usize) -> Key {
        Key::path(base(&self.opens[open].path))
    }

    pub(super) fn oplock_acknowledged(
        &mut self,
        id: ConnectionId,
        time: u64,
        (file_id, level): (FileId, OplockLevel),
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let session = self.session_of(id, flight.session_id);
        let found = session.and_then(|session| self.by_id.get(&(session, file_id)));
        let &open = found.ok_or("of an open that is not in the trace")?;
        let as_oplock = self.opens[open].lease.is_some();
        let word = words::OPLOCK.write(level);
        self.acknowledged(id, time, open, (word, as_oplock), flight, chain)?;
        self.opens[open].oplock = level;
        Ok(())
    }

    pub(super) fn lease_acknowledged(
        &mut self,
        id: ConnectionId,
        time: u64,
        (key, state): (Guid, LeaseState),
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let waiting = |sessions: Vec<SessionIndex>| {
            self.breaks.find(|open| {
                let open = &self.opens[open];
                open.lease == Some(key) && sessions.contains(&open.session)
            })
        };
        let own = waiting(self.sessions_on(id));
        let open = own.or_else(|| waiting(self.sessions_of_client(id)));
        let open = open.or_else(|| self.holder(id, key));
        let open = open.ok_or("of a lease that no open of the trace has")?;
        let word = words::LEASE.write(state);
        self.acknowledged(id, time, open, (word, false), flight, chain)
    }

    fn acknowledged(
        &mut self,
        id: ConnectionId,
        time: u64,
        open: usize,
        (level, as_oplock): (String, bool),
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let broken = self.breaks.take(open);
        // What is acknowledged on another channel than the break came on is not the client's doing by itself.
        let other = broken.as_ref().filter(|broken| broken.connection != id);
        if let Some(broken) = other {
            self.policy(broken, "ignore", None, None);
        }
        let Some(broken) = broken.filter(|broken| broken.connection == id) else {
            // Nobody asked for it.
            if !self.opens[open].alive {
                return Err("of an open that is closed");
            }
            let open = self.own_holder(id, open);
            let open = open.ok_or("of a lease that no open of its connection has")?;
            let handle = self.opens[open].name.clone();
            let client = self.client_of(id, flight.session_id)?;
            let touches = [(self.file_of(open), Touch::Change)];
            let with = |draft: Draft| {
                draft
                    .arg("handle", handle)
                    .arg("level", level)
                    .flag("as-oplock", as_oplock)
            };
            let step = self.put(client, chain, time, "acknowledge", with, &touches);
            flight.step = Some(step);
            return Ok(());
        };
        let delay = time.saturating_sub(broken.time);
        let level = (level != broken.asked).then_some(level);
        let (action, delay) = match delay > AT_ONCE {
            true => ("ack-after", Some(delay / 1_000_000 * 1_000_000)),
            false => ("ack", None),
        };
        self.policy(&broken, action, delay, level);
        Ok(())
    }

    /// A CLOSE stands for the acknowledgement of a break of the same open.
    pub(super) fn closing(&mut self, open: usize) {
        self.opens[open].alive = false;
        self.opens[open].closed = true;
        if let Some(broken) = self.breaks.take(open) {
            self.policy(&broken, "ignore", None, None);
        }
    }

    /// Breaks to which the client did nothing.
    pub(super) fn never_acknowledged(&mut self, id: ConnectionId) {
        for broken in self.breaks.take_all(id) {
            self.policy(&broken, "ignore", None, None);
        }
    }

    /// The sessions that a connection is a channel of.
    fn sessions_on(&self, id: ConnectionId) -> Vec<SessionIndex> {
        let connection = self.connections.get(&id);
        let sessions = connection.map(|connection| connection.sessions.values().copied());
        sessions.into_iter().flatten().collect()
    }

    /// The open of a message that names no session.
    fn open_by_id(&self, id: ConnectionId, file_id: FileId) -> Option<usize> {
        let mut sessions = self.sessions_on(id).into_iter();
        sessions.find_map(|session| self.by_id.get(&(session, file_id)).copied())
    }

    /// The sessions of a connection, and of the others of its ClientGuid, which has one table of leases (MS-SMB2 3.3.1.11).
    fn sessions_of_client(&self, id: ConnectionId) -> Vec<SessionIndex> {
        let mut sessions = self.sessions_on(id);
        let own = self.connections.get(&id);
        let guid = own.map_or(Guid::default(), |own| own.client_guid);
        if guid != Guid::default() {
            let others = self.connections.iter();
            let others = others.filter(|(other, its)| **other != id && its.client_guid == guid);
            sessions.extend(others.flat_map(|(_, its)| its.sessions.values().copied()));
        }
        sessions
    }

    /// The first open with a lease, of those that breaks on a connection can be about; one of its own if there is one.
    fn holder(&mut self, id: ConnectionId, key: Guid) -> Option<usize> {
        let living = self.living();
        let of = |sessions: Vec<SessionIndex>| {
            let mut living = living.iter().copied();
            living.find(|&open| {
                let open = &self.opens[open];
                open.lease == Some(key) && sessions.contains(&open.session)
            })
        };
        of(self.sessions_on(id)).or_else(|| of(self.sessions_of_client(id)))
    }

    /// An open of a connection's own with the lease of this one.
    fn own_holder(&mut self, id: ConnectionId, open: usize) -> Option<usize> {
        if self.sessions_on(id).contains(&self.opens[open].session) {
            return Some(open);
        }
        let holder = self.holder(id, self.opens[open].lease?)?;
        let is_own = self.sessions_on(id).contains(&self.opens[holder].session);
        is_own.then_some(holder)
    }

    /// Says before the break what the client did on it, where that is not what it does anyway.
    fn policy(
        &mut self,
        broken: &OpenBreak,
        action: &'static str,
        delay: Option<u64>,
        level: Option<String>,
    ) {
        let open = &mut self.opens[broken.open];
        let usual = action == "ack" && level.is_none();
        let place = open.policy.place.unwrap_or(open.created_by);
        let say = !usual || open.policy.changed;
        open.policy.changed = !usual;
        open.policy.place = Some(broken.step);
        if !say {
            return;
        }
        let lane = self.drafts[place].lane;
        let mut draft = Draft::new(lane, "on-break")
            .arg("handle", open.name.clone())
            .arg("action", action);
        if let Some(delay) = delay {
            draft = draft.arg("delay", OwnedValue::Duration(delay));
        }
        if let Some(level) = level {
            draft = draft.arg("level", level);
        }
        draft.behind = Some(place);
        draft.progress = Progress::Done;
        self.drafts.push(draft);
    }
}
