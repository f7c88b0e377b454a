//! Servers that are slow, say nothing or grant no credits.

use std::time::{Duration, Instant};

use super::fake::connecting;
use super::*;

#[tokio::test]
async fn requests_wait_for_credits() {
    let text = "client A anonymous dialect=2.0.2..2.1\nclient B on=A\nA echo\nB echo\nA echo\n";
    let (mut player, mut fake, _listener) = connecting(text).await;
    fake.grant = 0;
    player.done(Op::Connect, None).await;
    // What the login has left is used up first: one to begin with, 32 for each of four exchanges, which cost one each.
    const LEFT: u32 = 1 + 4 * 32 - 4;
    let mut spent = 0;
    let header = loop {
        player.submit(A, &[step(0)]);
        let (header, _) = fake.request().await;
        if spent == LEFT - 1 {
            break header;
        }
        fake.send(&answer_to(&header), &echo()).await;
        player.done(step(0), None).await;
        spent += 1;
    };
    player.submit(ClientId(1), &[step(1)]);
    fake.grant = 1;
    fake.send(&answer_to(&header), &echo()).await;
    player.done(step(0), None).await;
    let (header, _) = fake.request().await;
    fake.grant = 0;
    fake.send(&answer_to(&header), &echo()).await;
    player.done(step(1), None).await;
    // Now there is none, and nothing is in flight that could bring one.
    player.submit(A, &[step(2)]);
    is_violation(&player.done(step(2), None).await, "credits");
    // An orderly end costs credits too, so there can be none; but there is an end.
    let error = player.close_one(A).await.expect_err("no credit for LOGOFF");
    assert!(error.to_string().contains("credits"), "{error}");
    fake.until_the_end().await;
    player.close().await;
}

#[tokio::test]
async fn a_slow_reader_gets_every_byte() {
    let text = "client A anonymous dialect=2.0.2..2.1\nA create f \"x\" access=rw\nA write f len=8388608 fill=3\n";
    let (mut player, mut fake, _listener) = connected(text).await;
    fake.grant = 256;
    opened(&mut player, &mut fake, OplockLevel::NONE).await;
    player.submit(A, &[step(1)]);
    // More than any socket buffer holds is still with the client.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (header, request) = fake.request().await;
    let Request::Write(write) = request else {
        panic!("{request:?}")
    };
    assert_eq!(write.data.len(), 8 << 20);
    assert_eq!(replay_ir::fill::verify(3, 0, &write.data), Ok(()));
    assert_eq!(header.credit_charge, 128);
    let written = WriteResponse {
        count: 8 << 20,
        ..Default::default()
    };
    fake.send(&answer_to(&header), &Response::Write(written))
        .await;
    player.done(step(1), None).await;
    let ((), rest) = tokio::join!(fake.wind_up(), player.close());
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_silent_server_does_not_hold_up_the_end() {
    let (mut player, mut fake, _listener) = connected(ANONYMOUS).await;
    player.submit(A, &[step(0)]);
    fake.request().await;
    let begun = Instant::now();
    let error = player.close_one(A).await.expect_err("nothing was answered");
    assert!(error.to_string().contains("closing client A"), "{error}");
    assert!(
        (2..5).contains(&begun.elapsed().as_secs()),
        "{:?}",
        begun.elapsed()
    );
    let outcome = player.done(step(0), None).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    // It hangs up, and leaves nothing behind that would still talk.
    fake.until_the_end().await;
}

#[tokio::test]
async fn a_disconnect_waits_until_the_server_has_noticed_but_not_for_long() {
    let text = "client A anonymous dialect=2.0.2..2.1\nA disconnect\n";
    for (closes, least, most) in [(Some(300), 300, 900), (None, 1_000, 4_000)] {
        let (mut player, mut fake, _listener) = connected(text).await;
        let begun = Instant::now();
        player.submit(A, &[step(0)]);
        assert!(fake.until_the_end().await.is_empty(), "without a word");
        // What it still says is not heard.
        fake.frame(&[0; 100]).await;
        let mut fake = Some(fake);
        if let Some(closes) = closes {
            tokio::time::sleep(Duration::from_millis(closes)).await;
            fake = None;
        }
        let outcome = player.done(step(0), None).await;
        let took = begun.elapsed().as_millis();
        assert!(matches!(outcome, Outcome::Answered(_)), "{outcome:?}");
        assert!((least..most).contains(&took), "{took} ms");
        player.close().await;
        drop(fake);
    }
}
