//! What is compared with what: statuses, fields, data, breaks, checks, and what a run comes to. In simulated time.

mod support;

use bytes::Bytes;
use replay_engine::{Kind, Outcome, Reply, ReplyEnd, Script, Verdict};
use replay_ir::{Answer, OwnedValue};
use support::*;

fn answer(fields: Vec<(&'static str, OwnedValue)>, data: Option<&[u8]>) -> Reply {
    let data = data.map(Bytes::copy_from_slice);
    Reply::after(100).end(ReplyEnd::With(Outcome::Answered(Answer {
        status: OK,
        fields,
        data,
    })))
}

fn word(text: &str) -> OwnedValue {
    OwnedValue::Token(text.to_owned())
}

#[test]
fn a_wrong_status_is_a_difference() {
    let trace = trace("a: A echo\nb: A echo -> ACCESS_DENIED|PENDING\nc: A echo -> 0xC0000099");
    let denied = Reply::after(10).status(DENIED);
    let run = replay(
        &trace,
        &script(&trace, [("a", denied), ("b", Reply::after(1).status(OK))]),
        &options(),
    );
    assert_eq!(
        run.differences(),
        [
            "a status: OK / ACCESS_DENIED",
            "b status: ACCESS_DENIED|PENDING / OK",
        ]
    );
    assert_eq!(
        (run.report.answers_agreed, run.report.answers_differed),
        (1, 2)
    );
    assert_eq!(run.report.actual[&step(&trace, "a")].status, DENIED);
    let kinds = [Kind::Status].into_iter().collect();
    assert_eq!(run.report.verdict, Verdict::Failed { kinds });
}

#[test]
fn one_of_several_statuses_is_right() {
    let trace = trace("a: A open f -> ACCESS_DENIED|OK\nb: B echo -> *");
    let run = replay(
        &trace,
        &script(&trace, [("b", Reply::after(1).status(0xc000_1234))]),
        &options(),
    );
    assert_eq!(run.differences(), [""; 0]);
}

#[test]
fn fields_are_judged_where_the_status_is_right() {
    let trace = trace(
        "a: A open f -> OK level=batch\nb: A open g -> OK mask=read|write\n\
         c: A open h -> OK level=ii\nd: A open i -> OK level=ii",
    );
    let replies = [
        ("a", answer(vec![("level", word("ii"))], None)),
        ("b", answer(vec![("mask", word("write|read"))], None)),
        ("c", answer(vec![], None)),
        ("d", Reply::after(1).status(DENIED)),
    ];
    let run = replay(&trace, &script(&trace, replies), &options());
    assert_eq!(
        run.differences(),
        [
            "a field: level=batch / level=ii",
            "c field: level=ii / an answer without `level`",
            "d status: OK / ACCESS_DENIED",
        ]
    );
}

#[test]
fn data_is_judged_by_pattern_and_by_text() {
    let trace = trace(
        "A open f\na: A read f offset=100 len=32 -> OK len=32 fill=7\n\
         b: A read f len=32 -> OK fill=7\nc: A read f len=5 -> OK data=\"hello\"\n\
         d: A read f len=32 -> OK fill=7\ne: A read f len=4 -> OK data=\"hello\"",
    );
    let mut right = [0; 32];
    replay_ir::fill::fill_into(7, 100, &mut right);
    let mut wrong = [0; 32];
    replay_ir::fill::fill_into(7, 0, &mut wrong);
    wrong[20] ^= 1;
    let replies = [
        (
            "a",
            answer(vec![("len", OwnedValue::Int(32))], Some(&right)),
        ),
        ("b", answer(vec![], Some(&wrong))),
        ("c", answer(vec![], Some(b"hello"))),
        ("d", answer(vec![], Some(b""))),
        ("e", answer(vec![], Some(b"hell"))),
    ];
    let run = replay(&trace, &script(&trace, replies), &options());
    assert_eq!(
        run.differences(),
        [
            "b data: fill=7 / other bytes from 20 on",
            "d data: fill=7 / an answer with no bytes",
            "e data: data=\"hello\" / 4 bytes instead of 5",
        ]
    );
    let detail = &run.report.differences[0].detail;
    assert!(detail[0].starts_with("expected at 4: "), "{detail:?}");
    assert!(
        detail[1].contains(&format!(" [{:02x}] ", wrong[20])),
        "{detail:?}"
    );
    assert!(
        detail[0].contains(&format!(" [{:02x}] ", wrong[20] ^ 1)),
        "{detail:?}"
    );
}

#[test]
fn data_is_judged_by_blob() {
    let name = replay_ir::blob::name(b"what was written");
    let trace = trace(&format!(
        "A open f\na: A read f -> OK blob={name}\nb: A read f -> OK blob={name}"
    ));
    let replies = [
        ("a", answer(vec![], Some(b"what was written"))),
        ("b", answer(vec![], Some(b"what was not"))),
    ];
    let run = replay(&trace, &script(&trace, replies), &options());
    assert_eq!(run.report.differences.len(), 1);
    let difference = &run.report.differences[0];
    assert_eq!(
        (difference.step(), difference.kind),
        (Some(step(&trace, "b")), Kind::Data)
    );
    let actual = replay_ir::blob::name(b"what was not");
    assert_eq!(difference.actual, format!("blob={actual}, 12 bytes"));
}

#[test]
fn an_unknown_expectation_is_a_failure_that_shows_what_came() {
    let trace = trace("a: A open f -> ?");
    let run = replay(
        &trace,
        &script(&trace, [("a", answer(vec![("level", word("ii"))], None))]),
        &options(),
    );
    assert_eq!(run.differences(), ["a unknown: ? / OK level=ii"]);
    assert_eq!(run.report.actual[&step(&trace, "a")].fields.len(), 1);
}

#[test]
fn an_answer_that_is_late() {
    let trace = trace("a: A echo within=1ms\nb: A echo within=1ms");
    let replies = [("a", Reply::after(1_000)), ("b", Reply::after(1_001))];
    let run = replay(&trace, &script(&trace, replies), &options());
    assert_eq!(run.differences(), ["b time: within=1ms / after 1.001ms"]);
}

#[test]
fn a_violation_is_a_difference_even_where_anything_will_do() {
    let trace = trace("a: A echo -> *\nb: A echo");
    let end = ReplyEnd::With(Outcome::Violation("bad signature".to_owned()));
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(1).end(end))]),
        &options(),
    );
    assert_eq!(
        run.differences(),
        ["a violation: * / an answer that breaks the protocol: bad signature",]
    );
    assert_eq!(run.not_run(), ["b: its connection was lost in line 7"]);
}

