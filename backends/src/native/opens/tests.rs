//! What a connection remembers of its handles.

use smb_wire::LeaseState;
use smb_wire::messages::{Lease, ResponseContext};

use super::*;

const KEY: Guid = Guid([7; 16]);

fn id(volatile: u64) -> FileId {
    FileId {
        persistent: 0,
        volatile,
    }
}

fn open(opens: &mut Opens, step: u32, level: OplockLevel) {
    open_in(opens, step, level, 0);
}

fn open_in(opens: &mut Opens, step: u32, level: OplockLevel, group: u16) {
    let lease = Lease {
        lease_key: KEY,
        lease_state: LeaseState::from_bits_retain(7),
        ..Default::default()
    };
    let response = CreateResponse {
        oplock_level: level,
        file_id: id(step.into()),
        create_contexts: vec![ResponseContext::Lease(lease)],
        ..Default::default()
    };
    let home = Home {
        group,
        ..Home::default()
    };
    opens.created(StepId(step), Some(&response), home);
}

#[test]
fn a_lease_is_of_all_connections_and_all_else_of_one() {
    let mut opens = Opens::default();
    for (step, group) in [(1, 1), (2, 2)] {
        opens.lease_asked(StepId(step), KEY, group);
        open_in(&mut opens, step, OplockLevel::LEASE, group);
    }
    for (group, first) in [(1, 1), (2, 2), (3, 1)] {
        assert_eq!(opens.by_lease(KEY, group), Some(StepId(first)), "{group}");
    }
    assert_eq!(opens.handles_of(Key::Lease(KEY)).count(), 2);
    assert_eq!(opens.by_file_id(id(1), 1), Some(StepId(1)));
    assert_eq!(opens.by_file_id(id(1), 2), None);
    assert_eq!(opens.open_handles(2).count(), 1);
    for step in [1, 2] {
        opens.close_elsewhere(StepId(step), Instant::now());
    }
    opens.end_of_connection(1, true);
    assert_eq!(opens.take_to_close(1), [], "it is gone");
    assert_eq!(opens.by_lease(KEY, 1), Some(StepId(2)));
    assert!(opens.known(Key::Lease(KEY)).is_some());
    let left = opens.take_to_close(2);
    assert!(matches!(left[..], [(StepId(2), _)]), "{left:?}");
    opens.end_of_connection(2, true);
    assert_eq!(opens.by_lease(KEY, 1), None);
    assert!(opens.known(Key::Lease(KEY)).is_none());
}

#[test]
fn a_lease_belongs_to_the_first_handle_that_is_still_open() {
    let mut opens = Opens::default();
    for step in [2, 1, 3] {
        opens.lease_asked(StepId(step), KEY, 0);
        open(&mut opens, step, OplockLevel::LEASE);
    }
    assert_eq!(opens.by_lease(KEY, 0), Some(StepId(1)));
    opens.closing(StepId(1));
    assert_eq!(opens.by_lease(KEY, 0), Some(StepId(2)));
    opens.closed(StepId(1));
    opens.closing(StepId(2));
    let phase = |opens: &mut Opens| {
        let caching = opens.known(Key::Lease(KEY)).expect("the lease is known");
        caching.state.expect("it was granted").phase
    };
    assert_eq!(phase(&mut opens), Phase::Open, "one is open");
    opens.closing(StepId(3));
    assert_eq!(phase(&mut opens), Phase::Closed);
    assert_eq!(opens.by_lease(KEY, 0), Some(StepId(2)), "a break may cross");
    opens.closed(StepId(2));
    opens.closed(StepId(3));
    assert_eq!(opens.by_lease(KEY, 0), None);
    assert!(opens.known(Key::Lease(KEY)).is_none());
    assert_eq!(opens.by_lease(Guid([8; 16]), 0), None);
}

#[test]
fn handles_are_found_both_ways() {
    let mut opens = Opens::default();
    open(&mut opens, 4, OplockLevel::BATCH);
    open(&mut opens, 5, OplockLevel::NONE);
    assert_eq!(opens.file_id(StepId(4)), Some(id(4)));
    assert_eq!(opens.by_file_id(id(5), 0), Some(StepId(5)));
    assert!(opens.known(Key::Oplock(StepId(4))).is_some());
    assert!(opens.known(Key::Oplock(StepId(5))).is_none());
    opens.closed(StepId(4));
    assert_eq!(opens.file_id(StepId(4)), None);
    assert!(opens.by_file_id(id(4), 0).is_none());
    assert!(opens.known(Key::Oplock(StepId(4))).is_none());
}

#[test]
fn a_break_belongs_to_the_last_name_of_an_open() {
    let mut opens = Opens::default();
    for step in [3, 9, 5, 7] {
        let response = CreateResponse {
            oplock_level: OplockLevel::BATCH,
            file_id: id(1),
            ..Default::default()
        };
        opens.created(StepId(step), Some(&response), Home::default());
    }
    assert_eq!(opens.by_file_id(id(1), 0), Some(StepId(9)));
    opens.closing(StepId(9));
    assert_eq!(opens.by_file_id(id(1), 0), Some(StepId(7)));
}

#[test]
fn what_the_policy_closed_is_not_closed_again_but_can_be_named() {
    let mut opens = Opens::default();
    open(&mut opens, 4, OplockLevel::BATCH);
    opens.closed_by_policy(StepId(4));
    opens.closed(StepId(4));
    assert_eq!(opens.file_id(StepId(4)), Some(id(4)));
    assert_eq!(opens.open_handles(0).count(), 0);
    assert_eq!(opens.handles_of(Key::Oplock(StepId(4))).count(), 0);
    opens.closing(StepId(4));
    opens.closed(StepId(4));
    assert_eq!(opens.file_id(StepId(4)), None);
}

#[test]
fn a_create_that_fails_leaves_nothing() {
    let mut opens = Opens::default();
    opens.lease_asked(StepId(1), KEY, 0);
    opens.created(StepId(1), None, Home::default());
    assert!(opens.asked.is_empty() && opens.by_step.is_empty());
    assert_eq!(opens.key_of(StepId(1)), Key::Oplock(StepId(1)));
}
