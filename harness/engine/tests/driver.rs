//! The driver on tokio, in real time kept coarse: that runs end, connect, close, stop, and report.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use replay_engine::{
    Backend, Capabilities, ClientContext, Clock, CloseError, Connection, Copies, Identity, Kind,
    NullBackend, Op, Outcome, Progress, Reply, ReplyEnd, RunOptions, RunReport, Script, Session,
    SessionConnection, SimulatedBackend, Site, Stop, Target, Unsupported, Verdict, run,
};
use replay_ir::{Answer, Mode, Trace};
use support::*;

fn site() -> Site {
    let target = Target {
        address: ([127, 0, 0, 1], 1).into(),
        host: "localhost".to_owned(),
        share: "share".to_owned(),
        root: String::new(),
        realm: None,
    };
    Site {
        target,
        identities: BTreeMap::new(),
    }
}

fn quick() -> RunOptions {
    RunOptions {
        step_timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_millis(300),
        close_timeout: Duration::from_millis(300),
        ..options()
    }
}

fn passed(report: &RunReport) {
    let (verdict, not_run) = (&report.verdict, &report.not_run);
    assert_eq!(
        *verdict,
        Verdict::Passed,
        "{:?} {not_run:?}",
        report.differences
    );
}

const ALL: &str = "\
    a: A open f -> OK level=batch\nb: A + read f len=16 -> OK len=16 fill=7\nc: A lock f -> PENDING\n\
    d: A2 read f offset=3 len=4 -> OK data=\"four\"\ne: A await c -> ACCESS_DENIED\n\
    f: B echo after=c.pending,d -> *\ng: @20ms B pause\nh: C connect\ni: C echo after=f.sent\n\
    A on-break f ignore\nB no-break g within=5ms";

fn everything() -> Arc<Trace> {
    trace(&ALL.replace("B no-break g", "B open g\nB no-break g"))
}

#[tokio::test]
async fn the_null_backend_agrees_with_every_trace() {
    let trace = everything();
    let report = run(
        trace.clone(),
        Arc::new(NullBackend::default()),
        &site(),
        &quick(),
    )
    .await;
    passed(&report);
    assert_eq!(
        (report.steps, report.answers_agreed),
        (trace.len(), trace.len())
    );
    assert_eq!(report.backend, "null");
    assert!(report.duration >= Duration::from_millis(20));
    assert!(report.close_errors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulated_backend_plays_its_script_on_a_multi_threaded_runtime() {
    let trace = everything();
    let report = run(
        trace.clone(),
        Arc::new(SimulatedBackend::new(Script::default())),
        &site(),
        &quick(),
    )
    .await;
    passed(&report);

    let silent = script(&trace, [("d", Reply::after(0).end(ReplyEnd::Never))]);
    let report = run(
        trace,
        Arc::new(SimulatedBackend::new(silent)),
        &site(),
        &quick(),
    )
    .await;
    let kinds = [Kind::Time, Kind::NotRun].into_iter().collect();
    assert_eq!(
        report.verdict,
        Verdict::Failed { kinds },
        "{:?}",
        report.differences
    );
}

#[tokio::test]
async fn the_null_backend_keeps_milestones_in_order() {
    let steps = "A open f\na: A lock f -> PENDING\nA await a\nb: B echo after=a\nc: A2 echo after=b\n\
        check order a.sent < a.pending\ncheck order a.pending < a\ncheck order a < b.sent\n\
        check order b < c.sent\ncheck order c.sent < c";
    for clock in [Clock::Asap, Clock::default()] {
        let options = RunOptions { clock, ..quick() };
        let backend = Arc::new(NullBackend::default());
        let report = run(trace(steps), backend, &site(), &options).await;
        passed(&report);
    }
}

#[tokio::test]
async fn as_fast_as_possible_leaves_no_step_out() {
    let steps = "A echo\nB echo\nC echo\nA2 echo\n".repeat(5_000);
    let progress = Arc::new(Progress::default());
    let options = RunOptions {
        clock: Clock::Asap,
        progress: Some(progress.clone()),
        ..quick()
    };
    let report = run(
        trace(&steps),
        Arc::new(NullBackend::default()),
        &site(),
        &options,
    )
    .await;
    passed(&report);
    assert_eq!(report.times.total.count(), 20_000);
    let seen = [
        &progress.steps_done,
        &progress.steps_total,
        &progress.clients_connected,
        &progress.clients_total,
    ];
    assert_eq!(
        seen.map(|counter| counter.load(Ordering::Relaxed)),
        [20_000, 20_000, 3, 3]
    );
}

#[tokio::test]
async fn a_missing_identity_breaks_the_run() {
    let trace = raw_trace("ir 1\nclient A user=alice\nA echo");
    let report = run(
        trace.clone(),
        Arc::new(NullBackend::default()),
        &site(),
        &quick(),
    )
    .await;
    let reason = "client A is `alice`, and this run knows no identity of that name".to_owned();
    assert_eq!(report.verdict, Verdict::Broken { reason });

    let mut known = site();
    let alice = Identity {
        name: "alice".to_owned(),
        account: "alice".to_owned(),
        domain: String::new(),
        sid: None,
        password: "secret".to_owned().into(),
    };
    known.identities.insert("alice".to_owned(), alice);
    let report = run(trace, Arc::new(NullBackend::default()), &known, &quick()).await;
    passed(&report);
    assert!(!format!("{known:?}").contains("secret"));
}

#[tokio::test]
async fn what_a_backend_cannot_do_is_skipped_with_the_reason() {
    let trace = trace("A open f\nA break f");
    let report = run(trace, Arc::new(NullBackend::default()), &site(), &quick()).await;
    let reason = "null cannot do break (line 8)".to_owned();
    assert_eq!(report.verdict, Verdict::Skipped { reason });
}

#[tokio::test]
async fn a_run_can_be_stopped() {
    let stop = Stop::default();
    let options = RunOptions {
        stop: Some(stop.clone()),
        ..quick()
    };
    let asked = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stop.stop();
    });
    let trace = trace("A echo\n@3600s A echo");
    let report = run(trace, Arc::new(NullBackend::default()), &site(), &options).await;
    asked.await.unwrap();
    assert_eq!(
        report.verdict,
        Verdict::Broken {
            reason: "the run was stopped".to_owned()
        }
    );
    assert_eq!((report.answers_agreed, report.not_run.len()), (1, 1));
}

