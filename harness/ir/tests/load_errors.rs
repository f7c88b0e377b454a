//! What a trace that cannot run is told: every mistake, with its place and a way out.

mod common;

use common::{VOCABULARY, load};
use replay_ir::spec::{optional, positional};
use replay_ir::{ArgKind, LoadErrors, Role, VerbSpec, Vocabulary, load_bytes};

const HEAD: &str = "ir 1\nmode 2\nclient A user=a\nclient B user=b\nclient L on=A\n";

/// The lines and codes of the errors of some lines behind [`HEAD`].
fn mistakes(body: &str) -> Vec<(u32, String)> {
    let Err(errors) = load(&format!("{HEAD}{body}")) else {
        return vec![];
    };
    errors
        .errors()
        .iter()
        .map(|error| (error.line - 5, error.problem.code()))
        .collect()
}

/// The one error of some lines behind [`HEAD`]: its text and its way out.
fn mistake(body: &str) -> (String, String) {
    let errors = load(&format!("{HEAD}{body}")).expect_err(body);
    assert_eq!(errors.total(), 1, "{errors}");
    let problem = &errors.errors()[0].problem;
    (problem.to_string(), problem.help().unwrap_or_default())
}

#[track_caller]
fn says(body: &str, text: &str, help: &str) {
    let (found, way_out) = mistake(body);
    assert_eq!((found.as_str(), way_out.as_str()), (text, help), "{body}");
}

#[track_caller]
fn shown(errors: LoadErrors, expected: &str) {
    let found = errors.to_string();
    assert_eq!(found, expected.trim_end_matches('\n'), "\n{found}\n");
}

#[test]
fn five_mistakes_are_five_errors() {
    let source = r#"ir 1
title "five mistakes"
client A user=alice

A creat f "report.docx" access=rw
A create g "report.docx" access=rq  -> OK
A write g offset=0 length=4096      -> OK
A read h offset=0 len=10            -> ACCES_DENIED
A close g
"#;
    shown(load(source).unwrap_err(), FIVE);
}

const FIVE: &str = r#"error: unknown verb `creat`
 --> test.ir:5:3
  |
5 | A creat f "report.docx" access=rw
  |   ^^^^^
  |
  = help: did you mean `create`?

error: `access` cannot be `rq`: `q` is no right
 --> test.ir:6:26
  |
6 | A create g "report.docx" access=rq  -> OK
  |                          ^^^^^^^^^

error: `write` has no argument `length`
 --> test.ir:7:20
  |
7 | A write g offset=0 length=4096      -> OK
  |                    ^^^^^^^^^^^
  |
  = help: did you mean `len`?

error: handle `h` is not open: nothing opens it before this step
 --> test.ir:8:8
  |
8 | A read h offset=0 len=10            -> ACCES_DENIED
  |        ^
  |
  = help: open it with a step of the same connection that comes first in the file

error: unknown status `ACCES_DENIED`
 --> test.ir:8:40
  |
8 | A read h offset=0 len=10            -> ACCES_DENIED
  |                                        ^^^^^^^^^^^^
  |
  = help: did you mean `ACCESS_DENIED`?"#;

#[test]
fn json_lines_have_columns_too() {
    let source = r#"{"ir":1,"mode":2}
{"client":"A","with":{"user":"alice"}}
{"c":"A","do":"write","with":{"handle":"f","offset":"x"}}
{"c":"A","do":"create","with":{"handle":"f","path":"a"},"expect":{"status":["OK","NOPE"]}}
{"c":"A","do":"echo","lable":"x"}
{"c":"A","do":"echo",}
{"c":"A","do":"lock","with":{"handle":"f","range":[2,1]},"within":"5"}
"#;
    shown(load(source).unwrap_err(), JSON);
}

const JSON: &str = r#"error: handle `f` is not open: nothing opens it before this step
 --> test.ir:3:31
  |
