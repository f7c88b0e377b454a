//! What this backend can say of a trace, and why not the rest; see `docs/smb-rs.md` for the evidence.

use std::collections::HashMap;

use replay_engine::{Capabilities, Unsupported};
use replay_ir::{Check, ClientId, Dependency, Milestone, Mode, Role, Step, StepId, Trace};
use smb::FileId;
use smb_vocabulary::{
    ClientSettings, Encryption, HeaderOptions, Mechanism, Operation, PreviousSession, is_channel,
};
use smb_wire::Dialect;

use super::request::{self, Place};

/// The verbs that it sends.
const VERBS: [&str; 17] = [
    "connect",
    "disconnect",
    "tree-connect",
    "tree-disconnect",
    "logoff",
    "echo",
    "create",
    "close",
    "read",
    "write",
    "flush",
    "lock",
    "query-directory",
    "query-info",
    "set-info",
    "query-fs",
    "cancel",
];

/// What it cannot do, each with the reason.
const LIMITS: [(&str, &str); 17] = [
    (
        "wire=, raw",
        "the crate composes and sends every frame itself",
    ),
    (
        "mode 2; break, no-break, on-break, acknowledge",
        "the crate reads no oplock break (its message has 12 bytes instead of 24) and makes no acknowledgement",
    ),
    (
        "create oplock= exclusive, batch or lease",
        "the crate's OplockLevel is 0, 1 or 2; on the wire these are 0x08, 0x09 and 0xff",
    ),
    (
        "create lease-key",
        "needs oplock level 0xff, and the crate reads version 2 as version 1",
    ),
    (
        "create disposition= or impersonation= in hexadecimal",
        "the crate's types have the values of MS-SMB2 only",
    ),
    (
        "query-info, query-fs or query-directory classes in hexadecimal",
        "the crate has the classes of its own list only",
    ),
    (
        "notify",
        "not built: the crate watches directories in a loop of its own, which a trace cannot step through",
    ),
    (
        "create sd= or ea=, full-ea, query-security, set-security, ioctl, chain=",
        "not built here; the crate has the messages",
    ),
    ("read len=0", "the crate refuses a READ answer without data"),
    (
        "client anonymous",
        "the crate derives keys for every session; an anonymous one has none",
    ),
    (
        "client auth=kerberos",
        "built without the crate's kerberos feature",
    ),
    (
        "client cipher=, signing-algorithm=",
        "the crate offers fixed lists",
    ),
    ("client multichannel", "not built here"),
    (
        "client client-guid=",
        "not built: it is about leases, which this backend has none of",
    ),
    (
        "client encryption=off with dialect 3.1.1",
        "the crate then sends the encryption context with an empty list of ciphers",
    ),
    (
        "a handle after disconnect, logoff or tree-disconnect; connect after logoff",
        "the crate's objects end with their session, and it makes none on a connection that is there",
    ),
    (
        "a compound with connect, disconnect or cancel",
        "these are no requests that can be compounded",
    ),
];

/// For `smb-replay backends`.
pub(super) fn capabilities() -> Capabilities {
    Capabilities {
        mode: Mode::Exact,
        verbs: VERBS.to_vec(),
        limits: LIMITS.to_vec(),
    }
}

/// Everything in `trace` that cannot be said.
pub(super) fn missing(trace: &Trace) -> Vec<Unsupported> {
    let clients = trace.clients().iter();
    let of_clients = clients.filter_map(|client| {
        if client.on().is_some() && client.args().next().is_none() {
            return None;
        }
        let what = match ClientSettings::decode(client) {
            _ if is_channel(client) => "a further channel of another's session".to_owned(),
            Ok(_) if client.on().is_some() => {
                "a session of its own on another's connection".to_owned()
            }
            Ok(settings) => client_lack(&settings)?.to_owned(),
            Err(error) => error.to_string(),
        };
        Some(Unsupported {
            step: None,
            what: format!("client {}: {what}", client.name()),
        })
    });
    let of_steps = trace.steps().filter_map(|step| {
        step_lack(step).map(|what| Unsupported {
            step: Some(step.id()),
            what,
        })
    });
    let orders = trace.checks().iter().filter(|check| match check {
        Check::Order { milestones, .. } => milestones.iter().any(waits_for_break),
        Check::Time { .. } => false,
    });
    let of_checks = orders.map(|_| Unsupported {
        step: None,
        what: "check order with a break".into(),
    });
    of_clients
        .chain(of_steps)
        .chain(after_the_end(trace))
        .chain(of_checks)
        .collect()
}

