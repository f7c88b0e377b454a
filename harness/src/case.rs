//! A case: one trace with one backend on one server, as a suite's function gets it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use replay_engine::{Clock, RunOptions, WireLog};
use replay_ir::{Check, Trace};

use crate::alone::{self, Company};
use crate::artifacts::{self, Artifacts};
use crate::interrupt::Interrupt;
use crate::render::{self, Surroundings};
use crate::replay::{Replayed, Request, replay};
use crate::servers::{POOL, ServerError, ServerSpec, Shared};
use crate::settings::{Settings, Update};
use crate::verdict::Verdict;
use crate::{backends, load, needs, update};

/// The longest that a case of a suite may replay, unless it is told otherwise.
const LONGEST: Duration = Duration::from_secs(600);
/// Up to this many steps every one of them is kept for the event log.
const LOGGED_STEPS: usize = 100_000;
/// So many bytes of frames are kept for a failure; when there are more, the latest.
const KEPT_FRAMES: usize = 16 << 20;

/// One trace, one backend, one server.
///
/// The usual function of a suite replays it and returns the verdict; one that wants more can look
/// at it first, choose another backend, server, clock or bound, or not replay it at all.
#[derive(Clone)]
pub struct Case {
    pub(crate) about: Arc<About>,
    backend: String,
    server: String,
    spec: Result<ServerSpec, Arc<ServerError>>,
    clock: Clock,
    step_timeout: Option<Duration>,
    run_timeout: Duration,
    left: Arc<Mutex<Option<PathBuf>>>,
}

/// What does not change about a case.
pub(crate) struct About {
    /// Its full name.
    pub(crate) name: String,
    /// The trace's file.
    pub(crate) path: PathBuf,
    /// The file as it is called from the workspace.
    pub(crate) shown: String,
    /// Where the artefacts of the suite go.
    pub(crate) artifacts: PathBuf,
    /// Where the suites of this target folder take turns.
    pub(crate) turns: PathBuf,
    /// The command that runs this case again.
    pub(crate) again: String,
    pub(crate) settings: Arc<Settings>,
    pub(crate) interrupt: Interrupt,
}

impl Case {
    pub(crate) fn new(
        about: About,
        backend: &str,
        server: &str,
        spec: Result<ServerSpec, ServerError>,
    ) -> Self {
        Self {
            about: Arc::new(about),
            backend: backend.to_owned(),
            server: server.to_owned(),
            spec: spec.map_err(Arc::new),
            clock: Clock::default(),
            step_timeout: None,
            run_timeout: LONGEST,
            left: Arc::default(),
        }
    }

    /// Its name: `area::trace::backend::server`.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// The trace's file.
    pub fn path(&self) -> &Path {
        &self.about.path
    }

    /// The backend's name, for instance `smb-rs`.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// The server's name, for instance `samba-4.17`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The same case with another backend, named as in `smb-replay run --backend`.
    #[must_use]
    pub fn with_backend(mut self, name: &str) -> Self {
        name.clone_into(&mut self.backend);
        self
    }

    /// The same case on another server.
    #[must_use]
    pub fn on(mut self, server: &ServerSpec) -> Self {
        self.server = server.name();
        self.spec = Ok(server.clone());
        self
    }

    /// The same case by another clock; the trace's own times otherwise.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The longest that one step may take (30 s otherwise).
    #[must_use]
    pub fn with_step_timeout(mut self, longest: Duration) -> Self {
        self.step_timeout = Some(longest);
        self
    }

    /// The longest that all steps may take together (10 minutes otherwise).
    #[must_use]
    pub fn with_run_timeout(mut self, longest: Duration) -> Self {
        self.run_timeout = longest;
        self
    }

    /// Loads the trace, starts the server unless it runs, replays, and judges.
    pub async fn replay(self) -> Verdict {
        let trace = match load::trace(&self.about.path, &self.about.shown) {
            Ok(trace) => Arc::new(trace),
            Err(errors) => return Verdict::Failed(errors.to_string()),
        };
        let backend = match backends::by_name(&self.backend) {
            Ok(backend) => backend,
            Err(reason) => return Verdict::Broken(reason),
        };
        if let Some(reason) = replay_engine::skip_reason(&trace, &*backend) {
            return Verdict::Skipped(reason);
        }
        let company = if is_timed(&trace) {
            Company::Alone
        } else {
            Company::Shared
        };
        let _turn = match self
            .unless_interrupted(alone::turn(&self.about.turns, company))
            .await
        {
            Ok(Ok(turn)) => turn,
            Ok(Err(error)) => return Verdict::Broken(format!("waiting for a turn: {error}")),
            Err(verdict) => return verdict,
        };
        let shared = match self.unless_interrupted(self.start()).await {
            Ok(Ok(shared)) => shared,
            Ok(Err(verdict)) | Err(verdict) => return verdict,
        };
        let lacks = &self.about.settings.lacks;
        if let Some(reason) = needs::skip_reason(&trace, &shared.server, lacks) {
            return Verdict::Skipped(reason);
        }
        let options = self.options(&trace);
        let wire = options.wire.clone();
        let request = Request {
            case: &self.about.name,
            trace: Arc::clone(&trace),
            backend,
            options,
            kerberos: self.spec.as_ref().is_ok_and(ServerSpec::kerberos),
            keep_failed: self.about.settings.keep,
            through: None,
        };
        let stopper = self.stop_when_interrupted(&request.options);
        let replayed = replay(&shared, request).await;
        stopper.abort();
        match replayed {
            Err(reason) => Verdict::Broken(reason),
            Ok(replayed) => self.judge(&trace, &replayed, wire.as_ref()),
        }
    }

