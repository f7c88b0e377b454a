//! What the crate encodes, read back by the decoder of the other backend: two codecs must agree on every field.

use std::io::Cursor;
use std::sync::Arc;

use binrw::BinWrite;
use replay_ir::{StepId, Trace, load_str};
use smb::PlainRequest;
use smb_vocabulary::VOCABULARY;
use smb_wire::messages as message;

use super::*;

const FILE: FileId = FileId {
    persistent: 0x0102_0304_0506_0708,
    volatile: 0x1112_1314_1516_1718,
};
const WIRE_FILE: wire::FileId = wire::FileId {
    persistent: 0x0102_0304_0506_0708,
    volatile: 0x1112_1314_1516_1718,
};

fn trace(step: &str) -> Arc<Trace> {
    let open = "A create f \"f\"";
    let text = format!("ir 1\nclient A user=alice\n{open}\nA {step}\n");
    Arc::new(load_str("test.ir", &text, &VOCABULARY).unwrap_or_else(|errors| panic!("{errors}")))
}

fn place() -> Place {
    Place {
        host: "server".into(),
        root: "case/x".into(),
        share: "share".into(),
    }
}

/// The message of a step, header included.
fn encoded(step: &str) -> Vec<u8> {
    let trace = trace(step);
    let operation = Operation::decode(&trace.step(StepId(1))).unwrap();
    let body = body(&operation, FILE, &place()).unwrap();
    let mut bytes = Vec::new();
    PlainRequest::new_with_command(body.content, body.command)
        .write(&mut Cursor::new(&mut bytes))
        .unwrap();
    bytes.extend_from_slice(body.payload.as_deref().unwrap_or_default());
    bytes
}

fn refused(step: &str) -> String {
    let trace = trace(step);
    let operation = Operation::decode(&trace.step(StepId(1))).unwrap();
    body(&operation, FILE, &place()).unwrap_err()
}

#[test]
fn every_field_of_a_create_is_the_traces() {
    let step = "create g \"d/g:s\" access=0x80000001 share=d disposition=overwrite-if \
                options=delete-on-close|non-directory attributes=hidden|0x80000000 \
                impersonation=delegate oplock=ii allocation=4096 query-maximal-access \
                query-on-disk-id timewarp=0x01d0000000000000";
    let request = message::CreateRequest::decode(&encoded(step)).unwrap();
    assert_eq!(request.requested_oplock_level, wire::OplockLevel::II);
    assert_eq!(request.impersonation_level, wire::ImpersonationLevel(3));
    assert_eq!(request.desired_access.bits(), 0x8000_0001);
    assert_eq!(request.file_attributes.bits(), 0x8000_0002);
    assert_eq!(request.share_access.bits(), 4);
    assert_eq!(request.create_disposition, wire::CreateDisposition(5));
    assert_eq!(request.create_options.bits(), 0x1040);
    assert_eq!(request.name.to_utf8().as_deref(), Some(r"case\x\d\g:s"));
    assert_eq!(
        request.create_contexts,
        [
            message::RequestContext::AllocationSize(4096),
            message::RequestContext::QueryMaximalAccess(None),
            message::RequestContext::TimewarpToken(wire::Filetime(0x01d0_0000_0000_0000)),
            message::RequestContext::QueryOnDiskId,
        ]
    );
}

#[test]
fn a_create_without_name_or_contexts_is_complete() {
    let request = message::CreateRequest::decode(&encoded("create g \"\" raw-path")).unwrap();
    assert!(request.name.is_empty());
    assert_eq!(request.create_contexts, []);
    let request = message::CreateRequest::decode(&encoded("create g \"a/b\" raw-path")).unwrap();
    assert_eq!(request.name.to_utf8().as_deref(), Some("a/b"));
}

#[test]
fn durable_opens_are_asked_for() {
    let request = message::CreateRequest::decode(&encoded("create g \"g\" durable=v1")).unwrap();
    assert_eq!(
        request.create_contexts,
        [message::RequestContext::DurableHandleRequest]
    );
    let step = "create g \"g\" durable=persistent durable-timeout=7ms";
    let request = message::CreateRequest::decode(&encoded(step)).unwrap();
    let [message::RequestContext::DurableHandleRequestV2(durable)] = &request.create_contexts[..]
    else {
        panic!("{:?}", request.create_contexts)
    };
    assert_eq!(
        (durable.timeout, durable.flags),
        (7, wire::DurableFlags::PERSISTENT)
    );
}

#[test]
fn a_close_asks_for_attributes_only_where_the_trace_does() {
    for (step, flags) in [("close f", 0), ("close f postquery", 1)] {
        let bytes = encoded(step);
        assert_eq!(bytes[12], 6, "the command of the header");
        let request = message::CloseRequest::decode(&bytes).unwrap();
        assert_eq!((request.flags.bits(), request.file_id), (flags, WIRE_FILE));
    }
}

