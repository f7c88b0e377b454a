//! Oplock and lease breaks: that they came, and what the client did on one.

use super::draft::{Draft, Progress, StepIndex};
use super::lanes::{Key, Touch};
use super::request::{Reason, base};
use super::state::{Chain, InFlight};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::OwnedValue;
use smb_vocabulary::words;
use smb_wire::{FileId, Guid, LeaseFlags, LeaseState, OplockLevel, Response};

/// How long a replay waits for a break, in nanoseconds.
const WITHIN: u64 = 10_000_000_000;

/// An acknowledgement that comes later than this, in nanoseconds, was delayed on purpose.
const AT_ONCE: u64 = 200_000_000;

/// A break that has not been acknowledged.
#[derive(Debug)]
pub(super) struct OpenBreak {
    open: usize,
    step: StepIndex,
    time: u64,
    /// The level or state that the server asks for.
    asked: String,
}

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
                let Some(&open) = self.by_id.get(&(id, broken.file_id)) else {
                    return self.skip("break", "of an open that is not in the trace");
                };
                let from = std::mem::replace(&mut self.opens[open].oplock, broken.oplock_level);
                let level = |level| words::OPLOCK.write(level);
                let acknowledge = from != OplockLevel::II;
                (open, level(from), level(broken.oplock_level), acknowledge)
            }
            Response::LeaseBreakNotification(broken) => {
                let holder = self.opens.iter().position(|open| {
                    open.alive && open.connection == id && open.lease == Some(broken.lease_key)
                });
                let Some(open) = holder else {
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
        let client = self.opens[open].client;
        let lane = self.lanes.free(client, None, &self.drafts);
        let mut draft = Draft::new(lane, "break")
            .arg("handle", self.opens[open].name.clone())
            .arg("transition", format!("{from}->{to}"));
        draft.within = Some(WITHIN);
        let step = self.add(draft, None, &[], false);
        self.drafts[step].progress = Progress::Done;
        if acknowledge && let Some(connection) = self.connections.get_mut(&id) {
            connection.breaks.push(OpenBreak {
                open,
                step,
                time,
                asked: to,
            });
        } else {
            self.opens[open].policy.place = Some(step);
        }
    }

    pub(super) fn oplock_acknowledged(
        &mut self,
        id: ConnectionId,
        time: u64,
        (file_id, level): (FileId, OplockLevel),
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let Some(&open) = self.by_id.get(&(id, file_id)) else {
            return Err("of an open that is not in the trace");
        };
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
        let waiting = self.connections.get(&id).and_then(|connection| {
            let mut breaks = connection.breaks.iter().map(|broken| broken.open);
            breaks.find(|&open| self.opens[open].lease == Some(key))
        });
        let holder = || {
            self.opens
                .iter()
                .position(|open| open.alive && open.connection == id && open.lease == Some(key))
        };
        let open = waiting.or_else(holder);
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
        let Some(broken) = self.take_break(id, open) else {
            // Nobody asked for it.
            if !self.opens[open].alive {
                return Err("of an open that is closed");
            }
            let handle = self.opens[open].name.clone();
            let client = self.opens[open].client;
            let touches = [(Key::path(base(&self.opens[open].path)), Touch::Change)];
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
    pub(super) fn closing(&mut self, id: ConnectionId, open: usize) {
        self.opens[open].alive = false;
        if let Some(broken) = self.take_break(id, open) {
            self.policy(&broken, "ignore", None, None);
        }
    }

    /// Breaks to which the client did nothing.
    pub(super) fn never_acknowledged(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        for broken in std::mem::take(&mut connection.breaks) {
            self.policy(&broken, "ignore", None, None);
        }
    }

    fn take_break(&mut self, id: ConnectionId, open: usize) -> Option<OpenBreak> {
        let breaks = &mut self.connections.get_mut(&id)?.breaks;
        let at = breaks.iter().position(|broken| broken.open == open)?;
        Some(breaks.remove(at))
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
