//! What a client may cache under an oplock or a lease key, and what it does when the server takes it back.

use replay_ir::StepId;
use smb_vocabulary::{BreakAction, BreakLevel};
use smb_wire::messages::ResponseContext;
use smb_wire::{Guid, LeaseState, OplockLevel};
use tokio::task::AbortHandle;

use super::oplock_state::{Effect, Event, OplockState, Phase};

/// What breaks are about: the oplock of one open, or the lease of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Of the handle that this step opened.
    Oplock(StepId),
    /// Of this key.
    Lease(Guid),
}

/// What a client does when a break arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Policy {
    /// What.
    pub(super) action: BreakAction,
    /// What it acknowledges; `None` is what the server asks for.
    pub(super) level: Option<BreakLevel>,
}

/// An oplock or a lease with what the client does about it.
#[derive(Debug, Default)]
pub(super) struct Caching {
    /// Where it stands; `None` before anything was granted.
    pub(super) state: Option<OplockState>,
    /// What the trace says to do on a break.
    pub(super) policy: Policy,
    /// The acknowledgement that is to be sent later.
    pub(super) alarm: Option<Alarm>,
}

/// An acknowledgement that is to be sent later.
#[derive(Debug)]
pub(super) struct Alarm {
    /// Tells it from others.
    pub(super) number: u64,
    /// Ends its task.
    pub(super) task: Option<AbortHandle>,
}

impl Caching {
    /// True while an acknowledgement is on its way, so that what uses the handle waits for it.
    pub(super) fn holds(&self) -> bool {
        let pending = |state: OplockState| state.phase == Phase::BreakPending;
        self.alarm.is_some() && self.state.is_some_and(pending)
    }

    /// The acknowledgement will not be sent later.
    pub(super) fn disarm(&mut self) {
        if let Some(task) = self.alarm.take().and_then(|alarm| alarm.task) {
            task.abort();
        }
    }
}

impl Caching {
    /// Takes in what happened, and forgets about a later acknowledgement when there is nothing left to acknowledge.
    pub(super) fn apply(&mut self, event: Event) -> Effect {
        let effect = match (&mut self.state, event) {
            (Some(state), event) => state.apply(event),
            (none, Event::Granted(level)) => {
                *none = Some(OplockState::new(level));
                Effect::Nothing
            }
            // The server breaks what it has not granted: to the client that is nothing.
            (none, event @ Event::Notified { to, .. }) => {
                let nothing = match to {
                    BreakLevel::Oplock(_) => BreakLevel::Oplock(OplockLevel::NONE),
                    BreakLevel::Lease(_) => BreakLevel::Lease(LeaseState::empty()),
                };
                none.insert(OplockState::new(nothing)).apply(event)
            }
            (None, Event::Acknowledged(_) | Event::Closed) => Effect::Nothing,
        };
        if effect == Effect::Release {
            self.disarm();
        }
        effect
    }
}

/// What was granted; nothing where the server does not say.
pub(super) fn lease_state(contexts: &[ResponseContext]) -> LeaseState {
    let granted = contexts.iter().find_map(|context| match context {
        ResponseContext::Lease(lease) => Some(lease.lease_state),
        ResponseContext::LeaseV2(lease) => Some(lease.lease_state),
        _ => None,
    });
    granted.unwrap_or_default()
}
