//! What is read of 10,000 messages is what tshark reads of them. Without tshark there is nothing to compare with.

mod common;

use common::{Ends, Exchanges, pcap};
use replay_import::capture::{
    ConnectionId, ConnectionInfo, Direction, FrameSink, Gap, Limits, LinkType, Ports, read_capture,
};
use smb_wire::messages::*;
use smb_wire::{FileId, Request, split_compound};
use std::process::Command;

/// Command, message id, whether it is a response, status, tree id and session id of every message.
#[derive(Default)]
struct Messages(Vec<String>);

impl FrameSink for Messages {
    fn opened(&mut self, _: ConnectionId, _: &ConnectionInfo) {}

    fn frame(&mut self, _: ConnectionId, _: Direction, _: u64, frame: &[u8]) {
        for message in split_compound(frame) {
            let (header, _) = message.expect("a message");
            let status = match header.is_response() {
                true => format!("0x{:08x}", header.status),
                false => String::new(),
            };
            self.0.push(format!(
                "{}\t{}\t{}\t{status}\t0x{:08x}\t0x{:016x}",
                header.command.0,
                header.message_id,
                if header.is_response() { 1 } else { 0 },
                header.tree_id().expect("in the SYNC form"),
                header.session_id,
            ));
        }
    }

    fn gap(&mut self, _: ConnectionId, _: Gap) {}

    fn closed(&mut self, _: ConnectionId, _: u64, _: Option<Direction>) {}
}

fn exchanges() -> Exchanges {
    let mut all = Exchanges::new();
    all.negotiate();
    let file_id = FileId {
        persistent: 3,
        volatile: 4,
    };
    for number in 0..2500 {
        all.write(file_id, &vec![7; 1 + number % 3000]);
        all.refused(
            Request::Close(CloseRequest {
                file_id,
                ..CloseRequest::default()
            }),
            0xC000_0128,
        );
    }
    all
}

#[test]
fn ten_thousand_messages_are_read_as_tshark_reads_them() {
    let fields = [
        "smb2.cmd",
        "smb2.msg_id",
        "smb2.flags.response",
        "smb2.nt_status",
        "smb2.tid",
        "smb2.sesid",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let packets = Ends::v4(445).conversation(&exchanges().frames, 1400, LinkType::Ethernet, 0);
    std::fs::write(&path, pcap(&packets, 1, false, false)).unwrap();
    let mut tshark = Command::new("tshark");
    tshark
        .arg("-r")
        .arg(&path)
        .args(["-Y", "smb2", "-T", "fields"]);
    tshark.args(fields.iter().flat_map(|field| ["-e", field]));
    let Ok(output) = tshark.output() else {
        println!("no tshark on this machine");
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs = String::from_utf8(output.stdout).expect("text");
    let theirs: Vec<String> = theirs
        .lines()
        .map(|line| line.replace("True", "1").replace("False", "0"))
        .collect();
    let mut ours = Messages::default();
    read_capture(&path, &Ports::default(), &Limits::default(), &mut ours).unwrap();
    assert!(ours.0.len() >= 10_000);
    assert_eq!(ours.0.len(), theirs.len());
    for (ours, theirs) in ours.0.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}
