//! Who owns a server: a process that is told from a later one with the same number.
//!
//! A process number alone is reused, means nothing after a reboot, and nothing in another PID namespace (a container
//! that was given the host's Docker socket). So an owner is number, start time, boot and namespace together, and an
//! owner that cannot be judged from here counts as running.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, on a Linux machine identified beyond its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// Its number.
    pub(crate) pid: u32,
    /// Its start, in clock ticks since boot (field 22 of /proc/PID/stat); 0 where there is no /proc.
    pub(crate) start: u64,
    /// The boot's random id; empty where there is none.
    pub(crate) boot: String,
    /// The PID namespace, `pid:[4026531836]`; empty where there is none.
    pub(crate) namespace: String,
}

/// What can be said of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnerState {
    Running,
    Gone,
    /// It belongs to another namespace, or to a system without /proc.
    Unknown,
}

impl Owner {
    /// This process.
    pub(crate) fn current() -> Self {
        Self::of(std::process::id())
    }

    /// The process `pid` of this namespace, as it is now.
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            pid,
            start: Stat::read(pid).map_or(0, |stat| stat.start),
            boot: boot(),
            namespace: namespace(),
        }
    }

    /// Whether it still runs.
    pub(crate) fn state(&self) -> OwnerState {
        if self.boot.is_empty() || self.start == 0 {
            return OwnerState::Unknown;
        }
        let boot = boot();
        if boot.is_empty() {
            return OwnerState::Unknown;
        }
        if self.boot != boot {
            return OwnerState::Gone;
        }
        if self.namespace != namespace() {
            return OwnerState::Unknown;
        }
        match Stat::read(self.pid) {
            Some(stat) if stat.start == self.start && !stat.ended() => OwnerState::Running,
            _ => OwnerState::Gone,
        }
    }
}

/// The cargo-nextest runner that this process is a test of: the nearest ancestor of that name, or the parent.
#[must_use]
pub(crate) fn nextest_runner() -> Owner {
    let parent = std::os::unix::process::parent_id();
    let mut pid = parent;
    while pid > 1 {
        match Stat::read(pid) {
            Some(stat) if stat.name.starts_with("cargo-nextest") => return Owner::of(pid),
            Some(stat) => pid = stat.parent,
            None => break,
        }
    }
    Owner::of(parent)
}

/// What /proc/PID/stat says of a process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) name: String,
    state: char,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) start: u64,
}

impl Stat {
    pub(crate) fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether the process `pid` runs; a zombie does not.
    pub(crate) fn runs(pid: u32) -> bool {
        Self::read(pid).is_some_and(|stat| !stat.ended())
    }

    /// The name stands in parentheses and may hold any character, so the last `)` ends it.
    fn parse(text: &str) -> Option<Self> {
        let (head, tail) = text.rsplit_once(')')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let start = fields.nth(16)?.parse().ok()?;
        Some(Self {
            name: head.split_once('(')?.1.to_owned(),
            state,
            parent,
            group,
            start,
        })
    }

    /// A zombie has ended, though its parent has not yet asked for its status.
    pub(crate) fn ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// When a process of this machine was started, in clock ticks since boot; `None` when there is none of that number.
pub fn process_started(pid: u32) -> Option<u64> {
    Stat::read(pid).map(|stat| stat.start)
}

/// The live `smbd` processes of the process group `group`.
pub(crate) fn smbd_group(group: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            Stat::read(*pid).is_some_and(|stat| {
                // Helpers are called smbd-notifyd, cleanupd and the like; all run the program smbd.
                stat.group == group && !stat.ended() && command_is_smbd(*pid)
            })
        })
        .collect()
}

/// The processes that were started with this argument, by whomever.
pub(crate) fn with_argument(argument: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let has = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
            let mut arguments = line.split(|byte| *byte == 0);
            arguments.any(|found| found == argument.as_bytes())
        })
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(has)
        .collect()
}

fn command_is_smbd(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
        let program = line
            .split(|byte| *byte == 0 || *byte == b':' || *byte == b' ')
            .next();
        program.is_some_and(|program| program.ends_with(b"smbd"))
    })
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map_or_else(
        |_| String::new(),
        |link| link.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "77 (a) b (c) R 5 70 70 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3";
        let stat = Stat::parse(line).expect("a stat line");
        assert_eq!(
            stat,
            Stat {
                name: "a) b (c".into(),
                state: 'R',
                parent: 5,
                group: 70,
                start: 987_654
            }
        );
        assert_eq!(Stat::parse("77 (x"), None);
        assert_eq!(Stat::parse("77 (x) R 5"), None);
    }

    #[test]
    fn this_process_runs_and_a_reused_number_does_not() {
        let owner = Owner::current();
        assert_eq!(owner.state(), OwnerState::Running);
        assert_eq!(
            Owner {
                start: owner.start + 1,
                ..owner.clone()
            }
            .state(),
            OwnerState::Gone
        );
        assert_eq!(
            Owner {
                boot: "another".into(),
                ..owner.clone()
            }
            .state(),
            OwnerState::Gone
        );
        assert_eq!(
            Owner {
                namespace: "pid:[1]".into(),
                ..owner.clone()
            }
            .state(),
            OwnerState::Unknown
        );
        assert_eq!(
            Owner {
                boot: String::new(),
                ..owner
            }
            .state(),
            OwnerState::Unknown
        );
    }

    #[test]
    fn a_child_that_ended_is_gone() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep starts");
        let owner = Owner::of(child.id());
        assert_eq!(owner.state(), OwnerState::Running);
        child.kill().expect("it is ours");
        // Not waited for: a zombie counts as gone too.
        let gone = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            owner.state() == OwnerState::Gone
        });
        child.wait().expect("it is ours");
        assert!(gone && owner.state() == OwnerState::Gone);
    }
}
