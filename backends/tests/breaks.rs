//! Breaks of oplocks and leases on the native client, with a server that sends exactly what a test says: what is
//! answered, when, and what waits meanwhile.

mod common;
#[path = "hostile/fake.rs"]
// Another test binary uses the rest of it.
#[allow(dead_code)]
mod fake;
#[path = "breaks/scene.rs"]
mod scene;

use std::time::{Duration, Instant};

use replay_engine::{Outcome, Reaction};
use replay_ir::{ClientId, StepId};
use smb_wire::messages::*;
use smb_wire::*;

use fake::answer_to;
use scene::{A, Scene, id, step};

#[tokio::test]
async fn it_is_acknowledged_to_the_level_that_the_trace_says() {
    let steps = "A create f \"x\" oplock=batch\nA on-break f ack level=none\nA echo\n";
    let mut scene = Scene::new(steps).await;
    scene.open(0, OplockLevel::BATCH).await;
    scene.done(1).await;
    scene.break_oplock(0, OplockLevel::II).await;
    assert_eq!(
        scene.broken(0).await,
        "OK transition=batch->ii acknowledge=yes"
    );
    scene.acknowledged(0, OplockLevel::NONE, 0).await;
    let latency = scene.answered("acknowledge none").await;
    assert!(latency.is_some(), "an answer at once has a latency");
    scene.settled("acknowledge", 0).await;
    scene.end().await;
}

#[tokio::test]
async fn a_refused_acknowledgement_is_told() {
    const INVALID_OPLOCK_PROTOCOL: u32 = 0xC000_00E3;
    let mut scene = Scene::new("A create f \"x\" oplock=exclusive\nA echo\n").await;
    scene.open(0, OplockLevel::EXCLUSIVE).await;
    scene.break_oplock(0, OplockLevel::NONE).await;
    scene
        .acknowledged(0, OplockLevel::NONE, INVALID_OPLOCK_PROTOCOL)
        .await;
    scene.answered("acknowledge none").await;
    scene.settled("acknowledge", INVALID_OPLOCK_PROTOCOL).await;
    scene.broken(0).await;
    scene.silence(1).await;
    scene.end().await;
}

#[tokio::test]
async fn what_uses_the_handle_waits_for_a_late_acknowledgement() {
    let steps = "client A2 on=A\nA create f \"x\" access=rw oplock=batch\nA on-break f ack-after 2s\nA flush f\n\
        A2 echo\n";
    let mut scene = Scene::new(steps).await;
    scene.open(0, OplockLevel::BATCH).await;
    scene.done(1).await;
    let begun = Instant::now();
    scene.break_oplock(0, OplockLevel::II).await;
    scene.broken(0).await;
    // The flush waits; what does not use the handle goes.
    scene.player.submit(A, &[step(2)]);
    scene.player.submit(ClientId(1), &[step(3)]);
    scene.expect(Command::ECHO).await;
    scene.status(3, 0).await;
    scene.acknowledged(0, OplockLevel::II, 0).await;
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert_eq!(scene.answered("acknowledge ii").await, None);
    scene.expect(Command::FLUSH).await;
    scene.status(2, 0).await;
    match scene.player.reaction().await {
        Reaction::Held { step, time } => {
            assert_eq!(step, StepId(2));
            assert!(time > Duration::ZERO);
        }
        other => panic!("{other:?}"),
    }
    scene.end().await;
}

#[tokio::test]
async fn close_and_acknowledge_do_not_wait() {
    let steps = "A create f \"x\" oplock=batch\nA on-break f ack-after 1h\nA acknowledge f ii\nA echo\n\
        A create g \"y\" oplock=batch\nA on-break g ack-after 1h\nA close g\nA echo\n";
    let mut scene = Scene::broken_batch(&steps.replace("1h", "3600s")).await;
    scene.player.submit(A, &[step(2)]);
    scene.acknowledged(0, OplockLevel::II, 0).await;
    scene.status(2, 0).await;
    scene.silence(3).await;
    scene.open(4, OplockLevel::BATCH).await;
    scene.done(5).await;
    scene.break_oplock(4, OplockLevel::II).await;
    scene.broken(4).await;
    scene.player.submit(A, &[step(6)]);
    scene.expect(Command::CLOSE).await;
    scene.status(6, 0).await;
    scene.silence(7).await;
    scene.end().await;
}

