//! `docs/coverage.md` is current: what the suite covers, beside what smbtorture tests.
//!
//! `UPDATE_DOCS=1 cargo test --test coverage` writes the page anew.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use replay_engine::{Backend, skip_reason};
use replay_ir::{Mode, Trace};
use serde::Deserialize;

const INTRODUCTION: &str = "\
# What the suite covers

Generated from `suites/traces`, `suites/known-failures.toml` and `suites/smbtorture.toml` by
`UPDATE_DOCS=1 cargo test --test coverage`.

";

const BY_AREA: &str = "\
## By area

An area is a folder of `suites/traces`. *Mode 2* counts traces that judge oplocks, leases or breaks. *Steps* are what
they do, set-up left out. A trace is *skipped* by a client that cannot do what it needs; `native` can do all that a
trace can say.

";

const SMBTORTURE: &str = "\
## Beside smbtorture

`smbtorture --list` of Samba 4.17.12 names TESTS tests in SUITES suites whose names begin with `smb2.`. A test of
smbtorture is a C function with often dozens of checks, a trace is one behaviour, so the two counts cannot be
compared; what can be compared is what they are about. *Lacks* is what the suite tests and no trace does.

";

const KNOWN: &str = "\
## What Samba 4.17 does otherwise

Traces say what the specifications say. These fail on Samba 4.17.12 every time, with the reason that was found.

";

#[derive(Deserialize)]
struct Smbtorture {
    suite: Vec<TortureSuite>,
}

#[derive(Deserialize)]
struct TortureSuite {
    name: String,
    tests: usize,
    areas: Vec<String>,
    #[serde(default)]
    lacks: String,
}

#[derive(Deserialize)]
struct KnownFailures {
    #[serde(default)]
    known: Vec<Known>,
}

#[derive(Deserialize)]
struct Known {
    case: String,
    reason: String,
}

/// What is counted of an area.
#[derive(Default)]
struct Area {
    traces: usize,
    breaks: usize,
    steps: usize,
    skipped: [usize; 2],
    known: usize,
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string(package().join(name)).expect(name);
    toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The traces by area.
fn traces() -> BTreeMap<String, Vec<(PathBuf, Trace)>> {
    let mut areas = BTreeMap::<String, Vec<_>>::new();
    let root = package().join("traces");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ir") {
                let relative = path.strip_prefix(&root).expect("below").to_owned();
                let area = relative.iter().next().expect("a name").to_string_lossy();
                let trace = smb_vocabulary::load(&path).expect("a trace that loads");
                areas
                    .entry(area.into_owned())
                    .or_default()
                    .push((relative, trace));
            }
        }
    }
    areas
}

/// The area and the trace that a pattern of the known failures begins with.
fn area_of(case: &str) -> &str {
    case.split("::").next().unwrap_or(case)
}

fn count(traces: &[(PathBuf, Trace)], backends: &[Box<dyn Backend>; 2]) -> Area {
    let mut area = Area {
        traces: traces.len(),
        ..Area::default()
    };
    for (_, trace) in traces {
        area.breaks += usize::from(trace.mode() == Mode::Breaks);
        area.steps += trace.len();
        for (skipped, backend) in area.skipped.iter_mut().zip(backends) {
            *skipped += usize::from(skip_reason(trace, &**backend).is_some());
        }
    }
    area
}

fn page() -> String {
    let smbtorture: Smbtorture = read("smbtorture.toml");
    let known: KnownFailures = read("known-failures.toml");
    let backends: [Box<dyn Backend>; 2] = [
        Box::new(smb_backends::native::Native::new()),
        Box::new(smb_backends::smb_rs::SmbRs::new()),
    ];
    let traces = traces();
    let mut areas: BTreeMap<&str, Area> = traces
        .iter()
        .map(|(name, traces)| (name.as_str(), count(traces, &backends)))
        .collect();
    for known in &known.known {
        if let Some(area) = areas.get_mut(area_of(&known.case)) {
            area.known += 1;
        }
    }
    let mut page = INTRODUCTION.to_owned() + BY_AREA;
    by_area(&mut page, &areas);
    beside(&mut page, &smbtorture.suite, &areas);
    page.push_str(KNOWN);
    page.push_str("| case | reason |\n|---|---|\n");
    for Known { case, reason } in &known.known {
        let case = case.trim_end_matches("::*");
        writeln!(page, "| `{case}` | {} |", reason.replace('|', "\\|")).expect("written");
    }
    page
}

