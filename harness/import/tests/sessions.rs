//! Log-ins that fail, trees that are connected again or not at all, and pipes: what a trace says of them.

mod common;
#[path = "common/traces.rs"]
mod traces;

use common::{Exchanges, id};
use replay_import::capture::Direction;
use replay_import::{NameKey, Naming};
use smb_wire::crypto::ntlm::name_only;
use smb_wire::messages::*;
use smb_wire::*;
use traces::{import, import_packets, let_in, lines, packets};

const LOGON_FAILURE: u32 = 0xC000_006D;
const ACCOUNT_DISABLED: u32 = 0xC000_0072;
const ACCOUNT_EXPIRED: u32 = 0xC000_0193;
const BAD_NETWORK_NAME: u32 = 0xC000_00CC;
const INVALID_PARAMETER: u32 = 0xC000_000D;
const NOT_FOUND: u32 = 0xC000_0225;

fn replaced() -> Naming {
    Naming {
        key: Some(NameKey::of(b"sixteen bytes and more")),
        ..Naming::default()
    }
}

/// A connection on which a user tries to log in.
fn refused(user: &str, status: u32) -> Exchanges {
    let mut all = Exchanges::new();
    all.negotiate();
    let buffer = name_only(user);
    all.refused(
        Request::SessionSetup(SessionSetupRequest {
            buffer,
            ..SessionSetupRequest::default()
        }),
        status,
    );
    all
}

fn created(all: &mut Exchanges, name: &str, number: u64) -> FileId {
    let file_id = id(number);
    all.ok(
        Request::Create(CreateRequest {
            name: name.into(),
            create_disposition: CreateDisposition::OPEN,
            ..CreateRequest::default()
        }),
        Response::Create(CreateResponse {
            file_id,
            create_action: CreateAction::OPENED,
            ..CreateResponse::default()
        }),
    );
    file_id
}

#[test]
fn refused_logins_are_connects_that_fail() {
    let all = [
        refused("mallory", LOGON_FAILURE),
        refused("mallory", LOGON_FAILURE),
        refused("trent", ACCOUNT_DISABLED),
        refused("peggy", ACCOUNT_EXPIRED),
        refused("victor", INVALID_PARAMETER),
    ];
    let (text, report) = import(&all, replaced());
    assert_eq!(
        lines(&text, "client "),
        [
            "client A user=alice wrong-password dialect=3.1.1",
            "client B user=bob dialect=3.1.1",
            "client C user=carol dialect=3.1.1"
        ]
    );
    assert_eq!(
        lines(&text, "given "),
        [
            "given user bob state=disabled",
            "given user carol state=expired"
        ]
    );
    assert_eq!(lines(&text, "needs "), ["needs account-states domain"]);
    for (line, times) in [
        ("A connect -> LOGON_FAILURE stage=session-setup", 2),
        ("B connect -> ACCOUNT_DISABLED stage=session-setup", 1),
        ("C connect -> ACCOUNT_EXPIRED stage=session-setup", 1),
    ] {
        assert_eq!(text.matches(line).count(), times, "{line} in\n{text}");
    }
    assert_eq!(report.import.skipped(), 1, "{report}");
}

#[test]
fn an_account_that_was_let_in_at_another_time_has_no_state() {
    let mut inside = let_in("trent");
    inside.tree(r"\\server\share");
    created(&mut inside, "file", 1);
    let all = [refused("trent", ACCOUNT_DISABLED), inside];
    let (text, report) = import(&all, replaced());
    assert!(
        !text.contains("state=") && !text.contains("ACCOUNT_DISABLED"),
        "{text}"
    );
    assert_eq!(report.import.skipped(), 1, "{report}");
}

#[test]
fn a_share_is_connected_again() {
    let mut all = let_in("alice");
    all.tree(r"\\server\share");
    let file_id = created(&mut all, "file", 1);
    all.ok(
        Request::TreeDisconnect(TreeDisconnectRequest),
        Response::TreeDisconnect(TreeDisconnectResponse),
    );
    all.refused(
        Request::Flush(FlushRequest { file_id }),
        0xC000_00C9, // NETWORK_NAME_DELETED
    );
    all.tree(r"\\server\share");
    created(&mut all, "file", 2);
    all.refused(
        Request::TreeConnect(TreeConnectRequest {
            path: r"\\server\payrolls".into(),
            ..TreeConnectRequest::default()
        }),
        BAD_NETWORK_NAME,
    );
    let (text, report) = import(&[all], Naming::default());
    let steps: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.split_once("A ")?.1))
        .map(|step| step.split(" after=").next().unwrap_or(step))
        .collect();
    assert_eq!(
        steps[1..],
        [
            "create h1 \"file\" access=none share=none impersonation=anonymous -> OK action=opened size=0",
            "tree-disconnect -> OK",
            "flush h1 -> NETWORK_NAME_DELETED",
            "tree-connect -> OK",
            "create h2 \"file\" access=none share=none impersonation=anonymous -> OK action=opened size=0",
            "tree-connect \"no-such-share\" -> BAD_NETWORK_NAME",
            "disconnect -> OK",
        ],
        "{text}"
    );
    assert_eq!(report.import.skipped(), 0, "{report}");
}

/// A user who opens a file and leaves it so.
fn works_on(user: &str, file: &str) -> Exchanges {
    let mut all = let_in(user);
    all.tree(r"\\server\share");
    created(&mut all, file, 1);
    all
}

