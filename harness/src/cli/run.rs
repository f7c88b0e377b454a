//! `smb-replay run`.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use replay_engine::{Clock, RunOptions, Stop, Verdict, WireLog};
use replay_ir::Trace;
use tokio::runtime::Runtime;

use super::progress::Display;
use super::{ClockName, Exit, RunArguments, output, say};
use crate::interrupt::Interrupt;
use crate::render::{self, Surroundings};
use crate::replay::{Replayed, Request, replay};
use crate::report::Report;
use crate::servers::{POOL, ServerSpec};
use crate::{backends, histograms, load, needs, pcapng};

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
    let runtime = match Runtime::new() {
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
    let options = options(arguments, &trace);
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
    let display = Display::start(options.progress.clone().unwrap_or_default());
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
        kerberos: *spec == ServerSpec::samba_ad_kerberos(),
        keep_failed: arguments.keep,
        through: None,
    };
    let replayed = replay(&shared, request).await;
    display.finish();
    stopper.abort();
    if let (Some(path), Some(wire)) = (&arguments.frames, &wire)
        && let Err(error) = pcapng::write(path, &trace, wire)
    {
        say(format_args!("{}: {error}", path.display()));
        return Exit::BadInput;
    }
    match replayed {
        Ok(replayed) => tell(arguments, &trace, &replayed),
        Err(reason) => {
            say(format_args!("broken: {reason}"));
            Exit::Broken
        }
    }
}

fn options(arguments: &RunArguments, trace: &Trace) -> RunOptions {
    RunOptions {
        clock: match arguments.clock {
            ClockName::Paced => Clock::Paced {
                scale: arguments.scale.unwrap_or(1.0),
            },
            ClockName::Asap => Clock::Asap,
        },
        step_timeout: arguments.step_timeout,
        run_timeout: arguments.timeout,
        event_log: trace.len() <= LOGGED_STEPS,
        wire: arguments.frames.as_ref().map(|_| WireLog::new(KEPT_FRAMES)),
        progress: Some(Arc::default()),
        stop: Some(Stop::default()),
        ..RunOptions::default()
    }
}

fn tell(arguments: &RunArguments, trace: &Trace, replayed: &Replayed) -> Exit {
    for trouble in &replayed.troubles {
        say(trouble);
    }
    let run = &replayed.run;
    let report = Report::new(trace, &replayed.server, run);
    if let Some(path) = &arguments.report
        && let Err(error) = write_report(path, &report)
    {
        say(format_args!("{}: {error}", path.display()));
        return Exit::BadInput;
    }
    if let Some(path) = &arguments.histograms {
        let now = SystemTime::now();
        let began = now.checked_sub(run.duration).unwrap_or(now);
        if let Err(error) = histograms::save(path, &run.times, began, run.duration) {
            say(format_args!("{}: {error}", path.display()));
            return Exit::BadInput;
        }
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
    text.push_str(&last_line(trace, replayed));
    if output::write(&text) {
        exit
    } else {
        Exit::BadInput
    }
}

fn last_line(trace: &Trace, replayed: &Replayed) -> String {
    let run = &replayed.run;
    let done = run.answers_agreed + run.answers_differed;
    let seconds = run.duration.as_secs_f64();
    let rate = if seconds > 0.0 {
        done as f64 / seconds
    } else {
        0.0
    };
    let service = &run.times.total.service;
    format!(
        "{}: {}: {} steps, {} agreed, {} differed, {} not run; {seconds:.3} s, {rate:.0} steps/s, \
         p50 {} µs, p99 {} µs\n",
        trace.name(),
        run.verdict,
        run.steps,
        run.answers_agreed,
        run.answers_differed,
        run.not_run.len(),
        service.value_at_quantile(0.5) / 1_000,
        service.value_at_quantile(0.99) / 1_000,
    )
}

fn write_report(path: &Path, report: &Report<'_>) -> std::io::Result<()> {
    let file = std::fs::File::create(path)?;
    let mut file = std::io::BufWriter::new(file);
    serde_json::to_writer_pretty(&mut file, report)?;
    std::io::Write::write_all(&mut file, b"\n")?;
    std::io::Write::flush(&mut file)
}
