//! A trace that runs many times at once: order inside each copy, shifted times, numbers that are the trace's own, and
//! nothing lost. In simulated time; one test drives real tasks.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use replay_engine::{
    Clock, Copies, NullBackend, Op, Reply, RunOptions, Script, Site, Target, Verdict, copies, run,
};
use replay_ir::{ClientId, StepId};
use support::*;

const LINES: &str = "first: A echo\n@2ms A echo\nlast: B echo after=first\nthird: C echo after=last\n\
    check order first < last < third";

fn many(count: u32, spread: Duration) -> RunOptions {
    RunOptions {
        copies: Copies {
            count,
            seed: 3,
            spread,
            ..Copies::default()
        },
        event_log: false,
        ..options()
    }
}

#[test]
fn every_copy_keeps_its_order_and_is_shifted_by_its_own_time() {
    let trace = trace(LINES);
    let clients = trace.clients().len() as u32;
    let run = replay(
        &trace,
        &Script::default(),
        &many(50, Duration::from_millis(9)),
    );
    assert_eq!(
        run.report.verdict,
        Verdict::Passed,
        "{:?}",
        run.differences()
    );
    assert_eq!((run.report.copies, run.report.steps), (50, 200));
    assert_eq!(run.report.answers_agreed, 200);
    assert_eq!(
        (
            run.report.operations_issued,
            run.report.operations_completed
        ),
        (200, 200)
    );
    let mut sent: BTreeMap<(u32, StepId), u64> = BTreeMap::new();
    let mut done: BTreeMap<StepId, u64> = BTreeMap::new();
    for happened in &run.happened {
        match happened {
            Happened::Submitted(at, client, ops) => {
                for op in ops {
                    if let Op::Step(step) = op {
                        assert!((step.0 as usize) < trace.len(), "the trace's own number");
                        let owner = trace.step(*step).client();
                        assert_eq!(client.0 % clients, owner.0, "its own client");
                        let again = sent.insert((client.0 / clients, *step), *at);
                        assert_eq!(again, None, "once in a copy");
                    }
                }
            }
            Happened::Reported(at, _, EventShape::Done(Op::Step(step))) => {
                done.insert(*step, *at);
            }
            Happened::Reported(..) => {}
        }
    }
    assert_eq!(sent.len(), 200);
    let steps = trace.len() as u32;
    let (first, last) = (step(&trace, "first"), step(&trace, "last"));
    let mut starts = Vec::new();
    for copy in 0..50 {
        let finished = done[&StepId(first.0 + copy * steps)];
        assert!(
            sent[&(copy, last)] >= finished,
            "after= holds in copy {copy}"
        );
        let gap = sent[&(copy, StepId(1))] - sent[&(copy, first)];
        assert_eq!(
            gap, 2_000_000,
            "the times of copy {copy} are shifted together"
        );
        starts.push(sent[&(copy, first)]);
    }
    let span = starts.iter().max().unwrap_or(&0) - starts.iter().min().unwrap_or(&0);
    assert!((4_000_000..9_000_000).contains(&span), "{span}");
    starts.sort_unstable();
    starts.dedup();
    assert!(starts.len() > 45, "shifts are of different lengths");
}

#[test]
fn what_differs_names_its_copy_and_the_step_of_the_trace() {
    let trace = trace("open: A open f\nuse: A read f\nB echo");
    let clients = trace.clients().len() as u32;
    // The script knows clients by their numbers in the trace, so that A fails to connect in every copy.
    let mut script = Script::default();
    script
        .connects
        .insert(client(&trace, "A"), Reply::after(100).status(DENIED));
    let run = replay(&trace, &script, &many(3, Duration::ZERO));
    let copies: Vec<u32> = run
        .report
        .differences
        .iter()
        .map(|found| found.copy)
        .collect();
    assert_eq!(copies, [0, 1, 2]);
    let mut missed: Vec<(u32, StepId)> = run
        .report
        .not_run
        .iter()
        .map(|missed| (missed.copy, missed.step))
        .collect();
    missed.sort_unstable();
    let (open, used) = (step(&trace, "open"), step(&trace, "use"));
    let expected: Vec<_> = (0..3)
        .flat_map(|copy| [(copy, open), (copy, used)])
        .collect();
    assert_eq!(missed, expected);
    for copy in 0..3 {
        let last = run.report.last_steps(copy, client(&trace, "B"), 1);
        assert_eq!(last[0].step, StepId(2));
    }
    assert_eq!(run.report.records.len() as u32, 3 * clients);
}

