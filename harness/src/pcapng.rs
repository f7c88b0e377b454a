//! Frames as a capture that Wireshark and tshark open: `frames.pcapng`.
//!
//! The capture is made up from what the client has kept: a frame is a few TCP segments below synthetic Ethernet, IP and
//! TCP headers. Addresses, the client's ports and all times are the real ones, the server's port is always 445, so that the
//! frames are taken for SMB2 whatever port the server had. Encrypted frames are in it as they were before
//! encryption. A comment on each frame says whose it is and which line of the trace it belongs to.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use replay_engine::{WireEvent, WireFrame, WireLog};
use replay_ir::{ClientId, StepId, Trace};
use smb_wire::{Header, split_compound};

use crate::whole_file::WholeFile;

/// The port that dissectors take for SMB2.
const SMB: u16 = 445;
/// The most bytes of a segment: what an IP packet takes beside its headers.
const SEGMENT: usize = 65_000;
const LINK_ETHERNET: u32 = 1;

const SYN: u8 = 0x02;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Writes the log to a file.
pub(crate) fn write(path: &Path, trace: &Trace, log: &WireLog) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    write_to(&mut file, trace, log)?;
    file.finish()
}

fn write_to(out: &mut impl Write, trace: &Trace, log: &WireLog) -> io::Result<()> {
    let mut about = format!("{} replayed by smb-replay", trace.name());
    if log.dropped() > 0 {
        about.push_str(&format!("; {} earlier frames were not kept", log.dropped()));
    }
    section(out, &about)?;
    let mut streams: BTreeMap<u32, Stream> = BTreeMap::new();
    for entry in log.entries() {
        let at = log.since_1970(entry.at);
        match entry.event {
            WireEvent::Opened {
                client,
                local,
                remote,
            } => {
                let stream = streams
                    .entry(entry.connection)
                    .or_insert(Stream::new(client, local, remote));
                stream.open(out, at, trace)?;
            }
            event => {
                if let Some(stream) = streams.get_mut(&entry.connection) {
                    stream.event(out, at, trace, &event)?;
                }
            }
        }
    }
    Ok(())
}

/// One connection as a TCP stream.
struct Stream {
    client: ClientId,
    /// The client's end, then the server's.
    ends: [SocketAddr; 2],
    /// The next sequence number of each end.
    next: [u32; 2],
    /// Which steps asked with which message ids.
    asked: HashMap<u64, StepId>,
}

impl Stream {
    fn new(client: ClientId, local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            client,
            ends: [local, SocketAddr::new(remote.ip(), SMB)],
            next: [0; 2],
            asked: HashMap::new(),
        }
    }

    fn open(&mut self, out: &mut impl Write, at: Duration, trace: &Trace) -> io::Result<()> {
        let comment = format!("connection of client {}", trace.client(self.client).name());
        self.segment(out, at, 0, SYN, &[], Some(&comment))?;
        self.segment(out, at, 1, SYN | ACK, &[], None)?;
        self.segment(out, at, 0, ACK, &[], None)
    }

    fn event(
        &mut self,
        out: &mut impl Write,
        at: Duration,
        trace: &Trace,
        event: &WireEvent,
    ) -> io::Result<()> {
        match event {
            WireEvent::Opened { .. } => Ok(()),
            WireEvent::Sent(frame) => {
                self.remember(frame);
                let comment = comment(trace, self.client, frame, &frame.steps);
                self.frame(out, at, 0, &frame.bytes, &comment)
            }
            WireEvent::Received(frame) => {
                let steps: Vec<Option<StepId>> = split_compound(&frame.bytes)
                    .map_while(Result::ok)
                    .map(|(header, _)| self.asked.get(&header.message_id).copied())
                    .collect();
                let comment = comment(trace, self.client, frame, &steps);
                self.frame(out, at, 1, &frame.bytes, &comment)
            }
            WireEvent::Ended { by_server, reason } => {
                let from = usize::from(*by_server);
                self.segment(out, at, from, FIN | ACK, &[], Some(reason))?;
                self.segment(out, at, 1 - from, FIN | ACK, &[], None)?;
                self.segment(out, at, from, ACK, &[], None)
            }
        }
    }

    fn remember(&mut self, frame: &WireFrame) {
        let messages = split_compound(&frame.bytes).map_while(Result::ok);
        for ((header, _), step) in messages.zip(&frame.steps) {
            if let (Some(step), true) = (step, header.message_id != Header::UNSOLICITED) {
                self.asked.insert(header.message_id, *step);
            }
        }
    }

    /// A frame with its length prefix, in as many segments as it takes.
    fn frame(
        &mut self,
        out: &mut impl Write,
        at: Duration,
        from: usize,
        frame: &[u8],
        comment: &str,
    ) -> io::Result<()> {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let mut bytes = (length & 0x00FF_FFFF).to_be_bytes().to_vec();
        bytes.extend_from_slice(frame);
        for part in bytes.chunks(SEGMENT) {
            self.segment(out, at, from, PSH | ACK, part, Some(comment))?;
        }
        Ok(())
    }

    fn segment(
        &mut self,
        out: &mut impl Write,
        at: Duration,
        from: usize,
        flags: u8,
        content: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let (source, target) = (self.ends[from], self.ends[1 - from]);
        let acknowledged = if flags & ACK == 0 {
            0
        } else {
            self.next[1 - from]
        };
        let mut tcp = Vec::with_capacity(20 + content.len());
        tcp.extend(source.port().to_be_bytes());
        tcp.extend(target.port().to_be_bytes());
        tcp.extend(self.next[from].to_be_bytes());
        tcp.extend(acknowledged.to_be_bytes());
        tcp.extend([5 << 4, flags]);
        tcp.extend(u16::MAX.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend_from_slice(content);
        let sum = tcp_checksum(source.ip(), target.ip(), &tcp);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let taken = content.len() + usize::from(flags & (SYN | FIN) != 0);
        self.next[from] = self.next[from].wrapping_add(u32::try_from(taken).unwrap_or(0));
        packet(
            out,
            at,
            &ethernet(from, source.ip(), target.ip(), &tcp),
            comment,
        )
    }
}

