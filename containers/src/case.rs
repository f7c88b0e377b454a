//! A case's own place on a server: its directory, and an account with a random password for each identity.

use std::collections::BTreeMap;

use replay_engine::{Identity, Target};

use crate::{
    CaseAccounts, ServerError,
    accounts::{self, Groups},
    host::Host,
    identities::Identities,
    random::random_letters,
};

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
/// How often an account is chosen until one is found that no other case has.
const TRIES: u32 = 16;

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
    /// The groups among the accounts that are the case's own; `None` where whoever made the accounts removes them.
    pub(crate) own: Option<Groups>,
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
        let Some(groups) = &self.own else {
            let arguments = ["close", self.target.root.as_str()];
            return match keep {
                true => Ok(()),
                false => {
                    let closed = self.host.run(DIRECTORY_SCRIPT, &arguments, String::new());
                    closed.await.map(drop)
                }
            };
        };
        let mut input = accounts::group_lines(groups);
        let is_group = |account: &str| groups.iter().any(|(group, _)| group == account);
        for Identity { account, .. } in self.identities.values().chain([&self.setup]) {
            if !is_group(account) {
                input.push_str(&format!("user {account}\n"));
            }
        }
        let root = if keep { "-" } else { &self.target.root };
        let closed = self.host.run(SCRIPT, &["close", root], input).await;
        closed.map(drop)
    }
}

/// Makes the place of `case` on a server of ours.
pub(crate) async fn open(
    host: &Host,
    target: Target,
    case: &str,
    wanted: &CaseAccounts,
) -> Result<CaseSite, ServerError> {
    for _ in 1..TRIES {
        match try_open(host, &target, case, wanted).await {
            Err(ServerError::Program { reason, .. }) if reason.ends_with("is taken") => {}
            result => return result,
        }
    }
    try_open(host, &target, case, wanted).await
}

async fn try_open(
    host: &Host,
    target: &Target,
    case: &str,
    wanted: &CaseAccounts,
) -> Result<CaseSite, ServerError> {
    let (mut made, groups) = accounts::choose(host, wanted)?;
    let root = root(case)?;
    let tell = if made.tell { "yes" } else { "no" };
    let input = std::mem::take(&mut made.lines);
    let said = host.run(SCRIPT, &["open", &root, tell], input).await?;
    made.told(&said);
    Ok(CaseSite {
        target: Target {
            root,
            ..target.clone()
        },
        identities: made.identities,
        setup: made.setup,
        root_exists: true,
        host: host.clone(),
        own: Some(groups),
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
        own: None,
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
        own: None,
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
    wanted: &CaseAccounts,
) -> Result<CaseSite, ServerError> {
    let mut found = BTreeMap::new();
    for (user, state) in &wanted.users {
        found.insert(user.clone(), identities.user(user, *state)?);
    }
    // Nobody need give the set-up account a table of its own: the first user can make the state as well.
    let setup = match (identities.setup(), found.values().next()) {
        (Ok(setup), _) => setup,
        (Err(_), Some(first)) => first.clone(),
        (Err(error), None) => return Err(error),
    };
    for group in wanted.groups.keys() {
        found.insert(group.clone(), identities.group(group)?);
    }
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
        random_letters(8)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

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
