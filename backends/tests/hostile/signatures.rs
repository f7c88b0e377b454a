//! Answers whose signatures do not hold: nothing of them is believed, and the connection goes on (MS-SMB2 3.2.5.1.3).

use super::*;

/// A client whose every request and answer is signed, and which opens a file.
const OPENS: &str = "client A user=alice dialect=2.0.2..2.1 signing=required\n\
                     A create f \"x\" oplock=batch\nA echo\nA close f\n";

/// An answer, and then one bit of what its signature is about.
fn forged(fake: &Fake, header: &Header, response: &Response) -> Vec<u8> {
    let mut message = fake.signed(header, response);
    message[50] ^= 1;
    message
}

fn unsigned(header: &Header, response: &Response) -> Vec<u8> {
    let mut builder = FrameBuilder::new();
    builder.response(&answer_to(header), response);
    builder.finish()
}

/// The server answers an ECHO, and that is believed.
async fn goes_on(player: &mut Player, fake: &mut Fake) {
    player.submit(A, &[step(1)]);
    let (header, request) = fake.request().await;
    assert!(matches!(request, Request::Echo(_)), "{request:?}");
    fake.send(&answer_to(&header), &echo()).await;
    let outcome = player.done(step(1), None).await;
    assert!(
        matches!(&outcome, Outcome::Answered(answer) if answer.status == 0),
        "{outcome:?}"
    );
}

async fn in_good_order(player: Player, fake: Fake) {
    let ((), rest) = tokio::join!(fake.wind_up(), player.close());
    assert!(rest.is_empty(), "{rest:?}");
}

/// Why the answer that `answer` makes for the first step's request is not believed. What comes behind it must be.
async fn discarded(text: &str, answer: impl Fn(&Fake, &Header) -> Vec<u8>) -> String {
    let (player, fake, reason) = with_one_discarded(text, answer).await;
    in_good_order(player, fake).await;
    reason
}

async fn with_one_discarded(
    text: &str,
    answer: impl Fn(&Fake, &Header) -> Vec<u8>,
) -> (Player, Fake, String) {
    let (mut player, mut fake, _listener) = connected(text).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    let message = answer(&fake, &header);
    fake.frame(&message).await;
    let reason = match player.done(step(0), None).await {
        Outcome::Discarded(reason) => reason,
        other => panic!("{other:?}"),
    };
    goes_on(&mut player, &mut fake).await;
    (player, fake, reason)
}

#[tokio::test]
async fn a_wrong_signature_fails_its_step_alone() {
    let reason = discarded(SIGNED, |fake, header| {
        forged(fake, &answer_to(header), &echo())
    });
    assert_eq!(reason.await, "the signature is wrong; it says OK");
    let denied = discarded(SIGNED, |fake, header| {
        let header = Header {
            status: ntstatus::ACCESS_DENIED,
            ..answer_to(header)
        };
        forged(fake, &header, &Response::Error(ErrorResponse::default()))
    });
    assert_eq!(
        denied.await,
        "the signature is wrong; it says ACCESS_DENIED"
    );
}

#[tokio::test]
async fn an_answer_that_must_be_signed_and_is_not_fails_its_step_alone() {
    let reason = discarded(SIGNED, |_, header| unsigned(header, &echo()));
    assert!(reason.await.contains("is not signed; it says"), "it is");
}

#[tokio::test]
async fn what_a_forged_answer_has_opened_is_not_open() {
    let discarded = with_one_discarded(OPENS, |fake, header| {
        forged(fake, &answer_to(header), &created(OplockLevel::BATCH))
    });
    let (mut player, fake, reason) = discarded.await;
    assert!(reason.contains("signature"), "{reason}");
    player.submit(A, &[step(2)]);
    let outcome = player.done(step(2), None).await;
    assert!(
        matches!(&outcome, Outcome::Broken(why) if why.contains("is not open")),
        "{outcome:?}"
    );
    in_good_order(player, fake).await;
}

#[tokio::test]
async fn a_forged_answer_grants_no_credits() {
    let (mut player, mut fake, _listener) = connected(SIGNED).await;
    let mut message_ids = Vec::new();
    for _ in 0..2 {
        player.submit(A, &[step(0)]);
        let (header, _) = fake.request().await;
        message_ids.push(header.message_id);
        fake.grant = 0x7fff;
        let message = forged(&fake, &answer_to(&header), &echo());
        fake.frame(&message).await;
        player.done(step(0), None).await;
    }
    assert_eq!(message_ids[1], message_ids[0] + 1);
    // Its target is 256 credits; had it believed in these, it would ask for none.
    player.submit(A, &[step(1)]);
    let (header, _) = fake.request().await;
    assert!(header.credits > 1, "it asks for {} credits", header.credits);
    fake.grant = 32;
    fake.send(&answer_to(&header), &echo()).await;
    player.done(step(1), None).await;
    in_good_order(player, fake).await;
}

#[tokio::test]
async fn a_forged_answer_that_no_step_waits_for_ends_the_connection() {
    let (mut player, mut fake, _listener) = connected(OPENS).await;
    player.submit(A, &[step(0)]);
    let (header, _) = fake.request().await;
    fake.send(&answer_to(&header), &created(OplockLevel::BATCH))
        .await;
    player.done(step(0), None).await;
    let notification = Response::OplockBreakNotification(OplockBreakNotification {
        oplock_level: OplockLevel::II,
        file_id: HANDLE,
    });
    let unasked = Header {
        command: Command::OPLOCK_BREAK,
        message_id: Header::UNSOLICITED,
        session_id: 0,
        form: HeaderForm::default(),
        ..answer_to(&header)
    };
    fake.send(&unasked, &notification).await;
    player.broken(StepId(0)).await;
    let (header, request) = fake.request().await;
    assert!(matches!(request, Request::OplockBreak(_)), "{request:?}");
    let settled = Response::OplockBreak(OplockBreakResponse {
        oplock_level: OplockLevel::II,
        file_id: HANDLE,
    });
    let message = forged(&fake, &answer_to(&header), &settled);
    fake.frame(&message).await;
    let reason = player.lost(A).await;
    assert!(reason.contains("signature"), "{reason}");
    player.close().await;
}
