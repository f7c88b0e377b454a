//! What went over the wire, kept as evidence for a run that fails.
//!
//! A run that wants it hands a [`WireLog`] to the engine in its options; a backend finds it through its
//! [`Events`](crate::Events) and writes every frame there, as it is to be read by a person: decrypted, and without what a password could be guessed from.
//! The log is bounded: when it is full the oldest frames go, while it stays known which connections there were. Without a log a backend pays for one look at an option.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use replay_ir::{ClientId, StepId};

/// What an entry costs beside its bytes.
const ENTRY: usize = 160;

/// The frames of all connections of a run. Cheap to clone; all clones are the same log.
#[derive(Clone)]
pub struct WireLog {
    inner: Arc<Inner>,
}

struct Inner {
    limit: usize,
    /// The same moment on both clocks.
    began: (Instant, SystemTime),
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The beginnings of connections, which stay.
    openings: Vec<WireEntry>,
    size: usize,
    dropped: u64,
    entries: VecDeque<WireEntry>,
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub struct WireEntry {
    /// Which of the run's connections, counted from 0.
    pub connection: u32,
    /// When.
    pub at: Instant,
    /// What.
    pub event: WireEvent,
}

/// What happened on a connection.
#[derive(Debug, Clone)]
pub enum WireEvent {
    /// It was opened.
    Opened {
        /// The client that owns it.
        client: ClientId,
        /// The client's end.
        local: SocketAddr,
        /// The server's end.
        remote: SocketAddr,
    },
    /// A frame went to the server, or to be so, if the connection failed meanwhile.
    Sent(WireFrame),
    /// A frame came from the server.
    Received(WireFrame),
    /// It ended, and how.
    Ended {
        /// By the server or the network, and not by the client.
        by_server: bool,
        /// For a person.
        reason: String,
    },
}

/// A frame without its length prefix.
#[derive(Debug, Clone)]
pub struct WireFrame {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Of a frame that was sent: the steps whose requests are in it, in order; `None` for what the client asks on its
    /// own account.
    pub steps: Vec<Option<StepId>>,
    /// What a reader must know of it, for instance that it was encrypted.
    pub note: Option<String>,
}

impl WireLog {
    /// An empty log that keeps at most `limit` bytes, and at least the latest frame.
    pub fn new(limit: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                limit,
                began: (Instant::now(), SystemTime::now()),
                state: Mutex::default(),
            }),
        }
    }

    /// A connection has been opened; its number in the log.
    pub fn opened(&self, client: ClientId, local: SocketAddr, remote: SocketAddr) -> u32 {
        let mut state = self.lock();
        let connection = u32::try_from(state.openings.len()).unwrap_or(u32::MAX);
        state.openings.push(WireEntry {
            connection,
            at: Instant::now(),
            event: WireEvent::Opened {
                client,
                local,
                remote,
            },
        });
        connection
    }

    /// Adds an entry, now.
    pub fn push(&self, connection: u32, event: WireEvent) {
        let entry = WireEntry {
            connection,
            at: Instant::now(),
            event,
        };
        let mut state = self.lock();
        state.size += size(&entry);
        state.entries.push_back(entry);
        while state.size > self.inner.limit && state.entries.len() > 1 {
            if let Some(oldest) = state.entries.pop_front() {
                state.size -= size(&oldest);
                state.dropped += 1;
            }
        }
    }

    /// Everything that it holds, oldest first.
    pub fn entries(&self) -> Vec<WireEntry> {
        let state = self.lock();
        let all = state.openings.iter().chain(&state.entries);
        let mut all: Vec<WireEntry> = all.cloned().collect();
        all.sort_by_key(|entry| entry.at);
        all
    }

    /// How many entries were dropped because it was full.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// A moment as the time since 1970.
    pub fn since_1970(&self, at: Instant) -> Duration {
        let (instant, time) = self.inner.began;
        let began = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        match at.checked_duration_since(instant) {
            Some(later) => began + later,
            None => began.saturating_sub(instant.duration_since(at)),
        }
    }

    /// An entry is one push: a panic elsewhere cannot have left the log half changed, so poison is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(entry: &WireEntry) -> usize {
    let content = match &entry.event {
        WireEvent::Sent(frame) | WireEvent::Received(frame) => frame.bytes.len(),
        WireEvent::Opened { .. } => 0,
        WireEvent::Ended { reason, .. } => reason.len(),
    };
    content + ENTRY
}

impl fmt::Debug for WireLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("WireLog")
            .field("entries", &state.entries.len())
            .field("bytes", &state.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> WireEvent {
        WireEvent::Sent(WireFrame {
            bytes: vec![7; length],
            steps: Vec::new(),
            note: None,
        })
    }

    fn lengths(log: &WireLog) -> Vec<usize> {
        let length = |entry: WireEntry| match entry.event {
            WireEvent::Sent(frame) => frame.bytes.len(),
            _ => 0,
        };
        log.entries().into_iter().map(length).collect()
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let log = WireLog::new(3 * ENTRY + 100);
        for length in [50, 60, 30] {
            log.push(0, frame(length));
        }
        assert_eq!((lengths(&log), log.dropped()), (vec![60, 30], 1));
        log.push(0, frame(100_000));
        assert_eq!((lengths(&log), log.dropped()), (vec![100_000], 3));
    }

    #[test]
    fn connections_are_numbered_and_times_follow_the_clock() {
        let log = WireLog::new(1000);
        let address = SocketAddr::from(([127, 0, 0, 1], 4000));
        let client = ClientId(0);
        assert_eq!(log.opened(client, address, address), 0);
        assert_eq!(log.opened(client, address, address), 1);
        let at = log.entries()[0].at;
        let later = log.since_1970(at + Duration::from_secs(2));
        assert_eq!(later - log.since_1970(at), Duration::from_secs(2));
    }
}
