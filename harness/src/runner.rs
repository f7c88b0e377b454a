//! Runs the cases of a suite: lists, filters, runs, sums up, and cleans up before it leaves.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

use libtest_mimic::{Completion, Failed, Trial};
use tokio::runtime::Runtime;

use crate::arguments::CommandLine;
use crate::case::{About, Case};
use crate::discover::{self, FoundTrace};
use crate::interrupt::Interrupt;
use crate::known::KnownFailures;
use crate::servers::POOL;
use crate::settings::Settings;
use crate::suite::{CaseFuture, NamedServer, Suite, TestFailure, TestResult};
use crate::summary::{CaseRecord, Summary};
use crate::verdict::{Judged, Verdict};
use crate::{artifacts, naming};

type Body = Box<dyn Fn(Case) -> CaseFuture + Send + Sync>;

/// The exit code for a suite that cannot be run as it stands: its known failures do not parse, no
/// trace matches, the environment says something that does not exist.
const UNUSABLE: u8 = 2;

/// How long a case may take to end after a signal.
const OVERDUE: std::time::Duration = std::time::Duration::from_secs(20);

/// One runtime for all servers and cases of the process. It lives as long as the process does, so
/// that nothing of theirs is dropped outside of it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .expect("a process can make threads and an epoll instance")
});

/// `main` of a suite over libtest-mimic.
pub(crate) fn main(suite: Suite, body: Body) -> ExitCode {
    let begin = Instant::now();
    let line = CommandLine::parse(std::env::args_os().skip(1));
    let prepared = Prepared::new(suite);
    let run = match prepared {
        Ok(prepared) => Arc::new(SuiteRun::new(prepared, body)),
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::from(UNUSABLE);
        }
    };
    let mut trials: Vec<Trial> = run
        .cases()
        .into_iter()
        .map(|case| run.trial(case))
        .collect();
    line.select(&mut trials);
    if line.mimic.list {
        return libtest_mimic::run(&line.mimic, trials).exit_code();
    }
    run.prepared.warn_of_unused();
    let conclusion = libtest_mimic::run(&line.mimic, trials);
    let interrupt = INTERRUPT.received();
    stop_servers();
    run.sum_up(begin);
    match interrupt {
        Some(signal) => ExitCode::from(signal.exit_code()),
        None => conclusion.exit_code(),
    }
}

/// One `#[test]` function. Its server stays until the process ends: libtest gives no place to stop
/// it, and `samba-servers` ends it with its owner.
pub(crate) fn test<F, R>(
    suite: &'static Suite,
    trace: &'static str,
    backend: &'static str,
    server: usize,
    path: &'static str,
    body: F,
) -> TestResult
where
    F: FnOnce(Case) -> R,
    R: Future<Output = Verdict>,
{
    init_log();
    let prepared = Prepared::of_one(suite).map_err(TestFailure)?;
    let begin = Instant::now();
    // libtest names the thread after the test, rstest's cases included; with one thread it runs
    // them on the main one.
    let thread = std::thread::current();
    let name = match thread.name() {
        Some(name) if name != "main" => name,
        _ => path.split_once("::").map_or(path, |(_, name)| name),
    };
    let directory = suite.directory();
    let found = FoundTrace {
        name: name.to_owned(),
        path: directory.join(trace),
        relative: trace.to_owned(),
    };
    let about = prepared.about(name.to_owned(), &found);
    let chosen = suite.servers[server];
    let case = Case::new(about, backend, chosen.name, (chosen.spec)());
    artifacts::clear(&artifacts::folder(&prepared.artifacts, name));
    let verdict = RUNTIME.block_on(unless_overdue(body(case.clone())));
    let judged = Judged::new(verdict, prepared.known.of(name));
    let record = record(&case, &found.relative, &judged, begin);
    prepared.write_summary(
        vec![record],
        Some(&format!("tests-{}", std::process::id())),
        begin,
    );
    if let Some(signal) = INTERRUPT.received() {
        // libtest would go on with the next test.
        stop_servers();
        std::process::exit(i32::from(signal.exit_code()));
    }
    match judged {
        Judged::As(Verdict::Passed) => Ok(()),
        Judged::As(Verdict::Skipped(reason)) => {
            eprintln!("{name} skipped: {reason}");
            Ok(())
        }
        Judged::KnownFailure { reason, .. } => {
            eprintln!("{name} failed, as is known: {reason}");
            Ok(())
        }
        other => Err(TestFailure(message(&other))),
    }
}

