//! Security descriptors that a capture shows of files which were there: when a `given` line has one, and when an answer is expected.

mod common;
#[path = "common/traces.rs"]
mod traces;

use common::{Exchanges, id};
use replay_import::Naming;
use smb_wire::messages::*;
use smb_wire::security::sddl;
use smb_wire::*;
use traces::{import, let_in};

/// An account of the capture.
const ACCOUNT: &str = "S-1-5-21-1122334455-778899001-3344556677-1107";

fn buffer(text: &str) -> Vec<u8> {
    let descriptor = sddl::parse(text, &mut |_| None).expect("a descriptor");
    let mut buffer = Vec::new();
    descriptor.encode(&mut buffer);
    buffer
}

/// Opens a file that is there, or makes one.
fn opened(all: &mut Exchanges, name: &str, number: u64, create_action: CreateAction) {
    let create_disposition = match create_action {
        CreateAction::CREATED => CreateDisposition::CREATE,
        _ => CreateDisposition::OPEN,
    };
    all.ok(
        Request::Create(CreateRequest {
            name: name.into(),
            create_disposition,
            ..CreateRequest::default()
        }),
        Response::Create(CreateResponse {
            file_id: id(number),
            create_action,
            ..CreateResponse::default()
        }),
    );
}

/// Asks for a descriptor, which is this one.
fn shown(all: &mut Exchanges, number: u64, descriptor: &str) {
    all.ok(
        Request::QueryInfo(QueryInfoRequest {
            info_type: InfoType::SECURITY,
            additional_information: AdditionalInformation::OWNER | AdditionalInformation::DACL,
            output_buffer_length: 4096,
            file_id: id(number),
            ..QueryInfoRequest::default()
        }),
        Response::QueryInfo(QueryInfoResponse {
            buffer: buffer(descriptor),
        }),
    );
}

fn set(all: &mut Exchanges, number: u64, descriptor: &str) {
    all.ok(
        Request::SetInfo(SetInfoRequest {
            info_type: InfoType::SECURITY,
            additional_information: AdditionalInformation::DACL,
            file_id: id(number),
            buffer: buffer(descriptor),
            ..SetInfoRequest::default()
        }),
        Response::SetInfo(SetInfoResponse),
    );
}

/// The trace of one client that does this.
fn done(does: impl FnOnce(&mut Exchanges)) -> String {
    let mut all = let_in("alice");
    all.tree(r"\\server\share");
    does(&mut all);
    let (text, report) = import(std::slice::from_ref(&all), Naming::default());
    assert_eq!(report.import.skipped(), 0, "{report}");
    text
}

/// The `given` line of `file`, and what the first query of its descriptor expects.
fn of_file(text: &str) -> (Option<&str>, &str) {
    let given = text
        .lines()
        .find_map(|line| line.strip_prefix("given file \"file\""));
    let query = text.lines().find_map(|line| {
        let (step, expected) = line.split_once(" -> ")?;
        step.contains("query-security h1 ").then_some(expected)
    });
    (given, query.expect("a query"))
}

#[test]
fn a_list_that_the_lab_can_have_is_given() {
    let everybody = "P(A;;FA;;;WD)";
    let authenticated = "P(D;;SD;;;BA)(A;;FR;;;AU)";
    for (list, expected) in [
        (everybody, Some(everybody)),
        (authenticated, Some(authenticated)),
        // What it inherits is the directory's affair, so that the answer may be another one.
        ("(A;;FA;;;WD)", None),
    ] {
        let text = done(|all| {
            opened(all, "file", 1, CreateAction::OPENED);
            shown(all, 1, &format!("O:{ACCOUNT}D:{list}"));
        });
        let dacl = expected.map(|list| format!("OK dacl=\"{list}\""));
        let (given, query) = of_file(&text);
        assert_eq!(given, Some(&*format!(" sd=\"D:{list}\"")), "{text}");
        assert_eq!(query, dacl.unwrap_or("OK".to_owned()), "{text}");
    }
}

#[test]
fn a_list_of_the_captures_own_principals_is_not_given() {
    for list in [
        format!("P(A;;FA;;;{ACCOUNT})"),
        format!("P(A;;FA;;;WD)(A;;FR;;;{ACCOUNT})"),
        // Nobody whom the lab has for sure is let in.
        "P(A;;FA;;;BA)".to_owned(),
        "P(D;;FA;;;WD)".to_owned(),
        "P".to_owned(),
    ] {
        let text = done(|all| {
            opened(all, "file", 1, CreateAction::OPENED);
            shown(all, 1, &format!("O:{ACCOUNT}D:{list}"));
        });
        assert_eq!(of_file(&text), (Some(""), "OK"), "{list} in\n{text}");
    }
}

#[test]
fn an_account_that_is_known_by_its_files_is_an_identity() {
    let text = done(|all| {
        opened(all, "file", 1, CreateAction::OPENED);
        shown(all, 1, &format!("O:BAD:P(A;;FA;;;{ACCOUNT})"));
        // Who has made a file owns it; that is seen later than it is needed.
        opened(all, "made", 2, CreateAction::CREATED);
        shown(all, 2, &format!("O:{ACCOUNT}D:(A;;FA;;;WD)"));
    });
    let (given, query) = of_file(&text);
    assert_eq!(given, Some(" sd=\"D:P(A;;FA;;;$alice)\""), "{text}");
    assert_eq!(query, "OK dacl=\"P(A;;FA;;;$alice)\"", "{text}");
    assert!(!text.contains("S-1-5-21"), "{text}");
}

#[test]
fn a_list_that_a_step_has_made_is_not_given() {
    let text = done(|all| {
        opened(all, "file", 1, CreateAction::OPENED);
        set(all, 1, "D:P(A;;FR;;;WD)");
        shown(all, 1, &format!("O:{ACCOUNT}D:P(A;;FR;;;WD)"));
    });
    assert_eq!(
        of_file(&text),
        (Some(""), "OK dacl=\"P(A;;FR;;;WD)\""),
        "{text}"
    );
    let text = done(|all| {
        opened(all, "file", 1, CreateAction::CREATED);
        shown(all, 1, &format!("O:{ACCOUNT}D:P(A;;FR;;;WD)"));
    });
    assert_eq!(of_file(&text).0, None, "{text}");
}
