//! The native client against servers that break the protocol, stop in the middle, or are merely slow: every operation
//! ends, with the right outcome, and nothing panics.

mod common;
#[path = "hostile/fake.rs"]
mod fake;
#[path = "hostile/sessions.rs"]
mod sessions;

use std::time::{Duration, Instant};

use replay_engine::{Event, EventKind, Op, Outcome};
use replay_ir::{ClientId, StepId};
use smb_wire::messages::*;
use smb_wire::*;
use tokio::net::TcpListener;

use common::Player;
use fake::{Fake, PASSWORD, answer_to, connected, listen, player};

const A: ClientId = ClientId(0);
const HANDLE: FileId = FileId {
    persistent: 11,
    volatile: 22,
};

/// A client whose every request and answer is signed.
const SIGNED: &str = "client A user=alice dialect=2.0.2..2.1 signing=required\nA echo\nA echo\n";
/// A client without a key.
const ANONYMOUS: &str = "client A anonymous dialect=2.0.2..2.1\nA echo\nA echo\n";

fn step(number: u32) -> Op {
    Op::Step(StepId(number))
}

fn echo() -> Response {
    Response::Echo(EchoResponse)
}

/// Answers a CREATE with [`HANDLE`].
async fn created(fake: &mut Fake, header: &Header, oplock_level: OplockLevel) {
    let created = CreateResponse {
        oplock_level,
        file_id: HANDLE,
        ..Default::default()
    };
    fake.send(&answer_to(header), &Response::Create(created))
        .await;
}

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

fn is_violation(outcome: &Outcome, with: &str) {
    assert!(
        matches!(outcome, Outcome::Violation(why) if why.contains(with)),
        "{with}: {outcome:?}"
    );
}

