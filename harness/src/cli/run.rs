//! `smb-replay run`.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use replay_engine::{Clock, RunOptions, Stop, Verdict, WireLog};
use replay_ir::Trace;
use tokio::runtime::{Builder, Runtime};

use super::commands::{ClockName, RunArguments};
use super::progress::Display;
use super::{Exit, output, say};
use super::{figures, many};
use crate::interrupt::Interrupt;
use crate::metrics::Metrics;
use crate::render::{self, Surroundings};
use crate::replay::{Replayed, Request, replay};
use crate::report::Report;
use crate::resources::{Resources, Watch};
use crate::servers::{POOL, ServerSpec};
use crate::whole_file::WholeFile;
use crate::{backends, histograms, load, needs, pcapng, site};

/// Every step is kept for the text of a failure up to this many; beyond it the last of each client.
const LOGGED_STEPS: usize = 100_000;

/// So many bytes of frames are kept for `--frames`.
const KEPT_FRAMES: usize = 256 << 20;

/// Replays one trace.
pub(super) fn run(arguments: &RunArguments) -> Exit {
    if arguments.scale.is_some() && arguments.clock == ClockName::Asap {
        say("--scale is of use with --clock paced only");
        return Exit::Usage;
    }
    let outputs = arguments.outputs();
    if let Err(exit) = output::apart(&[&arguments.trace], &outputs) {
        return exit;
    }
    let spec: ServerSpec = match arguments.server.parse() {
        Ok(spec) => spec,
        Err(error) => {
            say(format_args!("--server: {error}"));
            return Exit::Usage;
        }
    };
    let backend = match backends::by_name(&arguments.backend) {
        Ok(backend) => backend,
        Err(reason) => {
            say(format_args!("--backend: {reason}"));
            return Exit::Usage;
        }
    };
    let trace = match load::trace(&arguments.trace, &arguments.trace.to_string_lossy()) {
        Ok(trace) => Arc::new(trace),
        Err(errors) => {
            say(errors);
            return Exit::BadInput;
        }
    };
    if let Some(reason) = replay_engine::skip_reason(&trace, &*backend) {
        say(format_args!("skipped: {reason}"));
        return Exit::Skipped;
    }
    let lacks = match needs::parse(&std::env::var("SMB_REPLAY_LACKS").unwrap_or_default()) {
        Ok(lacks) => lacks,
        Err(reason) => {
            say(reason);
            return Exit::Usage;
        }
    };
    if let Err(exit) = output::try_out(&outputs) {
        return exit;
    }
    let mut copies = RunOptions::default();
    arguments.many.apply(&trace, &mut copies);
    if let Err(exit) = many::make_room(&trace, copies.copies.count()) {
        return exit;
    }
    let runtime = match runtime(arguments) {
        Ok(runtime) => runtime,
        Err(error) => {
            say(format_args!("no threads can be made: {error}"));
            return Exit::Broken;
        }
    };
    let interrupt = Interrupt::listen(runtime.handle());
    let exit = runtime.block_on(async {
        let exit = replay_on(arguments, &spec, backend, trace, &lacks, &interrupt).await;
        for trouble in POOL.stop().await {
            say(trouble);
        }
        exit
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    interrupt.received().map_or(exit, Exit::Interrupted)
}

/// A run that keeps times has one thread: a step that is due, and its answer, then need not wake another one. Where only
/// speed counts there are as many as the machine has, and where the scheduler's spins the others' work goes on.
fn runtime(arguments: &RunArguments) -> std::io::Result<Runtime> {
    if arguments.clock == ClockName::Paced && !arguments.measure.spins() {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread().enable_all().build()
}

async fn replay_on(
    arguments: &RunArguments,
    spec: &ServerSpec,
    backend: Arc<dyn replay_engine::Backend>,
    trace: Arc<Trace>,
    lacks: &[String],
    interrupt: &Interrupt,
) -> Exit {
    let started = tokio::select! {
        biased;
        signal = interrupt.wait() => return Exit::Interrupted(signal),
        started = POOL.get(spec, Some(Arc::new(|line| say(line)))) => started,
    };
    let shared = match started {
        Ok(shared) => shared,
        Err(reason) => {
            say(reason);
            return Exit::NoServer;
        }
    };
    if let Some(reason) = needs::skip_reason(&trace, &shared.server, lacks) {
        say(format_args!("skipped: {reason}"));
        return Exit::Skipped;
    }
    let mut options = options(arguments, &trace);
    options.copies.identities = match arguments.many.identities {
        Some(identities) => identities,
        None => site::identities(&trace, &shared.server, options.copies.count()),
    };
    let progress = options.progress.clone().unwrap_or_default();
    let watched = Arc::clone(&progress);
    let measure = &arguments.measure;
    let metrics = Metrics::start(measure.metrics, measure.metrics_file.as_deref(), &progress);
    let metrics = match metrics.await {
        Ok(metrics) => metrics,
        Err(reason) => {
            say(format_args!("metrics: {reason}"));
            return Exit::BadInput;
        }
    };
    if let Some(address) = metrics.address() {
        say(format_args!("metrics at http://{address}/metrics"));
    }
    let stopper = {
        let (interrupt, stop) = (interrupt.clone(), options.stop.clone());
        tokio::spawn(async move {
            interrupt.wait().await;
            if let Some(stop) = stop {
                stop.stop();
            }
        })
    };
    let wire = options.wire.clone();
    let display = Display::start(progress);
    let name = arguments
        .trace
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let request = Request {
        case: &name,
        trace: Arc::clone(&trace),
        backend,
        options,
        kerberos: spec.kerberos(),
        keep_failed: arguments.keep,
        through: None,
    };
    let watch = arguments.many.is_many().then(|| Watch::start(watched));
    let replayed = replay(&shared, request).await;
    let resources = match watch {
        Some(watch) => Some(watch.finish().await),
        None => None,
    };
    display.finish();
    stopper.abort();
    let mut written = Written(true);
    if let Err(reason) = metrics.finish() {
        say(format_args!("metrics: {reason}"));
        written = Written(false);
    }
    if let (Some(path), Some(wire)) = (&arguments.frames, &wire) {
        written.note(path, pcapng::write(path, &trace, wire));
    }
    let exit = match replayed {
        Ok(replayed) => tell(
            arguments,
            &trace,
            &replayed,
            resources.as_ref(),
            &mut written,
        ),
        Err(reason) => {
            say(format_args!("broken: {reason}"));
            Exit::Broken
        }
    };
    match (exit, written) {
        (Exit::Passed, Written(false)) => Exit::BadInput,
        (exit, _) => exit,
    }
}

/// Whether everything could be written that was asked for. What could not is said, and takes nothing from the rest.
struct Written(bool);

impl Written {
    fn note(&mut self, path: &Path, result: std::io::Result<()>) {
        if let Err(error) = result {
            say(format_args!("{}: {error}", path.display()));
            self.0 = false;
        }
    }
}

fn options(arguments: &RunArguments, trace: &Trace) -> RunOptions {
    let mut options = RunOptions {
        clock: match arguments.clock {
            ClockName::Paced => Clock::Paced {
                scale: arguments.scale.unwrap_or(1.0),
            },
            ClockName::Asap => Clock::Asap,
        },
        step_timeout: arguments.step_timeout,
        run_timeout: arguments.timeout,
        event_log: trace.len() <= LOGGED_STEPS && !arguments.many.is_many(),
        wire: arguments.frames.as_ref().map(|_| WireLog::new(KEPT_FRAMES)),
        progress: Some(Arc::default()),
        stop: Some(Stop::default()),
        ..RunOptions::default()
    };
    arguments.many.apply(trace, &mut options);
    arguments.measure.apply(&mut options);
    options
}

fn tell(
    arguments: &RunArguments,
    trace: &Trace,
    replayed: &Replayed,
    resources: Option<&Resources>,
    written: &mut Written,
) -> Exit {
    for trouble in &replayed.troubles {
        say(trouble);
    }
    let run = &replayed.run;
    let report = Report::new(trace, &replayed.server, run).with_resources(resources);
    if let Some(path) = &arguments.report {
        written.note(path, write_report(path, &report));
    }
    if let Some(path) = &arguments.histograms {
        let now = SystemTime::now();
        let began = now.checked_sub(run.duration).unwrap_or(now);
        written.note(
            path,
            histograms::save(path, &run.times, began, run.duration),
        );
    }
    let exit = match &run.verdict {
        Verdict::Passed => Exit::Passed,
        Verdict::Skipped { .. } => Exit::Skipped,
        Verdict::Broken { .. } => Exit::Broken,
        _ => Exit::Failed,
    };
    let mut text = String::new();
    if exit != Exit::Passed {
        let shown = arguments.trace.to_string_lossy();
        let around = Surroundings {
            shown: &shown,
            server: &replayed.server,
            kept: replayed.kept.as_deref(),
            ..Surroundings::default()
        };
        text = render::failure(trace, run, &around);
        text.push('\n');
    }
    text.push_str(&figures::measured(trace, replayed, resources));
    text.push_str(&figures::last_line(trace, replayed));
    written.0 &= output::write(&text);
    exit
}

fn write_report(path: &Path, report: &Report<'_>) -> std::io::Result<()> {
    let mut file = WholeFile::create(path)?;
    serde_json::to_writer_pretty(&mut file, report)?;
    std::io::Write::write_all(&mut file, b"\n")?;
    file.finish()
}
