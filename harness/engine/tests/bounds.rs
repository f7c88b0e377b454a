//! What happens when something does not come: every wait ends, and the report says why. In simulated time.

mod support;

use std::time::Duration;

use replay_engine::{Kind, Outcome, Reply, ReplyEnd, RunOptions, Script, Verdict, WaitsFor};
use replay_ir::{Milestone, StepId};
use support::*;

fn never() -> Reply {
    Reply::after(0).end(ReplyEnd::Never)
}

fn lost() -> Reply {
    Reply::after(100).end(ReplyEnd::With(Outcome::Lost("reset".to_owned())))
}

#[test]
fn an_answer_that_never_comes_ends_after_the_bound() {
    let trace = trace("a: A echo\nb: A echo\nc: B echo after=a\nd: C echo");
    let run = replay(&trace, &script(&trace, [("a", never())]), &options());
    assert_eq!(run.differences(), ["a time: OK / no answer within 30s"]);
    assert_eq!(
        run.not_run(),
        [
            "b: line 7 of its client got no answer",
            "c: it waits for a (line 7), which cannot come any more",
        ]
    );
    assert!(run.done("d").is_some(), "others are not concerned");
    assert!(
        run.report.duration <= Duration::from_secs(31),
        "{:?}",
        run.report.duration
    );
}

#[test]
fn a_bound_of_its_own_may_be_longer() {
    let trace = trace("a: A echo within=40s");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(35_000_000))]),
        &options(),
    );
    run.assert_passed();
    let run = replay(&trace, &script(&trace, [("a", never())]), &options());
    assert_eq!(run.differences(), ["a time: OK / no answer within 40s"]);
}

#[test]
fn an_answer_after_the_step_was_given_up_is_ignored() {
    let trace = trace("a: A echo\nb: @60s B echo");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(40_000_000))]),
        &options(),
    );
    assert_eq!(run.differences(), ["a time: OK / no answer within 30s"]);
    assert_eq!(run.report.answers_agreed, 1);
}

#[test]
fn one_member_of_a_compound_without_answer() {
    let trace = trace("a: A open f\nb: A + read f\nc: A close f");
    let run = replay(&trace, &script(&trace, [("b", never())]), &options());
    assert_eq!(run.differences(), ["b time: OK / no answer within 30s"]);
    assert_eq!(run.not_run(), ["c: line 8 of its client got no answer"]);
    assert_eq!(run.report.answers_agreed, 1);
}

#[test]
fn a_lost_connection_ends_what_is_on_it() {
    let trace = trace("a: A echo\nb: A echo\nc: @1ms A2 echo\nd: B echo\ne: @3600s A echo");
    let run = replay(&trace, &script(&trace, [("a", lost())]), &options());
    assert_eq!(
        run.differences(),
        ["a lost: OK / the connection was lost: reset"]
    );
    let mut not_run = run.not_run();
    not_run.sort();
    assert_eq!(
        not_run,
        [
            "b: its connection was lost in line 7",
            "c: its connection was lost in line 7",
            "e: its connection was lost in line 7",
        ]
    );
    assert!(
        run.report.duration < Duration::from_secs(1),
        "nobody waits for e's time"
    );
    assert_eq!(run.report.lost_connections().len(), 1);
    assert_eq!(run.report.lost_connections()[0].reason, "reset");
    let broken = run.report.into_broken("the server is gone");
    assert_eq!(
        broken.verdict,
        Verdict::Broken {
            reason: "the server is gone".to_owned()
        }
    );
}

#[test]
fn a_connect_step_brings_a_lost_connection_back() {
    let trace = trace("a: A echo\nb: A echo\nc: A connect\nd: A echo");
    let run = replay(&trace, &script(&trace, [("a", lost())]), &options());
    assert_eq!(
        run.differences(),
        ["a lost: OK / the connection was lost: reset"]
    );
    assert_eq!(run.not_run(), ["b: its connection was lost in line 7"]);
    assert_eq!(run.report.answers_agreed, 2);
}

