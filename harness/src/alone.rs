//! Traces with time checks run alone: no other case runs meanwhile, in this process or in another
//! one of the same run (nextest gives every test a process).
//!
//! Two lock files do it. A case holds `run` shared, a timed one exclusively; `gate` is passed by
//! each on the way in, so that a timed case that waits is not overtaken forever. Locks of files
//! belong to the open file, so the same two serve threads and processes, and the kernel releases
//! them however a process ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a case waits for its turn before it gives up.
const PATIENCE: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_millis(5);

/// The right to run; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _run: File,
}

/// How a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// Beside others.
    Shared,
    /// With no other case at the same time.
    Alone,
}

/// Waits for the turn of a case. `directory` is the same for all that must not disturb each other.
pub(crate) async fn turn(directory: &Path, company: Company) -> io::Result<Turn> {
    std::fs::create_dir_all(directory)?;
    let open = |name| {
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join(name))
    };
    let (gate, run) = (open("gate.lock")?, open("run.lock")?);
    let until = Instant::now() + PATIENCE;
    acquire(until, || gate.try_lock()).await?;
    match company {
        Company::Shared => acquire(until, || run.try_lock_shared()).await?,
        Company::Alone => acquire(until, || run.try_lock()).await?,
    }
    gate.unlock()?;
    Ok(Turn { _run: run })
}

async fn acquire(until: Instant, attempt: impl Fn() -> Result<(), TryLockError>) -> io::Result<()> {
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("other cases kept running for {} s", PATIENCE.as_secs()),
                ));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_timed_case_never_has_company() {
        let directory = Arc::new(tempfile::tempdir().expect("a directory"));
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let cases = (0..24).map(|index| {
            let (directory, running, most) = (directory.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                let company = if index % 6 == 0 {
                    Company::Alone
                } else {
                    Company::Shared
                };
                let turn = turn(directory.path(), company).await.expect("a turn");
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                for _ in 0..4 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    let now = running.load(Ordering::SeqCst);
                    assert!(
                        company == Company::Shared || now == 1,
                        "{now} run with a timed case"
                    );
                }
                running.fetch_sub(1, Ordering::SeqCst);
                drop(turn);
            })
        });
        for case in cases.collect::<Vec<_>>() {
            case.await.expect("no panic");
        }
        assert!(most.load(Ordering::SeqCst) > 1, "others do run together");
    }
}
