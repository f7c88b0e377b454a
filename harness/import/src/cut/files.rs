//! What is on the server at a point of a trace, as far as its expectations say it.

use super::write::{Named, own};
use replay_ir::{OwnedValue, Step, StepId, Trace};
use smb_vocabulary::subjects::{Subjects, is_below, may_succeed, without_stream};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A file or directory.
#[derive(Debug, Clone)]
struct File {
    path: String,
    directory: bool,
    size: u64,
    /// The pattern of all its bytes; `None` where several make it.
    fill: Option<u64>,
    /// The `given` line that it comes from.
    given: Option<usize>,
    /// Its content is not the given one any more.
    changed: bool,
}

impl File {
    /// No `given` line can say its bytes.
    fn is_unknown(&self) -> bool {
        !self.directory && self.fill.is_none() && (self.given.is_none() || self.changed)
    }
}

/// All of them, by their paths in lower case.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<String, File>,
    /// What is to be deleted when its handle is closed, by the step that opened it.
    deleted: HashSet<StepId>,
    /// What the latest step has changed, where that is asked for.
    changed: Option<Vec<String>>,
}

/// At which times a `given` line can say the bytes of each file.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By path: after which steps that changed, and to what.
    files: HashMap<String, Vec<(StepId, bool)>>,
}

impl Known {
    /// Whether the bytes of a file are known before a step, and since which one.
    pub(super) fn before(&self, path: &str, step: StepId) -> (bool, Option<StepId>) {
        let changes = self.files.get(path).map_or(&[][..], |changes| changes);
        let end = changes.partition_point(|&(at, _)| at < step);
        match end.checked_sub(1).and_then(|at| changes.get(at)) {
            Some(&(at, known)) => (known, Some(at)),
            None => (true, None),
        }
    }

    /// The files whose bytes are not known at some time.
    pub(super) fn sometimes_unknown(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter();
        let files = files.filter(|(_, changes)| changes.iter().any(|(_, known)| !known));
        files.map(|(path, _)| path.as_str())
    }
}

fn word<'t>(step: &Step<'t>, name: &str) -> &'t str {
    step.arg(name)
        .and_then(|value| value.as_str())
        .unwrap_or("")
}

/// Whether a step may have changed what is on the server.
pub(super) fn changes(step: &Step<'_>) -> bool {
    may_succeed(step)
        && match step.verb().name {
            "create" => !matches!(word(step, "disposition"), "" | "open") || deletes_on_close(step),
            "write" | "set-info" | "set-security" | "ioctl" => true,
            "close" => step
                .opened_by()
                .is_some_and(|opener| deletes_on_close(&step.trace().step(opener))),
            _ => false,
        }
}

fn deletes_on_close(step: &Step<'_>) -> bool {
    word(step, "options").contains("delete-on-close")
}

impl Files {
    /// As it is before a step.
    pub(super) fn before(trace: &Trace, subjects: &Subjects, until: StepId) -> Self {
        let mut files = Self::given(trace);
        for step in trace.steps().take(until.0 as usize).filter(may_succeed) {
            files.step(&step, subjects);
        }
        files
    }

    /// At which times the bytes of each file are known.
    pub(super) fn known(trace: &Trace, subjects: &Subjects) -> Known {
        let (mut known, mut files) = (Known::default(), Self::given(trace));
        // A file's streams count with it.
        let mut unknown: HashMap<String, HashSet<String>> = HashMap::new();
        for step in trace.steps().filter(may_succeed) {
            files.changed = Some(Vec::new());
            files.step(&step, subjects);
            for path in files.changed.take().unwrap_or_default() {
                let file = without_stream(&path).to_owned();
                let streams = unknown.entry(file.clone()).or_default();
                match files.files.get(&path).is_some_and(File::is_unknown) {
                    true => streams.insert(path),
                    false => streams.remove(&path),
                };
                let changes = known.files.entry(file).or_default();
                if changes.last().is_none_or(|&(_, last)| last) != streams.is_empty() {
                    changes.push((step.id(), streams.is_empty()));
                }
            }
        }
        known
    }

    fn given(trace: &Trace) -> Self {
        let mut files = Self::default();
        for (number, given) in trace.givens().iter().enumerate() {
            let Some(path) = given
                .arg("path")
                .and_then(|path| path.as_str().map(str::to_owned))
            else {
                continue;
            };
            let int = |name: &str| given.arg(name).and_then(|value| value.as_int());
            let file = File {
                path: path.clone(),
                directory: given.spec().name == "dir",
                size: int("size").unwrap_or(0),
                fill: given
                    .arg("data")
                    .is_none()
                    .then(|| int("fill").unwrap_or(0)),
                given: Some(number),
                changed: false,
            };
            files.files.insert(path.to_lowercase(), file);
        }
        files
    }

    /// That a file may be otherwise from now on.
    fn mark(&mut self, path: &str) {
        if let Some(changed) = &mut self.changed {
            changed.push(path.to_owned());
        }
    }

