//! LOCK: ranges of one kind as the trace's verb says them, all others by changing the request on its way.

use super::draft::{Draft, StepIndex};
use super::stale::tokens;
use super::world::World;
use replay_ir::OwnedValue;
use smb_wire::messages::{LockElement, LockRequest};
use smb_wire::{Header, LockFlags, hex};

/// Where the first SMB2_LOCK_ELEMENT is in a message, and how long each is (MS-SMB2 2.2.26).
const ELEMENTS_AT: usize = Header::SIZE + 24;
const ELEMENT: usize = 24;

/// The arguments of a request.
pub(super) fn lock(draft: Draft, request: &LockRequest) -> Draft {
    let usual = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
    let first = request.locks.first().map_or(usual, |lock| lock.flags);
    let at_once = first.contains(LockFlags::FAIL_IMMEDIATELY);
    let (draft, sent) = match first.difference(LockFlags::FAIL_IMMEDIATELY) {
        LockFlags::EXCLUSIVE_LOCK => (draft.flag("exclusive", true).flag("wait", !at_once), first),
        LockFlags::SHARED_LOCK => (draft.flag("shared", true).flag("wait", !at_once), first),
        LockFlags::UNLOCK if !at_once => (draft.flag("unlock", true), first),
        _ => (draft.flag("exclusive", true), usual),
    };
    if let [only] = &request.locks[..]
        && end(only).is_none()
        && sent == first
    {
        return draft.arg("offset", only.offset).arg("len", only.length);
    }
    let mut edits = Vec::new();
    let mut ranges = Vec::new();
    for (index, lock) in request.locks.iter().enumerate() {
        let at = ELEMENTS_AT + index * ELEMENT;
        match end(lock) {
            Some(end) => ranges.push(OwnedValue::Range {
                start: lock.offset,
                end,
            }),
            None => {
                ranges.push(OwnedValue::Range { start: 0, end: 1 });
                let place = [lock.offset.to_le_bytes(), lock.length.to_le_bytes()].concat();
                edits.push(format!("at.{at}=hex:{}", hex::encode(&place)));
            }
        }
        if lock.flags != sent {
            let flags = lock.flags.bits().to_le_bytes();
            edits.push(format!("at.{}=hex:{}", at + 16, hex::encode(&flags)));
        }
    }
    if ranges.is_empty() {
        ranges.push(OwnedValue::Range { start: 0, end: 1 });
        edits.push("body.count=0".to_owned());
    }
    let draft = draft.arg("range", OwnedValue::List(ranges));
    match edits.is_empty() {
        true => draft,
        false => draft.arg("wire", tokens(edits)),
    }
}

impl World {
    /// A request that has a LockSequence. Where one comes twice on an open, servers know the second as a replay
    /// (MS-SMB2 3.3.5.14), so that all of them matter.
    pub(super) fn numbered(&mut self, open: usize, step: StepIndex, sequence: u32) {
        let open = &mut self.opens[open];
        let edit = |sequence| format!("body.sequence={sequence:#x}");
        if open.replays {
            return self.drafts[step].edit(edit(sequence));
        }
        // A bucket holds the last number that came with its index.
        let mut latest = open.numbered.iter().rev().take(64);
        let before = latest.find(|(other, _)| other >> 4 == sequence >> 4);
        open.replays = before.is_some_and(|&(other, _)| other == sequence);
        open.numbered.push((sequence, step));
        if open.replays {
            self.clients[open.client].replays = true;
            for (sequence, step) in std::mem::take(&mut open.numbered) {
                self.drafts[step].edit(edit(sequence));
            }
        }
    }
}

fn end(lock: &LockElement) -> Option<u64> {
    lock.offset.checked_add(lock.length)
}
