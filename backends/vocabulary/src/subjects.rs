//! Which files the steps of a trace work on, followed through renames.

use crate::{VOCABULARY, paths};
use replay_ir::{Step, StepId, Trace};
use std::collections::HashMap;

/// A path in [`Subjects`]: in lower case, without the name of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(u32);

impl PathId {
    /// Its number; those of a trace are counted from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The files that each step works on, as far as the trace says it.
///
/// A step works on the path that it names, and on the file of its handle; an `await` or a `cancel` on what the step works on
/// that it is about. A handle's file has the name that it has by then: a rename that is expected to succeed changes it, for
/// all handles that are open on the file or below it.
#[derive(Debug)]
pub struct Subjects {
    paths: Vec<Box<str>>,
    known: HashMap<Box<str>, PathId>,
    /// By step: its paths, its own before that of its handle.
    of: Vec<[Option<PathId>; 2]>,
    /// The step that opened the handle which a step names as its source.
    sources: HashMap<StepId, StepId>,
}

impl Subjects {
    /// Of all steps of a trace, in one pass.
    pub fn new(trace: &Trace) -> Self {
        let mut walk = Walk::default();
        trace.steps().for_each(|step| walk.step(&step));
        Self {
            paths: walk.paths,
            known: walk.known,
            of: walk.of,
            sources: walk.sources,
        }
    }

    /// What a step works on, the path that it names before that of its handle.
    pub fn of(&self, step: StepId) -> impl Iterator<Item = PathId> + use<'_> {
        let of = self.of.get(step.0 as usize).copied();
        of.unwrap_or_default().into_iter().flatten()
    }

    /// The text of a path.
    pub fn path(&self, id: PathId) -> &str {
        self.paths.get(id.0 as usize).map_or("", |path| path)
    }

    /// What a step works on, as text.
    pub fn paths(&self, step: StepId) -> impl Iterator<Item = &str> {
        self.of(step).map(|id| self.path(id))
    }

    /// How many different paths there are.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// The path with this text, in lower case, if a step works on it.
    pub fn find(&self, path: &str) -> Option<PathId> {
        self.known.get(path).copied()
    }

    /// The step that opened the handle of a step's `source=`.
    pub fn source(&self, step: StepId) -> Option<StepId> {
        self.sources.get(&step).copied()
    }
}

/// A path without the name of a stream.
pub fn without_stream(path: &str) -> &str {
    let name = path.rfind(['/', '\\']).map_or(0, |at| at + 1);
    path[name..].find(':').map_or(path, |at| &path[..name + at])
}

/// Whether a path is `above`, or lies below it. The empty path is the root.
pub fn is_below(path: &str, above: &str) -> bool {
    above.is_empty()
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
}

/// Whether a step may succeed, as far as its expectation says.
pub fn may_succeed(step: &Step<'_>) -> bool {
    let expect = step.expect();
    let fine = |status| status == VOCABULARY.ok || status == VOCABULARY.pending;
    expect.anything() || expect.unknown() || expect.statuses().any(fine)
}

/// The directories above a path, the root first; the root has none.
pub fn above(path: &str) -> impl Iterator<Item = &str> + Clone {
    let root = (!path.is_empty()).then_some("");
    root.into_iter().chain(paths::parents(path))
}

/// What is known at a point of the trace.
#[derive(Default)]
struct Walk<'t> {
    paths: Vec<Box<str>>,
    known: HashMap<Box<str>, PathId>,
    /// The same by what the trace writes, since most paths come many times.
    written: HashMap<&'t str, PathId>,
    of: Vec<[Option<PathId>; 2]>,
    /// The files of open handles, by the steps that opened them.
    open: HashMap<StepId, PathId>,
    /// The steps that opened handles, by connection and name.
    handles: HashMap<(u32, &'t str), StepId>,
    sources: HashMap<StepId, StepId>,
}

fn text<'t>(step: &Step<'t>, name: &str) -> Option<&'t str> {
    step.arg(name)?.as_str()
}

