//! The four times of every operation, in histograms.
//!
//! All in nanoseconds with three significant digits. Only steps that go to the server are counted: operations and
//! explicit connects. A histogram starts small and grows with its largest value.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use replay_ir::model::Metric;

/// The times of one kind of operation. See [`Metric`] for what they mean.
#[derive(Debug, Clone)]
pub struct OpTimes {
    /// Dispatch minus scheduled time.
    pub lag: Histogram<u64>,
    /// Dispatch minus the moment at which nothing stood in the way any more: the scheduled time, the end of the
    /// client's previous step, and what the step waited `after`. The scheduler's own lateness.
    pub fault: Histogram<u64>,
    /// Completion minus scheduled time.
    pub response: Histogram<u64>,
    /// Completion minus dispatch.
    pub service: Histogram<u64>,
}

impl Default for OpTimes {
    fn default() -> Self {
        Self {
            lag: empty(),
            fault: empty(),
            response: empty(),
            service: empty(),
        }
    }
}

/// Three significant digits are always a valid precision.
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new(3).expect("three significant digits are in range")
}

/// A day and a half in nanoseconds: longer than any run's bound, far from the point where a histogram cannot grow any
/// more, and the last value that is counted in the same power of two.
pub(crate) const LONGEST: u64 = (1 << 47) - 1;

pub(crate) fn record(histogram: &mut Histogram<u64>, value: u64) {
    histogram
        .record(value.min(LONGEST))
        .expect("histograms that resize take any time");
}

/// The moments of one operation, in nanoseconds on the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moments {
    /// When the trace wanted it.
    pub scheduled: u64,
    /// When nothing stood in its way any more.
    pub eligible: u64,
    /// When it was handed to the backend.
    pub dispatched: u64,
    /// When its answer (an interim one where that is expected) was taken from the wire.
    pub completed: u64,
}

impl OpTimes {
    /// Adds one operation.
    pub fn record(&mut self, moments: &Moments) {
        let Moments {
            scheduled,
            eligible,
            dispatched,
            completed,
        } = *moments;
        record(&mut self.lag, dispatched.saturating_sub(scheduled));
        record(&mut self.fault, dispatched.saturating_sub(eligible));
        record(&mut self.response, completed.saturating_sub(scheduled));
        record(&mut self.service, completed.saturating_sub(dispatched));
    }

    /// The histogram of one metric.
    pub fn metric(&self, metric: Metric) -> &Histogram<u64> {
        match metric {
            Metric::Lag => &self.lag,
            Metric::Fault => &self.fault,
            Metric::Response => &self.response,
            Metric::Service => &self.service,
        }
    }

    /// How many operations were recorded.
    pub fn count(&self) -> u64 {
        self.service.len()
    }

    fn add(&mut self, other: &OpTimes) {
        for (mine, theirs) in [
            (&mut self.lag, &other.lag),
            (&mut self.fault, &other.fault),
            (&mut self.response, &other.response),
            (&mut self.service, &other.service),
        ] {
            // Both are of the same precision and grow by themselves.
            mine.add(theirs)
                .expect("histograms that resize can always be added");
        }
    }
}

/// The times of a run.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// Of all operations.
    pub total: OpTimes,
    /// Of each verb that was used.
    pub by_verb: BTreeMap<&'static str, OpTimes>,
}

impl Times {
    /// Adds the verbs up.
    pub fn from_verbs(by_verb: BTreeMap<&'static str, OpTimes>) -> Self {
        let mut total = OpTimes::default();
        for times in by_verb.values() {
            total.add(times);
        }
        Self { total, by_verb }
    }

    /// The times of one verb, or of all; `None` for a verb that was not used.
    pub fn of(&self, verb: Option<&str>) -> Option<&OpTimes> {
        match verb {
            Some(verb) => self.by_verb.get(verb),
            None => Some(&self.total),
        }
    }
}
