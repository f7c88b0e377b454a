//! How fast captures are read, beside tshark on the same file in the same run.
//!
//! `cargo bench -p replay-import --bench capture [-- --megabytes N] [--file CAPTURE [--port N]]` prints a table. Without a
//! file it makes one of small messages.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Ends, Exchanges, pcap};
use replay_import::capture::{
    ConnectionId, ConnectionInfo, Direction, FrameSink, Gap, Limits, LinkType, Ports, read_capture,
};
use replay_import::{CaptureOptions, import_capture};
use smb_wire::messages::*;
use smb_wire::{FileId, Request, Response};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Sees frames, and that is all.
struct Counted(u64);

impl FrameSink for Counted {
    fn opened(&mut self, _: ConnectionId, _: &ConnectionInfo) {}

    fn frame(&mut self, _: ConnectionId, _: Direction, _: u64, frame: &[u8]) {
        self.0 += frame.len() as u64;
    }

    fn gap(&mut self, _: ConnectionId, _: Gap) {}

    fn closed(&mut self, _: ConnectionId, _: u64, _: Option<Direction>) {}
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = folder.path().join("small.pcap");
    let file = match argument("--file") {
        Some(file) => PathBuf::from(file),
        None => {
            let megabytes = argument("--megabytes").and_then(|text| text.parse().ok());
            make(&made, megabytes.unwrap_or(200));
            made
        }
    };
    let port: u16 = argument("--port")
        .and_then(|port| port.parse().ok())
        .unwrap_or(445);
    let bytes = std::fs::metadata(&file).expect("the capture").len();
    let megabytes = bytes as f64 / 1e6;
    println!(
        "| {:.0} MB | seconds | MB/s | peak memory |\n|---|---|---|---|",
        megabytes
    );

    let row = |what: &str, seconds: f64| {
        println!(
            "| {what} | {seconds:.2} | {:.0} | {} |",
            megabytes / seconds,
            peak()
        );
    };
    let ports = Ports::new([port]);
    let mut best = f64::MAX;
    let mut frames = 0;
    for _ in 0..3 {
        let begin = Instant::now();
        let mut sink = Counted(0);
        let report = read_capture(&file, &ports, &Limits::default(), &mut sink).expect("read");
        best = best.min(begin.elapsed().as_secs_f64());
        frames = report.frames;
    }
    row(&format!("reading, best of 3 ({frames} frames)"), best);

    let begin = Instant::now();
    let options = CaptureOptions {
        ports: vec![port],
        ..CaptureOptions::default()
    };
    match import_capture(&file, "capture", &options) {
        Ok((trace, _)) => row(
            &format!("import ({} steps)", trace.len()),
            begin.elapsed().as_secs_f64(),
        ),
        Err(error) => println!("| import: {error} | | | |"),
    }

    let begin = Instant::now();
    let fields = [
        "frame.time_epoch",
        "tcp.stream",
        "smb2.cmd",
        "smb2.msg_id",
        "smb2.sesid",
        "smb2.tid",
        "smb2.nt_status",
        "smb2.aid",
        "smb2.fid",
        "smb2.filename",
        "smb2.read_length",
        "smb2.write_length",
        "smb2.flags.response",
    ];
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file).args([
        "-d",
        &format!("tcp.port=={port},nbss"),
        "-Y",
        "smb2",
        "-T",
        "fields",
    ]);
    tshark.args(fields.iter().flat_map(|field| ["-e", field]));
    match tshark.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => {
            let seconds = begin.elapsed().as_secs_f64();
            println!(
                "| tshark, 13 fields | {seconds:.2} | {:.1} | |",
                megabytes / seconds
            );
        }
        _ => println!("| tshark | not here | | |"),
    }
}

/// A capture of small messages: one connection after another, each with reads of 64 bytes.
fn make(path: &Path, megabytes: usize) {
    let mut all = Exchanges::new();
    all.negotiate();
    all.log_in(b"");
    all.tree(r"\\server\share");
    let file_id = FileId {
        persistent: 1,
        volatile: 1,
    };
    all.ok(
        Request::Create(CreateRequest {
            name: "file".into(),
            ..CreateRequest::default()
        }),
        Response::Create(CreateResponse {
            file_id,
            end_of_file: 1 << 20,
            ..CreateResponse::default()
        }),
    );
    for number in 0..5000_u64 {
        all.read(file_id, number * 64, 64, &[7; 64]);
    }
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    let (mut written, mut client) = (0, 1024);
    while written < megabytes * 1_000_000 {
        let packets = Ends::v4(445).with_client_port(client).conversation(
            &all.frames,
            1400,
            LinkType::Ethernet,
            0,
        );
        let file = pcap(&packets, 1, false, false);
        // One header for all.
        let part = if written == 0 { &file[..] } else { &file[24..] };
        out.write_all(part).expect("written");
        written += part.len();
        client += 1;
    }
    out.flush().expect("written");
}

/// The most memory that this process has had.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.map_or_else(|| "?".to_owned(), |line| line[6..].trim().to_owned())
}
