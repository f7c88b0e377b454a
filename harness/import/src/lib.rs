//! Turns what others have recorded into traces.
//!
//! [`dbench`] reads the load files of dbench and of smbtorture's `bench.nbench`. Nothing is dropped silently: what an
//! importer could not turn into a step is counted in its [`ImportReport`], by kind and reason.
