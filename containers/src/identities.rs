//! The accounts to use on a server that is not ours: from a file that only its owner can read, or from the environment.
//! Never from a program's arguments, which everybody on the machine can see.

use std::{collections::BTreeMap, env, path::Path};

use replay_engine::Identity;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::{
    AccountState, ServerError,
    accounts::{SETUP, is_sid},
    secret::{SecretText, private},
};

/// The name that stands for every identity which is not named.
const ANY: &str = "*";
/// What tables look like, for messages.
const FORM: &str = "[alice] account = \"…\", domain = \"…\", password = \"…\"; [finance] group = \"…\", sid = \"S-1-5-21-…\"";
/// Accounts and groups by their names in traces.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    tables: BTreeMap<String, Entry>,
}

/// One table of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Table")]
enum Entry {
    User(Account),
    Group(Group),
}

#[derive(Debug, Clone)]
struct Account {
    account: String,
    domain: String,
    /// Found out where the file does not have it.
    sid: Option<String>,
    password: SecretText,
}

/// A group that is there.
#[derive(Debug, Clone)]
struct Group {
    group: String,
    domain: String,
    sid: String,
}

/// A table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    account: Option<String>,
    group: Option<String>,
    #[serde(default)]
    domain: String,
    sid: Option<String>,
    password: Option<SecretText>,
}

impl TryFrom<Table> for Entry {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        let Table {
            account,
            group,
            domain,
            sid,
            password,
        } = table;
        if sid.as_ref().is_some_and(|sid| !is_sid(sid)) {
            return Err("`sid` is not a security identifier, S-1-5-21-…");
        }
        match (account, group, password, sid) {
            (Some(account), None, Some(password), sid) => Ok(Self::User(Account {
                account,
                domain,
                sid,
                password,
            })),
            (Some(_), None, None, _) => Err("an account's table lacks its `password`"),
            (None, Some(group), None, Some(sid)) => Ok(Self::Group(Group { group, domain, sid })),
            (None, Some(_), None, None) => Err("a group's table lacks its `sid`"),
            (None, Some(_), Some(_), _) => Err("a group has no `password`"),
            (Some(_), Some(_), ..) => Err("a table has `account` or `group`, not both"),
            (None, None, ..) => Err("a table lacks `account`, or `group`"),
        }
    }
}

