//! The accounts of a trace: which it needs, and those in a domain, made over LDAP before it is replayed and removed after it.
//!
//! Each replay in a domain has an organizational unit of its own, and its accounts have names that nobody else's have, so that traces
//! that run at the same time do not see each other's. Passwords are random and exist in this process alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ldap_provision::{Group, Plan, Schema, Session, Settings, State, User};
use replay_engine::Identity;
use replay_ir::Trace;
use samba_servers::{CaseAccounts, CaseSite, Domain, Server, process_started, random_letters};
use smb_vocabulary::{AccountState, Accounts};
use tokio::sync::OnceCell;

/// What the names of our units begin with; this machine's name, the number of the process that made one and its start time
/// follow.
const UNITS: &str = "sr-";
/// What such a name keeps of the machine's.
const KEPT_OF_HOST: usize = 16;
/// How long making or removing the accounts of one trace may take, in a directory that other traces use as well.
const LONGEST: Duration = Duration::from_secs(120);
/// What an account's name keeps of the name in the trace.
const KEPT: usize = 11;

/// The unit with the accounts of one replay.
pub(crate) struct Unit {
    settings: Settings,
    name: String,
}

/// What `trace` declares, and an account for each of `users`.
pub(crate) fn wanted(trace: &Trace, users: &[String]) -> CaseAccounts {
    let declared = Accounts::of(trace);
    let mut wanted = CaseAccounts::default();
    for group in declared.groups {
        wanted.groups.insert(group.to_owned(), BTreeSet::new());
    }
    for (member, group) in declared.memberships {
        let members = wanted.groups.entry(group.to_owned()).or_default();
        members.insert(member.to_owned());
    }
    for (user, state) in declared.users {
        wanted.users.insert(user.to_owned(), state);
    }
    for user in users {
        if !wanted.groups.contains_key(user) {
            wanted.users.entry(user.clone()).or_default();
        }
    }
    wanted
}

/// Makes the accounts that are `wanted`, and a directory for `case` that they can work in. The error says what did not work.
pub(crate) async fn open(
    server: &Server,
    domain: &Domain,
    case: &str,
    wanted: &CaseAccounts,
    kerberos: bool,
) -> Result<(CaseSite, Unit), String> {
    let settings = settings(domain);
    if server.is_shared() {
        static SWEPT: OnceCell<()> = OnceCell::const_new();
        SWEPT.get_or_init(|| sweep(settings.clone())).await;
    }
    let letters = random(6)?;
    let (plan, passwords) = plan(wanted, &letters)?;
    let unit = Unit {
        settings: settings.clone(),
        name: plan.unit.clone(),
    };
    let made = blocking(move || {
        let session = Session::open(&settings)?;
        let report = session.apply(&plan, None)?;
        session.close()?;
        Ok(report)
    });
    let report = match made.await {
        Ok(report) => report,
        Err(error) => {
            // What was made of it before is not worth a second error.
            let _ = unit.remove().await;
            return Err(format!("making the accounts: {error}"));
        }
    };
    let identifiers: BTreeMap<_, _> = report
        .accounts
        .into_iter()
        .map(|account| (account.name, account.sid))
        .collect();
    let identities = passwords.into_iter().map(|(name, password)| {
        let account = account(&name, &letters);
        let identity = Identity {
            name: name.clone(),
            sid: identifiers.get(&account).cloned(),
            account,
            domain: domain.netbios.clone(),
            password,
        };
        (name, identity)
    });
    match server
        .open_domain_case(case, identities.collect(), kerberos)
        .await
    {
        Ok(site) => Ok((site, unit)),
        Err(error) => {
            let _ = unit.remove().await;
            Err(error.to_string())
        }
    }
}

impl Unit {
    /// Removes the accounts.
    pub(crate) async fn remove(self) -> Result<(), String> {
        let Self { settings, name } = self;
        let removed = blocking(move || {
            let session = Session::open(&settings)?;
            session.remove(&name)?;
            session.close()
        });
        removed
            .await
            .map_err(|error| format!("removing the accounts: {error}"))
    }
}

fn settings(domain: &Domain) -> Settings {
    Settings {
        url: format!("ldaps://{}", domain.ldaps),
        bind: format!(
            "{}@{}",
            domain.administrator.account,
            domain.realm.to_lowercase()
        ),
        password: domain.administrator.password.clone(),
        base: domain.base.clone(),
        schema: Schema::ActiveDirectory,
        authority: Some(domain.authority.clone()),
        start_tls: false,
        insecure: false,
    }
}