#[test]
fn an_expected_loss_is_no_loss() {
    let trace = trace("a: A echo -> *\nb: B echo after=a\nc: A connect");
    let run = replay(&trace, &script(&trace, [("a", lost())]), &options());
    run.assert_passed();
}

#[test]
fn a_connect_step_that_is_refused() {
    let trace = trace("k: A connect -> ACCESS_DENIED\na: A echo\nb: A2 echo");
    let run = replay(
        &trace,
        &script(&trace, [("k", Reply::after(10).status(DENIED))]),
        &options(),
    );
    assert!(run.differences().is_empty());
    let mut not_run = run.not_run();
    not_run.sort();
    assert_eq!(
        not_run,
        [
            "a: line 7 did not connect its client",
            "b: line 7 did not connect its client",
        ]
    );
}

#[test]
fn a_client_that_cannot_connect_before_time_0() {
    let trace = raw_trace("ir 1\nclient A user=alice\nclient B anonymous\na: A echo\nb: B echo");
    let mut script = Script::default();
    script
        .connects
        .insert(client(&trace, "A"), Reply::after(50).status(DENIED));
    let run = replay(&trace, &script, &options());
    assert_eq!(
        run.differences(),
        ["Client(ClientId(0)) status: client A connects as `alice` / ACCESS_DENIED",]
    );
    assert_eq!(run.not_run(), ["a: its client was not connected"]);
    assert_eq!(run.report.answers_agreed, 1, "B is not concerned");

    script.connects.insert(client(&trace, "A"), never());
    let run = replay(&trace, &script, &options());
    assert_eq!(run.kinds(), [Kind::Time]);
    assert!(
        run.sent("b") >= Some(10_000_000_000),
        "time 0 is when all have connected or failed"
    );
}

#[test]
fn connecting_in_a_step_has_the_bound_of_connecting() {
    let trace = trace("k: A connect\na: A echo");
    let run = replay(&trace, &script(&trace, [("k", never())]), &options());
    assert_eq!(run.differences(), ["k time: OK / no answer within 10s"]);
    assert_eq!(run.not_run(), ["a: line 7 of its client got no answer"]);
}

#[test]
fn a_lost_connection_ends_the_wait_for_a_break_on_it() {
    let trace = trace("a: A open f\nb: B echo after=a.break\nc: A echo");
    let run = replay(&trace, &script(&trace, [("c", lost())]), &options());
    assert_eq!(
        run.not_run(),
        ["b: it waits for a.break (line 7), which cannot come any more"]
    );
    assert!(run.report.duration < Duration::from_secs(1));
}

#[test]
fn a_backend_that_fails_breaks_the_run() {
    let trace = trace("a: A echo\nb: A echo\nc: B echo\nd: B echo");
    let broken = Reply::after(50).end(ReplyEnd::With(Outcome::Broken("out of ideas".to_owned())));
    let run = replay(&trace, &script(&trace, [("a", broken)]), &options());
    let reason = "client A, line 7: out of ideas".to_owned();
    assert_eq!(run.report.verdict, Verdict::Broken { reason });
    assert!(run.sent("b").is_none() && run.sent("d").is_none());
}

#[test]
fn a_step_on_a_handle_that_was_not_opened() {
    let trace = trace("a: A open f -> OK|ACCESS_DENIED\nb: A read f\nc: A echo\nd: A2 read f");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(50).status(DENIED))]),
        &options(),
    );
    let mut not_run = run.not_run();
    not_run.sort();
    assert_eq!(
        not_run,
        [
            "b: its handle was not opened in line 7",
            "d: its handle was not opened in line 7",
        ]
    );
    assert!(run.done("c").is_some());
    let kinds = [Kind::NotRun].into_iter().collect();
    assert_eq!(
        run.report.verdict,
        Verdict::Failed { kinds },
        "what was not tried did not pass"
    );
}

