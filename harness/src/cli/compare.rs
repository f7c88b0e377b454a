//! `smb-replay compare`: which answers of a run differ from those of its trace, by cause.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use replay_ir::{Step, StepId, Trace};
use serde_json::Value;

use super::{Exit, output, say};
use crate::load;

/// How many differences that follow from another one are named.
const NAMED: usize = 8;

/// A difference that follows from no earlier one, and those that follow from it.
struct Cause<'a> {
    difference: &'a Value,
    /// What it and its followers worked on.
    files: BTreeSet<String>,
    followers: Vec<u64>,
}

/// Shows the differences of a run, each cause once. `report` is what `run --report` wrote.
pub(super) fn compare(trace: &Path, report: &Path) -> Exit {
    let trace = match load::trace(trace, &trace.to_string_lossy()) {
        Ok(trace) => trace,
        Err(errors) => {
            say(errors);
            return Exit::BadInput;
        }
    };
    let shown = report.display();
    let read = std::fs::read_to_string(report).map_err(|error| error.to_string());
    let read = read
        .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    let run = match read {
        Ok(run) if run["answers_agreed"].is_u64() => run,
        Ok(_) => {
            say(format_args!(
                "{shown}: no report of `smb-replay run --report`"
            ));
            return Exit::BadInput;
        }
        Err(error) => {
            say(format_args!("{shown}: {error}"));
            return Exit::BadInput;
        }
    };
    if run["steps"].as_u64() != Some(trace.len() as u64) {
        say(format_args!(
            "{shown}: of a trace with another number of steps"
        ));
        return Exit::BadInput;
    }
    let causes = causes(&trace, &run);
    if !output::write(&text(&run, &causes)) {
        return Exit::BadInput;
    }
    match causes.is_empty() {
        true => Exit::Passed,
        false => Exit::Failed,
    }
}

fn causes<'a>(trace: &Trace, run: &'a Value) -> Vec<Cause<'a>> {
    let by_line: HashMap<u64, StepId> = trace
        .steps()
        .map(|step| (u64::from(step.line()), step.id()))
        .collect();
    let lists = ["answers_differed", "others_differed", "not_run"];
    let mut all: Vec<&Value> = lists
        .iter()
        .filter_map(|list| run[*list].as_array())
        .flatten()
        .collect();
    all.sort_by_key(|difference| difference["line"].as_u64());
    let mut causes: Vec<Cause<'a>> = Vec::new();
    for difference in all {
        let line = difference["line"].as_u64().unwrap_or(0);
        let step = by_line.get(&line).map(|&step| trace.step(step));
        let files = step.map(|step| files(&step)).unwrap_or_default();
        let earlier = causes
            .iter_mut()
            .find(|cause| files.iter().any(|file| touches(&cause.files, file)));
        match earlier {
            Some(cause) => {
                cause.followers.push(line);
                cause.files.extend(files);
            }
            None => causes.push(Cause {
                difference,
                files,
                followers: Vec::new(),
            }),
        }
    }
    causes
}

/// The files that a step works on: its own path, or that of its handle, without a stream's name.
fn files(step: &Step<'_>) -> BTreeSet<String> {
    let opener = step.opened_by().map(|opener| step.trace().step(opener));
    let target = step.target().map(|target| step.trace().step(target));
    let steps = [Some(*step), opener, target];
    steps
        .into_iter()
        .flatten()
        .filter_map(|step| step.arg("path")?.as_str())
        .map(|path| {
            let name = path.rfind('/').map_or(0, |at| at + 1);
            let end = path[name..].find(':').map_or(path.len(), |at| name + at);
            path[..end].to_lowercase()
        })
        .collect()
}

/// Whether a file is one of these, in one of them, or above one.
fn touches(files: &BTreeSet<String>, file: &str) -> bool {
    let below = |above: &str, path: &str| {
        !above.is_empty()
            && path
                .strip_prefix(above)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    files
        .iter()
        .any(|known| known == file || below(known, file) || below(file, known))
}

fn text(run: &Value, causes: &[Cause<'_>]) -> String {
    let number = |name: &str| run[name].as_u64().unwrap_or(0);
    let mut text = format!(
        "{} steps, {} agreed",
        number("steps"),
        number("answers_agreed")
    );
    let listed = run["answers_differed"].as_array().map_or(0, Vec::len) as u64;
    let all = number("answers_differed_total");
    let _ = writeln!(text, ", {all} differed, {} causes", causes.len());
    if listed < all {
        let _ = writeln!(text, "the report has the first {listed} differences only");
    }
    for cause in causes {
        let word = |name: &str| match &cause.difference[name] {
            Value::String(word) => word.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let _ = write!(
            text,
            "line {}: {} {}",
            word("line"),
            word("client"),
            word("verb")
        );
        match (word("expected"), word("actual"), word("why")) {
            (expected, actual, _) if !expected.is_empty() => {
                let _ = writeln!(text, ": expected {expected}, got {actual}");
            }
            (_, _, why) if !why.is_empty() => {
                let _ = writeln!(text, ": not run: {why}");
            }
            _ => {
                let _ = writeln!(text, ": not run");
            }
        }
        if !cause.followers.is_empty() {
            let named: Vec<String> = cause
                .followers
                .iter()
                .take(NAMED)
                .map(u64::to_string)
                .collect();
            let more = cause.followers.len().saturating_sub(NAMED);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let _ = writeln!(
                text,
                "  {} follow from it, on the same files: line {}{more}",
                cause.followers.len(),
                named.join(", ")
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_follows_from_another_is_not_a_cause() {
        let source = "ir 1\nclient A user=alice\n\
                      A create f \"d/a\"\nA read f len=4\nA close f\n\
                      A create g \"other\"\nA close g\nA create h \"D\"\n";
        let trace =
            replay_ir::load_str("a.ir", source, &smb_vocabulary::VOCABULARY).expect("a trace");
        let differed = |line: u64, verb: &str| serde_json::json!({"line": line, "client": "A", "verb": verb, "expected": "OK", "actual": "X"});
        let run = serde_json::json!({
            "steps": 6, "answers_agreed": 1, "answers_differed_total": 4,
            "answers_differed": [differed(4, "read"), differed(3, "create"), differed(6, "create"), differed(8, "create")],
            "not_run": [{"line": 5, "client": "A", "verb": "close"}],
        });
        let causes = causes(&trace, &run);
        let lines: Vec<_> = causes
            .iter()
            .map(|cause| (cause.difference["line"].as_u64(), cause.followers.clone()))
            .collect();
        assert_eq!(lines, [(Some(3), vec![4, 5, 8]), (Some(6), vec![])]);
        let text = text(&run, &causes);
        assert!(text.contains("4 differed, 2 causes"), "{text}");
        assert!(
            text.contains("3 follow from it, on the same files: line 4, 5, 8"),
            "{text}"
        );
    }
}
