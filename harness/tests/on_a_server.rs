//! The program against a real server: what is passed, failed and broken, and what is shown.
//!
//! Without a server these tests say so and pass, unless `SMB_REPLAY_REQUIRE` is set.

mod common;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{NO_SERVER, command, is_required, is_without_server, run, text};
use serde_json::Value;

/// Writes and runs a trace; `None` when there is no server and none is required.
fn replay(trace: &str, arguments: &[&str]) -> Option<(Output, Value)> {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("x.ir"), trace).expect("written");
    let usual: &[&str] = match arguments.contains(&"--report") {
        true => &["run", "x.ir"],
        false => &["run", "x.ir", "--report", "report.json"],
    };
    let all = [usual, arguments].concat();
    let output = run(folder.path(), &all);
    if is_without_server(&output) {
        return None;
    }
    let report = std::fs::read(folder.path().join("report.json")).unwrap_or_default();
    Some((output, serde_json::from_slice(&report).unwrap_or_default()))
}

#[test]
fn a_trace_that_is_right_passes() {
    let trace = "ir 1\nclient A user=alice\nclient B user=bob\ngiven file \"x\" size=4096 fill=7\n\
        a: A create f \"x\" access=rw -> OK size=4096\nA read f len=4096 -> OK len=4096 fill=7\n\
        B create g \"x\" access=r after=a -> OK\nB close g\nA close f\n";
    for backend in ["native", "smb-rs"] {
        let Some((output, report)) = replay(trace, &["--backend", backend]) else {
            return;
        };
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(
            shown.contains("passed: 5 steps, 5 agreed, 0 differed, 0 not run"),
            "{shown}"
        );
        assert_eq!(report["verdict"], "passed");
        assert_eq!(report["answers_agreed"], 5);
        assert_eq!(report["times"]["by_verb"]["create"]["service"]["count"], 2);
        let total = &report["times"]["total"]["service"];
        assert!(
            total["p50"].as_u64() > Some(1_000) && total["p99.9"].is_u64(),
            "{total}"
        );
    }
}

#[test]
fn a_wrong_status_is_shown_where_it_is_expected() {
    let trace = "ir 1\nclient A user=alice\nA create f \"missing\" -> ACCESS_DENIED  # wrong\n";
    let Some((output, report)) = replay(trace, &[]) else {
        return;
    };
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("expected ACCESS_DENIED, got OBJECT_NAME_NOT_FOUND"),
        "{shown}"
    );
    assert!(shown.contains("x.ir:3:25"), "{shown}");
    assert!(
        shown.contains("3 | A create f \"missing\" -> ACCESS_DENIED  # wrong"),
        "{shown}"
    );
    assert!(
        shown.contains("^^^^^^^^^^^^^ got OBJECT_NAME_NOT_FOUND"),
        "{shown}"
    );
    assert!(shown.contains("the last steps of each client"), "{shown}");
    let difference = &report["answers_differed"][0];
    assert_eq!(
        (&difference["step"], &difference["line"]),
        (&1.into(), &3.into())
    );
    assert_eq!(difference["expected"], "ACCESS_DENIED");
    assert_eq!(report["verdict"], "failed");
}

#[test]
fn a_wrong_order_is_shown_at_its_check() {
    let trace = "ir 1\nclient A user=alice\nclient B user=bob\nfirst: A echo\n\
        second: B echo after=first\ncheck order second < first\n";
    let Some((output, report)) = replay(trace, &[]) else {
        return;
    };
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("order: expected second < first"), "{shown}");
    assert!(shown.contains("6 | check order second < first"), "{shown}");
    assert_eq!(report["others_differed"][0]["line"], 6);
    assert_eq!(report["answers_agreed"], 2);
}

#[test]
fn an_impossible_bound_is_missed_with_what_was_measured() {
    let steps = "A echo\n".repeat(200);
    let trace = format!("ir 1\nclient A user=alice\n{steps}check p99 echo < 1us\n");
    let Some((output, _)) = replay(&trace, &["--clock", "asap"]) else {
        return;
    };
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("time: expected") && shown.contains("check p99 echo < 1us"),
        "{shown}"
    );
    let measured = shown.split("got ").nth(1).unwrap_or_default();
    assert!(
        measured.starts_with(|first: char| first.is_ascii_digit()),
        "{shown}"
    );
}

