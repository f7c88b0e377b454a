//! Counts the four times of every operation while a run goes on.
//!
//! The counts lie as in an HDR histogram of three significant digits, which is made of them at the end: adding a value
//! is then the arithmetic of its index and one increment, and keeps nothing that can be had from the counts later. The
//! room for what a run is bounded by is there, and written, before it begins, so that its memory does not grow as it
//! meets longer times.

use std::sync::atomic::Ordering;

use hdrhistogram::Histogram;

use crate::options::{FourQuantiles, Quantiles};
use crate::times::{LONGEST, Moments, OpTimes, empty};

/// Three significant digits need 2,000 steps in each power of two, rounded up to a power of two: half of them, as a
/// number of bits. (A bucket's lower half is the bucket before it.)
const HALF_BITS: u32 = 10;

/// The values that the first bucket tells apart.
const FIRST: u64 = (2 << HALF_BITS) - 1;

/// Where a value is counted.
#[inline]
fn index_of(value: u64) -> usize {
    let bucket = (value | FIRST).ilog2() - HALF_BITS;
    ((bucket as usize) << HALF_BITS) + (value >> bucket) as usize
}

/// The smallest value that is counted here.
fn value_at(index: usize) -> u64 {
    let bucket = (index >> HALF_BITS).saturating_sub(1);
    ((index - (bucket << HALF_BITS)) as u64) << bucket
}

/// Counted values; grows with the largest. A run has fewer than 2^32 steps, so that no count overflows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    counts: Vec<u32>,
}

impl Tally {
    /// With room for values up to this one.
    pub(crate) fn with_room(longest: u64) -> Self {
        let mut tally = Self::default();
        tally.make_room(index_of(longest.min(LONGEST)));
        tally
    }

    fn make_room(&mut self, index: usize) {
        // Written, not only asked for: pages that are touched later would look like a leak.
        self.counts
            .resize(((index >> HALF_BITS) + 1) << HALF_BITS, 0);
    }

    #[inline]
    pub(crate) fn record(&mut self, value: u64) {
        match self.counts.get_mut(index_of(value)) {
            Some(count) => *count += 1,
            None => self.record_larger(value),
        }
    }

    /// Counts a value for which there is no room yet. Beyond [`LONGEST`] all values are one.
    #[cold]
    fn record_larger(&mut self, value: u64) {
        let index = index_of(value.min(LONGEST));
        if index >= self.counts.len() {
            self.make_room(index);
        }
        self.counts[index] += 1;
    }

    pub(crate) fn histogram(&self) -> Histogram<u64> {
        let mut histogram = empty();
        for (index, &count) in self
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            histogram
                .record_n(value_at(index), count.into())
                .expect("histograms that resize take any time");
        }
        histogram
    }
}

/// The quantiles of several tallies together, where these lie.
fn publish(tallies: &[&Tally], to: &Quantiles) {
    let length = tallies.iter().map(|tally| tally.counts.len()).max();
    let count = |index: usize| -> u64 {
        let counts = tallies.iter().filter_map(|tally| tally.counts.get(index));
        counts.copied().map(u64::from).sum()
    };
    let counts = tallies.iter().flat_map(|tally| &tally.counts);
    let all: u64 = counts.copied().map(u64::from).sum();
    let mut wanted = [(0.5, &to.p50), (0.99, &to.p99), (0.999, &to.p99_9)]
        .into_iter()
        .map(|(quantile, place)| (((all as f64 * quantile).ceil() as u64).max(1), place))
        .peekable();
    let mut below = 0;
    for index in 0..length.unwrap_or_default() {
        below += count(index);
        while let Some((_, place)) = wanted.next_if(|(rank, _)| *rank <= below) {
            place.store(value_at(index), Ordering::Relaxed);
        }
    }
}

/// The quantiles of all these operations together.
pub(crate) fn publish_quantiles<'a>(
    tallies: impl Iterator<Item = &'a OpTally>,
    to: &FourQuantiles,
) {
    let tallies: Vec<&OpTally> = tallies.collect();
    let one = |metric: fn(&OpTally) -> &Tally, to| {
        let tallies: Vec<&Tally> = tallies.iter().map(|tally| metric(tally)).collect();
        publish(&tallies, to);
    };
    one(|tally| &tally.lag, &to.lag);
    one(|tally| &tally.fault, &to.fault);
    one(|tally| &tally.response, &to.response);
    one(|tally| &tally.service, &to.service);
}

/// [`OpTimes`] in the making.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpTally {
    lag: Tally,
    fault: Tally,
    response: Tally,
    service: Tally,
}

impl OpTally {
    /// With room for times up to this one, in nanoseconds.
    pub(crate) fn with_room(longest: u64) -> Self {
        let tally = || Tally::with_room(longest);
        Self {
            lag: tally(),
            fault: tally(),
            response: tally(),
            service: tally(),
        }
    }

    /// Nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.service.counts.iter().all(|count| *count == 0)
    }

    /// Adds one operation.
    #[inline(always)]
    pub(crate) fn record(&mut self, moments: &Moments) {
        let Moments {
            scheduled,
            eligible,
            dispatched,
            completed,
        } = *moments;
        self.lag.record(dispatched.saturating_sub(scheduled));
        self.fault.record(dispatched.saturating_sub(eligible));
        self.response.record(completed.saturating_sub(scheduled));
        self.service.record(completed.saturating_sub(dispatched));
    }

    pub(crate) fn times(&self) -> OpTimes {
        OpTimes {
            lag: self.lag.histogram(),
            fault: self.fault.histogram(),
            response: self.response.histogram(),
            service: self.service.histogram(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of all magnitudes: counted here, or recorded in a histogram, it is the same.
        #[test]
        fn a_tally_becomes_the_histogram_of_its_values(
            values in proptest::collection::vec((0..64_u32, any::<u64>()), 0..200),
        ) {
            let mut tally = Tally::default();
            let mut histogram = empty();
            for (shift, value) in values {
                let value = value >> shift;
                tally.record(value);
                histogram.record(value.min(LONGEST)).expect("it fits");
            }
            let made = tally.histogram();
            prop_assert_eq!(&made, &histogram);
            prop_assert_eq!(made.max(), histogram.max());
            prop_assert_eq!(made.min(), histogram.min());
            for quantile in [0.5, 0.95, 0.99, 0.999] {
                prop_assert_eq!(
                    made.value_at_quantile(quantile),
                    histogram.value_at_quantile(quantile)
                );
            }
            let published = Quantiles::default();
            publish(&[&tally, &tally], &published);
            if !histogram.is_empty() {
                let p99 = published.p99.load(Ordering::Relaxed);
                prop_assert_eq!(index_of(p99), index_of(histogram.value_at_quantile(0.99)));
            }
        }

        #[test]
        fn a_value_is_counted_with_those_close_to_it(value in 0..LONGEST) {
            let least = value_at(index_of(value));
            prop_assert!(least <= value && value - least <= value / 1_000);
            prop_assert_eq!(index_of(least), index_of(value));
        }
    }
}