3 | {"c":"A","do":"write","with":{"handle":"f","offset":"x"}}
  |                               ^^^^^^^^^^^^
  |
  = help: open it with a step of the same connection that comes first in the file

error: `offset` takes an integer of at most 64 bits, not `x`
 --> test.ir:3:44
  |
3 | {"c":"A","do":"write","with":{"handle":"f","offset":"x"}}
  |                                            ^^^^^^^^^^^^

error: unknown status `NOPE`
 --> test.ir:4:82
  |
4 | {"c":"A","do":"create","with":{"handle":"f","path":"a"},"expect":{"status":["OK","NOPE"]}}
  |                                                                                  ^^^^^^
  |
  = help: write the name of a status, `OK`, or 0x and hex digits

error: unknown key `lable`
 --> test.ir:5:22
  |
5 | {"c":"A","do":"echo","lable":"x"}
  |                      ^^^^^^^
  |
  = help: did you mean `label`?

error: `}` where `"` should stand
 --> test.ir:6:22
  |
6 | {"c":"A","do":"echo",}
  |                      ^

error: `range` takes a range such as 0..16, not this array
 --> test.ir:7:43
  |
7 | {"c":"A","do":"lock","with":{"handle":"f","range":[2,1]},"within":"5"}
  |                                           ^^^^^^^^^^^^^

error: `within` takes a length of time such as 5ms, not `5`
 --> test.ir:7:67
  |
7 | {"c":"A","do":"lock","with":{"handle":"f","range":[2,1]},"within":"5"}
  |                                                                   ^^^"#;

#[test]
fn a_circle_is_shown() {
    let source = r#"ir 1
client A user=alice
client B user=bob

one:   A echo
two:   A echo after=three
       B echo after=two.sent
three: B echo
"#;
    shown(load(source).unwrap_err(), CIRCLE);
}

const CIRCLE: &str = r#"error: steps wait for each other in a circle: two (A, line 6) -> three (B, line 8) -> #3 (B, line 7) -> two (A, line 6)
 --> test.ir:7:21
  |
7 |        B echo after=two.sent
  |                     ^^^^^^^^
  |
  = help: take one `after` away, or change the order of a client's steps"#;

#[test]
fn circles_of_all_kinds() {
    assert_eq!(mistakes("x: A echo after=x"), [(1, "circle".into())]);
    // Members of a compound go out together.
    assert_eq!(
        mistakes("x: A echo\nA + echo after=x"),
        [(2, "circle".into())]
    );
    assert_eq!(
        mistakes("A echo\nA + echo after=x\nx: A echo"),
        [(2, "circle".into())]
    );
    // Lanes are independent of each other.
    assert_eq!(mistakes("A echo after=x\nx: L echo"), []);
    assert_eq!(
        mistakes("A echo after=x\nx: B echo after=y\ny: L echo\nB echo after=x"),
        []
    );
    // Two circles are two errors.
    assert_eq!(
        mistakes("x: A echo after=x\ny: B echo after=y"),
        [(1, "circle".into()), (2, "circle".into())]
    );
    let (text, _) = mistake("x: A echo after=y\ny: B echo after=z\nz: L echo after=x");
    assert_eq!(
        text,
        "steps wait for each other in a circle: \
         x (A, line 6) -> y (B, line 7) -> z (L, line 8) -> x (A, line 6)"
    );
}

