//! When steps go: order, dependencies on each milestone, times, compounds, lanes, connects. In simulated time.

mod support;

use std::time::Duration;

use replay_engine::{Clock, Op, Reply, ReplyEnd, RunOptions, Script, Verdict};
use support::*;

#[test]
fn steps_of_a_client_go_one_after_the_other() {
    let trace = trace("a: A echo\nb: A echo\nc: B echo");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(500))]),
        &options(),
    );
    run.assert_passed();
    assert_eq!(run.sent("b"), run.done("a"));
    assert_eq!(run.sent("c"), run.sent("a"), "another client does not wait");
}

#[test]
fn a_step_waits_for_the_end_of_another() {
    let trace = trace("a: A echo\nb: B echo after=a");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(700))]),
        &options(),
    );
    run.assert_passed();
    assert_eq!(run.sent("b"), run.done("a"));
}

#[test]
fn a_lane_waits_while_its_connection_is_set_up_anew() {
    let trace =
        trace("a: A echo\nb: A2 echo\nA echo\nk: A connect\nc: A2 echo\nd: A echo\ne: A2 echo");
    let run = replay(
        &trace,
        &script(&trace, [("k", Reply::after(5_000))]),
        &options(),
    );
    run.assert_passed();
    assert_eq!(
        run.sent("b"),
        run.sent("a"),
        "what is before it does not wait"
    );
    assert_eq!(run.sent("c"), run.done("k"));
    assert_eq!(run.sent("d"), run.done("k"));
    assert_eq!(run.sent("e"), run.done("c"));
}

#[test]
fn a_lane_that_connects_itself_waits_for_nobodys_connecting() {
    let trace = trace("a: A echo\nk: A connect\nl: A2 connect\nb: A2 echo");
    let run = replay(
        &trace,
        &script(&trace, [("k", Reply::after(5_000))]),
        &options(),
    );
    run.assert_passed();
    assert!(run.sent("b") < run.done("k"));
}

#[test]
fn a_step_waits_for_the_dispatch_of_another() {
    let trace = trace("a: @2ms A echo\nb: B echo after=a.sent");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(900))]),
        &options(),
    );
    run.assert_passed();
    assert_eq!(run.sent("b"), run.sent("a"));
    assert!(run.sent("a") >= Some(2_000_000));
}

#[test]
fn a_step_waits_for_the_interim_answer_of_another() {
    let trace = trace("A open f\na: A lock f -> PENDING\nb: B echo after=a.pending\nA await a");
    let reply = Reply {
        interim: Some(Duration::from_micros(200)),
        ..Reply::after(900)
    };
    let run = replay(&trace, &script(&trace, [("a", reply)]), &options());
    run.assert_passed();
    let interim = EventShape::Interim(Op::Step(step(&trace, "a")));
    assert_eq!(run.sent("b"), run.reported(interim));
    assert!(run.sent("b") < run.done("a"));
}

#[test]
fn a_step_waits_for_a_break_of_another() {
    let trace = trace("a: A open f\nb: B echo after=a\nc: C echo after=a.break");
    let event = break_of(&trace, "a", "batch->ii");
    let breaking = Reply::after(900).breaks(300, client(&trace, "A"), event);
    let run = replay(&trace, &script(&trace, [("b", breaking)]), &options());
    run.assert_passed();
    assert_eq!(
        run.sent("c"),
        run.reported(EventShape::Break(Some(step(&trace, "a"))))
    );
    assert!(run.sent("c") < run.done("b"));
}

#[test]
fn all_dependencies_must_be_met() {
    let trace = trace("a: A echo\nb: B echo\nc: C echo after=a,b");
    let replies = [("a", Reply::after(200)), ("b", Reply::after(600))];
    let run = replay(&trace, &script(&trace, replies), &options());
    run.assert_passed();
    assert_eq!(run.sent("c"), run.done("b"));
}

#[test]
fn nothing_goes_before_its_time() {
    let trace = trace("a: @5ms A echo\nb: @+2ms A echo\nc: A echo\nd: @1ms B echo");
    let run = replay(&trace, &Script::default(), &options());
    run.assert_passed();
    // Connecting took the default 100 µs before time 0.
    let from_start = |label| run.sent(label).unwrap() - 100_000;
    assert_eq!(from_start("a"), 5_000_000);
    assert_eq!(from_start("b"), 7_000_000);
    assert_eq!(
        from_start("c"),
        7_100_000,
        "due with b, but b has to end first"
    );
    assert_eq!(from_start("d"), 1_000_000);
}

#[test]
fn a_late_answer_shows_as_lag_and_not_as_a_lost_step() {
    let trace = trace("a: @1ms A echo\nb: @2ms A echo");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(5_000))]),
        &options(),
    );
    run.assert_passed();
    let record = &run.report.last_steps(0, client(&trace, "A"), 1)[0];
    assert_eq!(record.moments.scheduled, 2_000_000);
    assert_eq!(record.moments.eligible, 6_000_000);
    assert_eq!(record.moments.dispatched, 6_000_000);
    let times = &run.report.times.by_verb["echo"];
    assert_eq!(times.count(), 2);
    assert!(
        times.lag.max() >= 3_990_000 && times.fault.max() == 0,
        "{}",
        times.lag.max()
    );
    assert!(times.response.max() >= 4_990_000);
}

#[test]
fn the_scale_stretches_the_times() {
    let trace = trace("a: @10ms A echo");
    for (scale, expected) in [(0.5, 5_000_000), (2.0, 20_000_000), (0.0, 0)] {
        let options = RunOptions {
            clock: Clock::Paced { scale },
            ..options()
        };
        let run = replay(&trace, &Script::default(), &options);
        run.assert_passed();
        assert_eq!(run.sent("a").unwrap() - 100_000, expected, "{scale}");
    }
}

