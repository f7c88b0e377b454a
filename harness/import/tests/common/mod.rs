//! Makes captures: packets of TCP connections in every link layer, in files of both formats.

#![allow(dead_code, unused_imports, reason = "each test uses some of it")]

mod exchanges;

pub(crate) use exchanges::{Exchanges, header, id, session_frames};
use replay_import::capture::{Direction, LinkType};

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    v6: bool,
    client_port: u16,
    server_port: u16,
    sequence: [u32; 2],
}

impl Ends {
    pub(crate) fn v4(server_port: u16) -> Self {
        Self {
            v6: false,
            client_port: 50_000,
            server_port,
            sequence: [u32::MAX - 100, 5],
        }
    }

    pub(crate) fn v6(server_port: u16) -> Self {
        Self {
            v6: true,
            ..Self::v4(server_port)
        }
    }

    pub(crate) fn with_client_port(self, client_port: u16) -> Self {
        Self {
            client_port,
            ..self
        }
    }

    pub(crate) fn starting_at(self, sequence: u32) -> Self {
        Self {
            sequence: [sequence, sequence],
            ..self
        }
    }

    /// The first packet of the connection, raw.
    pub(crate) fn syn(&self) -> Vec<u8> {
        self.packet(Direction::ToServer, self.sequence[0], 0, 0x02, &[])
    }

    /// A raw packet of the client, `offset` bytes after the beginning of its stream.
    pub(crate) fn segment(&self, offset: u32, payload: &[u8]) -> Vec<u8> {
        let sequence = self.sequence[0].wrapping_add(1).wrapping_add(offset);
        self.packet(Direction::ToServer, sequence, 0, 0x10, payload)
    }

    /// A raw packet of one side.
    pub(crate) fn packet(
        &self,
        direction: Direction,
        sequence: u32,
        acknowledged: u32,
        flags: u8,
        payload: &[u8],
    ) -> Vec<u8> {
        let (from, to) = match direction {
            Direction::ToServer => (1, 2),
            Direction::ToClient => (2, 1),
        };
        let ports = match direction {
            Direction::ToServer => [self.client_port, self.server_port],
            Direction::ToClient => [self.server_port, self.client_port],
        };
        let mut tcp = Vec::new();
        tcp.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        tcp.extend(sequence.to_be_bytes());
        tcp.extend(acknowledged.to_be_bytes());
        tcp.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(payload);
        let mut packet = Vec::new();
        if self.v6 {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((tcp.len() as u16).to_be_bytes());
            packet.extend([6, 64]);
            for end in [from, to] {
                packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
            }
        } else {
            packet.extend([0x45, 0]);
            packet.extend((20 + tcp.len() as u16).to_be_bytes());
            packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
        }
        packet.extend(tcp);
        packet
    }

    /// The packets of a whole connection that carries `frames`, in segments of at most `size` bytes, each
    /// acknowledged.
    pub(crate) fn conversation(
        &self,
        frames: &[(Direction, Vec<u8>)],
        size: usize,
        link: LinkType,
        vlans: usize,
    ) -> Vec<Vec<u8>> {
        let [mut client, mut server] = self.sequence;
        let (up, down) = (Direction::ToServer, Direction::ToClient);
        let mut packets = vec![self.packet(up, client, 0, 0x02, &[])];
        client = client.wrapping_add(1);
        packets.push(self.packet(down, server, client, 0x12, &[]));
        server = server.wrapping_add(1);
        packets.push(self.packet(up, client, server, 0x10, &[]));
        for (direction, frame) in frames {
            let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
            bytes.extend(frame);
            for part in bytes.chunks(size) {
                match direction {
                    Direction::ToServer => {
                        packets.push(self.packet(up, client, server, 0x18, part));
                        client = client.wrapping_add(part.len() as u32);
                        packets.push(self.packet(down, server, client, 0x10, &[]));
                    }
                    Direction::ToClient => {
                        packets.push(self.packet(down, server, client, 0x18, part));
                        server = server.wrapping_add(part.len() as u32);
                        packets.push(self.packet(up, client, server, 0x10, &[]));
                    }
                }
            }
        }
        packets.push(self.packet(up, client, server, 0x11, &[]));
        client = client.wrapping_add(1);
        packets.push(self.packet(down, server, client, 0x10, &[]));
        packets.push(self.packet(down, server, client, 0x11, &[]));
        server = server.wrapping_add(1);
        packets.push(self.packet(up, client, server, 0x10, &[]));
        packets
            .into_iter()
            .map(|packet| self.linked(packet, link, vlans))
            .collect()
    }