impl<'t> Walk<'t> {
    fn step(&mut self, step: &Step<'t>) {
        let verb = step.verb().name;
        let named = text(step, "path").filter(|path| !path.starts_with(':'));
        let named = named.map(|path| self.written(path));
        let opener = step.opened_by();
        let file = opener.and_then(|opener| self.file(opener));
        let target = step.target();
        let mut of = match (verb, target) {
            ("create", _) => [named, None],
            ("reconnect", Some(target)) => [named.or_else(|| self.file(target)), None],
            (_, Some(target)) => self.of.get(target.0 as usize).copied().unwrap_or_default(),
            _ => [named, file],
        };
        if of[0].is_none() || of[0] == of[1] {
            of = [of[1], None];
        }
        self.of.push(of);
        let connection = step.trace().client(step.client()).on();
        let connection = connection.unwrap_or(step.client()).0;
        if let Some(source) = text(step, "source") {
            let opener = self.handles.get(&(connection, source));
            self.sources
                .extend(opener.map(|&opener| (step.id(), opener)));
        }
        match (verb, opener) {
            ("create" | "reconnect", _) => {
                self.open.extend(of[0].map(|path| (step.id(), path)));
                let handle = text(step, "handle");
                self.handles
                    .extend(handle.map(|handle| ((connection, handle), step.id())));
            }
            ("close", Some(opener)) => drop(self.open.remove(&opener)),
            ("set-info", Some(_))
                if matches!(text(step, "class"), Some("rename" | "rename-ex"))
                    && may_succeed(step) =>
            {
                if let (Some(from), Some(to)) = (file, named) {
                    self.renamed(from, to);
                }
            }
            _ => {}
        }
    }

    /// The file of a handle, also of one that is closed.
    fn file(&self, opener: StepId) -> Option<PathId> {
        let open = self.open.get(&opener).copied();
        open.or_else(|| self.of.get(opener.0 as usize)?[0])
    }

    fn renamed(&mut self, from: PathId, to: PathId) {
        let (old, new) = (self.text(from).to_owned(), self.text(to).to_owned());
        if old.is_empty() {
            return;
        }
        let moved: Vec<(StepId, String)> = self
            .open
            .iter()
            .filter(|&(_, &path)| path == from || is_below(self.text(path), &old))
            .map(|(&opener, &path)| (opener, format!("{new}{}", &self.text(path)[old.len()..])))
            .collect();
        for (opener, path) in moved {
            let path = self.id(path);
            self.open.insert(opener, path);
        }
    }

    fn text(&self, id: PathId) -> &str {
        self.paths.get(id.0 as usize).map_or("", |path| path)
    }

    fn written(&mut self, path: &'t str) -> PathId {
        if let Some(&known) = self.written.get(path) {
            return known;
        }
        let id = self.id(without_stream(&path.to_lowercase()).to_owned());
        self.written.insert(path, id);
        id
    }

    fn id(&mut self, path: String) -> PathId {
        let path = path.into_boxed_str();
        if let Some(&known) = self.known.get(&path) {
            return known;
        }
        // A trace has fewer than 2^32 steps, and so fewer paths.
        let id = PathId(self.paths.len() as u32);
        self.paths.push(path.clone());
        self.known.insert(path, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_keeps_its_file_through_renames() {
        let text = r#"ir 1
client A user=alice
client B user=bob
A create d "Top" options=directory access=rwd
B create f "top/In/File:s" access=rw disposition=create
A set-info d rename path="moved"
B write f len=4
B close f
B create g "x" access=rwd
lk: B lock g range=0..1 wait -> PENDING
B await lk
B set-info g rename path=":other"
B set-info g rename path="y" -> ACCESS_DENIED
B ioctl srv-copychunk g source=g chunks=0..1->4
op: A create h "moved" options=directory
A reconnect i of=op
"#;
        let trace = replay_ir::load_str("a.ir", text, &VOCABULARY).expect("a trace");
        let subjects = Subjects::new(&trace);
        let of = |step: u32| -> Vec<&str> { subjects.paths(StepId(step - 1)).collect() };
        assert_eq!(of(2), ["top/in/file"]);
        assert_eq!(of(3), ["moved", "top"]);
        assert_eq!(
            (of(4), of(5)),
            (vec!["moved/in/file"], vec!["moved/in/file"])
        );
        assert_eq!((of(7), of(8), of(9)), (vec!["x"], vec!["x"], vec!["x"]));
        assert_eq!(of(10), ["y", "x"]);
        // It was not expected to succeed.
        assert_eq!(of(11), ["x"]);
        assert_eq!(subjects.source(StepId(10)), Some(StepId(5)));
        assert_eq!(of(13), ["moved"]);
        assert_eq!(subjects.of(StepId(99)).next(), None);
    }

    #[test]
    fn a_path_is_below_those_above_it_and_itself() {
        assert!(is_below("a/b", "a") && is_below("a", "a") && is_below("a", ""));
        assert!(!is_below("ab", "a") && !is_below("a", "a/b"));
        assert_eq!(without_stream("a:b/c:d:$DATA"), "a:b/c");
        assert_eq!(above("a/b/c").collect::<Vec<_>>(), ["", "a", "a/b"]);
        assert_eq!(above("").count(), 0);
    }
}
