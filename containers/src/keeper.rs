//! The small process that outlives a server's owner and removes the server then.
//!
//! It is a shell script, since a library cannot run itself again. A server of this process's own is kept by a pipe: its
//! end tells the keeper that the owner ended, however it did. A server that a whole cargo-nextest run shares is kept for
//! as long as the runner's process is there.

use std::{
    env,
    ffi::OsString,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{ServerError, process::Owner};

const SCRIPT: &str = include_str!("keeper.sh");
/// What of the environment the keeper and what it starts may see.
const VARIABLES: [&str; 8] = [
    "PATH",
    "HOME",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "XDG_RUNTIME_DIR",
];

/// For whom a server is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeptFor<'a> {
    /// This process, until it ends or drops the [`Keeper`].
    ThisProcess,
    /// Another process.
    Process(&'a Owner),
}

/// A keeper at work.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Keeper {
    /// Starts a keeper; `arguments` and `variables` are what `keeper.sh` wants for the kind of server.
    pub(crate) fn start(
        kept_for: KeptFor<'_>,
        record: &Path,
        arguments: &[OsString],
        variables: &[(&str, OsString)],
    ) -> Result<Self, ServerError> {
        let (owner, start, input) = match kept_for {
            KeptFor::ThisProcess => (0, 0, Stdio::piped()),
            KeptFor::Process(owner) => (owner.pid, owner.start, Stdio::null()),
        };
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "smb-replay-keeper"])
            .args([owner.to_string(), start.to_string()])
            .arg(record)
            .args(arguments)
            .env_clear()
            .envs(
                VARIABLES
                    .iter()
                    .filter_map(|name| Some((*name, env::var_os(name)?))),
            )
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .current_dir("/")
            // A group of its own, so that Ctrl-C in a terminal does not reach it.
            .process_group(0)
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| ServerError::Program {
                program: "/bin/sh".into(),
                reason: error.to_string(),
            })?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Whether it works still.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Tells it that the server is removed already.
    pub(crate) fn removed(&mut self) {
        if let Some(pipe) = &mut self.pipe {
            // It may have ended by itself: then there is nobody to tell.
            let _ = pipe.write_all(b"removed\n");
        }
    }

    /// Ends it without its work, which somebody else did.
    pub(crate) async fn dismiss(mut self) {
        if self.child.kill().is_ok() {
            self.finish(Duration::from_secs(5)).await;
        }
    }

    /// Lets it remove the server and waits until it has; `false` if that took longer than `limit`.
    pub(crate) async fn finish(mut self, limit: Duration) -> bool {
        self.pipe = None;
        let end = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() >= end {
                return false;
            }
            sleep(Duration::from_millis(5)).await;
        }
        true
    }
}