    fn step(&mut self, step: &Step<'_>, subjects: &Subjects) {
        let path = |step: &Step<'_>| {
            step.arg("path")
                .and_then(|path| path.as_str().map(str::to_owned))
        };
        let opener = step.opened_by().map(|opener| step.trace().step(opener));
        // The file of its handle, by the name that it has by now; streams keep theirs.
        let key = opener.and_then(|opener| {
            let path = path(&opener)?.to_lowercase();
            let file = subjects.paths(step.id()).last();
            Some(match (without_stream(&path) == path, file) {
                (true, Some(file)) => file.to_owned(),
                _ => path,
            })
        });
        match step.verb().name {
            "create" => {
                if let Some(path) = path(step) {
                    self.created(step, &path);
                }
            }
            "close" => {
                if let (Some(opener), Some(key)) = (opener, key)
                    && (deletes_on_close(&opener) || self.deleted.remove(&opener.id()))
                {
                    self.mark(&key);
                    self.files.remove(&key);
                }
            }
            verb => {
                let (Some(opener), Some(key)) = (opener, key) else {
                    return;
                };
                self.mark(&key);
                match (verb, word(step, "class")) {
                    ("write", _) => self.written(step, &key),
                    ("ioctl", _) => {
                        if let Some(file) = self.files.get_mut(&key)
                            && step.arg("chunks").is_some()
                        {
                            (file.fill, file.changed) = (None, true);
                        }
                    }
                    ("set-info", "end-of-file") => {
                        let size = step.arg("size").and_then(|size| size.as_int()).unwrap_or(0);
                        if let Some(file) = self.files.get_mut(&key) {
                            if size > file.size && file.fill != Some(0) {
                                file.fill = if file.size == 0 { Some(0) } else { None };
                            }
                            (file.size, file.changed) = (size, true);
                        }
                    }
                    ("set-info", "disposition") if step.arg("keep").is_some() => {
                        self.deleted.remove(&opener.id());
                    }
                    ("set-info", "disposition" | "disposition-ex") => {
                        self.deleted.insert(opener.id());
                    }
                    ("set-info", "rename" | "rename-ex") => {
                        if let Some(to) = path(step).filter(|to| !to.starts_with(':')) {
                            self.renamed(&key, &to);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn created(&mut self, step: &Step<'_>, path: &str) {
        let mut fields = step.expect().fields();
        let action = fields.find_map(|(field, value)| {
            (field.name == "action").then(|| value.as_str().unwrap_or("").to_owned())
        });
        let disposition = word(step, "disposition");
        let known = self.files.contains_key(&path.to_lowercase());
        let anew = match action.as_deref() {
            Some("opened") => return,
            Some(_) => true,
            None => match disposition {
                "" | "open" => return,
                "open-if" => !known,
                _ => true,
            },
        };
        if anew {
            let options: Vec<&str> = word(step, "options").split('|').collect();
            let file = File {
                path: path.to_owned(),
                directory: options.contains(&"directory"),
                size: 0,
                fill: Some(0),
                given: None,
                changed: false,
            };
            let path = path.to_lowercase();
            self.mark(&path);
            self.files.insert(path, file);
        }
    }

    fn written(&mut self, step: &Step<'_>, key: &str) {
        let int = |name: &str| step.arg(name).and_then(|value| value.as_int());
        let Some(file) = self.files.get_mut(key) else {
            return;
        };
        file.changed = true;
        let bytes = step.arg("data").is_some() || step.arg("bytes").is_some();
        let (offset, fill) = (int("offset").unwrap_or(0), int("fill").unwrap_or(0));
        let Some(length) = int("len").filter(|_| !bytes) else {
            file.fill = None;
            return;
        };
        let all = offset == 0 && length >= file.size;
        file.fill = match file.fill {
            _ if all => Some(fill),
            Some(before) if before == fill && (offset <= file.size || fill == 0) => Some(fill),
            _ => None,
        };
        file.size = file.size.max(offset.saturating_add(length));
    }

    fn renamed(&mut self, from: &str, to: &str) {
        if from.is_empty() {
            return;
        }
        let with_prefix = self.files.range(from.to_owned()..);
        let moved: Vec<String> = with_prefix
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(from))
            .filter(|path| is_below(path, from))
            .cloned()
            .collect();
        for path in moved {
            if let Some(mut file) = self.files.remove(&path) {
                // The capitals of a letter may take another number of bytes.
                let written = match file.path.len() == path.len() {
                    true => file.path.get(from.len()..),
                    false => None,
                };
                let rest = written.unwrap_or(&path[from.len()..]);
                file.path = format!("{to}{rest}");
                let new = file.path.to_lowercase();
                self.mark(&path);
                self.mark(&new);
                self.files.insert(new, file);
            }
        }
    }

    /// Their `given` lines, parents before children, and behind those of other kinds.
    pub(super) fn givens(&self, trace: &Trace) -> Vec<(&'static str, Vec<Named>)> {
        let mut lines = Vec::new();
        for given in trace
            .givens()
            .iter()
            .filter(|given| given.arg("path").is_none())
        {
            let args = given
                .args()
                .map(|(spec, value)| (spec.name.into(), own(&value)));
            lines.push((given.spec().name, args.collect()));
        }
        for file in self.files.values() {
            let mut args: HashMap<&str, OwnedValue> = HashMap::new();
            if let Some(given) = file.given.and_then(|number| trace.givens().get(number)) {
                args.extend(given.args().map(|(spec, value)| (spec.name, own(&value))));
            }
            let text = file.path.clone();
            args.insert("path", OwnedValue::Text(text));
            let said = args.contains_key("data");
            if !file.directory && (file.fill.is_some() || !said) {
                args.remove("data");
                args.insert("size", file.size.into());
                args.insert("fill", file.fill.unwrap_or(0).into());
            }
            let mut args: Vec<Named> = args
                .into_iter()
                .map(|(name, value)| (name.to_owned().into(), value))
                .collect();
            args.retain(|(name, value)| {
                !(matches!(&**name, "size" | "fill") && *value == OwnedValue::Int(0))
            });
            args.sort_by(|a, b| (a.0 != "path", &a.0).cmp(&(b.0 != "path", &b.0)));
            lines.push((if file.directory { "dir" } else { "file" }, args));
        }
        lines
    }
}