/// `client A, line 12 create; encrypted on the wire`.
fn comment(trace: &Trace, owner: ClientId, frame: &WireFrame, steps: &[Option<StepId>]) -> String {
    let named: Vec<String> = steps
        .iter()
        .flatten()
        .map(|step| {
            let step = trace.step(*step);
            let client = trace.client(step.client()).name();
            format!("client {client}, line {} {}", step.line(), step.verb().name)
        })
        .collect();
    let mut text = match named.is_empty() {
        true => format!("client {}", trace.client(owner).name()),
        false => named.join("; "),
    };
    if let Some(note) = &frame.note {
        text.push_str("; ");
        text.push_str(note);
    }
    text
}

fn ethernet(from: usize, source: IpAddr, target: IpAddr, tcp: &[u8]) -> Vec<u8> {
    let length = u16::try_from(tcp.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(54 + tcp.len());
    // Locally administered addresses: 1 is the client's, 2 the server's.
    let ends: [u8; 2] = if from == 0 { [2, 1] } else { [1, 2] };
    for end in ends {
        bytes.extend([2, 0, 0, 0, 0, end]);
    }
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            bytes.extend([0x08, 0x00]);
            let mut ip = vec![0x45, 0];
            ip.extend(length.saturating_add(20).to_be_bytes());
            // Identification 0, Don't Fragment, 64 hops, TCP, and the checksum's place.
            ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
            ip.extend(source.octets());
            ip.extend(target.octets());
            let sum = checksum(&[&ip]);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            bytes.extend(ip);
        }
        _ => {
            bytes.extend([0x86, 0xDD]);
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(length.to_be_bytes());
            bytes.extend([6, 64]);
            bytes.extend(v6(source).octets());
            bytes.extend(v6(target).octets());
        }
    }
    bytes.extend_from_slice(tcp);
    bytes
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn tcp_checksum(source: IpAddr, target: IpAddr, tcp: &[u8]) -> u16 {
    let length = u32::try_from(tcp.len()).unwrap_or(u32::MAX).to_be_bytes();
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => checksum(&[
            &source.octets(),
            &target.octets(),
            &[0, 6],
            &length[2..],
            tcp,
        ]),
        _ => checksum(&[
            &v6(source).octets(),
            &v6(target).octets(),
            &length,
            &[0, 0, 0, 6],
            tcp,
        ]),
    }
}

/// The checksum of RFC 1071 over parts of which all but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words
        .map(|word| u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or(0)))
        .sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let folded = (folded & 0xFFFF) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

/// The Section Header Block and the one Interface Description Block, with times in nanoseconds.
fn section(out: &mut impl Write, about: &str) -> io::Result<()> {
    let mut header = Vec::new();
    header.extend(0x1A2B_3C4Du32.to_le_bytes());
    header.extend(1u16.to_le_bytes());
    header.extend(0u16.to_le_bytes());
    header.extend(u64::MAX.to_le_bytes());
    option(&mut header, 1, about.as_bytes());
    end_of_options(&mut header);
    block(out, 0x0A0D_0D0A, &header)?;
    let mut interface = Vec::new();
    interface.extend((LINK_ETHERNET).to_le_bytes());
    // No limit on the length of a packet.
    interface.extend(0u32.to_le_bytes());
    option(&mut interface, 9, &[9]);
    end_of_options(&mut interface);
    block(out, 1, &interface)
}

