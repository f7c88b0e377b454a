//! `mode = tests`: one `#[test]` function for each case, with the names that a suite's own `main`
//! gives.

use smb_replay::prelude::*;

#[smb_replay::suite(
    traces = ["tests/traces/area/passes.ir", "tests/traces/area/known*.ir"],
    servers = [samba("4.17"), external("smb://nas.example:445/data")],
    known = "tests/known.toml",
    mode = tests,
)]
async fn outcomes(case: Case) -> Verdict {
    let name = case.name();
    assert!(
        name.ends_with("::native::samba_4_17") || name.ends_with("::external_nas_example_445_data")
    );
    match name.split("::").next() {
        Some("passes") => Verdict::Passed,
        // Listed as known only below `area`, which these names do not have.
        Some("known" | "known_but_passes" | "known_otherwise") => {
            Verdict::Skipped("nothing to do".to_owned())
        }
        other => Verdict::Failed(format!("{name} has the name {other:?}")),
    }
}

#[smb_replay::replay("tests/traces/other-area/passes.2nd.ir", server = samba("4.22"))]
async fn one_trace(mut case: Case) -> Result<(), String> {
    case = case.with_backend("smb-rs");
    assert_eq!((case.backend(), case.server()), ("smb-rs", "samba-4.22"));
    match case.name() {
        "one_trace" => Ok(()),
        other => Err(format!("it is called {other}")),
    }
}
