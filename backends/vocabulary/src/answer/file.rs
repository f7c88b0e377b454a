//! Answers of CREATE, CLOSE, READ and WRITE, and what a break says.

use super::Fields;
use crate::words::{ACTION, LEASE, OPLOCK};
use bytes::Bytes;
use replay_ir::{Answer, OwnedValue};
use smb_wire::messages::{
    CloseResponse, CreateResponse, LeaseBreakNotification, ReadResponse, ResponseContext,
    WriteResponse,
};
use smb_wire::{CloseFlags, DurableFlags, LeaseFlags, LeaseState, OplockLevel};
use std::time::Duration;

/// The answer of a CREATE that succeeded.
pub fn create(response: &CreateResponse) -> Answer {
    let times = [
        response.creation_time,
        response.last_access_time,
        response.last_write_time,
        response.change_time,
    ];
    let fields = Fields::default()
        .token("oplock", OPLOCK.write(response.oplock_level))
        .token("action", ACTION.write(response.create_action))
        .int("size", response.end_of_file)
        .int("allocation", response.allocation_size)
        .attributes(response.file_attributes)
        .times(times);
    let fields = response.create_contexts.iter().fold(fields, context);
    durable(fields, &response.create_contexts).ok()
}

fn context(fields: Fields, context: &ResponseContext) -> Fields {
    let breaking = LeaseFlags::BREAK_IN_PROGRESS;
    match context {
        ResponseContext::MaximalAccess(answer) => fields
            .hex("maximal-access", answer.maximal_access.bits())
            .hex("maximal-access-status", answer.query_status),
        ResponseContext::OnDiskId(answer) => fields.hex("on-disk-id", answer.disk_file_id),
        ResponseContext::Lease(lease) => fields
            .token("lease-state", LEASE.write(lease.lease_state))
            .yes_no("lease-breaking", lease.lease_flags.contains(breaking)),
        ResponseContext::LeaseV2(lease) => fields
            .token("lease-state", LEASE.write(lease.lease_state))
            .int("lease-epoch", lease.epoch.into())
            .yes_no("lease-breaking", lease.flags.contains(breaking)),
        _ => fields,
    }
}

fn durable(fields: Fields, contexts: &[ResponseContext]) -> Fields {
    let granted = contexts.iter().find_map(|context| match context {
        ResponseContext::DurableHandleResponse => Some(("v1", None)),
        ResponseContext::DurableHandleResponseV2(answer) => {
            let persistent = answer.flags.contains(DurableFlags::PERSISTENT);
            let word = if persistent { "persistent" } else { "v2" };
            Some((word, Some(Duration::from_millis(answer.timeout.into()))))
        }
        _ => None,
    });
    match granted {
        None => fields.word("durable", "no"),
        Some((word, None)) => fields.word("durable", word),
        Some((word, Some(timeout))) => fields
            .word("durable", word)
            .duration("durable-timeout", timeout),
    }
}

/// The answer of a CLOSE that succeeded. Without SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB the message says nothing.
pub fn close(response: &CloseResponse) -> Answer {
    if !response.flags.contains(CloseFlags::POSTQUERY_ATTRIB) {
        return Fields::default().ok();
    }
    let times = [
        response.creation_time,
        response.last_access_time,
        response.last_write_time,
        response.change_time,
    ];
    Fields::default()
        .int("size", response.end_of_file)
        .int("allocation", response.allocation_size)
        .attributes(response.file_attributes)
        .times(times)
        .ok()
}

/// The answer of a READ that succeeded, with its data.
pub fn read(response: ReadResponse) -> Answer {
    read_data(response.data.into())
}

/// The answer of a READ that gave these bytes.
pub fn read_data(data: Bytes) -> Answer {
    Answer {
        data: Some(data.clone()),
        ..Fields::default().int("len", data.len() as u64).ok()
    }
}

