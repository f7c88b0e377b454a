//! Follows the operations of a load file: which files and directories exist, and which handles are open.
//!
//! The first reading learns from it what must have existed before; the second one what a `Deltree` has to remove and
//! at which step of a rename the recorded error belongs.

use super::line::{Command, Line};
use crate::error::LineProblem;
use smb_wire::ntstatus::{self, OBJECT_NAME_COLLISION, OBJECT_NAME_NOT_FOUND};
use smb_wire::{CreateDisposition, CreateOptions};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the operations find and none of them makes, by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Initial {
    pub(super) items: BTreeMap<String, InitialItem>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InitialItem {
    pub(super) directory: bool,
    /// How far it is read, in bytes.
    pub(super) size: u64,
}

/// What exists. Keys are paths in lower case, since names are found in any case.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: BTreeMap<String, Entry>,
    /// Names about which is known whether they existed at first.
    settled: HashSet<String>,
    /// Directories that were removed with whatever was in them.
    cleared: Vec<String>,
    initial: Initial,
    handles: HashMap<u64, Open>,
    time: u64,
}

#[derive(Debug)]
struct Entry {
    path: String,
    directory: bool,
    /// Its path in [`Tree::initial`], as long as no operation has written to it.
    untouched: Option<String>,
}

#[derive(Debug)]
struct Open {
    key: String,
    line: u64,
}

fn key(path: &str) -> String {
    path.to_lowercase()
}

impl Tree {
    /// Puts in what exists at first.
    pub(super) fn seed(&mut self, path: &str, item: &InitialItem) {
        self.insert(path, item.directory);
    }

    pub(super) fn into_initial(self) -> Initial {
        self.initial
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.entries.contains_key(&key(path))
    }

    /// What is at `path` and below it, the inner before the outer: path and whether it is a directory.
    pub(super) fn subtree(&self, path: &str) -> Vec<(String, bool)> {
        let all = self.keys_below(path);
        all.iter()
            .rev()
            .map(|key| (self.entries[key].path.clone(), self.entries[key].directory))
            .collect()
    }

    fn keys_below(&self, path: &str) -> Vec<String> {
        let (key, inner) = (key(path), format!("{}/", key(path)));
        let from = self.entries.range(key.clone()..).map(|(found, _)| found);
        // Between a name and what is below it others can stand, such as `a.b` between `a` and `a/b`.
        let near = from.take_while(|found| found.starts_with(&key));
        near.filter(|found| **found == key || found.starts_with(&inner))
            .cloned()
            .collect()
    }

    /// What the operation has done when it has ended as the line says.
    pub(super) fn apply(&mut self, line: &Line<'_>) -> Result<(), LineProblem> {
        if let Some(at) = line.at {
            if at < self.time {
                return Err(LineProblem::Backwards);
            }
            self.time = at;
        }
        match &line.command {
            Command::Create {
                path,
                options,
                disposition,
                handle,
            } => self.create(
                line,
                path,
                *options,
                CreateDisposition(*disposition),
                *handle,
            ),
            Command::Close { handle } => self
                .handles
                .remove(handle)
                .map(drop)
                .ok_or(LineProblem::NotOpen(*handle)),
            Command::Read {
                handle,
                offset,
                returned,
                ..
            } => self.read(*handle, *offset, *returned),
            Command::Write { handle, .. } => self.write(*handle),
            Command::Flush { handle }
            | Command::Lock { handle, .. }
            | Command::QueryFile { handle, .. }
            | Command::SetFile { handle, .. } => self.open(*handle).map(drop),
            Command::QueryFs { .. } | Command::Sleep { .. } => Ok(()),
            _ => {
                self.apply_path(line);
                Ok(())
            }
        }
    }

