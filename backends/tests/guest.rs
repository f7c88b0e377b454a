//! A guest (MS-SMB2 3.2.5.3.1, 3.3.5.5.3), on a server that lets in whom it does not know: it has no keys, so nothing is
//! signed, and is let in to shares that admit guests. The servers of the suite let nobody in like that.

mod common;

use std::sync::Arc;

use replay_engine::{Op, Outcome};
use replay_ir::{OwnedValue, StepId};
use smb_backends::native::Native;

use common::{Player, Stage};

const STEPS: &str = "\
client G user=alice unknown-user
client A user=alice
client R user=alice unknown-user signing=required
G connect
G create f \"f\" access=rw disposition=create
G write f len=10 fill=1
G close f
A connect
A create g \"f\" access=r
A read g len=10
R connect
";

#[tokio::test]
async fn whom_the_server_does_not_know_is_a_guest() {
    let lines = ["map to guest = bad user", "guest ok = yes"];
    let Some(server) = common::server_with(&lines).await else {
        return;
    };
    let trace = common::trace("guest", STEPS);
    let site = common::site(&server, "guest", &trace).await;
    let stage = Stage {
        backend: Arc::new(Native::new()),
        trace: trace.clone(),
        target: site.target.clone(),
        identities: site.identities.clone(),
    };
    let mut player = Player::new(&stage);
    let mut outcomes = Vec::new();
    for step in trace.steps() {
        let op = Op::Step(step.id());
        player.submit(step.client(), &[op]);
        outcomes.push(player.done(op, None).await);
    }
    let answer = |step: usize| match &outcomes[step] {
        Outcome::Answered(answer) => answer,
        other => panic!("step {step}: {other:?}"),
    };
    let account = |step| {
        let fields = &answer(step).fields;
        let account = fields.iter().find(|(name, _)| *name == "account");
        account.map(|(_, value)| value.clone())
    };
    assert_eq!(account(0), Some(OwnedValue::Word("guest")));
    assert_eq!(account(4), Some(OwnedValue::Word("user")));
    let last = trace.len() - 1;
    for step in 0..last {
        assert_eq!(answer(step).status, 0, "step {step}");
    }
    // A client that must sign cannot be a guest, who has nothing to sign with.
    let reason = match &outcomes[last] {
        Outcome::Violation(reason) => reason,
        other => panic!("a guest who must sign got {other:?}"),
    };
    assert!(reason.contains("guest"), "{reason}");
    assert_eq!(trace.step(StepId(last as u32)).verb().name, "connect");
    player.close().await;
    site.close(false)
        .await
        .expect("the case ends in good order");
    server.stop().await.expect("the server stops");
}