#[test]
fn words_are_known() {
    says("A frob", "unknown verb `frob`", "");
    says("A ehco", "unknown verb `ehco`", "did you mean `echo`?");
    says("C echo", "unknown client `C`", "");
    says(
        "A echo -> NOT_FOUND_",
        "unknown status `NOT_FOUND_`",
        "write the name of a status, `OK`, or 0x and hex digits",
    );
    says(
        "A echo -> STATUS_ACCESS_DENIED",
        "unknown status `STATUS_ACCESS_DENIED`",
        "did you mean `ACCESS_DENIED`?",
    );
    says(
        "A echo -> 0x1C0000022",
        "unknown status `0x1C0000022`",
        "write the name of a status, `OK`, or 0x and hex digits",
    );
    says("A echo -> OK|OK", "status `OK` is given twice", "");
    says("A echo -> *|OK", "`*` stands alone", "");
    says("A echo -> OK len=1", "`echo` has no answer field `len`", "");
    says(
        "A create f \"x\" -> OK fill=1",
        "`create` has no answer field `fill`",
        "",
    );
    says(
        "A create f \"x\" -> OK siez=1",
        "`create` has no answer field `siez`",
        "did you mean `size`?",
    );
    says(
        "A create f \"x\" -> OK size=1 size=2",
        "field `size` is given twice",
        "",
    );
    says(
        "A create f \"x\" acces=r",
        "`create` has no argument `acces`",
        "did you mean `access`?",
    );
    says(
        "A echo now",
        "`echo` takes no further argument by position",
        "",
    );
    says("A echo after=x", "unknown label `x`", "");
    says(
        "lbl: A echo\nA echo after=lbx",
        "unknown label `lbx`",
        "did you mean `lbl`?",
    );
    says(
        "x: A echo\nB echo after=x.snet",
        "unknown milestone `snet`",
        "did you mean `sent`?",
    );
    says(
        "x: A echo\nx: A echo",
        "a second label `x`; the first is on line 6",
        "",
    );
    says(
        "a.b: A echo",
        "`a.b` is not a name",
        "a name begins with a letter or `_`; letters, digits, `_` and `-` follow",
    );
    says(
        "needs oplock",
        "unknown need `oplock`",
        "did you mean `oplocks`?",
    );
    says("mode 1", "a second `mode` line", "");
    says(
        "A echo\nneeds leases",
        "`needs` stands after the first step",
        "move it above the first step",
    );
    says(
        "given fil \"x\"",
        "unknown given `fil`",
        "did you mean `file`?",
    );
    says("given file", "`given file` needs `path`", "");
    // One unknown client is one error, however often it is used.
    assert_eq!(
        mistakes("Nobody echo\nNobody echo\nNobody create f \"x\"\nNobody close f").len(),
        1
    );
}

#[test]
fn values_fit_their_kinds() {
    let create = "A create f \"x\"\n";
    for (step, text) in [
        (
            "A read f offset=-1 len=1",
            "`offset` takes an integer of at most 64 bits, not `-1`",
        ),
        (
            "A read f offset=18446744073709551616 len=1",
            "`offset` takes an integer of at most 64 bits, not `18446744073709551616`",
        ),
        (
            "A read f offset=0x len=1",
            "`offset` takes an integer of at most 64 bits, not `0x`",
        ),
        (
            "A read f offset=+1 len=1",
            "`offset` takes an integer of at most 64 bits, not `+1`",
        ),
        ("A read f len=1", "`read` needs `offset`"),
        ("A read f", "`read` needs `offset`, `len`"),
        (
            "A read f offset=1 len=1 offset=2",
            "argument `offset` is given twice",
        ),
        (
            "A read \"f\" offset=1 len=1",
            "`handle` takes the name of a handle, not `\"f\"`",
        ),
        (
            "A lock f range=2..1",
            "`range` takes a range such as 0..16, not `2..1`",
        ),
        (
            "A lock f range=0..1 timeout=5",
            "`timeout` takes a length of time such as 5ms, not `5`",
        ),
        (
            "A lock f range=0..1 wait=yes",
            "`wait` takes no value, not `yes`",
        ),
        (
            "A lock f range=0..1 within=5",
            "`within` takes a length of time such as 5ms, not `5`",
        ),
        (
            "A create g x",
            "`path` takes text, not `x`; put it in quotes",
        ),
        ("A create g \"\\q\"", "`\\q` is not an escape sequence"),
        ("A create g \"x", "the text has no closing quote"),
        (
            "A create g \"x\"y",
            "`y` where a blank after the closing quote should stand",
        ),
        (
            "A create g \"x\" oplock=big",
            "`oplock` takes one of none, ii, exclusive, batch, not `big`",
        ),
        (
            "A create g \"x\" access=rz",
            "`access` cannot be `rz`: `z` is no right",
        ),
        (
            "A write f offset=0 data=hex:abc",
            "`data` takes bytes such as hex:0a1b, not `abc`",
        ),
        (
            "A write f offset=0 data=00",
            "`data` takes bytes such as hex:0a1b, not `00`",
        ),
        (
            "A read f offset=0 len=1 -> OK blob=sha256:12",
            "`blob` cannot be `sha256:12`: a blob is `sha256:` and 64 lower-case hex digits",
        ),
        (
            "@5 A echo",
            "`@5` where a time such as @50ms or @+5ms should stand",
        ),
        (
            "A echo ->",
            "nothing after `->` where a status should stand",
        ),
        (
            "A echo -> OK -> OK",
            "a second `->` where one expectation should stand",
        ),
        ("x:", "nothing where a client should stand"),
        ("A", "nothing where a verb should stand"),
    ] {
        let errors = load(&format!("{HEAD}{create}{step}")).expect_err(step);
        assert_eq!(errors.errors()[0].problem.to_string(), text, "{step}");
    }
}

