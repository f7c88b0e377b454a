//! pcap and pcapng, packet by packet.

use super::link::LinkType;
use super::report::CaptureProblem;
use super::source::BUFFER;
use std::io::{ErrorKind, Read};

/// The longest packet or block, in bytes. Segments that a network card will split have up to 512 KiB.
const LONGEST: usize = 16 << 20;

/// The most interfaces of a pcapng section.
const INTERFACES: usize = 65_536;

/// A packet as it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// What the data begins with.
    pub link: LinkType,
    /// Its length when it was sent, at least that of `data`.
    pub original: usize,
    /// What the capture has of it.
    pub data: &'a [u8],
}

/// Reads the packets of a pcap or pcapng file.
pub struct PacketReader<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where `start` is in the file.
    offset: u64,
    big_endian: bool,
    format: Format,
}

enum Format {
    Pcap {
        link: LinkType,
        /// Nanoseconds of a unit of the second part of a time.
        unit: u64,
    },
    PcapNg {
        interfaces: Vec<Interface>,
    },
}

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    /// Units of its times in a second.
    per_second: u64,
    /// Seconds to add.
    offset: u64,
    snapshot: usize,
}

/// A packet's place in the buffer.
struct Found {
    time: u64,
    link: LinkType,
    original: usize,
    start: usize,
    length: usize,
}

impl<R: Read> PacketReader<R> {
    /// A reader of the file that `input` is at the beginning of.
    ///
    /// # Errors
    /// It is neither pcap nor pcapng, or cannot be read.
    pub fn new(input: R) -> Result<Self, CaptureProblem> {
        let mut reader = Self {
            input,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            offset: 0,
            big_endian: false,
            format: Format::PcapNg {
                interfaces: Vec::new(),
            },
        };
        if !reader.have(4)? {
            return Err(CaptureProblem::new(
                0,
                "the file is too short for a capture",
            ));
        }
        let magic = [0, 1, 2, 3].map(|at| reader.buffer[reader.start + at]);
        let unit = match magic {
            [0x0a, 0x0d, 0x0d, 0x0a] => return Ok(reader),
            [0xd4, 0xc3, 0xb2, 0xa1] | [0xa1, 0xb2, 0xc3, 0xd4] => 1000,
            [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d] => 1,
            _ => {
                let text = format!("{magic:02x?} begins neither a pcap nor a pcapng file");
                return Err(CaptureProblem::new(0, text));
            }
        };
        reader.big_endian = magic[0] == 0xa1;
        if !reader.have(24)? {
            return Err(CaptureProblem::new(0, "the file ends within its header"));
        }
        // The upper bits say whether frames end with a checksum, and how long it is.
        let link = LinkType::of(reader.u32(20) & 0x0fff_ffff);
        reader.format = Format::Pcap { link, unit };
        reader.consume(24);
        Ok(reader)
    }

