//! The accounts of a case on a standalone server of ours: what they are called, and the lines that make them.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

use replay_engine::Identity;
use secrecy::SecretString;
use smb_vocabulary::AccountState;

pub(crate) use lines::{all_groups, all_users, group_lines};

use crate::{
    ServerError,
    host::Host,
    random::{fill, random_letters},
};
use lines::user_line;

/// The identity that makes the `given` state.
pub(crate) const SETUP: &str = "setup";
/// The groups of accounts, known to the image and to the private `smbd`.
pub(crate) const USERS_GROUP: u32 = 200_000;
/// Members may do anything in the share.
pub(crate) const SETUP_GROUP: u32 = 200_001;
/// Accounts that a private server has from its start, for users, the set-up and the groups of as many cases; see case.sh.
const USERS: u32 = 4096;
const SETUPS: u32 = 1024;
const GROUPS: u32 = 512;
/// Where their numbers begin.
const FIRST_UID: u32 = 210_000;
const FIRST_GID: u32 = 220_000;

/// The accounts that a case needs, by their names in its trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseAccounts {
    /// Users, with their states.
    pub users: BTreeMap<String, AccountState>,
    /// Groups, with their members. On a standalone server of ours those are users; in a domain they may be groups, too.
    pub groups: BTreeMap<String, BTreeSet<String>>,
}

impl CaseAccounts {
    /// Users that may log in, and no groups.
    pub fn users(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let users = names.into_iter();
        Self {
            users: users
                .map(|name| (name.into(), AccountState::Enabled))
                .collect(),
            groups: BTreeMap::new(),
        }
    }

    /// Whether a security identifier must be known without a login: nobody logs in as a group, or by an account that is shut.
    fn tells_identifiers(&self) -> bool {
        let shut = |state: &AccountState| *state != AccountState::Enabled;
        !self.groups.is_empty() || self.users.values().any(shut)
    }
}

/// The accounts of one case, as they are made and removed.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) setup: Identity,
    /// Of users and groups, by their names in the trace.
    pub(crate) identities: BTreeMap<String, Identity>,
    /// Whether case.sh is to tell identifiers.
    pub(crate) tell: bool,
    /// What case.sh reads to make them.
    pub(crate) lines: String,
}

/// The accounts of groups with those of their members, as case.sh knows them when a case ends.
pub(crate) type Groups = Vec<(String, Vec<String>)>;

/// Chooses the accounts for a case.
pub(crate) fn choose(host: &Host, wanted: &CaseAccounts) -> Result<(Made, Groups), ServerError> {
    let setup = identity(host, SETUP, Kind::Setup)?;
    let mut lines = user_line(&setup, SETUP_GROUP, SETUP, AccountState::Enabled)?;
    let mut identities: BTreeMap<String, Identity> = BTreeMap::new();
    let users = wanted.users.keys().map(|name| (name, Kind::User));
    let groups = wanted.groups.keys().map(|name| (name, Kind::Group));
    for (name, kind) in users.chain(groups) {
        let mut identity = identity(host, name, kind)?;
        let is_taken = |account: &str| identities.values().any(|other| other.account == account);
        while is_taken(&identity.account) {
            identity.account = account(host, name, kind)?;
        }
        identities.insert(name.clone(), identity);
    }
    for (name, state) in &wanted.users {
        lines += &user_line(&identities[name], USERS_GROUP, name, *state)?;
    }
    let mut groups = Groups::new();
    for (name, members) in &wanted.groups {
        let members = members.iter().map(|member| {
            let member = identities
                .get(member)
                .filter(|_| wanted.users.contains_key(member));
            let nested = || ServerError::Unsupported {
                what: format!("the members of {name:?} that are no users"),
                why: "a standalone server has no groups in groups",
            };
            Ok(member.ok_or_else(nested)?.account.clone())
        });
        let members = members.collect::<Result<Vec<_>, ServerError>>()?;
        groups.push((identities[name].account.clone(), members));
    }
    lines += &group_lines(&groups);
    let made = Made {
        setup,
        identities,
        tell: wanted.tells_identifiers(),
        lines,
    };
    Ok((made, groups))
}

impl Made {
    /// Takes what case.sh says: lines with an account and its security identifier.
    pub(crate) fn told(&mut self, said: &str) {
        let told = said.lines().filter_map(|line| line.trim().split_once(' '));
        let told: BTreeMap<_, _> = told.filter(|(_, sid)| is_sid(sid)).collect();
        for identity in self.identities.values_mut() {
            identity.sid = told
                .get(identity.account.as_str())
                .map(|sid| (*sid).to_owned());
        }
    }
}

/// Whether a text is a security identifier (MS-DTYP 2.4.2.1), `S-1-5-21-…`.
pub(crate) fn is_sid(text: &str) -> bool {
    let mut parts = text.split('-');
    let number = |part: &str| part.parse::<u64>().is_ok() && !part.starts_with('+');
    parts.next() == Some("S")
        && parts.next() == Some("1")
        && parts.clone().count() >= 2
        && parts.all(number)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Setup,
    User,
    Group,
}