#[test]
fn handles_are_open_when_they_are_used() {
    let read = "A read f offset=0 len=1\n";
    says(
        read,
        "handle `f` is not open: nothing opens it before this step",
        "open it with a step of the same connection that comes first in the file",
    );
    says(
        &format!("A create f \"x\"\nA close f\n{read}"),
        "handle `f` is not open: line 7 closes it",
        "use it before it is closed, or open it again",
    );
    says(
        &format!("A create f \"x\" -> ACCESS_DENIED\n{read}"),
        "handle `f` is not open: the step on line 6 does not expect to open it",
        "let that step expect `OK`, or use another handle",
    );
    says(
        "A create f \"x\"\nA create f \"y\"",
        "handle `f` is still open since line 6",
        "close it first, or choose another name",
    );
    // A handle belongs to the connection.
    assert_eq!(mistakes(&format!("L create f \"x\"\n{read}")), []);
    assert_eq!(
        mistakes(&format!("B create f \"x\"\n{read}")),
        [(2, "not-opened".into())]
    );
    // What may succeed may open; what must fail neither opens nor closes.
    for expect in ["OK|ACCESS_DENIED", "*", "?", "PENDING"] {
        assert_eq!(
            mistakes(&format!("A create f \"x\" -> {expect}\n{read}")),
            [],
            "{expect}"
        );
    }
    assert_eq!(
        mistakes(&format!(
            "A create f \"x\"\nA close f -> ACCESS_DENIED\n{read}"
        )),
        []
    );
    assert_eq!(
        mistakes(&format!(
            "A create f \"x\"\nA create f \"x\" -> ACCESS_DENIED\n{read}"
        )),
        []
    );
    assert_eq!(
        mistakes("A create f \"x\"\nA close f\nA create f \"x\"\nA close f"),
        []
    );
    // Both handles of a step are looked at; one misspelt name is one error.
    assert_eq!(
        mistakes("A create f \"x\"\nA copy f g\nA copy g f\nA close g"),
        [(2, "not-opened".into())]
    );
    // A line that is wrong for another reason may have opened what follows.
    assert_eq!(
        mistakes(&format!("A crate f \"x\"\n{read}")),
        [(1, "unknown-verb".into())]
    );
    assert_eq!(
        mistakes(&format!("A create f \"x\n{read}")),
        [(1, "open-quote".into())]
    );
}

