//! What is otherwise on the server at a point of a trace, file by file, and since which step.

use std::collections::HashMap;

use replay_ir::{Step, StepId};
use smb_vocabulary::paths;
use smb_vocabulary::subjects::{Subjects, above, is_below, may_succeed};

use super::aspects::{self, Aspects};

/// The latest step that made each aspect otherwise.
type Latest = [Option<StepId>; aspects::COUNT];

/// What is otherwise at a point of the trace.
pub(super) struct State<'s> {
    subjects: &'s Subjects,
    at: HashMap<&'s str, Latest>,
    /// Of anything below a directory.
    below: HashMap<&'s str, Latest>,
}

impl<'s> State<'s> {
    pub(super) fn new(subjects: &'s Subjects) -> Self {
        Self {
            subjects,
            at: HashMap::new(),
            below: HashMap::new(),
        }
    }

    /// What is otherwise from now on.
    pub(super) fn record(&mut self, step: &Step<'_>, changes: Aspects) {
        for path in self.subjects.paths(step.id()) {
            for number in (changes - Aspects::SESSION).numbers() {
                self.at.entry(path).or_default()[number] = Some(step.id());
                for above in above(path) {
                    self.below.entry(above).or_default()[number] = Some(step.id());
                }
            }
        }
    }

    /// What is otherwise of a file is so under its new name.
    pub(super) fn moved(&mut self, step: &Step<'_>) {
        let class = step.arg("class").and_then(|class| class.as_str());
        let subjects = self.subjects;
        let mut paths = subjects.paths(step.id());
        let (Some("rename" | "rename-ex"), Some(to), Some(from)) =
            (class, paths.next(), paths.next())
        else {
            return;
        };
        if !may_succeed(step) {
            return;
        }
        let is_directory = self.below.contains_key(from);
        for map in [&mut self.at, &mut self.below] {
            let moved: Vec<(&str, Latest)> = match is_directory {
                false => map
                    .get(from)
                    .map(|latest| (to, *latest))
                    .into_iter()
                    .collect(),
                true => map
                    .iter()
                    .filter(|(path, _)| is_below(path, from))
                    .filter_map(|(path, latest)| {
                        let new = format!("{to}{}", &path[from.len()..]);
                        let new = subjects.find(&new)?;
                        Some((subjects.path(new), *latest))
                    })
                    .collect(),
            };
            for (path, latest) in moved {
                let known = map.entry(path).or_default();
                for (known, latest) in known.iter_mut().zip(latest) {
                    *known = (*known).max(latest);
                }
            }
        }
    }

    /// The latest step that made something otherwise that a step depends on.
    pub(super) fn latest(&self, step: &Step<'_>, wanted: Aspects) -> Option<(StepId, usize)> {
        let wanted = wanted - Aspects::SESSION;
        let latest = |map: &HashMap<&str, Latest>, path: &str, wanted: Aspects| {
            let found = map.get(path)?;
            let numbers = wanted.numbers();
            numbers
                .filter_map(|number| Some((found[number]?, number)))
                .max()
        };
        let source = self.subjects.source(step.id());
        let own = self.subjects.paths(step.id());
        let all = own.chain(source.into_iter().flat_map(|id| self.subjects.paths(id)));
        let mut found = None;
        for path in all {
            found = found.max(latest(&self.at, path, wanted));
            let of_way = wanted & (Aspects::EXISTENCE | Aspects::SECURITY);
            for above in paths::parents(path) {
                found = found.max(latest(&self.at, above, of_way));
            }
            if sees_below(step) {
                found = found.max(latest(&self.below, path, wanted));
            }
        }
        found
    }
}

/// Whether the answer depends on what is in a directory.
fn sees_below(step: &Step<'_>) -> bool {
    let word = |name: &str| {
        step.arg(name)
            .and_then(|value| value.as_str())
            .unwrap_or("")
    };
    match step.verb().name {
        "query-directory" | "notify" => true,
        "set-info" => matches!(
            word("class"),
            "rename" | "rename-ex" | "disposition" | "disposition-ex"
        ),
        "create" => word("options").contains("delete-on-close"),
        "await" => step
            .target()
            .is_some_and(|target| step.trace().step(target).verb().name == "notify"),
        _ => false,
    }
}
