//! The smb-rs backend against a Samba server: what it says it can do comes out as the trace says, what is on the wire
//! is what was asked for and nothing else, and bad servers end an operation in good time.
//!
//! What all backends must do alike is in `contract.rs`. Without a server the tests that need one say so and do nothing,
//! unless SMB_REPLAY_REQUIRE=1.

mod common;
#[path = "smb_rs/lacks.rs"]
mod lacks;
#[path = "smb_rs/lone.rs"]
mod lone;
#[path = "smb_rs/tap.rs"]
mod tap;

use std::sync::Arc;
use std::time::Duration;

use replay_engine::{Backend, Op, Outcome, RunOptions, Site, Verdict};
use replay_ir::{StepId, Trace};
use samba_servers::{CaseSite, Server};
use smb_backends::smb_rs::SmbRs;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use lone::Lone;
use tap::{Tap, fake};

const BOUND: Duration = Duration::from_secs(20);

fn trace(text: &str) -> Arc<Trace> {
    common::trace("test.ir", &format!("{text}\n"))
}

/// A place on the server for alice and bob; `None` after it was said why there is no server.
async fn site() -> Option<CaseSite> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    let server = SERVER.get_or_init(common::server).await.as_ref()?;
    let users = trace("client A user=alice\nclient B user=bob\nA echo\nB echo");
    Some(common::site(server, "smb-rs", &users).await)
}

/// Runs a trace and says what was not as it says.
async fn run(text: &str) -> Result<(), String> {
    let Some(case) = site().await else {
        return Ok(());
    };
    let site = Site {
        target: case.target.clone(),
        identities: case.identities.clone(),
    };
    let backend: Arc<dyn Backend> = Arc::new(SmbRs::new());
    let options = RunOptions::default();
    let running = replay_engine::run(trace(text), backend, &site, &options);
    let report = timeout(BOUND, running).await.expect("a run that ends");
    case.close(false).await.expect("the case's end");
    match (&report.verdict, report.close_errors.as_slice()) {
        (Verdict::Passed, []) => Ok(()),
        _ => Err(format!(
            "{:?}\n{:#?}\n{:?}\n{:?}",
            report.verdict, report.differences, report.not_run, report.close_errors
        )),
    }
}

async fn passes(text: &str) {
    run(text)
        .await
        .unwrap_or_else(|difference| panic!("{difference}"));
}

fn status(outcome: &Outcome) -> u32 {
    match outcome {
        Outcome::Answered(answer) => answer.status,
        other => panic!("no answer: {other:?}"),
    }
}

const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
const LOGOFF: u16 = 2;
const TREE_CONNECT: u16 = 3;
const TREE_DISCONNECT: u16 = 4;
const CREATE: u16 = 5;
const CLOSE: u16 = 6;

#[tokio::test]
async fn every_verb_is_answered_as_the_trace_says() {
    passes(
        r#"
        client A user=alice
        A create d "d" access=rw disposition=create options=directory -> OK action=created attributes=directory
        A create f "d/f" access=rwd share=rw disposition=create allocation=8192 query-maximal-access query-on-disk-id oplock=ii -> OK oplock=ii size=0 durable=no maximal-access-status=0x0
        A write f offset=0 len=70000 fill=3 write-through -> OK len=70000
        A write f offset=70000 data="tail" -> OK len=4
        A read f offset=69000 len=1000 -> OK len=1000 fill=3
        A read f offset=70000 len=100 -> OK len=4 data="tail"
        A read f offset=70004 len=1 -> END_OF_FILE
        A read f offset=70000 len=10 min=10 -> END_OF_FILE
        A flush f
        A lock f range=0..10 exclusive
        A create g "d/f" access=r
        A lock g range=5..6 shared -> LOCK_NOT_GRANTED
        A close g
        A lock f range=0..10 unlock
        A query-info f standard -> OK size=70004 delete-pending=no directory=no
        A query-info f all buffer=104 -> BUFFER_OVERFLOW len=104
        A query-info f network-open -> OK size=70004
        A query-fs f attribute -> OK max-name=255
        A set-info f end-of-file size=10
        A set-info f basic written=2020-02-29T12:00:00Z attributes=hidden
        A query-info f basic -> OK written=2020-02-29T12:00:00Z attributes=hidden
        A set-info f rename path="d/g"
        A set-info f disposition
        A set-info f disposition keep
        A set-info f position size=5
        A query-info f position -> OK position=5
        A close f postquery -> OK size=10
        A query-directory d restart -> OK count=3 names="g"
        A query-directory d -> NO_MORE_FILES
        A query-directory d reopen pattern="x*" -> NO_SUCH_FILE
        A create f "d/g" access=d options=delete-on-close
        A close f
        A create f "d/g" -> OBJECT_NAME_NOT_FOUND
        A close d
        A echo
        A tree-connect "no-such-share" -> BAD_NETWORK_NAME
        A tree-disconnect
        A logoff
        "#,
    )
    .await;
}