/// The plan, and the password of each account by its name in the trace; a group's is empty and never used.
fn plan(
    wanted: &CaseAccounts,
    letters: &str,
) -> Result<(Plan, Vec<(String, secrecy::SecretString)>), String> {
    let mut passwords = Vec::new();
    let mut users = Vec::new();
    for (name, state) in &wanted.users {
        let password = secrecy::SecretString::from(random(24)?);
        users.push(User {
            name: account(name, letters),
            password: password.clone(),
            state: in_the_directory(*state),
        });
        passwords.push((name.clone(), password));
    }
    let mut groups = Vec::new();
    for (name, members) in &wanted.groups {
        groups.push(Group {
            name: account(name, letters),
            members: members
                .iter()
                .map(|member| account(member, letters))
                .collect(),
        });
        passwords.push((name.clone(), secrecy::SecretString::default()));
    }
    let process = std::process::id();
    let unit = format!(
        "{}{process}-{}-{letters}",
        own_units(),
        process_started(process).unwrap_or(0)
    );
    let plan = Plan {
        unit,
        users,
        groups,
    };
    Ok((plan, passwords))
}

/// So many random letters.
fn random(count: usize) -> Result<String, String> {
    random_letters(count).map_err(|error| error.to_string())
}

fn in_the_directory(state: AccountState) -> State {
    match state {
        AccountState::Enabled => State::Enabled,
        AccountState::Disabled => State::Disabled,
        AccountState::Expired => State::Expired,
        AccountState::LockedOut => State::LockedOut,
        AccountState::MustChange => State::MustChange,
    }
}

/// The account of a name: what of it is harmless, and the replay's letters. Names that become the same are refused by the
/// directory's client as one that is there twice.
fn account(name: &str, letters: &str) -> String {
    let harmless = name.chars().filter(char::is_ascii_alphanumeric).take(KEPT);
    let mut account: String = harmless.collect();
    account.make_ascii_lowercase();
    format!("{account}-{letters}")
}

/// Removes the units of processes that are gone: they were killed before they could.
async fn sweep(settings: Settings) {
    let swept = blocking(move || {
        let session = Session::open(&settings)?;
        for unit in session.units(&own_units())? {
            if is_left_over(&unit) {
                session.remove(&unit)?;
            }
        }
        session.close()
    });
    if let Err(error) = swept.await {
        tracing::warn!(%error, "accounts that were left cannot be removed");
    }
}

/// What the names of this machine's units begin with: a directory that is not ours may have those of others.
fn own_units() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let harmless = host.chars().filter(char::is_ascii_alphanumeric);
    let host: String = harmless.take(KEPT_OF_HOST).collect();
    format!("{UNITS}{host}-")
}

fn is_left_over(unit: &str) -> bool {
    let Some(rest) = unit.strip_prefix(&own_units()) else {
        return false;
    };
    let mut parts = rest.split('-');
    let mut number = || parts.next()?.parse::<u64>().ok();
    match (number(), number()) {
        (Some(process), Some(start)) => {
            u32::try_from(process).is_ok_and(|process| process_started(process) != Some(start))
        }
        _ => false,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ldap_provision::Error> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::time::timeout(LONGEST, tokio::task::spawn_blocking(work));
    match done.await {
        Ok(Ok(result)) => result.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it took longer than {} s", LONGEST.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_short_and_harmless() {
        for name in ["alice", "a.very_long-name.indeed", "Ünïcode", "finance"] {
            let account = account(name, "abcdef");
            assert!(account.len() <= 20 && account.is_ascii(), "{account}");
        }
    }

    #[test]
    fn only_what_dead_processes_left_is_left_over() {
        let own = std::process::id();
        let start = process_started(own).expect("this process runs");
        let units = own_units();
        assert!(!is_left_over(&format!("{units}{own}-{start}-abcdef")));
        assert!(is_left_over(&format!("{units}{own}-{}-abcdef", start + 1)));
        assert!(is_left_over(&format!("{units}{}-5-abcdef", u32::MAX)));
        assert!(!is_left_over(&format!("sr-another-{}-5-abcdef", u32::MAX)));
        assert!(!is_left_over("sr-somebody") && !is_left_over("payroll"));
    }

    #[test]
    fn a_plan_has_the_trace_s_accounts_under_names_of_its_own() {
        let text = "ir 1\nneeds domain\nclient A user=alice groups=finance\n\
                    given user carl state=expired\ngiven group finance groups=all\nA echo\n";
        let trace =
            replay_ir::load_str("t.ir", text, &smb_vocabulary::VOCABULARY).expect("well formed");
        let users = ["alice".to_owned(), "dora".to_owned(), "all".to_owned()];
        let (plan, passwords) = plan(&wanted(&trace, &users), "abcdef").expect("random");
        let names: Vec<_> = plan.users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["alice-abcdef", "carl-abcdef", "dora-abcdef"]);
        assert_eq!(plan.users[1].state, State::Expired);
        let groups: Vec<_> = plan
            .groups
            .iter()
            .map(|group| (group.name.as_str(), group.members.clone()))
            .collect();
        assert_eq!(groups.len(), 2);
        assert!(groups.contains(&("finance-abcdef", vec!["alice-abcdef".to_owned()])));
        assert!(groups.contains(&("all-abcdef", vec!["finance-abcdef".to_owned()])));
        assert_eq!(passwords.len(), 5);
        assert!(!format!("{plan:?}").contains("password: \""));
    }
}
