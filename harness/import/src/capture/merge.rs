//! Several captures as one: packets in the order of their times, once the clocks are set to each other.
//!
//! Captures from several points may have the same connection. Its bytes are used from whichever shows them first, and what
//! one lacks may come from the other: to the reassembly the second appearance is a retransmission.

use super::connections::{Connections, FrameSink, Limits, Ports};
use super::file::{Packet, PacketReader};
use super::link::{self, LinkType};
use super::report::{CaptureProblem, CaptureReport};
use super::source;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// How many segments of a capture are remembered to find them in another.
const MARKS: usize = 65_536;

/// A capture among several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureFile {
    /// Where it is.
    pub path: PathBuf,
    /// Nanoseconds that are added to its times.
    pub offset: i64,
}

/// Reads captures as one, and hands every frame of their SMB connections to `sink`.
///
/// A capture that breaks off is read as far as it goes, the others to their end; the report has the first problem.
///
/// # Errors
/// A file cannot be opened.
pub fn read_captures(
    files: &[CaptureFile],
    ports: &Ports,
    limits: &Limits,
    sink: &mut dyn FrameSink,
) -> io::Result<CaptureReport> {
    let mut report = CaptureReport::default();
    let mut inputs = Vec::new();
    for file in files {
        let opened = File::open(&file.path)?;
        match Input::open(opened, file) {
            Ok(input) => inputs.push(input),
            Err(problem) => note(&mut report, &file.path, problem),
        }
    }
    let mut connections = Connections::new(ports.clone(), limits.clone());
    for input in &mut inputs {
        input.advance(&mut report);
    }
    // There are few files, so that looking at each costs less than keeping them in order.
    while let Some(earliest) = inputs
        .iter_mut()
        .filter(|input| input.has_packet)
        .min_by_key(|input| input.time)
    {
        connections.packet(&earliest.packet(), &mut report, sink);
        earliest.advance(&mut report);
    }
    report.bytes = inputs.iter().map(|input| input.reader.offset()).sum();
    connections.finish(&mut report, sink);
    Ok(report)
}

fn note(report: &mut CaptureReport, path: &Path, problem: CaptureProblem) {
    let CaptureProblem { offset, what } = problem;
    let what = format!("{what} ({})", path.display());
    report
        .problem
        .get_or_insert(CaptureProblem { offset, what });
}

/// A file that is being read, with its next packet.
struct Input<'f> {
    file: &'f CaptureFile,
    reader: PacketReader<Box<dyn Read>>,
    has_packet: bool,
    /// By the common clock.
    time: u64,
    link: LinkType,
    original: usize,
    data: Vec<u8>,
}

impl<'f> Input<'f> {
    fn open(opened: File, file: &'f CaptureFile) -> Result<Self, CaptureProblem> {
        Ok(Self {
            file,
            reader: PacketReader::new(source::open(opened)?)?,
            has_packet: false,
            time: 0,
            link: LinkType::Raw,
            original: 0,
            data: Vec::new(),
        })
    }

    fn packet(&self) -> Packet<'_> {
        Packet {
            time: self.time,
            link: self.link,
            original: self.original,
            data: &self.data,
        }
    }

    fn advance(&mut self, report: &mut CaptureReport) {
        self.has_packet = false;
        match self.reader.next_packet() {
            Ok(Some(packet)) => {
                self.has_packet = true;
                self.time = packet.time.saturating_add_signed(self.file.offset);
                self.link = packet.link;
                self.original = packet.original;
                self.data.clear();
                self.data.extend_from_slice(packet.data);
            }
            Ok(None) => {}
            Err(problem) => note(report, &self.file.path, problem),
        }
    }
}

/// What has to be added to the times of each capture, in nanoseconds, so that they go with those of the first; `None` for one
/// that shows no connection of those before it.
///
/// A segment passes the points of capture one after the other: later by the way between them in one direction, earlier in
/// the other. Half of the sum of both differences is free of the way, if it takes as long there as back; a connection of
/// which only one direction is in both captures leaves the way in.
///
/// # Errors
/// A file cannot be opened.
pub fn clock_offsets(paths: &[PathBuf], ports: &Ports) -> io::Result<Vec<Option<i64>>> {
    let mut marks = Vec::new();
    for path in paths {
        marks.push(Marks::of(File::open(path)?, ports));
    }
    let mut offsets: Vec<Option<i64>> = Vec::new();
    for (at, mine) in marks.iter().enumerate() {
        let offset = match at {
            0 => Some(0),
            _ => marks[..at].iter().zip(&offsets).find_map(|(other, known)| {
                let known = (*known)?;
                Some(known.saturating_add(mine.behind(other)?))
            }),
        };
        offsets.push(offset);
    }
    Ok(offsets)
}

type Mark = (SocketAddr, SocketAddr, u32, bool);

/// When segments were seen that another capture may have, too.
#[derive(Default)]
struct Marks {
    to_server: HashMap<Mark, u64>,
    to_client: HashMap<Mark, u64>,
}

impl Marks {
    /// Those of a capture, as far as it can be read.
    fn of(input: impl Read, ports: &Ports) -> Self {
        let mut marks = Self::default();
        let mut report = CaptureReport::default();
        let Ok(mut reader) = source::open(input).and_then(PacketReader::new) else {
            return marks;
        };
        while let Ok(Some(packet)) = reader.next_packet() {
            let found = link::segment(packet.link, packet.data, packet.original, &mut report);
            let Some(segment) = found else { continue };
            let has_data = !segment.payload.is_empty() || segment.missing > 0;
            let is_mark = segment.syn || has_data && is_sample(segment.sequence);
            if !is_mark {
                continue;
            }
            let map = match ports.has(segment.to.port()) {
                true => &mut marks.to_server,
                false if ports.has(segment.from.port()) => &mut marks.to_client,
                false => continue,
            };
            let mark = (segment.from, segment.to, segment.sequence, segment.syn);
            if map.len() < MARKS {
                map.entry(mark).or_insert(packet.time);
            }
        }
        marks
    }

    /// How far this clock is behind another's; `None` where nothing is in both.
    fn behind(&self, other: &Self) -> Option<i64> {
        let directions = [
            median(&self.to_server, &other.to_server),
            median(&self.to_client, &other.to_client),
        ];
        match directions {
            [Some(one), Some(back)] => Some(one.midpoint(back)),
            [one, back] => one.or(back),
        }
    }
}

/// Takes about every 64th segment, the same ones of every capture.
fn is_sample(sequence: u32) -> bool {
    sequence.wrapping_mul(0x9E37_79B1) >> 26 == 0
}

fn median(mine: &HashMap<Mark, u64>, others: &HashMap<Mark, u64>) -> Option<i64> {
    let both = mine
        .iter()
        .filter_map(|(mark, time)| Some((*time, *others.get(mark)?)));
    let mut differences: Vec<i64> = both
        .map(|(mine, other)| other.wrapping_sub(mine).cast_signed())
        .collect();
    differences.sort_unstable();
    differences.get(differences.len() / 2).copied()
}
