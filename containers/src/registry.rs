//! What runs, written down so that other processes find it: a folder of records, one a server, and two locks.
//!
//! The folder is private to the user. A record outlives a killed process, and is what the keeper and the sweep work on.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{ServerError, local::Private, process::Owner};

/// One running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its random name: the container's name, the private folder's, the NetBIOS name are made of it.
    pub(crate) id: String,
    /// What makes two requests for a server the same: spec, configuration and test run. Empty: not shared.
    pub(crate) key: String,
    /// For people: `samba-4.17`.
    pub(crate) spec: String,
    /// It ends when this process does.
    pub(crate) owner: Owner,
    /// When it was started, in seconds since 1970.
    pub(crate) started: u64,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What must be removed in the end.
    pub(crate) resource: Resource,
}

/// What stands behind a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub(crate) enum Resource {
    /// A container.
    Docker {
        /// Its name.
        container: String,
    },
    /// A private `smbd`.
    Local(Private),
}

impl Record {
    /// Seconds since 1970, for [`Record::started`].
    pub(crate) fn now() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }
}

/// The folder of records.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    directory: PathBuf,
}

/// A lock that is held until it is dropped, or its process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Registry {
    /// The registry of this user: `SMB_REPLAY_STATE_DIR`, or a folder in `XDG_RUNTIME_DIR` or the temporary folder.
    pub(crate) fn open() -> Result<Self, ServerError> {
        let user = rustix::process::geteuid().as_raw();
        let directory = match (
            env::var_os("SMB_REPLAY_STATE_DIR"),
            env::var_os("XDG_RUNTIME_DIR"),
        ) {
            (Some(directory), _) if !directory.is_empty() => PathBuf::from(directory),
            (_, Some(runtime)) if owned_by(Path::new(&runtime), user) => {
                Path::new(&runtime).join("smb-replay")
            }
            _ => env::temp_dir().join(format!("smb-replay-{user}")),
        };
        Self::at(directory, user)
    }

    fn at(directory: PathBuf, user: u32) -> Result<Self, ServerError> {
        let bad = |source| ServerError::File {
            action: "using the state folder",
            path: directory.clone(),
            source,
        };
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(bad(error)),
        }
        // Not followed: in a temporary folder anybody may have put a link there.
        let metadata = fs::symlink_metadata(&directory).map_err(bad)?;
        if !metadata.is_dir()
            || metadata.uid() != user
            || metadata.permissions().mode() & 0o077 != 0
        {
            let text = "it is not a folder that belongs to this user alone (mode 0700)";
            return Err(bad(io::Error::new(io::ErrorKind::PermissionDenied, text)));
        }
        Ok(Self { directory })
    }

    /// The file of the record `id`.
    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }

    /// Writes `record`, whole or not at all.
    pub(crate) fn write(&self, record: &Record) -> Result<(), ServerError> {
        let path = self.path(&record.id);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            serde_json::to_writer(&mut file, record)?;
            file.flush()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|source| ServerError::File {
            action: "writing",
            path: path.clone(),
            source,
        })
    }

    /// Removes the record `id`; that it is not there is no error.
    pub(crate) fn remove(&self, id: &str) {
        if let Err(error) = fs::remove_file(self.path(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(id, %error, "a server's record cannot be removed");
        }
    }

    /// All records. What is no record of this version is passed over.
    pub(crate) fn records(&self) -> Vec<Record> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .filter_map(|path| {
                let record: Record = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
                (self.path(&record.id) == path).then_some(record)
            })
            .collect()
    }

    /// Takes the lock `name`, waiting `limit` at most; `waiting` is called once if another process holds it.
    pub(crate) async fn lock(
        &self,
        name: &str,
        limit: Duration,
        waiting: impl FnOnce(),
    ) -> Result<Lock, ServerError> {
        let path = self.directory.join(format!("{name}.lock"));
        let bad = |source| ServerError::File {
            action: "locking",
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(bad)?;
        let end = Instant::now() + limit;
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(error)) => return Err(bad(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= end => {
                    return Err(ServerError::Timeout {
                        what: format!("another process's work under {}", path.display()),
                        limit,
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

fn owned_by(directory: &Path, user: u32) -> bool {
    fs::metadata(directory).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(directory: &Path) -> Registry {
        Registry::at(directory.join("state"), rustix::process::geteuid().as_raw()).expect("usable")
    }

    fn record(id: &str) -> Record {
        Record {
            id: id.to_owned(),
            key: "k".to_owned(),
            spec: "samba-4.17".to_owned(),
            owner: Owner::current(),
            started: Record::now(),
            address: "127.0.0.1:4450".parse().expect("an address"),
            resource: Resource::Docker {
                container: format!("smb-replay-{id}"),
            },
        }
    }

    #[test]
    fn records_come_back_and_strangers_do_not_matter() {
        let directory = tempfile::tempdir().expect("a folder");
        let registry = registry(directory.path());
        registry.write(&record("a")).expect("written");
        registry.write(&record("b")).expect("written");
        fs::write(registry.path("c"), "{ not a record").expect("written");
        fs::copy(registry.path("a"), registry.path("copied")).expect("written");
        registry.remove("b");
        registry.remove("b");
        assert_eq!(registry.records(), [record("a")]);
        let mode = fs::metadata(registry.path("a"))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0);
    }

    #[test]
    fn a_folder_that_others_may_use_is_refused() {
        let directory = tempfile::tempdir().expect("a folder");
        let user = rustix::process::geteuid().as_raw();
        let open = directory.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("ours");
        assert!(Registry::at(open, user).is_err());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path(), &link).expect("made");
        assert!(Registry::at(link, user).is_err());
        assert!(Registry::at(directory.path().join("x"), user + 1).is_err());
    }

    #[tokio::test]
    async fn a_lock_excludes_and_the_wait_has_a_bound() {
        let directory = tempfile::tempdir().expect("a folder");
        let registry = registry(directory.path());
        let limit = Duration::from_millis(60);
        let held = registry
            .lock("start", limit, || panic!("nobody holds it"))
            .await
            .expect("free");
        let mut told = false;
        let error = registry
            .lock("start", limit, || told = true)
            .await
            .expect_err("held");
        assert!(
            told && matches!(error, ServerError::Timeout { .. }),
            "{error}"
        );
        drop(held);
        registry
            .lock("start", limit, || ())
            .await
            .expect("free again");
    }
}