#[test]
fn time_that_is_up_is_a_failure_and_not_a_hang() {
    let trace = "ir 1\nclient A user=alice\nA echo\n@60s A echo\n";
    let begin = Instant::now();
    let Some((output, report)) = replay(trace, &["--timeout", "1s"]) else {
        return;
    };
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        begin.elapsed() < Duration::from_secs(45),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        shown.contains("waits at") && shown.contains("its time 60.000000 s"),
        "{shown}"
    );
    assert_eq!(report["not_run"].as_array().map(Vec::len), Some(1));
}

#[test]
fn within_ends_the_wait_for_what_does_not_come() {
    let head = "ir 1\nmode 2\nneeds oplocks\nclient A user=alice\nclient B user=bob\ngiven file \"x\" size=4096\n\
        A create f \"x\" oplock=batch\n";
    let wait = "a: A lock f range=0..10 exclusive\nB create g \"x\" access=rw after=a\n\
        lk: B lock g range=0..10 exclusive wait -> PENDING\nB await lk within=1500ms\nB cancel lk\n\
        B echo\n";
    let lock = format!("{head}{wait}");
    let no_break = format!("{head}A break f batch->ii within=1500ms\nA echo\n");
    for (trace, shown_as) in [
        (lock, "no answer within 1.5s"),
        (no_break, "no break within 1.5s"),
    ] {
        let Some((output, report)) = replay(&trace, &["--clock", "asap"]) else {
            return;
        };
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{shown}");
        assert!(shown.contains(shown_as), "{shown}");
        let differed = report["answers_differed"].as_array().map(Vec::len);
        assert_eq!(
            differed,
            Some(1),
            "what comes behind it is run, and right: {shown}"
        );
        assert_eq!(
            report["not_run"].as_array().map(Vec::len),
            Some(0),
            "{shown}"
        );
        let took = Duration::from_nanos(report["duration_ns"].as_u64().expect("a duration"));
        let bounds = Duration::from_millis(1500)..Duration::from_secs(10);
        assert!(bounds.contains(&took), "{took:?}");
    }
}

/// A private server of this machine that a test may kill: started by a run that goes on, with another step at that time.
fn started(folder: &Path, at: &str, arguments: &[&str]) -> Child {
    let trace = format!("ir 1\nclient A user=alice\nA echo\n@{at} A echo\n");
    std::fs::write(folder.join("slow.ir"), trace).expect("written");
    let mut command = command(folder, &[&["run", "slow.ir"], arguments].concat());
    command
        .env("SMB_REPLAY_SOURCE", "local")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("it runs")
}

/// The server processes that a run started: the smbd that descend from it or its keeper.
fn servers_of(run: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let is_smbd = name.trim_end().starts_with("smbd");
        if is_smbd && ancestors(pid).contains(&run) {
            found.push(pid);
        }
    }
    found
}