#[test]
fn after_an_answer_that_was_discarded_the_connection_goes_on() {
    let trace = trace(
        "a: A open f -> *\nb: A read f\nc: A echo\nd: B echo after=a\ne: C connect\nf: C echo\ng: B echo after=e",
    );
    let discarded = || ReplyEnd::With(Outcome::Discarded("bad signature".to_owned()));
    let replies = ["a", "e"].map(|label| (label, Reply::after(1).end(discarded())));
    let run = replay(&trace, &script(&trace, replies), &options());
    assert_eq!(
        run.differences(),
        [
            "a violation: * / an answer that breaks the protocol: bad signature",
            "e violation: OK / an answer that breaks the protocol: bad signature",
        ]
    );
    let mut not_run = run.not_run();
    not_run.sort();
    assert_eq!(
        not_run,
        [
            "b: its handle was not opened in line 7",
            "f: line 11 did not connect its client",
        ]
    );
    assert_eq!(run.report.answers_agreed, 3);
}

#[test]
fn a_step_that_should_have_been_pending() {
    let trace = trace("A open f\na: A lock f -> PENDING\nb: A await a");
    let run = replay(
        &trace,
        &script(&trace, [("a", Reply::after(9).status(DENIED))]),
        &options(),
    );
    assert_eq!(
        run.differences(),
        [
            "a status: PENDING / ACCESS_DENIED",
            "b status: OK / ACCESS_DENIED",
        ]
    );
}

/// An interim answer, then this one.
fn late(status: u32) -> Reply {
    let interim = Some(std::time::Duration::from_micros(50));
    Reply {
        interim,
        ..Reply::after(100).status(status)
    }
}

#[test]
fn the_final_answer_is_judged_by_the_step_that_awaits_it() {
    let trace = trace("A open f\na: A lock f -> PENDING\nb: A await a -> ACCESS_DENIED");
    let run = replay(&trace, &Script::default(), &options());
    run.assert_passed();
    let run = replay(&trace, &script(&trace, [("a", late(OK))]), &options());
    assert_eq!(run.differences(), ["b status: ACCESS_DENIED / OK"]);
}

