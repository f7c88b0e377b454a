//! Runs a trace on tokio: the one part of this crate that reads a clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use replay_ir::Trace;

use crate::backend::{Backend, Unsupported};
use crate::clients::{Connections, close, connect, identities};
use crate::copies::Shape;
use crate::engine::Engine;
use crate::events::EventQueue;
use crate::options::{RunOptions, Site, Stop};
use crate::probe::Probe;
use crate::readings::Readings;
use crate::report::RunReport;
use crate::timer::{RunClock, Timer};
use crate::verdict::Verdict;

/// The runtime gets a turn after so many turns of the driver's, when there is always something to do.
const TURNS_BEFORE_YIELD: u32 = 64;

/// The longest that the driver looks at the clock without letting others work.
const LONGEST_SPIN: Duration = Duration::from_millis(1);

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
    if Shape::overflows(&trace, options.copies.count()) {
        let reason = format!("{} copies have too many steps", options.copies.count());
        return not_started(Verdict::Broken { reason });
    }
    let identities = match identities(&trace, site, &options.copies) {
        Ok(identities) => identities,
        Err(reason) => return not_started(Verdict::Broken { reason }),
    };
    let queue = EventQueue::with_wire(options.wire.clone());
    let mut connections = match connect(
        &trace,
        &*backend,
        site,
        &identities,
        &options.copies,
        &queue,
    ) {
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
    let driven = driver.drive(&mut connections);
    let (engine, probe) = tracing::Instrument::instrument(driven, span.clone()).await;
    let closing = tracing::debug_span!(parent: &span, "closing");
    let closed = close(&trace, connections, options);
    let close_errors = tracing::Instrument::instrument(closed, closing).await;
    let probe = match probe {
        Some(probe) => probe.finish().await.map(Box::new),
        None => None,
    };
    RunReport {
        close_errors,
        probe,
        ..engine.finish(backend.name())
    }
}

/// A span for each part of a run, for whoever listens to `tracing`.
struct Phase {
    name: &'static str,
    _span: tracing::Span,
}

impl Phase {
    fn new(engine: &Engine) -> Self {
        let name = engine.phase();
        Self {
            name,
            _span: tracing::debug_span!("phase", name),
        }
    }

    #[inline]
    fn follow(&mut self, engine: &Engine) {
        if !std::ptr::eq(self.name, engine.phase()) {
            tracing::debug!(from = self.name, to = engine.phase(), "the next phase");
            *self = Self::new(engine);
        }
    }
}

struct Driver<'a> {
    engine: Engine,
    queue: EventQueue,
    options: &'a RunOptions,
}

impl Driver<'_> {
    async fn drive(mut self, connections: &mut Connections) -> (Engine, Option<Probe>) {
        let clock = RunClock::new();
        let mut timer = Timer::new(clock);
        let mut readings = Readings::new(clock);
        let (mut batch, mut plain) = (Vec::new(), Vec::new());
        let mut turns = 0;
        let mut moments = self.options.calibrate.then(|| self.engine.moments());
        let mut probe = None;
        let mut phase = Phase::new(&self.engine);
        let stop = self.options.stop.clone().unwrap_or_default();
        self.announce();
        loop {
            self.queue.take_all(&mut batch, &mut plain);
            for end in &plain {
                let at = self.engine.dispatched(end.0);
                self.engine.plain(*end, at.unwrap_or(readings.last()));
            }
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
            phase.follow(&self.engine);
            if moments.is_some()
                && let Some(start) = self.engine.started_at()
            {
                let moments = moments.take().filter(|moments| !moments.is_empty());
                probe = moments.and_then(|moments| Probe::start(clock.instant(start), moments));
            }
            self.queue.submitting(readings.look());
            while let Some((client, ops)) = self.engine.dispatch(readings.shared()) {
                connections[client.0 as usize].submit(ops);
            }
            if let Some(progress) = &self.options.progress {
                self.engine.publish(readings.last(), progress);
            }
            if self.engine.is_over() {
                return (self.engine, probe);
            }
            if self.queue.is_empty() {
                turns = 0;
                self.wait(clock, &mut timer, &stop).await;
            } else {
                turns += 1;
                if turns % TURNS_BEFORE_YIELD == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Until something has arrived, something is due, or a stop is asked for.
    async fn wait(&self, clock: RunClock, timer: &mut Timer, stop: &Stop) {
        let mut wake = self.engine.wake();
        if self.engine.started_at().is_some() {
            let coalesce = self.options.coalesce.as_nanos() as u64;
            wake = wake.map(|at| at.saturating_add(coalesce));
            let spin = self.options.spin.min(LONGEST_SPIN).as_nanos() as u64;
            if spin > 0
                && let Some(at) = wake
            {
                let begin = at.saturating_sub(spin);
                if begin <= clock.now() {
                    return self.spin(clock, at);
                }
                wake = Some(begin);
            }
        }
        tokio::select! {
            biased;
            () = self.queue.arrived() => {}
            () = timer.until(wake) => {}
            () = stop.asked() => {}
        }
    }

    /// Until this time, or until something has arrived.
    fn spin(&self, clock: RunClock, until: u64) {
        while self.queue.is_empty() && clock.now() < until {
            std::hint::spin_loop();
        }
    }

    fn announce(&self) {
        if let Some(progress) = &self.options.progress {
            progress
                .steps_total
                .store(self.engine.steps() as u64, Ordering::Relaxed);
            progress
                .clients_total
                .store(self.engine.clients_to_connect() as u64, Ordering::Relaxed);
        }
    }
}
