//! Runs other programs: without input, with a bound on their time, and never left behind.
//!
//! Each gets a process group of its own, so that a time-out or Ctrl-C ends its children too.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a program that was asked to end may take: servers are stopped in this time.
const GRACE: Duration = Duration::from_secs(60);

/// The signal that was received, or 0.
#[derive(Debug, Clone)]
pub(crate) struct Interrupted(Arc<AtomicUsize>);

impl Interrupted {
    /// Listens for SIGINT and SIGTERM.
    pub(crate) fn listen() -> io::Result<Self> {
        let flag = Arc::new(AtomicUsize::new(0));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let number = usize::try_from(signal).unwrap_or(usize::MAX);
            signal_hook::flag::register_usize(signal, Arc::clone(&flag), number)?;
        }
        Ok(Self(flag))
    }

    /// True once a signal has come.
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}

/// Runs programs in one directory.
#[derive(Debug)]
pub(crate) struct Runner {
    /// The workspace.
    pub(crate) root: PathBuf,
    pub(crate) interrupted: Interrupted,
}

/// Why a program did not do its work.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It could not be started.
    Start(String, io::Error),
    /// It ended with something else than 0.
    Ended(String, ExitStatus),
    /// It took longer than it may.
    TimedOut(String, Duration),
    /// The person at the terminal ended the run.
    Interrupted,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Start(what, error) => write!(formatter, "cannot start `{what}`: {error}"),
            Trouble::Ended(what, status) => write!(formatter, "`{what}` ended with {status}"),
            Trouble::TimedOut(what, limit) => {
                write!(
                    formatter,
                    "`{what}` took longer than {} s and was ended",
                    limit.as_secs()
                )
            }
            Trouble::Interrupted => formatter.write_str("interrupted"),
        }
    }
}

impl Runner {
    /// Programs run in `root`.
    pub(crate) fn new(root: &Path, interrupted: Interrupted) -> Self {
        Self {
            root: root.to_owned(),
            interrupted,
        }
    }

    /// Cargo, the one that runs this.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.program(&cargo, arguments);
        // Cargo sets these for xtask; the cargo below must not see them.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_")
                || name == "CARGO_MANIFEST_DIR"
                || name == "CARGO_MANIFEST_PATH"
            {
                command.env_remove(name);
            }
        }
        command
    }

    /// A program from the search path.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.root)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end, its output going where ours goes.
    pub(crate) fn run(&self, command: &mut Command, limit: Duration) -> Result<(), Trouble> {
        let shown = shown(command);
        if self.interrupted.get() {
            return Err(Trouble::Interrupted);
        }
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|error| Trouble::Start(shown.clone(), error))?;
        let status = self.wait(child, &shown, limit)?;
        if status.success() {
            Ok(())
        } else {
            Err(Trouble::Ended(shown, status))
        }
    }

    /// True when it runs, ends with 0 and does so soon; its output is not shown.
    pub(crate) fn succeeds(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = self.program(program, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.run(&mut command, Duration::from_secs(20)).is_ok()
    }

    fn wait(&self, mut child: Child, shown: &str, limit: Duration) -> Result<ExitStatus, Trouble> {
        let group = Pid::from_child(&child);
        let until = Instant::now() + limit;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(Trouble::Start(shown.to_owned(), error)),
            }
            if self.interrupted.get() {
                end(&mut child, group);
                return Err(Trouble::Interrupted);
            }
            if Instant::now() >= until {
                end(&mut child, group);
                return Err(Trouble::TimedOut(shown.to_owned(), limit));
            }
            sleep(LOOK);
        }
    }
}

/// Asks the whole group to end, and ends what is left of it after a while. Cargo ends at once, but
/// the test that it ran has a server to stop.
fn end(child: &mut Child, group: Pid) {
    let _ = kill_process_group(group, Signal::TERM);
    let until = Instant::now() + GRACE;
    while Instant::now() < until && test_kill_process_group(group).is_ok() {
        let _ = child.try_wait();
        sleep(LOOK);
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner() -> Runner {
        Runner::new(Path::new("/"), Interrupted(Arc::default()))
    }

    #[test]
    fn a_program_that_takes_too_long_ends_with_its_children() {
        let directory = tempfile::tempdir().expect("a directory");
        let mark = directory.path().join("mark");
        let script = format!("(sleep 2; touch {}) & sleep 600", mark.display());
        let mut command = runner().program("sh", &["-c", &script]);
        let begin = Instant::now();
        let trouble = runner().run(&mut command, Duration::from_millis(200));
        assert!(matches!(trouble, Err(Trouble::TimedOut(..))), "{trouble:?}");
        assert!(begin.elapsed() < Duration::from_secs(30));
        sleep(Duration::from_millis(2500));
        assert!(!mark.exists(), "the child went on");
    }

    #[test]
    fn the_end_of_a_program_is_seen() {
        let run = |script| {
            runner().run(
                &mut runner().program("sh", &["-c", script]),
                Duration::from_secs(20),
            )
        };
        assert!(run("exit 0").is_ok());
        let trouble = run("exit 3").expect_err("it failed").to_string();
        assert!(
            trouble.contains("sh -c exit 3") && trouble.contains('3'),
            "{trouble}"
        );
        assert!(matches!(
            runner().run(&mut runner().program("/no/such", &[]), LOOK),
            Err(Trouble::Start(..))
        ));
    }
}
