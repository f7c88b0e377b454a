//! What is open on a connection: which FileId a handle is, which oplock it holds, and who asked for a lease.
//!
//! A handle is known by the step that opened it, so a name that is opened again is another handle.

use std::collections::HashMap;

use replay_ir::StepId;
use smb_wire::{FileId, Guid, OplockLevel};

/// An open handle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    /// The FileId that the server gave.
    pub(super) file_id: FileId,
    /// The oplock level that it has now.
    pub(super) oplock: OplockLevel,
}

/// All open handles and leases of a connection.
#[derive(Debug, Default)]
pub(super) struct Opens {
    by_step: HashMap<StepId, Open>,
    /// The step that a break of a lease belongs to: the first that asked for it, as long as its handle is open.
    leases: HashMap<Guid, StepId>,
}

impl Opens {
    /// A CREATE with a lease has been sent.
    pub(super) fn lease_asked(&mut self, step: StepId, lease: Guid) {
        let first = self.leases.entry(lease).or_insert(step);
        if !self.by_step.contains_key(first) {
            *first = step;
        }
    }

    /// A CREATE has succeeded.
    pub(super) fn opened(&mut self, step: StepId, file_id: FileId, oplock: OplockLevel) {
        self.by_step.insert(step, Open { file_id, oplock });
    }

    /// A handle has been closed.
    pub(super) fn closed(&mut self, step: StepId) {
        self.by_step.remove(&step);
    }

    /// Nothing is open any more.
    pub(super) fn clear(&mut self) {
        self.by_step.clear();
        self.leases.clear();
    }

    /// The FileId of the handle that a step opened.
    pub(super) fn file_id(&self, step: StepId) -> Option<FileId> {
        self.by_step.get(&step).map(|open| open.file_id)
    }

    /// The handle with this FileId, and the step that opened it. Breaks alone ask for it: a search will do.
    pub(super) fn by_file_id(&mut self, file_id: FileId) -> Option<(StepId, &mut Open)> {
        let found = self
            .by_step
            .iter_mut()
            .find(|(_, open)| open.file_id == file_id);
        found.map(|(step, open)| (*step, open))
    }

    /// The step that a break of this lease belongs to.
    pub(super) fn by_lease(&self, lease: Guid) -> Option<StepId> {
        self.leases.get(&lease).copied()
    }

    /// The FileIds of all open handles.
    pub(super) fn file_ids(&self) -> impl Iterator<Item = FileId> {
        self.by_step.values().map(|open| open.file_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(volatile: u64) -> FileId {
        FileId {
            persistent: 0,
            volatile,
        }
    }

    #[test]
    fn a_lease_belongs_to_the_first_handle_that_is_still_open() {
        let (key, mut opens) = (Guid([7; 16]), Opens::default());
        opens.lease_asked(StepId(1), key);
        opens.opened(StepId(1), id(1), OplockLevel::LEASE);
        opens.lease_asked(StepId(2), key);
        assert_eq!(opens.by_lease(key), Some(StepId(1)));
        opens.closed(StepId(1));
        opens.lease_asked(StepId(3), key);
        assert_eq!(opens.by_lease(key), Some(StepId(3)));
        assert_eq!(opens.by_lease(Guid([8; 16])), None);
    }

    #[test]
    fn handles_are_found_both_ways() {
        let mut opens = Opens::default();
        opens.opened(StepId(4), id(40), OplockLevel::BATCH);
        opens.opened(StepId(5), id(50), OplockLevel::NONE);
        assert_eq!(opens.file_id(StepId(4)), Some(id(40)));
        assert_eq!(
            opens.by_file_id(id(50)).map(|(step, _)| step),
            Some(StepId(5))
        );
        opens.closed(StepId(4));
        assert_eq!(opens.file_id(StepId(4)), None);
        assert!(opens.by_file_id(id(40)).is_none());
    }
}
