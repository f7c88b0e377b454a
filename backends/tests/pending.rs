//! What waits at the server: CANCEL names it as MS-SMB2 3.2.4.24 says, and CHANGE_NOTIFY tells what came, on the native
//! client with a server that sends exactly what a test says.

mod common;
#[path = "hostile/fake.rs"]
// Another test binary uses the rest of it.
#[allow(dead_code)]
mod fake;

use replay_engine::{Op, Outcome};
use replay_ir::{ClientId, StepId};
use smb_vocabulary::VOCABULARY;
use smb_wire::fscc::{FileNotifyInformation, encode_notify};
use smb_wire::messages::*;
use smb_wire::*;

use common::Player;
use fake::{Fake, answer_to, connected};

const A: ClientId = ClientId(0);
const ASYNC_ID: u64 = 0x77_0000_0001;
const CANCELLED: u32 = 0xC000_0120;
const STEPS: &str = "client A anonymous dialect=2.0.2..2.1\nA create d \"\" options=directory\n\
    n: A notify d filter=file-name|security tree buffer=512 -> PENDING\nA cancel n\n";

fn step(number: u32) -> Op {
    Op::Step(StepId(number))
}

/// A client whose directory is open and whose CHANGE_NOTIFY has been asked, and the header of that.
async fn asked() -> (Player, Fake, Header) {
    let (mut player, mut fake, _) = connected(STEPS).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    let created = CreateResponse::default();
    fake.send(&answer_to(&header), &Response::Create(created))
        .await;
    player.done(step(0), None).await;
    player.submit(A, &[step(1)]);
    let (header, request) = fake.request().await;
    let expected = ChangeNotifyRequest {
        flags: NotifyFlags::WATCH_TREE,
        output_buffer_length: 512,
        file_id: FileId::default(),
        completion_filter: CompletionFilter::FILE_NAME | CompletionFilter::SECURITY,
    };
    assert_eq!(request, Request::ChangeNotify(expected));
    (player, fake, header)
}

fn async_header(request: &Header, status: u32) -> Header {
    Header {
        status,
        form: HeaderForm::Async { async_id: ASYNC_ID },
        flags: Flags::SERVER_TO_REDIR | Flags::ASYNC_COMMAND,
        ..answer_to(request)
    }
}

/// Sends the interim answer and waits until it has been reported.
async fn interim(player: &mut Player, fake: &mut Fake, request: &Header) {
    let header = async_header(request, ntstatus::PENDING);
    let body = Response::Error(ErrorResponse::default());
    fake.send(&header, &body).await;
    assert_eq!(player.interim(StepId(1)).await.status, ntstatus::PENDING);
}

/// Sends the final answer and gives what it is to the trace.
async fn answered(
    player: &mut Player,
    fake: &mut Fake,
    request: &Header,
    status: u32,
    buffer: Vec<u8>,
) -> String {
    let response = match status {
        ntstatus::SUCCESS | ntstatus::NOTIFY_ENUM_DIR => {
            Response::ChangeNotify(ChangeNotifyResponse { buffer })
        }
        _ => Response::Error(ErrorResponse::default()),
    };
    fake.send(&async_header(request, status), &response).await;
    match player.done(step(1), None).await {
        Outcome::Answered(answer) => answer.to_text(&VOCABULARY),
        other => panic!("{other:?}"),
    }
}

async fn end(player: Player, fake: Fake) {
    let ((), rest) = tokio::join!(fake.wind_up(), player.close());
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn cancel_names_the_async_id_once_it_is_known() {
    let (mut player, mut fake, request) = asked().await;
    interim(&mut player, &mut fake, &request).await;
    player.submit(A, &[step(2)]);
    player.done(step(2), None).await;
    let (header, body) = fake.request().await;
    assert!(matches!(body, Request::Cancel(_)), "{body:?}");
    assert_eq!(header.form, HeaderForm::Async { async_id: ASYNC_ID });
    assert!(header.flags.contains(Flags::ASYNC_COMMAND), "{header:?}");
    assert_eq!(header.message_id, request.message_id);
    let said = answered(&mut player, &mut fake, &request, CANCELLED, Vec::new()).await;
    assert_eq!(said, "CANCELLED");
    end(player, fake).await;
}

#[tokio::test]
async fn cancel_names_the_message_id_before() {
    let (mut player, mut fake, request) = asked().await;
    player.submit(A, &[step(2)]);
    player.done(step(2), None).await;
    let (header, body) = fake.request().await;
    assert!(matches!(body, Request::Cancel(_)), "{body:?}");
    assert!(!header.flags.contains(Flags::ASYNC_COMMAND), "{header:?}");
    assert_eq!(header.message_id, request.message_id);
    let cancelled = Header {
        status: CANCELLED,
        ..answer_to(&request)
    };
    let body = Response::Error(ErrorResponse::default());
    fake.send(&cancelled, &body).await;
    let outcome = player.done(step(1), None).await;
    assert!(
        matches!(&outcome, Outcome::Answered(answer) if answer.status == CANCELLED),
        "{outcome:?}"
    );
    // What has its answer is not asked to be cancelled.
    player.submit(A, &[step(2)]);
    player.done(step(2), None).await;
    end(player, fake).await;
}

#[tokio::test]
async fn changes_are_told_in_their_order() {
    let (mut player, mut fake, request) = asked().await;
    interim(&mut player, &mut fake, &request).await;
    let change = |action, name: &str| FileNotifyInformation {
        action,
        file_name: name.into(),
    };
    let mut buffer = Vec::new();
    let changes = [
        change(NotifyAction::RENAMED_OLD_NAME, "b\\old"),
        change(NotifyAction::RENAMED_NEW_NAME, "b\\new"),
        change(NotifyAction::ADDED, "a"),
    ];
    encode_notify(&changes, &mut buffer);
    let said = answered(&mut player, &mut fake, &request, 0, buffer).await;
    assert_eq!(
        said,
        "OK changes=\"renamed-old-name b/old\",\"renamed-new-name b/new\",\"added a\""
    );
    end(player, fake).await;
}

#[tokio::test]
async fn too_many_changes_are_none() {
    let (mut player, mut fake, request) = asked().await;
    interim(&mut player, &mut fake, &request).await;
    let enum_dir = ntstatus::NOTIFY_ENUM_DIR;
    let said = answered(&mut player, &mut fake, &request, enum_dir, Vec::new()).await;
    assert_eq!(said, "NOTIFY_ENUM_DIR");
    end(player, fake).await;
}

#[tokio::test]
async fn changes_that_cannot_be_read_are_a_violation() {
    for buffer in [
        vec![0; 11],
        vec![0xff; 64],
        [&[0_u8; 8][..], &[200, 0, 0, 0]].concat(),
    ] {
        let (mut player, mut fake, request) = asked().await;
        interim(&mut player, &mut fake, &request).await;
        let response = Response::ChangeNotify(ChangeNotifyResponse { buffer });
        fake.send(&async_header(&request, 0), &response).await;
        let outcome = player.done(step(1), None).await;
        assert!(matches!(outcome, Outcome::Violation(_)), "{outcome:?}");
        player.lost(A).await;
        player.close().await;
    }
}
