//! What a replay needs from the machine, and how it gets there: a working Docker, or Samba's own
//! programs from Debian's packages.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::command::{Runner, Trouble};

/// Installing may wait for mirrors, and for another package manager's lock.
const INSTALLING: Duration = Duration::from_secs(600);
/// As long as apt-get waits for the lock.
const LOCK: &str = "DPkg::Lock::Timeout=120";

/// Where this machine can get a server from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) docker: bool,
    pub(crate) local: bool,
}

/// A Debian package, the file that tells whether it is there, and what it is for.
struct Package {
    name: &'static str,
    /// Looked for in `PATH`, the system's program folders, and the library folders.
    file: &'static str,
    what_for: &'static str,
}

const SMBD: Package = Package {
    name: "samba",
    file: "smbd",
    what_for: "a private local server",
};
const ALL: &[Package] = &[
    SMBD,
    // Only recommended by the package samba of bookworm, so it is not brought by it.
    Package {
        name: "samba-vfs-modules",
        file: "samba/vfs/acl_xattr.so",
        what_for: "access control lists and named streams of a private local server",
    },
    Package {
        name: "libnss-wrapper",
        file: "libnss_wrapper.so",
        what_for: "accounts for a local server that does not run as root",
    },
    Package {
        name: "libuid-wrapper",
        file: "libuid_wrapper.so",
        what_for: "accounts for a local server that does not run as root",
    },
];
const FOR_IMAGES: &[Package] = &[Package {
    name: "mmdebstrap",
    file: "mmdebstrap",
    what_for: "a base image where no container registry can be reached",
}];
const FOR_TESTS: &[Package] = &[
    Package {
        name: "smbclient",
        file: "smbclient",
        what_for: "the tests that look at our servers with Samba's own client",
    },
    Package {
        name: "dbench",
        file: "/usr/share/dbench/client.txt",
        what_for: "the tests that import and replay its load file",
    },
    Package {
        name: "tshark",
        file: "tshark",
        what_for: "the test that reads the frames of a failed case with it",
    },
    Package {
        name: "python3-dev",
        file: "python3-config",
        what_for: "Python inside the test programs, which makes accounts over LDAP",
    },
    Package {
        name: "python3-venv",
        file: "/usr/share/doc/python3-venv",
        what_for: "the Python packages of ldap-provision",
    },
    Package {
        name: "slapd",
        file: "slapd",
        what_for: "the tests of ldap-provision against OpenLDAP",
    },
    Package {
        name: "openssl",
        file: "openssl",
        what_for: "the certificates of that OpenLDAP",
    },
];
/// Where the Python packages go, in the workspace; ldap-provision looks there.
pub(crate) const ENVIRONMENT: &str = "ldap-provision/.venv";
const REQUIREMENTS: [&str; 2] = [
    "ldap-provision/requirements.txt",
    "ldap-provision/requirements-test.txt",
];

/// Brings up what is missing, if it may, and says what there is then.
///
/// With Docker, Samba's own programs are wanted only where both sources are to be tested.
pub(crate) fn bring_up(runner: &Runner, may_install: bool, everything: bool) -> Sources {
    let docker = runner.succeeds("docker", &["info"]);
    let mut wanted: Vec<&Package> = Vec::new();
    if everything || !docker {
        wanted.extend(ALL);
    }
    if everything {
        wanted.extend(FOR_TESTS);
    }
    if docker {
        wanted.extend(FOR_IMAGES);
    }
    wanted.retain(|package| !is_there(package.file));
    if may_install && !wanted.is_empty() {
        install(runner, &wanted);
    }
    let sources = Sources {
        docker,
        local: is_there(SMBD.file),
    };
    match (sources.docker, sources.local) {
        (true, true) => println!("servers: Docker, and the smbd of this machine"),
        (true, false) => println!("servers: Docker (this machine has no smbd of its own)"),
        (false, true) => println!("servers: the smbd of this machine (no working Docker)"),
        (false, false) => println!(
            "servers: none. Start Docker, or install Samba: apt-get install {}",
            ALL.iter()
                .map(|package| package.name)
                .collect::<Vec<_>>()
                .join(" ")
        ),
    }
    sources
}

