//! `smb-replay run --clients` against a real server: every copy in its own directory, nothing lost, and what is told of it.
//!
//! Without a server these tests say so and pass, unless `SMB_REPLAY_REQUIRE` is set.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{command, is_without_server};
use serde_json::Value;

/// Each copy makes its file anew, so that two copies in one directory could not both pass; B waits for A.
const TRACE: &str = "ir 1\nclient A user=alice\nclient B user=bob\ngiven file \"x\" size=4096 fill=7\n\
    a: A create f \"new\" access=rw disposition=create -> OK\nA write f len=100 fill=3 -> OK len=100\n\
    w: A close f\n@50ms B create g \"new\" access=r after=w -> OK size=100\nB close g\n\
    A create h \"x\" access=r -> OK size=4096\nA read h len=4096 -> OK len=4096 fill=7\nA close h\n\
    check order a < w\n";

fn program(folder: &Path, arguments: &[&str]) -> Command {
    std::fs::write(folder.join("x.ir"), TRACE).expect("written");
    command(folder, &[&["run", "x.ir"], arguments].concat())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default()
}

#[test]
fn copies_have_directories_and_accounts_of_their_own() {
    let folder = tempfile::tempdir().expect("a directory");
    let arguments = [
        "--clients",
        "23",
        "--seed",
        "5",
        "--ramp",
        "200/s",
        "--spread",
        "40ms",
        "--identities",
        "3",
        "--calibrate",
        "--report",
        "report.json",
        "--metrics-file",
        "metrics.json",
        "--timeout",
        "60s",
    ];
    let output = program(folder.path(), &arguments)
        .output()
        .expect("it runs");
    if is_without_server(&output) {
        return;
    }
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    // 23 clients are 12 copies of two.
    assert!(
        shown.contains("12 copies, 24 clients; operations issued 96, completed 96"),
        "{shown}"
    );
    assert!(shown.contains("probe "), "{shown}");
    let report = json(&folder.path().join("report.json"));
    assert_eq!(report["verdict"], "passed");
    assert_eq!(
        (&report["copies"], &report["steps"]),
        (&Value::from(12), &Value::from(96))
    );
    assert_eq!(report["operations_completed"], 96);
    assert!(report["probe"]["count"].as_u64() > Some(10), "{report}");
    let metrics = json(&folder.path().join("metrics.json"));
    let metrics = &metrics["metrics"];
    assert_eq!(metrics["smb_replay_operations_completed_total"], 96.0);
    assert_eq!(metrics["smb_replay_clients_connected"], 24.0);
    let p99 = &metrics["smb_replay_time_seconds{time=\"service\",quantile=\"0.99\"}"];
    assert!(p99.as_f64() > Some(0.0), "{metrics}");
}

#[test]
fn metrics_can_be_read_while_a_run_goes_on() {
    let folder = tempfile::tempdir().expect("a directory");
    let address = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("its address")
    };
    let arguments = ["--metrics", &address.to_string(), "--scale", "40"];
    let child = program(folder.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut child = Guard(Some(child));
    let begun = Instant::now();
    let mut seen = String::new();
    while begun.elapsed() < Duration::from_secs(60) {
        if child.has_ended() {
            break;
        }
        seen = ask(address).unwrap_or_default();
        if seen.contains("smb_replay_clients_connected 2\n") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.output();
    if is_without_server(&output) {
        return;
    }
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(seen.contains("smb_replay_steps 8\n"), "{seen}");
    assert!(
        seen.contains("# TYPE smb_replay_time_seconds summary\n"),
        "{seen}"
    );
}

fn ask(address: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Ends the program when a test fails in between.
struct Guard(Option<std::process::Child>);

impl Guard {
    fn has_ended(&mut self) -> bool {
        let child = self.0.as_mut().expect("not taken yet");
        !matches!(child.try_wait(), Ok(None))
    }

    fn output(&mut self) -> Output {
        let child = self.0.take().expect("taken once");
        child.wait_with_output().expect("it ends")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
