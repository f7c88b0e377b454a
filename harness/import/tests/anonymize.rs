//! Secrets in every field of a capture, and none of them in the trace.

#[path = "common/mod.rs"]
mod captures;
#[path = "anonymize/elsewhere.rs"]
mod elsewhere;
#[path = "anonymize/planted.rs"]
mod planted;

use planted::{SECRETS, capture};
use replay_import::{CaptureOptions, NameKey, Naming, import_capture};
use std::collections::HashSet;

fn import(naming: Naming) -> (String, String) {
    let folder = tempfile::tempdir().expect("it works");
    let path = folder.path().join("customer.pcap");
    std::fs::write(&path, capture()).expect("it works");
    let options = CaptureOptions {
        naming,
        ..CaptureOptions::default()
    };
    let (trace, report) = import_capture(&path, "customer.pcap", &options).expect("it works");
    let (mut text, mut lines) = (Vec::new(), Vec::new());
    trace.write_text(&mut text).expect("it works");
    trace.write_jsonl(&mut lines).expect("it works");
    let all =
        String::from_utf8(text).expect("it works") + &String::from_utf8(lines).expect("it works");
    (all, report.to_string())
}

#[test]
fn no_secret_is_in_the_trace_or_the_report() {
    for secret in ["one", "two", "three"] {
        let (trace, report) = import(Naming {
            key: Some(NameKey::of(secret.as_bytes())),
            ..Naming::default()
        });
        let small = (trace.clone() + &report).to_lowercase();
        for secret in SECRETS {
            assert!(!small.contains(secret), "{secret} is in\n{trace}\n{report}");
        }
        assert!(
            trace.contains(".docx") && trace.contains("user=alice") && trace.contains("reconnect"),
            "{trace}"
        );
        assert!(report.contains("replaced: "), "{report}");
    }
}

/// Otherwise the test above would find nothing because there is nothing.
#[test]
fn without_anonymizing_the_names_are_there() {
    let (trace, _) = import(Naming::default());
    let small = trace.to_lowercase();
    let named = [
        "hernandez",
        "mergerplans",
        "takeover",
        "annotation",
        "blueprint",
        "restructure",
        "layoffs",
        "obituary",
        "portfolio",
    ];
    for name in named {
        assert!(small.contains(name), "{name} is not in\n{trace}");
    }
    // Data and create contexts are never kept.
    for secret in [
        "acquisition",
        "confidential",
        "whistleblower",
        "topsecretlease",
    ] {
        assert!(!small.contains(secret), "{secret} is in\n{trace}");
    }
}

#[test]
fn the_same_key_gives_the_same_names_and_another_one_others() {
    let with = |secret: &str| {
        import(Naming {
            key: Some(NameKey::of(secret.as_bytes())),
            ..Naming::default()
        })
    };
    assert_eq!(with("one"), with("one"));
    let names = |text: &str| -> HashSet<String> {
        let quoted = text.split('"').filter(|part| part.contains(".docx"));
        quoted.map(str::to_owned).collect()
    };
    assert!(names(&with("one").0).is_disjoint(&names(&with("two").0)));
}

#[test]
fn kept_and_mapped_names_are_as_asked_for() {
    let (trace, _) = import(Naming {
        key: Some(NameKey::of(b"one")),
        keep: vec!["annotation".to_owned()],
        identities: vec![("MEGACORP\\Hernandez".to_owned(), "carol".to_owned())],
        paths: vec![("mergerplans".to_owned(), "lab/plans".to_owned())],
    });
    assert!(trace.contains("user=carol"), "{trace}");
    assert!(
        trace.contains("\"lab/plans/") && trace.contains(":Annotation"),
        "{trace}"
    );
}