#[test]
fn milestones_can_happen() {
    assert_eq!(mistakes("x: A create f \"x\"\nB echo after=x.break"), []);
    says(
        "x: A echo\nB echo after=x.break",
        "`x.break` never happens: the step on line 6 opens no handle",
        "",
    );
    says(
        "x: A echo\nB echo after=x.pending",
        "`x.pending` never happens: the step on line 6 does not expect `PENDING`",
        "write `-> PENDING` there if an interim answer must come",
    );
    for expect in ["PENDING", "OK|PENDING", "*", "?"] {
        assert_eq!(
            mistakes(&format!("x: A echo -> {expect}\nB echo after=x.pending")),
            [],
            "{expect}"
        );
    }
    assert_eq!(mistakes("x: A echo -> PENDING\nL await x"), []);
    says(
        "x: A echo\nA await x",
        "`x` is not awaited: the step on line 6 does not expect `PENDING` alone",
        "write `-> PENDING` there if an interim answer must come",
    );
    says(
        "x: A echo -> PENDING\nB await x",
        "`x` belongs to client `A`, which has another connection",
        "await it with that client or one that is `on` it",
    );
    says(
        "L await x\nx: A echo -> PENDING",
        "`x` stands on line 7, after the step that awaits it",
        "await a step that comes earlier in the file",
    );
    says(
        "x: A echo -> PENDING\nA await x\nA await x",
        "`x` is already awaited on line 7",
        "",
    );
    let breaks = "ir 1\nclient A user=a\nA create f \"x\"\nA break f batch->ii\n";
    let errors = load(breaks).unwrap_err();
    assert_eq!(
        errors.errors()[0].problem.to_string(),
        "`break` needs mode 2"
    );
}

#[test]
fn clients_have_an_identity_and_one_connection() {
    says(
        "client C",
        "client `C` has no identity",
        "add `user=NAME`, `anonymous`, or `on=CLIENT`",
    );
    says(
        "client C user=c anonymous",
        "`user` and `anonymous` exclude each other",
        "",
    );
    says(
        "client C on=A dialect=2.1",
        "`on=A` shares that client's connection and session, so `dialect` has no effect",
        "leave it away, or give the client a connection of its own",
    );
    says(
        "client C on=L",
        "client `L` itself shares the connection of `A`",
        "write `on=A`",
    );
    says("client C on=D", "unknown client `D`", "");
    says(
        "client A user=x",
        "a second client `A`; the first is on line 3",
        "",
    );
    says(
        "client check user=x",
        "`check` starts other lines and cannot be a client",
        "",
    );
    says(
        "client C on=A user=c anonymous",
        "`user` and `anonymous` exclude each other",
        "",
    );
    assert_eq!(mistakes("client C anonymous"), []);
    // A session of its own on the other's connection.
    assert_eq!(mistakes("client C on=A user=c"), []);
}

#[test]
fn time_and_compounds_are_possible() {
    says(
        "@2ms A echo\n@1ms A echo",
        "time goes backwards: client `A` has a step at 2ms before this one at 1ms",
        "steps of a client stand in the order of their times",
    );
    assert_eq!(mistakes("@2ms A echo\n@1ms B echo\n@1ms L echo"), []);
    says(
        "@18446744073709551615ns A echo\n@+1ns A echo",
        "the time passes 2^64 nanoseconds",
        "",
    );
    says(
        "A + echo",
        "`+` joins a step to its client's previous one, and `A` has none",
        "",
    );
    says(
        "A echo\n@1ms A + echo",
        "a step with `+` goes out with the one before it and has no time of its own",
        "",
    );
    says(
        "A pause\nA + echo",
        "`+` joins operations only, and `pause` is none",
        "",
    );
}