#[test]
fn a_break_is_taken_in_order_and_judged_by_its_arguments() {
    let trace = trace(
        "a: A open f\nb: B echo after=a\nc: A break f batch->ii within=1s\n\
         d: A break f ii->none\ne: A break f within=1s",
    );
    let who = client(&trace, "A");
    let breaking = Reply::after(500)
        .breaks(100, who, break_of(&trace, "a", "batch->ii"))
        .breaks(200, who, break_of(&trace, "a", "ii->i"));
    let run = replay(&trace, &script(&trace, [("b", breaking)]), &options());
    assert_eq!(
        run.differences(),
        [
            "d break: transition=ii->none / transition=ii->i",
            "e break: a break / no break within 1s",
        ]
    );
    assert_eq!(run.report.breaks.len(), 2);
    assert_eq!(
        run.report.breaks[0].event.opened_by,
        Some(step(&trace, "a"))
    );
}

#[test]
fn a_break_of_several_handles_is_one_of_each() {
    let trace = trace(
        "a: A open f\nb: A open g\nc: B echo after=b\nd: A break g batch->ii within=1s\n\
         e: A break f batch->ii within=1s\nf: A no-break g within=1ms",
    );
    let mut event = break_of(&trace, "a", "batch->ii");
    event.also.push(step(&trace, "b"));
    let breaking = Reply::after(500).breaks(100, client(&trace, "A"), event);
    let run = replay(&trace, &script(&trace, [("c", breaking)]), &options());
    run.assert_passed();
    assert_eq!(run.report.breaks.len(), 1);
}

#[test]
fn a_break_that_comes_too_late() {
    let trace = trace("a: A open f\nb: B echo after=a\nc: A break f within=1ms");
    let event = break_of(&trace, "a", "batch->ii");
    let breaking = Reply::after(50).breaks(5_000, client(&trace, "A"), event);
    let run = replay(&trace, &script(&trace, [("b", breaking)]), &options());
    assert_eq!(
        run.differences(),
        ["c break: a break / no break within 1ms"]
    );
}

#[test]
fn no_break_is_judged_over_its_time() {
    let trace =
        trace("a: A open f\nb: B echo after=a\nc: A no-break f within=1ms\nd: @10ms A echo");
    let run = replay(&trace, &Script::default(), &options());
    run.assert_passed();
    let waited = run.report.records[0][1].moments;
    assert_eq!(waited.completed - waited.dispatched, 1_000_000);

    let event = || break_of(&trace, "a", "batch->ii");
    let breaking = Reply::after(50).breaks(500, client(&trace, "A"), event());
    let run = replay(&trace, &script(&trace, [("b", breaking)]), &options());
    assert_eq!(
        run.differences(),
        ["c break: no break / a break: transition=batch->ii"]
    );

    let late = Reply::after(50).breaks(2_000, client(&trace, "A"), event());
    let run = replay(&trace, &script(&trace, [("b", late)]), &options());
    run.assert_passed();
}

#[test]
fn a_wait_for_a_break_ends_with_its_connection() {
    let trace = trace("a: A open f\nb: A break f\nc: A no-break f within=1s");
    let script = script(
        &trace,
        [(
            "a",
            Reply {
                lost: Some(std::time::Duration::from_millis(3)),
                ..Reply::after(1)
            },
        )],
    );
    let run = replay(&trace, &script, &options());
    assert_eq!(
        run.differences(),
        ["b lost: a break / the connection was lost"]
    );
    assert!(run.report.duration.as_secs() < 2);
}

#[test]
fn the_policy_for_breaks_goes_to_the_connection() {
    let trace = trace("A open f\na: A on-break f ignore");
    let run = replay(&trace, &Script::default(), &options());
    run.assert_passed();
    assert!(run.sent("a").is_some());
    assert_eq!(
        run.report.times.total.count(),
        1,
        "and is no operation of the server's"
    );
}

#[test]
fn an_order_of_milestones() {
    let trace = trace(
        "A open f\na: A lock f -> PENDING\nb: @1ms B echo\n@2ms A await a\n\
         check order a.sent < a.pending < b.sent < b\ncheck order a < b",
    );
    let reply = |latency| Reply {
        interim: Some(std::time::Duration::from_micros(100)),
        ..Reply::after(latency)
    };
    let run = replay(&trace, &script(&trace, [("a", reply(500))]), &options());
    run.assert_passed();
    let run = replay(&trace, &script(&trace, [("a", reply(5_000))]), &options());
    assert_eq!(
        run.differences(),
        ["Check(12) order: a < b / b came 4ms before a"]
    );
}

