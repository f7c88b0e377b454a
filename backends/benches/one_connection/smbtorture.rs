//! smbtorture's benches (Samba's `source4/torture/smb2/create.c`), counted from outside.
//!
//! Each of its connections begins to work as soon as it is there, while the next ones are still being made, and what it
//! prints for the first second, and as the average at the end, counts that too: with 100 connections many times what it
//! does in a second. So the first second is left out, and with it the average. What it prints each second after that are
//! the operations since the line before; its CPU time is looked at when a line comes.

use std::io::Read as _;
use std::process::{ChildStderr, Stdio};

use samba_servers::CaseSite;

use crate::{Figures, common, process};

/// One of its benches with one request in flight on each connection; `None` where it is not installed or says something
/// else than usual.
pub(crate) fn run(
    site: &CaseSite,
    test: &str,
    counted: &str,
    connections: usize,
    seconds: u64,
) -> Option<Figures> {
    let target = &site.target;
    let folder = tempfile::tempdir().ok()?;
    let mut child = common::smbtorture(site, &target.share, folder.path())
        .ok()?
        // A second at the beginning, and the last, which it shows as an average alone.
        .arg(format!("--option=torture:timelimit={}", seconds + 2))
        .arg(format!("--option=torture:nprocs={connections}"))
        .arg("--option=torture:qdepth=1")
        .arg(format!(
            "--option=torture:bench_path={}",
            target.root.replace('/', "\\")
        ))
        .arg(test)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let lines = child.stderr.take();
    let seconds = lines.and_then(|lines| each_second(lines, counted, &child.id().to_string()));
    child.wait().ok()?;
    let seconds = seconds?;
    let (first, last) = (seconds.first()?, seconds.last()?);
    let count: f64 = seconds.iter().skip(1).map(|second| second.count).sum();
    (count > 0.0).then(|| Figures::new(count, last.at_s - first.at_s, last.cpu_us - first.cpu_us))
}

/// What it printed after a second.
struct Second {
    /// Since its clock began, with all connections there.
    at_s: f64,
    /// Operations since the last one.
    count: f64,
    /// Its CPU time so far.
    cpu_us: f64,
}

/// Reads to the end. A line that the next one overwrites ends with a carriage return; that of the average does not.
fn each_second(mut lines: ChildStderr, counted: &str, process: &str) -> Option<Vec<Second>> {
    let (mut seconds, mut line, mut buffer) = (Vec::new(), Vec::new(), [0; 4096]);
    loop {
        let read = lines.read(&mut buffer).ok()?;
        if read == 0 {
            return Some(seconds);
        }
        for &byte in &buffer[..read] {
            match byte {
                b'\r' => {
                    let shown = second(&String::from_utf8_lossy(&line), counted);
                    seconds.extend(shown.map(|(at_s, count)| Second {
                        at_s,
                        count,
                        cpu_us: process::cpu_us(process),
                    }));
                    line.clear();
                }
                b'\n' => line.clear(),
                byte => line.push(byte),
            }
        }
    }
}

/// `2.00 second: echo[num/s=12345,avslat=…`: when, and how many.
fn second(line: &str, counted: &str) -> Option<(f64, f64)> {
    let (at, rest) = line.split_once(" second: ")?;
    let (_, count) = rest.split_once(&format!("{counted}[num/s="))?;
    let count = count.split(',').next()?;
    Some((at.trim().parse().ok()?, count.parse().ok()?))
}
