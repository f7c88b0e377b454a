//! From a captured packet to the TCP segment in it.

use super::report::{CaptureReport, Noted};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a packet begins with (the LINKTYPE_ values of tcpdump).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// BSD loopback: the address family in the byte order of the host.
    Null,
    /// Ethernet.
    Ethernet,
    /// An IP packet.
    Raw,
    /// The address family in network byte order.
    Loop,
    /// Linux cooked capture v1, as `tcpdump -i any` wrote it.
    LinuxSll,
    /// Linux cooked capture v2.
    LinuxSll2,
    /// Anything else.
    Other(u32),
}

impl LinkType {
    /// The type with this number.
    pub fn of(number: u32) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }
}

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledged: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) reset: bool,
    /// What the capture has of its payload.
    pub(super) payload: &'a [u8],
    /// How many bytes of the payload it does not have.
    pub(super) missing: usize,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TCP: u8 = 6;

/// The segment in a packet of `original` bytes; why there is none is noted.
pub(super) fn segment<'a>(
    link: LinkType,
    data: &'a [u8],
    original: usize,
    report: &mut CaptureReport,
) -> Option<Segment<'a>> {
    match dissect(link, data, original, report) {
        Ok(segment) => Some(segment),
        Err(Noted::Malformed) if original > data.len() => {
            report.note(Noted::CutOff);
            None
        }
        Err(reason) => {
            report.note(reason);
            None
        }
    }
}

fn dissect<'a>(
    link: LinkType,
    data: &'a [u8],
    original: usize,
    report: &mut CaptureReport,
) -> Result<Segment<'a>, Noted> {
    let (kind, at) = match link {
        LinkType::Ethernet => ether_type(data, 12)?,
        LinkType::LinuxSll => ether_type(data, 14)?,
        LinkType::LinuxSll2 => (be16(data, 0)?, 20),
        LinkType::Null | LinkType::Loop => {
            // 2 is AF_INET everywhere; AF_INET6 is 10, 24, 28 or 30.
            let family = data.first_chunk::<4>().ok_or(Noted::Malformed)?;
            match family[0] | family[3] {
                2 => (IPV4, 4),
                10 | 24 | 28 | 30 => (IPV6, 4),
                _ => return Err(Noted::OtherLink),
            }
        }
        LinkType::Raw => match data.first().ok_or(Noted::Malformed)? >> 4 {
            4 => (IPV4, 0),
            6 => (IPV6, 0),
            _ => return Err(Noted::Malformed),
        },
        LinkType::Other(_) => return Err(Noted::OtherLink),
    };
    let packet = data.get(at..).ok_or(Noted::Malformed)?;
    // Ethernet pads short packets, so that only the IP header knows where the payload ends.
    let cut = original.saturating_sub(data.len());
    match kind {
        IPV4 => ipv4(packet, cut, report),
        IPV6 => ipv6(packet, cut),
        _ => Err(Noted::OtherLink),
    }
}

/// The type at `at`, behind VLAN tags (802.1Q, 802.1ad) if there are any, and where the packet begins.
fn ether_type(data: &[u8], mut at: usize) -> Result<(u16, usize), Noted> {
    for _ in 0..8 {
        match be16(data, at)? {
            0x8100 | 0x88a8 | 0x9100 => at += 4,
            kind => return Ok((kind, at + 2)),
        }
    }
    Err(Noted::Malformed)
}

