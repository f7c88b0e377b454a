//! Frames between Samba's clients and server: every one decodes, and every request is encoded again
//! to the same bytes.

mod common;

use common::Recording;
use smb_wire::messages::RequestContext;
use smb_wire::*;

/// The message as its decoded form is written, with the header as it was.
fn encode_again(header: &Header, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    header.encode(&mut out);
    body(&mut out);
    if header.next_command != 0 {
        out.resize(out.len().next_multiple_of(8), 0);
    }
    out
}

/// Whether a field of the request that receivers ignore is not kept. Samba's torture client writes
/// another offset than its library does for the absent output of an IOCTL, one for a create context
/// without data, against the advice of MS-SMB2 2.2.13.2, and anything into the reserved field of a
/// lock element.
fn has_idle_field(request: &Request) -> bool {
    let empty = |context: &RequestContext| {
        matches!(
            context,
            RequestContext::QueryMaximalAccess(None) | RequestContext::QueryOnDiskId
        )
    };
    match request {
        Request::Create(create) => create.create_contexts.iter().any(empty),
        Request::Ioctl(ioctl) => !ioctl.input.is_empty(),
        Request::Lock(_) => true,
        _ => false,
    }
}

#[test]
fn requests_are_reproduced() {
    let recording = Recording::load("messages.txt");
    let mut commands = std::collections::BTreeSet::new();
    let mut exact = 0;
    for frame in recording.frames.iter().filter(|frame| !frame.from_server) {
        for message in split_compound(&frame.bytes) {
            let (header, message) = message.unwrap();
            let request = Request::decode(message).unwrap();
            commands.insert(header.command);
            let again = encode_again(&header, |out| request.encode(out));
            if again != message && has_idle_field(&request) {
                assert_eq!(
                    again.len(),
                    message.len(),
                    "line {}: {request:?}",
                    frame.line
                );
                assert_eq!(Request::decode(&again), Ok(request), "line {}", frame.line);
                continue;
            }
            let behind = message.strip_prefix(&*again);
            if matches!(request, Request::Create(_)) && behind == Some(&[0; 2]) {
                // Samba's library ends the name with a zero that its length leaves out.
                continue;
            }
            assert_eq!(again, message, "line {}: {request:?}", frame.line);
            exact += 1;
        }
    }
    let all: Vec<_> = (0..=0x12).map(Command).collect();
    assert_eq!(
        commands.into_iter().collect::<Vec<_>>(),
        all,
        "every command is in the recording"
    );
    assert!(exact > 100, "{exact}");
}

#[test]
fn responses_decode_and_keep_their_content() {
    let recording = Recording::load("messages.txt");
    let mut count = 0;
    for frame in recording.frames.iter().filter(|frame| frame.from_server) {
        for message in split_compound(&frame.bytes) {
            let (header, message) = message.unwrap();
            assert!(header.is_response());
            let response = Response::decode(message).unwrap();
            assert!(
                !matches!(response, Response::Other { .. }),
                "line {}",
                frame.line
            );
            if header.is_interim() {
                assert!(
                    matches!(response, Response::Error(_)),
                    "line {}",
                    frame.line
                );
            }
            let again = encode_again(&header, |out| response.encode(out));
            assert_eq!(
                Response::decode(&again),
                Ok(response),
                "line {}",
                frame.line
            );
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// Every create context that Samba knows is understood, none is left as bytes.
#[test]
fn contexts_are_known() {
    use smb_wire::messages::ResponseContext;
    let recording = Recording::load("messages.txt");
    let mut kinds = std::collections::BTreeSet::new();
    for frame in &recording.frames {
        for message in split_compound(&frame.bytes) {
            let (_, message) = message.unwrap();
            if !frame.from_server {
                let Ok(Request::Create(create)) = Request::decode(message) else {
                    continue;
                };
                kinds.extend(create.create_contexts.iter().map(|context| match context {
                    RequestContext::Other { name, data } => {
                        panic!("line {}: {name:?} {data:?}", frame.line)
                    }
                    known => format!("{:?}", std::mem::discriminant(known)),
                }));
            } else if let Ok(Response::Create(create)) = Response::decode(message) {
                for context in &create.create_contexts {
                    let unknown = matches!(context, ResponseContext::Other { .. });
                    assert!(!unknown, "line {}: {context:?}", frame.line);
                }
            }
        }
    }
    assert!(kinds.len() >= 8, "{kinds:?}");
}