#[test]
fn checks_can_be_judged() {
    let echoes = "A echo\n".repeat(99);
    assert_eq!(
        mistakes(&format!("{echoes}A echo\ncheck p99 echo < 1ms")),
        []
    );
    says(
        &format!("{echoes}check p99 echo < 1ms"),
        "`p99` says nothing about 99 steps: it needs at least 100",
        "bound a lower percentile or `max`, or add steps",
    );
    says(
        &format!("{echoes}A pause\ncheck p99 all < 1ms"),
        "`p99` says nothing about 99 steps: it needs at least 100",
        "bound a lower percentile or `max`, or add steps",
    );
    says(
        "A echo\ncheck p50 echo < 1ms",
        "`p50` says nothing about 1 steps: it needs at least 2",
        "bound a lower percentile or `max`, or add steps",
    );
    says(
        "A echo\ncheck p99.9 echo < 1ms",
        "`p99.9` says nothing about 1 steps: it needs at least 1000",
        "bound a lower percentile or `max`, or add steps",
    );
    says(
        "A echo\ncheck max close < 1ms",
        "`max` says nothing about 0 steps: it needs at least 1",
        "bound a lower percentile or `max`, or add steps",
    );
    says(
        "A pause\ncheck max pause < 1ms",
        "no times are recorded for `pause`",
        "",
    );
    says(
        "A echo\ncheck max ehco < 1ms",
        "unknown verb `ehco`",
        "did you mean `echo`?",
    );
    says(
        "A echo\ncheck max echo lagg < 1ms",
        "unknown time `lagg`",
        "did you mean `lag`?",
    );
    for (check, text) in [
        (
            "",
            "the end of the line where a percentile, `max` or `order` should stand",
        ),
        (
            "p0 echo < 1ms",
            "`p0` where a percentile such as p99, `max` or `order` should stand",
        ),
        (
            "p100 echo < 1ms",
            "`p100` where a percentile such as p99, `max` or `order` should stand",
        ),
        (
            "max echo",
            "the end of the line where `<` and a bound should stand",
        ),
        ("max echo lag 1ms", "`1ms` where `<` should stand"),
        (
            "max echo < soon",
            "`soon` where a bound such as 20ms or `3x rtt` should stand",
        ),
        (
            "max echo < 0x rtt",
            "`0x` where a bound such as 20ms or `3x rtt` should stand",
        ),
        (
            "max echo < 3x",
            "the end of the line where `rtt` should stand",
        ),
        (
            "max echo < 1ms now",
            "`now` where the end of the line should stand",
        ),
        (
            "order 1",
            "the end of the line where `<` and another step should stand",
        ),
        ("order 1 < 3", "there is no step 3"),
        ("order 1 < x", "unknown label `x`"),
        ("order 1 > 2", "`>` where `<` should stand"),
        (
            "order 1.break < 2",
            "`#1.break` never happens: the step on line 6 opens no handle",
        ),
    ] {
        assert_eq!(
            mistake(&format!("A echo\nA echo\ncheck {check}")).0,
            text,
            "{check}"
        );
    }
}

#[test]
fn the_beginning_is_the_version() {
    for (source, code) in [
        ("", "no-version"),
        ("# only a comment\n", "no-version"),
        ("client A user=a\n", "no-version"),
        ("ir\n", "expected"),
        ("ir 2\n", "unknown-version"),
        ("ir 1 2\n", "expected"),
        ("ir 1\nir 1\n", "second-header"),
        ("{\"ir\":2}\n", "unknown-version"),
        ("{\"check\":\"order 1 < 2\"}\n", "no-version"),
        ("{\"ir\":1}\n{\"ir\":1}\n", "second-header"),
        ("{\"ir\":1}\n{}\n", "expected"),
        (
            "{\"ir\":1}\n{\"client\":\"A\",\"do\":\"echo\",\"with\":{\"user\":\"a\"}}\n",
            "unknown-key",
        ),
        ("{\"ir\":1}\n[]\n", "json"),
    ] {
        let errors = load(source).expect_err(source);
        assert_eq!(errors.errors()[0].problem.code(), code, "{source}");
    }
    assert!(load("\n# first\n\nir 1 # version\n").is_ok());
}

