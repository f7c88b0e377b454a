//! Connections of users one beside the other, and the traces that come of them.

#![allow(dead_code, reason = "each test uses some of it")]

use crate::common::{Ends, Exchanges, pcap};
use replay_import::capture::LinkType;
use replay_import::{CaptureImport, CaptureOptions, ImportErrors, Naming, import_capture};
use replay_ir::Trace;
use smb_wire::crypto::ntlm::name_only;

/// The text of the trace, and the report, of connections one behind the other.
pub(crate) fn import(connections: &[Exchanges], naming: Naming) -> (String, CaptureImport) {
    import_packets(packets(connections).concat(), naming)
}

/// The packets of each connection.
pub(crate) fn packets(connections: &[Exchanges]) -> Vec<Vec<Vec<u8>>> {
    let packets = connections.iter().enumerate().map(|(number, all)| {
        let ends = Ends::v4(445).with_client_port(50_000 + number as u16);
        ends.conversation(&all.frames, 1400, LinkType::Ethernet, 0)
    });
    packets.collect()
}

/// The same of packets in this order.
pub(crate) fn import_packets(packets: Vec<Vec<u8>>, naming: Naming) -> (String, CaptureImport) {
    let options = CaptureOptions {
        naming,
        ..CaptureOptions::default()
    };
    let (trace, report) = imported(&packets, &options).expect("a trace");
    assert_eq!(smb_vocabulary::check_trace(&trace), []);
    (text(&trace), report)
}

/// What becomes of a capture of packets in this order.
pub(crate) fn imported(
    packets: &[Vec<u8>],
    options: &CaptureOptions,
) -> Result<(Trace, CaptureImport), ImportErrors> {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, pcap(packets, 1, false, false)).expect("written");
    import_capture(&path, "a.pcap", options)
}

/// A trace as text.
pub(crate) fn text(trace: &Trace) -> String {
    let mut text = Vec::new();
    trace.write_text(&mut text).expect("written");
    String::from_utf8(text).expect("text")
}

/// A connection on which a user has logged in.
pub(crate) fn let_in(user: &str) -> Exchanges {
    let mut all = Exchanges::new();
    all.negotiate();
    all.log_in(&name_only(user));
    all
}

/// The lines of a text that begin so.
pub(crate) fn lines(text: &str, starting: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with(starting));
    lines.map(str::to_owned).collect()
}
