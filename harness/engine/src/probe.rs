//! What this machine can do just now: a thread that sleeps until the same moments as the run, at the same time, with
//! the least timer slack, and does nothing else.
//!
//! A run whose drift is as large as the probe's has met a busy machine; one whose drift is larger has a slow scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::tally::Tally;

/// The probe looks this often whether it is still needed; longer sleeps are cut.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// A probe at work.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Tally>,
}

impl Probe {
    /// Begins to sleep until each of these moments, in nanoseconds from `zero`, in order. `None` when no thread can be
    /// had.
    pub(crate) fn start(zero: Instant, moments: Vec<u64>) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || sleep_through(zero, &moments, &asked));
        match thread {
            Ok(thread) => Some(Self { stop, thread }),
            Err(error) => {
                tracing::warn!(%error, "no thread for the probe");
                None
            }
        }
    }

    /// Ends it, within [`LONGEST_SLEEP`] and a little; how late it woke each time, in nanoseconds.
    pub(crate) async fn finish(self) -> Option<Histogram<u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(|| self.thread.join());
        Some(joined.await.ok()?.ok()?.histogram())
    }
}

fn sleep_through(zero: Instant, moments: &[u64], stop: &AtomicBool) -> Tally {
    // The default of 50 µs would flatter the engine, whose timer has none.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)) {
        tracing::debug!(%error, "the probe keeps its timer slack");
    }
    let mut late = Tally::default();
    for &moment in moments {
        let due = zero + Duration::from_nanos(moment);
        loop {
            if stop.load(Ordering::Relaxed) {
                return late;
            }
            // What is left is taken anew, so that lateness does not add up.
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // A cut sleep ends well before the moment, so that the last one is a whole one.
            std::thread::sleep(if left > LONGEST_SLEEP * 2 {
                LONGEST_SLEEP
            } else {
                left
            });
        }
        late.record(Instant::now().saturating_duration_since(due).as_nanos() as u64);
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_wakes_for_every_moment_and_can_be_ended_early() {
        let moments = (1..=20).map(|count| count * 1_000_000).collect();
        let probe = Probe::start(Instant::now(), moments).expect("a thread");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let late = probe.finish().await.expect("figures");
        assert_eq!(late.len(), 20);
        let probe = Probe::start(Instant::now(), vec![1, 3_600_000_000_000]).expect("a thread");
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let late = probe.finish().await.expect("figures");
        assert_eq!(late.len(), 1);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
