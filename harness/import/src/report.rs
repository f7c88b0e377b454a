//! What an import did with what it read.

use std::collections::BTreeMap;
use std::fmt;

/// What became of every operation of a file, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Lines that were read.
    pub lines: u64,
    /// Operations and the steps that were made of them.
    pub kinds: BTreeMap<&'static str, KindCount>,
    /// Operations of which something was changed on the way, by kind and reason.
    pub adapted: BTreeMap<(&'static str, &'static str), u64>,
    /// Operations that became no step at all, by kind and reason.
    pub skipped: BTreeMap<(&'static str, &'static str), u64>,
    /// Files and directories that the operations find and that no operation makes.
    pub givens: u64,
}

/// Numbers of one kind of operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindCount {
    /// Operations.
    pub operations: u64,
    /// Operations that are expected to fail.
    pub errors: u64,
    /// Steps that were made.
    pub steps: u64,
}

impl ImportReport {
    /// Operations in all.
    pub fn operations(&self) -> u64 {
        self.kinds.values().map(|kind| kind.operations).sum()
    }

    /// Steps in all.
    pub fn steps(&self) -> u64 {
        self.kinds.values().map(|kind| kind.steps).sum()
    }

    /// Operations that became no step.
    pub fn skipped(&self) -> u64 {
        self.skipped.values().sum()
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24} {:>10} {:>10} {:>10}",
            "", "operations", "of errors", "steps"
        )?;
        for (kind, count) in &self.kinds {
            writeln!(
                f,
                "{kind:<24} {:>10} {:>10} {:>10}",
                count.operations, count.errors, count.steps
            )?;
        }
        let errors: u64 = self.kinds.values().map(|kind| kind.errors).sum();
        writeln!(
            f,
            "{:<24} {:>10} {errors:>10} {:>10}",
            "all",
            self.operations(),
            self.steps()
        )?;
        for ((kind, reason), count) in &self.adapted {
            writeln!(f, "adapted: {count} {kind}: {reason}")?;
        }
        for ((kind, reason), count) in &self.skipped {
            writeln!(f, "left out: {count} {kind}: {reason}")?;
        }
        match self.givens {
            0 => Ok(()),
            givens => writeln!(
                f,
                "given: {givens} files and directories that the operations find"
            ),
        }
    }
}
