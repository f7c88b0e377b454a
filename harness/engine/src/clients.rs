//! The clients of a run: who each is, how all copies' are made, and how they are closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use replay_ir::{ClientId, Trace};
use tokio::task::JoinSet;

use crate::backend::{Backend, ClientContext, Connection, RunState, Unsupported};
use crate::copies::{self, Copies, Shape};
use crate::events::{EventQueue, Place};
use crate::options::{RunOptions, Site};
use crate::target::Identity;

/// The clients of all copies, each copy's in the trace's order.
pub(crate) type Connections = Vec<Box<dyn Connection>>;

/// The identity of each client, by [`ClientId`], once for each identity that a name has; an anonymous client has none.
pub(crate) fn identities(
    trace: &Trace,
    site: &Site,
    copies: &Copies,
) -> Result<Vec<Vec<Option<Identity>>>, String> {
    // As many as the copies use.
    let used = copies.identities.clamp(1, copies.count());
    (0..used)
        .map(|number| identities_of(trace, site, number))
        .collect()
}

fn identities_of(trace: &Trace, site: &Site, number: u32) -> Result<Vec<Option<Identity>>, String> {
    let identity = |client: &replay_ir::Client| {
        let Some(user) = client.arg("user") else {
            return Ok(None);
        };
        let user = user.as_str().unwrap_or_default();
        let user = &copies::identity(user, number);
        let known = site.identities.get(user).cloned().map(Some);
        known.ok_or_else(|| {
            format!(
                "client {} is `{user}`, and this run knows no identity of that name",
                client.name()
            )
        })
    };
    trace.clients().iter().map(identity).collect()
}

/// Makes the clients of all copies, each copy's in the trace's order; no I/O yet. On a lane that the backend cannot
/// make: those made so far.
pub(crate) fn connect(
    trace: &Arc<Trace>,
    backend: &dyn Backend,
    site: &Site,
    identities: &[Vec<Option<Identity>>],
    copies: &Copies,
    queue: &EventQueue,
) -> Result<Connections, (Connections, Unsupported)> {
    let shape = Shape::new(trace, copies.count());
    let sids: Vec<_> = (0..identities.len() as u32)
        .map(|number| Arc::new(sids(site, number)))
        .collect();
    let mut connections = Vec::with_capacity(trace.clients().len() * copies.count() as usize);
    for copy in 0..copies.count() {
        let identity_number = copies.identity_of(copy) as usize;
        let mut target = site.target.clone();
        if copies.count() > 1 {
            if !target.root.is_empty() {
                target.root.push('/');
            }
            target.root.push_str(&copies::directory(copy));
        }
        let run = RunState::default();
        let made = connect_copy(
            trace,
            backend,
            &identities[identity_number],
            |client, identity| {
                let place = Place {
                    first_client: shape.first_client(copy),
                    first_step: shape.first_step(copy),
                };
                ClientContext {
                    trace: trace.clone(),
                    client,
                    target: target.clone(),
                    identity,
                    sids: Arc::clone(&sids[identity_number]),
                    events: queue.events_of_copy(client, place),
                    run: run.clone(),
                }
            },
        );
        match made {
            Ok(made) => connections.extend(made),
            Err((made, lack)) => {
                connections.extend(made);
                return Err((connections, lack));
            }
        }
    }
    Ok(connections)
}

/// The security identifiers by the names in the trace, for the copies that use the identities of this number.
fn sids(site: &Site, number: u32) -> BTreeMap<String, String> {
    let sid = |name: &str| site.identities.get(name)?.sid.clone();
    let names = site.identities.keys();
    names
        .filter_map(|name| {
            let own = sid(&copies::identity(name, number)).or_else(|| sid(name));
            Some((name.clone(), own?))
        })
        .collect()
}

fn connect_copy(
    trace: &Arc<Trace>,
    backend: &dyn Backend,
    identities: &[Option<Identity>],
    context: impl Fn(ClientId, Option<Identity>) -> ClientContext,
) -> Result<Connections, (Connections, Unsupported)> {
    let mut made: Vec<Option<Box<dyn Connection>>> = Vec::new();
    made.resize_with(trace.clients().len(), || None);
    let context = |index: usize, identity: &Option<Identity>| {
        context(ClientId(index as u32), identity.clone())
    };
    // Lanes after the connections that they are on.
    let (lanes, bases): (Vec<_>, Vec<_>) = identities
        .iter()
        .enumerate()
        .partition(|(index, _)| trace.clients()[*index].on().is_some());
    for (index, identity) in bases {
        made[index] = Some(backend.client(context(index, identity)));
    }
    for (index, identity) in lanes {
        let client = &trace.clients()[index];
        // What is on a further connection stands behind it in the file, so that one is made already.
        let base = client
            .through()
            .or(client.on())
            .and_then(|base| made[base.0 as usize].as_mut());
        let lane = match base {
            Some(base) => base.lane(context(index, identity)),
            None => Err(Unsupported {
                step: None,
                what: "a lane on a lane".to_owned(),
            }),
        };
        match lane {
            Ok(lane) => made[index] = Some(lane),
            Err(lack) => return Err((made.into_iter().flatten().collect(), lack)),
        }
    }
    Ok(made.into_iter().flatten().collect())
}

/// Closes all clients, lanes before the connections that they are on, so many at a time. What went wrong is logged
/// and returned. Once a client could not be closed, all others are closed at the same time: a server that answers nobody
/// is waited for as long as for two of them, however many there are.
pub(crate) async fn close(
    trace: &Trace,
    connections: Connections,
    options: &RunOptions,
) -> Vec<String> {
    let shape = Shape::new(trace, options.copies.count());
    let client = |index: usize| shape.client(trace, ClientId(index as u32));
    let is_lane = |index: usize| client(index).on().is_some();
    let (lanes, bases): (Vec<_>, Vec<_>) = connections
        .into_iter()
        .enumerate()
        .partition(|(index, _)| is_lane(*index));
    let mut errors = Vec::new();
    let mut parallel = options.connect_parallel.max(1);
    for group in [lanes, bases] {
        let mut group = group.into_iter();
        let mut closing = JoinSet::new();
        loop {
            while closing.len() < parallel {
                let Some((index, connection)) = group.next() else {
                    break;
                };
                let name = client(index).name().to_owned();
                closing.spawn(close_one(name, connection, options.close_timeout));
            }
            match closing.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => {
                    tracing::warn!(error, "a client could not be closed in good order");
                    errors.push(error);
                    parallel = usize::MAX;
                }
                Some(Err(error)) => errors.push(format!("closing a client: {error}")),
                None => break,
            }
        }
    }
    errors
}

async fn close_one(
    name: String,
    connection: Box<dyn Connection>,
    bound: Duration,
) -> Result<(), String> {
    match tokio::time::timeout(bound, connection.close()).await {
        Ok(closed) => closed.map_err(|error| error.to_string()),
        Err(_) => {
            let bound = replay_ir::time::format_duration(bound.as_nanos() as u64);
            Err(format!("closing client {name}: not done within {bound}"))
        }
    }
}