impl Identities {
    /// What the environment offers: the file that `SMB_REPLAY_IDENTITIES` names, then `SMB_REPLAY_USER` with
    /// `SMB_REPLAY_PASSWORD` (and `SMB_REPLAY_DOMAIN`) for everybody, and `SMB_REPLAY_USER_ALICE` with its password and
    /// domain for `alice`. The environment wins over the file.
    pub(crate) fn from_env() -> Result<Self, ServerError> {
        let mut identities = match env::var_os("SMB_REPLAY_IDENTITIES") {
            Some(path) => Self::from_file(Path::new(&path))?,
            None => Self::default(),
        };
        identities.add_environment(env::vars_os().filter_map(|(key, value)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        }))?;
        Ok(identities)
    }

    /// Reads the file at `path`, which must belong to this user and be readable by nobody else.
    pub(crate) fn from_file(path: &Path) -> Result<Self, ServerError> {
        let bad = |reason: String| ServerError::Identities {
            path: path.to_owned(),
            reason,
        };
        Self::from_toml(&private(path)?).map_err(bad)
    }

    /// The error never shows the file's text: the line at fault may hold a password.
    fn from_toml(text: &str) -> Result<Self, String> {
        let tables: BTreeMap<String, Entry> =
            toml::from_str(text).map_err(|error: toml::de::Error| {
                let line = error.span().map_or(1, |span| {
                    text[..span.start.min(text.len())].matches('\n').count() + 1
                });
                let message = if error.message().contains("invalid type") {
                    "a value is not a string"
                } else {
                    error.message()
                };
                format!("line {line}: {message} (expected: {FORM})")
            })?;
        if let Some(Entry::Group(_)) = tables.get(ANY) {
            return Err(format!(
                "the table [\"{ANY}\"] stands for users, not for groups (expected: {FORM})"
            ));
        }
        Ok(Self { tables })
    }

    fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ServerError> {
        let variables: BTreeMap<String, String> = variables.collect();
        for (key, account) in &variables {
            let Some(rest) = key.strip_prefix("SMB_REPLAY_USER") else {
                continue;
            };
            let (suffix, name) = match rest.strip_prefix('_') {
                Some(name) if !name.is_empty() => (rest, name.to_ascii_lowercase()),
                None if rest.is_empty() => ("", ANY.to_owned()),
                _ => continue,
            };
            let Some(password) = variables.get(&format!("SMB_REPLAY_PASSWORD{suffix}")) else {
                return Err(ServerError::Environment {
                    variable: "SMB_REPLAY_PASSWORD",
                    value: "not set".to_owned(),
                    reason: format!(
                        "{key} names an account, so SMB_REPLAY_PASSWORD{suffix} must hold its password"
                    ),
                });
            };
            let domain = variables
                .get(&format!("SMB_REPLAY_DOMAIN{suffix}"))
                .or_else(|| variables.get("SMB_REPLAY_DOMAIN"))
                .cloned()
                .unwrap_or_default();
            let password = SecretText(SecretString::from(password.as_str()));
            self.tables.insert(
                name,
                Entry::User(Account {
                    account: account.clone(),
                    domain,
                    sid: None,
                    password,
                }),
            );
        }
        Ok(())
    }

    fn named(&self, name: &str) -> Option<&Entry> {
        let lower = || self.tables.get(&name.to_ascii_lowercase());
        self.tables.get(name).or_else(lower)
    }

    /// The account for the identity `name`: its own, or the one that stands for everybody.
    fn account(&self, name: &str) -> Result<Identity, ServerError> {
        match self.named(name).or_else(|| self.tables.get(ANY)) {
            Some(Entry::User(found)) => Ok(Identity {
                name: name.to_owned(),
                account: found.account.clone(),
                domain: found.domain.clone(),
                sid: found.sid.clone(),
                password: SecretString::from(found.password.0.expose_secret()),
            }),
            Some(Entry::Group(_)) => Err(ServerError::NotNamed {
                name: name.to_owned(),
                is: "a user",
                what: "its table in SMB_REPLAY_IDENTITIES must have `account` and `password`, not `group`"
                    .to_owned(),
            }),
            None => Err(ServerError::NoIdentity {
                name: name.to_owned(),
            }),
        }
    }

    /// The account that makes the `given` state.
    pub(crate) fn setup(&self) -> Result<Identity, ServerError> {
        self.account(SETUP)
    }

    /// The account of the user `name`. One whose logins are refused must have a table of its own, since the one that
    /// stands for everybody is let in.
    pub(crate) fn user(&self, name: &str, state: AccountState) -> Result<Identity, ServerError> {
        let state = match state {
            AccountState::Enabled => return self.account(name),
            AccountState::Disabled => "disabled",
            AccountState::Expired => "expired",
            AccountState::LockedOut => "locked out",
            AccountState::MustChange => "bound to change its password",
        };
        match self.named(name) {
            Some(_) => self.account(name),
            None => Err(ServerError::NotNamed {
                name: name.to_owned(),
                is: "a user whose logins are refused",
                what: format!(
                    "SMB_REPLAY_IDENTITIES must have a table [{name}] with an account that is {state}"
                ),
            }),
        }
    }

    /// The group `name`, which has a table of its own. Nobody logs in as it.
    pub(crate) fn group(&self, name: &str) -> Result<Identity, ServerError> {
        match self.named(name) {
            Some(Entry::Group(found)) => Ok(Identity {
                name: name.to_owned(),
                account: found.group.clone(),
                domain: found.domain.clone(),
                sid: Some(found.sid.clone()),
                password: SecretString::default(),
            }),
            other => {
                let has = match other {
                    Some(_) => "has an account in it",
                    None => "is not there",
                };
                Err(ServerError::NotNamed {
                    name: name.to_owned(),
                    is: "a group",
                    what: format!(
                        "its table [{name}] in SMB_REPLAY_IDENTITIES {has}; it must have `group`, the name of one that is \
                         there and has the trace's users as its members, and `sid`, its security identifier (`wbinfo \
                         --name-to-sid=GROUP`, `Get-ADGroup GROUP`)"
                    ),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::PermissionsExt};

    use proptest::strategy::Strategy as _;

    use super::*;

    const FILE: &str = r#"
        [alice]
        account = "testuser001"
        domain = "LAB"
        password = "pa ss"

        [finance]
        group = "Lab Finance"
        domain = "LAB"
        sid = "S-1-5-21-1-2-3-1104"

        ["*"]
        account = "everyone"
        password = "other"
    "#;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(mode))
            .expect("ours");
        file
    }

    #[test]
    fn a_file_gives_accounts_and_a_star_stands_for_the_rest() {
        for mode in [0o600, 0o400] {
            let identities = Identities::from_file(file(FILE, mode).path()).expect("usable");
            let alice = identities.account("alice").expect("named");
            assert_eq!(
                (alice.account.as_str(), alice.domain.as_str()),
                ("testuser001", "LAB")
            );
            assert_eq!(alice.password.expose_secret(), "pa ss");
            assert_eq!(
                identities.account("bob").expect("the star").account,
                "everyone"
            );
        }
    }

    #[test]
    fn groups_and_refused_accounts_have_tables_of_their_own() {
        let identities = Identities::from_toml(FILE).expect("usable");
        let finance = identities.group("finance").expect("named");
        assert_eq!(
            (finance.account.as_str(), finance.sid.as_deref()),
            ("Lab Finance", Some("S-1-5-21-1-2-3-1104"))
        );
        let user = |name: &str, state| identities.user(name, state).map(|found| found.account);
        assert_eq!(
            user("bob", AccountState::Enabled).expect("the star"),
            "everyone"
        );
        assert_eq!(
            user("alice", AccountState::Disabled).expect("named"),
            "testuser001"
        );
        for (error, words) in [
            (
                identities.group("sales").expect_err("not there"),
                ["[sales]", "is not there", "wbinfo"],
            ),
            (
                identities.group("alice").expect_err("a user"),
                ["[alice]", "has an account", "`sid`"],
            ),
            (
                identities
                    .user("bob", AccountState::LockedOut)
                    .expect_err("not named"),
                ["[bob]", "locked out", "a user whose logins are refused"],
            ),
            (
                identities
                    .user("finance", AccountState::Enabled)
                    .expect_err("a group"),
                ["\"finance\"", "`account`", "a user"],
            ),
        ] {
            let text = error.to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }

    #[test]
    fn a_file_that_others_may_use_is_refused_before_it_is_read() {
        for mode in [0o644, 0o640, 0o602, 0o660, 0o601] {
            let error = Identities::from_file(file("nonsense", mode).path())
                .expect_err("open to others")
                .to_string();
            assert!(
                error.contains(&format!("{mode:04o}")) && error.contains("chmod 600"),
                "{error}"
            );
        }
        assert!(Identities::from_file(Path::new("/nonexistent/identities.toml")).is_err());
        assert!(Identities::from_file(Path::new("/")).is_err());
    }

    #[test]
    fn a_bad_file_is_told_by_line_and_its_secrets_stay_in_it() {
        for (text, line) in [
            ("[alice]\naccount = \"a\"\npassword = hunter2\n", "line 3"),
            (
                "[alice]\naccount = \"a\"\npasword = \"hunter2\"\n",
                "line 3",
            ),
            ("[alice]\naccount = \"a\"\npassword = 12345678\n", "line 3"),
            ("[alice]\npassword = \"hunter2\"\n", "line 1"),
            ("[alice\npassword = \"hunter2\"\n", "line 1"),
            ("\n[finance]\ngroup = \"g\"\n", "line 2"),
            ("\n[finance]\ngroup = \"g\"\nsid = \"hunter2\"\n", "line 2"),
            (
                "[finance]\ngroup = \"g\"\nsid = \"S-1-1-0\"\npassword = \"hunter2\"\n",
                "line 1",
            ),
            ("[\"*\"]\ngroup = \"g\"\nsid = \"S-1-1-0\"\n", "[\"*\"]"),
        ] {
            let error = Identities::from_file(file(text, 0o600).path())
                .expect_err(text)
                .to_string();
            assert!(error.contains(line), "{text}: {error}");
            assert!(
                !error.contains("hunter2") && !error.contains("12345678"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_environment_names_accounts_and_wins() {
        let variables = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<Vec<_>>()
        };
        let mut identities = Identities::from_toml(FILE).expect("usable");
        let pairs = variables(&[
            ("SMB_REPLAY_USER_ALICE", "al"),
            ("SMB_REPLAY_PASSWORD_ALICE", "p1"),
            ("SMB_REPLAY_USER", "common"),
            ("SMB_REPLAY_PASSWORD", "p2"),
            ("SMB_REPLAY_DOMAIN", "DOM"),
            ("SMB_REPLAY_USERS", "unrelated"),
        ]);
        identities
            .add_environment(pairs.into_iter())
            .expect("complete");
        assert_eq!(identities.account("alice").expect("named").account, "al");
        let bob = identities.account("bob").expect("common");
        assert_eq!(
            (bob.account.as_str(), bob.domain.as_str()),
            ("common", "DOM")
        );
        assert_eq!(bob.password.expose_secret(), "p2");

        let lacking = variables(&[("SMB_REPLAY_USER_BOB", "b")]);
        let error = Identities::default()
            .add_environment(lacking.into_iter())
            .expect_err("no password")
            .to_string();
        assert!(error.contains("SMB_REPLAY_PASSWORD_BOB"), "{error}");
        assert!(matches!(
            Identities::default().account("x"),
            Err(ServerError::NoIdentity { .. })
        ));
    }

    #[test]
    fn debug_output_holds_no_password() {
        let shown = format!("{:?}", Identities::from_toml(FILE).expect("usable"));
        assert!(
            shown.contains("testuser001") && !shown.contains("pa ss"),
            "{shown}"
        );
    }

    proptest::proptest! {
        /// Whatever stands in the file, it is read or refused, and no message repeats a password.
        #[test]
        fn no_text_is_too_strange(text in proptest::collection::vec(proptest::prop_oneof![
            4 => proptest::sample::select(&[
                "[alice]\n", "[\"*\"]\n", "[setup]\n", "account = \"a\"\n", "group = \"g\"\n", "domain = 'D'\n",
                "sid = \"S-1-5-21-1-2-3-4\"\n", "sid = \"S-1\"\n", "password = \"hunter2\"\n", "password = \"hunter2\n",
                "password = [\"hunter2\"]\n", "password = hunter2\n", "password = \"\\qhunter2\"\n", "=", "[[", "{",
            ][..]).prop_map(str::to_owned),
            1 => proptest::prelude::any::<String>(),
        ], 0..20)) {
            match Identities::from_toml(&text.concat()) {
                Ok(identities) => {
                    let shown = format!("{identities:?}");
                    proptest::prop_assert!(!shown.contains("hunter2"));
                    for name in ["alice", "setup", "nobody"] {
                        if let Err(error) = identities.account(name) {
                            proptest::prop_assert!(!error.to_string().contains("hunter2"));
                        }
                    }
                }
                Err(reason) => proptest::prop_assert!(!reason.contains("hunter2"), "{}", reason),
            }
        }
    }
}
