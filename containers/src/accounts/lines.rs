//! Accounts as the programs of a server read them: the lines for case.sh, passwd(5) and group(5).

use std::fmt::Write as _;

use replay_engine::Identity;
use secrecy::ExposeSecret;
use smb_vocabulary::AccountState;
use smb_wire::crypto::ntlm::password_hash;

use super::{FIRST_GID, FIRST_UID, GROUPS, Groups, SETUP_GROUP, SETUPS, USERS, USERS_GROUP};
use crate::ServerError;

/// What a group's line tells case.sh.
pub(crate) fn group_lines(groups: &Groups) -> String {
    let mut lines = String::new();
    for (account, members) in groups {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "group {account} {}", members.join(" "));
    }
    lines
}

/// The lines of passwd(5) for the accounts that a private server has from its start.
pub(crate) fn all_users() -> String {
    let users = (0..USERS).map(|number| ("user", number, FIRST_UID + number, USERS_GROUP));
    let setups =
        (0..SETUPS).map(|number| ("setup", number, FIRST_UID + USERS + number, SETUP_GROUP));
    let mut lines = String::new();
    for (name, number, uid, group) in users.chain(setups) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            lines,
            "{name}{number}:x:{uid}:{group}::/nonexistent:/bin/false"
        );
    }
    lines
}

/// The lines of group(5) for the groups that a private server has from its start.
pub(crate) fn all_groups() -> String {
    let fixed = [("smbusers", USERS_GROUP), ("smbsetup", SETUP_GROUP)];
    let mut lines = String::new();
    for (name, gid) in fixed {
        let _ = writeln!(lines, "{name}:x:{gid}:");
    }
    for number in 0..GROUPS {
        let _ = writeln!(lines, "group{number}:x:{}:", FIRST_GID + number);
    }
    lines
}

/// A user's line for `case.sh open`: the server needs no more than the NT hash. The flags are those of smbpasswd(5).
pub(super) fn user_line(
    identity: &Identity,
    group: u32,
    name: &str,
    state: AccountState,
) -> Result<String, ServerError> {
    let (flags, changed) = match state {
        AccountState::Enabled => ("U", "now"),
        AccountState::Disabled => ("UD", "now"),
        AccountState::LockedOut => ("UL", "now"),
        AccountState::MustChange => ("U", "never"),
        AccountState::Expired => {
            return Err(ServerError::Unsupported {
                what: format!("an account of {name:?} that has expired"),
                why: "the accounts of a standalone server have no end",
            });
        }
    };
    let mut hash = String::with_capacity(32);
    for byte in password_hash(identity.password.expose_secret()).as_bytes() {
        // Writing to a string cannot fail.
        let _ = write!(hash, "{byte:02X}");
    }
    let account = &identity.account;
    Ok(format!("user {account} {group} {flags} {changed} {hash}\n"))
}
