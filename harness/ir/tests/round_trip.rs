//! Both encodings carry every valid trace.

mod common;

use common::random::traces;
use common::{VOCABULARY, jsonl, load, text};
use proptest::prelude::*;
use replay_ir::{load_bytes, load_str};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn text_says_the_same(trace in traces()) {
        let written = text(&trace);
        let back = load(&written).unwrap_or_else(|errors| panic!("{errors}\n{written}"));
        prop_assert_eq!(text(&back), written);
        prop_assert_eq!(jsonl(&back), jsonl(&trace));
    }

    #[test]
    fn json_lines_say_the_same(trace in traces()) {
        let written = jsonl(&trace);
        let back = load(&written).unwrap_or_else(|errors| panic!("{errors}\n{written}"));
        prop_assert_eq!(jsonl(&back), written);
        prop_assert_eq!(text(&back), text(&trace));
    }

    #[test]
    fn compressed_is_the_same(trace in traces()) {
        for written in [text(&trace), jsonl(&trace)] {
            let compressed = zstd::encode_all(written.as_bytes(), 3).unwrap();
            let back = load_bytes("test.ir.zst", &compressed, &VOCABULARY).unwrap();
            prop_assert_eq!(jsonl(&back), jsonl(&trace));
        }
    }

    #[test]
    fn formatting_keeps_the_meaning(trace in traces()) {
        let formatted = replay_ir::format(&text(&trace));
        let back = load(&formatted).unwrap_or_else(|errors| panic!("{errors}\n{formatted}"));
        prop_assert_eq!(jsonl(&back), jsonl(&trace));
        prop_assert_eq!(replay_ir::format(&formatted), formatted);
    }

    #[test]
    fn a_step_shown_alone_is_a_line_of_the_text(trace in traces()) {
        let written = text(&trace);
        let mut lines = written.lines().skip_while(|line| {
            ["ir ", "title ", "mode ", "needs ", "client ", "given "].iter().any(|word| line.starts_with(word))
        });
        for step in trace.steps() {
            let line = lines.next().unwrap();
            // The line shows the time only where it changes.
            let shown = step.to_text();
            let plain = |text: &str| -> Vec<String> {
                text.split(' ').filter(|word| !word.starts_with('@')).map(str::to_owned).collect()
            };
            prop_assert_eq!(plain(&shown), plain(line));
        }
    }

    #[test]
    fn every_expectation_can_be_rewritten(trace in traces()) {
        let written = text(&trace);
        let unknown: Vec<_> = trace.steps().map(|step| (step.id(), "?")).collect();
        let blank = replay_ir::rewrite_expectations(&written, &unknown);
        let filled: Vec<_> =
            trace.steps().map(|step| (step.id(), step.expect().to_text())).collect();
        let back = load(&replay_ir::rewrite_expectations(&blank, &filled)).unwrap();
        prop_assert_eq!(jsonl(&back), jsonl(&trace));
    }
}

#[test]
fn time_is_relative_to_the_clients_previous_step() {
    let trace = load(
        "ir 1\nclient A user=a\nclient B user=b\n@5ms A echo\nB echo\nA echo\n@+1.5us A echo\n@7ms A echo",
    )
    .unwrap();
    let times: Vec<u64> = trace.steps().map(|step| step.at()).collect();
    assert_eq!(times, [5_000_000, 0, 5_000_000, 5_001_500, 7_000_000]);
}

#[test]
fn what_a_step_says_can_be_read() {
    let source = "ir 1\nmode 2\nclient A user=a\nclient L on=A\n\
        c: A create f.1 \"a/b\" share=r -> OK|ACCESS_DENIED oplock=ii\n\
        l: L lock f.1 range=0x10..18 wait -> PENDING after=c.break,c within=1s\n\
        A await l -> 0xC0000001\n\
        A + read f.1 offset=1 len=2 -> *\n";
    assert!(
        load(source)
            .unwrap_err()
            .to_string()
            .contains("`+` joins operations only")
    );
    let trace = load(&source.replace("A + ", "A ")).unwrap();
    let steps: Vec<_> = trace.steps().collect();
    let [create, lock, wait, read] = steps[..] else {
        panic!("{}", steps.len())
    };
    assert_eq!(create.label(), Some("c"));
    assert_eq!(create.name(), "c");
    assert_eq!(create.arg("path").unwrap().as_str(), Some("a/b"));
    assert_eq!(create.arg("access"), None);
    assert_eq!(
        create.expect().statuses().collect::<Vec<_>>(),
        [0, 0xc000_0022]
    );
    assert_eq!(create.expect().to_text(), "OK|ACCESS_DENIED oplock=ii");
    assert_eq!(lock.opened_by(), Some(create.id()));
    assert_eq!(lock.within(), Some(1_000_000_000));
    assert!(lock.expect().is_pending() && !create.expect().is_pending());
    let after: Vec<String> = lock.after().map(|at| trace.milestone_text(at)).collect();
    assert_eq!(after, ["c.break", "c"]);
    assert_eq!(wait.target(), Some(lock.id()));
    assert_eq!(wait.name(), "#3");
    assert_eq!(read.opened_by(), Some(create.id()));
    assert!(read.expect().anything() && read.expect().statuses().next().is_none());
    assert_eq!(trace.client(lock.client()).on(), Some(create.client()));
    assert_eq!(trace.source_line(lock.line()), source.lines().nth(5));
    assert_eq!(read.to_text(), "A read f.1 offset=1 len=2 -> *");
}

#[test]
fn a_typical_recording_takes_at_most_64_bytes_a_step() {
    let mut lines = String::from("{\"ir\":1}\n");
    for client in 0..100 {
        lines.push_str(&format!(
            "{{\"client\":\"c{client}\",\"with\":{{\"user\":\"u{client}\"}}}}\n"
        ));
        lines.push_str(&format!(
            "{{\"c\":\"c{client}\",\"do\":\"create\",\"with\":{{\"handle\":\"f\",\"path\":\"a\"}}}}\n"
        ));
    }
    let steps = 100_000_u64;
    for step in 0..steps {
        lines.push_str(&format!(
            "{{\"c\":\"c{}\",\"at\":{},\"do\":\"write\",\"with\":{{\"handle\":\"f\",\"offset\":{},\"len\":4096,\"fill\":7}},\
             \"expect\":{{\"len\":4096}}}}\n",
            step % 100,
            step * 100_000,
            step * 4096,
        ));
    }
    let trace = load_str("recording", &lines, &VOCABULARY).unwrap();
    assert_eq!(trace.len() as u64, steps + 100);
    let each = trace.memory_bytes() as u64 / steps;
    assert!(each <= 64, "{each} bytes a step");
}
