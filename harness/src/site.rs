//! A case's place on the server, as far as it is made over SMB: the trace's `given` state, and the
//! directory itself on a server that is not ours.
//!
//! All of it is itself a replay, of steps made on the spot, by the native client as the set-up
//! account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use replay_engine::{Clock, Place, RunOptions, RunReport, Site, Stop, Target, Verdict, copies};
use replay_ir::{StepId, StepSpec, Trace, TraceBuilder};
use samba_servers::{CaseSite, Server};
use smb_backends::native::Native;
use smb_vocabulary::{AccountState, ClientSettings, VOCABULARY};
use tokio::task::JoinSet;

mod identifiers;
mod remove;

pub(crate) use identifiers::find_identifiers;
pub(crate) use remove::remove_root;

/// The name of the set-up client and of its identity.
pub(super) const SETUP: &str = "setup";
/// What making the `given` state is called in messages.
const GIVEN: &str = "making the given state";
/// A trace may ask for large files.
const LONGEST: Duration = Duration::from_secs(300);

/// At most so many accounts stand for each name of a trace that runs many times, unless more are asked for.
const IDENTITIES: u32 = 64;
/// So many copies' `given` states are made at the same time.
const PREPARED_TOGETHER: usize = 16;
/// Directories of copies that are made by one replay.
const DIRECTORIES: u32 = 1000;

/// How many accounts stand for each name of a trace of which so many copies run: where we make them, one for each
/// copy up to [`IDENTITIES`]. In a trace that names principals, or that says more of its accounts than their names, a name
/// is one account.
pub(crate) fn identities(trace: &Trace, server: &Server, copies: u32) -> u32 {
    let made = server.domain().is_none() && !server.is_external();
    let one_each = !smb_vocabulary::principals(trace).is_empty() || declares_accounts(trace);
    if made && !one_each {
        copies.min(IDENTITIES)
    } else {
        1
    }
}

/// Whether a trace has groups, or accounts that may not log in.
fn declares_accounts(trace: &Trace) -> bool {
    let accounts = smb_vocabulary::Accounts::of(trace);
    let shut = |state: &AccountState| *state != AccountState::Enabled;
    !accounts.groups.is_empty() || accounts.users.values().any(shut)
}

