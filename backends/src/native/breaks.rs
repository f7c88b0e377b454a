//! Messages that the server sends unasked: breaks of oplocks and leases (MS-SMB2 2.2.23, 3.2.5.19).
//!
//! A break is reported with the step that opened the handle, or asked for the lease, and is acknowledged at once to
//! the level that the server asks for. A trace's own policy (`on-break`) has its place in [`acknowledge`].

use replay_engine::BreakEvent;
use smb_vocabulary::answer;
use smb_wire::messages::{
    LeaseBreakAcknowledgment, LeaseBreakNotification, OplockBreakAcknowledgment,
    OplockBreakNotification,
};
use smb_wire::{LeaseFlags, OplockLevel, Request, Response};

use super::connection::State;
use super::receive::Violation;
use super::transport::Item;

/// Takes a message with message id -1.
pub(super) fn receive(state: &mut State, message: &[u8]) -> Result<(), Violation> {
    let response = Response::decode(message);
    match response.map_err(|error| Violation::new(format!("an unsolicited message: {error}")))? {
        Response::OplockBreakNotification(notification) => oplock(state, &notification),
        Response::LeaseBreakNotification(notification) => lease(state, &notification),
        _ => return Err(Violation::new("an unsolicited message that is no break")),
    }
    Ok(())
}

fn oplock(state: &mut State, notification: &OplockBreakNotification) {
    let (file_id, to) = (notification.file_id, notification.oplock_level);
    let open = state.opens.by_file_id(file_id);
    let (opened_by, from) = match open {
        Some((step, open)) => (Some(step), std::mem::replace(&mut open.oplock, to)),
        // A handle that nobody knows has no level that could be told; the server says only what is left.
        None => (None, to),
    };
    report(
        state,
        BreakEvent {
            opened_by,
            answer: answer::oplock_break(from, to),
        },
    );
    if opened_by.is_some() && from != OplockLevel::II {
        let body = OplockBreakAcknowledgment {
            oplock_level: to,
            file_id,
        };
        acknowledge(state, Request::OplockBreak(body));
    }
}

fn lease(state: &mut State, notification: &LeaseBreakNotification) {
    let opened_by = state.opens.by_lease(notification.lease_key);
    report(
        state,
        BreakEvent {
            opened_by,
            answer: answer::lease_break(notification),
        },
    );
    if notification.flags.contains(LeaseFlags::BREAK_ACK_REQUIRED) {
        let body = LeaseBreakAcknowledgment {
            lease_key: notification.lease_key,
            lease_state: notification.new_lease_state,
            ..Default::default()
        };
        acknowledge(state, Request::LeaseBreak(body));
    }
}

/// Breaks are the connection's: its owner reports them, and the engine finds the handle by its step.
fn report(state: &State, event: BreakEvent) {
    if let Some(owner) = state.lanes.first() {
        owner.broke(event);
    }
}

/// Answers a break (MS-SMB2 3.2.5.19). What the server says to that is nobody's step; that it can refuse is normal, for
/// instance when the handle is being closed.
fn acknowledge(state: &mut State, body: Request) {
    let Some(transport) = state.transport() else {
        return;
    };
    if let Err(error) = transport.send(&[Item::own(body)]) {
        tracing::warn!(?error, "a break could not be acknowledged");
    }
}
