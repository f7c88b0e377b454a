//! What the tests of real servers share: skipping where a machine has none, smbclient, and looking for leftovers.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use replay_engine::{Identity, Target};
use samba_servers::{NoServer, Server, ServerSpec, Source, StartOptions, start};
use secrecy::ExposeSecret;

/// The version of Samba that these tests start.
pub(crate) const SPEC: &str = "samba-4.17";

/// Prints why a test does nothing here; fails instead where `SMB_REPLAY_REQUIRE=1` says that nothing may be missing.
pub(crate) fn skip(reason: &dyn std::fmt::Display) {
    assert!(
        std::env::var_os("SMB_REPLAY_REQUIRE").is_none_or(|value| value != "1"),
        "missing: {reason}"
    );
    println!("skipped: {reason}");
}

/// A server of this test's own, or `None` where the machine cannot give one.
pub(crate) async fn server(source: Source) -> Option<Server> {
    let spec: ServerSpec = SPEC.parse().expect("known");
    match start(
        &spec,
        &StartOptions {
            sources: vec![source],
            ..StartOptions::default()
        },
    )
    .await
    {
        Ok(server) => Some(server),
        Err(error) => {
            skip(&error);
            None
        }
    }
}

/// Tries to start a server that cannot be had.
pub(crate) async fn no_server(spec: &str, options: &StartOptions) -> NoServer {
    start(&spec.parse().expect("known"), options)
        .await
        .expect_err("it cannot be had")
}

/// smbclient's answer to `commands` in `share` as `identity`; `None` without smbclient.
pub(crate) fn smbclient(
    target: &Target,
    share: &str,
    identity: &Identity,
    password: &str,
    commands: &str,
) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("credentials");
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&credentials)
        .expect("made");
    writeln!(
        file,
        "username = {}\npassword = {password}",
        identity.account
    )
    .expect("written");
    fs::write(folder.path().join("file"), "0123456789").expect("written");
    let output = Command::new("smbclient")
        .args([
            "--port",
            &target.address.port().to_string(),
            "--configfile=/dev/null",
            "--timeout=10",
        ])
        .arg("--authentication-file")
        .arg(&credentials)
        .arg(format!("//{}/{share}", target.address.ip()))
        .args(["--directory", &target.root.replace('/', "\\")])
        .args(["--command", commands])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(Output { stdout, stderr, .. }) => {
            Some(String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
        }
        Err(error) => {
            skip(&format!("smbclient: {error}"));
            None
        }
    }
}

/// As [`smbclient`], in the case's share and with the identity's own password.
pub(crate) fn work(target: &Target, identity: &Identity, commands: &str) -> Option<String> {
    smbclient(
        target,
        &target.share,
        identity,
        identity.password.expose_secret(),
        commands,
    )
}

/// A server that is to be gone in the end, by what its description names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trace {
    Container(String),
    Folder(PathBuf),
}

impl Trace {
    pub(crate) fn of(description: &str) -> Self {
        let word = |after: &str| {
            let rest = description
                .split_once(after)
                .unwrap_or_else(|| panic!("{after:?} in {description:?}"))
                .1;
            rest.split(' ').next().unwrap_or_default().to_owned()
        };
        if description.contains("container") {
            Self::Container(word("in the container "))
        } else {
            Self::Folder(word(" in ").into())
        }
    }

    /// Whether anything of the server is left: container, folder or processes.
    pub(crate) async fn is_left(&self) -> bool {
        match self {
            Self::Container(name) => {
                let docker = testcontainers::core::client::docker_client_instance()
                    .await
                    .expect("an engine");
                let options =
                    None::<testcontainers::bollard::query_parameters::InspectContainerOptions>;
                docker.inspect_container(name, options).await.is_ok()
            }
            Self::Folder(folder) => {
                folder.exists() || !processes_with(&folder.to_string_lossy()).is_empty()
            }
        }
    }

    /// Waits until nothing is left, `limit` at most.
    pub(crate) async fn is_gone_within(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.is_left().await {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// Waits until there are so many keepers, 10 s at most: a process that was killed is seen for a moment more, and one
    /// that a keeper has just forked looks like it until it runs its own program.
    pub(crate) async fn has_keepers(&self, count: usize) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        while self.keepers().len() != count {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// The keepers of the server: usually one.
    pub(crate) fn keepers(&self) -> Vec<u32> {
        let mark = match self {
            Self::Container(name) => name.clone(),
            Self::Folder(folder) => folder.to_string_lossy().into_owned(),
        };
        processes_with(&mark)
            .into_iter()
            .filter(|pid| command_line(*pid).contains("smb-replay-keeper"))
            .collect()
    }
}

/// The processes whose command line holds `text`.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("Linux");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| command_line(*pid).contains(text))
        .collect()
}

fn command_line(pid: u32) -> String {
    fs::read(format!("/proc/{pid}/cmdline")).map_or_else(
        |_| String::new(),
        |text| String::from_utf8_lossy(&text).into(),
    )
}

pub(crate) fn kill(pid: u32) {
    let status = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success(), "process {pid}");
}

/// Another process of this test binary, which runs the helper test `name` with `variables`.
pub(crate) fn helper(name: &str, variables: &[(&str, &str)]) -> Helper {
    let program = std::env::current_exe().expect("this test");
    Helper::spawn(
        Command::new(program)
            .args([
                "--exact",
                name,
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env_remove("NEXTEST_RUN_ID")
            // Where its server comes from is for the test to say, not for whoever runs the tests.
            .env_remove("SMB_REPLAY_SOURCE")
            .env_remove("SMB_REPLAY_SERVER")
            .envs(variables.iter().copied()),
    )
}

/// A process whose lines `said: …` are read.
pub(crate) struct Helper {
    pub(crate) child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Helper {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (send, lines) = std::sync::mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test's own heading stands on the same line.
                let Some((_, said)) = line.split_once("said: ") else {
                    continue;
                };
                if send.send(said.to_owned()).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next thing it says; `None` if it ends or says nothing for two minutes.
    pub(crate) fn says(&self) -> Option<String> {
        self.lines.recv_timeout(Duration::from_secs(120)).ok()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of a file that is a program called `name` and is a shell.
pub(crate) fn shell_called(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::os::unix::fs::symlink("/bin/sh", &path).expect("made");
    path
}
