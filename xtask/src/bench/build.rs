//! The programs that are measured, and what they print.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::command::{Runner, Trouble};

/// Building with optimization from nothing, on a small machine.
const BUILD: Duration = Duration::from_secs(3600);
/// Making a Python environment and installing a package.
const INSTALL: Duration = Duration::from_secs(300);

/// Built with optimization.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) smb_replay: PathBuf,
    pub(super) scheduler: PathBuf,
    pub(super) one_connection: PathBuf,
}

impl Programs {
    /// Builds all of them in one go, so that what they share is built once.
    pub(super) fn build(runner: &Runner) -> Result<Self, String> {
        let mut cargo = runner.cargo(&[
            "build",
            "--release",
            "-p",
            "smb-replay",
            "-p",
            "smb-backends",
            "-p",
            "replay-engine",
            "--bin",
            "smb-replay",
            "--bench",
            "scheduler",
            "--bench",
            "one_connection",
            "--bench",
            "break_latency",
            "--message-format",
            "json-render-diagnostics",
        ]);
        let messages = output(runner, &mut cargo, BUILD)?;
        let found = |name: &str| {
            executable(&messages, name).ok_or_else(|| format!("cargo did not say where {name} is"))
        };
        Ok(Self {
            smb_replay: found("smb-replay")?,
            scheduler: found("scheduler")?,
            one_connection: found("one_connection")?,
        })
    }
}

/// Where cargo has put the program of this target.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| {
            let is_it = message["target"]["name"] == name;
            let path = message["executable"].as_str().filter(|_| is_it)?;
            Some(PathBuf::from(path))
        })
}

/// Runs it to its end and gives what it printed on its standard output.
pub(super) fn output(
    runner: &Runner,
    command: &mut Command,
    limit: Duration,
) -> Result<String, String> {
    let path = std::env::temp_dir().join(format!("smb-replay-xtask-{}", std::process::id()));
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    command.stdout(file);
    let ran = runner.run(command, limit);
    let text = std::fs::read_to_string(&path);
    let _ = std::fs::remove_file(&path);
    ran.map_err(|trouble: Trouble| trouble.to_string())?;
    text.map_err(|error| format!("{}: {error}", path.display()))
}

/// A Python with Impacket, in an environment of its own below `target`; made on first use.
pub(super) fn impacket(runner: &Runner) -> Result<PathBuf, String> {
    let folder = runner.root.join("target/smb-replay/impacket");
    let python = folder.join("bin/python");
    let has_it =
        |python: &Path| runner.succeeds(&python.to_string_lossy(), &["-c", "import impacket"]);
    if has_it(&python) {
        return Ok(python);
    }
    let folder = folder.to_string_lossy();
    let mut venv = runner.program("python3", &["-m", "venv", &folder]);
    output(runner, &mut venv, INSTALL)?;
    let mut pip = runner.program(
        &python,
        &["-m", "pip", "install", "--quiet", "impacket==0.13.1"],
    );
    output(runner, &mut pip, INSTALL)?;
    has_it(&python)
        .then_some(python)
        .ok_or_else(|| "it was installed and cannot be imported".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_path_is_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"x\"},\"executable\":null}\n\
            not json\n{\"target\":{\"name\":\"x\"},\"executable\":\"/t/x-1\"}\n";
        assert_eq!(executable(messages, "x"), Some(PathBuf::from("/t/x-1")));
        assert_eq!(executable(messages, "y"), None);
    }
}