    /// The folder with the artefacts of the last replay of this case, or of a clone of it, if there
    /// are any: a case that failed or broke has some.
    pub fn artifacts(&self) -> Option<PathBuf> {
        self.left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn start(&self) -> Result<Arc<Shared>, Verdict> {
        let spec = self
            .spec
            .as_ref()
            .map_err(|error| Verdict::Broken(error.to_string()))?;
        let progress: samba_servers::Progress = Arc::new(|line| eprintln!("{line}"));
        match POOL.get(spec, Some(progress)).await {
            Ok(shared) => Ok(shared),
            Err(reason) if self.about.settings.require => Err(Verdict::Broken(format!(
                "a server is required, but {reason}"
            ))),
            Err(reason) => Err(Verdict::Skipped(reason)),
        }
    }

    fn options(&self, trace: &Trace) -> RunOptions {
        let defaults = RunOptions::default();
        RunOptions {
            clock: self.clock,
            step_timeout: self.step_timeout.unwrap_or(defaults.step_timeout),
            run_timeout: Some(self.run_timeout),
            event_log: trace.len() <= LOGGED_STEPS,
            wire: Some(WireLog::new(KEPT_FRAMES)),
            progress: Some(Arc::default()),
            stop: Some(replay_engine::Stop::default()),
            ..defaults
        }
    }

    fn stop_when_interrupted(&self, options: &RunOptions) -> tokio::task::JoinHandle<()> {
        let (interrupt, stop) = (self.about.interrupt.clone(), options.stop.clone());
        tokio::spawn(async move {
            interrupt.wait().await;
            if let Some(stop) = stop {
                stop.stop();
            }
        })
    }

    async fn unless_interrupted<T>(&self, future: impl Future<Output = T>) -> Result<T, Verdict> {
        tokio::select! {
            biased;
            signal = self.about.interrupt.wait() => {
                Err(Verdict::Broken(format!("interrupted by {}", signal.name())))
            }
            value = future => Ok(value),
        }
    }

    fn judge(&self, trace: &Trace, replayed: &Replayed, wire: Option<&WireLog>) -> Verdict {
        for trouble in &replayed.troubles {
            eprintln!("{}: {trouble}", self.about.name);
        }
        let run = &replayed.run;
        match &run.verdict {
            replay_engine::Verdict::Passed => return Verdict::Passed,
            replay_engine::Verdict::Skipped { reason } => return Verdict::Skipped(reason.clone()),
            _ => {}
        }
        if self.about.settings.update != Update::No
            && let Some(verdict) = self.update(trace, replayed)
        {
            return verdict;
        }
        let folder = artifacts::folder(&self.about.artifacts, &self.about.name);
        let shown = self.about.shown.as_str();
        let around = Surroundings {
            shown,
            server: &replayed.server,
            artifacts: Some(&folder),
            kept: replayed.kept.as_deref(),
            again: Some(&self.about.again),
        };
        let text = render::failure(trace, run, &around);
        let written = Artifacts {
            trace,
            source: &self.about.path,
            run,
            server: &replayed.server,
            server_log: &replayed.server_log,
            wire,
        }
        .write(&folder, &text);
        match written {
            Ok(()) => {
                *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder);
            }
            Err(error) => eprintln!("{}: {error}", folder.display()),
        }
        match &run.verdict {
            replay_engine::Verdict::Broken { reason } => {
                Verdict::Broken(format!("{reason}\n\n{text}"))
            }
            _ => Verdict::Failed(text),
        }
    }

    /// The verdict after expectations were rewritten; `None` when others remain that were not met.
    fn update(&self, trace: &Trace, replayed: &Replayed) -> Option<Verdict> {
        let (run, mode) = (&replayed.run, self.about.settings.update);
        let rewritten = match update::rewrite(&self.about.path, trace, run, mode) {
            Ok(rewritten) => rewritten,
            Err(error) => return Some(Verdict::Failed(error)),
        };
        if !rewritten.is_empty() {
            let shown = &self.about.shown;
            eprintln!(
                "{shown}: expectations rewritten: {}; look at them",
                rewritten.len()
            );
        }
        let is_met = |difference: &replay_engine::Difference| {
            difference
                .step()
                .is_some_and(|step| rewritten.contains(&step))
        };
        let failed = matches!(run.verdict, replay_engine::Verdict::Failed { .. });
        (failed && run.differences.iter().all(is_met)).then_some(Verdict::Passed)
    }
}

/// True for a trace that judges times, so that nothing else may run meanwhile.
fn is_timed(trace: &Trace) -> bool {
    trace
        .checks()
        .iter()
        .any(|check| matches!(check, Check::Time { .. }))
}
