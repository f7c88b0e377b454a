//! What a SET_INFO that succeeded has changed.

use super::initial::Seen;
use super::paths::{base, canonical};
use super::world::World;
use smb_wire::FileInfoClass;
use smb_wire::fscc::{
    FileAllocationInformation, FileDispositionInformation, FileDispositionInformationEx,
    FileEndOfFileInformation, FileRenameInformation, FileRenameInformationEx,
};

impl World {
    /// What a SET_INFO that succeeded has changed.
    pub(super) fn changed(&mut self, open: usize, class: FileInfoClass, data: &[u8]) {
        let node = self.opens[open].node;
        match class {
            FileInfoClass::END_OF_FILE => {
                if let (Ok(size), Some(node)) = (
                    FileEndOfFileInformation::decode(data),
                    self.nodes.get_mut(node),
                ) {
                    node.content.resize(size.end_of_file);
                }
            }
            FileInfoClass::ALLOCATION => {
                if let (Ok(size), Some(node)) = (
                    FileAllocationInformation::decode(data),
                    self.nodes.get_mut(node),
                ) && size.allocation_size < node.content.size()
                {
                    node.content.resize(size.allocation_size);
                }
            }
            FileInfoClass::DISPOSITION => {
                if let Ok(disposition) = FileDispositionInformation::decode(data) {
                    self.opens[open].delete_on_close = disposition.delete_pending;
                }
            }
            FileInfoClass::DISPOSITION_EX => {
                if let Ok(disposition) = FileDispositionInformationEx::decode(data) {
                    self.opens[open].delete_on_close = disposition.flags & 1 != 0;
                }
            }
            FileInfoClass::RENAME | FileInfoClass::RENAME_EX => {
                let to = match class {
                    FileInfoClass::RENAME => {
                        FileRenameInformation::decode(data).map(|to| to.file_name)
                    }
                    _ => FileRenameInformationEx::decode(data).map(|to| to.file_name),
                };
                if let Some(to) = to.ok().and_then(|to| to.to_utf8()) {
                    if to.starts_with(':') {
                        return self.stream_renamed(open, &to);
                    }
                    let prefix = self.opens[open].prefix.clone();
                    let to = to.replace('\\', "/");
                    self.renamed(
                        open,
                        &match prefix.is_empty() {
                            true => to,
                            false => format!("{prefix}/{to}"),
                        },
                    );
                }
            }
            _ => {}
        }
    }

    /// A stream has another name; the file is the same.
    pub(super) fn stream_renamed(&mut self, open: usize, to: &str) {
        let from = self.opens[open].path.clone();
        let to = canonical(&format!("{}{to}", base(&from)));
        self.initial.observe(&to, Seen::Absent);
        let key = |path: &str| canonical(path).to_lowercase();
        if let Some(node) = self.by_path.remove(&key(&from)) {
            self.by_path.insert(key(&to), node);
        }
        for other in self.living() {
            let path = &mut self.opens[other].path;
            if key(path) == key(&from) {
                path.clone_from(&to);
            }
        }
    }

    pub(super) fn renamed(&mut self, open: usize, to: &str) {
        let from = self.opens[open].path.clone();
        if let Some((parent, _)) = to.rsplit_once('/') {
            self.observe(parent, Seen::DIRECTORY);
        }
        self.observe(to, Seen::Absent);
        self.initial.rename(&from, to);
        let moved = |path: &str| {
            let below = path.strip_prefix(&from)?;
            (below.is_empty() || below.starts_with('/')).then(|| format!("{to}{below}"))
        };
        for open in self.living() {
            let path = &mut self.opens[open].path;
            if let Some(new) = moved(path) {
                *path = new;
            }
        }
        let (from, to) = (from.to_lowercase(), to.to_lowercase());
        let below = format!("{from}/");
        let itself = self.by_path.range(from.clone()..=from.clone());
        let within = self.by_path.range(below.clone()..);
        let within = within.take_while(|(path, _)| path.starts_with(&below));
        let all: Vec<String> = itself.chain(within).map(|(path, _)| path.clone()).collect();
        for path in all {
            if let Some(node) = self.by_path.remove(&path) {
                self.by_path
                    .insert(format!("{to}{}", &path[from.len()..]), node);
            }
        }
    }
}
