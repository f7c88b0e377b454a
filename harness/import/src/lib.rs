//! Turns what others have recorded into traces.
//!
//! [`import_dbench`] reads the load files of dbench and of smbtorture's `bench.nbench`. Nothing is dropped silently:
//! what became of every operation, and what could not be turned into a step, is counted in the [`ImportReport`].

mod dbench;
mod error;
mod report;

pub use dbench::{DbenchOptions, import_dbench};
pub use error::{ImportErrors, LineError, LineProblem};
pub use report::{ImportReport, KindCount};