/// Whether programs can be built that have Python inside.
pub(crate) fn has_python_dev() -> bool {
    is_there("python3-config")
}

/// Makes the virtual environment with what ldap-provision and its tests need, unless it is there; the
/// error says what did not work.
pub(crate) fn python_environment(runner: &Runner, may_install: bool) -> Result<(), String> {
    let environment = runner.root.join(ENVIRONMENT);
    let done = environment.join("complete");
    let wanted: Vec<_> = REQUIREMENTS
        .iter()
        .map(|file| std::fs::read_to_string(runner.root.join(file)))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("reading the requirements: {error}"))?;
    let wanted = wanted.concat();
    if std::fs::read_to_string(&done).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    if !may_install {
        return Err(format!(
            "{ENVIRONMENT} is not there; run it without --no-install"
        ));
    }
    println!("installing Python packages in {ENVIRONMENT}");
    let text = environment.to_string_lossy();
    let mut make = runner.program("/usr/bin/python3", &["-m", "venv", "--clear", &text]);
    runner
        .run(&mut make, INSTALLING)
        .map_err(|trouble| trouble.to_string())?;
    let pip = environment.join("bin/pip");
    let quiet = ["install", "--quiet", "--disable-pip-version-check"];
    let mut install = runner.program(&pip, &quiet);
    for file in REQUIREMENTS {
        install.args(["--requirement", file]);
    }
    runner
        .run(&mut install, INSTALLING)
        .map_err(|trouble| trouble.to_string())?;
    std::fs::write(&done, wanted).map_err(|error| format!("{}: {error}", done.display()))
}

fn install(runner: &Runner, packages: &[&Package]) {
    println!("about to install with apt-get:");
    for package in packages {
        println!("  {:<16} for {}", package.name, package.what_for);
    }
    let root = rustix::process::geteuid().is_root();
    if !root && !runner.succeeds("sudo", &["-n", "true"]) {
        let names: Vec<_> = packages.iter().map(|package| package.name).collect();
        println!(
            "this needs root; run: sudo apt-get install {}",
            names.join(" ")
        );
        return;
    }
    let update = apt(runner, root, &["update"]);
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages.iter().map(|package| package.name));
    for trouble in [update, apt(runner, root, &arguments)]
        .into_iter()
        .filter_map(Result::err)
    {
        println!("{trouble}");
    }
}

fn apt(runner: &Runner, root: bool, arguments: &[&str]) -> Result<(), Trouble> {
    let mut all = vec![
        "DEBIAN_FRONTEND=noninteractive",
        // As in single-user mode, where a package's service is not started: it is wanted for its program.
        "RUNLEVEL=1",
        "apt-get",
        "--quiet=2",
        "-o",
        LOCK,
    ];
    all.extend(arguments);
    let mut command = match root {
        true => runner.program("env", &all),
        false => {
            all.splice(0..0, ["-n", "env"]);
            runner.program("sudo", &all)
        }
    };
    command.stdout(Stdio::null());
    runner.run(&mut command, INSTALLING)
}

/// True when a program, a library or a file of this name is there.
fn is_there(file: &str) -> bool {
    if file.starts_with('/') {
        return Path::new(file).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let libraries = ["/usr/lib", "/usr/lib64", "/lib"].map(Path::new);
    let below = libraries.into_iter().flat_map(|folder| {
        let triplets = std::fs::read_dir(folder).into_iter().flatten().flatten();
        triplets
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains("-linux-"))
    });
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(Into::into))
        .chain(libraries.map(Into::into))
        .chain(below)
        .any(|folder| folder.join(file).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_files_are_found() {
        assert!(is_there("sh"));
        assert!(is_there("/etc/passwd"));
        assert!(!is_there("no-such-program-anywhere"));
        assert!(!is_there("/no/such/file"));
    }
}
