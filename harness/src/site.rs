//! A case's place on the server, as far as it is made over SMB: the trace's `given` state, and the
//! directory itself on a server that is not ours.
//!
//! All of it is itself a replay, of steps made on the spot, by the native client as the set-up
//! account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use replay_engine::{Clock, Place, RunOptions, RunReport, Site, Stop, Target, Verdict};
use replay_ir::{Answer, OwnedValue, StepId, StepSpec, Trace, TraceBuilder};
use samba_servers::CaseSite;
use smb_backends::native::Native;
use smb_vocabulary::{ClientSettings, VOCABULARY};

/// The name of the set-up client and of its identity.
const SETUP: &str = "setup";
/// A trace may ask for large files.
const LONGEST: Duration = Duration::from_secs(300);
/// How deep a directory may be that is removed.
const DEEPEST: usize = 64;
/// Buffers of names that are read of a directory in one go; what they do not hold is read in the
/// next.
const LISTINGS: usize = 4;

/// The identities that a trace's clients log in as, each once.
pub(crate) fn users(trace: &Trace) -> Vec<String> {
    let mut users: Vec<String> = trace
        .clients()
        .iter()
        .filter_map(|client| Some(ClientSettings::decode(client).ok()?.user?.to_owned()))
        .collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// Makes the case's directory if it is not there, and the trace's `given` state. The error says
/// what did not work.
pub(crate) async fn prepare(
    case: &CaseSite,
    trace: &Trace,
    stop: Option<Stop>,
) -> Result<(), String> {
    if !case.root_exists {
        let (parent, name) = split(&case.target);
        let mut steps = Steps::new("making the case's directory")?;
        steps.add(open(0, &name, "directory", "open-if", "r"));
        steps.add(close(0));
        steps.run(case, parent, stop.clone()).await?;
    }
    if trace.givens().is_empty() {
        return Ok(());
    }
    let setup = smb_vocabulary::setup_trace(trace, SETUP).map_err(|error| error.to_string())?;
    let report = replay(case, setup, case.target.clone(), stop).await;
    succeeded(case, "making the given state", &report)
}

/// Removes the case's directory and all below it.
pub(crate) async fn remove_root(case: &CaseSite) -> Result<(), String> {
    let (parent, name) = split(&case.target);
    // A directory is on the stack twice: first to be emptied, then to be removed.
    let mut stack = vec![(name, false)];
    while let Some((path, is_empty)) = stack.pop() {
        if path.split('/').count() > DEEPEST {
            return Err(format!("{path} is more than {DEEPEST} directories deep"));
        }
        if is_empty {
            delete(case, &parent, &path, "directory").await?;
            continue;
        }
        let found = list(case, &parent, &path).await?;
        stack.push((path.clone(), found.is_empty()));
        for name in found {
            let path = format!("{path}/{name}");
            match delete(case, &parent, &path, "non-directory").await {
                Ok(()) => {}
                Err(error) if error.contains("FILE_IS_A_DIRECTORY") => stack.push((path, false)),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Names in a directory, as many as fit into a few buffers; none when it is empty. What a server
/// may not call a file is left out, so that nothing outside of the directory is ever touched.
async fn list(case: &CaseSite, parent: &Target, path: &str) -> Result<Vec<String>, String> {
    let mut steps = Steps::new("listing the case's directory")?;
    steps.add(open(0, path, "directory", "open", "r"));
    for _ in 0..LISTINGS {
        let mut listing = StepSpec::new(SETUP, "query-directory").arg("handle", "h0");
        listing.expect.status = replay_ir::ExpectStatus::Unknown;
        steps.add(listing);
    }
    steps.add(close(0));
    let report = steps.replay(case, parent.clone(), None).await?;
    let mut names = Vec::new();
    for (step, answer) in &report.actual {
        if (1..=LISTINGS as u32).contains(&step.0) {
            names.extend(names_of(answer));
        } else {
            succeeded(case, "listing the case's directory", &report)?;
        }
    }
    if report.actual.is_empty() {
        succeeded(case, "listing the case's directory", &report)?;
    }
    names.retain(|name: &String| {
        !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
    });
    Ok(names)
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

/// Removes one file or empty directory, read-only ones too.
async fn delete(case: &CaseSite, parent: &Target, path: &str, kind: &str) -> Result<(), String> {
    let mut steps = Steps::new(format!("removing {path}"))?;
    steps.add(open(0, path, kind, "open", "delete|write-attributes"));
    let normal = if kind == "directory" {
        "directory"
    } else {
        "normal"
    };
    let writable = StepSpec::new(SETUP, "set-info")
        .arg("handle", "h0")
        .arg("class", "basic");
    steps.add(writable.arg("attributes", normal));
    steps.add(
        StepSpec::new(SETUP, "set-info")
            .arg("handle", "h0")
            .arg("class", "disposition"),
    );
    steps.add(close(0));
    steps.run(case, parent.clone(), None).await
}

fn open(handle: u32, path: &str, kind: &str, disposition: &str, access: &str) -> StepSpec {
    StepSpec::new(SETUP, "create")
        .arg("handle", format!("h{handle}"))
        .arg("path", path)
        .arg("access", access)
        .arg("options", kind)
        .arg("disposition", disposition)
}

fn close(handle: u32) -> StepSpec {
    StepSpec::new(SETUP, "close").arg("handle", format!("h{handle}"))
}

/// The directory above a target's root, and the root's name in it.
fn split(target: &Target) -> (Target, String) {
    let (above, name) = target.root.rsplit_once('/').unwrap_or(("", &target.root));
    (
        Target {
            root: above.to_owned(),
            ..target.clone()
        },
        name.to_owned(),
    )
}

/// Steps of the set-up client.
struct Steps {
    what: String,
    builder: TraceBuilder,
}

impl Steps {
    fn new(what: impl Into<String>) -> Result<Self, String> {
        let what = what.into();
        let mut builder = TraceBuilder::new(&VOCABULARY, what.clone());
        builder.client(SETUP, &[("user".into(), SETUP.into())]);
        Ok(Self { what, builder })
    }

    fn add(&mut self, step: StepSpec) {
        self.builder.step(&step);
    }

    async fn replay(
        self,
        case: &CaseSite,
        target: Target,
        stop: Option<Stop>,
    ) -> Result<RunReport, String> {
        let trace = self.builder.build().map_err(|errors| errors.to_string())?;
        Ok(replay(case, trace, target, stop).await)
    }

    async fn run(self, case: &CaseSite, target: Target, stop: Option<Stop>) -> Result<(), String> {
        let what = self.what.clone();
        succeeded(case, &what, &self.replay(case, target, stop).await?)
    }
}

async fn replay(case: &CaseSite, trace: Trace, target: Target, stop: Option<Stop>) -> RunReport {
    let identities = BTreeMap::from([(SETUP.to_owned(), case.setup.clone())]);
    let site = Site { target, identities };
    let options = RunOptions {
        clock: Clock::Asap,
        run_timeout: Some(LONGEST),
        stop,
        ..RunOptions::default()
    };
    let backend = Arc::new(Native::default());
    replay_engine::run(Arc::new(trace), backend, &site, &options).await
}

/// The set-up account as people know it; never its password.
fn who(case: &CaseSite) -> String {
    let setup = &case.setup;
    match setup.domain.as_str() {
        "" => format!("the account {}", setup.account),
        domain => format!("the account {domain}\\{}", setup.account),
    }
}

/// The first thing that did not work, with the step that it was.
fn succeeded(case: &CaseSite, what: &str, report: &RunReport) -> Result<(), String> {
    let reason = match &report.verdict {
        Verdict::Passed => return Ok(()),
        Verdict::Broken { reason } => reason.clone(),
        _ => report.differences.first().map_or_else(
            || report.verdict.to_string(),
            |difference| match difference.place {
                Place::Step(StepId(step)) => format!("step {}: {difference}", step + 1),
                _ => difference.to_string(),
            },
        ),
    };
    Err(format!("{what} as {} did not work: {reason}", who(case)))
}