#[test]
fn as_fast_as_possible_keeps_order_and_dependencies_only() {
    let trace = trace("a: @9s A echo\nb: @10s A echo\nc: @1s B echo after=b\np: @60s B pause");
    let options = RunOptions {
        clock: Clock::Asap,
        ..options()
    };
    let run = replay(&trace, &Script::default(), &options);
    run.assert_passed();
    assert_eq!(run.sent("a"), Some(100_000));
    assert_eq!(run.sent("c"), run.done("b"));
    assert!(run.report.duration < Duration::from_millis(1));
    let moments = run.report.records[0][1].moments;
    assert_eq!(
        moments.scheduled, moments.eligible,
        "a clock without times schedules at once"
    );
}

#[test]
fn a_pause_ends_when_its_time_has_come() {
    let trace = trace("@3ms A pause\na: A echo");
    let run = replay(&trace, &Script::default(), &options());
    run.assert_passed();
    assert_eq!(run.sent("a").unwrap() - 100_000, 3_000_000);
    assert_eq!(run.report.times.total.count(), 1, "a pause is no operation");
}

#[test]
fn a_compound_goes_in_one_submission_and_is_answered_one_by_one() {
    let trace = trace("a: A open f\nb: A + read f\nc: A + close f\nd: A echo");
    let replies = [
        ("a", Reply::after(300)),
        ("b", Reply::after(100)),
        ("c", Reply::after(200)),
    ];
    let run = replay(&trace, &script(&trace, replies), &options());
    run.assert_passed();
    let ops = ["a", "b", "c"].map(|label| Op::Step(step(&trace, label)));
    let together = run
        .happened
        .iter()
        .any(|happened| matches!(happened, Happened::Submitted(_, _, members) if *members == ops));
    assert!(together, "{:?}", run.happened);
    assert_eq!(
        run.sent("d"),
        run.done("a"),
        "the lane is free when the last member is answered"
    );
}

#[test]
fn a_compound_waits_for_what_any_member_waits_for() {
    let trace = trace("x: B echo\na: A echo\nb: A + echo after=x");
    let run = replay(
        &trace,
        &script(&trace, [("x", Reply::after(800))]),
        &options(),
    );
    run.assert_passed();
    assert_eq!(run.sent("a"), run.done("x"));
}

#[test]
fn an_expected_interim_answer_frees_the_lane() {
    let trace = trace("A open f\na: A lock f -> PENDING\nb: A echo\nc: A await a");
    let reply = Reply {
        interim: Some(Duration::from_micros(50)),
        ..Reply::after(5_000)
    };
    let run = replay(&trace, &script(&trace, [("a", reply)]), &options());
    run.assert_passed();
    assert!(run.done("b") < run.done("a"));
    assert_eq!(
        run.report.last_steps(0, client(&trace, "A"), 1)[0]
            .moments
            .completed,
        { run.done("a").unwrap() - 100_000 }
    );
}

#[test]
fn an_unexpected_interim_answer_does_not_free_it() {
    let trace = trace("a: A echo\nb: A echo");
    let reply = Reply {
        interim: Some(Duration::from_micros(50)),
        ..Reply::after(5_000)
    };
    let run = replay(&trace, &script(&trace, [("a", reply)]), &options());
    run.assert_passed();
    assert_eq!(run.sent("b"), run.done("a"));
}

#[test]
fn a_final_answer_may_come_before_it_is_awaited() {
    let trace = trace("A open f\na: A lock f -> PENDING\n@50ms A await a");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(500))]),
        &options(),
    );
    run.assert_passed();
}

#[test]
fn an_interim_answer_that_nobody_awaits_is_no_failure() {
    let trace = trace("A open f\na: A lock f -> PENDING");
    let reply = Reply::after(100).end(ReplyEnd::Interim);
    let run = replay(&trace, &script(&trace, [("a", reply)]), &options());
    run.assert_passed();
}

#[test]
fn a_handle_of_another_lane_is_waited_for() {
    let trace = trace("a: A open f\nb: A2 read f");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(900))]),
        &options(),
    );
    run.assert_passed();
    assert_eq!(run.sent("b"), run.done("a"));
}

#[test]
fn clients_connect_before_time_0_a_bounded_number_at_a_time() {
    let trace = trace("A echo\nB echo\nC echo\nA2 echo");
    let options = RunOptions {
        connect_parallel: 2,
        ..options()
    };
    let run = replay(&trace, &Script::default(), &options);
    run.assert_passed();
    let connects: Vec<_> = run
        .happened
        .iter()
        .filter_map(|happened| match happened {
            Happened::Submitted(at, who, ops) if ops[..] == [Op::Connect] => Some((*at, who.0)),
            _ => None,
        })
        .collect();
    assert_eq!(
        connects,
        [(0, 0), (0, 1), (100_000, 2)],
        "and lanes do not connect"
    );
}

#[test]
fn a_connect_step_replaces_the_connect_before_time_0() {
    let trace = trace("k: @4ms A connect\na: A echo\nb: A2 echo\nc: B echo");
    let run = replay(&trace, &Script::default(), &options());
    run.assert_passed();
    assert!(run.sent("c") < run.sent("k"));
    assert_eq!(
        run.sent("b"),
        run.done("k"),
        "a lane waits for the connection that it is on"
    );
}

#[test]
fn a_trace_without_steps_passes() {
    let trace = trace("");
    let run = replay(&trace, &Script::default(), &options());
    assert_eq!(run.report.verdict, Verdict::Passed);
    assert!(run.happened.is_empty(), "nobody needs a connection");
}
