//! Where a server's files are, for the script that makes and removes cases.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::{ServerError, docker::Container};

/// How long making or removing a case may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Where the files of a server are.
#[derive(Debug, Clone)]
pub(crate) enum Host {
    /// Out of reach.
    External,
    /// In a container.
    Docker(Container),
    /// In a folder here.
    Local(PathBuf),
}

impl Host {
    /// Runs `script` where the files are, with the folder, the file of accounts and `arguments` as its arguments and
    /// `input` on its standard input, where secrets belong. What it printed comes back.
    pub(crate) async fn run(
        &self,
        script: &str,
        arguments: &[&str],
        input: String,
    ) -> Result<String, ServerError> {
        let run = async {
            match self {
                Self::External => Ok(String::new()),
                Self::Docker(container) => container.run(script, arguments, input).await,
                Self::Local(directory) => {
                    let passwd = directory.join("passwd");
                    let mut command = Command::new("/bin/sh");
                    command
                        .args(["-c", script, "case.sh"])
                        .arg(directory)
                        .arg(passwd)
                        .args(arguments);
                    run_local(command, input).await
                }
            }
        };
        let what = || format!("to {} a case", arguments.first().unwrap_or(&"reach"));
        timeout(LIMIT, run)
            .await
            .map_err(|_| ServerError::Timeout {
                what: what(),
                limit: LIMIT,
            })?
    }
}

async fn run_local(mut command: Command, input: String) -> Result<String, ServerError> {
    let failed = |reason: String| ServerError::Program {
        program: "case.sh".into(),
        reason,
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A script that ended early says why on its standard error.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("{}: {}", output.status, said.trim())))
}
