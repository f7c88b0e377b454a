//! Samba's programs of this machine, for a private server: which are there, and what they must be run with.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use crate::{ServerError, launch::Launch};

/// Where programs are that no variable names.
const USUAL: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/samba/sbin"];
/// The script that gives shares their permissions.
const SHARES: &str = include_str!("../shares.sh");
/// How long that may take.
const PERMITTING: Duration = Duration::from_secs(15);

/// A program to run, and what must be loaded into it.
#[derive(Debug)]
pub(crate) struct Smbd {
    pub(crate) path: PathBuf,
    pub(crate) preload: &'static str,
    pub(crate) version: String,
}

impl Smbd {
    /// Looks for a `smbd` of the version that is asked for, and for the wrappers it needs.
    pub(crate) async fn find(launch: &Launch<'_>, version: &str) -> Result<Smbd, ServerError> {
        let program = |reason: String| ServerError::Program {
            program: "smbd".into(),
            reason,
        };
        let path = match env::var_os("SMB_REPLAY_SMBD").filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => in_path("smbd")
                .into_iter()
                .find(|path| path.is_file())
                .ok_or_else(|| {
                    program("it is not installed (Debian's package samba)".to_owned())
                })?,
        };
        let root = rustix::process::geteuid().is_root();
        let preload = if root {
            "libnss_wrapper.so"
        } else {
            "libnss_wrapper.so libuid_wrapper.so"
        };
        let run = Command::new(&path)
            .arg("-V")
            .env("LD_PRELOAD", preload)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let limit = Duration::from_secs(10);
        let output = timeout(limit, run)
            .await
            .map_err(|_| ServerError::Timeout {
                what: "smbd -V".into(),
                limit,
            })?
            .map_err(|error| program(format!("{}: {error}", path.display())))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        if let Some(line) = complaint
            .lines()
            .find(|line| line.contains("cannot be preloaded"))
        {
            let library = if line.contains("uid_wrapper") {
                "libuid-wrapper"
            } else {
                "libnss-wrapper"
            };
            return Err(program(format!(
                "the library it needs for accounts of its own is missing (Debian's package {library})"
            )));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let found = said
            .trim()
            .strip_prefix("Version ")
            .unwrap_or_default()
            .to_owned();
        if found.is_empty() {
            return Err(program(format!(
                "{} -V printed no version: {}",
                path.display(),
                complaint.trim()
            )));
        }
        let matches = found
            .strip_prefix(version)
            .is_some_and(|rest| rest.starts_with('.'));
        if !matches && !launch.options.any_version {
            let way_out = "SMB_REPLAY_ANY_VERSION=1 takes it all the same";
            return Err(program(format!(
                "{} is {found}, not {version} ({way_out})",
                path.display()
            )));
        }
        Ok(Smbd {
            path,
            preload,
            version: found,
        })
    }

    /// What the same Samba's programs for the server in `directory` are run with.
    fn environment(&self, directory: &Path) -> Vec<(&'static str, OsString)> {
        let here = self.path.parent().unwrap_or(Path::new("/"));
        let beside = [here.to_owned(), here.join("../bin")];
        let search = env::var_os("PATH").unwrap_or_default();
        let search = env::join_paths(beside.into_iter().chain(env::split_paths(&search)));
        let mut variables = wrapper_variables(directory);
        variables.push(("LD_PRELOAD", self.preload.into()));
        // A folder with a colon in its name is none that the shell could look into.
        variables.extend(search.ok().map(|search| ("PATH", search)));
        variables
    }

    /// A shell script that runs Samba's program net for the server in `directory`.
    pub(crate) fn net_script(&self, directory: &Path) -> String {
        let mut text = String::new();
        for (name, value) in self.environment(directory) {
            text += &format!("export {name}={}\n", quoted(Path::new(&value)));
        }
        let config = directory.join("smb.conf");
        text + &format!("exec net --configfile={} \"$@\"\n", quoted(&config))
    }

    /// Gives the shares of the server in `directory` that have permissions of their own theirs.
    pub(crate) async fn permit(&self, directory: &Path) -> Result<(), ServerError> {
        let failed = |reason: String| ServerError::Program {
            program: "sharesec".into(),
            reason,
        };
        let run = Command::new("/bin/sh")
            .args(["-c", SHARES, "shares.sh"])
            .arg(directory.join("smb.conf"))
            .envs(self.environment(directory))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(PERMITTING, run)
            .await
            .map_err(|_| ServerError::Timeout {
                what: "setting the permissions of shares".into(),
                limit: PERMITTING,
            })?
            .map_err(|error| failed(error.to_string()))?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(failed(format!("{}: {}", output.status, said.trim())))
            }
        }
    }
}

/// Where a program may be.
fn in_path(program: &str) -> Vec<PathBuf> {
    let search = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&search).chain(USUAL.map(PathBuf::from));
    folders.map(|folder| folder.join(program)).collect()
}

/// A path as a word of the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// What tells the wrappers where the accounts are.
pub(crate) fn wrapper_variables(directory: &Path) -> Vec<(&'static str, OsString)> {
    let mut variables = vec![
        (
            "NSS_WRAPPER_PASSWD",
            directory.join("passwd").into_os_string(),
        ),
        (
            "NSS_WRAPPER_GROUP",
            directory.join("group").into_os_string(),
        ),
    ];
    if !rustix::process::geteuid().is_root() {
        variables.push(("UID_WRAPPER", "1".into()));
        variables.push(("UID_WRAPPER_ROOT", "1".into()));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_holds_paths_of_any_kind() {
        let smbd = Smbd {
            path: "/nowhere/smbd".into(),
            preload: "libnss_wrapper.so",
            version: "4.17.12".to_owned(),
        };
        let script = smbd.net_script(Path::new("/tmp/it's a folder"));
        assert!(
            script.contains(r"NSS_WRAPPER_GROUP='/tmp/it'\''s a folder/group'"),
            "{script}"
        );
        assert!(
            script.contains("PATH='/nowhere:/nowhere/../bin:"),
            "{script}"
        );
    }
}
