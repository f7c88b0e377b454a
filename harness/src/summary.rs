//! The machine-readable summary of a suite's run: `report.json`.
//!
//! A process of its own for each test, as nextest has it, adds to the same file as long as the run
//! is the same one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The whole file. Fields are only ever added.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// 1.
    pub(crate) version: u32,
    /// The suite's function.
    pub(crate) suite: String,
    /// What tells one run from another.
    pub(crate) run: String,
    /// When it began, in seconds since 1970.
    pub(crate) started: u64,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// Cases by verdict.
    pub(crate) totals: Totals,
    /// The cases in the order in which they ended.
    pub(crate) cases: Vec<CaseRecord>,
}

/// Cases by verdict.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Totals {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) known_failure: usize,
    pub(crate) unexpected_pass: usize,
    pub(crate) skipped: usize,
    pub(crate) broken: usize,
}

/// One case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CaseRecord {
    /// Its full name.
    pub(crate) name: String,
    /// The trace, relative to the package.
    pub(crate) trace: String,
    pub(crate) backend: String,
    pub(crate) server: String,
    /// `passed`, `failed`, `known-failure`, `unexpected-pass`, `skipped` or `broken`.
    pub(crate) verdict: String,
    /// Why, where the verdict has a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// How long it took, waiting for its turn and starting of servers included, in seconds.
    pub(crate) seconds: f64,
    /// Where its artefacts are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifacts: Option<PathBuf>,
}

impl Summary {
    /// An empty one that begins now.
    pub(crate) fn new(suite: &str, run: Option<&str>) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let run = run.map_or_else(
            || format!("{}-{}", now.as_millis(), std::process::id()),
            str::to_owned,
        );
        Self {
            version: 1,
            suite: suite.to_owned(),
            run,
            started: now.as_secs(),
            seconds: 0.0,
            totals: Totals::default(),
            cases: Vec::new(),
        }
    }

    /// Writes the file; adds to it instead when it belongs to the same run.
    pub(crate) fn write(mut self, path: &Path) -> io::Result<Totals> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        file.lock()?;
        let mut text = String::new();
        // What another program left there is replaced, whatever it is.
        if file.read_to_string(&mut text).is_ok()
            && let Ok(earlier) = serde_json::from_str::<Summary>(&text)
            && earlier.run == self.run
        {
            self.seconds += earlier.seconds;
            self.started = earlier.started;
            self.cases.splice(0..0, earlier.cases);
        }
        self.totals = Totals::of(&self.cases);
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&serde_json::to_vec_pretty(&self)?)?;
        file.write_all(b"\n")?;
        Ok(self.totals)
    }
}

impl Totals {
    fn of(cases: &[CaseRecord]) -> Self {
        let mut totals = Totals::default();
        for case in cases {
            let slot = match case.verdict.as_str() {
                "passed" => &mut totals.passed,
                "known-failure" => &mut totals.known_failure,
                "unexpected-pass" => &mut totals.unexpected_pass,
                "skipped" => &mut totals.skipped,
                "broken" => &mut totals.broken,
                _ => &mut totals.failed,
            };
            *slot += 1;
        }
        totals
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rest = [
            (self.failed, "failed"),
            (self.broken, "broken"),
            (self.unexpected_pass, "passed unexpectedly"),
            (self.known_failure, "known to fail"),
            (self.skipped, "skipped"),
        ];
        write!(formatter, "{} passed", self.passed)?;
        for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
            write!(formatter, ", {count} {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verdict: &str) -> CaseRecord {
        CaseRecord {
            name: "a::native::s".to_owned(),
            trace: "traces/a.ir".to_owned(),
            backend: "native".to_owned(),
            server: "s".to_owned(),
            verdict: verdict.to_owned(),
            reason: None,
            seconds: 0.5,
            artifacts: None,
        }
    }

    #[test]
    fn processes_of_one_run_share_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x/report.json");
        let write = |run, verdict| {
            let mut summary = Summary::new("s", Some(run));
            summary.cases.push(record(verdict));
            summary.write(&path).expect("written")
        };
        write("1", "passed");
        let totals = write("1", "broken");
        assert_eq!(totals.to_string(), "1 passed, 1 broken");
        let totals = write("2", "known-failure");
        assert_eq!(totals.to_string(), "0 passed, 1 known to fail");
        std::fs::write(&path, "\u{0}not json").expect("written");
        assert_eq!(write("2", "skipped").skipped, 1);
    }
}