/// What the test sessions do on a step, by its label.
struct TestBackend {
    capabilities: Capabilities,
    closed: Arc<AtomicUsize>,
}

impl TestBackend {
    fn new() -> Self {
        let capabilities = Capabilities {
            mode: Mode::Exact,
            verbs: vec!["echo"],
            limits: Vec::new(),
        };
        Self {
            capabilities,
            closed: Arc::default(),
        }
    }
}

#[async_trait]
impl Backend for TestBackend {
    fn name(&self) -> &'static str {
        "test"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn missing(&self, _trace: &Trace) -> Vec<Unsupported> {
        Vec::new()
    }

    fn client(&self, context: ClientContext) -> Box<dyn Connection> {
        let session = TestSession {
            trace: context.trace.clone(),
            closed: self.closed.clone(),
        };
        SessionConnection::start(&context, session)
    }
}

struct TestSession {
    trace: Arc<Trace>,
    closed: Arc<AtomicUsize>,
}

#[async_trait]
impl Session for TestSession {
    async fn execute(&mut self, op: Op) -> Outcome {
        let Op::Step(step) = op else {
            return Outcome::Answered(Answer::default());
        };
        match self.trace.step(step).label() {
            Some("hang") => std::future::pending().await,
            Some("panic") => panic!("on purpose"),
            Some("slow") => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => {}
        }
        Outcome::Answered(Answer::default())
    }

    async fn close(self: Box<Self>) -> Result<(), String> {
        self.closed.fetch_add(1, Ordering::Relaxed);
        match self.trace.labelled("unclosable") {
            Some(_) => Err("the server did not let go".to_owned()),
            None => Ok(()),
        }
    }
}

fn two_clients(lines: &str) -> Arc<Trace> {
    raw_trace(&format!(
        "ir 1\nclient A anonymous\nclient B anonymous\n{lines}"
    ))
}