/// An account with a password of 120 random bits; a group's is never used.
fn identity(host: &Host, name: &str, kind: Kind) -> Result<Identity, ServerError> {
    let password = match kind {
        Kind::Group => String::new(),
        Kind::Setup | Kind::User => random_letters(24)?,
    };
    Ok(Identity {
        name: name.to_owned(),
        account: account(host, name, kind)?,
        domain: String::new(),
        sid: None,
        password: SecretString::from(password),
    })
}

/// An account's name: one of those that a private server has; elsewhere one of at most 17 characters that begins with the
/// identity's (Samba allows 20).
fn account(host: &Host, name: &str, kind: Kind) -> Result<String, ServerError> {
    if let Host::Local(_) = host {
        let mut bytes = [0; 4];
        fill(&mut bytes)?;
        let number = u32::from_le_bytes(bytes);
        return Ok(match kind {
            Kind::Setup => format!("setup{}", number % SETUPS),
            Kind::User => format!("user{}", number % USERS),
            Kind::Group => format!("group{}", number % GROUPS),
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
    Ok(format!("{account}-{}", random_letters(8)?))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

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
            let identity = identity(&Host::External, name, Kind::User).expect("random");
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
            identity(&Host::External, "alice", Kind::User).expect("random"),
            identity(&Host::External, "alice", Kind::User).expect("random"),
        );
        assert_ne!(one.account, two.account);
        assert_ne!(one.password.expose_secret(), two.password.expose_secret());
        assert!(!format!("{one:?}").contains(one.password.expose_secret()));
    }

    #[test]
    fn accounts_of_a_private_server_are_there_from_its_start() {
        let (users, groups) = (all_users(), all_groups());
        assert_eq!((users.lines().count(), groups.lines().count()), (5120, 514));
        let host = Host::Local("/x".into());
        for (kind, text, number) in [
            (Kind::User, &users, ":200000:"),
            (Kind::Setup, &users, ":200001:"),
            (Kind::Group, &groups, ":x:220"),
        ] {
            let account = account(&host, "alice", kind).expect("random");
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{account}:x:")));
            assert!(line.is_some_and(|line| line.contains(number)), "{account}");
        }
    }

    #[test]
    fn the_script_reads_what_is_wanted_and_tells_identifiers() {
        let mut wanted = CaseAccounts::users(["alice", "bob"]);
        let (made, groups) = choose(&Host::External, &wanted).expect("random");
        assert!(!made.tell && groups.is_empty() && made.lines.lines().count() == 3);
        wanted
            .users
            .insert("carol".to_owned(), AccountState::Disabled);
        let members = BTreeSet::from(["alice".to_owned(), "bob".to_owned()]);
        wanted.groups.insert("finance".to_owned(), members);
        let (mut made, groups) = choose(&Host::External, &wanted).expect("random");
        assert!(made.tell);
        let account = |name: &str| made.identities[name].account.clone();
        let carol = format!("user {} 200000 UD now ", account("carol"));
        assert!(made.lines.contains(&carol), "{}", made.lines);
        let line = format!(
            "group {} {} {}\n",
            account("finance"),
            account("alice"),
            account("bob")
        );
        assert!(
            made.lines.ends_with(&line) && group_lines(&groups) == line,
            "{}",
            made.lines
        );
        let said = format!(
            "a warning\n{} S-1-5-21-1-2-3-441001\nbob rubbish\n",
            account("finance")
        );
        made.told(&said);
        assert_eq!(
            made.identities["finance"].sid.as_deref(),
            Some("S-1-5-21-1-2-3-441001")
        );
        assert_eq!(made.identities["bob"].sid, None);
    }

    #[test]
    fn what_a_standalone_server_has_not_is_told() {
        let mut expired = CaseAccounts::users(["alice"]);
        expired
            .users
            .insert("alice".to_owned(), AccountState::Expired);
        let mut nested = CaseAccounts::default();
        let groups = [("a", vec![]), ("b", vec!["a".to_owned()])];
        nested.groups = groups
            .into_iter()
            .map(|(name, members)| (name.to_owned(), members.into_iter().collect()))
            .collect();
        for (wanted, word) in [(expired, "alice"), (nested, "\"b\"")] {
            let error = choose(&Host::External, &wanted)
                .expect_err(word)
                .to_string();
            assert!(
                error.contains(word) && error.contains("standalone server"),
                "{error}"
            );
        }
    }

    #[test]
    fn identifiers_are_told_from_other_words() {
        for text in ["S-1-5-32-544", "S-1-1-0", "S-1-5-21-1-2-3-1104"] {
            assert!(is_sid(text), "{text}");
        }
        for text in [
            "", "S", "S-1", "S-1-5", "S-2-5-21", "S-1-5-+1", "S-1-5-x", "s-1-1-0",
        ] {
            assert!(!is_sid(text), "{text}");
        }
    }
}