    /// Operations on paths; they cannot be wrong, only improbable.
    fn apply_path(&mut self, line: &Line<'_>) {
        let status = line.status;
        match &line.command {
            Command::QueryPath { path, .. } => self.learn(path, status),
            Command::Find { directory, .. }
                if line.succeeds() || status == Some(ntstatus::NO_SUCH_FILE) =>
            {
                self.need(directory, true);
            }
            Command::Unlink { path } if !path.contains(['*', '?', '<', '>']) => {
                self.learn(path, status);
                if line.succeeds() {
                    self.remove(path);
                }
            }
            Command::Rename { from, to } if line.succeeds() => {
                self.need(from, false);
                self.rename(from, to);
            }
            Command::Mkdir { path } if line.succeeds() => self.make(path, true),
            Command::Rmdir { path } if line.succeeds() => {
                self.need(path, true);
                self.remove(path);
            }
            Command::Deltree { path } => {
                self.remove(path);
                self.cleared.push(key(path));
            }
            _ => {}
        }
    }

    fn create(
        &mut self,
        line: &Line<'_>,
        path: &str,
        options: u32,
        disposition: CreateDisposition,
        handle: u64,
    ) -> Result<(), LineProblem> {
        if line.status.is_some() && !line.succeeds() {
            self.learn(path, line.status);
            return Ok(());
        }
        let open = Open {
            key: key(path),
            line: line.number,
        };
        if let Some(earlier) = self.handles.insert(handle, open) {
            return Err(LineProblem::StillOpen {
                handle,
                line: earlier.line,
            });
        }
        let directory =
            CreateOptions::from_bits_retain(options).contains(CreateOptions::DIRECTORY_FILE);
        match disposition {
            CreateDisposition::OPEN | CreateDisposition::OVERWRITE => self.need(path, directory),
            _ if self.exists(path) => {}
            _ => self.make(path, directory),
        }
        Ok(())
    }

    fn open(&self, handle: u64) -> Result<&Open, LineProblem> {
        self.handles
            .get(&handle)
            .ok_or(LineProblem::NotOpen(handle))
    }

    fn read(&mut self, handle: u64, offset: u64, returned: u32) -> Result<(), LineProblem> {
        let key = &self.open(handle)?.key;
        let initial = self
            .entries
            .get(key)
            .and_then(|entry| entry.untouched.as_ref());
        if let Some(item) = initial.and_then(|path| self.initial.items.get_mut(path)) {
            item.size = item.size.max(offset.saturating_add(returned.into()));
        }
        Ok(())
    }

