//! Servers that mix up sessions, and one that answers a reconnect with rubbish.

use replay_engine::Event;
use smb_wire::crypto::{Key, TransformCipher};

use super::fake::{SESSION, TREE, connecting};
use super::*;

const B: ClientId = ClientId(1);
/// The second session of the connection, and its tree.
const OTHER: u64 = 0x07e5_1022;
const OTHER_TREE: u32 = 0x7ef;

/// A lane with a session of its own, which is there together with the connection.
const IMPLICIT: &str = "client A anonymous dialect=2.0.2..2.1\nclient B on=A anonymous\nA echo\nB echo\n\
                        B create f \"x\"\n";
/// The same, logged in by a step.
const EXPLICIT: &str =
    "client A anonymous dialect=2.0.2..2.1\nclient B on=A anonymous\nA echo\nB connect\n";

/// Answers the requests of a second login, the last SESSION_SETUP under `last`.
async fn second_login(fake: &mut Fake, last: u64) {
    let (header, request) = fake.request().await;
    assert!(matches!(request, Request::SessionSetup(_)), "{request:?}");
    assert_eq!(header.session_id, 0, "a new session has no id yet");
    let more = Header {
        status: ntstatus::MORE_PROCESSING_REQUIRED,
        session_id: OTHER,
        ..answer_to(&header)
    };
    let challenge = SessionSetupResponse {
        buffer: b"NTLMSSP\0\x02".to_vec(),
        ..Default::default()
    };
    fake.send(&more, &Response::SessionSetup(challenge)).await;
    let (header, _) = fake.request().await;
    assert_eq!(header.session_id, OTHER);
    let done = SessionSetupResponse {
        session_flags: SessionFlags::IS_NULL,
        ..Default::default()
    };
    let header = Header {
        session_id: last,
        ..answer_to(&header)
    };
    fake.send(&header, &Response::SessionSetup(done)).await;
}

/// Answers the TREE_CONNECT that ends a second login.
async fn second_tree(fake: &mut Fake) {
    let (header, request) = fake.request().await;
    assert!(matches!(request, Request::TreeConnect(_)), "{request:?}");
    assert_eq!(header.session_id, OTHER);
    let form = HeaderForm::Sync {
        reserved: 0,
        tree_id: OTHER_TREE,
    };
    let header = Header {
        form,
        ..answer_to(&header)
    };
    fake.send(
        &header,
        &Response::TreeConnect(TreeConnectResponse::default()),
    )
    .await;
}

/// Two clients, each in a session of its own on one connection.
async fn two_sessions() -> (Player, Fake, TcpListener) {
    let (mut player, mut fake, listener) = connecting(IMPLICIT).await;
    second_login(&mut fake, OTHER).await;
    second_tree(&mut fake).await;
    let outcome = player.done(Op::Connect, Some(A)).await;
    assert!(matches!(outcome, Outcome::Answered(answer) if answer.status == 0));
    (player, fake, listener)
}

async fn closes(player: Player) {
    let unwanted: Vec<Event> = player.close().await;
    assert_eq!(unwanted.len(), 0, "{unwanted:?}");
}

#[tokio::test]
async fn each_client_sends_in_its_own_session_and_tree() {
    let (mut player, mut fake, _listener) = two_sessions().await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    assert_eq!(header.session_id, SESSION);
    fake.send(&answer_to(&header), &echo()).await;
    player.done(step(0), None).await;
    player.submit(B, &[step(2)]);
    let (header, _) = fake.request().await;
    assert_eq!(
        (header.session_id, header.tree_id()),
        (OTHER, Some(OTHER_TREE))
    );
    assert_ne!(TREE, OTHER_TREE);
    let refused = Header {
        status: ntstatus::ACCESS_DENIED,
        ..answer_to(&header)
    };
    fake.send(&refused, &Response::Error(ErrorResponse::default()))
        .await;
    let outcome = player.done(step(2), None).await;
    assert!(
        matches!(&outcome, Outcome::Answered(answer) if answer.status == ntstatus::ACCESS_DENIED),
        "{outcome:?}"
    );
    let (closed, ()) = tokio::join!(player.close(), fake.wind_up());
    assert_eq!(closed.len(), 0, "{closed:?}");
}

