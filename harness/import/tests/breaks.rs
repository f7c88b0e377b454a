//! Breaks that a capture shows: who waits for them, and whose they are where several connections have one ClientGuid.

mod common;
#[path = "common/traces.rs"]
mod traces;

use common::{Exchanges, id};
use replay_import::{CaptureImport, Naming};
use smb_wire::crypto::ntlm::name_only;
use smb_wire::messages::*;
use smb_wire::*;
use traces::{import_packets, let_in, lines, packets};

const CLIENT: Guid = Guid([7; 16]);
const KEY: Guid = Guid([9; 16]);

/// The trace of connections whose frames came in this order: whose, and how many.
fn interleaved(connections: &[Exchanges], order: &[(usize, usize)]) -> (String, CaptureImport) {
    // A connection begins with three packets, and each frame is one and its acknowledgement.
    let mut left = packets(connections);
    let mut all: Vec<Vec<u8>> = left.iter_mut().flat_map(|own| own.drain(..3)).collect();
    for &(connection, frames) in order {
        all.extend(left[connection].drain(..2 * frames));
    }
    assert!(left.iter().all(|own| own.len() == 4), "frames are left");
    all.extend(left.concat());
    import_packets(all, Naming::default())
}

/// A user who has connected a share: six frames.
fn connected(user: &str) -> Exchanges {
    let mut all = let_in(user);
    all.tree(r"\\server\share");
    all
}

fn open(all: &mut Exchanges, name: &str, asked: OplockLevel, granted: OplockLevel) {
    all.ok(
        Request::Create(CreateRequest {
            name: name.into(),
            create_disposition: CreateDisposition::OPEN,
            requested_oplock_level: asked,
            ..CreateRequest::default()
        }),
        Response::Create(CreateResponse {
            file_id: id(1),
            oplock_level: granted,
            create_action: CreateAction::OPENED,
            ..CreateResponse::default()
        }),
    );
}

/// The step of a client that has `what` in it, and the label in front of it.
fn step<'a>(text: &'a str, what: &str) -> (&'a str, &'a str) {
    let line = text.lines().find(|line| line.contains(what));
    let line = line.unwrap_or_else(|| panic!("{what} in\n{text}"));
    line.split_once(": ").unwrap_or(("", line))
}

#[test]
fn who_works_on_a_file_behind_a_break_waits_for_the_break() {
    let (batch, none) = (OplockLevel::BATCH, OplockLevel::NONE);
    let mut all = ["alice", "bob", "carol", "dave"].map(connected);
    open(&mut all[0], "file", batch, batch);
    all[0].unasked(&Response::OplockBreakNotification(
        OplockBreakNotification {
            file_id: id(1),
            oplock_level: OplockLevel::II,
        },
    ));
    let (file_id, oplock_level) = (id(1), OplockLevel::II);
    all[0].ok(
        Request::OplockBreak(OplockBreakAcknowledgment {
            file_id,
            oplock_level,
        }),
        Response::OplockBreak(OplockBreakResponse {
            file_id,
            oplock_level,
        }),
    );
    open(&mut all[1], "file", none, none);
    open(&mut all[2], "FILE", none, none);
    open(&mut all[3], "other", none, none);
    // Bob's CREATE breaks Alice's oplock; before she acknowledges, Carol and Dave open something.
    let order = [(0, 6), (1, 6), (2, 6), (3, 6), (0, 2), (1, 1), (0, 1)];
    let order = [&order[..], &[(2, 2), (3, 2), (0, 2), (1, 1)]].concat();
    let (text, report) = interleaved(&all, &order);
    let (label, _) = step(&text, "A break h1 transition=batch->ii");
    assert!(!label.is_empty(), "{text}");
    let waits = |what: &str| {
        let (_, step) = step(&text, what);
        let after = step.split_once("after=").map_or("", |(_, after)| after);
        after.split(',').any(|other| other == label)
    };
    assert!(waits("C create"), "{text}");
    assert!(!waits("B create") && !waits("D create"), "{text}");
    assert_eq!(report.import.skipped(), 0, "{report}");
}

/// Leases belong to a ClientGuid (MS-SMB2 3.3.1.11): a break comes on one of its connections, whichever has opened the file.
#[test]
fn connections_with_one_client_guid_share_their_leases() {
    let connected = |guid, user: &str| {
        let mut all = Exchanges::new();
        all.negotiate_as(guid);
        all.log_in(&name_only(user));
        all.tree(r"\\server\share");
        all
    };
    let lease = |lease_state| Lease {
        lease_key: KEY,
        lease_state,
        ..Lease::default()
    };
    let (rh, rwh) = (
        LeaseState::READ_CACHING | LeaseState::HANDLE_CACHING,
        LeaseState::READ_CACHING | LeaseState::HANDLE_CACHING | LeaseState::WRITE_CACHING,
    );
    let mut all = [
        connected(CLIENT, "alice"),
        connected(CLIENT, "bob"),
        connected(Guid([8; 16]), "carol"),
    ];
    all[0].ok(
        Request::Create(CreateRequest {
            name: "file".into(),
            create_disposition: CreateDisposition::OPEN,
            requested_oplock_level: OplockLevel::LEASE,
            create_contexts: vec![RequestContext::Lease(lease(rwh))],
            ..CreateRequest::default()
        }),
        Response::Create(CreateResponse {
            file_id: id(1),
            oplock_level: OplockLevel::LEASE,
            create_action: CreateAction::OPENED,
            create_contexts: vec![ResponseContext::Lease(lease(rwh))],
            ..CreateResponse::default()
        }),
    );
    let none = OplockLevel::NONE;
    open(&mut all[1], "other", none, none);
    open(&mut all[2], "file", none, none);
    all[1].unasked(&Response::LeaseBreakNotification(LeaseBreakNotification {
        flags: LeaseFlags::BREAK_ACK_REQUIRED,
        lease_key: KEY,
        current_lease_state: rwh,
        new_lease_state: rh,
        ..LeaseBreakNotification::default()
    }));
    all[1].ok(
        Request::LeaseBreak(LeaseBreakAcknowledgment {
            lease_key: KEY,
            lease_state: rh,
            ..LeaseBreakAcknowledgment::default()
        }),
        Response::LeaseBreak(LeaseBreakResponse {
            lease_key: KEY,
            lease_state: rh,
            ..LeaseBreakResponse::default()
        }),
    );
    let order = [(0, 8), (1, 8), (2, 7), (1, 3), (2, 1)];
    let (text, report) = interleaved(&all, &order);
    assert_eq!(
        lines(&text, "client "),
        [
            "client A user=alice dialect=3.1.1",
            "client B user=bob client-guid=A dialect=3.1.1",
            "client C user=carol dialect=3.1.1"
        ]
    );
    step(&text, "A break h1 transition=rwh->rh");
    assert_eq!(report.import.skipped(), 0, "{report}");
}