/// The answer of a WRITE that succeeded.
pub fn write(response: &WriteResponse) -> Answer {
    Fields::default().int("len", response.count.into()).ok()
}

/// What an oplock break says: `from` is the level that the handle has, `to` the one that the server wants it to have.
/// Every break but one from level II, or of what has no oplock, waits for an acknowledgement (MS-SMB2 3.2.5.19.1).
pub fn oplock_break(from: OplockLevel, to: OplockLevel) -> Answer {
    Fields::default()
        .token(
            "transition",
            format!("{}->{}", OPLOCK.write(from), OPLOCK.write(to)),
        )
        .yes_no(
            "acknowledge",
            !matches!(from, OplockLevel::II | OplockLevel::NONE),
        )
        .ok()
}

/// What a lease break says.
pub fn lease_break(notification: &LeaseBreakNotification) -> Answer {
    let (from, to) = (
        notification.current_lease_state,
        notification.new_lease_state,
    );
    Fields::default()
        .token("transition", lease_transition(from, to))
        .yes_no(
            "acknowledge",
            notification.flags.contains(LeaseFlags::BREAK_ACK_REQUIRED),
        )
        .int("lease-epoch", notification.new_epoch.into())
        .token("lease-key", crate::lease::write_key(notification.lease_key))
        .ok()
}

fn lease_transition(from: LeaseState, to: LeaseState) -> String {
    format!("{}->{}", LEASE.write(from), LEASE.write(to))
}

impl Fields {
    fn duration(mut self, name: &'static str, duration: Duration) -> Self {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.push((name, OwnedValue::Duration(nanoseconds)));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_wire::messages::MaximalAccess;
    use smb_wire::{AccessMask, CreateAction, FileAttributes};

    fn text(answer: &Answer, name: &str) -> Option<String> {
        let value = answer.fields.iter().find(|(field, _)| *field == name)?;
        Some(match &value.1 {
            OwnedValue::Token(text) => text.clone(),
            OwnedValue::Word(word) => (*word).to_owned(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn a_create_answer_has_the_contexts_words() {
        let answer = create(&CreateResponse {
            oplock_level: OplockLevel::BATCH,
            create_action: CreateAction::CREATED,
            file_attributes: FileAttributes::ARCHIVE,
            create_contexts: vec![
                ResponseContext::MaximalAccess(MaximalAccess {
                    query_status: 0,
                    maximal_access: AccessMask::from_bits_retain(0x1f01ff),
                }),
                ResponseContext::DurableHandleResponse,
            ],
            ..CreateResponse::default()
        });
        for (name, expected) in [
            ("oplock", "batch"),
            ("action", "created"),
            ("attributes", "archive"),
            ("maximal-access", "0x1f01ff"),
            ("durable", "v1"),
            ("created", "0x0"),
        ] {
            assert_eq!(text(&answer, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_break_names_both_levels() {
        let answer = oplock_break(OplockLevel::BATCH, OplockLevel::II);
        assert_eq!(text(&answer, "transition").as_deref(), Some("batch->ii"));
        assert_eq!(text(&answer, "acknowledge").as_deref(), Some("yes"));
        let lease = lease_break(&LeaseBreakNotification {
            current_lease_state: LeaseState::from_bits_retain(7),
            new_lease_state: LeaseState::from_bits_retain(3),
            ..LeaseBreakNotification::default()
        });
        assert_eq!(text(&lease, "transition").as_deref(), Some("rwh->rh"));
        assert_eq!(text(&lease, "acknowledge").as_deref(), Some("no"));
    }

    #[test]
    fn close_says_nothing_unless_asked() {
        assert_eq!(close(&CloseResponse::default()).fields, []);
        let flags = CloseFlags::POSTQUERY_ATTRIB;
        let asked = close(&CloseResponse {
            flags,
            end_of_file: 7,
            ..CloseResponse::default()
        });
        assert_eq!(asked.fields.first(), Some(&("size", OwnedValue::Int(7))));
    }
}