#[tokio::test]
async fn share_access_is_what_the_trace_says() {
    passes(
        r#"
        client A user=alice
        client B user=bob
        a: A create f "f" access=rw share=r disposition=create
        b: B create g "f" access=rw after=a -> SHARING_VIOLATION
           B create h "f" access=r share=rw -> OK
        "#,
    )
    .await;
}

#[tokio::test]
async fn a_step_that_waits_frees_its_lane_and_can_be_cancelled() {
    passes(
        r#"
        client A user=alice
        client B user=bob
        client B2 on=B
            A create f "f" access=rw disposition=create
            A write f len=10
        l:  A lock f range=0..10 exclusive
            B create g "f" access=rw after=l
        p:  B lock g range=0..1 exclusive wait -> PENDING
            B read g offset=10 len=1 -> END_OF_FILE
        e:  B2 echo after=p.pending
            B2 cancel p after=e
            B await p -> CANCELLED within=5s
        q:  B lock g range=0..1 exclusive wait -> PENDING
            A lock f range=0..10 unlock after=q.pending
            B await q -> OK within=5s
        check order l < p.pending < q.pending < q
        "#,
    )
    .await;
}

#[tokio::test]
async fn compounds_are_one_frame_signed_or_encrypted() {
    for settings in [
        "dialect=2.1",
        "dialect=3.0",
        "dialect=3.1.1",
        "encryption=required",
    ] {
        passes(&format!(
            r#"
            client A user=alice {settings}
            A create f "f" access=rw disposition=create
            A + write f data="hello"
            A + query-info f standard -> OK size=5
            A + close f
            A create g "f" access=rw
            A write g offset=5 data="!"
            A + read g len=6 -> OK len=6 data="hello!"
            "#
        ))
        .await;
    }
    let Some(case) = site().await else { return };
    let tap = Tap::new(&case.target).await;
    let trace = trace("client A user=alice\nA create f \"f\" disposition=create\nA + close f");
    let mut client = Lone::new(&trace, &tap.target, &case.identities["alice"]);
    assert_eq!(status(&client.run(Op::Connect).await), 0);
    let before = tap.commands().len();
    client
        .connection
        .submit(&[Op::Step(StepId(0)), Op::Step(StepId(1))]);
    for _ in 0..2 {
        let outcome = timeout(BOUND, client.reports.next()).await.unwrap();
        assert_eq!(status(&outcome), 0);
    }
    assert_eq!(tap.commands()[before..], [CREATE, CLOSE]);
    client.close().await;
}

#[tokio::test]
async fn nothing_is_sent_that_nobody_asked_for() {
    let Some(case) = site().await else { return };
    let tap = Tap::new(&case.target).await;
    let text = "client A user=alice\nA create f \"f\" access=rw share=none disposition=open-if";
    let (trace, alice) = (trace(text), &case.identities["alice"]);
    let mut client = Lone::new(&trace, &tap.target, alice);
    assert_eq!(status(&client.run(Op::Connect).await), 0);
    assert_eq!(status(&client.step(0).await), 0);
    let scripted = [
        NEGOTIATE,
        SESSION_SETUP,
        SESSION_SETUP,
        TREE_CONNECT,
        CREATE,
    ];
    assert_eq!(tap.commands(), scripted);
    client.close().await;
    let closed = [scripted.as_slice(), &[CLOSE, TREE_DISCONNECT, LOGOFF]].concat();
    assert_eq!(tap.commands(), closed);

    // Nobody may share the file, so the second open succeeds only if the first is gone.
    let mut second = Lone::new(&trace, &case.target, alice);
    assert_eq!(status(&second.run(Op::Connect).await), 0);
    assert_eq!(status(&second.step(0).await), 0);
    second.close().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(tap.commands(), closed, "sent after the end");
}