#[tokio::test]
async fn what_waits_for_an_acknowledgement_is_lost_with_the_connection() {
    let steps = "A create f \"x\" oplock=batch\nA on-break f ack-after 3600s\nA flush f\n";
    let mut scene = Scene::broken_batch(steps).await;
    scene.player.submit(A, &[step(2)]);
    drop(scene.fake);
    let outcome = scene.player.done(step(2), None).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    scene.player.lost(A).await;
    scene.player.close().await;
}

#[tokio::test]
async fn what_waits_for_an_acknowledgement_does_not_hold_up_the_end() {
    let steps = "A create f \"x\" oplock=batch\nA on-break f ack-after 3600s\nA flush f\n";
    let mut scene = Scene::broken_batch(steps).await;
    scene.player.submit(A, &[step(2)]);
    let ((), rest) = tokio::join!(scene.fake.wind_up(), scene.player.close());
    assert_eq!(rest.len(), 1, "{rest:?}");
}

#[tokio::test]
async fn a_break_can_be_answered_by_a_close() {
    let steps = "A create f \"x\" oplock=batch\nA on-break f close\nA flush f -> FILE_CLOSED\n";
    let mut scene = Scene::broken_batch(steps).await;
    scene.expect(Command::CLOSE).await;
    scene.answered("close").await;
    scene.settled("close", 0).await;
    // A second break of what is gone is told, and not answered; the trace may still name the handle.
    scene.break_oplock(0, OplockLevel::NONE).await;
    scene.broken(0).await;
    scene.player.submit(A, &[step(2)]);
    let (header, request) = scene.fake.request().await;
    assert!(
        matches!(&request, Request::Flush(flush) if flush.file_id == id(0)),
        "{request:?}"
    );
    let closed = Header {
        status: 0xC000_0128,
        ..answer_to(&header)
    };
    let error = Response::Error(ErrorResponse::default());
    scene.fake.send(&closed, &error).await;
    scene.status(2, 0xC000_0128).await;
    // It is not closed a second time at the end.
    let requests = tokio::join!(scene.fake.until_the_end(), scene.player.close_one(A)).0;
    assert!(
        !requests
            .iter()
            .any(|request| matches!(request, Request::Close(_))),
        "{requests:?}"
    );
    scene.player.close().await;
}

#[tokio::test]
async fn a_break_that_crosses_a_close_is_not_answered() {
    let mut scene = Scene::new("A create f \"x\" oplock=batch\nA close f\nA echo\n").await;
    scene.open(0, OplockLevel::BATCH).await;
    scene.player.submit(A, &[step(1)]);
    let (header, request) = scene.fake.request().await;
    assert!(matches!(request, Request::Close(_)), "{request:?}");
    scene.break_oplock(0, OplockLevel::II).await;
    scene.broken(0).await;
    let closed = Response::Close(CloseResponse::default());
    scene.fake.send(&answer_to(&header), &closed).await;
    scene.status(1, 0).await;
    scene.silence(2).await;
    scene.end().await;
}

#[tokio::test]
async fn an_ignored_break_is_answered_by_the_trace_alone() {
    let steps = "A create f \"x\" oplock=batch\nA on-break f ignore\nA flush f\n\
        A acknowledge f batch -> INVALID_PARAMETER\nA acknowledge f ii\n";
    let mut scene = Scene::broken_batch(steps).await;
    scene.player.submit(A, &[step(2)]);
    scene.expect(Command::FLUSH).await;
    scene.status(2, 0).await;
    scene.player.submit(A, &[step(3)]);
    scene.acknowledged(0, OplockLevel::BATCH, 0xC000_000D).await;
    scene.status(3, 0xC000_000D).await;
    scene.player.submit(A, &[step(4)]);
    scene.acknowledged(0, OplockLevel::II, 0).await;
    scene.status(4, 0).await;
    scene.end().await;
}

