//! `IR_UPDATE`: puts what came into the trace's source, for a person to look at.
//!
//! `new` fills in `-> ?` with the status and the fields that do not change from run to run (times
//! and hexadecimal ids are left out). `overwrite` also replaces expectations that were not met:
//! the status, and the fields that they named.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use replay_engine::{Kind, RunReport};
use replay_ir::{Answer, OwnedValue, Step, StepId, Trace};

use crate::settings::Update;
use crate::whole_file;

/// Two cases of one trace end at about the same time; the file is read and written by one.
static WRITING: Mutex<()> = Mutex::new(());

/// Rewrites the trace's source; gives the steps whose expectations were changed. The error is a
/// sentence.
pub(crate) fn rewrite(
    path: &Path,
    trace: &Trace,
    run: &RunReport,
    mode: Update,
) -> Result<Vec<StepId>, String> {
    let edits: Vec<(StepId, String)> = run
        .actual
        .iter()
        .filter_map(|(step, answer)| Some((*step, edit(trace.step(*step), answer, run, mode)?)))
        .collect();
    if edits.is_empty() {
        return Ok(Vec::new());
    }
    if path.extension().is_none_or(|extension| extension != "ir") {
        return Err(format!(
            "{}: IR_UPDATE rewrites the text form only",
            path.display()
        ));
    }
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let source = std::fs::read_to_string(path).map_err(failed)?;
    if trace.steps().any(|step| !is_unchanged(&source, step)) {
        return Err(format!(
            "{}: changed since it was loaded, perhaps by another case; run again",
            path.display()
        ));
    }
    let rewritten = replay_ir::rewrite_expectations(&source, &edits);
    whole_file::write(path, rewritten.as_bytes()).map_err(failed)?;
    Ok(edits.into_iter().map(|(step, _)| step).collect())
}

fn is_unchanged(source: &str, step: Step<'_>) -> bool {
    let line = source.lines().nth(step.line() as usize - 1);
    line == step.trace().source_line(step.line())
}

/// What is to stand behind the arrow; `None` to leave it as it is.
fn edit(step: Step<'_>, answer: &Answer, run: &RunReport, mode: Update) -> Option<String> {
    let vocabulary = step.trace().vocabulary();
    if step.expect().unknown() {
        let fields = answer
            .fields
            .iter()
            .filter(|(_, value)| is_stable(value))
            .cloned()
            .collect();
        return Some(
            Answer {
                status: answer.status,
                fields,
                data: None,
            }
            .to_text(vocabulary),
        );
    }
    if mode == Update::New {
        return None;
    }
    let data_differs = run
        .differences_of(step.id())
        .any(|found| found.kind == Kind::Data);
    let mut text = Answer {
        status: answer.status,
        ..Answer::default()
    }
    .to_text(vocabulary);
    for (spec, expected) in step.expect().fields() {
        let actual = answer.fields.iter().find(|(name, _)| *name == spec.name);
        let of_data = matches!(spec.name, "fill" | "data" | "blob");
        let value = match actual {
            Some((_, value)) => value.as_value().to_text(),
            None if of_data && !data_differs && answer.data.is_some() => expected.to_text(),
            None => continue,
        };
        text.push_str(&format!(" {}={value}", spec.name));
    }
    (text != step.expect().to_text()).then_some(text)
}

/// False for what is another in every run: times, masks and ids in hexadecimal.
fn is_stable(value: &OwnedValue) -> bool {
    match value {
        OwnedValue::Token(text) => {
            let is_time = text.ends_with('Z') && text.contains('T');
            !is_time && !text.starts_with("0x")
        }
        OwnedValue::Bytes(_) | OwnedValue::Duration(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use replay_engine::{RunOptions, Site, Target};

    use super::*;

    const SOURCE: &str = "ir 1\nclient A user=alice\n\
        A create f \"x\" -> ?  # why\nA read f len=4 -> OK len=4 fill=0\nA close f -> *\n";

    /// A run of the trace against a server that answers what it must, and what `actual` says.
    async fn run(trace: &Arc<Trace>, actual: Vec<(u32, Answer)>) -> RunReport {
        let target = Target {
            address: ([127, 0, 0, 1], 445).into(),
            host: String::new(),
            share: String::new(),
            root: String::new(),
            realm: None,
        };
        let identity = replay_engine::Identity {
            name: "alice".to_owned(),
            account: String::new(),
            domain: String::new(),
            sid: None,
            password: String::new().into(),
        };
        let site = Site {
            target,
            identities: BTreeMap::from([("alice".to_owned(), identity)]),
        };
        let backend = Arc::new(replay_engine::NullBackend::default());
        let options = RunOptions::default();
        let mut run = replay_engine::run(Arc::clone(trace), backend, &site, &options).await;
        run.actual = actual
            .into_iter()
            .map(|(step, answer)| (StepId(step), answer))
            .collect();
        run
    }

    #[tokio::test]
    async fn what_is_unknown_is_filled_in() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("x.ir");
        std::fs::write(&path, SOURCE).expect("written");
        let trace = Arc::new(smb_vocabulary::load(&path).expect("loads"));
        let opened = Answer {
            status: 0,
            fields: vec![
                ("oplock", OwnedValue::Token("none".to_owned())),
                ("size", OwnedValue::Int(4)),
                (
                    "created",
                    OwnedValue::Token("2020-02-29T12:00:00Z".to_owned()),
                ),
            ],
            data: None,
        };
        let refused = Answer {
            status: 0xC000_0022,
            ..Answer::default()
        };
        let report = run(&trace, vec![(0, opened), (1, refused)]).await;

        assert_eq!(
            rewrite(&path, &trace, &report, Update::New),
            Ok(vec![StepId(0)])
        );
        let new = std::fs::read_to_string(&path).expect("read");
        let filled = SOURCE.replace("-> ?", "-> OK oplock=none size=4");
        assert_eq!(new, filled);

        let error = rewrite(&path, &trace, &report, Update::Overwrite).expect_err("changed");
        assert!(error.contains("changed since"), "{error}");

        std::fs::write(&path, SOURCE).expect("written");
        assert_eq!(
            rewrite(&path, &trace, &report, Update::Overwrite),
            Ok(vec![StepId(0), StepId(1)])
        );
        let overwritten = std::fs::read_to_string(&path).expect("read");
        assert_eq!(
            overwritten,
            filled.replace("OK len=4 fill=0", "ACCESS_DENIED")
        );
    }
}
