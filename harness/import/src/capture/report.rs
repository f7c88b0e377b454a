//! What reading a capture found.

use std::collections::BTreeMap;
use std::fmt;

/// What became of the packets of a capture. `Display` is for a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptureReport {
    /// Bytes of the capture, decompressed.
    pub bytes: u64,
    /// Packets in it.
    pub packets: u64,
    /// Packets that were TCP segments of an SMB connection.
    pub segments: u64,
    /// Connections.
    pub connections: u64,
    /// SMB frames that were handed on.
    pub frames: u64,
    /// What was noted on the way, by kind.
    pub noted: BTreeMap<Noted, u64>,
    /// Why reading ended before the end of the file.
    pub problem: Option<CaptureProblem>,
}

/// Things about packets and streams that are counted and not guessed away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noted {
    /// A packet of a link layer or an Ethernet type that is not read.
    OtherLink,
    /// An IP packet of another protocol than TCP.
    OtherProtocol,
    /// A TCP segment of other ports.
    OtherPort,
    /// A part of a fragmented IP packet; they are not put together.
    Fragment,
    /// A packet whose headers are cut off or contradict each other.
    Malformed,
    /// A packet of which the capture has only the beginning (its snapshot length).
    CutOff,
    /// An IPv4 header whose checksum is wrong. The packet is used: captures on the sending host have such packets.
    BadChecksum,
    /// A packet that is earlier than the one before it in the file.
    Backwards,
    /// Bytes that were in the capture already.
    Retransmitted,
    /// Segments that came before an earlier one.
    OutOfOrder,
    /// Bytes sent twice that differ; the first ones are used.
    Conflicting,
    /// Bytes that were sent on a connection after one end had closed or reset it, not read.
    AfterEnd,
    /// Holes in a stream: bytes that were sent and that the capture does not have.
    Gaps,
    /// Bytes in these holes.
    LostBytes,
    /// Connections of which the capture does not have the beginning.
    MidStream,
    /// Bytes that were passed over to find the beginning of a frame again.
    Skipped,
    /// Frames that a hole or the end of the capture cut.
    CutFrames,
    /// Frames that were longer than the limit.
    LongFrames,
    /// Frames that are none of SMB.
    OtherFrames,
    /// Packets or frames that were given up because too much waited for missing packets.
    GivenUp,
    /// Connections that were forgotten because there were too many at once.
    Forgotten,
}

impl Noted {
    fn text(self) -> &'static str {
        match self {
            Self::OtherLink => "packets of another link layer or type",
            Self::OtherProtocol => "packets of another protocol than TCP",
            Self::OtherPort => "segments of other ports (--port adds one)",
            Self::Fragment => "IP fragments, not put together",
            Self::Malformed => "packets with broken headers",
            Self::CutOff => "packets cut off by the capture's snapshot length",
            Self::BadChecksum => "IPv4 headers with a wrong checksum, used all the same",
            Self::Backwards => "packets whose time is before that of the one in front of them",
            Self::Retransmitted => "bytes sent again",
            Self::OutOfOrder => "segments out of order",
            Self::Conflicting => "bytes sent again with another content; the first were used",
            Self::AfterEnd => "bytes after the end of their connection, not read",
            Self::Gaps => "holes in a stream",
            Self::LostBytes => "bytes that the capture does not have",
            Self::MidStream => "connections without their beginning",
            Self::Skipped => "bytes passed over to find a frame again",
            Self::CutFrames => "frames cut by a hole or by the end",
            Self::LongFrames => "frames beyond the limit of length",
            Self::OtherFrames => "frames that are none of SMB",
            Self::GivenUp => "packets or frames given up: too much waited for missing ones",
            Self::Forgotten => "connections forgotten: too many at once",
        }
    }
}

impl CaptureReport {
    pub(super) fn note(&mut self, what: Noted) {
        self.note_many(what, 1);
    }

    pub(super) fn note_many(&mut self, what: Noted, count: u64) {
        if count > 0 {
            *self.noted.entry(what).or_default() += count;
        }
    }

    /// How often something was noted.
    pub fn count(&self, what: Noted) -> u64 {
        self.noted.get(&what).copied().unwrap_or(0)
    }
}

impl fmt::Display for CaptureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "capture: {} bytes, {} packets, {} of them of SMB; {} connections, {} frames",
            self.bytes, self.packets, self.segments, self.connections, self.frames
        )?;
        for (what, count) in &self.noted {
            writeln!(f, "noted: {count} {}", what.text())?;
        }
        match &self.problem {
            Some(problem) => writeln!(f, "not read to its end: {problem}"),
            None => Ok(()),
        }
    }
}

/// Why a capture could not be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {what}")]
pub struct CaptureProblem {
    /// Where in the decompressed file.
    pub offset: u64,
    /// What is wrong, a sentence fragment.
    pub what: String,
}

impl CaptureProblem {
    pub(super) fn new(offset: u64, what: impl Into<String>) -> Self {
        Self {
            offset,
            what: what.into(),
        }
    }

    pub(super) fn unreadable(offset: u64, error: &std::io::Error) -> Self {
        Self::new(offset, format!("cannot be read: {error}"))
    }
}
