//! Breaks of oplocks and leases (MS-SMB2 2.2.23, 3.2.5.19): what the server says unasked, and what the client answers as
//! the trace's `on-break` has it.
//!
//! What a break means for an oplock or a lease is [`oplock_state`](super::oplock_state)'s; which handles it is about,
//! [`opens`](super::opens)'.

use std::sync::Arc;
use std::time::{Duration, Instant};

use replay_engine::{BreakEvent, Reaction};
use replay_ir::{Answer, StepId};
use smb_vocabulary::{Acknowledge, BreakAction, BreakLevel, OnBreak, answer};
use smb_wire::messages::{
    CloseRequest, LeaseBreakAcknowledgment, LeaseBreakNotification, OplockBreakAcknowledgment,
    OplockBreakNotification,
};
use smb_wire::{CloseFlags, FileId, Guid, LeaseFlags, OplockLevel, Request, Response};

use super::caching::{Key, Policy};
use super::connection::{Shared, State};
use super::item::Item;
use super::opens::Opens;
use super::oplock_state::{Effect, Event};
use super::pending::{Settles, Waiter};
use super::receive::Violation;

/// An acknowledgement that is to be sent later, and has no task yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later {
    key: Key,
    number: u64,
    delay: Duration,
    /// When the break arrived.
    since: Instant,
}

/// Takes a message with message id -1, received at `at`.
pub(super) fn receive(state: &mut State, message: &[u8], at: Instant) -> Result<(), Violation> {
    let response = Response::decode(message);
    match response.map_err(|error| Violation::new(format!("an unsolicited message: {error}")))? {
        Response::OplockBreakNotification(notification) => oplock(state, &notification, at),
        Response::LeaseBreakNotification(notification) => lease(state, &notification, at),
        _ => return Err(Violation::new("an unsolicited message that is no break")),
    }
    Ok(())
}

fn oplock(state: &mut State, notification: &OplockBreakNotification, at: Instant) {
    let to = notification.oplock_level;
    let group = state.group.number;
    let known = state.opens.lock().by_file_id(notification.file_id, group);
    let Some(step) = known else {
        // A handle that nobody knows has no level that could be told; the server says only what is left.
        report(state, None, Vec::new(), answer::oplock_break(to, to));
        return;
    };
    let key = Key::Oplock(step);
    let known = state.opens.lock().state(key);
    let from = match known.map(|state| state.level) {
        Some(BreakLevel::Oplock(level)) => level,
        _ => OplockLevel::NONE,
    };
    let broken = answer::oplock_break(from, to);
    report(state, Some(step), Vec::new(), broken);
    // MS-SMB2 3.2.5.19.1: what is level II, or nothing, is not acknowledged.
    let acknowledge = !matches!(from, OplockLevel::II | OplockLevel::NONE);
    let event = Event::Notified {
        to: BreakLevel::Oplock(to),
        acknowledge,
    };
    notified(state, key, step, event, at);
}

fn lease(state: &mut State, notification: &LeaseBreakNotification, at: Instant) {
    let key = Key::Lease(notification.lease_key);
    let opens = state.opens.lock();
    let opened_by = opens.by_lease(notification.lease_key, state.group.number);
    let others = opens.handles_of(key);
    let mut others: Vec<_> = others.filter(|other| Some(*other) != opened_by).collect();
    drop(opens);
    others.sort_unstable();
    report(state, opened_by, others, answer::lease_break(notification));
    let Some(step) = opened_by else { return };
    let event = Event::Notified {
        to: BreakLevel::Lease(notification.new_lease_state),
        acknowledge: notification.flags.contains(LeaseFlags::BREAK_ACK_REQUIRED),
    };
    notified(state, key, step, event, at);
}

/// Breaks are the connection's: its owner reports them, and the engine finds the handle by its step.
fn report(state: &State, opened_by: Option<StepId>, also: Vec<StepId>, answer: Answer) {
    if let Some(owner) = state.lanes.first() {
        owner.broke(BreakEvent {
            opened_by,
            also,
            answer,
        });
    }
}

