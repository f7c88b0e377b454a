//! Whatever the program says of a customer's capture, it says nothing of what is secret in it: not in the trace, not in its
//! messages, not in its log, not in what a replay of the trace leaves.
//!
//! Without a server the last part says so and passes, unless `SMB_REPLAY_REQUIRE` is set.

#[path = "../import/tests/common/mod.rs"]
mod captures;
mod common;
#[path = "../import/tests/anonymize/elsewhere.rs"]
mod elsewhere;
#[path = "../import/tests/anonymize/planted.rs"]
mod planted;

use std::path::Path;
use std::process::Output;

use common::{command, is_without_server, text};
use planted::{SECRETS, capture, utf16};

/// The secrets that some bytes have, as they are or in UTF-16, in capitals or not.
fn secrets_in(bytes: &[u8]) -> Vec<&'static str> {
    let small = bytes.to_ascii_lowercase();
    let has = |part: &[u8]| small.windows(part.len()).any(|found| found == part);
    let secrets = SECRETS.iter().copied();
    secrets
        .filter(|secret| has(secret.as_bytes()) || has(&utf16(secret)))
        .collect()
}

/// Runs the program with everything in its log, and looks at all that it says.
fn said(folder: &Path, arguments: &[&str]) -> Output {
    let ran = command(folder, arguments).env("RUST_LOG", "trace").output();
    let ran = ran.expect("it runs");
    for stream in [&ran.stdout, &ran.stderr] {
        let found = secrets_in(stream);
        assert!(found.is_empty(), "{found:?} in\n{}", text(stream));
    }
    ran
}

#[test]
fn what_is_secret_in_a_capture_is_nowhere_else() {
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path();
    let capture = capture();
    assert_eq!(
        secrets_in(&capture).len() + 4,
        SECRETS.len(),
        "all but four forms of numbers"
    );
    std::fs::write(folder.join("c.pcap"), &capture).expect("written");
    let imported = said(folder, &["import", "pcap", "c.pcap", "-o", "c.ir"]);
    assert_eq!(
        imported.status.code(),
        Some(0),
        "{}",
        text(&imported.stderr)
    );
    assert!(text(&imported.stderr).contains("left out: "));
    let strict = said(
        folder,
        &["import", "pcap", "c.pcap", "-o", "s.ir", "--strict"],
    );
    assert_ne!(strict.status.code(), Some(0));
    // Files that break off anywhere, and bytes that are not what they were.
    for part in 1..8 {
        let mut cut = capture[..capture.len() * part / 8].to_vec();
        let at = cut.len() / 2;
        cut[at..]
            .iter_mut()
            .step_by(97)
            .for_each(|byte| *byte ^= 0x10);
        std::fs::write(folder.join("d.pcap"), &cut).expect("written");
        said(
            folder,
            &["import", "pcap", "d.pcap", "-o", "d.ir", "--strict"],
        );
        said(folder, &["import", "pcap", "d.pcap"]);
    }
    let ran = said(
        folder,
        &[
            "run",
            "c.ir",
            "--clock",
            "asap",
            "--step-timeout",
            "2s",
            "--frames",
            "f.pcapng",
            "--report",
            "r.json",
        ],
    );
    if is_without_server(&ran) {
        return;
    }
    for file in ["c.ir", "f.pcapng", "r.json"] {
        let bytes = std::fs::read(folder.join(file)).expect("it is there");
        assert!(
            !bytes.is_empty() && secrets_in(&bytes).is_empty(),
            "{file}: {:?}",
            secrets_in(&bytes)
        );
    }
}
