//! `smb-replay compare`: which answers of a run differ from those of its trace, first by cause.

mod aspects;
mod causes;
mod found;
mod json;
mod state;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use replay_ir::Trace;
use smb_vocabulary::subjects::Subjects;

use causes::{By, Place, Troubles};
use found::{Differed, Found};

pub(crate) use json::to_json;
pub(crate) use text::to_text;

/// Several runs of a trace, held against it.
pub(crate) struct Comparison<'t> {
    trace: &'t Trace,
    /// What messages call the trace.
    shown: String,
    runs: Vec<Run>,
    /// How often the trace was run: each copy of each run counts.
    replays: usize,
    causes: Vec<Cause>,
}

/// One report.
struct Run {
    shown: String,
    verdict: String,
    reason: Option<String>,
    copies: u32,
    steps: u64,
    agreed: u64,
    /// Steps that differed and were not run.
    differed: u64,
    not_run: u64,
    /// Of the differences that are in the report.
    causes: u64,
    consequences: u64,
    /// Steps that differed whose differences are not in the report any more.
    not_listed: u64,
}

/// What was otherwise, in how many replays.
#[derive(Debug, Default)]
struct Otherwise {
    seen: usize,
    /// Kind, expected, what came, further lines; each with how often.
    differences: BTreeMap<(String, String, String, Vec<String>), usize>,
    /// Why it was not run.
    not_run: BTreeSet<String>,
}

/// What differed without following from anything.
struct Cause {
    place: Place,
    what: Otherwise,
    consequences: BTreeMap<Place, Consequence>,
}

struct Consequence {
    what: Otherwise,
    /// What it follows from: the cause, or another of its consequences.
    follows: BTreeSet<(Place, By)>,
}

/// How the runs went, for an exit code.
pub(crate) enum Outcome {
    Agrees,
    Differs,
    /// A run was skipped or broken, with the reason.
    Skipped(String),
    Broken(String),
}

/// Causes and consequences that say the same: what did it, and what was otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    verb: &'static str,
    expected: String,
    actual: String,
}

impl<'t> Comparison<'t> {
    /// Reads the reports and finds the causes; `shown` is what messages call the trace. The error is a message with the file's name.
    pub(crate) fn new(trace: &'t Trace, shown: &str, reports: &[PathBuf]) -> Result<Self, String> {
        let subjects = Subjects::new(trace);
        let (mut runs, mut replays) = (Vec::new(), 0);
        let mut causes: BTreeMap<Place, Cause> = BTreeMap::new();
        for path in reports {
            let found = found::read(path, trace)?;
            let before = (total(&causes), replays);
            replays += found.copies as usize;
            for mut troubles in causes::by_copy(trace, &found).into_values() {
                causes::connect(trace, &subjects, &mut troubles);
                add(&troubles, &mut causes);
            }
            runs.push(Run::new(
                path.display().to_string(),
                &found,
                before.0,
                total(&causes),
            ));
        }
        let mut causes: Vec<Cause> = causes.into_values().collect();
        causes.sort_by_key(|cause| cause.place);
        Ok(Self {
            trace,
            shown: shown.to_owned(),
            runs,
            replays,
            causes,
        })
    }

    /// What it comes to.
    pub(crate) fn outcome(&self) -> Outcome {
        for run in &self.runs {
            let reason = || {
                format!(
                    "{}: {}",
                    run.shown,
                    run.reason.as_deref().unwrap_or("no reason")
                )
            };
            match &*run.verdict {
                "skipped" => return Outcome::Skipped(reason()),
                "broken" => return Outcome::Broken(reason()),
                _ => {}
            }
        }
        let differed = |run: &Run| run.agreed < run.steps;
        match self.causes.is_empty() && !self.runs.iter().any(differed) {
            true => Outcome::Agrees,
            false => Outcome::Differs,
        }
    }

    /// In which line of the trace a place is.
    fn line(&self, place: Place) -> Option<u32> {
        match place {
            Place::Client(client) => Some(self.trace.client(client).line()),
            Place::Step(step) => Some(self.trace.step(step).line()),
            Place::Check(line) => Some(line),
            Place::Run => None,
        }
    }