fn ipv4<'a>(
    packet: &'a [u8],
    cut: usize,
    report: &mut CaptureReport,
) -> Result<Segment<'a>, Noted> {
    let fixed = packet.first_chunk::<20>().ok_or(Noted::Malformed)?;
    let header = usize::from(fixed[0] & 0x0f) * 4;
    if fixed[0] >> 4 != 4 || header < 20 || packet.len() < header {
        return Err(Noted::Malformed);
    }
    if fixed[9] != TCP {
        return Err(Noted::OtherProtocol);
    }
    if be16(fixed, 6)? & 0x3fff != 0 {
        return Err(Noted::Fragment);
    }
    if checksum(&packet[..header]) != 0xffff && be16(fixed, 10)? != 0 {
        report.note(Noted::BadChecksum);
    }
    let address = |at: usize| IpAddr::V4(Ipv4Addr::from([0, 1, 2, 3].map(|i| fixed[at + i])));
    // Segmentation offload leaves the length 0: the packet is as long as it is.
    let total = match usize::from(be16(fixed, 2)?) {
        0 => packet.len() + cut,
        total => total,
    };
    tcp(
        address(12),
        address(16),
        &packet[header..],
        total.checked_sub(header),
        cut,
    )
}

fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 = header
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

fn ipv6(packet: &[u8], cut: usize) -> Result<Segment<'_>, Noted> {
    let fixed = packet.first_chunk::<40>().ok_or(Noted::Malformed)?;
    if fixed[0] >> 4 != 6 {
        return Err(Noted::Malformed);
    }
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&fixed[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let end = match usize::from(be16(fixed, 4)?) {
        0 => packet.len() + cut,
        length => 40 + length,
    };
    let (mut next, mut at) = (fixed[6], 40);
    for _ in 0..16 {
        match next {
            TCP => {
                let rest = packet.get(at..).ok_or(Noted::Malformed)?;
                return tcp(address(8), address(24), rest, end.checked_sub(at), cut);
            }
            44 => {
                // A fragment header may say that the packet is whole (RFC 6946).
                if be16(packet, at + 2)? & 0xfff9 != 0 {
                    return Err(Noted::Fragment);
                }
                next = *packet.get(at).ok_or(Noted::Malformed)?;
                at += 8;
            }
            0 | 43 | 60 | 135 | 139 | 140 => {
                next = *packet.get(at).ok_or(Noted::Malformed)?;
                at += 8 + 8 * usize::from(*packet.get(at + 1).ok_or(Noted::Malformed)?);
            }
            51 => {
                next = *packet.get(at).ok_or(Noted::Malformed)?;
                at += 8 + 4 * usize::from(*packet.get(at + 1).ok_or(Noted::Malformed)?);
            }
            _ => return Err(Noted::OtherProtocol),
        }
    }
    Err(Noted::Malformed)
}

/// The segment at the start of `data`, of `length` bytes as the IP header says.
fn tcp(
    from: IpAddr,
    to: IpAddr,
    data: &[u8],
    length: Option<usize>,
    cut: usize,
) -> Result<Segment<'_>, Noted> {
    let length = length.ok_or(Noted::Malformed)?;
    let fixed = data.first_chunk::<20>().ok_or(Noted::Malformed)?;
    let header = usize::from(fixed[12] >> 4) * 4;
    // A packet that claims more than it ever had is malformed, not cut.
    if header < 20 || length < header || length > data.len() + cut {
        return Err(Noted::Malformed);
    }
    let payload = data.get(header..data.len().min(length)).unwrap_or_default();
    let flags = fixed[13];
    Ok(Segment {
        from: SocketAddr::new(from, be16(fixed, 0)?),
        to: SocketAddr::new(to, be16(fixed, 2)?),
        sequence: be32(fixed, 4)?,
        acknowledged: (flags & 0x10 != 0).then_some(be32(fixed, 8)?),
        syn: flags & 0x02 != 0,
        fin: flags & 0x01 != 0,
        reset: flags & 0x04 != 0,
        payload,
        missing: length - header - payload.len(),
    })
}

fn be16(data: &[u8], at: usize) -> Result<u16, Noted> {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk());
    bytes
        .copied()
        .map(u16::from_be_bytes)
        .ok_or(Noted::Malformed)
}

fn be32(data: &[u8], at: usize) -> Result<u32, Noted> {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk());
    bytes
        .copied()
        .map(u32::from_be_bytes)
        .ok_or(Noted::Malformed)
}
