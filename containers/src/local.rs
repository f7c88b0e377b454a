//! A private `smbd` of this machine: its own folder, port, accounts and process group, nothing shared with a Samba that
//! the machine may run for other ends.
//!
//! Its accounts live in a file that only it sees, through libnss_wrapper, so that nothing in /etc changes. Run by an
//! ordinary user it also needs libuid_wrapper, and then one user owns all its files on disk.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Read, Seek, SeekFrom},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::{
    ServerError, accounts,
    config::Config,
    keeper::Keeper,
    launch::Launch,
    log, probe,
    process::{self, Stat},
    registry::{Record, Resource},
    smbd::{Smbd, wrapper_variables},
};

/// What the folders of private servers are called, before their id.
pub(crate) const PREFIX: &str = "smb-replay-smbd-";
/// The record's copy in a server's folder, for the sweep.
pub(crate) const RECORD: &str = "record.json";
/// How long smbd may take from its start to its first NEGOTIATE.
const READY: Duration = Duration::from_secs(15);
/// A port that was free may be taken before smbd has it.
const PORT_TRIES: u32 = 3;

/// A private `smbd`, as its record has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Private {
    /// Its folder, with everything it has.
    pub(crate) directory: PathBuf,
    /// The process number of its first process, which leads the process group of all others; 0 until it is ready.
    group: u32,
    /// That process's start, as in [`Owner`](process::Owner).
    start: u64,
    /// The version, `4.17.12-Debian`.
    pub(crate) version: String,
}

/// Starts a private `smbd` of Samba `version` and waits until it is ready.
pub(crate) async fn start(
    launch: &Launch<'_>,
    version: &str,
) -> Result<(Record, Private, Keeper), ServerError> {
    let smbd = Smbd::find(launch, version).await?;
    launch.say(&format!("starting a private smbd {}", smbd.version));
    let mut tried = 1;
    loop {
        match attempt(launch, &smbd).await {
            Err(ServerError::NotReady { .. }) if tried < PORT_TRIES => tried += 1,
            done => return done,
        }
    }
}

async fn attempt(
    launch: &Launch<'_>,
    smbd: &Smbd,
) -> Result<(Record, Private, Keeper), ServerError> {
    let port =
        free_port().map_err(|source| file("finding a port on", Path::new("127.0.0.1"), source))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let directory = make_folder(launch, smbd, port)?;
    // Already now, with a process number that is not known yet: the sweep reads it from the folder then.
    let private = Private {
        directory: directory.clone(),
        group: 0,
        start: 0,
        version: smbd.version.clone(),
    };
    write_copy(
        &launch.record(address, Resource::Local(private.clone())),
        &directory,
    )
    .inspect_err(|_| drop(fs::remove_dir_all(&directory)))?;
    let arguments: [OsString; 4] = [
        "local".into(),
        directory.clone().into(),
        smbd.path.clone().into(),
        smbd.preload.into(),
    ];
    let keeper = launch.keep(&arguments, &wrapper_variables(&directory));
    let mut keeper = match keeper {
        Ok(keeper) => keeper,
        Err(error) => {
            let _ = fs::remove_dir_all(&directory);
            return Err(error);
        }
    };
    // At the same time: smbd reads those permissions when a share is connected.
    let (permitted, started) = tokio::join!(
        smbd.permit(&directory),
        ready(launch, &mut keeper, address, private.clone()),
    );
    match permitted.and(started) {
        Ok((record, private)) => Ok((record, private, keeper)),
        Err(error) => {
            let said = private.log();
            // The keeper of a shared server waits for its owner, so it is not asked to do this.
            keeper.dismiss().await;
            private.remove().await?;
            launch.registry.remove(launch.id);
            Err(error.with_log(&said))
        }
    }
}

async fn ready(
    launch: &Launch<'_>,
    keeper: &mut Keeper,
    address: SocketAddr,
    mut private: Private,
) -> Result<(Record, Private), ServerError> {
    let not_ready = |reason: String| ServerError::NotReady {
        address: address.to_string(),
        reason,
    };
    let gone = async || match private.leader() {
        Some(pid) if Stat::runs(pid) => None,
        Some(_) => Some("smbd exited".to_owned()),
        None if keeper.is_running() => None,
        None => Some("its keeper exited".to_owned()),
    };
    let negotiated = probe::ready(address, READY, gone)
        .await
        .map_err(|error| not_ready(error.to_string()))?;
    if !negotiated.is_named(&launch.netbios_name()) {
        return Err(not_ready("another server answered there".to_owned()));
    }
    private.group = private
        .leader()
        .ok_or_else(|| not_ready("its process number is not known".to_owned()))?;
    let stat = Stat::read(private.group).ok_or_else(|| not_ready("smbd exited".to_owned()))?;
    private.start = stat.start;
    let record = launch.record(address, Resource::Local(private.clone()));
    write_copy(&record, &private.directory)?;
    launch.registry.write(&record)?;
    Ok((record, private))
}

/// Puts the record into the server's folder too, where a sweep finds it without the registry.
fn write_copy(record: &Record, directory: &Path) -> Result<(), ServerError> {
    let copy = directory.join(RECORD);
    let text = serde_json::to_vec(record).map_err(|error| file("writing", &copy, error.into()))?;
    fs::write(&copy, text).map_err(|source| file("writing", &copy, source))
}

