//! What the clients of a run know of each other: opens that another connection may want back, sessions, and ClientGuids.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use replay_engine::ClientContext;
use replay_ir::{ClientId, StepId, Trace};
use smb_vocabulary::{client_guid_of, has_channels, is_client_guid_shared};
use smb_wire::{FileId, Guid};

use super::peers::Peers;

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
    /// By the client whose ClientGuid it is. One that no other client has is not kept.
    peers: HashMap<ClientId, Arc<Peers>>,
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
    /// That of a client's run.
    pub(super) fn of(context: &ClientContext) -> Arc<Self> {
        context.run.get_or_init(|| Self::new(&context.trace))
    }

    /// An empty one for the run of this trace.
    fn new(trace: &Trace) -> Self {
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

    /// The connections of a client's ClientGuid.
    pub(super) fn peers(&self, trace: &Trace, client: ClientId) -> Arc<Peers> {
        let owner = client_guid_of(trace, client);
        if !is_client_guid_shared(trace, owner) {
            return Arc::new(Peers::new(has_channels(trace, client)));
        }
        let mut known = self.lock();
        let peers = known.peers.entry(owner);
        peers.or_insert_with(|| Arc::new(Peers::new(true))).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