/// A server that ends a connection has closed what was open there, whenever the client ends its half.
#[test]
fn a_connection_ends_when_its_server_ends_it() {
    let [mut first, second] = [works_on("alice", "file"), works_on("bob", "file")];
    let mut echo = FrameBuilder::new();
    let header = common::header(99, Flags::empty());
    echo.request(&header, &Request::Echo(EchoRequest));
    first.frames.push((Direction::ToServer, echo.finish()));
    let [mut first, second]: [_; 2] = packets(&[first, second]).try_into().expect("two");
    // The client's FIN, what acknowledges it, the server's, and what acknowledges that.
    let mut end = first.split_off(first.len() - 4);
    let by_server = end.remove(2);
    let all = [first, vec![by_server], second, end].concat();
    let (text, report) = import_packets(all, Naming::default());
    let of = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("{what} in\n{text}"))
    };
    assert!(
        of("A echo wire=header.flags=+0 -> CONNECTION_DISCONNECTED") < of("A disconnect"),
        "{text}"
    );
    assert!(of("A disconnect") < of("B create"), "{text}");
    assert_eq!(text.matches("A disconnect").count(), 1, "{text}");
    assert_eq!(report.import.skipped(), 0, "{report}");
}

/// A server closes what a lost connection had open some time after it, so that who came later waits with its connection.
#[test]
fn who_came_after_a_loss_connects_after_it() {
    let all = [
        works_on("alice", r"d\file"),
        works_on("bob", r"d\other"),
        works_on("carol", r"d\file:stream"),
        works_on("dave", r"d\file"),
    ];
    let (text, report) = import(&all, Naming::default());
    let waits: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(" connect ")?.1.split_once("after="))
        .map(|(_, after)| after)
        .collect();
    let label = |client: &str| {
        let disconnect = format!("{client} disconnect");
        let line = text.lines().find(|line| line.contains(&disconnect));
        line.and_then(|line| line.split_once(':'))
            .map_or("", |(label, _)| label)
    };
    // Who worked on something else is there from the beginning; of several losses of a file the last one stands for all.
    assert_eq!(waits, [label("A"), label("C")], "{text}");
    assert!(
        text.contains("C connect") && text.contains("D connect"),
        "{text}"
    );
    assert_eq!(report.import.skipped(), 0, "{report}");
}

/// A message of a connection-oriented RPC: its type, and something behind its header.
fn message(kind: u8, body: &str) -> Vec<u8> {
    let mut message = vec![5, 0, kind, 3, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    message.extend(body.encode_utf16().flat_map(u16::to_le_bytes));
    message
}

#[test]
fn pipes_say_what_holds_no_names() {
    let mut all = let_in("alice");
    all.ok(
        Request::TreeConnect(TreeConnectRequest {
            path: r"\\server\IPC$".into(),
            ..TreeConnectRequest::default()
        }),
        Response::TreeConnect(TreeConnectResponse {
            share_type: ShareType::PIPE,
            ..TreeConnectResponse::default()
        }),
    );
    let referral = |all: &mut Exchanges, status| {
        let mut input = vec![4, 0];
        let path = r"\fileserver\payrolls";
        input.extend(path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        let request = Request::Ioctl(IoctlRequest {
            ctl_code: CtlCode::DFS_GET_REFERRALS,
            file_id: FileId::RELATED,
            input,
            max_output_response: 4096,
            flags: IoctlFlags::IS_FSCTL,
            ..IoctlRequest::default()
        });
        match status {
            0 => all.ok(request, Response::Ioctl(IoctlResponse::default())),
            status => all.refused(request, status),
        }
    };
    referral(&mut all, NOT_FOUND);
    referral(&mut all, 0);
    let file_id = created(&mut all, "srvsvc", 1);
    let say = |all: &mut Exchanges, data: Vec<u8>| {
        all.write(file_id, &data);
        all.read(file_id, 0, 1024, &message(2, "wolverine"));
    };
    say(&mut all, message(11, ""));
    say(&mut all, message(0, "payrolls"));
    all.refused(
        Request::Create(CreateRequest {
            name: "megacorp-agent".into(),
            ..CreateRequest::default()
        }),
        0xC000_0034, // OBJECT_NAME_NOT_FOUND
    );
    let (text, report) = import(std::slice::from_ref(&all), replaced());
    assert_eq!(
        lines(&text, "client "),
        ["client A user=alice share=\"IPC$\" dialect=3.1.1"]
    );
    assert_eq!(lines(&text, "given "), [""; 0]);
    assert!(text.contains("create h1 \"srvsvc\" raw-path"), "{text}");
    let bind = "write h1 bytes=hex:05000b03100000000000000001000000 -> OK";
    assert!(text.contains(bind), "{text}");
    assert_eq!(text.matches(" read h1 ").count(), 1, "{text}");
    assert_eq!(text.matches("ioctl dfs-get-referrals").count(), 1, "{text}");
    for secret in ["payrolls", "fileserver", "wolverine", "megacorp"] {
        let wire: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hex: String = wire.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(secret) && !text.contains(&hex), "{text}");
    }
    // A request and its answer, another pipe, a referral to another server.
    assert_eq!(report.import.skipped(), 4, "{report}");
    let (text, report) = import(&[all], Naming::default());
    assert_eq!(text.matches("write h1 bytes=").count(), 2, "{text}");
    assert_eq!(report.import.skipped(), 1, "{report}");
}
