//! Mutations that traces must notice, on sessions that are signed, encrypted and neither.
//!
//! Without a server the tests say so and pass, unless `SMB_REPLAY_REQUIRE` is set.

use std::sync::Arc;

use replay_ir::Trace;
use smb_replay::lab::Lab;
use smb_replay_mutation::{Kind, Mutation, Outcome, Target, attempt, baseline};

/// How A and B protect what they send.
const PROTECTIONS: [&str; 4] = [
    "dialect=2.0.2",
    "dialect=2.1 signing=required",
    "dialect=3.1.1 signing=required",
    "dialect=3.1.1 encryption=required",
];

const FILES: &str = "given file \"x\" size=4096 fill=7
A create f \"x\" access=rw -> OK size=4096
A read f len=4096 -> OK len=4096 fill=7
A create g \"missing\" access=r disposition=open -> OBJECT_NAME_NOT_FOUND
A close f -> OK
";

const OPLOCK: &str = "given file \"x\"
first: A create f \"x\" access=rw share=rwd oplock=batch -> OK oplock=batch
second: B create g \"x\" access=rw share=rwd -> OK after=first
A break f batch->ii within=4s
";

const LEASE: &str = "given file \"x\"
A create f \"x\" access=rw share=rwd lease-key=k1 lease-state=rwh -> OK lease-state=rwh
";

fn trace(name: &str, protection: &str, mode: u8, steps: &str) -> Arc<Trace> {
    let clients = ["A user=alice", "B user=bob"]
        .map(|client| format!("client {client} {protection}\n"))
        .concat();
    let text = format!("ir 1\nmode {mode}\n{clients}{steps}");
    let trace = replay_ir::load_str(name, &text, &smb_vocabulary::VOCABULARY);
    Arc::new(trace.unwrap_or_else(|errors| panic!("{errors}")))
}

async fn lab() -> Option<Lab> {
    match Lab::start("samba-4.17").await {
        Ok(lab) => Some(lab),
        Err(reason) => {
            let is_set =
                |name| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
            let required = is_set("SMB_REPLAY_REQUIRE") || is_set("CI");
            assert!(!required, "a server is required: {reason}");
            eprintln!("not tested: {reason}");
            None
        }
    }
}

/// The trace passes as it is, and does not when the last answer of this kind is changed.
async fn is_caught(lab: &Lab, trace: &Arc<Trace>, kind: Kind) -> Result<(), String> {
    let possible = baseline(lab, trace).await?;
    let of_kind = |mutation: &&Mutation| mutation.kind == kind;
    let mutation = possible
        .iter()
        .rfind(of_kind)
        .ok_or("nothing of this kind")?;
    match attempt(lab, trace, *mutation).await? {
        Outcome::Caught(_) => Ok(()),
        other => Err(format!("{mutation:?}: {other:?}")),
    }
}

async fn all_are_caught(lab: &Lab) -> Result<(), String> {
    for protection in PROTECTIONS {
        for kind in [Kind::Status, Kind::Data, Kind::Oplock] {
            let steps = if kind == Kind::Oplock { OPLOCK } else { FILES };
            let mode = if kind == Kind::Oplock { 2 } else { 1 };
            let trace = trace("x.ir", protection, mode, steps);
            let target = format!("{protection}: {}", kind.name());
            let mutation = match kind {
                // The last CREATE is B's, which asks for no oplock: the client itself does not take one.
                Kind::Oplock => first_of(lab, &trace, kind).await,
                _ => is_caught(lab, &trace, kind).await,
            };
            mutation.map_err(|reason| format!("{target}: {reason}"))?;
        }
    }
    let oplock = trace("x.ir", PROTECTIONS[2], 2, OPLOCK);
    is_caught(lab, &oplock, Kind::BreakDropped).await?;
    is_caught(lab, &oplock, Kind::BreakLate).await?;
    let lease = trace("x.ir", PROTECTIONS[3], 2, LEASE);
    is_caught(lab, &lease, Kind::Lease).await
}

async fn first_of(lab: &Lab, trace: &Arc<Trace>, kind: Kind) -> Result<(), String> {
    let possible = baseline(lab, trace).await?;
    let first = |mutation: &&Mutation| {
        mutation.kind == kind && mutation.target == Target::Step(replay_ir::StepId(0))
    };
    let mutation = possible.iter().find(first).ok_or("nothing of this kind")?;
    match attempt(lab, trace, *mutation).await? {
        Outcome::Caught(_) => Ok(()),
        other => Err(format!("{mutation:?}: {other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_traces_assert_is_noticed() {
    let Some(lab) = lab().await else {
        return;
    };
    let result = all_are_caught(&lab).await;
    let troubles = lab.stop().await;
    assert_eq!(result, Ok(()));
    assert!(troubles.is_empty(), "{troubles:?}");
}
