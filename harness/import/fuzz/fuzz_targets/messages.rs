//! Any messages on any connections, made into a trace: no panic, and a trace that comes out can be written, read again, and
//! is the same.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{Ends, pcap};
use libfuzzer_sys::fuzz_target;
use replay_import::capture::LinkType;
use replay_import::{CaptureOptions, NameKey, Naming, import_capture_from};
use replay_import_fuzz::{CONNECTIONS, messages};
use replay_ir::Trace;

/// LINKTYPE_RAW.
const RAW: u32 = 101;
const SEGMENT: usize = 1460;

fuzz_target!(|input: &[u8]| {
    let mut packets = Vec::new();
    let messages = messages(input);
    for connection in 0..CONNECTIONS {
        let frames: Vec<_> = messages
            .iter()
            .filter(|message| message.0 == connection)
            .map(|(_, direction, frame)| (*direction, frame.clone()))
            .collect();
        if !frames.is_empty() {
            let ends = Ends::v4(445).with_client_port(50_000 + u16::from(connection));
            packets.extend(ends.conversation(&frames, SEGMENT, LinkType::Raw, 0));
        }
    }
    let file = pcap(&packets, RAW, false, false);
    for key in [None, Some(NameKey::of(b"fuzz"))] {
        let options = CaptureOptions {
            naming: Naming {
                key,
                ..Naming::default()
            },
            ..CaptureOptions::default()
        };
        match import_capture_from(file.as_slice(), "fuzz", &options) {
            Ok((trace, import)) => {
                assert!(!import.to_string().is_empty());
                let text = written(&trace);
                let again = replay_ir::load_str("fuzz", &text, &smb_vocabulary::VOCABULARY)
                    .unwrap_or_else(|errors| panic!("{errors}\n{text}"));
                assert_eq!(written(&again), text);
                let problems = smb_vocabulary::check_trace(&again);
                assert!(problems.is_empty(), "{problems:?}\n{text}");
            }
            Err(errors) => assert!(!errors.to_string().is_empty()),
        }
    }
});

fn written(trace: &Trace) -> String {
    let mut text = Vec::new();
    trace.write_text(&mut text).expect("memory takes all");
    String::from_utf8(text).expect("the text form is UTF-8")
}
