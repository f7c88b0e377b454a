//! What a caller decides about a run, and the handles through which it watches and stops one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::copies::Copies;
use crate::target::{Identity, Target};
use crate::wire::WireLog;

/// What [`RunOptions::connect_parallel`] is by default.
pub const CONNECT_PARALLEL: usize = 32;

/// Where a run goes, and as whom.
#[derive(Debug, Clone)]
pub struct Site {
    /// The server, the share, and the directory below it.
    pub target: Target,
    /// The account for each `user=` name of the trace. A name that is missing makes the run
    /// [`Broken`](crate::Verdict::Broken).
    pub identities: BTreeMap<String, Identity>,
}

/// What decides when a step is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clock {
    /// The trace's times, multiplied: 1.0 keeps them, 0.5 runs twice as fast.
    Paced {
        /// The factor, finite and not negative; anything else counts as 1.0.
        scale: f64,
    },
    /// As fast as order and dependencies allow.
    Asap,
}

impl Default for Clock {
    fn default() -> Self {
        Clock::Paced { scale: 1.0 }
    }
}

/// How a trace is run. Every wait of a run ends with one of these bounds.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Recorded times or none.
    pub clock: Clock,
    /// The longest that a step may take from its dispatch to its answer (or to a longer `within=` of its own), and
    /// that a run in which nothing moves waits for a break.
    pub step_timeout: Duration,
    /// The longest that connecting and logging in may take.
    pub connect_timeout: Duration,
    /// How many clients connect at the same time before time 0; at least 1. More than a server's listen queue holds (50
    /// of Samba) can leave some waiting for a minute.
    pub connect_parallel: usize,
    /// How many clients begin to connect in a second before time 0, at most; as fast as they can without one. Finite
    /// and above 0, anything else counts as none.
    pub connect_rate: Option<f64>,
    /// How often the trace runs at the same time.
    pub copies: Copies,
    /// The longest that closing one client may take.
    pub close_timeout: Duration,
    /// The longest that the steps may take together.
    pub run_timeout: Option<Duration>,
    /// How many round trips are measured where a `check` is relative to them; otherwise none is.
    pub round_trips: u32,
    /// Lets a thread sleep until the same moments at the same time: [`RunReport::probe`](crate::RunReport::probe) says how
    /// late it woke. Only with the paced clock; needs 8 bytes a step.
    pub calibrate: bool,
    /// Steps may leave so much later than they are due, so that those of a short time leave with one wake-up. Zero for
    /// the least drift.
    pub coalesce: Duration,
    /// Looks at the clock without sleeping for so long before a step is due: less drift for a busy core, and other
    /// tasks of the same thread wait meanwhile. Zero for none; at most 1 ms.
    pub spin: Duration,
    /// Keep a record with its outcome's text for every step, instead of a bare one for the last few of each client.
    pub event_log: bool,
    /// Keeps every frame of every connection, where the backend can tell them.
    pub wire: Option<WireLog>,
    /// Watches the run.
    pub progress: Option<Arc<Progress>>,
    /// Ends the run early and in good order.
    pub stop: Option<Stop>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            step_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            connect_parallel: CONNECT_PARALLEL,
            connect_rate: None,
            copies: Copies::default(),
            close_timeout: Duration::from_secs(5),
            run_timeout: None,
            round_trips: 50,
            calibrate: false,
            coalesce: Duration::ZERO,
            spin: Duration::ZERO,
            event_log: false,
            wire: None,
            progress: None,
            stop: None,
        }
    }
}

/// Counters of a run in progress, for a display. Written by the driver once a turn, in no particular order.
#[derive(Debug, Default)]
pub struct Progress {
    /// Steps of the trace, of all its copies.
    pub steps_total: AtomicU64,
    /// Steps that have ended or will not run.
    pub steps_done: AtomicU64,
    /// Operations that were given to the backend, and those that it has answered.
    pub operations_issued: AtomicU64,
    /// See [`operations_issued`](Self::operations_issued).
    pub operations_completed: AtomicU64,
    /// Differences found.
    pub differences: AtomicU64,
    /// Clients that are connected before time 0, lanes not counted.
    pub clients_total: AtomicU64,
    /// How many of them are connected so far.
    pub clients_connected: AtomicU64,
    /// How late the latest dispatch was, in nanoseconds.
    pub lag: AtomicU64,
    /// Whether somebody wants the quantiles below, which cost some ten microseconds a second.
    pub wants_quantiles: AtomicBool,
    /// Of the four times so far, in nanoseconds.
    pub quantiles: FourQuantiles,
    /// Connections that ended before the run did, wanted or not, as far as they are recorded. A caller that sees it
    /// grow can ask whether the server is still alive, and [`Stop`] the run if it is not.
    pub connections_lost: AtomicU64,
}

/// Quantiles of the four times of all operations so far; see [`OpTimes`](crate::OpTimes).
#[derive(Debug, Default)]
pub struct FourQuantiles {
    /// Dispatch minus scheduled time.
    pub lag: Quantiles,
    /// The scheduler's own lateness.
    pub fault: Quantiles,
    /// Completion minus scheduled time.
    pub response: Quantiles,
    /// Completion minus dispatch.
    pub service: Quantiles,
}

/// In nanoseconds.
#[derive(Debug, Default)]
pub struct Quantiles {
    /// At 0.5.
    pub p50: AtomicU64,
    /// At 0.99.
    pub p99: AtomicU64,
    /// At 0.999.
    pub p99_9: AtomicU64,
}

/// Ends a run early: what is in flight is abandoned, every client is closed, the verdict is
/// [`Broken`](crate::Verdict::Broken).
#[derive(Debug, Clone, Default)]
pub struct Stop {
    inner: Arc<StopInner>,
}

#[derive(Debug, Default)]
struct StopInner {
    asked: AtomicBool,
    notify: Notify,
}

impl Stop {
    /// Asks once and for all.
    pub fn stop(&self) {
        self.inner.asked.store(true, Ordering::Release);
        self.inner.notify.notify_waiters();
    }

    /// True after [`stop`](Self::stop).
    pub fn is_asked(&self) -> bool {
        self.inner.asked.load(Ordering::Acquire)
    }

    /// Returns when asked.
    pub async fn asked(&self) {
        // Registered before the flag is looked at, so that a request in between is not missed.
        let notified = self.inner.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_asked() {
            notified.await;
        }
    }
}
