//! What the table cannot say about a trace: arguments that exclude each other, and values with a form of their own.

use std::collections::HashSet;

use crate::accounts;
use crate::client::{ClientSettings, is_channel};
use crate::given::GivenItem;
use crate::operation::StepRequest;
use replay_ir::{Client, Given, Role, Step, StepId, Trace};

/// Something wrong with a trace that has been loaded. Its message is a sentence fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line in the source, from 1.
    pub line: u32,
    /// The step, unless it is a `client` or a `given` line.
    pub step: Option<StepId>,
    /// What is wrong.
    pub message: String,
}

/// Everything that is wrong with a trace beyond what loading finds, in the order of the lines of each kind. A trace
/// without problems can be decoded step by step without an error.
pub fn check_trace(trace: &Trace) -> Vec<Problem> {
    let clients = trace.clients().iter().filter_map(|client| {
        let decoded = ClientSettings::of(trace, client).err();
        let message = decoded
            .map(|error| error.to_string())
            .or_else(|| unbound(trace, client))
            .or_else(|| no_client_guid(trace, client))?;
        Some(Problem {
            line: client.line(),
            step: None,
            message,
        })
    });
    let in_share = |given: &&Given| !accounts::is_account(given);
    let givens = trace.givens().iter().filter(in_share).filter_map(|given| {
        let message = GivenItem::decode(given).err()?.to_string();
        Some(Problem {
            line: given.line(),
            step: None,
            message,
        })
    });
    let mut trees = HashSet::new();
    let steps = trace.steps().filter_map(|step| {
        let checked =
            StepRequest::decode(&step).and_then(|_| crate::security::check_expected(&step));
        let message = checked
            .err()
            .map(|error| error.to_string())
            .or_else(|| unknown_name(trace, &step, &mut trees))?;
        Some(Problem {
            line: step.line(),
            step: Some(step.id()),
            message,
        })
    });
    let accounts = accounts::Accounts::read(trace).1;
    let accounts = accounts.into_iter().map(|problem| Problem {
        line: problem.line,
        step: None,
        message: problem.message,
    });
    clients.chain(givens).chain(accounts).chain(steps).collect()
}

/// A channel is there from its `connect` on.
fn unbound(trace: &Trace, client: &Client) -> Option<String> {
    if !is_channel(client) {
        return None;
    }
    let name = client.name();
    let first = trace
        .steps()
        .find(|step| trace.client(step.client()).name() == name)?;
    (first.role() != Role::Connect).then(|| {
        format!("client {name}: the first step of a `channel` is `connect`, which binds it")
    })
}

/// A ClientGuid is that of a client that has one of its own.
fn no_client_guid(trace: &Trace, client: &Client) -> Option<String> {
    let of = client.arg("client-guid")?;
    let of = of.as_str()?;
    let name = client.name();
    let other = trace.clients().iter().find(|other| other.name() == of);
    match other {
        None => Some(format!(
            "client {name}: `client-guid`: there is no client `{of}`"
        )),
        Some(other) if other.on().is_some() || other.arg("client-guid").is_some() => Some(format!(
            "client {name}: `client-guid` names a client with a connection and a ClientGuid of its own"
        )),
        Some(_) => None,
    }
}

/// A client or a tree that a step names and that is not there. `trees` are those of the steps before.
fn unknown_name<'t>(
    trace: &'t Trace,
    step: &Step<'t>,
    trees: &mut HashSet<&'t str>,
) -> Option<String> {
    let name = |arg| step.arg(arg).and_then(|value| value.as_str());
    match step.verb().name {
        "tree-connect" => trees.extend(name("as")),
        "connect" => {
            let client = name("previous-session").filter(|client| *client != "none")?;
            let known = trace.clients().iter().any(|known| known.name() == client);
            return (!known).then(|| format!("`previous-session`: there is no client `{client}`"));
        }
        _ => {}
    }
    let tree = name("tree").filter(|tree| !trees.contains(tree))?;
    Some(format!(
        "tree `{tree}` is not connected: no step before names it by `tree-connect … as={tree}`"
    ))
}
