//! Captures of every form give the frames that were sent; what is broken is reported with its place.

mod common;

use common::{Ends, PcapNg, pcap, session_frames};
use proptest::prelude::*;
use replay_import::capture::{
    CaptureReport, ConnectionId, ConnectionInfo, Direction, FrameSink, Gap, Limits, LinkType,
    Noted, Ports, read_capture_from,
};
use std::io::{Cursor, Write as _};

/// Collects what comes out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    opened: Vec<bool>,
    frames: Vec<(ConnectionId, Direction, Vec<u8>)>,
    gaps: u64,
    left: u64,
    closed: Vec<Option<Direction>>,
}

impl FrameSink for Seen {
    fn opened(&mut self, _: ConnectionId, info: &ConnectionInfo) {
        self.opened.push(info.mid_stream);
    }

    fn frame(&mut self, id: ConnectionId, direction: Direction, _: u64, frame: &[u8]) {
        self.frames.push((id, direction, frame.to_vec()));
    }

    fn gap(&mut self, _: ConnectionId, gap: Gap) {
        self.gaps += gap.bytes;
    }

    fn left(&mut self, _: ConnectionId, _: u64) {
        self.left += 1;
    }

    fn closed(&mut self, _: ConnectionId, _: u64, by: Option<Direction>) {
        self.closed.push(by);
    }
}

fn read(file: &[u8]) -> (Seen, CaptureReport) {
    read_with(file, &Ports::default(), &Limits::default())
}

fn read_with(file: &[u8], ports: &Ports, limits: &Limits) -> (Seen, CaptureReport) {
    let mut seen = Seen::default();
    let report = read_capture_from(Cursor::new(file), ports, limits, &mut seen);
    (seen, report)
}

fn expected() -> Vec<(ConnectionId, Direction, Vec<u8>)> {
    let frames = session_frames().into_iter();
    frames
        .map(|(direction, frame)| (0, direction, frame))
        .collect()
}

#[test]
fn every_link_layer_and_format_gives_the_same_frames() {
    let links = [
        (LinkType::Ethernet, 1),
        (LinkType::Raw, 101),
        (LinkType::Null, 0),
        (LinkType::Loop, 108),
        (LinkType::LinuxSll, 113),
        (LinkType::LinuxSll2, 276),
    ];
    for (link, number) in links {
        for ends in [Ends::v4(445), Ends::v6(445), Ends::v4(139)] {
            for vlans in 0..3 {
                let packets = ends.conversation(&session_frames(), 50, link, vlans);
                for nanoseconds in [false, true] {
                    for big_endian in [false, true] {
                        let (seen, report) = read(&pcap(&packets, number, nanoseconds, big_endian));
                        assert_eq!(seen.frames, expected(), "{link:?} {ends:?}");
                        assert_eq!(seen.opened, [false]);
                        assert_eq!(report.problem, None);
                        assert!(report.noted.is_empty(), "{report}");
                        let (ng, report) = read(&PcapNg::new(big_endian).file(&packets, number));
                        assert_eq!((ng, report.problem), (seen, None));
                    }
                }
            }
        }
    }
}

#[test]
fn compressed_files_are_read() {
    let packets = Ends::v4(445).conversation(&session_frames(), 1000, LinkType::Ethernet, 0);
    let file = pcap(&packets, 1, false, false);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&file).unwrap();
    assert_eq!(read(&gzip.finish().unwrap()).0.frames, expected());
    assert_eq!(
        read(&zstd::encode_all(&file[..], 1).unwrap()).0.frames,
        expected()
    );
}

#[test]
fn other_ports_are_asked_for() {
    let packets = Ends::v4(14600).conversation(&session_frames(), 1000, LinkType::Raw, 0);
    let file = pcap(&packets, 101, false, false);
    let (seen, report) = read(&file);
    assert!(seen.frames.is_empty());
    assert_eq!(report.count(Noted::OtherPort), packets.len() as u64);
    let (seen, _) = read_with(&file, &Ports::new([14600]), &Limits::default());
    assert_eq!(seen.frames, expected());
}

#[test]
fn a_connection_without_its_beginning_is_said_to_be_one() {
    let packets = Ends::v4(445).conversation(&session_frames(), 10_000, LinkType::Raw, 0);
    // Without the handshake and the first frame.
    let file = pcap(&packets[4..], 101, false, false);
    let (seen, report) = read(&file);
    assert_eq!(seen.opened, [true]);
    assert_eq!(report.count(Noted::MidStream), 1);
    assert_eq!(seen.frames, expected()[1..]);
}