    /// The verb of a step, and a word for others.
    fn verb(&self, place: Place) -> &'static str {
        match place {
            Place::Client(_) => "client",
            Place::Step(step) => self.trace.step(step).verb().name,
            Place::Check(_) => "check",
            Place::Run => "run",
        }
    }

    /// As what something counts that was otherwise: by the first of its differences.
    fn group(&self, place: Place, what: &Otherwise) -> Group {
        let verb = self.verb(place);
        match what.differences.keys().next() {
            Some((_, expected, actual, _)) => Group {
                verb,
                expected: expected.clone(),
                actual: actual.clone(),
            },
            None => Group {
                verb,
                expected: "to run".to_owned(),
                actual: "not run".to_owned(),
            },
        }
    }

    /// How many causes and consequences each group has, most first.
    fn groups(&self) -> Vec<(Group, usize, usize)> {
        let mut groups: BTreeMap<Group, (usize, usize)> = BTreeMap::new();
        for cause in &self.causes {
            groups
                .entry(self.group(cause.place, &cause.what))
                .or_default()
                .0 += 1;
            for (place, consequence) in &cause.consequences {
                groups
                    .entry(self.group(*place, &consequence.what))
                    .or_default()
                    .1 += 1;
            }
        }
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|(group, (causes, consequences))| (group, causes, consequences))
            .collect();
        groups.sort_by_key(|(_, causes, consequences)| std::cmp::Reverse(causes + consequences));
        groups
    }

    fn consequences(&self) -> usize {
        self.causes
            .iter()
            .map(|cause| cause.consequences.len())
            .sum()
    }
}

/// Times that something was a cause, and that something was a consequence.
fn total(causes: &BTreeMap<Place, Cause>) -> (u64, u64) {
    let causes = causes.values();
    causes.fold((0, 0), |(all, followers), cause| {
        let more: usize = cause.consequences.values().map(|one| one.what.seen).sum();
        (all + cause.what.seen as u64, followers + more as u64)
    })
}

/// Adds what was otherwise in one copy of a run.
fn add(troubles: &Troubles<'_>, causes: &mut BTreeMap<Place, Cause>) {
    let roots = causes::roots(troubles);
    for (&place, trouble) in troubles {
        let root = roots.get(&place).copied().unwrap_or(place);
        let cause = causes.entry(root).or_insert_with(|| Cause {
            place: root,
            what: Otherwise::default(),
            consequences: BTreeMap::new(),
        });
        let what = match trouble.follows {
            None => &mut cause.what,
            Some(follows) => {
                let entry = cause.consequences.entry(place);
                let consequence = entry.or_insert_with(|| Consequence {
                    what: Otherwise::default(),
                    follows: BTreeSet::new(),
                });
                consequence.follows.insert(follows);
                &mut consequence.what
            }
        };
        what.seen += 1;
        for one in &trouble.differences {
            *what.differences.entry(one.key()).or_default() += 1;
        }
        what.not_run
            .extend(trouble.missed.map(|missed| missed.why.clone()));
    }
}

impl Differed {
    fn key(&self) -> (String, String, String, Vec<String>) {
        (
            self.kind.clone(),
            self.expected.clone(),
            self.actual.clone(),
            self.detail.clone(),
        )
    }
}

impl Run {
    fn new(shown: String, found: &Found, before: (u64, u64), after: (u64, u64)) -> Self {
        let mut listed: Vec<(u32, Option<u32>)> = found
            .answers_differed
            .iter()
            .map(|one| (one.copy, one.step))
            .collect();
        listed.sort_unstable();
        listed.dedup();
        Self {
            shown,
            verdict: found.verdict.clone(),
            reason: found.reason.clone(),
            copies: found.copies,
            steps: found.steps,
            agreed: found.answers_agreed,
            differed: found.answers_differed_total,
            not_run: found.not_run.len() as u64,
            causes: after.0 - before.0,
            consequences: after.1 - before.1,
            not_listed: found
                .answers_differed_total
                .saturating_sub(listed.len() as u64),
        }
    }

    /// The part of the steps that agree, in percent.
    fn share(&self) -> Option<f64> {
        (self.steps > 0).then(|| 100.0 * self.agreed as f64 / self.steps as f64)
    }
}
