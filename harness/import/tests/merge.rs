//! Captures from several points become one, by a common clock.

mod common;

use common::{Ends, session_frames};
use replay_import::capture::{
    CaptureFile, CaptureReport, ConnectionId, ConnectionInfo, Direction, FrameSink, Gap, Limits,
    LinkType, Noted, Ports, clock_offsets, read_captures,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MILLISECOND: u64 = 1_000_000;
const BEGIN: u64 = 1_700_000_000_000_000_000;
/// How far the server's clock is behind the client's.
const BEHIND: u64 = 5_000_000_123;
/// What a packet takes from the client's point to the server's.
const WAY: u64 = 200_000;

type Packets = Vec<(u64, Vec<u8>)>;

/// Frames of connections by their number, and the times of all in the order in which they came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    frames: BTreeMap<ConnectionId, Vec<(Direction, Vec<u8>)>>,
    times: Vec<u64>,
    gaps: u64,
}

impl FrameSink for Seen {
    fn opened(&mut self, id: ConnectionId, _: &ConnectionInfo) {
        self.frames.entry(id).or_default();
    }

    fn frame(&mut self, id: ConnectionId, direction: Direction, time: u64, frame: &[u8]) {
        self.times.push(time);
        let frames = self.frames.entry(id).or_default();
        frames.push((direction, frame.to_vec()));
    }

    fn gap(&mut self, _: ConnectionId, gap: Gap) {
        self.gaps += gap.bytes;
    }

    fn closed(&mut self, _: ConnectionId, _: u64, _: Option<Direction>) {}
}

/// What the client's point sees of a connection, a millisecond apart.
fn connection(client_port: u16, begin: u64) -> Packets {
    let ends = Ends::v4(445).with_client_port(client_port);
    let packets = ends.conversation(&session_frames(), 700, LinkType::Raw, 0);
    let times = (0..).map(|at| begin + at * MILLISECOND);
    times.zip(packets).collect()
}

/// The same as the server's point sees it, by its own clock.
fn at_the_server(packets: &Packets) -> Packets {
    let shifted = packets.iter().map(|(time, packet)| {
        // The port that it comes from is behind the IPv4 header.
        let from_server = packet[20..22] == 445_u16.to_be_bytes();
        let time = match from_server {
            true => time - WAY,
            false => time + WAY,
        };
        (time - BEHIND, packet.clone())
    });
    let mut shifted: Packets = shifted.collect();
    shifted.sort_by_key(|(time, _)| *time);
    shifted
}

fn write(folder: &TempDir, name: &str, packets: &Packets) -> PathBuf {
    let mut file = Vec::new();
    for value in [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 101] {
        file.extend(u32::to_le_bytes(value));
    }
    for (time, packet) in packets {
        let length = packet.len() as u64;
        for value in [time / 1_000_000_000, time % 1_000_000_000, length, length] {
            file.extend((value as u32).to_le_bytes());
        }
        file.extend(packet);
    }
    let path = folder.path().join(name);
    std::fs::write(&path, file).expect("a file can be written");
    path
}

fn read(files: &[CaptureFile]) -> (Seen, CaptureReport) {
    let mut seen = Seen::default();
    let report = read_captures(files, &Ports::default(), &Limits::default(), &mut seen);
    (seen, report.expect("the files are there"))
}

fn file(path: &Path, offset: i64) -> CaptureFile {
    CaptureFile {
        path: path.to_owned(),
        offset,
    }
}

#[test]
fn two_points_make_one_capture() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = connection(50_000, BEGIN);
    let other = connection(50_001, BEGIN + MILLISECOND / 2);
    let expected = [(0, session_frames()), (1, session_frames())].into();

    // The client's point lost every third packet of the second connection; the server's has only that one, all of it.
    let mut client = one;
    client.extend(other.iter().enumerate().filter_map(|(at, packet)| {
        let is_lost = at % 3 == 2;
        (!is_lost).then(|| packet.clone())
    }));
    client.sort_by_key(|(time, _)| *time);
    let server = at_the_server(&other);
    let paths = [
        write(&folder, "client.pcap", &client),
        write(&folder, "server.pcap", &server),
    ];
    let (alone, _) = read(&[file(&paths[0], 0)]);
    assert!(alone.gaps > 0, "the client's point alone has all");

    let offsets = clock_offsets(&paths, &Ports::default()).expect("the files are there");
    assert_eq!(offsets, [Some(0), Some(BEHIND.cast_signed())]);
    let files = [file(&paths[0], 0), file(&paths[1], BEHIND.cast_signed())];
    let (merged, report) = read(&files);
    assert_eq!(merged.frames, expected);
    assert_eq!((merged.gaps, report.count(Noted::Gaps)), (0, 0));
    assert!(report.count(Noted::Retransmitted) > 0, "{report}");
    assert!(merged.times.is_sorted(), "{:?}", merged.times);
    assert_eq!(
        report.packets,
        (client.len() + server.len()) as u64,
        "{report}"
    );
}

#[test]
fn clocks_are_taken_from_any_capture_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (connection(50_000, BEGIN), connection(50_001, BEGIN));
    let stranger = connection(50_002, BEGIN);
    let both = [at_the_server(&one), at_the_server(&other)].concat();
    let paths = [
        write(&folder, "one.pcap", &one),
        write(&folder, "both.pcap", &both),
        write(&folder, "other.pcap", &other),
        write(&folder, "stranger.pcap", &stranger),
    ];
    let offsets = clock_offsets(&paths, &Ports::default()).expect("the files are there");
    assert_eq!(
        offsets,
        [Some(0), Some(BEHIND.cast_signed()), Some(0), None]
    );
}

#[test]
fn a_broken_capture_does_not_keep_the_others_from_being_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = write(&folder, "good.pcap", &connection(50_000, BEGIN));
    let bad = folder.path().join("bad.pcap");
    std::fs::write(&bad, b"no capture at all").expect("a file can be written");
    for files in [
        [file(&bad, 0), file(&good, 0)],
        [file(&good, 0), file(&bad, 0)],
    ] {
        let (seen, report) = read(&files);
        assert_eq!(seen.frames, [(0, session_frames())].into());
        let problem = report.problem.expect("one cannot be read").to_string();
        assert!(problem.contains("bad.pcap"), "{problem}");
    }
}
