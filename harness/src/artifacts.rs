//! What lies in a failed case's folder: the failure's text, the report, the event log, the frames,
//! the server's log, and the trace as it was run.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use replay_engine::{RunReport, WireLog};
use replay_ir::{ClientId, Trace};
use serde_json::json;

use crate::report::Report;
use crate::{pcapng, reactions, render};

/// What is written.
#[derive(Debug)]
pub(crate) struct Artifacts<'a> {
    pub(crate) trace: &'a Trace,
    /// The trace's file.
    pub(crate) source: &'a Path,
    pub(crate) run: &'a RunReport,
    pub(crate) server: &'a str,
    pub(crate) server_log: &'a str,
    /// The frames, where they were kept.
    pub(crate) wire: Option<&'a WireLog>,
}

/// The folder of a case: its name with dots, so that it is one folder on every file system.
pub(crate) fn folder(base: &Path, case: &str) -> PathBuf {
    base.join(case.replace("::", "."))
}

/// Removes what an earlier run of the case left.
pub(crate) fn clear(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "cannot remove old artefacts");
    }
}

impl Artifacts<'_> {
    /// Writes all of it.
    pub(crate) fn write(&self, folder: &Path, failure: &str) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("failure.txt"), failure)?;
        let report = Report::new(self.trace, self.server, self.run);
        std::fs::write(
            folder.join("report.json"),
            serde_json::to_vec_pretty(&report)?,
        )?;
        std::fs::write(folder.join("server.log"), self.server_log)?;
        if let Some(name) = self.source.file_name() {
            std::fs::copy(self.source, folder.join(name))?;
        }
        if let Some(wire) = self.wire {
            pcapng::write(&folder.join("frames.pcapng"), self.trace, wire)?;
        }
        self.write_events(&folder.join("events.jsonl"))
    }

    /// One JSON object a line, in the order of time: steps at their dispatch, breaks, what they made the
    /// clients do, lost connections. Times are nanoseconds from time 0.
    fn write_events(&self, path: &Path) -> io::Result<()> {
        let (trace, run) = (self.trace, self.run);
        let name = |client: ClientId| trace.client(client).name();
        let mut events = Vec::new();
        for record in run.records.iter().flatten() {
            let step = trace.step(record.step);
            let moments = record.moments;
            events.push((
                moments.dispatched,
                json!({
                    "event": "step", "step": record.step.0 + 1, "line": step.line(),
                    "client": name(step.client()), "label": step.label(), "verb": step.verb().name,
                    "scheduled": moments.scheduled, "eligible": moments.eligible,
                    "dispatched": moments.dispatched, "completed": moments.completed,
                    "end": render::ended(trace, record),
                }),
            ));
        }
        for broke in &run.breaks {
            let opened_by = broke.event.opened_by.map(|step| trace.step(step).line());
            let fields = broke.event.answer.fields.iter();
            let fields = fields.map(|(name, value)| format!("{name}={value:?}"));
            events.push((
                broke.at,
                json!({
                    "event": "break", "client": name(broke.client), "at": broke.at,
                    "opened_by_line": opened_by, "fields": fields.collect::<Vec<_>>(),
                }),
            ));
        }
        for record in &run.reactions {
            events.push((record.at, reactions::to_json(trace, record)));
        }
        for lost in &run.lost {
            events.push((
                lost.at,
                json!({
                    "event": "lost", "client": name(lost.client), "at": lost.at,
                    "reason": lost.reason,
                }),
            ));
        }
        events.sort_by_key(|(at, _)| *at);
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        for (_, event) in events {
            writeln!(file, "{event}")?;
        }
        file.flush()
    }
}
