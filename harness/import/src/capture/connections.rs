//! All connections of a capture: whose segment a packet is, and which of the two is the server.

use super::file::Packet;
use super::frames::Framer;
use super::link::{self, Segment};
use super::report::{CaptureReport, Noted};
use super::tcp::{Piece, Stream};
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

/// A connection of a capture, numbered from 0 in the order of their first packets.
pub type ConnectionId = u32;

/// Who sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// The client.
    ToServer,
    /// The server.
    ToClient,
}

/// The ports that servers listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(BTreeSet<u16>);

impl Default for Ports {
    /// 445 and 139.
    fn default() -> Self {
        Self(BTreeSet::from([445, 139]))
    }
}

impl Ports {
    /// These, instead of 445 and 139; without any, those.
    pub fn new(ports: impl IntoIterator<Item = u16>) -> Self {
        let ports: BTreeSet<u16> = ports.into_iter().collect();
        match ports.is_empty() {
            true => Self::default(),
            false => Self(ports),
        }
    }

    /// Whether a server listens on it.
    pub(super) fn has(&self, port: u16) -> bool {
        self.0.contains(&port)
    }
}

/// What may be held at most while reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest frame in bytes.
    pub frame: usize,
    /// Bytes of one direction that wait for a missing segment.
    pub waiting: usize,
    /// Bytes that wait and frames that are not complete, of all connections together.
    pub total: usize,
    /// Connections at once.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: smb_wire::framing::MAX_FRAME,
            waiting: 8 << 20,
            total: 256 << 20,
            connections: 65_536,
        }
    }
}

/// A connection as its first packet shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The client's end.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// Nanoseconds since 1970 of the first packet.
    pub time: u64,
    /// The capture does not have its beginning.
    pub mid_stream: bool,
}

/// Bytes that were sent and that the capture does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Who sent them.
    pub direction: Direction,
    /// How many.
    pub bytes: u64,
}

/// Takes what a capture holds, in the order in which it can be known.
pub trait FrameSink {
    /// A connection is seen for the first time.
    fn opened(&mut self, id: ConnectionId, info: &ConnectionInfo);
    /// A frame without its length prefix; `time` is that of the packet that completed it, in nanoseconds since 1970.
    fn frame(&mut self, id: ConnectionId, direction: Direction, time: u64, frame: &[u8]);
    /// Bytes are missing before the next frame.
    fn gap(&mut self, id: ConnectionId, gap: Gap);
    /// The server has ended its half of a connection, and so sends nothing more; its client has not yet.
    fn left(&mut self, _id: ConnectionId, _time: u64) {}
    /// Nothing more comes; `by` has ended it first, or neither before the end of the capture.
    fn closed(&mut self, id: ConnectionId, time: u64, by: Option<Direction>);
}

struct Side {
    stream: Stream,
    framer: Framer,
}

struct Connection {
    id: ConnectionId,
    /// From the client, from the server.
    sides: [Side; 2],
    last: u64,
    /// The client's initial sequence number, if its SYN was seen.
    initial: Option<u32>,
    /// The server has ended its half.
    left: bool,
    ended: bool,
}

type Key = (SocketAddr, SocketAddr);

/// The connections at a point of the capture.
pub(super) struct Connections {
    ports: Ports,
    limits: Limits,
    known: HashMap<Key, Connection>,
    next: ConnectionId,
    /// What all connections hold.
    held: usize,
    /// The time of the last packet.
    last: u64,
}

impl Connections {
    pub(super) fn new(ports: Ports, limits: Limits) -> Self {
        Self {
            ports,
            limits,
            known: HashMap::new(),
            next: 0,
            held: 0,
            last: 0,
        }
    }

    pub(super) fn packet(
        &mut self,
        packet: &Packet<'_>,
        report: &mut CaptureReport,
        sink: &mut dyn FrameSink,
    ) {
        report.packets += 1;
        if packet.time < std::mem::replace(&mut self.last, packet.time) {
            report.note(Noted::Backwards);
        }
        let found = link::segment(packet.link, packet.data, packet.original, report);
        let Some(segment) = found else { return };
        let to = self.ports.has(segment.to.port());
        let from = self.ports.has(segment.from.port());
        let key_to = (segment.from, segment.to);
        let direction = match (to, from) {
            (false, false) => return report.note(Noted::OtherPort),
            (true, false) => Direction::ToServer,
            (false, true) => Direction::ToClient,
            // Both ports are a server's: who began tells.
            (true, true) if segment.syn => match segment.acknowledged {
                None => Direction::ToServer,
                Some(_) => Direction::ToClient,
            },
            (true, true) if self.known.contains_key(&(segment.to, segment.from)) => {
                Direction::ToClient
            }
            (true, true) => Direction::ToServer,
        };
        let key = match direction {
            Direction::ToServer => key_to,
            Direction::ToClient => (segment.to, segment.from),
        };
        report.segments += 1;
        self.segment(key, direction, &segment, packet.time, report, sink);
    }

