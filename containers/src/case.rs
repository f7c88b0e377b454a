//! A case's own place on a server: its directory, and an account with a random password for each identity.

use std::{collections::BTreeMap, fmt::Write as _};

use md4::{Digest, Md4};
use replay_engine::{Identity, Target};
use secrecy::{ExposeSecret, SecretString};

use crate::{ServerError, host::Host, identities::Identities};

/// The script that makes and removes accounts and directory.
pub(crate) const SCRIPT: &str = include_str!("case.sh");
/// The script that makes and removes the directory alone.
const DIRECTORY_SCRIPT: &str = r#"
set -eu
case $3 in
open) mkdir -m 0777 "$1/data/$4" ;;
close) rm -rf -- "${1:?}/data/${4:?}" ;;
esac
"#;
/// The identity that makes the `given` state.
pub(crate) const SETUP: &str = "setup";
/// The groups of accounts, known to the image and to the private `smbd`.
pub(crate) const USERS_GROUP: u32 = 200_000;
/// Members may do anything in the share.
pub(crate) const SETUP_GROUP: u32 = 200_001;
/// Accounts that a private server has from its start, for users and for the set-up of as many cases; see case.sh.
const USERS: u32 = 4096;
const SETUPS: u32 = 1024;
/// Where their numbers begin.
const FIRST_UID: u32 = 210_000;
/// How often an account is chosen until one is found that no other case has.
const TRIES: u32 = 16;
/// No lower case `l`, no `0`, `1`: the names are read by people.
const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";

/// A case's own place on a server. Call [`CaseSite::close`] at the end.
#[derive(Debug)]
pub struct CaseSite {
    /// Where the trace's clients connect, and the directory that is the trace's root.
    pub target: Target,
    /// The account of each identity, by its name in the trace.
    pub identities: BTreeMap<String, Identity>,
    /// The account that makes the `given` state. On a server of ours it may do anything in the share.
    pub setup: Identity,
    /// Whether the root directory is there; otherwise the set-up account must make it over SMB, and remove it.
    pub root_exists: bool,
    pub(crate) host: Host,
    /// Whether the accounts are the case's own; otherwise whoever made them removes them.
    pub(crate) own_accounts: bool,
}

impl CaseSite {
    /// Removes the case's accounts, and its directory unless it is to be kept: then it stays for as long as the server
    /// runs. On a server that is not ours nothing is done: whoever made the root removes it.
    ///
    /// # Errors
    ///
    /// What could not be removed.
    pub async fn close(self, keep: bool) -> Result<(), ServerError> {
        if let Host::External = self.host {
            return Ok(());
        }
        if !self.own_accounts {
            let arguments = ["close", self.target.root.as_str()];
            return match keep {
                true => Ok(()),
                false => {
                    self.host
                        .run(DIRECTORY_SCRIPT, &arguments, String::new())
                        .await
                }
            };
        }
        let mut input = String::new();
        for identity in self.identities.values().chain([&self.setup]) {
            input.push_str(&identity.account);
            input.push('\n');
        }
        let root = if keep { "-" } else { &self.target.root };
        self.host.run(SCRIPT, &["close", root], input).await
    }
}

/// Makes the place of `case` on a server of ours.
pub(crate) async fn open(
    host: &Host,
    target: Target,
    case: &str,
    users: &[String],
) -> Result<CaseSite, ServerError> {
    for _ in 1..TRIES {
        match try_open(host, &target, case, users).await {
            Err(ServerError::Program { reason, .. }) if reason.ends_with("is taken") => {}
            result => return result,
        }
    }
    try_open(host, &target, case, users).await
}