/// An Enhanced Packet Block.
fn packet(
    out: &mut impl Write,
    at: Duration,
    bytes: &[u8],
    comment: Option<&str>,
) -> io::Result<()> {
    let nanoseconds = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut body = Vec::with_capacity(bytes.len() + 64);
    body.extend(0u32.to_le_bytes());
    // The upper half first.
    body.extend(&nanoseconds.to_le_bytes()[4..]);
    body.extend(&nanoseconds.to_le_bytes()[..4]);
    body.extend(length);
    body.extend(length);
    body.extend_from_slice(bytes);
    pad(&mut body);
    if let Some(comment) = comment {
        option(&mut body, 1, comment.as_bytes());
        end_of_options(&mut body);
    }
    block(out, 6, &body)
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12)
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(body)?;
    out.write_all(&length)
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn trace() -> Trace {
        let text = "ir 1\nclient A user=alice\nA echo\n";
        replay_ir::load_str("x.ir", text, &smb_vocabulary::VOCABULARY).expect("a trace")
    }

    /// The blocks of a capture: kind and body.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
        let mut blocks = Vec::new();
        while !bytes.is_empty() {
            let length = word(&bytes[4..]) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(&bytes[length - 4..]) as usize, length);
            blocks.push((word(bytes), bytes[8..length - 4].to_vec()));
            bytes = &bytes[length..];
        }
        blocks
    }

    #[test]
    fn a_long_frame_becomes_segments_in_sequence() {
        let log = WireLog::new(1 << 20);
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let connection = log.opened(ClientId(0), address(50_000), address(4455));
        let frame = |length| WireFrame {
            bytes: vec![7; length],
            steps: vec![Some(StepId(0))],
            note: Some("a note".to_owned()),
        };
        log.push(connection, WireEvent::Sent(frame(150_000)));
        log.push(connection, WireEvent::Received(frame(3)));
        log.push(
            connection,
            WireEvent::Ended {
                by_server: true,
                reason: "gone".to_owned(),
            },
        );
        let mut out = Vec::new();
        write_to(&mut out, &trace(), &log).expect("written");
        let blocks = blocks(&out);
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds[..2], [0x0A0D_0D0A, 1]);
        // Three of the handshake, three of the long frame, one of the short one, three of the end.
        assert_eq!(kinds[2..], [6; 10]);
        let tcp = |index: usize| &blocks[2 + index].1[20 + 14 + 20..];
        let number = |index: usize, at: usize| {
            u32::from_be_bytes(tcp(index)[at..at + 4].try_into().expect("four bytes"))
        };
        let sequence: Vec<u32> = (3..6).map(|index| number(index, 4)).collect();
        assert_eq!(sequence, [1, 65_001, 130_001]);
        assert_eq!(number(6, 8), 150_005, "the answer acknowledges all of it");
        assert_eq!(tcp(3)[2..4], 445u16.to_be_bytes());
        let shows = |index: usize, text: &str| {
            let body = &blocks[2 + index].1;
            body.windows(text.len()).any(|part| part == text.as_bytes())
        };
        assert!(shows(0, "connection of client A"));
        assert!(shows(3, "client A, line 3 echo; a note") && shows(5, "client A, line 3"));
        assert!(shows(7, "gone"));
    }

    #[test]
    fn checksums_are_those_of_the_internet() {
        // The example of RFC 1071, section 3.
        let sum = checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]);
        assert_eq!(sum, !0xddf2);
        let v6 = IpAddr::from([0u8; 16]);
        let tcp = [0u8; 20];
        assert_eq!(ethernet(0, v6, v6, &tcp).len(), 14 + 40 + 20);
        assert_eq!(tcp_checksum(v6, v6, &tcp), !(20 + 6));
    }

    #[test]
    fn times_are_nanoseconds_since_1970() {
        let mut out = Vec::new();
        packet(&mut out, Duration::new(5, 6), &[1, 2, 3], None).expect("written");
        let (_, body) = &blocks(&out)[0];
        let half = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().expect("four bytes"));
        let time = u64::from(half(4)) << 32 | u64::from(half(8));
        assert_eq!(time, 5_000_000_006);
    }
}
