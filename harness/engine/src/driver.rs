//! Runs a trace on tokio: the one part of this crate that reads a clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use replay_ir::{ClientId, Trace};
use tokio::task::JoinSet;

use crate::backend::{Backend, ClientContext, Connection, RunState, Unsupported};
use crate::engine::Engine;
use crate::events::EventQueue;
use crate::options::{RunOptions, Site, Stop};
use crate::readings::Readings;
use crate::report::RunReport;
use crate::target::Identity;
use crate::timer::{RunClock, Timer};
use crate::verdict::Verdict;

/// The runtime gets a turn after so many turns of the driver's, when there is always something to do.
const TURNS_BEFORE_YIELD: u32 = 64;

/// A client and its connection, in the trace's order.
type Connections = Vec<Box<dyn Connection>>;

/// Why this backend cannot run this trace at all; `None` when it can. What a [`run`] would be skipped for.
pub fn skip_reason(trace: &Trace, backend: &dyn Backend) -> Option<String> {
    let reach = backend.capabilities().mode;
    if reach < trace.mode() {
        return Some(format!(
            "the trace needs mode {}, {} reaches mode {}",
            trace.mode().number(),
            backend.name(),
            reach.number(),
        ));
    }
    let missing: Vec<String> = backend
        .missing(trace)
        .iter()
        .map(|lack| lack_text(trace, lack))
        .collect();
    (!missing.is_empty()).then(|| format!("{} cannot do {}", backend.name(), missing.join(", ")))
}

fn lack_text(trace: &Trace, lack: &Unsupported) -> String {
    match lack.step {
        Some(step) => format!("{} (line {})", lack.what, trace.step(step).line()),
        None => lack.what.clone(),
    }
}

/// Runs a trace against a site: connects, dispatches every step when its time has come and nothing stands in its
/// way, judges the answers, and closes every client. Ends after a bounded time whatever the server does. Must be
/// called inside a tokio runtime with I/O and time enabled; a current-thread one will do.
///
/// A future that is dropped in mid-run drops its connections without closing them; ask through
/// [`RunOptions::stop`] instead.
pub async fn run(
    trace: Arc<Trace>,
    backend: Arc<dyn Backend>,
    site: &Site,
    options: &RunOptions,
) -> RunReport {
    let not_started = |verdict| RunReport::not_started(backend.name(), trace.len(), verdict);
    if let Some(reason) = skip_reason(&trace, &*backend) {
        return not_started(Verdict::Skipped { reason });
    }
    let identities = match identities(&trace, site) {
        Ok(identities) => identities,
        Err(reason) => return not_started(Verdict::Broken { reason }),
    };
    let queue = EventQueue::with_wire(options.wire.clone());
    let mut connections = match connect(&trace, &*backend, site, identities, &queue) {
        Ok(connections) => connections,
        Err((connections, lack)) => {
            close(&trace, connections, options).await;
            let reason = format!("{} cannot do {}", backend.name(), lack_text(&trace, &lack));
            return not_started(Verdict::Skipped { reason });
        }
    };
    let span = tracing::debug_span!("run", trace = trace.name(), backend = backend.name());
    let engine = Engine::new(trace.clone(), options);
    let driver = Driver {
        engine,
        queue,
        options,
    };
    let engine = tracing::Instrument::instrument(driver.drive(&mut connections), span).await;
    let close_errors = close(&trace, connections, options).await;
    RunReport {
        close_errors,
        ..engine.finish(backend.name())
    }
}

struct Driver<'a> {
    engine: Engine,
    queue: EventQueue,
    options: &'a RunOptions,
}