#[test]
fn clients_begin_to_connect_no_faster_than_the_ramp() {
    let trace = trace("A echo");
    let options = RunOptions {
        connect_rate: Some(1000.0),
        connect_parallel: 4,
        ..many(100, Duration::ZERO)
    };
    let run = replay(&trace, &Script::default(), &options);
    assert_eq!(run.report.verdict, Verdict::Passed);
    let begun: Vec<u64> = run
        .happened
        .iter()
        .filter_map(|happened| match happened {
            Happened::Submitted(at, _, ops) if ops == &[Op::Connect] => Some(*at),
            _ => None,
        })
        .collect();
    assert_eq!(begun.len(), 100);
    let fastest = begun.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert_eq!(fastest, Some(1_000_000));
    assert_eq!(begun.last(), Some(&99_000_000));
}

#[test]
fn a_slow_server_shows_as_lag_and_loses_nothing() {
    let trace = trace("A echo\n@1ms A echo\n@2ms A echo\n@3ms A echo");
    let script = Script {
        default: Reply::after(5_000),
        ..Script::default()
    };
    let run = replay(&trace, &script, &many(20, Duration::ZERO));
    assert_eq!(run.report.verdict, Verdict::Passed);
    assert_eq!(run.report.operations_completed, 80);
    let total = &run.report.times.total;
    assert!(total.lag.max() >= 11_900_000, "{}", total.lag.max());
    assert_eq!(total.fault.max(), 0, "the scheduler is not to blame");
}

#[tokio::test]
async fn copies_run_on_real_tasks_with_a_probe_beside_them() {
    let trace = trace(LINES);
    let site = Site {
        target: Target {
            address: ([127, 0, 0, 1], 1).into(),
            host: String::new(),
            share: String::new(),
            root: String::new(),
            realm: None,
        },
        identities: BTreeMap::new(),
    };
    for (coalesce, spin) in [(0, 0), (100, 0), (0, 50), (100, 50)] {
        let options = RunOptions {
            calibrate: true,
            coalesce: Duration::from_micros(coalesce),
            spin: Duration::from_micros(spin),
            ..many(200, Duration::from_millis(20))
        };
        let report = run(
            trace.clone(),
            Arc::new(NullBackend::default()),
            &site,
            &options,
        )
        .await;
        assert_eq!(report.verdict, Verdict::Passed);
        assert_eq!(report.operations_issued, 800);
        assert_eq!(report.operations_completed, 800);
        let probe = report.probe.expect("the probe's figures");
        assert!(probe.len() > 200, "{}", probe.len());
    }
    let options = RunOptions {
        calibrate: true,
        clock: Clock::Asap,
        ..many(2, Duration::ZERO)
    };
    let report = run(trace, Arc::new(NullBackend::default()), &site, &options).await;
    assert!(report.probe.is_none(), "without times there are no moments");
}

#[test]
fn the_clients_of_a_copy_follow_those_of_the_one_before() {
    // What users of `simulate` and readers of records rely on.
    let trace = trace("A echo\nB echo");
    let run = replay(&trace, &Script::default(), &many(2, Duration::ZERO));
    let clients = trace.clients().len() as u32;
    let submitted = |client: u32, step: u32| {
        run.happened.iter().any(|happened| {
            matches!(happened, Happened::Submitted(_, who, ops)
                if *who == ClientId(client) && ops == &[Op::Step(StepId(step))])
        })
    };
    assert!(submitted(0, 0) && submitted(1, 1));
    assert!(submitted(clients, 0) && submitted(clients + 1, 1));
    assert_eq!(copies::directory(1), "00001");
}