#[test]
fn what_was_not_opened_is_not_opened_anew() {
    let trace = trace(
        "a: A open f -> OK|ACCESS_DENIED\nb: A reopen g a\nc: A read g\nd: A reopen h b\ne: A open i\nf: B reopen j e",
    );
    let denied = [("a", Reply::after(50).status(DENIED))];
    let run = replay(&trace, &script(&trace, denied), &options());
    let mut not_run = run.not_run();
    not_run.sort();
    assert_eq!(
        not_run,
        [
            "b: its handle was not opened in line 7",
            "c: its handle was not opened in line 8",
            "d: its handle was not opened in line 8",
        ]
    );
    assert!(run.done("f").is_some());
    let mut because: Vec<_> = run.report.not_run.iter().map(|one| one.because).collect();
    because.sort();
    assert_eq!(because, [0, 1, 1].map(|step| Some(StepId(step))));
}

#[test]
fn a_handle_whose_opening_is_refused_late() {
    let trace = trace("a: A open f -> PENDING\nb: A read f\nc: A2 await a -> ACCESS_DENIED");
    let interim = Some(Duration::from_micros(10));
    let reply = Reply {
        interim,
        ..Reply::after(500).status(DENIED)
    };
    let run = replay(&trace, &script(&trace, [("a", reply)]), &options());
    assert_eq!(run.differences(), [""; 0]);
    assert_eq!(run.not_run(), ["b: its handle was not opened in line 7"]);
}

#[test]
fn what_cannot_come_any_more_ends_the_wait_at_once() {
    let trace = trace(
        "a: A open f -> ACCESS_DENIED|OK\nb: B echo after=a.break\nc: C echo after=b.sent\n\
         C open h\nd: A2 echo after=x.pending\nx: C lock h -> PENDING|OK",
    );
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(50).status(DENIED))]),
        &options(),
    );
    let mut not_run = run.not_run();
    not_run.sort();
    assert_eq!(
        not_run,
        [
            "b: it waits for a.break (line 7), which cannot come any more",
            "c: it waits for b.sent (line 8), which cannot come any more",
            "d: it waits for x.pending (line 12), which cannot come any more",
        ]
    );
    assert!(run.report.duration < Duration::from_secs(1));
}

#[test]
fn a_stuck_run_ends_with_the_picture() {
    let trace = trace("first: A open f\nb: B echo after=first.break\nc: C echo after=b\nd: B echo");
    let run = replay(&trace, &Script::default(), &options());
    assert_eq!(
        run.differences(),
        [
            "b break: after=first.break / it never came",
            "c order: after=b / it never came",
        ]
    );
    assert_eq!(run.not_run().len(), 3);
    let picture = run.report.stuck.as_ref().expect("a picture");
    assert_eq!(picture.waits.len(), 2);
    assert_eq!(
        picture.waits[0].what,
        WaitsFor::Milestone(step(&trace, "first"), Milestone::Break)
    );
    let shown = picture.display(&trace).to_string();
    assert_eq!(
        shown,
        "waits at 30.000100 s:\n  \
         B with `echo` (line 8) waits for a break of the handle of first (line 7, A), since 0.000000 s\n  \
         C with `echo` (line 9) waits for the final answer of b (line 8, B), since 0.000000 s\n",
    );
}

#[test]
fn a_run_with_nothing_to_hope_for_ends_at_once() {
    // A2's first step waits for A's first step to connect, which waits for A2: no circle that the trace shows.
    let trace = trace("k: A connect after=x\nx: A2 echo");
    let run = replay(&trace, &Script::default(), &options());
    let picture = run.report.stuck.as_ref().expect("a picture");
    assert_eq!((picture.at, picture.waits.len()), (0, 2));
    assert_eq!(
        run.not_run(),
        ["k: the run ended before", "x: the run ended before"]
    );
}