    /// How much of the file has been read, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next packet; `None` at the end of the file.
    ///
    /// # Errors
    /// What is wrong with the file at this place. There is nothing to read behind it.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureProblem> {
        let found = match self.format {
            Format::Pcap { link, unit } => self.pcap(link, unit)?,
            Format::PcapNg { .. } => self.block()?,
        };
        Ok(found.map(|found| Packet {
            time: found.time,
            link: found.link,
            original: found.original.max(found.length),
            data: &self.buffer[found.start..found.start + found.length],
        }))
    }

    fn pcap(&mut self, link: LinkType, unit: u64) -> Result<Option<Found>, CaptureProblem> {
        if !self.have(16)? {
            return self.at_end("the header of a packet");
        }
        let seconds = u64::from(self.u32(0));
        let time = seconds * 1_000_000_000 + u64::from(self.u32(4)) * unit;
        let (length, original) = (self.u32(8) as usize, self.u32(12) as usize);
        if length > LONGEST {
            let text =
                format!("a packet of {length} bytes; the longest that is read has {LONGEST}");
            return Err(CaptureProblem::new(self.offset, text));
        }
        if !self.have(16 + length)? {
            return self.at_end("a packet");
        }
        let start = self.start + 16;
        self.consume(16 + length);
        Ok(Some(Found {
            time,
            link,
            original,
            start,
            length,
        }))
    }

    /// Goes through blocks to the next one with a packet.
    fn block(&mut self) -> Result<Option<Found>, CaptureProblem> {
        loop {
            if !self.have(12)? {
                return self.at_end("the header of a block");
            }
            let at = self.start;
            if self.buffer[at..at + 4] == [0x0a, 0x0d, 0x0d, 0x0a] {
                self.big_endian = match self.buffer[at + 8..at + 12] {
                    [0x1a, 0x2b, 0x3c, 0x4d] => true,
                    [0x4d, 0x3c, 0x2b, 0x1a] => false,
                    _ => {
                        let text = "a section header without the byte-order magic";
                        return Err(CaptureProblem::new(self.offset, text));
                    }
                };
                self.format = Format::PcapNg {
                    interfaces: Vec::new(),
                };
            }
            let (kind, length) = (self.u32(0), self.u32(4) as usize);
            if length < 12 || !length.is_multiple_of(4) || length > LONGEST {
                let text =
                    format!("a block of {length} bytes; one has 12 to {LONGEST}, a multiple of 4");
                return Err(CaptureProblem::new(self.offset, text));
            }
            if !self.have(length)? {
                return self.at_end("a block");
            }
            if self.u32(length - 4) as usize != length {
                let text = "a block whose two lengths differ";
                return Err(CaptureProblem::new(self.offset, text));
            }
            let body = length - 12;
            let found = match kind {
                1 => self.interface(body)?,
                2 if body >= 20 => self.packet(28, u32::from(self.u16(8)), 12, body)?,
                3 if body >= 4 => self.simple(body)?,
                6 if body >= 20 => self.packet(28, self.u32(8), 12, body)?,
                2 | 3 | 6 => {
                    let text = format!("a packet block of {length} bytes");
                    return Err(CaptureProblem::new(self.offset, text));
                }
                _ => None,
            };
            self.consume(length);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn interface(&mut self, body: usize) -> Result<Option<Found>, CaptureProblem> {
        if body < 8 {
            let text = "an interface description block that is too short";
            return Err(CaptureProblem::new(self.offset, text));
        }
        let mut interface = Interface {
            link: LinkType::of(u32::from(self.u16(8))),
            per_second: 1_000_000,
            offset: 0,
            snapshot: self.u32(12) as usize,
        };
        let (mut at, end) = (16, 8 + body);
        while at + 4 <= end {
            let (code, length) = (self.u16(at), usize::from(self.u16(at + 2)));
            at += 4;
            if code == 0 || at + length > end {
                break;
            }
            let value = self.buffer[self.start + at];
            match (code, length) {
                (9, 1) => interface.per_second = resolution(value),
                (14, 8) => {
                    let (first, second) = (u64::from(self.u32(at)), u64::from(self.u32(at + 4)));
                    interface.offset = match self.big_endian {
                        true => first << 32 | second,
                        false => second << 32 | first,
                    };
                }
                _ => {}
            }
            at += length.next_multiple_of(4);
        }
        let offset = self.offset;
        match &mut self.format {
            Format::PcapNg { interfaces } if interfaces.len() < INTERFACES => {
                interfaces.push(interface);
                Ok(None)
            }
            _ => Err(CaptureProblem::new(
                offset,
                "too many interfaces in a section",
            )),
        }
    }

    fn described(&self, index: u32) -> Result<Interface, CaptureProblem> {
        let described = match &self.format {
            Format::PcapNg { interfaces } => interfaces.get(index as usize).copied(),
            Format::Pcap { .. } => None,
        };
        described.ok_or_else(|| {
            let text = format!("a packet of interface {index}, which no block describes");
            CaptureProblem::new(self.offset, text)
        })
    }

    /// An enhanced packet block, and the obsolete one that differs in the number of the interface.
    fn packet(
        &self,
        data: usize,
        interface: u32,
        time: usize,
        body: usize,
    ) -> Result<Option<Found>, CaptureProblem> {
        let interface = self.described(interface)?;
        let ticks = u64::from(self.u32(time)) << 32 | u64::from(self.u32(time + 4));
        let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(interface.per_second)
            + u128::from(interface.offset) * 1_000_000_000;
        let (length, original) = (self.u32(20) as usize, self.u32(24) as usize);
        if length > body - 20 {
            let text = format!(
                "a packet of {length} bytes in a block with {} for it",
                body - 20
            );
            return Err(CaptureProblem::new(self.offset, text));
        }
        Ok(Some(Found {
            time: u64::try_from(nanoseconds).unwrap_or(u64::MAX),
            link: interface.link,
            original,
            start: self.start + data,
            length,
        }))
    }

    /// A simple packet block: of the first interface, without a time.
    fn simple(&self, body: usize) -> Result<Option<Found>, CaptureProblem> {
        let interface = self.described(0)?;
        let original = self.u32(8) as usize;
        let limit = match interface.snapshot {
            0 => usize::MAX,
            snapshot => snapshot,
        };
        Ok(Some(Found {
            time: 0,
            link: interface.link,
            original,
            start: self.start + 12,
            length: original.min(limit).min(body - 4),
        }))
    }

    /// Whether so many bytes lie in the buffer, after reading as many as it takes.
    fn have(&mut self, wanted: usize) -> Result<bool, CaptureProblem> {
        if self.end - self.start >= wanted {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            if self.end == self.buffer.len() {
                // Grows with what has come, not with what is announced.
                let length = (2 * self.buffer.len()).min(wanted.max(BUFFER));
                self.buffer.resize(length, 0);
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let offset = self.offset + self.end as u64;
                    return Err(CaptureProblem::unreadable(offset, &error));
                }
            }
        }
        Ok(true)
    }

    /// The end of the file, if it is not in the middle of something.
    fn at_end(&self, what: &str) -> Result<Option<Found>, CaptureProblem> {
        match self.end - self.start {
            0 => Ok(None),
            left => {
                let text = format!(
                    "the file ends in the middle of {what}, {left} bytes after its beginning"
                );
                Err(CaptureProblem::new(self.offset, text))
            }
        }
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        self.offset += length as u64;
    }

    /// A number at so many bytes from `start`, which the caller knows to be there.
    fn u32(&self, at: usize) -> u32 {
        let at = self.start + at;
        let bytes = [0, 1, 2, 3].map(|index| self.buffer[at + index]);
        match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    }

    fn u16(&self, at: usize) -> u16 {
        let at = self.start + at;
        let bytes = [self.buffer[at], self.buffer[at + 1]];
        match self.big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        }
    }
}

/// `if_tsresol`: a power of 10, or with the upper bit of 2.
fn resolution(value: u8) -> u64 {
    let exponent = u32::from(value & 0x7f);
    let base: u64 = if value & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent).unwrap_or(u64::MAX)
}