#[test]
fn a_missing_file_and_a_damaged_stream_are_said() {
    let errors = replay_ir::load("/nonexistent/a.ir", &VOCABULARY).unwrap_err();
    assert_eq!(errors.total(), 1);
    assert!(
        errors
            .to_string()
            .starts_with("error: the trace cannot be read: "),
        "{errors}"
    );
    assert!(
        errors.to_string().contains("--> /nonexistent/a.ir"),
        "{errors}"
    );
    let mut bytes = zstd::encode_all(&b"{\"ir\":1}\n"[..], 1).unwrap();
    bytes.truncate(bytes.len() - 3);
    let errors = load_bytes("a.ir.jsonl.zst", &bytes, &VOCABULARY).unwrap_err();
    assert_eq!(errors.errors()[0].problem.code(), "damaged", "{errors}");
}

#[test]
fn a_built_trace_shows_the_item() {
    use replay_ir::{StepSpec, TraceBuilder};
    let mut builder = TraceBuilder::new(&VOCABULARY, "imported");
    builder.client("A", &[("user".into(), "alice".into())]);
    builder.step(
        &StepSpec::new("A", "create")
            .arg("handle", "f")
            .arg("path", "a b")
            .arg("acces", "r"),
    );
    builder.step(
        &StepSpec::new("A", "write")
            .arg("handle", "no name")
            .arg("offset", "far"),
    );
    let errors = builder.build().unwrap_err();
    let found: Vec<_> = errors
        .errors()
        .iter()
        .map(|error| (error.line, error.problem.code(), error.source.as_str()))
        .collect();
    let create = "A create handle=\"f\" path=\"a b\" acces=\"r\"";
    let write = "A write handle=\"no name\" offset=\"far\"";
    assert_eq!(
        found,
        [
            (2, "unknown-argument".into(), create),
            (3, "wrong-kind".into(), write),
            (3, "wrong-kind".into(), write),
        ]
    );
}

#[test]
fn a_long_line_is_shown_around_its_mistake() {
    let source = format!(
        "{HEAD}A create f \"{}\" bad=1 access=\"{}\"\n",
        "x".repeat(5000),
        "y".repeat(5000)
    );
    let errors = load(&source).unwrap_err();
    let error = &errors.errors()[0];
    assert_eq!((error.line, error.column, error.width), (6, 5015, 5));
    assert!(error.source.len() < 1000 && error.source.contains("bad=1"));
    let text = errors.to_string();
    assert!(
        text.contains("test.ir:6:5015") && text.contains("bad=1"),
        "{text}"
    );
}

#[test]
fn a_vocabulary_is_looked_over() {
    assert_eq!(VOCABULARY.problems(), [""; 0]);
    static BAD: Vocabulary = Vocabulary {
        verbs: &[VerbSpec {
            name: "two words",
            role: Role::Await,
            doc: "",
            section: "",
            args: &[
                optional("a", ArgKind::Int, ""),
                positional("b", ArgKind::Flag, ""),
                optional("a", ArgKind::List(&ArgKind::Flag), ""),
                optional("after", ArgKind::Word(&["x y"]), ""),
            ],
            answer: &[],
            example: "",
        }],
        client_args: &[],
        givens: &[],
        needs: &[],
        status_by_name: |_| None,
        status_name: |_| Some("X"),
        ok: 0,
        pending: 1,
    };
    let problems = BAD.problems();
    for expected in [
        "`two words` is not a name",
        "`two words`: the positional argument `b` stands behind another one",
        "`two words`: the flag `b` cannot be positional",
        "`two words`: a second `a`",
        "`two words`: `a` is a list of flags or lists",
        "`two words`: `after` is a word of the core",
        "`two words`: `after`: `x y` cannot stand in a trace",
        "`two words`: a verb that awaits needs one label argument",
        "`X` is the name of 0x00000001, but names another status",
    ] {
        assert!(
            problems.iter().any(|problem| problem == expected),
            "{expected}: {problems:#?}"
        );
    }
}