async fn try_open(
    host: &Host,
    target: &Target,
    case: &str,
    users: &[String],
) -> Result<CaseSite, ServerError> {
    let setup = identity(host, SETUP, SETUP_GROUP)?;
    let mut identities: BTreeMap<String, Identity> = BTreeMap::new();
    for user in users {
        let mut identity = identity(host, user, USERS_GROUP)?;
        while identities
            .values()
            .any(|other| other.account == identity.account)
        {
            identity.account = account(host, user, USERS_GROUP)?;
        }
        identities.insert(user.clone(), identity);
    }
    let mut input = account_line(&setup, SETUP_GROUP);
    for identity in identities.values() {
        input.push_str(&account_line(identity, USERS_GROUP));
    }
    let root = root(case)?;
    host.run(SCRIPT, &["open", &root], input).await?;
    Ok(CaseSite {
        target: Target {
            root,
            ..target.clone()
        },
        identities,
        setup,
        root_exists: true,
        host: host.clone(),
        own_accounts: true,
    })
}

/// Makes the directory of `case` for accounts that are there already.
pub(crate) async fn open_directory(
    host: Host,
    target: Target,
    case: &str,
    identities: BTreeMap<String, Identity>,
    setup: Identity,
) -> Result<CaseSite, ServerError> {
    let root = root(case)?;
    host.run(DIRECTORY_SCRIPT, &["open", &root], String::new())
        .await?;
    Ok(CaseSite {
        target: Target { root, ..target },
        identities,
        setup,
        root_exists: true,
        host,
        own_accounts: false,
    })
}

/// The place of `case` on a server that is not ours, for accounts that are there already.
pub(crate) fn external_directory(
    target: Target,
    parent: &str,
    case: &str,
    identities: BTreeMap<String, Identity>,
    setup: Identity,
) -> Result<CaseSite, ServerError> {
    Ok(CaseSite {
        target: Target {
            root: external_root(parent, case)?,
            ..target
        },
        identities,
        setup,
        root_exists: false,
        host: Host::External,
        own_accounts: false,
    })
}

fn external_root(parent: &str, case: &str) -> Result<String, ServerError> {
    let root = root(case)?;
    Ok(match parent {
        "" => root,
        parent => format!("{parent}/{root}"),
    })
}

/// The place of `case` on a server that is not ours, below the share's directory `parent`.
pub(crate) fn external(
    identities: &Identities,
    target: Target,
    parent: &str,
    case: &str,
    users: &[String],
) -> Result<CaseSite, ServerError> {
    let mut found = BTreeMap::new();
    for user in users {
        found.insert(user.clone(), identities.get(user)?);
    }
    // Nobody need give the set-up account a table of its own: the first user can make the state as well.
    let setup = match (identities.get(SETUP), found.values().next()) {
        (Ok(setup), _) => setup,
        (Err(_), Some(first)) => first.clone(),
        (Err(error), None) => return Err(error),
    };
    external_directory(target, parent, case, found, setup)
}

/// The directory of `case`: what of its name is harmless in any file system and URL, at most 48 characters of its end
/// (where names differ), and 8 random letters.
fn root(case: &str) -> Result<String, ServerError> {
    let mut name = String::new();
    for letter in case.chars().map(|letter| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    }) {
        if letter != '-' || !(name.is_empty() || name.ends_with('-')) {
            name.push(letter);
        }
    }
    let tail = name[name.len().saturating_sub(48)..].trim_matches('-');
    Ok(format!(
        "{}-{}",
        if tail.is_empty() { "case" } else { tail },
        random(8)?
    ))
}

/// An account with a password of 120 random bits.
fn identity(host: &Host, name: &str, group: u32) -> Result<Identity, ServerError> {
    Ok(Identity {
        name: name.to_owned(),
        account: account(host, name, group)?,
        domain: String::new(),
        sid: None,
        password: SecretString::from(random(24)?),
    })
}

/// An account's name: one of those that a private server has; elsewhere one of at most 17 characters that begins with the
/// identity's (Samba allows 20).
fn account(host: &Host, name: &str, group: u32) -> Result<String, ServerError> {
    if let Host::Local(_) = host {
        let mut bytes = [0; 4];
        fill(&mut bytes)?;
        let number = u32::from_le_bytes(bytes);
        return Ok(match group {
            SETUP_GROUP => format!("setup{}", number % SETUPS),
            _ => format!("user{}", number % USERS),
        });
    }
    let mut account: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    account.make_ascii_lowercase();
    if !account.starts_with(|first: char| first.is_ascii_lowercase()) {
        account.insert(0, 'u');
    }
    Ok(format!("{account}-{}", random(8)?))
}