    fn segment(
        &mut self,
        key: Key,
        direction: Direction,
        segment: &Segment<'_>,
        time: u64,
        report: &mut CaptureReport,
        sink: &mut dyn FrameSink,
    ) {
        let opens = segment.syn && segment.acknowledged.is_none();
        if let Some(old) = self.known.get(&key)
            && opens
            && old.initial != Some(segment.sequence)
        {
            // The same ports again.
            self.end(key, time, None, report, sink);
        }
        if !self.known.contains_key(&key) {
            if segment.payload.is_empty() && segment.missing == 0 && !segment.syn {
                // The last acknowledgements of a connection that is over.
                return;
            }
            self.make_room(time, report, sink);
            self.open(key, segment, direction, time, report, sink);
        }
        let Some(connection) = self.known.get_mut(&key) else {
            return;
        };
        connection.last = time;
        if connection.ended {
            let bytes = segment.payload.len() + segment.missing;
            return report.note_many(Noted::AfterEnd, bytes as u64);
        }
        let before = connection.held();
        let id = connection.id;
        let [client, server] = &mut connection.sides;
        let (mine, other, reverse) = match direction {
            Direction::ToServer => (client, server, Direction::ToClient),
            Direction::ToClient => (server, client, Direction::ToServer),
        };
        let mut sequence = segment.sequence;
        if segment.syn {
            sequence = sequence.wrapping_add(1);
            if !mine.stream.has_begun() {
                mine.stream.begin(sequence);
            }
        }
        let limit = self.limits.frame;
        let has_data = !segment.payload.is_empty() || segment.missing > 0;
        if let Some(acknowledged) = segment.acknowledged
            && other.stream.has_begun()
        {
            let mut out = pieces(&mut other.framer, sink, id, reverse, time, limit);
            other
                .stream
                .acknowledge(acknowledged, time, report, &mut out);
            if has_data {
                // What it answers must be known before the answer.
                other.stream.give_up_acknowledged(report, &mut out);
            }
        }
        if segment.fin && mine.stream.has_begun() {
            let length = segment.payload.len() + segment.missing;
            mine.stream.finish_at(sequence.wrapping_add(length as u32));
        }
        if has_data {
            if !mine.stream.has_begun() {
                mine.framer = Framer::new(true);
            }
            let bytes = (sequence, segment.payload, segment.missing);
            let mut out = pieces(&mut mine.framer, sink, id, direction, time, limit);
            mine.stream.segment(bytes, time, report, &mut out);
            while mine.stream.held() > self.limits.waiting {
                report.note(Noted::GivenUp);
                mine.stream.give_up(report, &mut out);
            }
        }
        self.held = self.held + connection.held() - before;
        if segment.fin || segment.reset {
            // What the other end still sends is read; a connection that its client has left answers nothing.
            let over = segment.reset || direction == Direction::ToServer;
            if over {
                let by = match connection.left {
                    true => Direction::ToClient,
                    false => direction,
                };
                self.end(key, time, Some(by), report, sink);
            } else if !connection.left && connection.sides[1].stream.is_complete() {
                connection.left = true;
                sink.left(id, time);
            }
        }
        self.stay_within_bounds(report, sink);
    }

    fn open(
        &mut self,
        key: Key,
        segment: &Segment<'_>,
        direction: Direction,
        time: u64,
        report: &mut CaptureReport,
        sink: &mut dyn FrameSink,
    ) {
        let mid_stream = !segment.syn;
        let side = || Side {
            stream: Stream::default(),
            framer: Framer::new(false),
        };
        let connection = Connection {
            id: self.next,
            sides: [side(), side()],
            last: time,
            initial: (segment.syn && direction == Direction::ToServer).then_some(segment.sequence),
            left: false,
            ended: false,
        };
        self.next += 1;
        report.connections += 1;
        if mid_stream {
            report.note(Noted::MidStream);
        }
        sink.opened(
            connection.id,
            &ConnectionInfo {
                client: key.0,
                server: key.1,
                time,
                mid_stream,
            },
        );
        self.known.insert(key, connection);
    }

