//! How fast the native client answers a break, and how long the second opener waits for that, beside smbtorture's
//! `smb2.bench.oplock1` on the same server in the same run.
//!
//!     SMB_REPLAY_SOURCE=local cargo bench -p smb-backends --bench break_latency [-- BREAKS [SECONDS]]
//!
//! One client opens a file with a batch oplock and, in the second row, a lease; another opens it too, which breaks that. The
//! answer is timed from the arrival of the notification to the acknowledgement's way to the wire; the open from its
//! dispatch to its answer, the acknowledgement and its way through the server included.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use replay_engine::{Clock, RunOptions, Site, Verdict};
use replay_ir::load_str;
use samba_servers::{CaseSite, Source};
use smb_backends::native::Native;
use smb_vocabulary::VOCABULARY;

use common::Numbers;

/// The share whose root everybody may write to: smbtorture makes its files there, and a case has a directory further down.
const SHARE: &str = "bench";

fn main() {
    let numbers = Numbers::of_the_command_line();
    let folder = tempfile::tempdir().expect("a folder");
    let share = share(folder.path()).expect("a share");
    common::on_a_server(vec![share], &["alice", "bob"], async |server, site| {
        println!(
            "{:<8} {:>7} {:>15} {:>15} {:>13} {:>13} {:>9}",
            "kind",
            "breaks",
            "answer p50 us",
            "answer p99 us",
            "open p50 us",
            "open p99 us",
            "breaks/s"
        );
        for (kind, request) in [
            ("batch", "oplock=batch"),
            ("rwh", "lease-key=k lease-state=rwh"),
        ] {
            row(site, kind, request, numbers.at(0, 1000)).await;
        }
        let rate = match server.source() {
            Source::Local => smbtorture(site, numbers.at(1, 4)),
            _ => Err("only on a private smbd, which has a share for it".to_owned()),
        };
        match rate {
            Ok(rate) => println!("smbtorture smb2.bench.oplock1: {rate} breaks/s"),
            Err(why) => println!("smbtorture smb2.bench.oplock1: {why}"),
        }
    });
}

/// Breaks so many times, each on an open of its own, and prints what came of it.
async fn row(site: &CaseSite, kind: &str, request: &str, breaks: u64) {
    let mut text = "ir 1\nmode 2\nclient A user=alice\nclient B user=bob\n".to_owned();
    let mut before = String::new();
    for count in 0..breaks {
        text.push_str(&format!(
            "a{count}: A create f \"bench\" access=rw disposition=open-if {request}{before}\n\
             b{count}: B create g \"bench\" access=r after=a{count}\n\
             A close f after=b{count}\n\
             c{count}: B close g\n"
        ));
        before = format!(" after=c{count}");
    }
    let trace = Arc::new(load_str("bench", &text, &VOCABULARY).expect("a trace"));
    let target = Site {
        target: site.target.clone(),
        identities: site.identities.clone(),
    };
    let options = RunOptions {
        clock: Clock::Asap,
        ..RunOptions::default()
    };
    let report = replay_engine::run(trace, Arc::new(Native::new()), &target, &options).await;
    assert_eq!(report.verdict, Verdict::Passed, "{:?}", report.differences);
    let answers = report.break_latency.expect("there were breaks");
    assert_eq!(answers.len(), breaks, "a break for every second open");
    let opens = &report.times.by_verb["create"].service;
    let us = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
    // Half of the opens break nothing and are the faster half, so that the median of the others is at three quarters.
    println!(
        "{kind:<8} {breaks:>7} {:>15.1} {:>15.1} {:>13.0} {:>13.0} {:>9.0}",
        us(answers.value_at_quantile(0.5)),
        us(answers.value_at_quantile(0.99)),
        us(opens.value_at_quantile(0.75)),
        us(opens.value_at_quantile(0.995)),
        breaks as f64 / report.duration.as_secs_f64(),
    );
}

/// A line for smb.conf that adds the share [`SHARE`], in a folder that this process made.
fn share(folder: &Path) -> std::io::Result<String> {
    let (root, config) = (folder.join("root"), folder.join("share.conf"));
    fs::create_dir(&root)?;
    for path in [folder, &root] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    }
    let text = format!(
        "[{SHARE}]\n    path = {}\n    read only = no\n",
        root.display()
    );
    fs::write(&config, text)?;
    Ok(format!("include = {}", config.display()))
}

/// What smbtorture says at the end of a run of so many seconds, or why it says nothing.
fn smbtorture(site: &CaseSite, seconds: u64) -> Result<String, String> {
    let started = tempfile::tempdir().and_then(|folder| {
        common::smbtorture(site, SHARE, folder.path())?
            .arg(format!("--option=torture:timelimit={seconds}"))
            .args(["--option=torture:nprocs=2", "smb2.bench.oplock1"])
            .output()
    });
    let output = started.map_err(|error| format!("it does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let digits = |c: char| !c.is_ascii_digit() && c != '.';
    let rate = text.rsplit_once(" ops/second");
    let rate = rate.and_then(|(before, _)| before.rsplit(digits).next());
    match rate.filter(|rate| !rate.is_empty()) {
        Some(rate) => Ok(rate.to_owned()),
        None => Err(format!(
            "{}, and no rate; it ends with: {}",
            output.status,
            text.lines().last().unwrap_or_default()
        )),
    }
}