impl Driver<'_> {
    async fn drive(mut self, connections: &mut Connections) -> Engine {
        let clock = RunClock::new();
        let mut timer = Timer::new(clock);
        let mut readings = Readings::new(clock);
        let mut batch = Vec::new();
        let mut turns = 0;
        let stop = self.options.stop.clone().unwrap_or_default();
        self.announce();
        loop {
            self.queue.take(&mut batch);
            for event in &mut batch {
                let dispatched = event.at_once.then(|| self.engine.dispatched(event.client));
                let at = match dispatched.flatten() {
                    Some(at) => at,
                    None => clock.at(event.at),
                };
                self.engine.event(event.client, at, &mut event.kind);
            }
            if stop.is_asked() {
                self.engine
                    .break_off(clock.now(), "the run was stopped".to_owned());
            }
            self.engine.advance(clock.now());
            self.queue.submitting(readings.look());
            while let Some((client, ops)) = self.engine.dispatch(readings.shared()) {
                connections[client.0 as usize].submit(ops);
            }
            if let Some(progress) = &self.options.progress {
                self.engine.publish(progress);
            }
            if self.engine.is_over() {
                return self.engine;
            }
            if self.queue.is_empty() {
                turns = 0;
                self.wait(&mut timer, &stop).await;
            } else {
                turns += 1;
                if turns % TURNS_BEFORE_YIELD == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Until something has arrived, something is due, or a stop is asked for.
    async fn wait(&self, timer: &mut Timer, stop: &Stop) {
        tokio::select! {
            biased;
            () = self.queue.arrived() => {}
            () = timer.until(self.engine.wake()) => {}
            () = stop.asked() => {}
        }
    }

    fn announce(&self) {
        if let Some(progress) = &self.options.progress {
            let trace = self.engine.trace();
            progress
                .steps_total
                .store(trace.len() as u64, Ordering::Relaxed);
            progress
                .clients_total
                .store(self.engine.clients_to_connect() as u64, Ordering::Relaxed);
        }
    }
}

/// The identity of each client, by [`ClientId`]; an anonymous client has none.
fn identities(trace: &Trace, site: &Site) -> Result<Vec<Option<Identity>>, String> {
    let identity = |client: &replay_ir::Client| {
        let Some(user) = client.arg("user") else {
            return Ok(None);
        };
        let user = user.as_str().unwrap_or_default();
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

/// Makes all clients, in the trace's order; no I/O yet. On a lane that the backend cannot make: those made so far.
fn connect(
    trace: &Arc<Trace>,
    backend: &dyn Backend,
    site: &Site,
    identities: Vec<Option<Identity>>,
    queue: &EventQueue,
) -> Result<Connections, (Connections, Unsupported)> {
    let mut made: Vec<Option<Box<dyn Connection>>> = Vec::new();
    made.resize_with(trace.clients().len(), || None);
    let known = site.identities.iter();
    let sids = known.filter_map(|(name, identity)| Some((name.clone(), identity.sid.clone()?)));
    let sids = Arc::new(sids.collect());
    let run = RunState::default();
    let context = |index: usize, identity: Option<Identity>| {
        let client = ClientId(index as u32);
        ClientContext {
            trace: trace.clone(),
            client,
            target: site.target.clone(),
            identity,
            sids: Arc::clone(&sids),
            events: queue.events(client),
            run: run.clone(),
        }
    };
    // Lanes after the connections that they are on.
    let (lanes, bases): (Vec<_>, Vec<_>) = identities
        .into_iter()
        .enumerate()
        .partition(|(index, _)| trace.clients()[*index].on().is_some());
    for (index, identity) in bases {
        made[index] = Some(backend.client(context(index, identity)));
    }
    for (index, identity) in lanes {
        let base = trace.clients()[index]
            .on()
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
/// and returned.
async fn close(trace: &Trace, connections: Connections, options: &RunOptions) -> Vec<String> {
    let is_lane = |index: usize| {
        trace
            .clients()
            .get(index)
            .is_some_and(|client| client.on().is_some())
    };
    let (lanes, bases): (Vec<_>, Vec<_>) = connections
        .into_iter()
        .enumerate()
        .partition(|(index, _)| is_lane(*index));
    let mut errors = Vec::new();
    for group in [lanes, bases] {
        let mut group = group.into_iter();
        let mut closing = JoinSet::new();
        loop {
            while closing.len() < options.connect_parallel.max(1) {
                let Some((index, connection)) = group.next() else {
                    break;
                };
                let name = trace.clients()[index].name().to_owned();
                closing.spawn(close_one(name, connection, options.close_timeout));
            }
            match closing.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => {
                    tracing::warn!(error, "a client could not be closed in good order");
                    errors.push(error);
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