#[tokio::test]
async fn connecting_what_is_connected_fails_the_step_and_not_the_run() {
    let text = "client A anonymous dialect=2.0.2..2.1\nA echo\nA connect\n";
    let (mut player, fake, _listener) = connected(text).await;
    player.submit(A, &[step(1)]);
    let outcome = player.done(step(1), None).await;
    assert!(
        matches!(&outcome, Outcome::Lost(why) if why.contains("connected already")),
        "{outcome:?}"
    );
    let ((), rest) = tokio::join!(fake.wind_up(), player.close());
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_wrong_signature_is_a_violation() {
    let outcome = ends(SIGNED, async |fake, header| {
        let mut message = fake.signed(&answer_to(&header), &echo());
        message[50] ^= 1;
        fake.frame(&message).await;
    });
    is_violation(&outcome.await, "signature");
}

#[tokio::test]
async fn an_answer_that_must_be_signed_and_is_not_is_a_violation() {
    let outcome = ends(SIGNED, async |fake, header| {
        let mut builder = FrameBuilder::new();
        builder.response(
            &Header {
                flags: Flags::SERVER_TO_REDIR,
                ..answer_to(&header)
            },
            &echo(),
        );
        fake.frame(&builder.finish()).await;
    });
    is_violation(&outcome.await, "not signed");
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
async fn an_end_in_the_middle_of_a_frame_is_a_loss() {
    let (mut player, mut fake, _listener) = connected(ANONYMOUS).await;
    player.submit(A, &[step(0)]);
    fake.request().await;
    fake.raw(&[0, 0, 0, 100, 0xfe, b'S']).await;
    drop(fake);
    let outcome = player.done(step(0), None).await;
    assert!(
        matches!(&outcome, Outcome::Lost(why) if why.contains("middle of a frame")),
        "{outcome:?}"
    );
    let reason = player.lost(A).await;
    assert!(reason.contains("middle of a frame"), "{reason}");
    player.close().await;
}

#[tokio::test]
async fn pending_comes_first_and_once() {
    let (mut player, mut fake, _listener) = connected(SIGNED).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    let interim = Header {
        status: ntstatus::PENDING,
        form: HeaderForm::Async { async_id: 77 },
        flags: Flags::SERVER_TO_REDIR | Flags::ASYNC_COMMAND,
        ..answer_to(&header)
    };
    let body = Response::Error(ErrorResponse::default());
    fake.send(&interim, &body).await;
    assert_eq!(player.interim(StepId(0)).await.status, ntstatus::PENDING);
    fake.send(
        &Header {
            status: 0,
            flags: interim.flags,
            ..interim
        },
        &echo(),
    )
    .await;
    let outcome = player.done(step(0), None).await;
    assert!(
        matches!(&outcome, Outcome::Answered(answer) if answer.status == 0),
        "{outcome:?}"
    );
    let ((), rest) = tokio::join!(fake.wind_up(), player.close());
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_break_is_reported_and_acknowledged() {
    let text = "client A anonymous dialect=2.0.2..2.1\nA create f \"x\" oplock=batch\nA echo\n";
    let (mut player, mut fake, _listener) = connected(text).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    created(&mut fake, &header, OplockLevel::BATCH).await;
    player.done(step(0), None).await;

    let unasked = Header {
        command: Command::OPLOCK_BREAK,
        message_id: Header::UNSOLICITED,
        session_id: 0,
        form: HeaderForm::default(),
        ..answer_to(&header)
    };
    let notify = |file_id| {
        Response::OplockBreakNotification(OplockBreakNotification {
            oplock_level: OplockLevel::II,
            file_id,
        })
    };
    fake.send(&unasked, &notify(HANDLE)).await;
    let event = player.broken(StepId(0)).await;
    let text = event.answer.to_text(&smb_vocabulary::VOCABULARY);
    assert_eq!(text, "OK transition=batch->ii acknowledge=yes");
    let (header, request) = fake.request().await;
    let Request::OplockBreak(acknowledgment) = request else {
        panic!("{request:?}")
    };
    assert_eq!(
        (acknowledgment.oplock_level, acknowledgment.file_id),
        (OplockLevel::II, HANDLE)
    );
    // That the server refuses an acknowledgement is nobody's failure.
    let refused = Header {
        status: 0xC000_00E3,
        ..answer_to(&header)
    };
    fake.send(&refused, &Response::Error(ErrorResponse::default()))
        .await;

    // A break of a handle that nobody knows is told, and not acknowledged.
    fake.send(
        &unasked,
        &notify(FileId {
            persistent: 1,
            volatile: 1,
        }),
    )
    .await;
    player.submit(A, &[step(1)]);
    let (header, request) = fake.request().await;
    assert!(matches!(request, Request::Echo(_)), "{request:?}");
    fake.send(&answer_to(&header), &echo()).await;
    player.done(step(1), None).await;
    let ((), rest) = tokio::join!(fake.wind_up(), player.close());
    let [
        Event {
            kind: EventKind::Break(event),
            ..
        },
    ] = &rest[..]
    else {
        panic!("{rest:?}")
    };
    assert_eq!(event.opened_by, None);
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
async fn requests_wait_for_credits() {
    let text = "client A anonymous dialect=2.0.2..2.1\nclient B on=A\nA echo\nB echo\nA echo\n";
    let (listener, address) = listen().await;
    let mut player = player(text, address);
    let accept = async {
        let mut fake = Fake::accept(&listener).await;
        fake.grant = 0;
        fake
    };
    player.submit(A, &[Op::Connect]);
    let mut fake = accept.await;
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
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    created(&mut fake, &header, OplockLevel::NONE).await;
    player.done(step(0), None).await;
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

#[tokio::test]
async fn any_bytes_end_in_an_outcome() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..60 {
        let (mut player, mut fake, _listener) = connected(SIGNED).await;
        player.submit(A, &[step(0)]);
        let (header, _) = fake.request().await;
        let mut message = fake.signed(&answer_to(&header), &echo());
        for _ in 0..next() % 6 {
            let at = (next() % message.len() as u64) as usize;
            message[at] = next() as u8;
        }
        message.truncate((next() % (2 * message.len() as u64)) as usize);
        fake.frame(&message).await;
        drop(fake);
        // Whatever it is: it ends, and the client can be closed.
        player.done(step(0), None).await;
        player.close().await;
    }
}

#[tracing_test::traced_test]
#[tokio::test]
async fn no_secret_is_logged() {
    let (mut player, mut fake, _listener) = connected(SIGNED).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    let mut message = fake.signed(&answer_to(&header), &echo());
    message[50] ^= 1;
    fake.frame(&message).await;
    player.done(step(0), None).await;
    player.close().await;
    assert!(logs_contain("connection ended"), "the client logs at all");
    assert!(!logs_contain(PASSWORD));
    for level in ["session_key", "signing_key", "Secret", "password"] {
        logs_assert(|lines| {
            match lines
                .iter()
                .find(|line| line.contains(level) && line.contains("smb_backends"))
            {
                Some(line) => Err(format!("{level}: {line}")),
                None => Ok(()),
            }
        });
    }
}

#[tokio::test]
async fn an_oplock_that_nobody_asked_for_is_a_violation() {
    let text = "client A anonymous dialect=2.0.2..2.1\nA create f \"x\"\n";
    let (mut player, mut fake, _listener) = connected(text).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    created(&mut fake, &header, OplockLevel::II).await;
    is_violation(&player.done(step(0), None).await, "oplock");
    player.close().await;
}
