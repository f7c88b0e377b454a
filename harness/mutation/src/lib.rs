//! Does the suite notice when a server answers wrongly?
//!
//! A trace is replayed against a good server through a proxy that changes one answer, and is expected to fail. The proxy
//! knows the passwords of the run's accounts, so it derives the keys of every session and signs and encrypts again what
//! it has changed: the client has nothing to see but the change.

mod mutation;
mod proxy;
mod session;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use replay_engine::{RunOptions, RunReport, Verdict, WireLog};
use replay_ir::random::SplitMix64;
use replay_ir::{Role, Trace};
use smb_backends::native::Native;
use smb_replay::lab::Lab;

pub use mutation::Kind;
pub use proxy::{LATE, Mutation, Target};

/// The longest that a step may take: a server waits much longer for the answer to a break that never arrived.
const STEP: Duration = Duration::from_secs(12);
const RUN: Duration = Duration::from_secs(60);
const FRAMES: usize = 64 << 20;

/// What became of a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The trace failed; with the kinds of difference.
    Caught(String),
    /// The client refused the answer before it was judged.
    Violation,
    /// The trace passed, and rightly: a server may answer so.
    Allowed(&'static str),
    /// The trace passed; why, as far as the trace tells.
    Missed(Option<&'static str>),
    /// The answer did not come, or could not be changed.
    NotApplicable(String),
}

/// Replays a trace with nothing changed: what could be.
///
/// # Errors
/// It does not pass, so nothing can be learned from it; the text says how.
pub async fn baseline(lab: &Lab, trace: &Arc<Trace>) -> Result<Vec<Mutation>, String> {
    let (run, proxy) = replay(lab, trace, None).await?;
    match run.verdict {
        Verdict::Passed => Ok(proxy.possible()),
        verdict => Err(verdict.to_string()),
    }
}

/// Replays a trace with one answer changed.
///
/// # Errors
/// The run never began; the text says why.
pub async fn attempt(lab: &Lab, trace: &Arc<Trace>, mutation: Mutation) -> Result<Outcome, String> {
    let (run, proxy) = replay(lab, trace, Some(mutation)).await?;
    let applied = match proxy.applied() {
        Ok(applied) => applied,
        Err(trouble) => return Ok(Outcome::NotApplicable(trouble)),
    };
    if !applied {
        return Ok(Outcome::NotApplicable("the answer did not come".to_owned()));
    }
    let violated = run
        .differences
        .iter()
        .any(|difference| difference.kind == replay_engine::Kind::Violation);
    Ok(match run.verdict {
        // The requests overlapped, else the second answer had not come before the first was passed on.
        Verdict::Passed if mutation.kind == Kind::Order => {
            Outcome::Allowed("requests in flight at the same time are answered in any order")
        }
        Verdict::Passed => Outcome::Missed(why_missed(trace, mutation)),
        _ if violated => Outcome::Violation,
        verdict => Outcome::Caught(verdict.to_string()),
    })
}

async fn replay(
    lab: &Lab,
    trace: &Arc<Trace>,
    wanted: Option<Mutation>,
) -> Result<(RunReport, proxy::Proxy), String> {
    let wire = WireLog::new(FRAMES);
    let options = RunOptions {
        step_timeout: STEP,
        run_timeout: Some(RUN),
        wire: Some(wire.clone()),
        ..RunOptions::default()
    };
    let proxy = OnceLock::new();
    let through = |site: &replay_engine::Site| {
        let identities = site.identities.values().cloned().collect();
        let started = proxy::Proxy::start(site.target.address, identities, wire.clone(), wanted)?;
        let address = started.address;
        // Asked for once a run.
        let _ = proxy.set(started);
        Ok(address)
    };
    let name = Path::new(trace.name())
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    let backend = Arc::new(Native::new());
    let run = lab
        .replay(&name, Arc::clone(trace), backend, options, &through)
        .await?;
    let proxy = proxy
        .into_inner()
        .ok_or("the run did not ask for the proxy")?;
    Ok((run, proxy))
}

/// Why a trace cannot notice a mutation, where its own text tells.
fn why_missed(trace: &Trace, mutation: Mutation) -> Option<&'static str> {
    let Target::Step(step) = mutation.target else {
        let waits = trace
            .steps()
            .any(|step| matches!(step.role(), Role::AwaitBreak | Role::NoBreak));
        return (!waits).then_some("no step of the trace is about breaks");
    };
    let step = trace.step(step);
    let expect = step.expect();
    let names = |wanted: &[&str]| {
        expect
            .fields()
            .any(|(field, _)| wanted.contains(&field.name))
    };
    if expect.anything() {
        return Some("the step expects `*`");
    }
    if expect.statuses().count() > 1 && mutation.kind == Kind::Status {
        return Some("the step expects one of several statuses");
    }
    let said = match mutation.kind {
        Kind::Oplock => names(&["oplock"]),
        Kind::Lease => names(&["lease", "lease-state"]),
        Kind::Data => names(&["fill", "data", "blob"]),
        _ => true,
    };
    match (said, mutation.kind) {
        (true, _) => None,
        (false, Kind::Oplock) => Some("the step does not say which oplock is granted"),
        (false, Kind::Lease) => Some("the step does not say which lease state is granted"),
        (false, _) => Some("the step does not say what the bytes are"),
    }
}

/// Draws that look random and are the same for a seed.
#[derive(Debug, Clone)]
pub struct Draw(SplitMix64);

impl Draw {
    /// The draws of this seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// One of `items`; `None` of nothing.
    pub fn of<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        let count = u64::try_from(items.len()).ok().filter(|count| *count > 0)?;
        items.get(usize::try_from(self.0.draw() % count).ok()?)
    }
}
