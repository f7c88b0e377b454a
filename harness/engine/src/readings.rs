//! How often the driver looks at the clock.
//!
//! A look costs as much as a tenth of all else that an operation costs. Submissions that leave one right after the
//! other share a look: as many as left within [`SHARED`] nanoseconds the last time, so that a moment is wrong by no
//! more than that as long as submitting takes what it took. It is too early, never too late: what it hides of the lag
//! shows in the service time.

use std::time::Instant;

use crate::timer::RunClock;

/// Submissions within this time share a moment, in nanoseconds.
const SHARED: u64 = 5_000;

/// At most so many do.
const MOST: u32 = 32;

/// The driver's looks at the clock.
pub(crate) struct Readings {
    clock: RunClock,
    now: u64,
    /// So many submissions share a look.
    share: u32,
    /// So many more may share the present one.
    left: u32,
}

impl Readings {
    pub(crate) fn new(clock: RunClock) -> Self {
        Self {
            clock,
            now: clock.now(),
            share: 1,
            left: 0,
        }
    }

    /// Looks: submissions begin.
    pub(crate) fn look(&mut self) -> Instant {
        let instant = Instant::now();
        self.now = self.clock.at(instant);
        self.left = self.share;
        instant
    }

    /// The latest look.
    pub(crate) fn last(&self) -> u64 {
        self.now
    }

    /// The moment of the next submission.
    #[inline]
    pub(crate) fn shared(&mut self) -> u64 {
        if self.left == 0 {
            let before = self.now;
            self.look();
            self.share = next_share(self.share, self.now.saturating_sub(before));
            self.left = self.share;
        }
        self.left -= 1;
        self.now
    }
}

/// How many may share the next look when so many took so long.
fn next_share(share: u32, took: u64) -> u32 {
    if took > SHARED {
        (share / 2).max(1)
    } else if took < SHARED / 2 {
        (share * 2).min(MOST)
    } else {
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_share_a_look_for_as_long_as_it_holds() {
        for each in [60, 700, 2_000, 50_000] {
            let mut share = 1;
            for _ in 0..10 {
                share = next_share(share, u64::from(share) * each);
            }
            assert!(share == 1 || u64::from(share) * each <= SHARED, "{share}");
            assert!(
                share == MOST || u64::from(share) * each >= SHARED / 4,
                "{share}"
            );
        }
    }
}