/// Steps that use what has ended with its session or tree.
fn after_the_end(trace: &Trace) -> Vec<Unsupported> {
    // By connection: the last step that ended something, and whether it was a logoff.
    let mut ends: HashMap<ClientId, (StepId, bool)> = HashMap::new();
    let mut missing = Vec::new();
    for step in trace.steps() {
        let client = step.client();
        let connection = trace.client(client).on().unwrap_or(client);
        let ended = ends.get(&connection).copied();
        let what = match (Operation::decode(&step), ended) {
            (
                Ok(
                    operation @ (Operation::Disconnect
                    | Operation::TreeDisconnect
                    | Operation::Logoff),
                ),
                _,
            ) => {
                let logged_off = matches!(operation, Operation::Logoff);
                ends.insert(connection, (step.id(), logged_off));
                continue;
            }
            (Ok(Operation::Connect { .. }), Some((_, true))) => "connect after logoff".to_owned(),
            (_, Some((end, _))) if step.opened_by().is_some_and(|opener| opener < end) => {
                format!(
                    "{} on a handle of an earlier session or tree",
                    step.verb().name
                )
            }
            _ => continue,
        };
        missing.push(Unsupported {
            step: Some(step.id()),
            what,
        });
    }
    missing
}

fn client_lack(settings: &ClientSettings<'_>) -> Option<&'static str> {
    let dialects = settings.dialects;
    if settings.anonymous {
        return Some("anonymous");
    }
    if settings.wrong_password {
        return Some("wrong-password");
    }
    if settings.unknown_user {
        return Some("unknown-user");
    }
    if settings.mechanism == Some(Mechanism::Kerberos) {
        return Some("auth=kerberos");
    }
    if settings.credits.is_some() {
        return Some("credits=");
    }
    if settings.multichannel {
        return Some("multichannel");
    }
    if settings.client_guid.is_some() {
        return Some("client-guid=");
    }
    if !settings.ciphers.is_empty() {
        return Some("cipher=");
    }
    if !settings.signing_algorithms.is_empty() {
        return Some("signing-algorithm=");
    }
    match settings.encryption {
        Encryption::Off if dialects.max >= Dialect::SMB_3_1_1 => {
            Some("encryption=off with dialect 3.1.1")
        }
        _ => None,
    }
}

/// A break is never reported, not even the one from level II, which needs no acknowledgement.
fn waits_for_break(dependency: &Dependency) -> bool {
    dependency.milestone == Milestone::Break
}

fn step_lack(step: Step<'_>) -> Option<String> {
    if step.after().any(|dependency| waits_for_break(&dependency)) {
        return Some("after a break".into());
    }
    let operation = match Operation::decode(&step) {
        Ok(operation) => operation,
        Err(error) => return Some(format!("{} {error}", step.verb().name)),
    };
    let verb = step.verb().name;
    if smb_vocabulary::chain(&step).is_some() {
        return Some(format!("{verb} chain="));
    }
    if step.arg("wire").is_some() {
        return Some(format!("{verb} wire="));
    }
    if HeaderOptions::decode(&step) != Ok(HeaderOptions::default()) {
        return Some(format!(
            "{verb} with tree=, replay, channel-sequence=, credits= or charge="
        ));
    }
    match operation {
        Operation::Engine(Role::AwaitBreak | Role::NoBreak)
        | Operation::OnBreak(_)
        | Operation::Raw { .. } => Some(verb.to_owned()),
        Operation::Connect { previous } if previous != PreviousSession::Own => {
            Some("connect previous-session=".to_owned())
        }
        Operation::Connect { .. } | Operation::Disconnect | Operation::Cancel { .. } => {
            step.compounded().then(|| format!("{verb} in a compound"))
        }
        Operation::Engine(_) => None,
        // The engine has loaded the trace; a root and a host can only make a name longer.
        operation => {
            let place = Place {
                host: String::new(),
                root: String::new(),
                share: String::new(),
            };
            request::body(&operation, FileId::EMPTY, &place).err()
        }
    }
}