    fn linked(&self, packet: Vec<u8>, link: LinkType, vlans: usize) -> Vec<u8> {
        let kind: u16 = if self.v6 { 0x86dd } else { 0x0800 };
        let mut out = Vec::new();
        match link {
            LinkType::Ethernet => {
                out.extend([2; 12]);
                out.extend((0..vlans).flat_map(|tag| [0x81, 0, 0, tag as u8]));
                out.extend(kind.to_be_bytes());
            }
            LinkType::LinuxSll => {
                out.extend([0; 14]);
                out.extend(kind.to_be_bytes());
            }
            LinkType::LinuxSll2 => {
                out.extend(kind.to_be_bytes());
                out.extend([0; 18]);
            }
            LinkType::Null => out.extend([if self.v6 { 30 } else { 2 }, 0, 0, 0]),
            LinkType::Loop => out.extend([0, 0, 0, if self.v6 { 24 } else { 2 }]),
            LinkType::Raw | LinkType::Other(_) => {}
        }
        out.extend(packet);
        // Ethernet pads to 60 bytes.
        if link == LinkType::Ethernet && out.len() < 60 {
            out.resize(60, 0);
        }
        out
    }
}

/// A pcap file of these packets, a millisecond apart.
pub(crate) fn pcap(packets: &[Vec<u8>], link: u32, nanoseconds: bool, big_endian: bool) -> Vec<u8> {
    let number = |value: u32| match big_endian {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let mut file = Vec::new();
    file.extend(number(match nanoseconds {
        true => 0xa1b2_3c4d,
        false => 0xa1b2_c3d4,
    }));
    let version = number(if big_endian { 0x0002_0004 } else { 0x0004_0002 });
    file.extend(version);
    for value in [0, 0, 262_144, link] {
        file.extend(number(value));
    }
    let unit = if nanoseconds { 1_000_000 } else { 1000 };
    for (index, packet) in packets.iter().enumerate() {
        let index = index as u32;
        file.extend(number(1_700_000_000 + index / 1000));
        file.extend(number(index % 1000 * unit));
        file.extend(number(packet.len() as u32));
        file.extend(number(packet.len() as u32));
        file.extend(packet);
    }
    file
}

/// Makes pcapng files.
pub(crate) struct PcapNg {
    big_endian: bool,
    cut: usize,
}

impl PcapNg {
    pub(crate) fn new(big_endian: bool) -> Self {
        Self {
            big_endian,
            cut: usize::MAX,
        }
    }

    /// Keeps so many bytes of each packet.
    pub(crate) fn cut_to(self, cut: usize) -> Self {
        Self { cut, ..self }
    }

    fn u32(&self, value: u32) -> [u8; 4] {
        match self.big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        }
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        match self.big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        }
    }

    fn block(&self, file: &mut Vec<u8>, kind: u32, body: &[u8]) {
        let length = self.u32(12 + body.len().next_multiple_of(4) as u32);
        file.extend(self.u32(kind));
        file.extend(length);
        file.extend(body);
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend(length);
    }

    /// A file of these packets, a millisecond apart, in nanoseconds, with blocks of other kinds between them.
    pub(crate) fn file(&self, packets: &[Vec<u8>], link: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.u16(1));
        body.extend(self.u16(0));
        body.extend([0xff; 8]);
        self.block(&mut file, 0x0a0d_0d0a, &body);
        let mut body = self.u16(link as u16).to_vec();
        body.extend(self.u16(0));
        body.extend(self.u32(0));
        body.extend(self.u16(9));
        body.extend(self.u16(1));
        body.extend([9, 0, 0, 0]);
        body.extend([0; 4]);
        self.block(&mut file, 1, &body);
        for (index, packet) in packets.iter().enumerate() {
            let time = 1_700_000_000_000_000_000 + index as u64 * 1_000_000;
            let kept = &packet[..packet.len().min(self.cut)];
            let mut body = self.u32(0).to_vec();
            body.extend(self.u32((time >> 32) as u32));
            body.extend(self.u32(time as u32));
            body.extend(self.u32(kept.len() as u32));
            body.extend(self.u32(packet.len() as u32));
            body.extend(kept);
            self.block(&mut file, 6, &body);
            if index % 7 == 0 {
                self.block(&mut file, 5, &[0; 12]);
                self.block(&mut file, 0x1234, b"unknown");
            }
        }
        file
    }
}