#[tokio::test]
async fn two_breaks_of_one_lease_are_one_late_acknowledgement() {
    let steps = "A create f \"x\" lease-key=k lease-state=rwh\nA on-break f ack-after 2s\nA echo\n";
    let mut scene = Scene::new(steps).await;
    scene.open_lease(0, 7).await;
    scene.done(1).await;
    scene.break_lease(7, 3).await;
    scene.break_lease(7, 1).await;
    let said = scene.broken(0).await;
    assert_eq!(
        said,
        "OK transition=rwh->rh acknowledge=yes lease-epoch=0 lease-key=k"
    );
    scene.broken(0).await;
    scene.acknowledged_lease(1).await;
    scene.answered("acknowledge r").await;
    scene.settled("acknowledge", 0).await;
    scene.silence(2).await;
    scene.end().await;
}

#[tokio::test]
async fn two_breaks_of_one_lease_are_acknowledged_each_when_at_once() {
    let mut scene = Scene::new("A create f \"x\" lease-key=k lease-state=rwh\nA echo\n").await;
    scene.open_lease(0, 7).await;
    scene.break_lease(7, 3).await;
    scene.break_lease(3, 0).await;
    scene.acknowledged_lease(3).await;
    scene.acknowledged_lease(0).await;
    scene.broken(0).await;
    scene.broken(0).await;
    scene.silence(1).await;
    scene.end().await;
}

#[tokio::test]
async fn a_lease_is_closed_with_all_its_handles() {
    let steps = "A create f \"x\" lease-key=k lease-state=rwh\nA create g \"x\" lease-key=k lease-state=rwh\n\
        A on-break g close\nA echo\n";
    let mut scene = Scene::new(steps).await;
    scene.open_lease(0, 7).await;
    scene.open_lease(1, 7).await;
    scene.done(2).await;
    scene.break_lease(7, 3).await;
    scene.broken(0).await;
    for number in [0, 1] {
        let (header, request) = scene.fake.request().await;
        assert!(
            matches!(&request, Request::Close(close) if close.file_id == id(number)),
            "{request:?}"
        );
        let closed = Response::Close(CloseResponse::default());
        scene.fake.send(&answer_to(&header), &closed).await;
    }
    scene.silence(3).await;
    scene.end().await;
}

#[tokio::test]
async fn a_break_of_a_handle_or_lease_that_is_gone_is_told_and_not_answered() {
    let steps = "A create f \"x\" lease-key=k lease-state=rwh\nA close f\nA echo\n";
    let mut scene = Scene::new(steps).await;
    scene.open_lease(0, 7).await;
    scene.player.submit(A, &[step(1)]);
    scene.expect(Command::CLOSE).await;
    scene.status(1, 0).await;
    scene.break_lease(7, 0).await;
    scene.break_oplock(0, OplockLevel::NONE).await;
    scene.silence(2).await;
    let ((), rest) = tokio::join!(scene.fake.wind_up(), scene.player.close());
    let gone = |event: &replay_engine::Event| match &event.kind {
        replay_engine::EventKind::Break(event) => event.opened_by.is_none(),
        _ => false,
    };
    assert!(rest.len() == 2 && rest.iter().all(gone), "{rest:?}");
}

#[tokio::test]
async fn what_was_never_granted_is_not_acknowledged() {
    let mut scene = Scene::new("A create f \"x\"\nA echo\n").await;
    scene.open(0, OplockLevel::NONE).await;
    for _ in 0..1000 {
        scene.break_oplock(0, OplockLevel::NONE).await;
    }
    for _ in 0..1000 {
        assert_eq!(
            scene.broken(0).await,
            "OK transition=none->none acknowledge=no"
        );
    }
    scene.silence(1).await;
    scene.end().await;
}