#[tokio::test]
async fn an_answer_under_the_other_session_is_a_violation() {
    let (mut player, mut fake, _listener) = two_sessions().await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    let header = Header {
        session_id: OTHER,
        ..answer_to(&header)
    };
    fake.send(&header, &echo()).await;
    is_violation(&player.done(step(0), None).await, "session");
    player.lost(A).await;
    player.lost(B).await;
    closes(player).await;
}

#[tokio::test]
async fn a_login_that_ends_under_another_session_is_a_violation() {
    let (mut player, mut fake, _listener) = connecting(EXPLICIT).await;
    player.done(Op::Connect, Some(A)).await;
    player.submit(B, &[step(1)]);
    second_login(&mut fake, SESSION).await;
    is_violation(&player.done(step(1), None).await, "session");
    player.lost(A).await;
    player.lost(B).await;
    closes(player).await;
}

#[tokio::test]
async fn a_refused_second_login_stops_its_client_alone() {
    let (mut player, mut fake, _listener) = connecting(IMPLICIT).await;
    let (header, _) = fake.request().await;
    let refused = Header {
        status: ntstatus::LOGON_FAILURE,
        ..answer_to(&header)
    };
    fake.send(&refused, &Response::Error(ErrorResponse::default()))
        .await;
    let outcome = player.done(Op::Connect, Some(A)).await;
    assert!(matches!(outcome, Outcome::Answered(answer) if answer.status == 0));
    player.submit(B, &[step(1)]);
    let outcome = player.done(step(1), None).await;
    assert!(
        matches!(&outcome, Outcome::Lost(why) if why.contains("LOGON_FAILURE")),
        "{outcome:?}"
    );
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    fake.send(&answer_to(&header), &echo()).await;
    let outcome = player.done(step(0), None).await;
    assert!(matches!(outcome, Outcome::Answered(answer) if answer.status == 0));
    let (closed, ()) = tokio::join!(player.close(), fake.wind_up());
    assert_eq!(closed.len(), 0, "{closed:?}");
}

#[tokio::test]
async fn an_encrypted_frame_of_an_unknown_session_is_a_violation() {
    let (mut player, mut fake, _listener) = two_sessions().await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    let message = fake.signed(&answer_to(&header), &echo());
    let cipher = TransformCipher::new(Cipher::AES_128_CCM, &Key::new(&[7; 16])).expect("a cipher");
    let frame = cipher.encrypt([1; 16], 0xbad, &message).expect("a frame");
    fake.frame(&frame).await;
    is_violation(
        &player.done(step(0), None).await,
        "which is not on the connection",
    );
    player.lost(A).await;
    player.lost(B).await;
    closes(player).await;
}

#[tokio::test]
async fn a_reconnect_that_is_answered_with_rubbish_is_a_violation() {
    let text = "client A anonymous dialect=2.0.2..2.1\nfirst: A create f \"x\" oplock=batch durable=v1\n\
                A disconnect\nA connect\nA reconnect g of=first\n";
    let (mut player, mut fake, listener) = connected(text).await;
    opened(&mut player, &mut fake, OplockLevel::BATCH).await;
    player.submit(A, &[step(1)]);
    player.done(step(1), None).await;
    player.submit(A, &[step(2)]);
    let mut fake = Fake::accept(&listener).await;
    player.done(step(2), None).await;
    player.submit(A, &[step(3)]);
    let (header, request) = fake.request().await;
    let Request::Create(create) = request else {
        panic!("{request:?}")
    };
    assert_eq!(
        create.create_contexts,
        [RequestContext::DurableHandleReconnect(HANDLE)]
    );
    let mut message = fake.signed(&answer_to(&header), &created(OplockLevel::BATCH));
    message.truncate(Header::SIZE + 20);
    fake.frame(&message).await;
    let outcome = player.done(step(3), None).await;
    assert!(matches!(outcome, Outcome::Violation(_)), "{outcome:?}");
    player.lost(A).await;
    closes(player).await;
}
