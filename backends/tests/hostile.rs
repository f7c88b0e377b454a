//! The native client against servers that break the protocol, stop in the middle, or are merely slow: every operation
//! ends, with the right outcome, and nothing panics.

mod common;
#[path = "hostile/fake.rs"]
mod fake;
#[path = "hostile/pace.rs"]
mod pace;
#[path = "hostile/sessions.rs"]
mod sessions;
#[path = "hostile/signatures.rs"]
mod signatures;
#[path = "hostile/violations.rs"]
mod violations;

use replay_engine::{Event, EventKind, Op, Outcome};
use replay_ir::random::SplitMix64;
use replay_ir::{ClientId, StepId};
use smb_wire::messages::*;
use smb_wire::*;
use tokio::net::TcpListener;

use common::Player;
use fake::{Fake, PASSWORD, answer_to, connected};

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

/// The answer to a CREATE.
fn created(oplock_level: OplockLevel) -> Response {
    Response::Create(CreateResponse {
        oplock_level,
        file_id: HANDLE,
        ..Default::default()
    })
}

/// Lets A's first step, a CREATE, be answered with [`HANDLE`], and gives how it ended.
async fn opened(player: &mut Player, fake: &mut Fake, oplock_level: OplockLevel) -> Outcome {
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    fake.send(&answer_to(&header), &created(oplock_level)).await;
    player.done(step(0), None).await
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
    opened(&mut player, &mut fake, OplockLevel::BATCH).await;

    let unasked = Header {
        command: Command::OPLOCK_BREAK,
        message_id: Header::UNSOLICITED,
        flags: Flags::SERVER_TO_REDIR,
        ..Header::default()
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
async fn any_bytes_end_in_an_outcome() {
    let mut random = SplitMix64::new(1);
    let mut next = move || random.draw();
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
    drop(fake);
    player.lost(A).await;
    player.close().await;
    for logged in ["answer discarded", "connection ended"] {
        assert!(logs_contain(logged), "the client logs at all: {logged}");
    }
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