#[tokio::test]
async fn a_wrong_password_is_the_servers_answer_and_stays_secret() {
    let Some(case) = site().await else { return };
    let trace = trace("client A user=alice\nA connect -> LOGON_FAILURE stage=session-setup");
    let mut identity = case.identities["alice"].clone();
    identity.password = "Sesame-open-17".to_owned().into();
    let mut client = Lone::new(&trace, &case.target, &identity);
    let outcome = client.step(0).await;
    assert_eq!(status(&outcome), 0xc000_006d);
    assert!(!format!("{outcome:?}").contains("Sesame"));
    client.close().await;
}

#[tokio::test]
async fn an_answer_with_a_bad_signature_is_a_violation() {
    let Some(case) = site().await else { return };
    let tap = Tap::new(&case.target).await;
    let trace = trace("client A user=alice\nA echo\nA echo");
    let mut client = Lone::new(&trace, &tap.target, &case.identities["alice"]);
    assert_eq!(status(&client.run(Op::Connect).await), 0);
    assert_eq!(status(&client.step(0).await), 0);
    tap.spoil_signatures();
    let outcome = client.step(1).await;
    assert!(matches!(outcome, Outcome::Violation(_)), "{outcome:?}");
    tap.heal();
    client.close().await;
}

#[tokio::test]
async fn an_operation_ends_whatever_bytes_its_answer_has() {
    let Some(case) = site().await else { return };
    let tap = Tap::new(&case.target).await;
    let trace = trace(
        "client A user=alice\n\
         A create f \"d\" disposition=open-if options=directory query-maximal-access query-on-disk-id\n\
         A query-directory f restart -> *\nA query-info f all\nA query-fs f attribute\nA close f postquery",
    );
    let mut client = Lone::new(&trace, &tap.target, &case.identities["alice"]);
    let mut connected = false;
    for seed in 0..400 {
        tap.heal();
        if !connected {
            assert_eq!(status(&client.run(Op::Connect).await), 0);
            connected = true;
        }
        let opened = client.step(0).await;
        tap.spoil_bytes(seed);
        let outcome = client.step((seed % 5) as u32).await;
        let answered = matches!(outcome, Outcome::Answered(_));
        assert!(!answered, "nothing was signed that way: {seed} {outcome:?}");
        if !matches!(opened, Outcome::Answered(_)) || matches!(outcome, Outcome::Lost(_)) {
            client.close().await;
            client = Lone::new(&trace, &tap.target, &case.identities["alice"]);
            connected = false;
        }
    }
    tap.heal();
    client.close().await;
}

#[tokio::test]
async fn a_server_that_ends_the_connection_or_talks_nonsense_ends_connecting() {
    let nonsense: [(&[u8], bool); 3] = [
        (b"", true),
        (b"HTTP/1.1 400 Bad Request\r\n", false),
        (b"\0\0\0\x02xx", true),
    ];
    for (bytes, end) in nonsense {
        let (target, identity) = fake(bytes, end).await;
        let trace = trace("client A user=alice\nA echo");
        let mut client = Lone::new(&trace, &target, &identity);
        let outcome = client.run(Op::Connect).await;
        assert!(!matches!(outcome, Outcome::Answered(_)), "{outcome:?}");
        let outcome = client.step(0).await;
        assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
        client.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_ends_connecting_within_its_bound() {
    let (target, identity) = fake(b"", false).await;
    let trace = trace("client A user=alice\nA echo");
    let mut client = Lone::new(&trace, &target, &identity);
    let outcome = client.run(Op::Connect).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    client.close().await;
}

#[tokio::test]
async fn closing_ends_what_is_in_flight() {
    let Some(case) = site().await else { return };
    let trace = trace(
        "client A user=alice\n\
         A create f \"f\" access=rw disposition=open-if\nA lock f range=0..1\n\
         A create g \"f\" access=rw\nA lock g range=0..1 wait -> PENDING",
    );
    let mut client = Lone::new(&trace, &case.target, &case.identities["alice"]);
    assert_eq!(status(&client.run(Op::Connect).await), 0);
    for step in 0..3 {
        assert_eq!(status(&client.step(step).await), 0);
    }
    client.connection.submit(&[Op::Step(StepId(3))]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    timeout(BOUND, client.connection.close())
        .await
        .expect("a bound")
        .unwrap();
    let outcome = timeout(BOUND, client.reports.next()).await.unwrap();
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
}