#[test]
fn a_final_answer_that_never_comes() {
    let trace = trace("A open f\na: A lock f -> PENDING\nb: A await a within=2s\nc: A echo");
    let pending = || Reply::after(100).end(ReplyEnd::Interim);
    let run = replay(&trace, &script(&trace, [("a", pending())]), &options());
    assert_eq!(run.differences(), ["b time: OK / no answer within 2s"]);
    assert!(run.done("c").is_some(), "the lane itself is free");
    assert!(
        run.sent("c") < Some(2_100_000_000),
        "it need not wait longer than the trace does"
    );

    let trace = support::trace("A open f\na: A lock f -> PENDING\nb: B echo after=a");
    let run = replay(&trace, &script(&trace, [("a", pending())]), &options());
    assert_eq!(run.differences(), ["b order: after=a / it never came"]);
}

#[test]
fn within_ends_the_wait_of_an_await_and_of_a_break() {
    // The answer to `a` and the break of `o` come after a minute, in two steps that wait for three seconds each.
    let lines = "o: A open f\na: A lock f -> PENDING\nb: A await a within=3s\nc: A2 break f within=3s\n\
        d: A echo\ne: A2 echo\n@70s A echo";
    let trace = trace(lines);
    let late = Reply {
        interim: Some(Duration::from_micros(10)),
        ..Reply::after(60_000_000)
    };
    let event = break_of(&trace, "o", "batch->ii");
    let late = late.breaks(60_000_000, client(&trace, "A"), event);
    let run = replay(&trace, &script(&trace, [("a", late)]), &options());
    assert_eq!(
        run.differences(),
        [
            "c break: a break / no break within 3s",
            "b time: OK / no answer within 3s",
        ]
    );
    assert_eq!(run.not_run(), [""; 0]);
    for label in ["d", "e"] {
        let sent = run.sent(label);
        let bounds = Some(3_000_000_000)..Some(3_100_000_000);
        assert!(bounds.contains(&sent), "{label}: {sent:?}");
    }
}

#[test]
fn within_of_an_await_may_be_longer_than_the_runs_bound() {
    let trace = trace("A open f\na: A lock f -> PENDING\nb: A await a within=40s");
    let late = Reply {
        interim: Some(Duration::from_micros(10)),
        ..Reply::after(35_000_000)
    };
    let run = replay(&trace, &script(&trace, [("a", late)]), &options());
    run.assert_passed();
}

#[test]
fn an_awaited_step_that_was_not_run() {
    let trace =
        trace("o: A open f -> OK|ACCESS_DENIED\na: A lock f -> PENDING\nb: A await a\nc: A echo");
    let run = replay(
        &trace,
        &script(&trace, [("o", Reply::after(50).status(DENIED))]),
        &options(),
    );
    assert_eq!(
        run.not_run(),
        [
            "a: its handle was not opened in line 7",
            "b: it waits for a (line 8), which cannot come any more",
        ]
    );
    assert!(run.done("c").is_some());
}

#[test]
fn the_run_as_a_whole_has_a_bound() {
    let trace = trace("a: A echo\nb: @3600s A echo\nc: B echo");
    let options = RunOptions {
        run_timeout: Some(Duration::from_secs(5)),
        ..options()
    };
    let run = replay(&trace, &Script::default(), &options);
    assert_eq!(
        run.differences(),
        ["Run time: all steps end within 5s / 2 of 3 did"]
    );
    assert_eq!(run.not_run(), ["b: the run ended before"]);
    let picture = run.report.stuck.as_ref().expect("a picture");
    assert_eq!(picture.waits[0].what, WaitsFor::Time(3_600_000_000_000));
}

#[test]
fn a_flood_of_breaks_keeps_nobody_waiting() {
    let trace = trace("a: A open f\nb: B open g\nc: C echo after=b.break");
    let mut flood = Reply::after(100);
    for n in 0..100 {
        let event = break_of(&trace, "a", "batch->ii");
        flood = flood.breaks(n * 1_000_000, client(&trace, "A"), event);
    }
    let run = replay(&trace, &script(&trace, [("b", flood)]), &options());
    assert_eq!(
        run.differences(),
        ["c break: after=b.break / it never came"]
    );
    assert!(run.report.stuck.as_ref().expect("a picture").at <= 31_000_000_000);
}
