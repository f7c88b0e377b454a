//! What should be in a directory, and what then is there.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// Where a directory is and as whom to log in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ldaps://host:port`, or `ldap://host:port` with StartTLS.
    pub url: String,
    /// The account: a DN, or `user@domain`.
    pub bind: String,
    /// Its password.
    pub password: SecretString,
    /// The DN below which units are made.
    pub base: String,
    /// How entries are written there.
    pub schema: Schema,
    /// The certificates that vouch for the server's, PEM. Without them only an insecure connection is made.
    pub authority: Option<String>,
    /// TLS on an `ldap://` connection.
    pub start_tls: bool,
    /// Takes any certificate, and clear text.
    pub insecure: bool,
}

impl Settings {
    /// As the Python side reads it.
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    pub(crate) fn json(&self) -> String {
        serde_json::json!({
            "url": self.url,
            "bind": self.bind,
            "password": self.password.expose_secret(),
            "base": self.base,
            "schema": self.schema.word(),
            "ca": self.authority,
            "start_tls": self.start_tls,
            "insecure": self.insecure,
        })
        .to_string()
    }
}

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schema {
    /// Samba's or Windows' Active Directory.
    #[default]
    ActiveDirectory,
    /// inetOrgPerson and groupOfNames.
    OpenLdap,
}

impl Schema {
    #[cfg_attr(not(feature = "python"), allow(dead_code))]
    fn word(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "ad",
            Self::OpenLdap => "openldap",
        }
    }
}

/// All that should be in one organizational unit, directly below the base.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The unit's name, at most 64 characters.
    pub unit: String,
    /// Accounts.
    pub users: Vec<User>,
    /// Groups.
    pub groups: Vec<Group>,
}

/// An account.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// Its name, at most 20 characters.
    pub name: String,
    /// Its password.
    #[serde(serialize_with = "exposed")]
    pub password: SecretString,
    /// What a login meets.
    pub state: State,
}

fn exposed<S: Serializer>(password: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(password.expose_secret())
}

/// A security group.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Its name, at most 64 characters.
    pub name: String,
    /// Names of users and groups of the plan.
    pub members: Vec<String>,
}

/// What a login of an account meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is let in.
    #[default]
    Enabled,
    /// ACCOUNT_DISABLED.
    Disabled,
    /// ACCOUNT_EXPIRED.
    Expired,
    /// ACCOUNT_LOCKED_OUT.
    LockedOut,
    /// PASSWORD_MUST_CHANGE.
    MustChange,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::LockedOut => "locked-out",
            Self::MustChange => "must-change",
        })
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// The unit's DN.
    pub unit: String,
    /// Entries that are new.
    pub created: u64,
    /// Entries that were found and made the same as new ones.
    pub adopted: u64,
    /// Entries that were in the unit and not in the plan.
    pub removed: u64,
    /// Every user and group of the plan.
    pub accounts: Vec<Account>,
}

/// A user or group that is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its distinguished name.
    pub dn: String,
    /// Its security identifier, `S-1-5-21-…`; empty where the directory has none.
    pub sid: String,
}
