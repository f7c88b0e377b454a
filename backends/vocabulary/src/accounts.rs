//! The users and groups that a trace declares: on its `client` lines, or on `given user` and `given group` lines.

use std::collections::BTreeMap;

use replay_ir::{Given, Trace, Value};

use crate::args::{ArgError, Args};
use crate::client::ClientSettings;
use crate::security::names_domain;

/// What a login of an account meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountState {
    /// It is let in.
    #[default]
    Enabled,
    /// STATUS_ACCOUNT_DISABLED.
    Disabled,
    /// STATUS_ACCOUNT_EXPIRED.
    Expired,
    /// STATUS_ACCOUNT_LOCKED_OUT.
    LockedOut,
    /// STATUS_PASSWORD_MUST_CHANGE.
    MustChange,
}

impl AccountState {
    /// The words for the states.
    pub(crate) const WORDS: &'static [&'static str] = &[
        "enabled",
        "disabled",
        "expired",
        "locked-out",
        "must-change",
    ];

    fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "enabled" => Self::Enabled,
            "disabled" => Self::Disabled,
            "expired" => Self::Expired,
            "locked-out" => Self::LockedOut,
            "must-change" => Self::MustChange,
            other => return Err(format!("`{other}` is no state of an account")),
        })
    }
}

/// All accounts of a trace, by the names that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts<'t> {
    /// Users, with their states.
    pub users: BTreeMap<&'t str, AccountState>,
    /// Groups.
    pub groups: Vec<&'t str>,
    /// Who is a member of what: the member, a user or a group, and the group.
    pub memberships: Vec<(&'t str, &'t str)>,
}

/// Something wrong with the accounts of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountProblem {
    pub(crate) line: u32,
    pub(crate) message: String,
}

/// Whether a `given` line is about an account, not about something in the share.
pub(crate) fn is_account(given: &Given) -> bool {
    matches!(given.spec().name, "user" | "group")
}

impl<'t> Accounts<'t> {
    /// What `trace` declares; of a trace that [`check_trace`](crate::check_trace) finds fault with, as much as can be read.
    pub fn of(trace: &'t Trace) -> Self {
        Self::read(trace).0
    }

