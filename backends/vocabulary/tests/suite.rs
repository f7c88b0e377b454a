//! Every trace of the regression suite loads, and nothing that the vocabulary can know is wrong with it.

use smb_vocabulary::{VOCABULARY, check_trace, setup_trace};
use std::path::{Path, PathBuf};

fn traces(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of traces") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            traces(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "ir") {
            found.push(path);
        }
    }
}

#[test]
fn every_trace_of_the_suite_is_sound() {
    let mut found = Vec::new();
    traces(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/traces"),
        &mut found,
    );
    assert!(found.len() >= 36, "{} traces", found.len());
    let mut wrong = String::new();
    for path in found {
        let trace = match replay_ir::load(&path, &VOCABULARY) {
            Ok(trace) => trace,
            Err(errors) => {
                wrong.push_str(&format!("{errors}\n"));
                continue;
            }
        };
        for problem in check_trace(&trace) {
            wrong.push_str(&format!(
                "{}:{}: {}\n",
                path.display(),
                problem.line,
                problem.message
            ));
        }
        if let Err(errors) = setup_trace(&trace, "setup") {
            wrong.push_str(&format!("{}: given: {errors}\n", path.display()));
        }
        if trace.title().is_none() {
            wrong.push_str(&format!("{}: no title\n", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