/// The identities that a trace's clients log in as, so many for each name, or that it names as principals; each once.
pub(crate) fn users(trace: &Trace, identities: u32) -> Vec<String> {
    let users = trace
        .clients()
        .iter()
        .filter_map(|client| Some(ClientSettings::decode(client).ok()?.user?.to_owned()));
    let users = users
        .flat_map(|user| (0..identities.max(1)).map(move |number| copies::identity(&user, number)));
    let mut users: Vec<String> = users.chain(smb_vocabulary::principals(trace)).collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// Makes the case's directory if it is not there, those of the trace's copies if there are many, and the trace's
/// `given` state in each. The error says what did not work.
pub(crate) async fn prepare(
    case: &CaseSite,
    trace: &Trace,
    copies: u32,
    stop: Option<Stop>,
) -> Result<(), String> {
    if !case.root_exists {
        let (parent, name) = split(&case.target);
        let mut steps = Steps::new("making the case's directory")?;
        steps.add(open(0, &name, "directory", "open-if", "r"));
        steps.add(close(0));
        steps.run(case, parent, stop.clone()).await?;
    }
    if copies > 1 {
        make_directories(case, copies, &stop).await?;
    }
    if trace.givens().is_empty() {
        return Ok(());
    }
    let setup = smb_vocabulary::setup_trace(trace, SETUP).map_err(|error| error.to_string())?;
    if copies > 1 {
        return prepare_copies(case, Arc::new(setup), copies, &stop).await;
    }
    let report = replay(case, setup, case.target.clone(), stop).await;
    succeeded(case, GIVEN, &report)
}

/// The directory of each copy, in the case's own.
async fn make_directories(case: &CaseSite, copies: u32, stop: &Option<Stop>) -> Result<(), String> {
    for first in (0..copies).step_by(DIRECTORIES as usize) {
        let mut steps = Steps::new("making the copies' directories")?;
        for copy in first..copies.min(first + DIRECTORIES) {
            let name = copies::directory(copy);
            steps.add(open(0, &name, "directory", "open-if", "r"));
            steps.add(close(0));
        }
        steps.run(case, case.target.clone(), stop.clone()).await?;
    }
    Ok(())
}

/// The `given` state of each copy in its directory, some at the same time.
async fn prepare_copies(
    case: &CaseSite,
    setup: Arc<Trace>,
    copies: u32,
    stop: &Option<Stop>,
) -> Result<(), String> {
    let mut running = JoinSet::new();
    let mut waiting = 0..copies;
    loop {
        while running.len() < PREPARED_TOGETHER
            && let Some(copy) = waiting.next()
        {
            let mut target = case.target.clone();
            target.root = format!("{}/{}", target.root, copies::directory(copy));
            running.spawn(replay_at(
                place(case, target),
                Arc::clone(&setup),
                stop.clone(),
            ));
        }
        match running.join_next().await {
            Some(Ok(report)) => succeeded(case, GIVEN, &report)?,
            Some(Err(error)) => return Err(format!("{GIVEN} did not work: {error}")),
            None => return Ok(()),
        }
    }
}

pub(super) fn open(
    handle: u32,
    path: &str,
    kind: &str,
    disposition: &str,
    access: &str,
) -> StepSpec {
    StepSpec::new(SETUP, "create")
        .arg("handle", format!("h{handle}"))
        .arg("path", path)
        .arg("access", access)
        .arg("options", kind)
        .arg("disposition", disposition)
}

pub(super) fn close(handle: u32) -> StepSpec {
    StepSpec::new(SETUP, "close").arg("handle", format!("h{handle}"))
}

/// The directory above a target's root, and the root's name in it.
pub(super) fn split(target: &Target) -> (Target, String) {
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
pub(super) struct Steps {
    what: String,
    builder: TraceBuilder,
}

impl Steps {
    pub(super) fn new(what: impl Into<String>) -> Result<Self, String> {
        let what = what.into();
        let mut builder = TraceBuilder::new(&VOCABULARY, what.clone());
        builder.client(SETUP, &[("user".into(), SETUP.into())]);
        Ok(Self { what, builder })
    }

    pub(super) fn add(&mut self, step: StepSpec) {
        self.builder.step(&step);
    }

    pub(super) async fn replay(
        self,
        case: &CaseSite,
        target: Target,
        stop: Option<Stop>,
    ) -> Result<RunReport, String> {
        let trace = self.builder.build().map_err(|errors| errors.to_string())?;
        Ok(replay(case, trace, target, stop).await)
    }

    pub(super) async fn run(
        self,
        case: &CaseSite,
        target: Target,
        stop: Option<Stop>,
    ) -> Result<(), String> {
        let what = self.what.clone();
        succeeded(case, &what, &self.replay(case, target, stop).await?)
    }
}

async fn replay(case: &CaseSite, trace: Trace, target: Target, stop: Option<Stop>) -> RunReport {
    replay_at(place(case, target), Arc::new(trace), stop).await
}

fn place(case: &CaseSite, target: Target) -> Site {
    // The others are there for their security identifiers; nobody logs in as them here.
    let mut identities: BTreeMap<_, _> = case.identities.clone();
    identities.insert(SETUP.to_owned(), case.setup.clone());
    Site { target, identities }
}

async fn replay_at(site: Site, trace: Arc<Trace>, stop: Option<Stop>) -> RunReport {
    let options = RunOptions {
        clock: Clock::Asap,
        run_timeout: Some(LONGEST),
        stop,
        ..RunOptions::default()
    };
    let backend = Arc::new(Native::default());
    replay_engine::run(trace, backend, &site, &options).await
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
pub(super) fn succeeded(case: &CaseSite, what: &str, report: &RunReport) -> Result<(), String> {
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