#[test]
fn an_order_that_did_not_hold() {
    let trace = trace(
        "a: @1ms A echo\nb: B echo\nc: A open f\ncheck order a < b\ncheck order b.sent < c.break",
    );
    let run = replay(&trace, &Script::default(), &options());
    assert_eq!(
        run.differences(),
        [
            "Check(10) order: a < b / b came 1ms before a",
            "Check(11) order: b.sent < c.break / c.break never came",
        ]
    );
}

#[test]
fn a_time_bound() {
    let steps = "A echo\n".repeat(100);
    let trace = trace(&format!(
        "{steps}s: A echo\ncheck p99 echo < 1ms\ncheck max echo < 1ms\ncheck p50 all < 50us"
    ));
    let run = replay(
        &trace,
        &script(&trace, [("s", Reply::after(2_000))]),
        &options(),
    );
    let differences = run.differences();
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert!(
        differences[0].starts_with("Check(109) time: max echo service < 1ms / 2ms over 101"),
        "{differences:?}"
    );
    assert!(
        differences[1].starts_with("Check(110) time: p50 all service < 50us / 100us over 101"),
        "{differences:?}"
    );
}

#[test]
fn a_time_bound_with_too_few_samples_fails() {
    let steps = "A echo\n".repeat(99);
    let trace = trace(&format!("{steps}s: B echo\ncheck p99 echo < 1s"));
    let never = Reply::after(1).end(ReplyEnd::Never);
    let run = replay(&trace, &script(&trace, [("s", never)]), &options());
    assert_eq!(
        run.differences()[1],
        "Check(107) time: p99 echo service < 1s / too few samples: 99 where at least 100 are needed"
    );
}

#[test]
fn a_time_bound_relative_to_the_round_trip() {
    let trace = trace("A echo\nB echo\ncheck max echo < 1.5x rtt\ncheck max echo < 0.5x rtt");
    let run = replay(&trace, &Script::default(), &options());
    assert_eq!(run.report.round_trip, Some(100_000));
    let differences = run.differences();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(
        differences[0].contains("max echo service < 0.5x rtt = 50us / 100us"),
        "{differences:?}"
    );
    let trips = run.happened.iter().filter(|happened| {
        matches!(happened, Happened::Submitted(_, _, ops) if ops[..] == [replay_engine::Op::RoundTrip])
    });
    assert_eq!(trips.count(), 50);
}

#[test]
fn round_trips_are_measured_late_where_clients_connect_in_steps() {
    let trace = trace("A connect\na: A echo\ncheck max echo < 3x rtt");
    let run = replay(&trace, &Script::default(), &options());
    run.assert_passed();
    assert_eq!(run.report.round_trip, Some(100_000));
}

#[test]
fn a_round_trip_that_cannot_be_measured_fails_the_check() {
    let trace = trace("A connect -> ACCESS_DENIED\ncheck max connect < 3x rtt");
    let mut script = Script {
        default: Reply::after(100).status(DENIED),
        ..Script::default()
    };
    script.default.interim = None;
    let run = replay(&trace, &script, &options());
    assert_eq!(
        run.differences(),
        [
            "Check(8) time: a time below 3x rtt / no round trip to compare with: it was answered with 0xc0000022",
        ]
    );
}

#[test]
fn known_failures_and_unexpected_passes() {
    let failed = Verdict::Failed {
        kinds: [Kind::Status].into_iter().collect(),
    };
    let reason = "samba bug 1234";
    let known = Verdict::KnownFailure {
        reason: reason.to_owned(),
    };
    assert_eq!(failed.clone().against_known(reason), known);
    let unexpected = Verdict::Passed.against_known(reason);
    assert_eq!(
        unexpected,
        Verdict::UnexpectedPass {
            reason: reason.to_owned()
        }
    );
    let skipped = Verdict::Skipped {
        reason: "no".to_owned(),
    };
    assert_eq!(skipped.clone().against_known(reason), skipped);
    let green =
        [Verdict::Passed, failed, known, unexpected, skipped].map(|verdict| verdict.is_green());
    assert_eq!(green, [true, false, true, false, true]);
}

#[test]
fn the_report_keeps_the_last_steps_without_the_log() {
    let trace = trace(&"A echo\n".repeat(10));
    let options = replay_engine::RunOptions {
        event_log: false,
        ..options()
    };
    let run = replay(&trace, &Script::default(), &options);
    run.assert_passed();
    let last: Vec<u32> = run
        .report
        .last_steps(0, client(&trace, "A"), 3)
        .iter()
        .map(|record| record.step.0)
        .collect();
    assert_eq!(last, [7, 8, 9]);
    assert!(
        run.report.records[0]
            .iter()
            .all(|record| record.text.is_none())
    );
}