#[test]
fn the_same_ports_again_are_another_connection() {
    let ends = Ends::v4(445);
    let mut packets = ends.conversation(&session_frames(), 1000, LinkType::Raw, 0);
    packets.extend(
        ends.starting_at(77)
            .conversation(&session_frames(), 1000, LinkType::Raw, 0),
    );
    let (seen, report) = read(&pcap(&packets, 101, false, false));
    assert_eq!((seen.opened.len(), report.connections), (2, 2));
    assert_eq!(seen.closed, [Some(Direction::ToServer); 2]);
    assert_eq!(seen.frames.len(), 2 * expected().len());
}

#[test]
fn who_has_ended_a_connection_first_has_ended_it() {
    let mut packets = Ends::v4(445).conversation(&session_frames(), 1000, LinkType::Raw, 0);
    let servers = packets.len() - 2;
    let fin = packets.remove(servers);
    packets.insert(servers - 2, fin);
    let (seen, _) = read(&pcap(&packets, 101, false, false));
    assert_eq!(
        (seen.left, seen.closed),
        (1, vec![Some(Direction::ToClient)])
    );
    assert_eq!((seen.frames, seen.gaps), (expected(), 0));
}

#[test]
fn a_lost_packet_is_a_gap() {
    let packets = Ends::v4(445).conversation(&session_frames(), 40, LinkType::Raw, 0);
    let with_data: Vec<usize> = (3..packets.len() - 4)
        .filter(|&at| packets[at].len() > 40)
        .collect();
    for &lost in &with_data {
        let mut packets = packets.clone();
        packets.remove(lost);
        let (seen, report) = read(&pcap(&packets, 101, false, false));
        let mut left = expected();
        left.retain(|frame| seen.frames.contains(frame));
        let mut found = seen.frames.clone();
        // Behind a hole one direction may come later than the other.
        left.sort();
        found.sort();
        assert!(found == left, "only frames that were sent");
        assert!(left.len() < expected().len() && left.len() + 3 > expected().len());
        assert_eq!(report.count(Noted::Gaps), 1, "{report}");
        assert_eq!(seen.gaps, report.count(Noted::LostBytes));
    }
}

#[test]
fn packets_cut_off_and_fragments_are_counted() {
    let packets = Ends::v4(445).conversation(&session_frames(), 10_000, LinkType::Raw, 0);
    let cut = PcapNg::new(false).cut_to(80).file(&packets, 101);
    let (seen, report) = read(&cut);
    assert!(seen.frames.is_empty());
    assert!(
        report.count(Noted::Gaps) > 0 && report.problem.is_none(),
        "{report}"
    );

    let mut fragment = packets[3].clone();
    fragment[6] = 0x20;
    let (_, report) = read(&pcap(&[fragment], 101, false, false));
    assert_eq!(report.count(Noted::Fragment), 1);
}

#[test]
fn a_file_that_ends_early_is_read_so_far() {
    let packets = Ends::v4(445).conversation(&session_frames(), 200, LinkType::Ethernet, 0);
    for file in [
        pcap(&packets, 1, true, false),
        PcapNg::new(true).file(&packets, 1),
    ] {
        for length in (0..file.len()).step_by(17) {
            let (seen, report) = read(&file[..length]);
            let all = expected();
            assert!(seen.frames.len() < all.len() || seen.frames == all);
            assert_eq!(seen.frames, all[..seen.frames.len()]);
            if let Some(problem) = report.problem {
                assert!(problem.offset <= length as u64, "{problem}");
            }
        }
    }
}

#[test]
fn what_is_no_capture_is_refused_with_its_first_bytes() {
    let problem = read(b"ir 1\nclient A user=alice\n")
        .1
        .problem
        .expect("refused");
    assert_eq!(
        problem.to_string(),
        "byte 0: [69, 72, 20, 31] begins neither a pcap nor a pcapng file"
    );
    assert!(read(b"").1.problem.is_some());
}

