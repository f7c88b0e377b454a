//! Messages that are damaged, doubled, or in the wrong order never make the import panic, and a trace that comes of them
//! loads.

mod common;
#[path = "common/traces.rs"]
mod traces;

use common::{Ends, Exchanges, id};
use proptest::prelude::*;
use replay_import::capture::LinkType;
use replay_import::{CaptureOptions, NameKey, Naming};
use smb_wire::fscc::FileRenameInformation;
use smb_wire::messages::*;
use smb_wire::*;
use traces::imported;

/// One of most kinds of requests.
fn exchanges() -> Exchanges {
    let mut all = Exchanges::new();
    all.negotiate();
    all.log_in(b"");
    all.tree(r"\\server\share");
    for number in 1..4 {
        all.ok(
            Request::Create(CreateRequest {
                name: format!("d\\file{number}").as_str().into(),
                requested_oplock_level: OplockLevel::BATCH,
                create_contexts: vec![RequestContext::Lease(Lease::default())],
                ..CreateRequest::default()
            }),
            Response::Create(CreateResponse {
                file_id: id(number),
                end_of_file: 9,
                ..CreateResponse::default()
            }),
        );
        let file_id = id(number);
        all.write(file_id, &[1; 40]);
        all.read(file_id, 0, 20, &[1; 20]);
        all.ok(
            Request::Lock(LockRequest {
                file_id,
                locks: vec![LockElement {
                    offset: 1,
                    length: 5,
                    flags: LockFlags::EXCLUSIVE_LOCK,
                }],
                ..LockRequest::default()
            }),
            Response::Lock(LockResponse),
        );
        let mut buffer = Vec::new();
        let rename = FileRenameInformation {
            file_name: "d\\other".into(),
            ..FileRenameInformation::default()
        };
        rename.encode(&mut buffer);
        all.ok(
            Request::SetInfo(SetInfoRequest {
                info_type: InfoType::FILE,
                file_info_class: FileInfoClass::RENAME.0,
                file_id,
                buffer,
                ..SetInfoRequest::default()
            }),
            Response::SetInfo(SetInfoResponse),
        );
        all.ok(
            Request::ChangeNotify(ChangeNotifyRequest {
                file_id,
                ..ChangeNotifyRequest::default()
            }),
            Response::ChangeNotify(ChangeNotifyResponse::default()),
        );
        all.refused(
            Request::Close(CloseRequest {
                file_id,
                ..CloseRequest::default()
            }),
            0x103,
        );
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_messages_are_survived(
        changes in prop::collection::vec((any::<u16>(), any::<u16>(), any::<u8>()), 0..60),
        moved in prop::collection::vec((any::<u16>(), any::<u16>()), 0..10),
        cut in prop::collection::vec((any::<u16>(), any::<u16>()), 0..5),
        key in any::<bool>(),
    ) {
        let mut all = exchanges();
        let count = all.frames.len();
        for (from, to) in moved {
            all.frames.swap(usize::from(from) % count, usize::from(to) % count);
        }
        for (frame, at, value) in changes {
            let frame = &mut all.frames[usize::from(frame) % count].1;
            // Not the protocol id: such frames would not be looked at.
            let at = 4 + usize::from(at) % (frame.len() - 4);
            frame[at] = value;
        }
        for (frame, length) in cut {
            let frame = &mut all.frames[usize::from(frame) % count].1;
            frame.truncate(10 + usize::from(length) % frame.len());
        }
        let packets = Ends::v4(445).conversation(&all.frames, 1400, LinkType::Ethernet, 0);
        let options = CaptureOptions {
            naming: Naming {
                key: key.then(|| NameKey::of(b"key")),
                ..Naming::default()
            },
            ..CaptureOptions::default()
        };
        match imported(&packets, &options) {
            Ok((_, report)) => prop_assert!(report.import.lines > 0),
            Err(error) => {
                let text = error.to_string();
                prop_assert!(!text.contains("error: "), "the trace does not load:\n{}", text);
            }
        }
    }
}
