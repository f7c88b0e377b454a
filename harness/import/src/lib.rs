//! Turns what others have recorded into traces.
//!
//! [`import_capture`] reads packet captures; [`capture`] alone reads them down to the SMB frames in them.
//! [`cut`] takes a part out of a trace, with the state that it needs.
//! [`import_dbench`] reads the load files of dbench and of smbtorture's `bench.nbench`. Nothing is dropped silently:
//! what became of every operation, and what could not be turned into a step, is counted in the [`ImportReport`].

pub mod capture;
mod cut;
mod dbench;
mod error;
mod report;
mod understand;

pub use cut::{CutError, Kept, Selection, cut};
pub use dbench::{DbenchOptions, import_dbench};
pub use error::{ImportErrors, LineError, LineProblem};
pub use report::{ImportReport, KindCount};
pub use understand::{
    CaptureImport, CaptureKeys, CaptureOptions, KeyFileError, NameKey, Naming, Passwords,
    import_capture, import_capture_from, import_captures,
};
