//! What the macros emit calls to. Not for use by hand; `#[suite]` and `#[replay]` are.
//!
//! The description of a suite is a constant in the test binary; the work is done by the runner.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use samba_servers::{ServerError, ServerSpec};

use crate::case::Case;
use crate::runner;
use crate::verdict::Verdict;

/// A suite as its attribute describes it.
#[derive(Debug)]
pub struct Suite {
    /// The function that carries the attribute.
    pub name: &'static str,
    /// `CARGO_PKG_NAME`.
    pub package: &'static str,
    /// `CARGO_MANIFEST_DIR`.
    pub manifest_dir: &'static str,
    /// `CARGO_TARGET_TMPDIR`, which cargo sets for tests outside `src` only.
    pub target_tmpdir: Option<&'static str>,
    /// `CARGO_CRATE_NAME`: for a test binary its target's name with `_` for `-`.
    pub target: &'static str,
    /// `file!()`.
    pub source: &'static str,
    /// Patterns below the package.
    pub traces: &'static [&'static str],
    /// What they matched when the crate was compiled, relative to the package.
    pub compiled: &'static [&'static str],
    /// Backends by name.
    pub backends: &'static [&'static str],
    /// Servers.
    pub servers: &'static [NamedServer],
    /// The file of known failures, relative to the package.
    pub known: Option<&'static str>,
}

/// A server of a suite.
#[derive(Debug, Clone, Copy)]
pub struct NamedServer {
    /// As it stands in the names of cases, before it is made an identifier.
    pub name: &'static str,
    /// What it must be.
    pub spec: fn() -> Result<ServerSpec, ServerError>,
}

impl Suite {
    /// The package's folder: where it was compiled, or where cargo says that it is now.
    pub(crate) fn directory(&self) -> PathBuf {
        let compiled = Path::new(self.manifest_dir);
        match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(now) if !compiled.is_dir() => PathBuf::from(now),
            _ => compiled.to_owned(),
        }
    }

    /// The workspace: paths in messages are relative to it, as the compiler's are.
    pub(crate) fn workspace(&self) -> PathBuf {
        let directory = self.directory();
        let root = directory
            .ancestors()
            .find(|folder| folder.join(self.source).is_file());
        root.unwrap_or(&directory).to_owned()
    }

    /// Cargo's target folder.
    pub(crate) fn target_dir(&self) -> PathBuf {
        let from_cargo = self.target_tmpdir.map(Path::new).and_then(Path::parent);
        if let Some(folder) = from_cargo.filter(|folder| folder.is_dir()) {
            return folder.to_owned();
        }
        let program = std::env::current_exe().unwrap_or_default();
        let built = program
            .ancestors()
            .find(|folder| folder.join("CACHEDIR.TAG").is_file());
        built.map_or_else(|| self.workspace().join("target"), Path::to_owned)
    }
}

/// The future that a suite's function gives.
pub type CaseFuture = std::pin::Pin<Box<dyn Future<Output = Verdict>>>;

/// `fn main()` of a suite.
pub fn main<F>(suite: Suite, body: F) -> ExitCode
where
    F: Fn(Case) -> CaseFuture + Send + Sync + 'static,
{
    runner::main(suite, Box::new(body))
}

/// One `#[test]` function.
pub fn test<F, R>(
    suite: &'static Suite,
    trace: &'static str,
    backend: &'static str,
    server: usize,
    path: &'static str,
    body: F,
) -> TestResult
where
    F: FnOnce(Case) -> R,
    R: Future<Output = Verdict>,
{
    runner::test(suite, trace, backend, server, path, body)
}

/// Fails when a trace lies there that the crate has no test for, because it came after the crate
/// was compiled.
pub fn every_trace_is_compiled(suite: &Suite) -> TestResult {
    let missing = crate::discover::added(suite).map_err(TestFailure)?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(TestFailure(format!(
        "no test exists for {}: the crate was compiled before; touch {} and run again",
        missing.join(", "),
        suite.source
    )))
}

/// What an emitted `#[test]` function returns.
pub type TestResult = Result<(), TestFailure>;

/// A failure's text; `Debug` shows it as it is, because that is what libtest prints.
pub struct TestFailure(pub(crate) String);

impl fmt::Debug for TestFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
