//! Writes the first inputs of both targets from captures: `cargo run --bin seed -- FILE...`.
//!
//! `corpus/reader` gets the beginning of each file, `corpus/messages` the messages of its first connections.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use replay_import::capture::{
    ConnectionId, ConnectionInfo, Direction, FrameSink, Gap, Limits, Ports, read_capture,
};
use replay_import_fuzz::{CONNECTIONS, add};

/// Longer inputs are mutated too slowly.
const FILE: u64 = 32_768;
const INPUT: usize = 16_384;

#[derive(Default)]
struct Inputs {
    all: Vec<Vec<u8>>,
    current: Vec<u8>,
}

impl FrameSink for Inputs {
    fn opened(&mut self, _: ConnectionId, _: &ConnectionInfo) {}

    fn frame(&mut self, id: ConnectionId, direction: Direction, _: u64, frame: &[u8]) {
        if self.current.len() + frame.len() > INPUT && !self.current.is_empty() {
            self.all.push(std::mem::take(&mut self.current));
        }
        let connection = id % ConnectionId::from(CONNECTIONS);
        add(&mut self.current, connection as u8, direction, frame);
    }

    fn gap(&mut self, _: ConnectionId, _: Gap) {}

    fn closed(&mut self, _: ConnectionId, _: u64, _: Option<Direction>) {}
}

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let [reader, messages] = ["reader", "messages"].map(|target| corpus.join(target));
    std::fs::create_dir_all(&reader)?;
    std::fs::create_dir_all(&messages)?;
    for (number, file) in std::env::args_os().skip(1).enumerate() {
        let mut begin = Vec::new();
        File::open(&file)?.take(FILE).read_to_end(&mut begin)?;
        std::fs::write(reader.join(format!("file-{number}")), begin)?;
        let mut inputs = Inputs::default();
        let path = Path::new(&file);
        read_capture(path, &Ports::default(), &Limits::default(), &mut inputs)?;
        inputs.all.push(inputs.current);
        for (part, input) in inputs.all.iter().enumerate() {
            std::fs::write(messages.join(format!("file-{number}-{part}")), input)?;
        }
    }
    Ok(())
}
