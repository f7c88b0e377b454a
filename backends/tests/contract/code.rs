//! Checks that no trace can say.

use std::time::{Duration, Instant};

use replay_engine::{EventKind, Op, Outcome};
use replay_ir::{ClientId, StepId};
use secrecy::SecretString;

use crate::common::{Player, Stage};

pub(super) async fn wrong_password(mut stage: Stage) {
    let alice = stage
        .identities
        .get_mut("alice")
        .expect("alice has an account");
    alice.password = SecretString::from("not-the-password".to_owned());
    let mut player = Player::new(&stage);
    player.play().await;
    assert!(player.close().await.is_empty());
}

pub(super) async fn nobody_listens(mut stage: Stage) {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    stage.target.address = listener.local_addr().expect("its address");
    drop(listener);
    let begun = Instant::now();
    let mut player = Player::new(&stage);
    player.submit(ClientId(0), &[Op::Connect]);
    let outcome = player.done(Op::Connect, None).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    let step = Op::Step(StepId(0));
    player.submit(ClientId(0), &[step]);
    let outcome = player.done(step, None).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    player.close().await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

pub(super) async fn lost_at_the_end(stage: Stage) {
    let mut player = Player::new(&stage);
    player.connect().await;
    player.play().await;
    let begun = Instant::now();
    let rest = player.close().await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    let waiting = Op::Step(StepId(3));
    let lost = |event: &&replay_engine::Event| matches!(&event.kind, EventKind::Done(op, Outcome::Lost(_)) if *op == waiting);
    assert_eq!(rest.iter().filter(lost).count(), 1, "{rest:?}");
    assert_eq!(rest.len(), 1, "{rest:?}");
}

pub(super) async fn thousands(stage: Stage) {
    let mut player = Player::new(&stage);
    player.connect().await;
    for turn in 0..3000 {
        let op = if turn % 2 == 0 {
            Op::RoundTrip
        } else {
            Op::Step(StepId(0))
        };
        player.submit(ClientId(0), &[op]);
        let outcome = player.done(op, None).await;
        assert!(
            matches!(&outcome, Outcome::Answered(answer) if answer.status == 0),
            "{outcome:?}"
        );
    }
    assert!(player.close().await.is_empty());
}