#[tokio::test]
async fn a_session_runs_one_operation_after_the_other_and_is_closed() {
    let backend = Arc::new(TestBackend::new());
    let trace = two_clients("slow: A echo\nA echo\nB echo\nB + echo");
    let report = run(trace, backend.clone(), &site(), &quick()).await;
    passed(&report);
    assert_eq!(backend.closed.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_session_that_hangs_is_given_up_and_closed() {
    let backend = Arc::new(TestBackend::new());
    let trace = two_clients("hang: A echo\nafter: A echo\nB echo");
    let report = run(trace, backend.clone(), &site(), &quick()).await;
    assert_eq!(report.differences.len(), 1);
    assert_eq!(report.differences[0].actual, "no answer within 300ms");
    assert_eq!(report.not_run.len(), 1);
    assert_eq!(
        backend.closed.load(Ordering::Relaxed),
        2,
        "the hanging one too"
    );
}

#[tokio::test]
async fn a_session_that_panics_breaks_the_run_at_once() {
    let options = RunOptions {
        step_timeout: Duration::from_secs(600),
        ..quick()
    };
    let trace = two_clients("panic: A echo\nB echo");
    let report = run(trace, Arc::new(TestBackend::new()), &site(), &options).await;
    let reason = "client A, line 4: the backend panicked".to_owned();
    assert_eq!(report.verdict, Verdict::Broken { reason });
    assert_eq!(report.close_errors.len(), 1, "{:?}", report.close_errors);
}

#[tokio::test]
async fn a_session_cannot_share_its_connection() {
    let trace = raw_trace("ir 1\nclient A anonymous\nclient B on=A\nA echo\nB echo");
    let backend = Arc::new(TestBackend::new());
    let report = run(trace, backend.clone(), &site(), &quick()).await;
    let reason = "test cannot do client B on another's connection".to_owned();
    assert_eq!(report.verdict, Verdict::Skipped { reason });
    assert_eq!(
        backend.closed.load(Ordering::Relaxed),
        1,
        "what was made is closed"
    );
}

#[tokio::test]
async fn a_mode_that_is_not_reached_is_a_skip() {
    let trace = trace("A echo");
    let report = run(trace, Arc::new(TestBackend::new()), &site(), &quick()).await;
    let reason = "the trace needs mode 2, test reaches mode 1".to_owned();
    assert_eq!(report.verdict, Verdict::Skipped { reason });
}

#[tokio::test]
#[tracing_test::traced_test]
async fn a_client_that_cannot_be_closed_is_logged_and_reported() {
    let trace = two_clients("unclosable: A echo");
    let report = run(trace, Arc::new(TestBackend::new()), &site(), &quick()).await;
    passed(&report);
    let mut errors = report.close_errors.clone();
    errors.sort();
    assert_eq!(errors[0], "closing client A: the server did not let go");
    assert!(logs_contain("a client could not be closed in good order"));
    assert!(logs_contain("closing client B: the server did not let go"));
}

/// A connection that answers, and then never lets itself be closed.
struct Stubborn(ClientContext);

struct StubbornBackend(TestBackend);

#[async_trait]
impl Backend for StubbornBackend {
    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn missing(&self, _trace: &Trace) -> Vec<Unsupported> {
        Vec::new()
    }

    fn client(&self, context: ClientContext) -> Box<dyn Connection> {
        Box::new(Stubborn(context))
    }
}

#[async_trait]
impl Connection for Stubborn {
    fn submit(&mut self, ops: &[Op]) {
        for &op in ops {
            self.0.events.done(op, Outcome::Answered(Answer::default()));
            // Twice: what is not in flight is passed over.
            self.0.events.done(op, Outcome::Lost("again".to_owned()));
        }
    }

    fn lane(&mut self, _context: ClientContext) -> Result<Box<dyn Connection>, Unsupported> {
        Err(Unsupported {
            step: None,
            what: "lanes".to_owned(),
        })
    }

    async fn close(self: Box<Self>) -> Result<(), CloseError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn closing_is_bounded() {
    let trace = two_clients("A echo\nB echo");
    let backend = Arc::new(StubbornBackend(TestBackend::new()));
    let report = run(trace, backend, &site(), &quick()).await;
    passed(&report);
    let mut errors = report.close_errors.clone();
    errors.sort();
    let expected = ["A", "B"].map(|name| format!("closing client {name}: not done within 300ms"));
    assert_eq!(errors, expected);
}

#[tokio::test]
async fn closing_takes_no_longer_with_many_clients() {
    let options = RunOptions {
        connect_parallel: 4,
        copies: Copies {
            count: 100,
            ..Copies::default()
        },
        ..quick()
    };
    let begun = std::time::Instant::now();
    let backend = Arc::new(StubbornBackend(TestBackend::new()));
    let report = run(two_clients("A echo\nB echo"), backend, &site(), &options).await;
    assert_eq!(report.close_errors.len(), 200);
    // Four at a time it would take 15 s.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}
