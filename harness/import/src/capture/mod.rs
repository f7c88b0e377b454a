//! Packet captures: from a file to the SMB frames of its connections.
//!
//! ```text
//! source ─► file ─► link ─► tcp ─► frames ─► FrameSink
//! gzip,     pcap,   IP and  order, length
//! zstd      pcapng  TCP     loss   prefix
//! ```
//!
//! Everything is one pass over the file, and what is held does not grow with it: packets that wait for an earlier
//! one and frames that have not come completely have a bound ([`Limits`]), beyond which they are given up and counted.
//! The capture is not believed: every length is checked, and whatever is missing, doubled or contradictory is counted
//! in the [`CaptureReport`] and not guessed away.
//!
//! The formats are read here and not by a crate, since a capture that breaks off is to be read as far as it goes, with
//! the place where it does, and since a frame is looked at where it lies in the read buffer.

mod connections;
mod file;
mod frames;
mod link;
mod merge;
mod report;
mod source;
mod tcp;

pub use connections::{ConnectionId, ConnectionInfo, Direction, FrameSink, Gap, Limits, Ports};
pub use file::{Packet, PacketReader};
pub use link::LinkType;
pub use merge::{CaptureFile, clock_offsets, read_captures};
pub use report::{CaptureProblem, CaptureReport, Noted};

use connections::Connections;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads a whole capture and hands every frame of its SMB connections to `sink`.
///
/// What is wrong with the capture is in the report; what could be read before it has reached the sink.
///
/// # Errors
/// The file cannot be opened.
pub fn read_capture(
    path: &Path,
    ports: &Ports,
    limits: &Limits,
    sink: &mut dyn FrameSink,
) -> std::io::Result<CaptureReport> {
    Ok(read_capture_from(File::open(path)?, ports, limits, sink))
}

/// [`read_capture`] of anything that can be read: a pcap or pcapng file, as it is, or in gzip or zstd.
pub fn read_capture_from(
    input: impl Read,
    ports: &Ports,
    limits: &Limits,
    sink: &mut dyn FrameSink,
) -> CaptureReport {
    let mut report = CaptureReport::default();
    let mut connections = Connections::new(ports.clone(), limits.clone());
    match source::open(input).and_then(PacketReader::new) {
        Ok(mut reader) => {
            loop {
                match reader.next_packet() {
                    Ok(Some(packet)) => connections.packet(&packet, &mut report, sink),
                    Ok(None) => break,
                    Err(problem) => {
                        report.problem = Some(problem);
                        break;
                    }
                }
            }
            report.bytes = reader.offset();
        }
        Err(problem) => report.problem = Some(problem),
    }
    connections.finish(&mut report, sink);
    report
}
