//! What the clients of a run know of each other: opens that another connection may want back, and sessions.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use replay_ir::{ClientId, StepId, Trace};
use smb_wire::{FileId, Guid};

/// Shared by all clients of a run.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// The steps whose opens some `reconnect` wants back. All others are not kept.
    wanted: HashSet<StepId>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    opens: HashMap<StepId, KnownOpen>,
    sessions: HashMap<ClientId, u64>,
}

/// An open that may be wanted back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KnownOpen {
    /// CreateGuid of the request, if it had one.
    pub(super) create_guid: Guid,
    /// The FileId that the server gave; `None` before that.
    pub(super) file_id: Option<FileId>,
}

impl Registry {
    /// An empty one for the run of this trace.
    pub(super) fn new(trace: &Trace) -> Self {
        let wanted = trace
            .steps()
            .filter(|step| step.verb().name == "reconnect")
            .filter_map(|step| step.target());
        Self {
            wanted: wanted.collect(),
            known: Mutex::default(),
        }
    }

    /// Whether some `reconnect` wants what this step opens.
    pub(super) fn wants(&self, step: StepId) -> bool {
        !self.wanted.is_empty() && self.wanted.contains(&step)
    }

    /// A CREATE with this CreateGuid has been sent.
    pub(super) fn sent(&self, step: StepId, create_guid: Guid) {
        self.lock().opens.insert(
            step,
            KnownOpen {
                create_guid,
                file_id: None,
            },
        );
    }

    /// That CREATE has succeeded.
    pub(super) fn opened(&self, step: StepId, file_id: FileId) {
        self.lock().opens.entry(step).or_default().file_id = Some(file_id);
    }

    /// What is known of the open of a step.
    pub(super) fn open(&self, step: StepId) -> Option<KnownOpen> {
        self.lock().opens.get(&step).copied()
    }

    /// A client has logged in.
    pub(super) fn logged_in(&self, client: ClientId, session_id: u64) {
        self.lock().sessions.insert(client, session_id);
    }

    /// The last session of a client.
    pub(super) fn session(&self, client: ClientId) -> Option<u64> {
        self.lock().sessions.get(&client).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
