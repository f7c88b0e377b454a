//! What is on the server at a point of a trace, as far as its expectations say it.

use super::{Named, own};
use replay_ir::{OwnedValue, Step, StepId, Trace};
use smb_wire::ntstatus;
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

/// All of them, by their paths in lower case.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<String, File>,
    /// What is to be deleted when its handle is closed, by the step that opened it.
    deleted: HashSet<StepId>,
}

/// The paths that a step works on, in lower case: its own, and that of its handle.
pub(super) fn paths(step: &Step<'_>) -> Vec<String> {
    let trace = step.trace();
    let mut from = vec![*step];
    let opener = step
        .opened_by()
        .or_else(|| step.target())
        .map(|id| trace.step(id));
    from.extend(opener);
    if let Some(opener) = opener {
        // An await is about a step that is itself on a handle; a reconnect goes back to what opened.
        let further = opener.opened_by().or_else(|| opener.target());
        from.extend(further.map(|id| trace.step(id)));
    }
    let paths = from
        .iter()
        .filter_map(|step| step.arg("path")?.as_str().map(str::to_lowercase));
    let mut paths: Vec<String> = paths.map(|path| base(&path).to_owned()).collect();
    paths.dedup();
    paths
}

/// A path without the name of a stream.
fn base(path: &str) -> &str {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    path[name..].find(':').map_or(path, |at| &path[..name + at])
}

/// Whether a path is another one, or below it.
pub(super) fn is_below(path: &str, above: &str) -> bool {
    above.is_empty()
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn succeeds(step: &Step<'_>) -> bool {
    let expect = step.expect();
    expect.anything()
        || expect
            .statuses()
            .any(|status| status == ntstatus::SUCCESS || status == ntstatus::PENDING)
}

fn word<'t>(step: &Step<'t>, name: &str) -> &'t str {
    step.arg(name)
        .and_then(|value| value.as_str())
        .unwrap_or("")
}

/// Whether a step may have changed what is on the server.
pub(super) fn changes(step: &Step<'_>) -> bool {
    succeeds(step)
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
    pub(super) fn before(trace: &Trace, until: StepId) -> Self {
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
        for step in trace.steps().take(until.0 as usize).filter(succeeds) {
            files.step(&step);
        }
        files
    }

    fn step(&mut self, step: &Step<'_>) {
        let path = |step: &Step<'_>| {
            step.arg("path")
                .and_then(|path| path.as_str().map(str::to_owned))
        };
        let opener = step.opened_by().map(|opener| step.trace().step(opener));
        match step.verb().name {
            "create" => {
                if let Some(path) = path(step) {
                    self.created(step, &path);
                }
            }
            "close" => {
                if let Some(opener) = opener
                    && (deletes_on_close(&opener) || self.deleted.remove(&opener.id()))
                    && let Some(path) = path(&opener)
                {
                    self.files.remove(&path.to_lowercase());
                }
            }
            verb => {
                let Some(opener) = opener else { return };
                let Some(of) = path(&opener) else { return };
                let key = of.to_lowercase();
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
            self.files.insert(path.to_lowercase(), file);
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
        let moved: Vec<String> = self
            .files
            .keys()
            .filter(|path| is_below(path, from))
            .cloned()
            .collect();
        for path in moved {
            if let Some(mut file) = self.files.remove(&path) {
                file.path = format!("{to}{}", &file.path[from.len().min(file.path.len())..]);
                self.files.insert(file.path.to_lowercase(), file);
            }
        }
    }

    /// Files whose bytes no `given` line can say.
    pub(super) fn unknown(&self) -> HashSet<String> {
        let unknown = self.files.iter().filter(|(_, file)| {
            !file.directory && file.fill.is_none() && (file.given.is_none() || file.changed)
        });
        unknown.map(|(path, _)| base(path).to_owned()).collect()
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