    /// Ends a connection: what waited is handed on.
    fn end(
        &mut self,
        key: Key,
        time: u64,
        by: Option<Direction>,
        report: &mut CaptureReport,
        sink: &mut dyn FrameSink,
    ) {
        let Some(connection) = self.known.get_mut(&key) else {
            return;
        };
        if connection.ended {
            if by.is_none() {
                self.known.remove(&key);
            }
            return;
        }
        self.held -= connection.held();
        let directions = [Direction::ToServer, Direction::ToClient];
        for (side, direction) in connection.sides.iter_mut().zip(directions) {
            let (id, limit) = (connection.id, self.limits.frame);
            side.finish(sink, (id, direction, time, limit), report);
            side.framer.end(report);
        }
        sink.closed(connection.id, time, by);
        connection.ended = true;
        if by.is_none() {
            self.known.remove(&key);
        }
    }

    /// Forgets connections that are over, then those without traffic for the longest time.
    fn make_room(&mut self, time: u64, report: &mut CaptureReport, sink: &mut dyn FrameSink) {
        if self.known.len() < self.limits.connections.max(1) {
            return;
        }
        self.known.retain(|_, connection| !connection.ended);
        if self.known.len() < self.limits.connections.max(1) {
            return;
        }
        // A quarter at once, so that this is not done for every packet.
        let mut ages: Vec<(u64, Key)> = self
            .known
            .iter()
            .map(|(&key, connection)| (connection.last, key))
            .collect();
        ages.sort_unstable();
        for (_, key) in ages.into_iter().take(self.limits.connections / 4 + 1) {
            report.note(Noted::Forgotten);
            self.end(key, time, None, report, sink);
        }
    }

    fn stay_within_bounds(&mut self, report: &mut CaptureReport, sink: &mut dyn FrameSink) {
        if self.held <= self.limits.total {
            return;
        }
        for connection in self.known.values_mut() {
            let directions = [Direction::ToServer, Direction::ToClient];
            for (side, direction) in connection.sides.iter_mut().zip(directions) {
                let (id, time) = (connection.id, connection.last);
                if side.stream.held() > 0 {
                    report.note(Noted::GivenUp);
                }
                let limit = self.limits.frame;
                side.finish(sink, (id, direction, time, limit), report);
                if side.framer.held() > 0 {
                    side.framer.drop_partial(report);
                }
            }
        }
        self.held = self.known.values().map(Connection::held).sum();
    }

    /// The end of the capture.
    pub(super) fn finish(mut self, report: &mut CaptureReport, sink: &mut dyn FrameSink) {
        let mut left: Vec<(ConnectionId, u64, Key)> = self
            .known
            .iter()
            .map(|(&key, connection)| (connection.id, connection.last, key))
            .collect();
        left.sort_unstable();
        for (_, last, key) in left {
            self.end(key, last, None, report, sink);
        }
    }
}

impl Side {
    /// Hands on what waited for missing bytes.
    fn finish(
        &mut self,
        sink: &mut dyn FrameSink,
        (id, direction, time, limit): (ConnectionId, Direction, u64, usize),
        report: &mut CaptureReport,
    ) {
        let mut out = pieces(&mut self.framer, sink, id, direction, time, limit);
        self.stream.end(report, &mut out);
    }
}

impl Connection {
    fn held(&self) -> usize {
        let of = |side: &Side| side.stream.held() + side.framer.held();
        self.sides.iter().map(of).sum()
    }
}

/// Takes the pieces of a stream to the frames of the sink.
fn pieces<'a>(
    framer: &'a mut Framer,
    sink: &'a mut dyn FrameSink,
    id: ConnectionId,
    direction: Direction,
    time: u64,
    limit: usize,
) -> impl FnMut(Piece<'_>, &mut CaptureReport) + 'a {
    move |piece, report| match piece {
        Piece::Data(bytes) => framer.data(bytes, limit, report, &mut |frame| {
            sink.frame(id, direction, time, frame);
        }),
        Piece::Gap(bytes) => {
            framer.gap(bytes, report);
            sink.gap(id, Gap { direction, bytes });
        }
    }
}