/// Makes the folder with all that the server has.
fn make_folder(launch: &Launch<'_>, smbd: &Smbd, port: u16) -> Result<PathBuf, ServerError> {
    let directory = parent()?.join(format!("{PREFIX}{}", launch.id));
    let make = |path: &Path, mode: u32| {
        fs::DirBuilder::new()
            .mode(mode)
            .create(path)
            // The process's umask may have taken bits away.
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .map_err(|source| file("making", path, source))
    };
    let config = Config {
        name: &launch.netbios_name(),
        directory: &directory,
        port,
        loopback: true,
        extra: &launch.options.extra,
    };
    let config = config.render()?;
    // Accounts of their own walk through this folder; they may not look into it.
    make(&directory, 0o711)?;
    let fill = || -> Result<(), ServerError> {
        for (name, mode) in [
            ("private", 0o700),
            ("state", 0o755),
            ("cache", 0o755),
            ("lock", 0o755),
            ("pid", 0o755),
            ("ncalrpc", 0o755),
            ("binddns", 0o755),
            ("data", 0o755),
        ] {
            make(&directory.join(name), mode)?;
        }
        let passwd = format!(
            "root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n{}",
            accounts::all_users()
        );
        let group = format!("root:x:0:\nnogroup:x:65534:\n{}", accounts::all_groups());
        let net = smbd.net_script(&directory);
        for (name, text, mode) in [
            ("smb.conf", config.as_str(), 0o644),
            ("passwd", passwd.as_str(), 0o644),
            ("group", group.as_str(), 0o644),
            ("private/smbpasswd", "", 0o600),
            ("net", net.as_str(), 0o700),
        ] {
            let path = directory.join(name);
            fs::write(&path, text)
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
                .map_err(|source| file("writing", &path, source))?;
        }
        Ok(())
    };
    fill().inspect_err(|_| {
        let _ = fs::remove_dir_all(&directory);
    })?;
    Ok(directory)
}

/// The folder for servers' folders: the temporary one, or /tmp where root's accounts could not walk through that.
pub(crate) fn parent() -> Result<PathBuf, ServerError> {
    let temporary = env::temp_dir();
    let temporary = temporary
        .canonicalize()
        .map_err(|source| file("reading", &temporary, source))?;
    let open = |path: &Path| {
        path.ancestors()
            .all(|part| fs::metadata(part).is_ok_and(|metadata| metadata.mode() & 0o001 != 0))
    };
    if !rustix::process::geteuid().is_root() || open(&temporary) {
        return Ok(temporary);
    }
    let fallback = PathBuf::from("/tmp");
    if open(&fallback) {
        return Ok(fallback);
    }
    let text = "the server's accounts cannot walk through it, nor through /tmp (mode o+x)";
    Err(file(
        "using",
        &temporary,
        io::Error::new(io::ErrorKind::PermissionDenied, text),
    ))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

impl Private {
    /// The process number of the server's first process, once its keeper has started it.
    fn leader(&self) -> Option<u32> {
        fs::read_to_string(self.directory.join("smbd"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// The end of the server's log.
    pub(crate) fn log(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = fs::File::open(self.directory.join("log"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(log::LIMIT as u64)))?;
            let mut bytes = Vec::new();
            file.take(log::LIMIT as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(no log: {error})"),
        }
    }

    /// Why it does not run, if it does not.
    pub(crate) fn stopped(&self) -> Option<String> {
        match Stat::read(self.group) {
            Some(stat) if stat.start == self.start && !stat.ended() => None,
            _ => Some(format!("smbd (process {}) has ended", self.group)),
        }
    }

    /// Ends what is left of it and removes its folder; does nothing when its keeper has done that.
    pub(crate) async fn remove(&self) -> Result<(), ServerError> {
        let known = self.group != 0;
        let group = if known {
            self.group
        } else {
            self.leader().unwrap_or_default()
        };
        // The number may belong to another process by now; that one's group is not ours to end.
        let reused = |stat: Stat| known && stat.start != self.start && stat.group == group;
        if group != 0 && !Stat::read(group).is_some_and(reused) {
            end_group(group);
            for _ in 0..200 {
                if process::smbd_group(group).is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        end_helpers(&self.directory);
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(file("removing", &self.directory, error))
            }
            _ => Ok(()),
        }
    }
}

/// Kills the processes of a private server. They have nothing to save: their folder goes with them.
fn end_group(group: u32) {
    if process::smbd_group(group).is_empty() {
        return;
    }
    if let Some(pid) = i32::try_from(group).ok().and_then(Pid::from_raw)
        && let Err(error) = kill_process_group(pid, Signal::KILL)
    {
        tracing::warn!(group, %error, "a private smbd cannot be ended");
    }
}

/// Kills what smbd has started to serve named pipes (samba-dcerpcd and its workers). They are in no group of smbd's, and would
/// wait for a minute for another who asks; the configuration that they were given is this server's alone.
fn end_helpers(directory: &Path) {
    let argument = format!("--configfile={}", directory.join("smb.conf").display());
    for pid in process::with_argument(&argument) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, Signal::KILL)
        {
            tracing::debug!(?pid, %error, "a helper of a private smbd had ended already");
        }
    }
}

fn file(action: &'static str, path: &Path, source: io::Error) -> ServerError {
    ServerError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
