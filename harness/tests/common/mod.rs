//! The program as a process, and what a test does where there is no server.

#![allow(dead_code, reason = "each test uses some of it")]

#[cfg(feature = "ad")]
pub(crate) mod domain;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// How the program ends when no server can be had.
pub(crate) const NO_SERVER: i32 = 3;

/// The program in a folder, without input.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smb-replay"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG");
    command
}

/// Runs the program in a folder.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("it runs")
}

/// What it printed, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a test without a server fails: `SMB_REPLAY_REQUIRE` or `CI` is set.
pub(crate) fn is_required() -> bool {
    let is_set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    is_set("SMB_REPLAY_REQUIRE") || is_set("CI")
}

/// True when there is no server and none is required; says so.
pub(crate) fn is_without_server(output: &Output) -> bool {
    if output.status.code() != Some(NO_SERVER) {
        return false;
    }
    let message = text(&output.stdout) + &text(&output.stderr);
    assert!(!is_required(), "a server is required: {message}");
    eprintln!("not tested: {message}");
    true
}
