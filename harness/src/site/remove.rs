//! Removes a case's directory over SMB, with all below it.
//!
//! What a server says is in a directory is not trusted: names that lead elsewhere are left out, and
//! the caller bounds the time.

use replay_engine::{RunReport, Target, Verdict};
use replay_ir::{Answer, ExpectStatus, OwnedValue, StepId, StepSpec};
use samba_servers::CaseSite;

use super::{SETUP, Steps, close, open, split, succeeded};

/// How deep a directory may be.
const DEEPEST: usize = 64;
/// Buffers of names that are read of a directory in one go; the next go reads what they do not
/// hold.
const LISTINGS: u32 = 4;
/// Files that are removed on one connection.
const BATCH: usize = 64;
/// The steps that one of them takes: open, make writable, mark for deletion, close.
const STEPS: u32 = 4;
const ACCESS: &str = "delete|write-attributes";

const SUCCESS: u32 = 0;
const FILE_IS_A_DIRECTORY: u32 = 0xC000_00BA;

/// Removes the case's directory and all below it. The error says what stood in the way.
pub(crate) async fn remove_root(case: &CaseSite) -> Result<(), String> {
    let (parent, name) = split(&case.target);
    let mut stack = vec![name];
    while let Some(path) = stack.last().cloned() {
        if path.split('/').count() > DEEPEST {
            return Err(format!("{path} is more than {DEEPEST} directories deep"));
        }
        let names = list(case, &parent, &path).await?;
        if names.is_empty() {
            remove_directory(case, &parent, &path).await?;
            stack.pop();
        }
        for names in names.chunks(BATCH) {
            let paths: Vec<String> = names.iter().map(|name| format!("{path}/{name}")).collect();
            stack.extend(remove_files(case, &parent, paths).await?);
        }
    }
    Ok(())
}

/// Names in a directory, as many as fit into a few buffers; none when it is empty.
async fn list(case: &CaseSite, parent: &Target, path: &str) -> Result<Vec<String>, String> {
    let mut steps = Steps::new(format!("listing {path}"))?;
    steps.add(open(0, path, "directory", "open", "r"));
    for _ in 0..LISTINGS {
        steps.add(whatever(on(0, "query-directory")));
    }
    steps.add(close(0));
    let report = steps.replay(case, parent.clone(), None).await?;
    expect_answers(case, path, &report, |step| (1..=LISTINGS).contains(&step))?;
    let listed = (1..=LISTINGS).filter_map(|step| report.actual.get(&StepId(step)));
    Ok(listed
        .flat_map(names_of)
        .filter(|name| is_below(name))
        .collect())
}

/// False for a name that a server may not give a file, because it would lead out of the directory.
fn is_below(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

fn names_of(answer: &Answer) -> impl Iterator<Item = String> {
    let names = answer.fields.iter().find(|(name, _)| *name == "names");
    let list = match names {
        Some((_, OwnedValue::List(list))) => list.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|name| match name {
        OwnedValue::Text(name) => Some(name.clone()),
        _ => None,
    })
}

/// Removes files, read-only ones too; gives those that are directories.
async fn remove_files(
    case: &CaseSite,
    parent: &Target,
    paths: Vec<String>,
) -> Result<Vec<String>, String> {
    let mut steps = Steps::new("removing files")?;
    for (handle, path) in (0..).zip(&paths) {
        steps.add(whatever(open(
            handle,
            path,
            "non-directory",
            "open",
            ACCESS,
        )));
        steps.add(
            on(handle, "set-info")
                .arg("class", "basic")
                .arg("attributes", "normal"),
        );
        steps.add(on(handle, "set-info").arg("class", "disposition"));
        steps.add(close(handle));
    }
    let report = steps.replay(case, parent.clone(), None).await?;
    let opened = |handle: u32| {
        report
            .actual
            .get(&StepId(handle * STEPS))
            .map(|answer| answer.status)
    };
    let mut directories = Vec::new();
    for (handle, path) in (0..).zip(paths) {
        match opened(handle) {
            Some(FILE_IS_A_DIRECTORY) => directories.push(path),
            status => {
                let first = handle * STEPS;
                let opens = |step| step == first && status == Some(SUCCESS);
                let others = |step| !(first..first + STEPS).contains(&step);
                expect_answers(case, &path, &report, |step| opens(step) || others(step))?;
            }
        }
    }
    Ok(directories)
}

async fn remove_directory(case: &CaseSite, parent: &Target, path: &str) -> Result<(), String> {
    let mut steps = Steps::new(format!("removing {path}"))?;
    steps.add(open(0, path, "directory", "open", ACCESS));
    steps.add(
        on(0, "set-info")
            .arg("class", "basic")
            .arg("attributes", "directory"),
    );
    steps.add(on(0, "set-info").arg("class", "disposition"));
    steps.add(close(0));
    steps.run(case, parent.clone(), None).await
}

/// Fails with the first difference that is not about a step which may end as it likes.
fn expect_answers(
    case: &CaseSite,
    path: &str,
    report: &RunReport,
    may_differ: impl Fn(u32) -> bool,
) -> Result<(), String> {
    let is_free = |step: Option<StepId>| step.is_some_and(|StepId(step)| may_differ(step));
    match &report.verdict {
        Verdict::Broken { .. } => succeeded(case, &format!("removing {path}"), report),
        _ => match report
            .differences
            .iter()
            .find(|found| !is_free(found.step()))
        {
            Some(found) => Err(format!("{path}: {found}")),
            None => Ok(()),
        },
    }
}

fn on(handle: u32, verb: &'static str) -> StepSpec {
    StepSpec::new(SETUP, verb).arg("handle", format!("h{handle}"))
}

/// The step with its answer in the report, whatever it is.
fn whatever(mut step: StepSpec) -> StepSpec {
    step.expect.status = ExpectStatus::Unknown;
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_left_out() {
        assert!(is_below("a") && is_below("..a") && is_below("ü b"));
        for name in ["", ".", "..", "a/b", "..\\..\\etc", "a\0"] {
            assert!(!is_below(name), "{name:?}");
        }
    }
}
