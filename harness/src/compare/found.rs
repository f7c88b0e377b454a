//! What a report says of a run (`run --report`), as far as a comparison needs it.

use std::path::Path;

use replay_ir::Trace;
use serde::Deserialize;

/// A run, read from its report.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) verdict: String,
    pub(super) reason: Option<String>,
    #[serde(default = "one")]
    pub(super) copies: u32,
    /// Of all copies.
    pub(super) steps: u64,
    pub(super) answers_agreed: u64,
    pub(super) answers_differed: Vec<Differed>,
    pub(super) answers_differed_total: u64,
    pub(super) others_differed: Vec<Differed>,
    pub(super) not_run: Vec<Missed>,
}

/// A difference.
#[derive(Debug, Deserialize)]
pub(super) struct Differed {
    #[serde(default)]
    pub(super) copy: u32,
    /// The step's ordinal, from 1.
    pub(super) step: Option<u32>,
    pub(super) line: Option<u32>,
    pub(super) client: Option<String>,
    pub(super) verb: Option<String>,
    pub(super) kind: String,
    pub(super) expected: String,
    pub(super) actual: String,
    #[serde(default)]
    pub(super) detail: Vec<String>,
}

/// A step that was not tried.
#[derive(Debug, Deserialize)]
pub(super) struct Missed {
    #[serde(default)]
    pub(super) copy: u32,
    pub(super) step: u32,
    pub(super) why: String,
    /// The ordinal of the step whose end was the reason.
    pub(super) because: Option<u32>,
}

fn one() -> u32 {
    1
}

/// Reads a report, and makes sure that it is one of this trace. The error is a message that names the file.
pub(super) fn read(path: &Path, trace: &Trace) -> Result<Found, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let found: Found = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("{shown}:{line}:{column}: no report of `smb-replay run --report`: {error}")
    })?;
    found
        .is_of(trace)
        .map_err(|wrong| format!("{shown}: of another trace: {wrong}"))?;
    Ok(found)
}

impl Found {
    fn is_of(&self, trace: &Trace) -> Result<(), String> {
        let steps = trace.len() as u64 * u64::from(self.copies);
        if self.copies == 0 || steps != self.steps {
            let (found, copies) = (self.steps, self.copies);
            return Err(format!(
                "{found} steps in {copies} copies, where the trace has {}",
                trace.len()
            ));
        }
        let differed = self.answers_differed.iter().chain(&self.others_differed);
        let differed = differed.map(|one| (one.copy, one.step, one.verb.as_deref()));
        let missed = self
            .not_run
            .iter()
            .flat_map(|one| [Some(one.step), one.because].map(|step| (one.copy, step, None)));
        for (copy, step, verb) in differed.chain(missed) {
            if copy >= self.copies {
                return Err(format!("copy {copy} of {}", self.copies));
            }
            let Some(number) = step else { continue };
            let index = number
                .checked_sub(1)
                .filter(|&at| (at as usize) < trace.len());
            let Some(index) = index else {
                return Err(format!("there is no step {number}"));
            };
            let own = trace.step(replay_ir::StepId(index)).verb().name;
            if let Some(verb) = verb.filter(|verb| *verb != own) {
                return Err(format!("step {number} is `{verb}` there, and `{own}` here"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_another_trace_is_told_from_one_of_this() {
        let source = "ir 1\nclient A user=alice\nA echo\nA echo\n";
        let trace =
            replay_ir::load_str("a.ir", source, &smb_vocabulary::VOCABULARY).expect("a trace");
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("run.json");
        let read = |json: serde_json::Value| {
            std::fs::write(&path, json.to_string()).expect("written");
            read(&path, &trace).map(|found| found.steps)
        };
        let report = |steps: u32, step: u32, verb: &str| {
            serde_json::json!({
                "verdict": "failed", "copies": 1, "steps": steps, "answers_agreed": 1, "answers_differed_total": 1,
                "answers_differed": [{"step": step, "verb": verb, "kind": "status", "expected": "OK", "actual": "X"}],
                "others_differed": [], "not_run": [], "times": {},
            })
        };
        assert_eq!(read(report(2, 2, "echo")), Ok(2));
        for (wrong, why) in [
            (report(3, 1, "echo"), "3 steps in 1 copies"),
            (report(2, 3, "echo"), "there is no step 3"),
            (report(2, 0, "echo"), "there is no step 0"),
            (
                report(2, 2, "read"),
                "step 2 is `read` there, and `echo` here",
            ),
            (serde_json::json!({"steps": 2}), "run.json:1:"),
            (serde_json::json!([]), "no report of"),
        ] {
            let error = read(wrong).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }

    proptest::proptest! {
        /// Whatever stands in the file, it is a report of the trace, or refused with the file's name.
        #[test]
        fn no_report_is_too_strange(
            numbers in proptest::collection::vec(proptest::prelude::any::<u64>(), 8),
            cut in 0_usize..400,
            put in proptest::prelude::any::<u8>(),
        ) {
            let trace = replay_ir::load_str("a.ir", "ir 1\nclient A user=alice\nA echo\n", &smb_vocabulary::VOCABULARY);
            let trace = trace.expect("a trace");
            let small = |at: usize| numbers[at] % 3;
            let report = serde_json::json!({
                "verdict": "failed", "copies": small(0), "steps": small(1), "answers_agreed": numbers[2],
                "answers_differed_total": numbers[3],
                "answers_differed": [{"step": small(4), "copy": small(5), "kind": "x", "expected": "", "actual": ""}],
                "others_differed": [], "not_run": [{"step": small(6), "why": "", "because": small(7)}],
            });
            let mut bytes = report.to_string().into_bytes();
            if cut < bytes.len() {
                match put % 3 {
                    0 => bytes.truncate(cut),
                    1 => bytes[cut] = put,
                    _ => {}
                }
            }
            let folder = tempfile::tempdir().expect("a directory");
            let path = folder.path().join("run.json");
            std::fs::write(&path, bytes).expect("written");
            match read(&path, &trace) {
                Ok(_) => {
                    let compared = crate::compare::Comparison::new(&trace, "a.ir", &[path]).expect("a report");
                    crate::compare::to_json(&compared);
                    crate::compare::to_text(&compared, true);
                    compared.outcome();
                }
                Err(error) => proptest::prop_assert!(error.contains("run.json")),
            }
        }
    }
}