#[test]
fn lengths_that_lie_are_found_out() {
    let packets = Ends::v4(445).conversation(&session_frames(), 200, LinkType::Ethernet, 0);
    let mut file = pcap(&packets, 1, false, false);
    file[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let problem = read(&file).1.problem.expect("refused");
    assert_eq!(problem.offset, 24);

    let mut file = PcapNg::new(false).file(&packets, 1);
    file[4..8].copy_from_slice(&0x7fff_fffc_u32.to_le_bytes());
    assert!(read(&file).1.problem.is_some());
}

#[test]
fn endless_tiny_segments_behind_a_hole_stay_within_the_bound() {
    let ends = Ends::v4(445);
    let mut packets = vec![ends.syn()];
    // Every second byte, never the first.
    packets.extend((1..40_000_u32).map(|at| ends.segment(2 * at, b"x")));
    let limits = Limits {
        waiting: 100_000,
        ..Limits::default()
    };
    let (seen, report) = read_with(
        &pcap(&packets, 101, false, false),
        &Ports::default(),
        &limits,
    );
    assert!(seen.frames.is_empty());
    assert!(report.count(Noted::GivenUp) > 30_000, "{report}");
}

#[test]
fn frames_that_never_end_are_given_up() {
    let limits = Limits {
        total: 1 << 20,
        ..Limits::default()
    };
    let mut packets = Vec::new();
    for port in 0..200 {
        let ends = Ends::v4(445).with_client_port(2000 + port);
        packets.push(ends.syn());
        let mut data = vec![0, 0xff, 0xff, 0xff, 0xfe, b'S', b'M', b'B'];
        data.resize(20_000, 0);
        packets.push(ends.segment(0, &data));
    }
    let (_, report) = read_with(
        &pcap(&packets, 101, false, false),
        &Ports::default(),
        &limits,
    );
    assert!(report.count(Noted::GivenUp) > 100, "{report}");
}

#[test]
fn times_that_go_backwards_and_bytes_after_the_end_are_counted() {
    let mut packets = Ends::v4(445).conversation(&session_frames(), 200, LinkType::Raw, 0);
    let with_data = packets.iter().find(|packet| packet.len() > 100).cloned();
    packets.extend(with_data);
    let mut file = pcap(&packets, 101, false, false);
    // The seconds of the first packet.
    file[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    let (seen, report) = read(&file);
    assert_eq!(seen.frames, expected());
    assert_eq!(report.count(Noted::Backwards), 1, "{report}");
    assert!(report.count(Noted::AfterEnd) > 0, "{report}");
}

#[test]
fn more_connections_than_the_bound_are_forgotten() {
    let limits = Limits {
        connections: 10,
        ..Limits::default()
    };
    let syns: Vec<_> = (0..100)
        .map(|port| Ends::v4(445).with_client_port(2000 + port).syn())
        .collect();
    let (seen, report) = read_with(&pcap(&syns, 101, false, false), &Ports::default(), &limits);
    assert_eq!((seen.opened.len(), seen.closed.len()), (100, 100));
    assert!(report.count(Noted::Forgotten) >= 90, "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Segments of any size, in any order within a window, some twice: the same frames.
    #[test]
    fn order_and_repetition_do_not_matter(
        size in 1_usize..400,
        order in prop::collection::vec(0_usize..4, 0..400),
        twice in prop::collection::vec(any::<bool>(), 0..400),
    ) {
        let mut packets = Ends::v4(445).conversation(&session_frames(), size, LinkType::Raw, 0);
        // Not the handshake, and not the end.
        let last = packets.len() - 4;
        let mut at = 3;
        for (&ahead, &again) in order.iter().zip(&twice) {
            if at + ahead >= last.min(packets.len() - 4) {
                break;
            }
            packets.swap(at, at + ahead);
            if again {
                let copy = packets[at].clone();
                packets.insert(at + 1, copy);
                at += 1;
            }
            at += 1;
        }
        let (seen, report) = read(&pcap(&packets, 101, false, false));
        for direction in [Direction::ToServer, Direction::ToClient] {
            let of = |frames: &[(u32, Direction, Vec<u8>)]| -> Vec<Vec<u8>> {
                let frames = frames.iter().filter(|frame| frame.1 == direction);
                frames.map(|frame| frame.2.clone()).collect()
            };
            let (found, sent) = (of(&seen.frames), of(&expected()));
            if report.count(Noted::Gaps) == 0 {
                prop_assert_eq!(found, sent);
            } else {
                // An acknowledgement overtook what it acknowledges for too long: reported, and nothing made up.
                prop_assert!(found.iter().all(|frame| sent.contains(frame)));
            }
        }
    }

    /// Any change to a capture is survived.
    #[test]
    fn damage_is_survived(
        changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..20),
        ng in any::<bool>(),
    ) {
        let packets = Ends::v4(445).conversation(&session_frames(), 60, LinkType::Ethernet, 1);
        let mut file = match ng {
            true => PcapNg::new(false).file(&packets, 1),
            false => pcap(&packets, 1, false, false),
        };
        for (at, value) in changes {
            let at = usize::from(at) % file.len();
            file[at] = value;
        }
        let (_, report) = read(&file);
        prop_assert!(report.bytes <= file.len() as u64);
    }
}
