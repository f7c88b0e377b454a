//! Servers that break the protocol: each time the connection ends, and the outcome says what was wrong.

use super::*;

/// Plays `server` after an ECHO has been asked, and gives how the ECHO ended. The connection must be gone then.
async fn ends(text: &str, server: impl AsyncFnOnce(&mut Fake, Header)) -> Outcome {
    let (mut player, mut fake, _listener) = connected(text).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    server(&mut fake, header).await;
    let outcome = player.done(step(0), None).await;
    player.lost(A).await;
    player.submit(A, &[step(1)]);
    let after = player.done(step(1), None).await;
    assert!(
        matches!(&after, Outcome::Lost(why) if why.contains("not connected")),
        "{after:?}"
    );
    assert_eq!(player.close().await.len(), 0);
    outcome
}

#[tokio::test]
async fn an_answer_to_nothing_is_a_violation() {
    let outcome = ends(ANONYMOUS, async |fake, header| {
        let header = Header {
            message_id: header.message_id + 1000,
            ..answer_to(&header)
        };
        fake.send(&header, &echo()).await;
    });
    is_violation(&outcome.await, "not in flight");
}

#[tokio::test]
async fn an_answer_to_another_command_or_session_is_a_violation() {
    let outcome = ends(ANONYMOUS, async |fake, header| {
        let header = Header {
            command: Command::FLUSH,
            ..answer_to(&header)
        };
        fake.send(&header, &Response::Flush(FlushResponse)).await;
    });
    is_violation(&outcome.await, "flush for a echo");
    let outcome = ends(ANONYMOUS, async |fake, header| {
        let header = Header {
            session_id: 1,
            ..answer_to(&header)
        };
        fake.send(&header, &echo()).await;
    });
    is_violation(&outcome.await, "session");
}

#[tokio::test]
async fn frames_that_are_none_are_violations() {
    let outcome = ends(ANONYMOUS, async |fake, _| {
        fake.raw(&[0, 0xff, 0xff, 0xff]).await
    });
    is_violation(&outcome.await, "length");
    let outcome = ends(ANONYMOUS, async |fake, _| {
        fake.raw(b"HTTP/1.1 400 Bad Request").await
    });
    is_violation(&outcome.await, "type");
    let outcome = ends(ANONYMOUS, async |fake, _| fake.frame(b"\xffSMB0123").await);
    is_violation(&outcome.await, "SMB1");
    let outcome = ends(ANONYMOUS, async |fake, _| fake.frame(b"\xfcSMB0123").await);
    is_violation(&outcome.await, "compress");
    let outcome = ends(ANONYMOUS, async |fake, _| fake.frame(&[0xfd; 60]).await);
    is_violation(&outcome.await, "none of SMB");
    let outcome = ends(ANONYMOUS, async |fake, header| {
        let mut message = fake.signed(&answer_to(&header), &echo());
        message.truncate(65);
        fake.frame(&message).await;
    });
    is_violation(&outcome.await, "bytes needed");
}

#[tokio::test]
async fn an_unsolicited_message_that_is_no_break_is_a_violation() {
    let outcome = ends(ANONYMOUS, async |fake, header| {
        fake.send(
            &Header {
                message_id: Header::UNSOLICITED,
                ..answer_to(&header)
            },
            &echo(),
        )
        .await;
    });
    is_violation(&outcome.await, "unsolicited");
}

#[tokio::test]
async fn an_oplock_that_nobody_asked_for_is_a_violation() {
    let text = "client A anonymous dialect=2.0.2..2.1\nA create f \"x\"\n";
    let (mut player, mut fake, _listener) = connected(text).await;
    let outcome = opened(&mut player, &mut fake, OplockLevel::II).await;
    is_violation(&outcome, "oplock");
    player.close().await;
}
