//! What lies beside a case that failed: the frames of all its connections, as tshark reads them.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::is_required;
use smb_replay::prelude::*;

/// What must not be in a capture: the challenges of logins and the answers to them, accounts of the server, and anything that was not decrypted.
const UNWANTED: &[&str] = &[
    "ntlmssp.ntlmserverchallenge",
    "ntlmssp.ntlmclientchallenge",
    "ntlmssp.ntlmv2_response",
    "ntlmssp.auth.domain && ntlmssp.auth.domain != \"NULL\"",
    "kerberos",
    "smb2.header.transform.signature",
];

#[smb_replay::replay("tests/evidence/failing.ir")]
async fn frames_of_a_failed_case_decode(case: Case) -> Verdict {
    match case.clone().replay().await {
        Verdict::Failed(text) => {
            assert!(
                text.contains("expected OK, got OBJECT_NAME_NOT_FOUND"),
                "{text}"
            );
        }
        Verdict::Passed => return Verdict::Failed("the trace passed".to_owned()),
        other => return other,
    }
    let folder = case.artifacts().expect("a failed case has artefacts");
    let capture = folder.join("frames.pcapng");
    assert!(capture.is_file(), "{} is missing", capture.display());
    let Some(tshark) = tshark() else {
        assert!(!is_required(), "tshark is required and not installed");
        return Verdict::Skipped("tshark is not installed".to_owned());
    };
    let frames = |filter: &str| decoded(&tshark, &capture, filter);
    // A segment that is not the last of its frame is shown with that.
    assert_eq!(
        frames("tcp.len > 0 && !smb2 && !tcp.reassembled_in"),
        [""; 0]
    );
    assert_eq!(
        frames("_ws.malformed || _ws.expert.severity >= 0x800000"),
        [""; 0]
    );
    assert_eq!(frames("tcp.analysis.flags"), [""; 0], "sequence numbers");
    for unwanted in UNWANTED {
        assert_eq!(frames(unwanted), [""; 0], "{unwanted}");
    }
    let all = frames("smb2");
    assert!(all.len() > 60, "{} frames", all.len());
    // Commands by number, MS-SMB2 2.2.1: every kind of step of the trace is there, and a break.
    for command in [0, 1, 3, 5, 6, 7, 8, 9, 10, 13, 14, 16, 18] {
        let of_command = frames(&format!("smb2.cmd == {command}"));
        assert!(!of_command.is_empty(), "command {command}");
    }
    let encrypted = frames("smb2 && frame.comment contains \"encrypted on the wire\"");
    assert!(encrypted.len() > 20, "{encrypted:?}");
    assert!(
        encrypted.iter().any(|line| line.contains("Write Request")),
        "{encrypted:?}"
    );
    // Who logs in, by the trace's names: two connections of each.
    let tokens = frames("ntlmssp");
    assert_eq!(tokens.len(), 4, "{tokens:?}");
    for user in ["alice", "bob"] {
        let of_user = frames(&format!("ntlmssp.auth.username == \"{user}\""));
        assert_eq!(of_user.len(), 2, "{user}: {of_user:?}");
    }
    let commented = frames("frame.comment contains \"client D, line 23 create\"");
    assert_eq!(commented.len(), 2, "{commented:?}");
    assert!(
        commented[1].contains("STATUS_OBJECT_NAME_NOT_FOUND"),
        "{commented:?}"
    );
    let streams = frames("tcp.flags.syn == 1 && tcp.flags.ack == 0");
    assert_eq!(streams.len(), 4, "{streams:?}");
    Verdict::Passed
}

/// The frames that match, a line each.
fn decoded(tshark: &Path, capture: &Path, filter: &str) -> Vec<String> {
    let mut command = Command::new(tshark);
    command
        .arg("-r")
        .arg(capture)
        .args(["-n", "-2", "-Y", filter]);
    let output = command.stdin(Stdio::null()).output().expect("tshark runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark -Y {filter:?}: {errors}");
    let shown = String::from_utf8_lossy(&output.stdout);
    shown.lines().map(str::to_owned).collect()
}

fn tshark() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("tshark"))
        .find(|file| file.is_file())
}