/// Does what the policy says, if anything is owed.
fn notified(state: &mut State, key: Key, step: StepId, event: Event, at: Instant) {
    let mut opens = state.opens.lock();
    let caching = opens.caching(key);
    if caching.apply(event) != Effect::Owes {
        return;
    }
    let policy = caching.policy;
    let asked = caching.state.map(|state| state.target);
    let is_waiting = caching.alarm.is_some();
    if let (BreakAction::AcknowledgeAfter(delay), false) = (policy.action, is_waiting) {
        let number = opens.set_alarm(key);
        state.later.push(Later {
            key,
            number,
            delay: Duration::from_nanos(delay),
            since: at,
        });
    }
    drop(opens);
    match policy.action {
        BreakAction::Acknowledge => {
            if let Some(level) = policy.level.or(asked) {
                acknowledge(state, key, step, level, Some(at));
            }
        }
        // One is on its way, and will acknowledge what was asked for last.
        BreakAction::AcknowledgeAfter(_) | BreakAction::Ignore => {}
        BreakAction::Close => close(state, key, at),
    }
}

/// Answers a break (MS-SMB2 3.2.5.19). What the server says to that is no step's answer, but is told.
fn acknowledge(
    state: &mut State,
    key: Key,
    step: StepId,
    level: BreakLevel,
    since: Option<Instant>,
) {
    let (file_id, lease) = target(state, key, step);
    let group = state.group.number;
    let home = state.opens.lock().home(step);
    // The key of a lease is enough, in whatever session of the ClientGuid (MS-SMB2 3.3.5.22.2).
    let home = home.filter(|home| home.group == group).unwrap_or_default();
    let Some(transport) = state.transport() else {
        return;
    };
    let item = Item {
        waiter: Waiter::Break {
            opened_by: step,
            settles: Settles::Acknowledgement,
        },
        ..home.item(acknowledgment(level, file_id, lease))
    };
    let sent = transport.send(&[item]).map_err(|error| error.to_string());
    let reaction = match sent {
        Ok(()) => {
            let event = Event::Acknowledged(level);
            state.opens.lock().apply(key, event);
            Reaction::Answered {
                opened_by: step,
                with: format!("acknowledge {level}"),
                latency: since.map(|since| since.elapsed()),
            }
        }
        Err(reason) => Reaction::Failed {
            opened_by: step,
            with: format!("acknowledge {level}"),
            reason,
        },
    };
    react(state, reaction);
}

/// Closes all handles under the key instead of acknowledging; those of other connections are left for these to close.
fn close(state: &mut State, key: Key, at: Instant) {
    let group = state.group.number;
    let mut opens = state.opens.lock();
    let mut steps: Vec<_> = opens.handles_of(key).collect();
    steps.sort_unstable();
    let is_own = |step: &StepId| opens.home(*step).is_some_and(|home| home.group == group);
    let (own, elsewhere): (Vec<_>, Vec<_>) = steps.into_iter().partition(is_own);
    for step in elsewhere {
        opens.close_elsewhere(step, at);
    }
    drop(opens);
    own.into_iter().for_each(|step| close_one(state, step, at));
}

/// Closes what a break that came on another connection leaves for this one to close.
pub(super) fn close_own(state: &mut State) {
    let group = state.group.number;
    let steps = state.opens.lock().take_to_close(group);
    for (step, at) in steps {
        close_one(state, step, at);
    }
}

fn close_one(state: &mut State, step: StepId, at: Instant) {
    let file_id = state.opens.lock().file_id(step).unwrap_or_default();
    let home = state.opens.lock().home(step).unwrap_or_default();
    let Some(transport) = state.transport() else {
        return;
    };
    let flags = CloseFlags::empty();
    let item = Item {
        waiter: Waiter::Break {
            opened_by: step,
            settles: Settles::Close,
        },
        closes: Some(step),
        ..home.item(Request::Close(CloseRequest { flags, file_id }))
    };
    let with = "close".to_owned();
    let sent = transport.send(&[item]).map_err(|error| error.to_string());
    let reaction = match sent {
        Ok(()) => {
            state.opens.lock().closed_by_policy(step);
            Reaction::Answered {
                opened_by: step,
                with,
                latency: Some(at.elapsed()),
            }
        }
        Err(reason) => Reaction::Failed {
            opened_by: step,
            with,
            reason,
        },
    };
    react(state, reaction);
}

pub(super) fn react(state: &State, reaction: Reaction) {
    if let Some(owner) = state.lanes.first() {
        owner.reacted(reaction);
    }
}

/// What an acknowledgement under the key names.
fn target(state: &State, key: Key, step: StepId) -> (FileId, Guid) {
    let file_id = state.opens.lock().file_id(step).unwrap_or_default();
    match key {
        Key::Oplock(_) => (file_id, Guid::default()),
        Key::Lease(lease) => (file_id, lease),
    }
}