fn by_area(page: &mut String, areas: &BTreeMap<&str, Area>) {
    page.push_str(
        "| area | traces | mode 2 | steps | skipped by native | by smb-rs | known to fail |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut all = Area::default();
    let mut row = |name: &str, area: &Area| {
        let Area {
            traces,
            breaks,
            steps,
            skipped: [native, smb_rs],
            known,
        } = area;
        writeln!(
            page,
            "| {name} | {traces} | {breaks} | {steps} | {native} | {smb_rs} | {known} |"
        )
        .expect("written");
    };
    for (name, area) in areas {
        row(&format!("`{name}`"), area);
        all.traces += area.traces;
        all.breaks += area.breaks;
        all.steps += area.steps;
        all.known += area.known;
        for (all, of_area) in all.skipped.iter_mut().zip(area.skipped) {
            *all += of_area;
        }
    }
    row("**all**", &all);
    page.push('\n');
}

fn beside(page: &mut String, suites: &[TortureSuite], areas: &BTreeMap<&str, Area>) {
    let tests: usize = suites.iter().map(|suite| suite.tests).sum();
    let text = SMBTORTURE
        .replace("TESTS", &tests.to_string())
        .replace("SUITES", &suites.len().to_string());
    page.push_str(&text);
    page.push_str("| suite | tests | traces in | lacks |\n|---|---|---|---|\n");
    for suite in suites {
        let shown: Vec<String> = suite
            .areas
            .iter()
            .filter_map(|name| {
                let area = areas.get(name.as_str())?;
                Some(format!("`{name}` ({})", area.traces))
            })
            .collect();
        let lacks = match (shown.is_empty(), suite.lacks.is_empty()) {
            (true, true) => "all of it".to_owned(),
            (true, false) if suite.areas.is_empty() => format!("all of it: {}", suite.lacks),
            (true, false) => format!("all of it; {}", suite.lacks),
            (false, _) => suite.lacks.clone(),
        };
        let shown = match shown.is_empty() {
            true => "none".to_owned(),
            false => shown.join(", "),
        };
        writeln!(
            page,
            "| `{}` | {} | {shown} | {lacks} |",
            suite.name, suite.tests
        )
        .expect("written");
    }
    let theirs: BTreeSet<&str> = suites
        .iter()
        .flat_map(|suite| suite.areas.iter().map(String::as_str))
        .collect();
    let ours: Vec<String> = areas
        .keys()
        .filter(|name| !theirs.contains(*name))
        .map(|name| format!("`{name}`"))
        .collect();
    let none = match ours.is_empty() {
        true => "no area".to_owned(),
        false => ours.join(", "),
    };
    writeln!(
        page,
        "\nAreas that no suite of smbtorture is about: {none}.\n"
    )
    .expect("written");
}

#[test]
fn the_page_is_current() {
    common::assert_current("coverage", &page());
}

#[test]
fn every_suite_of_smbtorture_is_listed_once() {
    let smbtorture: Smbtorture = read("smbtorture.toml");
    let names: BTreeSet<&str> = smbtorture
        .suite
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    assert_eq!(names.len(), smbtorture.suite.len());
    assert!(smbtorture.suite.iter().all(|suite| suite.tests > 0));
}

#[test]
fn every_known_failure_is_of_a_trace_that_exists() {
    let areas = traces();
    let known: KnownFailures = read("known-failures.toml");
    for Known { case, .. } in &known.known {
        let mut parts = case.split("::");
        let (area, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        if area.contains('*') || name.contains('*') {
            continue;
        }
        let exists = areas.get(area).is_some_and(|traces| {
            traces.iter().any(|(path, _)| {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                stem.replace(['-', '.'], "_") == name
            })
        });
        assert!(exists, "{case} is the name of no trace");
    }
}