    fn write(&mut self, handle: u64) -> Result<(), LineProblem> {
        let key = self.open(handle)?.key.clone();
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.untouched = None;
        }
        Ok(())
    }

    /// What a status says about whether `path` exists.
    fn learn(&mut self, path: &str, status: Option<u32>) {
        match status {
            Some(ntstatus::SUCCESS | OBJECT_NAME_COLLISION) => self.need(path, false),
            Some(OBJECT_NAME_NOT_FOUND) => {
                self.settled.insert(key(path));
            }
            _ => {}
        }
    }

    /// `path` exists now. If no operation has made it, it has existed from the first.
    fn need(&mut self, path: &str, directory: bool) {
        if path.is_empty() {
            return;
        }
        let key = key(path);
        if let Some(entry) = self.entries.get_mut(&key) {
            if directory && !entry.directory {
                entry.directory = true;
                let item = entry
                    .untouched
                    .as_ref()
                    .and_then(|path| self.initial.items.get_mut(path));
                item.into_iter().for_each(|item| item.directory = true);
            }
            return;
        }
        self.need_parents(path);
        let cleared = self.cleared.iter().any(|gone| {
            key.strip_prefix(gone)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let found_at_first = !cleared && !self.settled.contains(&key);
        self.insert(path, directory);
        if found_at_first {
            self.initial
                .items
                .insert(path.to_owned(), InitialItem { directory, size: 0 });
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.untouched = Some(path.to_owned());
            }
        }
    }

    fn need_parents(&mut self, path: &str) {
        for parent in smb_vocabulary::paths::parents(path) {
            self.need(parent, true);
        }
    }

    /// An operation makes `path`.
    fn make(&mut self, path: &str, directory: bool) {
        self.need_parents(path);
        self.insert(path, directory);
    }

    fn insert(&mut self, path: &str, directory: bool) {
        self.settled.insert(key(path));
        let entry = Entry {
            path: path.to_owned(),
            directory,
            untouched: None,
        };
        self.entries.insert(key(path), entry);
    }

    fn remove(&mut self, path: &str) {
        for key in self.keys_below(path) {
            self.entries.remove(&key);
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        for old in self.keys_below(from) {
            let Some(entry) = self.entries.remove(&old) else {
                continue;
            };
            let rest = entry.path.get(from.len()..).unwrap_or_default().to_owned();
            self.make(&format!("{to}{rest}"), entry.directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> Result<Tree, LineProblem> {
        let mut tree = Tree::default();
        for (index, text) in lines.iter().enumerate() {
            let line = Line::parse(text, index as u64 + 1)
                .expect("well formed")
                .expect("an operation");
            tree.apply(&line)?;
        }
        Ok(tree)
    }

    #[test]
    fn what_is_found_and_not_made_existed_at_first() {
        let tree = after(&[
            "NTCreateX \"\\d\\old\" 0x40 0x1 1 NT_STATUS_OK",
            "ReadX 1 100 50 50 NT_STATUS_OK",
            "NTCreateX \"\\d\\new\" 0x40 0x1 2 NT_STATUS_OBJECT_NAME_NOT_FOUND",
            "NTCreateX \"\\d\\new\" 0x40 0x2 2 NT_STATUS_OK",
            "NTCreateX \"\\d\\NEW\" 0x40 0x1 3 NT_STATUS_OK",
            "Mkdir \"\\e\" NT_STATUS_OK",
            "QUERY_PATH_INFORMATION \"\\e\" 1004 NT_STATUS_OK",
        ]);
        let items = tree.expect("sound").into_initial().items;
        let expected = [
            (
                "d".to_owned(),
                InitialItem {
                    directory: true,
                    size: 0,
                },
            ),
            (
                "d/old".to_owned(),
                InitialItem {
                    directory: false,
                    size: 150,
                },
            ),
        ];
        assert_eq!(items, BTreeMap::from(expected));
    }

    #[test]
    fn a_subtree_is_named_from_the_inside() {
        let mut tree = after(&[
            "Mkdir \"\\A\" NT_STATUS_OK",
            "Mkdir \"\\A.b\" NT_STATUS_OK",
            "Mkdir \"\\A\\c\" NT_STATUS_OK",
            "NTCreateX \"\\a\\C\\f\" 0x40 0x2 1 NT_STATUS_OK",
            "Close 1 NT_STATUS_OK",
            "Rename \"\\a\\c\\f\" \"\\a\\c\\g\" NT_STATUS_OK",
        ])
        .expect("sound");
        let all = [("a/c/g", false), ("A/c", true), ("A", true)];
        assert_eq!(
            tree.subtree("a"),
            all.map(|(path, directory)| (path.to_owned(), directory))
        );
        tree.remove("A");
        assert!(tree.exists("a.B") && !tree.exists("A/c"));
        assert!(tree.into_initial().items.is_empty());
    }

    #[test]
    fn handles_are_opened_and_closed_in_turn() {
        let twice = [
            "NTCreateX \"\\f\" 0x40 0x2 1 NT_STATUS_OK",
            "NTCreateX \"\\g\" 0x40 0x2 1 NT_STATUS_OK",
        ];
        assert_eq!(
            after(&twice).err(),
            Some(LineProblem::StillOpen { handle: 1, line: 1 })
        );
        let never = [
            "NTCreateX \"\\f\" 0x40 0x1 1 NT_STATUS_OBJECT_NAME_NOT_FOUND",
            "Flush 1 NT_STATUS_OK",
        ];
        assert_eq!(after(&never).err(), Some(LineProblem::NotOpen(1)));
        let back = [
            "2.0 Mkdir \"\\f\" NT_STATUS_OK",
            "1.9 Mkdir \"\\g\" NT_STATUS_OK",
        ];
        assert_eq!(after(&back).err(), Some(LineProblem::Backwards));
    }
}