    /// What the trace must say that it needs, if these are more than users that may log in.
    fn missing_need(&self, trace: &Trace) -> Option<&'static str> {
        let has = |need: &str| trace.needs().iter().any(|has| has == need);
        if has("domain") {
            return None;
        }
        let nested = |(member, _): &(&str, &str)| self.groups.contains(member);
        let state = |of: &[AccountState]| self.users.values().any(|state| of.contains(state));
        if self.memberships.iter().any(nested)
            || state(&[AccountState::Expired])
            || names_domain(trace)
        {
            let text = "groups in groups, accounts that are expired, and principals of a domain need one: write \
                        `needs domain`";
            return Some(text);
        }
        if !self.groups.is_empty() && !has("groups") {
            return Some(
                "groups need a server that has them: write `needs groups`, or `needs domain`",
            );
        }
        let states = [
            AccountState::Disabled,
            AccountState::LockedOut,
            AccountState::MustChange,
        ];
        if state(&states) && !has("account-states") {
            let text = "states of accounts need a server that has them: write `needs account-states`, or `needs domain`";
            return Some(text);
        }
        None
    }

    pub(crate) fn read(trace: &'t Trace) -> (Self, Vec<AccountProblem>) {
        let mut accounts = Self::default();
        let mut problems = Vec::new();
        let mut domain_line = None;
        for given in trace.givens().iter().filter(|given| is_account(given)) {
            domain_line = domain_line.or(Some(given.line()));
            if let Err(error) = accounts.given(given) {
                problems.push(AccountProblem {
                    line: given.line(),
                    message: error.to_string(),
                });
            }
        }
        for client in trace.clients() {
            // What is wrong with the line itself is told elsewhere.
            let Ok(settings) = ClientSettings::decode(client) else {
                continue;
            };
            if let Some(user) = settings.user {
                accounts.users.entry(user).or_default();
                accounts.join(user, &settings.groups);
            }
            if !settings.groups.is_empty() {
                domain_line = domain_line.or(Some(client.line()));
            }
        }
        let both = accounts
            .groups
            .iter()
            .find(|group| accounts.users.contains_key(*group));
        let line = domain_line.unwrap_or(1);
        if let Some(name) = both {
            problems.push(AccountProblem {
                line,
                message: format!("`{name}` is a user and a group"),
            });
        }
        if let Some(message) = accounts.missing_need(trace) {
            problems.push(AccountProblem {
                line,
                message: message.to_owned(),
            });
        }
        (accounts, problems)
    }

    fn given(&mut self, given: &'t Given) -> Result<(), ArgError> {
        let args = Args(|name: &str| given.arg(name));
        let name: &str = args.required("name")?;
        match given.spec().name {
            "group" => self.group(name),
            _ => {
                let state = args.parsed("state", AccountState::parse)?;
                self.users.insert(name, state.unwrap_or_default());
            }
        }
        let groups: Vec<&str> = args
            .list("groups")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        self.join(name, &groups);
        Ok(())
    }

    fn group(&mut self, name: &'t str) {
        if !self.groups.contains(&name) {
            self.groups.push(name);
        }
    }

    fn join(&mut self, member: &'t str, groups: &[&'t str]) {
        for group in groups {
            self.group(group);
            if !self.memberships.contains(&(member, group)) {
                self.memberships.push((member, group));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_come_from_clients_and_givens() {
        let text = "ir 1\nneeds domain\nclient A user=alice groups=finance,staff\nclient B user=bob\n\
                    given user carl state=disabled groups=staff\ngiven group finance groups=all\nA echo\n";
        let trace = replay_ir::load_str("t.ir", text, &crate::VOCABULARY).expect("well formed");
        let accounts = Accounts::of(&trace);
        let users: Vec<_> = accounts.users.into_iter().collect();
        let enabled = AccountState::Enabled;
        let disabled = AccountState::Disabled;
        assert_eq!(
            users,
            [("alice", enabled), ("bob", enabled), ("carl", disabled)]
        );
        assert_eq!(accounts.groups, ["staff", "finance", "all"]);
        let expected = [
            ("carl", "staff"),
            ("finance", "all"),
            ("alice", "finance"),
            ("alice", "staff"),
        ];
        assert_eq!(accounts.memberships, expected);
    }

    #[test]
    fn what_only_a_domain_has_must_be_asked_for() {
        for text in [
            "ir 1\nclient A user=alice groups=g\nA echo\n",
            "ir 1\nclient A user=alice\ngiven user alice state=expired\nA echo\n",
            "ir 1\nneeds groups\nclient A user=alice groups=g\ngiven group g groups=h\nA echo\n",
            "ir 1\nclient A user=alice\ngiven user alice state=disabled\nA echo\n",
            "ir 1\nclient A user=alice\ngiven file \"f\" sd=\"D:P(A;;FA;;;DA)\"\nA echo\n",
            "ir 1\nneeds domain\nclient A user=alice groups=alice\nA echo\n",
        ] {
            let trace = replay_ir::load_str("t.ir", text, &crate::VOCABULARY).expect("well formed");
            let problems = crate::check_trace(&trace);
            let [problem] = problems.as_slice() else {
                panic!("{text}: {problems:?}");
            };
            let message = &problem.message;
            assert!(
                message.contains("`needs domain`") || message.contains("a user and a group"),
                "{message}"
            );
        }
        for text in [
            "ir 1\nneeds groups\nclient A user=alice groups=g\nA echo\n",
            "ir 1\nneeds account-states\nclient A user=alice\ngiven user alice state=must-change\nA echo\n",
            "ir 1\nneeds account-states\nclient A user=alice\ngiven user alice state=locked-out\nA echo\n",
            "ir 1\nneeds domain\nclient A user=alice\ngiven file \"f\" sd=\"O:DAD:P(A;;FA;;;DU)\"\nA echo\n",
        ] {
            let trace = replay_ir::load_str("t.ir", text, &crate::VOCABULARY).expect("well formed");
            assert!(crate::check_trace(&trace).is_empty(), "{text}");
        }
    }
}