fn ancestors(pid: u32) -> Vec<u32> {
    let mut above = Vec::new();
    let mut current = pid;
    while current > 1 && above.len() < 32 {
        let stat = std::fs::read_to_string(format!("/proc/{current}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let parent = after_name
            .split_whitespace()
            .nth(1)
            .and_then(|parent| parent.parse().ok());
        current = parent.unwrap_or(0);
        above.push(current);
    }
    above
}

/// Waits until the run's server is up and serves it; `None` when there is none and none is required.
fn servers_in_use(run: &mut Child) -> Option<Vec<u32>> {
    let until = Instant::now() + Duration::from_secs(30);
    // The server itself and its helpers; a moment later the one that serves the client.
    while servers_of(run.id()).len() < 3 {
        if let Some(status) = run.try_wait().expect("a child") {
            assert_eq!(status.code(), Some(NO_SERVER), "it ended early");
            assert!(!is_required(), "a server is required");
            return None;
        }
        assert!(Instant::now() < until, "no smbd was started");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    Some(servers_of(run.id()))
}

fn kill(signal: &str, pid: u32) {
    let _ = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
}

#[test]
fn a_server_that_dies_breaks_the_run_soon() {
    let folder = tempfile::tempdir().expect("a directory");
    let mut run = started(folder.path(), "60s", &[]);
    let Some(servers) = servers_in_use(&mut run) else {
        return;
    };
    let begin = Instant::now();
    for pid in servers {
        kill("-KILL", pid);
    }
    let output = run.wait_with_output().expect("it ends");
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{shown}");
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}: {shown}",
        begin.elapsed()
    );
    assert!(shown.contains("broken: the server went away"), "{shown}");
}

#[test]
fn a_server_that_hangs_breaks_the_run() {
    let folder = tempfile::tempdir().expect("a directory");
    let arguments = ["--step-timeout", "1s", "--report", "report.json"];
    let mut run = started(folder.path(), "6s", &arguments);
    let Some(servers) = servers_in_use(&mut run) else {
        return;
    };
    let begin = Instant::now();
    for pid in servers {
        kill("-STOP", pid);
    }
    let output = run.wait_with_output().expect("it ends");
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{shown}");
    assert!(
        shown.contains("broken: the server hangs: 127.0.0.1:"),
        "{shown}"
    );
    assert!(shown.contains("no answer within 1s"), "{shown}");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(45), "{took:?}: {shown}");
    let report = std::fs::read(folder.path().join("report.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["verdict"], "broken");
    assert_eq!(report["differences_by_kind"]["time"], 1, "{report}");
}

#[test]
fn a_full_disk_takes_no_verdict_away() {
    let trace = "ir 1\nclient A user=alice\nA create f \"x\" disposition=create\nA close f\n";
    let wrong = "ir 1\nclient A user=alice\nA create f \"x\" disposition=create -> ACCESS_DENIED\n";
    let full = "/dev/full";
    let arguments = ["--histograms", full, "--frames", full, "--report", full];
    for (trace, code, says) in [(trace, 2, "passed"), (wrong, 1, "failed")] {
        let Some((output, _)) = replay(trace, &arguments) else {
            return;
        };
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{messages}");
        assert!(
            text(&output.stdout).contains(&format!(": {says}")),
            "{messages}"
        );
        assert_eq!(messages.matches("/dev/full: ").count(), 3, "{messages}");
    }
}

#[test]
fn a_signal_ends_a_run_and_its_server() {
    let folder = tempfile::tempdir().expect("a directory");
    let mut run = started(folder.path(), "60s", &[]);
    let Some(servers) = servers_in_use(&mut run) else {
        return;
    };
    kill("-INT", run.id());
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    for pid in servers {
        // One that has ended and that nobody has waited for has no command line any more.
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!command.contains("smbd"), "smbd {pid} was left behind");
    }
}

/// A server that the harness neither starts nor stops: an smbd that this test runs by hand.
struct Foreign {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Foreign {
    /// `None` where there is no smbd, or where this user may not run one with accounts.
    fn start() -> Option<Self> {
        let started = Self::try_start();
        assert!(started.is_some() || !is_required(), "a server is required");
        started
    }

    fn try_start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a directory");
        let at = folder.path().to_string_lossy().into_owned();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let directories: String = [
            ("private dir", "private"),
            ("state directory", "state"),
            ("cache directory", "cache"),
            ("lock directory", "lock"),
            ("pid directory", "pid"),
            ("ncalrpc dir", "ncalrpc"),
            ("binddns dir", "binddns"),
        ]
        .iter()
        .map(|(option, name)| {
            std::fs::create_dir(folder.path().join(name)).expect("created");
            format!("{option} = {at}/{name}\n")
        })
        .collect();
        std::fs::create_dir_all(folder.path().join("share/below")).expect("created");
        let config = format!(
            "[global]\n{directories}smb ports = {port}\ninterfaces = lo\n\
             bind interfaces only = yes\ndisable netbios = yes\nlog file = {at}/log\n\
             passdb backend = tdbsam:{at}/passdb.tdb\n[data]\npath = {at}/share\nread only = no\n"
        );
        let path = folder.path().join("smb.conf");
        std::fs::write(&path, config).expect("written");
        let mut password = Command::new("smbpasswd")
            .args(["-c", &path.to_string_lossy(), "-a", "-s", "root"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut input = password.stdin.take().expect("piped");
        std::io::Write::write_all(&mut input, b"right\nright\n").ok()?;
        drop(input);
        if !password.wait().ok()?.success() {
            return None;
        }
        let process = Command::new("smbd")
            .args(["--foreground", "--configfile", &path.to_string_lossy()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self {
            process,
            port,
            folder,
        };
        let until = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "smbd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    /// Runs a trace on it, in the folder `below`.
    fn run(&self, trace: &str, password: &str) -> Output {
        std::fs::write(self.folder.path().join("x.ir"), trace).expect("written");
        command(self.folder.path(), &["run", "x.ir"])
            .env_remove("SMB_REPLAY_IDENTITIES")
            .env(
                "SMB_REPLAY_SERVER",
                format!("smb://127.0.0.1:{}/data/below", self.port),
            )
            .env("SMB_REPLAY_SOURCE", "external")
            .env("SMB_REPLAY_USER", "root")
            .env("SMB_REPLAY_PASSWORD", password)
            .output()
            .expect("it runs")
    }

    /// What is in the folder `below`.
    fn below(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("share/below"))
            .expect("a directory")
            .count()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // smbd passes it on to those that it forked.
        kill("-TERM", self.process.id());
        let _ = self.process.wait();
    }
}

#[test]
fn a_foreign_server_is_left_as_it_was() {
    let Some(server) = Foreign::start() else {
        return;
    };
    let many: String = (0..300)
        .map(|name| format!("given file \"many/{name}\"\n"))
        .collect();
    let trace = format!(
        "ir 1\nclient A user=alice\n{many}given file \"d/e/f\" size=5 fill=1 attributes=readonly\n\
         A create f \"d/e/f\" access=r -> OK size=5\nA close f\n\
         A create d \"new\" options=directory disposition=create -> OK\n"
    );
    let output = server.run(&trace, "right");
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert_eq!(server.below(), 0, "{shown}");
}

#[test]
fn a_wrong_password_names_the_account_and_hides_the_password() {
    let Some(server) = Foreign::start() else {
        return;
    };
    let output = server.run("ir 1\nclient A user=alice\nA echo\n", "quite-secret");
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{shown}");
    assert!(
        shown.contains("LOGON_FAILURE") && shown.contains("the account root"),
        "{shown}"
    );
    assert!(!shown.contains("quite-secret"), "{shown}");
}

#[test]
fn what_the_server_lacks_is_a_skip() {
    let trace = "ir 1\nneeds domain\nclient A user=alice\nA echo\n";
    let Some((output, _)) = replay(trace, &[]) else {
        return;
    };
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("skipped: the server lacks domain"));
}

#[test]
fn what_breaks_made_clients_do_is_in_the_report() {
    let opened = "ir 1\nmode 2\nclient A user=alice\nclient B user=bob\ngiven file \"x\"\n\
        A create f \"x\" access=rw oplock=batch -> OK oplock=batch\n";
    let held = "armed: A on-break f ack-after 2s\nB create g \"x\" after=armed\nA break f batch->ii\n\
        A flush f\n";
    let Some((output, report)) = replay(&format!("{opened}{held}"), &[]) else {
        return;
    };
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let reactions = &report["break_reactions"];
    assert!(
        reactions
            .as_array()
            .is_some_and(|list| list.iter().any(|one| one["event"] == "held"
                && one["line"] == 10
                && one["time"].as_u64() > Some(0))),
        "{reactions}"
    );
    assert!(
        report["break_latency"].is_null(),
        "it was delayed on purpose"
    );

    let refused = "armed: A on-break f ack level=batch\nopen: B create g \"x\" after=armed -> PENDING\n\
        A break f batch->ii after=open.pending\nA close f\nB await open -> OK\n";
    let (output, report) = replay(&format!("{opened}{refused}"), &[]).expect("there was a server");
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let reactions = &report["break_reactions"];
    assert!(
        reactions.as_array().is_some_and(|list| list
            .iter()
            .any(|one| one["event"] == "break-settled" && one["answer"] == "INVALID_PARAMETER")),
        "{reactions}"
    );
    assert_eq!(report["break_latency"]["count"], 1);
}
