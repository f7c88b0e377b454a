//! Wake-ups at absolute times on the monotonic clock.
//!
//! On Linux a timerfd: tokio's own timers have a granularity of a millisecond, which costs half of one at the median.
//! Elsewhere, or where no timerfd can be had, tokio's timers serve.

use std::time::{Duration, Instant};

/// The run's clock: nanoseconds since it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock {
    base: Instant,
}

impl RunClock {
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
        }
    }

    /// A moment of this clock.
    pub(crate) fn instant(&self, at: u64) -> Instant {
        self.base + Duration::from_nanos(at)
    }

    pub(crate) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// A moment on this clock; 0 for one before it was made.
    pub(crate) fn at(&self, instant: Instant) -> u64 {
        instant.saturating_duration_since(self.base).as_nanos() as u64
    }
}

/// Wakes at a time of the run's clock.
pub(crate) struct Timer {
    clock: RunClock,
    #[cfg(target_os = "linux")]
    fd: Option<linux::TimerFd>,
}

impl Timer {
    /// Must be called inside a runtime with I/O and time enabled.
    pub(crate) fn new(clock: RunClock) -> Self {
        Self {
            clock,
            #[cfg(target_os = "linux")]
            fd: match linux::TimerFd::new(clock) {
                Ok(fd) => Some(fd),
                Err(error) => {
                    tracing::warn!(%error, "no timerfd: wake-ups have a granularity of 1 ms");
                    None
                }
            },
        }
    }

    /// Returns at this time, or never without one. May be dropped and called again with another time.
    pub(crate) async fn until(&mut self, at: Option<u64>) {
        let Some(at) = at else {
            return std::future::pending().await;
        };
        #[cfg(target_os = "linux")]
        if let Some(fd) = &mut self.fd {
            match fd.until(at).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "timerfd failed: wake-ups have a granularity of 1 ms");
                    self.fd = None;
                }
            }
        }
        let left = Duration::from_nanos(at.saturating_sub(self.clock.now()));
        tokio::time::sleep(left).await;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_gettime, timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::RunClock;

    const SECOND: u64 = 1_000_000_000;

    pub(super) struct TimerFd {
        fd: AsyncFd<OwnedFd>,
        /// The run clock's zero on CLOCK_MONOTONIC, in nanoseconds.
        zero: u64,
        armed: Option<u64>,
    }

    impl TimerFd {
        pub(super) fn new(clock: RunClock) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let zero = monotonic(&fd)?.saturating_sub(clock.now());
            #[expect(
                deprecated,
                reason = "its successor is unsafe; an OwnedFd is sound with it"
            )]
            let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
            Ok(Self {
                fd,
                zero,
                armed: None,
            })
        }

        pub(super) async fn until(&mut self, at: u64) -> io::Result<()> {
            if self.armed != Some(at) {
                self.arm(at)?;
            }
            loop {
                let mut ready = self.fd.readable().await?;
                let mut expirations = [0; 8];
                let read = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut expirations)?));
                match read {
                    Ok(Ok(_)) => {
                        self.armed = None;
                        return Ok(());
                    }
                    Ok(Err(error)) => return Err(error),
                    // Readiness of an earlier setting.
                    Err(_would_block) => {}
                }
            }
        }

        fn arm(&mut self, at: u64) -> io::Result<()> {
            set(self.fd.get_ref(), self.zero.saturating_add(at))?;
            self.armed = Some(at);
            Ok(())
        }
    }

    /// The time on CLOCK_MONOTONIC in nanoseconds, as the timer itself sees it: how long it still has to a time that
    /// is known. (Reading the clock with rustix crashes under Valgrind, which hides the vDSO.)
    fn monotonic(fd: &OwnedFd) -> io::Result<u64> {
        const FAR: u64 = 1 << 60;
        set(fd, FAR)?;
        let left = timerfd_gettime(fd)?.it_value;
        let left = left.tv_sec as u64 * SECOND + left.tv_nsec as u64;
        Ok(FAR.saturating_sub(left))
    }

    /// Sets the timer to an absolute time on CLOCK_MONOTONIC, in nanoseconds.
    fn set(fd: &OwnedFd, at: u64) -> io::Result<()> {
        // Zero would disarm it.
        let at = at.clamp(1, i64::MAX as u64);
        let time = |at: u64| Timespec {
            tv_sec: (at / SECOND) as i64,
            tv_nsec: (at % SECOND) as i64,
        };
        let setting = Itimerspec {
            it_interval: time(0),
            it_value: time(at),
        };
        timerfd_settime(fd, TimerfdTimerFlags::ABSTIME, &setting)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Held loosely: that it is neither early nor waits for something else.
    #[tokio::test]
    async fn wakes_at_its_time_and_may_be_set_again() {
        let clock = RunClock::new();
        let mut timer = Timer::new(clock);
        let far = timer.until(Some(u64::MAX));
        let near = tokio::time::timeout(Duration::from_millis(20), far).await;
        assert!(near.is_err(), "the far time has not come");
        for milliseconds in [5, 0, 3] {
            let due = clock.now() + milliseconds * 1_000_000;
            let woken = tokio::time::timeout(Duration::from_secs(10), timer.until(Some(due))).await;
            assert!(woken.is_ok(), "not woken");
            assert!(clock.now() >= due, "woken early");
        }
        timer.until(Some(0)).await;
    }
}
