//! Any file, read as a capture: no panic, and what comes out keeps to the limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use replay_import::capture::{
    ConnectionId, ConnectionInfo, Direction, FrameSink, Gap, Limits, Ports, read_capture_from,
};

/// Small, so that a short file reaches them.
const FRAME: usize = 4096;

struct Checked {
    opened: u32,
    closed: u32,
}

impl FrameSink for Checked {
    fn opened(&mut self, _: ConnectionId, _: &ConnectionInfo) {
        self.opened += 1;
    }

    fn frame(&mut self, id: ConnectionId, _: Direction, _: u64, frame: &[u8]) {
        assert!(
            frame.len() <= FRAME,
            "{} bytes in a frame of {id:?}",
            frame.len()
        );
        assert!(self.opened > self.closed, "a frame of no connection");
    }

    fn gap(&mut self, _: ConnectionId, gap: Gap) {
        assert!(gap.bytes > 0);
    }

    fn closed(&mut self, _: ConnectionId, _: u64, _: Option<Direction>) {
        self.closed += 1;
        assert!(self.closed <= self.opened);
    }
}

fuzz_target!(|file: &[u8]| {
    let limits = Limits {
        frame: FRAME,
        waiting: 8192,
        total: 32_768,
        connections: 3,
    };
    let mut sink = Checked {
        opened: 0,
        closed: 0,
    };
    let report = read_capture_from(file, &Ports::default(), &limits, &mut sink);
    assert_eq!(sink.opened, sink.closed, "a connection without its end");
    assert!(!report.to_string().is_empty());
});