/// Signals, from the first case on.
static INTERRUPT: LazyLock<Interrupt> = LazyLock::new(|| Interrupt::listen(RUNTIME.handle()));

/// Gives up a case's function that does not end after a signal; a replay does, and cleans up.
async fn unless_overdue(body: impl Future<Output = Verdict>) -> Verdict {
    tokio::select! {
        verdict = body => verdict,
        signal = async {
            let signal = INTERRUPT.wait().await;
            tokio::time::sleep(OVERDUE).await;
            signal
        } => Verdict::Broken(format!("interrupted by {}, and given up", signal.name())),
    }
}

fn stop_servers() {
    for trouble in RUNTIME.block_on(POOL.stop()) {
        eprintln!("{trouble}");
    }
}

/// `RUST_LOG` shows what the crates below have to say, on stderr.
fn init_log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Already set when a test process runs its second test.
    let _ = subscriber.try_init();
}

/// A suite with what the environment and its files say.
struct Prepared<S> {
    suite: S,
    settings: Arc<Settings>,
    known: KnownFailures,
    traces: Vec<FoundTrace>,
    artifacts: PathBuf,
}

impl Prepared<Suite> {
    fn new(suite: Suite) -> Result<Self, String> {
        let traces = discover::traces(&suite)?;
        Self::with(suite, traces)
    }
}

impl Prepared<&'static Suite> {
    fn of_one(suite: &'static Suite) -> Result<Self, String> {
        Self::with(suite, Vec::new())
    }
}

impl<S: std::borrow::Borrow<Suite>> Prepared<S> {
    fn with(suite: S, traces: Vec<FoundTrace>) -> Result<Self, String> {
        let settings = Arc::new(Settings::from_env()?);
        let about = suite.borrow();
        let known = match about.known {
            Some(path) => KnownFailures::load(&about.directory().join(path))
                .map_err(|error| error.to_string())?,
            None => KnownFailures::default(),
        };
        let base = settings.artifacts.clone();
        let base = base.unwrap_or_else(|| about.target_dir().join("smb-replay"));
        let artifacts = base.join(about.name);
        Ok(Self {
            suite,
            settings,
            known,
            traces,
            artifacts,
        })
    }

    fn about(&self, name: String, trace: &FoundTrace) -> About {
        let suite = self.suite.borrow();
        let shown = trace
            .path
            .strip_prefix(suite.workspace())
            .unwrap_or(&trace.path);
        About {
            again: self.again(&name),
            name,
            path: trace.path.clone(),
            shown: shown.to_string_lossy().into_owned(),
            artifacts: self.artifacts.clone(),
            turns: suite.target_dir().join("smb-replay").join(".turns"),
            settings: Arc::clone(&self.settings),
            interrupt: INTERRUPT.clone(),
        }
    }

    fn again(&self, name: &str) -> String {
        let suite = self.suite.borrow();
        let is_test = std::path::Path::new(suite.source)
            .iter()
            .any(|part| part == "tests");
        let target = match is_test {
            true => format!(" --test {}", target_name(suite)),
            false => String::new(),
        };
        format!("cargo test -p {}{target} -- --exact {name}", suite.package)
    }