/// The lines of passwd(5) for the accounts that a private server has from its start.
pub(crate) fn all_accounts() -> String {
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

/// A line for `case.sh open`. The server needs no more than the NT hash.
fn account_line(identity: &Identity, group: u32) -> String {
    let mut hash = String::with_capacity(32);
    for byte in nt_hash(identity.password.expose_secret()) {
        // Writing to a string cannot fail.
        let _ = write!(hash, "{byte:02X}");
    }
    format!("{} {group} {hash}\n", identity.account)
}

/// MD4 over the password in UTF-16LE (MS-NLMP 3.3.1, NTOWFv1).
fn nt_hash(password: &str) -> [u8; 16] {
    let mut hash = Md4::new();
    for unit in password.encode_utf16() {
        hash.update(unit.to_le_bytes());
    }
    hash.finalize().into()
}

/// `length` random letters, 5 bits each.
pub(crate) fn random(length: usize) -> Result<String, ServerError> {
    let mut bytes = vec![0; length];
    fill(&mut bytes)?;
    Ok(bytes
        .into_iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}

fn fill(bytes: &mut [u8]) -> Result<(), ServerError> {
    getrandom::fill(bytes).map_err(|error| ServerError::Program {
        program: "getrandom".into(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nt_hash_is_that_of_ms_nlmp() {
        // MS-NLMP 4.2.2.1.1 and 4.2.1: NTOWFv1("Password").
        let expected = [
            0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca, 0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f,
            0xd8, 0x52,
        ];
        assert_eq!(nt_hash("Password"), expected);
    }

    #[test]
    fn accounts_are_short_and_harmless() {
        for name in [
            "alice",
            "A very long name indeed",
            "Ünï:x;$(rm)",
            "",
            "7",
            "-",
        ] {
            let identity = identity(&Host::External, name, USERS_GROUP).expect("random");
            assert!(identity.account.len() <= 20, "{}", identity.account);
            assert!(
                identity
                    .account
                    .starts_with(|first: char| first.is_ascii_lowercase())
            );
            let harmless = |letter: char| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'
            };
            assert!(
                identity.account.chars().all(harmless),
                "{}",
                identity.account
            );
            assert_eq!(identity.name, name);
        }
        let (one, two) = (
            identity(&Host::External, "alice", USERS_GROUP).expect("random"),
            identity(&Host::External, "alice", USERS_GROUP).expect("random"),
        );
        assert_ne!(one.account, two.account);
        assert_ne!(one.password.expose_secret(), two.password.expose_secret());
        assert!(!format!("{one:?}").contains(one.password.expose_secret()));
    }

    #[test]
    fn accounts_of_a_private_server_are_there_from_its_start() {
        let all = all_accounts();
        assert_eq!(all.lines().count(), 5120);
        let host = Host::Local("/x".into());
        for (group, number) in [(USERS_GROUP, ":200000:"), (SETUP_GROUP, ":200001:")] {
            let account = account(&host, "alice", group).expect("random");
            let line = all
                .lines()
                .find(|line| line.starts_with(&format!("{account}:x:")));
            assert!(line.is_some_and(|line| line.contains(number)), "{account}");
        }
    }

    #[test]
    fn roots_are_one_harmless_component() {
        for case in [
            "lock::range conflict::native::samba-4.17",
            "../../etc",
            "a/b\\c",
            "::",
            "-rf",
            &"x".repeat(500),
        ] {
            let root = root(case).expect("random");
            assert!(
                root.len() <= 57 && !root.contains(['/', '\\', '.', ':', ' ']),
                "{root}"
            );
            assert!(!root.starts_with('-'), "{root}");
        }
        assert!(
            root("lock::range::native")
                .expect("random")
                .starts_with("lock-range-native-")
        );
    }
}