#[test]
fn flags_are_those_of_the_specification() {
    for (step, flags) in [
        ("lock f range=1..3", 0x12),
        ("lock f range=1..3 shared", 0x11),
        ("lock f range=1..3 wait", 0x02),
        ("lock f range=1..3 unlock", 0x04),
    ] {
        let request = message::LockRequest::decode(&encoded(step)).unwrap();
        let [lock] = request.locks[..] else {
            panic!("{step}")
        };
        assert_eq!(
            (lock.offset, lock.length, lock.flags.bits()),
            (1, 2, flags),
            "{step}"
        );
    }
    for (step, flags) in [
        ("write f len=1", 0),
        ("write f len=1 write-through", 1),
        ("write f len=1 unbuffered", 2),
    ] {
        let request = message::WriteRequest::decode(&encoded(step)).unwrap();
        assert_eq!(request.flags.bits(), flags, "{step}");
    }
    for (step, flags) in [
        ("query-directory f", 0),
        ("query-directory f restart", 1),
        ("query-directory f single", 2),
        ("query-directory f index=9", 4),
        ("query-directory f reopen", 0x10),
    ] {
        let request = message::QueryDirectoryRequest::decode(&encoded(step)).unwrap();
        assert_eq!(request.flags.bits(), flags, "{step}");
    }
}

#[test]
fn reads_and_writes_say_where_and_how_much() {
    let step = "read f offset=0x100000000 len=70000 min=9 unbuffered";
    let request = message::ReadRequest::decode(&encoded(step)).unwrap();
    assert_eq!((request.offset, request.length), (1 << 32, 70_000));
    assert_eq!((request.minimum_count, request.flags.bits()), (9, 1));
    let step = "write f offset=5 data=\"hello\"";
    let request = message::WriteRequest::decode(&encoded(step)).unwrap();
    assert_eq!(
        (request.offset, request.data.as_slice()),
        (5, &b"hello"[..])
    );
}

#[test]
fn information_is_asked_for_by_class() {
    for (step, kind, class) in [
        ("query-info f all buffer=77", 1, 18),
        ("query-fs f sector-size buffer=77", 2, 11),
    ] {
        let request = message::QueryInfoRequest::decode(&encoded(step)).unwrap();
        assert_eq!(
            (
                request.info_type.0,
                request.file_info_class,
                request.output_buffer_length
            ),
            (kind, class, 77)
        );
    }
}

#[test]
fn information_is_set_by_class() {
    let utf16 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let name = |replace: u8| {
        let name = utf16(r"case\x\n");
        let length = (name.len() as u32).to_le_bytes();
        [&[replace, 0, 0, 0, 0, 0, 0, 0][..], &[0; 8], &length, &name].concat()
    };
    let basic = [
        &[0; 16][..],
        &0x55u64.to_le_bytes(),
        &[0; 8],
        &2u32.to_le_bytes(),
        &[0; 4],
    ];
    for (step, class, buffer) in [
        ("set-info f rename path=\"n\" replace", 10, name(1)),
        ("set-info f link path=\"n\"", 11, name(0)),
        ("set-info f disposition", 13, vec![1]),
        ("set-info f disposition keep", 13, vec![0]),
        (
            "set-info f end-of-file size=7",
            20,
            7u64.to_le_bytes().to_vec(),
        ),
        (
            "set-info f allocation size=7",
            19,
            7u64.to_le_bytes().to_vec(),
        ),
        (
            "set-info f position size=7",
            14,
            7u64.to_le_bytes().to_vec(),
        ),
        (
            "set-info f mode mode=write-through",
            16,
            2u32.to_le_bytes().to_vec(),
        ),
        (
            "set-info f basic written=0x55 attributes=hidden",
            4,
            basic.concat(),
        ),
    ] {
        let request = message::SetInfoRequest::decode(&encoded(step)).unwrap();
        assert_eq!(
            (request.info_type.0, request.file_info_class),
            (1, class),
            "{step}"
        );
        assert_eq!(
            (request.file_id, &request.buffer),
            (WIRE_FILE, &buffer),
            "{step}"
        );
    }
}

#[test]
fn a_share_is_named_with_its_server() {
    let request = message::TreeConnectRequest::decode(&encoded("tree-connect \"data\"")).unwrap();
    assert_eq!(request.path.to_utf8().as_deref(), Some(r"\\server\data"));
}

#[test]
fn what_cannot_be_said_is_named() {
    assert_eq!(
        refused("create g \"g\" oplock=exclusive"),
        "create oplock=exclusive"
    );
    assert_eq!(refused("create g \"g\" oplock=0x2"), "create oplock=0x2");
    assert_eq!(refused("read f len=0"), "read len=0");
    assert_eq!(refused("query-info f 0xf"), "query-info class 0xf");
}
