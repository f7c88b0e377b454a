//! Which files and directories existed before the first step.
//!
//! The first thing that the capture shows of a path decides: an open that found it, or a listing with it in, makes it
//! one that was there; one that did not find it, or that made it, does not. What happens to it later is the steps' affair.

use std::collections::{BTreeMap, HashMap, HashSet};

use smb_wire::FileAttributes;

/// A file or directory that existed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Existing {
    /// As the capture writes it, with `/`.
    pub(super) path: String,
    /// `None` if nothing tells.
    pub(super) directory: Option<bool>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// Its attributes.
    pub(super) attributes: FileAttributes,
    /// The file's content, where one was looked at.
    pub(super) node: Option<usize>,
}

/// What an operation shows of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is not there, or was made just now.
    Absent,
    /// It is there.
    Present {
        directory: Option<bool>,
        size: u64,
        attributes: FileAttributes,
    },
}

impl Seen {
    /// It is there, and no more is known.
    pub(super) const PRESENT: Self = Self::Present {
        directory: None,
        size: 0,
        attributes: FileAttributes::empty(),
    };
    /// A directory is there.
    pub(super) const DIRECTORY: Self = Self::Present {
        directory: Some(true),
        size: 0,
        attributes: FileAttributes::empty(),
    };
}

/// What is known of the time before the first step.
#[derive(Debug, Default)]
pub(super) struct Initial {
    seen: HashSet<String>,
    existing: BTreeMap<String, Existing>,
    /// What steps have renamed: by the new path in lower case which renames led to it, from 0, and from where.
    renamed: HashMap<String, Vec<(usize, String)>>,
    /// How many renames there were.
    renames: usize,
}

impl Initial {
    /// Notes what an operation shows of a path. True if it is one that existed.
    pub(super) fn observe(&mut self, path: &str, seen: Seen) -> bool {
        if path.is_empty() {
            return false;
        }
        if seen != Seen::Absent
            && let Some((parent, _)) = path.rsplit_once('/')
        {
            self.observe(parent, Seen::DIRECTORY);
        }
        let original = self.original(path);
        if !self.seen.insert(original.to_lowercase()) {
            // A later look may tell what the first one did not.
            if let Seen::Present {
                directory: Some(directory),
                ..
            } = seen
                && let Some(known) = self.existing.get_mut(&original.to_lowercase())
            {
                known.directory.get_or_insert(directory);
            }
            return false;
        }
        let Seen::Present {
            directory,
            size,
            attributes,
        } = seen
        else {
            return false;
        };
        self.existing.insert(
            original.to_lowercase(),
            Existing {
                path: original,
                directory,
                size,
                attributes,
                node: None,
            },
        );
        true
    }

    /// Connects a file that existed with what is known of its content.
    pub(super) fn has_content(&mut self, path: &str, node: usize, size: u64) {
        let original = self.original(path).to_lowercase();
        if let Some(existing) = self.existing.get_mut(&original) {
            existing.node = Some(node);
            existing.size = existing.size.max(size);
        }
    }

    /// A step has renamed something; what is below it has another path now.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let renames = self.renamed.entry(to.to_lowercase()).or_default();
        renames.push((self.renames, from.to_owned()));
        self.renames += 1;
        self.seen.insert(to.to_lowercase());
    }

    /// The path that something had before the first step.
    fn original(&self, path: &str) -> String {
        let parts =
            |path: &str| -> Vec<usize> { path.match_indices('/').map(|(at, _)| at).collect() };
        let mut path = path.trim_end_matches('/').to_owned();
        // What was renamed itself is known by its new path.
        let (mut ends, mut before) = (parts(&path), usize::MAX);
        // Back from rename to rename.
        loop {
            let renames = ends.iter().filter_map(|&end| {
                let renames = self.renamed.get(&path[..end].to_lowercase())?;
                let earlier = renames.partition_point(|(rename, _)| *rename < before);
                let (rename, from) = renames.get(earlier.checked_sub(1)?)?;
                Some((*rename, from, end))
            });
            let Some((rename, from, end)) = renames.max() else {
                return path;
            };
            path = format!("{from}{}", &path[end..]);
            ends = parts(&path);
            ends.push(path.len());
            before = rename;
        }
    }

    /// All that existed, parents before children.
    pub(super) fn into_existing(self) -> impl Iterator<Item = Existing> {
        self.existing.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_decides() {
        let mut initial = Initial::default();
        assert!(initial.observe("d/f", Seen::PRESENT));
        initial.observe("made", Seen::Absent);
        assert!(!initial.observe("MADE", Seen::PRESENT));
        assert!(!initial.observe("D/F", Seen::Absent));
        initial.rename("d", "e");
        assert!(initial.observe("e/g", Seen::PRESENT));
        let all: Vec<_> = initial.into_existing().map(|item| item.path).collect();
        assert_eq!(all, ["d", "d/f", "d/g"]);
    }

    #[test]
    fn the_last_rename_counts() {
        let mut initial = Initial::default();
        initial.rename("a", "B");
        initial.rename("b/c", "d");
        initial.rename("x", "a");
        initial.rename("d", "a/y");
        initial.rename("A", "z");
        for (now, before) in [
            ("b/f", "a/f"),
            ("D/f/g", "a/c/f/g"),
            ("z/f", "x/f"),
            ("Z/Y/f", "a/c/f"),
            ("z/y", "a/c"),
            ("ab/f", "ab/f"),
            ("e/", "e"),
        ] {
            assert_eq!(initial.original(now), before, "{now}");
        }
    }
}
