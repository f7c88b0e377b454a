//! Finds a suite's traces when it runs: those that it was compiled with, and those that came since.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::naming;
use crate::suite::Suite;

/// A trace of a suite.
#[derive(Debug, Clone)]
pub(crate) struct FoundTrace {
    /// `lock::range_conflict`.
    pub(crate) name: String,
    /// The file.
    pub(crate) path: PathBuf,
    /// Relative to the package.
    pub(crate) relative: String,
}

/// All traces in the order of their names. The error is a sentence.
pub(crate) fn traces(suite: &Suite) -> Result<Vec<FoundTrace>, String> {
    let directory = suite.directory();
    let mut found: BTreeMap<String, FoundTrace> = BTreeMap::new();
    for pattern in suite.traces {
        let base = directory.join(replay_ir::naming::fixed_part(pattern));
        let full = format!(
            "{}/{pattern}",
            glob::Pattern::escape(&directory.to_string_lossy())
        );
        let paths =
            glob::glob(&full).map_err(|error| format!("traces = \"{pattern}\": {}", error.msg))?;
        for path in paths {
            let path = path.map_err(|error| error.to_string())?;
            // A file that two patterns match keeps the name that the first gives it.
            if !path.is_file() || found.values().any(|known| known.path == path) {
                continue;
            }
            let relative = path.strip_prefix(&directory).unwrap_or(&path);
            let trace = FoundTrace {
                name: naming::of_trace(&base, &path),
                relative: relative.to_string_lossy().into_owned(),
                path,
            };
            let relative = trace.relative.clone();
            if let Some(other) = found.insert(trace.name.clone(), trace) {
                return Err(format!(
                    "{} and {relative} are both called {}; rename one",
                    other.relative, other.name
                ));
            }
        }
    }
    if found.is_empty() {
        let directory = directory.display();
        return Err(format!(
            "no trace matches {} in {directory}",
            suite.traces.join(", ")
        ));
    }
    Ok(found.into_values().collect())
}

/// The traces that came after the crate was compiled, relative to the package.
pub(crate) fn added(suite: &Suite) -> Result<Vec<String>, String> {
    let found = traces(suite)?.into_iter().map(|trace| trace.relative);
    Ok(found
        .filter(|trace| !suite.compiled.contains(&trace.as_str()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(directory: &std::path::Path, traces: &'static [&'static str]) -> Suite {
        Suite {
            name: "s",
            package: "p",
            manifest_dir: Box::leak(directory.to_string_lossy().into_owned().into_boxed_str()),
            target_tmpdir: None,
            target: "s",
            source: "tests/s.rs",
            traces,
            compiled: &["traces/a/old.ir"],
            backends: &["native"],
            servers: &[],
            known: None,
        }
    }

    #[test]
    fn a_trace_added_later_is_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |path: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            std::fs::write(path, "ir 1\n").expect("written");
        };
        let suite = suite(directory.path(), &["traces/**/*.ir", "traces/a/*.ir"]);
        assert!(
            traces(&suite)
                .expect_err("nothing there")
                .contains("no trace matches")
        );
        write("traces/a/old.ir");
        assert!(added(&suite).expect("found").is_empty());
        write("traces/new.ir");
        assert_eq!(added(&suite).expect("found"), ["traces/new.ir"]);
        let names: Vec<_> = traces(&suite)
            .expect("found")
            .into_iter()
            .map(|t| t.name)
            .collect();
        assert_eq!(names, ["a::old", "new"]);
        write("traces/a/old-.ir");
        write("traces/a/old_.ir");
        assert!(
            traces(&suite)
                .expect_err("one name")
                .contains("both called a::old_")
        );
    }
}
