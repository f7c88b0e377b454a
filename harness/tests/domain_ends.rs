//! Runs in a domain that were killed, or asked to end: nothing is left of them, and the next works.
#![cfg(feature = "ad")]

mod common;

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::command;
use common::domain::controller;

/// How long what a killed process leaves may be there.
const SOON: Duration = Duration::from_secs(20);
/// How long a run may take until it works, on a machine that does other things as well.
const STARTING: Duration = Duration::from_secs(180);

const HEAD: &str = "ir 1\nneeds domain\nclient A user=alice groups=finance\n\
    given file \"f\" sd=\"D:P(A;;FA;;;$finance)\"\nA create f \"f\" -> OK\n";

/// The program, replaying a trace in a domain, with its records in `folder`.
fn run(folder: &Path, server: &str, trace: &str) -> Child {
    command(folder, &["run", "--server", server, trace])
        .env("SMB_REPLAY_STATE_DIR", folder.join("state"))
        .env("SMB_REPLAY_SOURCE", "docker")
        .env_remove("NEXTEST_RUN_ID")
        .env_remove("SMB_REPLAY_SERVER")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs")
}

fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// The containers that a process owns, whatever their state, by their labels.
fn containers(process: u32) -> Vec<String> {
    let format = "{{.Names}} {{.Label \"org.smb-replay.owner\"}}";
    let listed = docker(&["ps", "--all", "--no-trunc", "--format", format]).expect("an engine");
    let owned = listed.lines().filter_map(|line| {
        let (name, owner) = line.split_once(' ')?;
        let owner: serde_json::Value = serde_json::from_str(owner).ok()?;
        (owner["pid"] == process).then(|| name.to_owned())
    });
    owned.collect()
}

/// Whether a server's directory has the accounts of a replay.
fn has_accounts(container: &str) -> bool {
    let database = "/var/lib/samba/private/sam.ldb";
    let search = [
        "exec",
        container,
        "ldbsearch",
        "-H",
        database,
        "(ou=sr-*)",
        "ou",
    ];
    docker(&search).is_some_and(|text| text.contains("ou: sr-"))
}

fn await_that(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The same for something that a run does; one that has ended will not do it any more, and says why.
fn await_of(run: &mut Child, what: &str, mut holds: impl FnMut(u32) -> bool) {
    let process = run.id();
    await_that(what, STARTING, || {
        if holds(process) {
            return true;
        }
        if let Some(status) = run.try_wait().expect("a child") {
            let mut said = String::new();
            let stderr = run.stderr.as_mut().expect("piped");
            stderr.read_to_string(&mut said).expect("read");
            panic!("{what}: the run has ended with {status}: {said}");
        }
        false
    });
}

fn records(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder.join("state"))
        .into_iter()
        .flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.ends_with(".json")).count()
}

/// A run is killed while it replays, and after it the same works twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_leaves_nothing_and_the_next_two_work() {
    // Says whether there can be one, and makes the image, which may take minutes.
    let Some(server) = controller().await else {
        return;
    };
    server.stop().await.expect("stopped");
    let folder = traces();
    let folder = folder.path();
    let mut killed = run(folder, "samba-ad", "long.ir");
    await_of(&mut killed, "its accounts", |process| {
        containers(process).iter().any(|it| has_accounts(it))
    });
    killed.kill().expect("killed");
    killed.wait().expect("it ends");
    await_that("nothing left", SOON, || {
        containers(killed.id()).is_empty() && records(folder) == 0
    });
    for _ in 0..2 {
        let again = run(folder, "samba-ad", "short.ir");
        let process = again.id();
        let again = again.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success(), "{said}");
        assert!(containers(process).is_empty() && records(folder) == 0);
    }
}

/// A member server and the controller beside it end together: killed while the controller starts or while the trace is
/// replayed, they go soon; after a Ctrl-C they are gone when the run has ended. They need no network of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_and_its_controller_end_together() {
    let Some(server) = controller().await else {
        return;
    };
    server.stop().await.expect("stopped");
    let folder = traces();
    let folder = folder.path();
    let networks = docker(&["network", "ls", "--quiet"]).expect("an engine");
    let start = || run(folder, "samba-ad-member", "long.ir");

    let mut early = start();
    await_of(&mut early, "a controller", |process| {
        !containers(process).is_empty()
    });
    early.kill().expect("killed");
    early.wait().expect("it ends");
    await_that("nothing left", SOON, || containers(early.id()).is_empty());

    for signal in ["-KILL", "-INT"] {
        let mut ended = start();
        let process = ended.id();
        await_of(&mut ended, "a member and accounts", |process| {
            let containers = containers(process);
            containers.len() == 2 && containers.iter().any(|it| has_accounts(it))
        });
        for container in containers(process) {
            let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
            let on = docker(&["inspect", "--format", format, &container]).expect("there");
            assert_eq!(on.trim(), "bridge");
        }
        let told = Command::new("kill")
            .args([signal, &process.to_string()])
            .status()
            .expect("kill runs");
        assert!(told.success());
        let status = ended.wait().expect("it ends");
        if signal == "-INT" {
            assert_eq!(status.code(), Some(130));
            assert_eq!(containers(process), Vec::<String>::new(), "it was awaited");
        }
        await_that("nothing left", SOON, || {
            containers(process).is_empty() && records(folder) == 0
        });
    }
    let after = docker(&["network", "ls", "--quiet"]).expect("an engine");
    assert_eq!(after, networks);
}

/// A trace that takes a minute, and one that ends at once.
fn traces() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let long = format!("{HEAD}@60s A read f len=0 -> OK\n");
    std::fs::write(folder.path().join("long.ir"), long).expect("written");
    std::fs::write(folder.path().join("short.ir"), HEAD).expect("written");
    folder
}