/// The message.
fn acknowledgment(level: BreakLevel, file_id: FileId, lease_key: Guid) -> Request {
    match level {
        BreakLevel::Oplock(oplock_level) => Request::OplockBreak(OplockBreakAcknowledgment {
            oplock_level,
            file_id,
        }),
        BreakLevel::Lease(lease_state) => Request::LeaseBreak(LeaseBreakAcknowledgment {
            lease_key,
            lease_state,
            ..Default::default()
        }),
    }
}

/// The message of an `acknowledge` step whose handle `step` opened.
pub(super) fn explicit(
    opens: &Opens,
    step: StepId,
    file_id: FileId,
    acknowledge: &Acknowledge<'_>,
) -> Request {
    let own = match opens.key_of(step) {
        Key::Lease(lease) => lease,
        Key::Oplock(_) => Guid::default(),
    };
    let lease = acknowledge.lease_key.unwrap_or(own);
    acknowledgment(acknowledge.level, file_id, lease)
}

impl State {
    /// An `acknowledge` step has been sent.
    pub(super) fn acknowledged(&mut self, step: StepId, acknowledge: &Acknowledge<'_>) {
        let key = match (acknowledge.level, acknowledge.lease_key) {
            (BreakLevel::Oplock(_), _) => Key::Oplock(step),
            (BreakLevel::Lease(_), Some(lease)) => Key::Lease(lease),
            (BreakLevel::Lease(_), None) => self.opens.lock().key_of(step),
        };
        let event = Event::Acknowledged(acknowledge.level);
        self.opens.lock().apply(key, event);
    }

    /// Sets what happens on a break of this handle. The error says why it cannot be.
    pub(super) fn on_break(
        &mut self,
        opened_by: Option<StepId>,
        on_break: &OnBreak<'_>,
    ) -> Result<(), String> {
        let mut opens = self.opens.lock();
        let step = opened_by
            .filter(|step| opens.file_id(*step).is_some())
            .ok_or_else(|| format!("handle `{}` is not open", on_break.handle))?;
        let key = opens.key_of(step);
        opens.caching(key).policy = Policy {
            action: on_break.action,
            level: on_break.level,
        };
        Ok(())
    }
}

impl Shared {
    /// Starts the tasks of acknowledgements that are to be sent later.
    pub(super) fn set_alarms(self: &Arc<Self>, state: &mut State) {
        for later in std::mem::take(&mut state.later) {
            let task = tokio::spawn(alarm(self.clone(), state.generation, later)).abort_handle();
            let mut opens = state.opens.lock();
            match opens.alarm(later.key, later.number) {
                Some(alarm) => alarm.task = Some(task),
                None => task.abort(),
            }
        }
    }
}

impl Later {
    /// Nobody will send it: the connection has ended before it was set.
    pub(super) fn forget(self, opens: &mut Opens) {
        if opens.alarm(self.key, self.number).is_some()
            && let Some(caching) = opens.known(self.key)
        {
            caching.disarm();
        }
    }
}

/// Acknowledges a break when its time has come, unless it is over by then: on the connection on which it arrived, or on
/// another channel of the session when that one is gone, for a lease on another connection of the ClientGuid.
async fn alarm(shared: Arc<Shared>, generation: u32, later: Later) {
    tokio::time::sleep_until((later.since + later.delay).into()).await;
    if shared.late(later, Some(generation)) {
        return;
    }
    let others = match later.key {
        Key::Oplock(_) => shared.group.others(&shared),
        Key::Lease(_) => shared.group.peers.others(&shared),
    };
    for other in others {
        if other.late(later, None) {
            return;
        }
    }
}

impl Shared {
    /// Acknowledges what is due; false when the connection, or that of `generation`, is not there.
    fn late(&self, later: Later, generation: Option<u32>) -> bool {
        let mut state = self.lock();
        if generation.is_some_and(|generation| state.generation != generation)
            || state.transport().is_none()
        {
            return false;
        }
        let released = state.opens.lock().released();
        let group = self.group.number;
        let due = state.opens.lock().due(later.key, later.number, group);
        if let Some((level, step)) = due {
            acknowledge(&mut state, later.key, step, level, None);
        }
        self.release(&mut state);
        drop(state);
        self.release_others(released);
        true
    }
}