    fn write_summary(&self, cases: Vec<CaseRecord>, run: Option<&str>, begin: Instant) {
        let path = self.artifacts.join("report.json");
        let run = self.settings.nextest_run.as_deref().or(run);
        let mut summary = Summary::new(self.suite.borrow().name, run);
        summary.seconds = begin.elapsed().as_secs_f64();
        summary.cases = cases;
        match summary.write(&path) {
            Ok(totals) => eprintln!("{totals}; report: {}", path.display()),
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }

    fn names(&self) -> impl Iterator<Item = (String, &FoundTrace, &'static str, NamedServer)> {
        let suite = self.suite.borrow();
        let (backends, servers) = (suite.backends, suite.servers);
        self.traces.iter().flat_map(move |trace| {
            backends.iter().flat_map(move |backend| {
                servers.iter().map(move |server| {
                    let name = naming::of_case(&trace.name, backend, server.name);
                    (name, trace, *backend, *server)
                })
            })
        })
    }

    /// Patterns that match nothing hide that a case was renamed.
    fn warn_of_unused(&self) {
        let names: Vec<String> = self.names().map(|(name, ..)| name).collect();
        for pattern in self.known.unused(names.iter().map(String::as_str)) {
            eprintln!("warning: the known failure `{pattern}` matches no case");
        }
    }
}

/// The test target's name as cargo knows it: the file or folder below `tests`.
fn target_name(suite: &Suite) -> String {
    let source = std::path::Path::new(suite.source);
    let mut parts = source.iter().skip_while(|part| *part != "tests").skip(1);
    let name = parts.next().map(|part| part.to_string_lossy().into_owned());
    let name = name.map(|name| name.trim_end_matches(".rs").to_owned());
    name.filter(|name| name.replace('-', "_") == suite.target)
        .unwrap_or_else(|| suite.target.to_owned())
}

/// A run of a suite's cases in this process.
struct SuiteRun {
    prepared: Prepared<Suite>,
    body: Body,
    records: Mutex<Vec<CaseRecord>>,
}

/// A case before it runs.
struct Planned {
    name: String,
    trace: FoundTrace,
    backend: &'static str,
    server: NamedServer,
}

impl SuiteRun {
    fn new(prepared: Prepared<Suite>, body: Body) -> Self {
        Self {
            prepared,
            body,
            records: Mutex::default(),
        }
    }

    fn cases(&self) -> Vec<Planned> {
        let names = self.prepared.names();
        let plan = names.map(|(name, trace, backend, server)| Planned {
            name,
            trace: trace.clone(),
            backend,
            server,
        });
        plan.collect()
    }

    fn trial(self: &Arc<Self>, planned: Planned) -> Trial {
        let run = Arc::clone(self);
        let name = planned.name.clone();
        Trial::ignorable_test(name, move || run.run(planned))
    }

    fn run(&self, planned: Planned) -> Result<Completion, Failed> {
        init_log();
        let begin = Instant::now();
        let Planned {
            name,
            trace,
            backend,
            server,
        } = planned;
        artifacts::clear(&artifacts::folder(&self.prepared.artifacts, &name));
        let about = self.prepared.about(name, &trace);
        let case = Case::new(about, backend, server.name, (server.spec)());
        let verdict = match INTERRUPT.received() {
            Some(signal) => Verdict::Skipped(format!("{} came before it began", signal.name())),
            None => {
                let body = || RUNTIME.block_on(unless_overdue((self.body)(case.clone())));
                // A panic is the case's own; it must still get into the report.
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
                    .unwrap_or_else(|panic| Verdict::Failed(panic_text(&*panic)))
            }
        };
        let judged = Judged::new(verdict, self.prepared.known.of(case.name()));
        let record = record(&case, &trace.relative, &judged, begin);
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
        match &judged {
            Judged::As(Verdict::Passed) => Ok(Completion::Completed),
            Judged::As(Verdict::Skipped(reason)) => Ok(Completion::ignored_with(reason)),
            Judged::KnownFailure { reason, .. } => {
                Ok(Completion::ignored_with(format!("known failure: {reason}")))
            }
            _ => Err(Failed::from(message(&judged))),
        }
    }

    fn sum_up(&self, begin: Instant) {
        let records =
            std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner));
        self.prepared.write_summary(records, None, begin);
    }
}

fn record(case: &Case, trace: &str, judged: &Judged, begin: Instant) -> CaseRecord {
    CaseRecord {
        name: case.name().to_owned(),
        trace: trace.to_owned(),
        backend: case.backend().to_owned(),
        server: case.server().to_owned(),
        verdict: judged.word().to_owned(),
        reason: judged.text().map(str::to_owned),
        seconds: begin.elapsed().as_secs_f64(),
        artifacts: case.artifacts(),
    }
}

/// What is shown for a case that fails.
fn message(judged: &Judged) -> String {
    match judged {
        Judged::As(Verdict::Failed(text)) => text.clone(),
        Judged::As(verdict) => verdict.to_string(),
        Judged::KnownFailure { reason, text } => format!("known failure: {reason}\n\n{text}"),
        Judged::UnexpectedPass { reason } => {
            format!("passed, but it is listed as a known failure ({reason}); take it off the list")
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "the case's function panicked: {}",
        text.unwrap_or_else(|| "no message".to_owned())
    )
}
