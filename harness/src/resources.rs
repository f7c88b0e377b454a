//! What a run of many clients takes of this process: memory, descriptors and tasks, sampled while it goes on, with the
//! slope of the memory. Told from `/proc`, so on Linux alone.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use replay_engine::Progress;
use serde::Serialize;
use tokio::task::JoinHandle;

/// How often is looked; a long run is looked at less often as it goes on, see [`KEPT`].
const EVERY: Duration = Duration::from_secs(2);
/// So many samples are kept; when there are more, every second one goes, and looks come half as often.
const KEPT: usize = 1024;

/// One look.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Sample {
    /// Seconds since the replay began, its set-up included.
    pub(crate) at_s: f64,
    pub(crate) resident_kib: u64,
    /// Of the resident memory what is of no file: heap and stacks. Pages of the program itself come as they are first
    /// used, which is no leak.
    pub(crate) anonymous_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) tasks: u64,
}

/// What was seen.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Resources {
    /// Before the first client was made, and after the last was closed.
    pub(crate) before: Sample,
    pub(crate) after: Sample,
    /// The first and the last look while steps went on.
    pub(crate) first: Sample,
    pub(crate) last: Sample,
    /// How many looks there were while steps went on.
    pub(crate) samples: usize,
    /// The line through the anonymous memory of these looks by least squares, in KiB a second, without those of the
    /// first quarter of their time, in which what steps need is used for the first time; none with fewer than 3 left.
    pub(crate) slope_kib_per_s: Option<f64>,
    /// The most memory that the process has had.
    pub(crate) peak_kib: u64,
    /// User and system time of the process.
    pub(crate) cpu_s: f64,
}

/// Looks while a run goes on.
pub(crate) struct Watch {
    began: Instant,
    before: Sample,
    seen: Arc<Mutex<Vec<Sample>>>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Begins to look. Must be called inside the runtime whose tasks are counted.
    pub(crate) fn start(progress: Arc<Progress>) -> Self {
        let began = Instant::now();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        Self {
            began,
            before: look(began),
            seen,
            task: tokio::spawn(async move {
                let mut every = EVERY;
                loop {
                    tokio::time::sleep(every).await;
                    if is_at_work(&progress) {
                        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        kept.push(look(began));
                        if kept.len() > KEPT {
                            let mut odd = false;
                            kept.retain(|_| {
                                odd = !odd;
                                odd
                            });
                            every *= 2;
                        }
                    }
                }
            }),
        }
    }

    /// Ends it, after the last client was closed.
    pub(crate) async fn finish(self) -> Resources {
        self.task.abort();
        let _ = self.task.await;
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        Resources {
            before: self.before,
            after: look(self.began),
            first: seen.first().copied().unwrap_or_default(),
            last: seen.last().copied().unwrap_or_default(),
            samples: seen.len(),
            slope_kib_per_s: slope(&seen),
            peak_kib: status("VmHWM:").unwrap_or(0),
            cpu_s: cpu_seconds(),
        }
    }
}

/// All clients that connect at first are there, and steps go on.
fn is_at_work(progress: &Progress) -> bool {
    let (issued, done) = (
        progress.operations_issued.load(Relaxed),
        progress.steps_done.load(Relaxed),
    );
    issued > 0 && done < progress.steps_total.load(Relaxed)
}

fn look(began: Instant) -> Sample {
    Sample {
        at_s: began.elapsed().as_secs_f64(),
        resident_kib: resident_kib().unwrap_or(0),
        anonymous_kib: status("RssAnon:").unwrap_or(0),
        // Looking takes one itself.
        descriptors: std::fs::read_dir("/proc/self/fd")
            .map_or(0, |entries| entries.count().saturating_sub(1) as u64),
        tasks: tokio::runtime::Handle::try_current()
            .map_or(0, |handle| handle.metrics().num_alive_tasks() as u64),
    }
}

/// The resident memory of this process; `None` where there is no /proc.
pub(crate) fn resident_kib() -> Option<u64> {
    status("VmRSS:")
}

/// A figure in KiB of /proc/self/status (proc(5)).
fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time, from /proc/self/stat (proc(5)), whose ticks are hundredths of a second.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name.split(' ').skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// Of the line through the samples' memory, by least squares, from the end of the first quarter of their time on.
fn slope(samples: &[Sample]) -> Option<f64> {
    let (first, last) = (samples.first()?.at_s, samples.last()?.at_s);
    let from = first + (last - first) / 4.0;
    let samples = &samples[samples.partition_point(|sample| sample.at_s < from)..];
    if samples.len() < 3 {
        return None;
    }
    let count = samples.len() as f64;
    let mean = |value: fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let (time, memory) = (
        mean(|sample| sample.at_s),
        mean(|sample| sample.anonymous_kib as f64),
    );
    let (mut both, mut square) = (0.0, 0.0);
    for sample in samples {
        let from = sample.at_s - time;
        both += from * (sample.anonymous_kib as f64 - memory);
        square += from * from;
    }
    (square > 0.0).then(|| both / square)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u64, memory: fn(u64) -> u64) -> Vec<Sample> {
        let sample = |at| Sample {
            at_s: at as f64,
            anonymous_kib: memory(at),
            ..Sample::default()
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn the_slope_is_that_of_the_line() {
        let found = slope(&samples(10, |at| 1000 + 3 * at)).expect("enough samples");
        assert!((found - 3.0).abs() < 1e-9, "{found}");
        assert_eq!(slope(&samples(3, |at| at)), None);
        assert_eq!(slope(&[]), None);
    }

    #[test]
    fn what_is_used_for_the_first_time_is_no_slope() {
        let warm = slope(&samples(40, |at| 1000 + 50 * at.min(9)));
        assert_eq!(warm, Some(0.0));
        let leak = slope(&samples(40, |at| 1000 + 50 * at.min(9) + at / 10));
        assert!(leak > Some(0.08), "{leak:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_the_process_has_is_seen() {
        let watch = Watch::start(Arc::default());
        let opened = std::fs::File::open("/proc/self/stat").expect("it is there");
        let seen = watch.finish().await;
        drop(opened);
        assert!(seen.before.resident_kib > 100 && seen.peak_kib >= seen.before.resident_kib);
        assert!(seen.after.descriptors > 2, "{seen:?}");
        assert_eq!(seen.samples, 0);
    }
}
