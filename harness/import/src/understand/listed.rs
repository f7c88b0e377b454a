//! The answers of queries: what of them is expected.

use super::created::VISIBLE;
use super::draft::StepIndex;
use super::initial::Seen;
use super::world::World;
use replay_ir::{ExpectStatus, OwnedValue};
use smb_vocabulary::{answer, words};
use smb_wire::fscc::{decode_directory, decode_notify};
use smb_wire::messages::QueryDirectoryRequest;
use smb_wire::{FileAttributes, FileInfoClass, QueryDirectoryFlags, ntstatus};

/// Fields of QUERY_INFO that a server does not choose by itself.
const DECIDED: [&str; 4] = ["size", "directory", "delete-pending", "position"];

/// A listing that leaves so many bytes of its buffer free has come to its end.
const ROOM_FOR_A_NAME: usize = 700;

impl World {
    pub(super) fn expect_info(
        &mut self,
        step: StepIndex,
        class: FileInfoClass,
        directory: bool,
        buffer: &[u8],
    ) {
        if class == FileInfoClass::FULL_EA {
            match self.expected_attributes(buffer) {
                Some(attributes) => self.drafts[step].expect("ea", attributes),
                None => self.adapt(
                    "query-info",
                    "of extended attributes that no step has set; only the status is expected",
                ),
            }
            return;
        }
        let Ok(found) = answer::query_info(class, ntstatus::SUCCESS, buffer) else {
            return self.adapt(
                "query-info",
                "its answer does not decode; only the status is expected",
            );
        };
        for (name, value) in found.fields {
            match (name, value) {
                ("size", _) if directory => {}
                ("streams", OwnedValue::List(streams)) => {
                    let mut names: Vec<String> = streams
                        .iter()
                        .filter_map(|stream| stream.as_value().as_str().map(str::to_owned))
                        .map(|stream| self.names.stream(&stream))
                        .collect();
                    names.sort_unstable();
                    let names = names.into_iter().map(OwnedValue::Text).collect();
                    self.drafts[step].expect("streams", OwnedValue::List(names));
                }
                (name, value) if DECIDED.contains(&name) => self.drafts[step].expect(name, value),
                _ => {}
            }
        }
    }

    pub(super) fn listed(
        &mut self,
        step: StepIndex,
        open: usize,
        request: &QueryDirectoryRequest,
        buffer: &[u8],
    ) {
        let path = self.opens[open].path.clone();
        let class = request.file_information_class;
        let Ok(entries) = decode_directory(class, buffer) else {
            return self.adapt(
                "query-directory",
                "of a class that is not read; only the status is expected",
            );
        };
        let mut names = Vec::new();
        let mut count = 0_u64;
        for entry in entries {
            let Ok(entry) = entry else {
                return self.adapt(
                    "query-directory",
                    "its answer does not decode; only the status is expected",
                );
            };
            count += 1;
            let name = entry.file_name.to_string_lossy();
            if name == "." || name == ".." {
                continue;
            }
            let below = match path.is_empty() {
                true => name.clone(),
                false => format!("{path}/{name}"),
            };
            let seen = match &entry.details {
                None => Seen::PRESENT,
                Some(details) => {
                    let directory = details.file_attributes.contains(FileAttributes::DIRECTORY);
                    Seen::Present {
                        directory: Some(directory),
                        size: if directory { 0 } else { details.end_of_file },
                        attributes: details.file_attributes & VISIBLE,
                    }
                }
            };
            self.observe(&below, seen);
            names.push(
                self.names
                    .path(&below)
                    .rsplit('/')
                    .next()
                    .unwrap_or("")
                    .to_owned(),
            );
        }
        let again = QueryDirectoryFlags::RESTART_SCANS | QueryDirectoryFlags::REOPEN;
        let goes_on = self.opens[open].listed && !request.flags.intersects(again);
        let single = request
            .flags
            .contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY)
            || request.flags.contains(QueryDirectoryFlags::INDEX_SPECIFIED);
        let pattern = request.file_name.to_string_lossy();
        if !self.names.finds_the_same(&pattern) {
            let either = vec![
                ntstatus::SUCCESS,
                ntstatus::NO_SUCH_FILE,
                ntstatus::NO_MORE_FILES,
            ];
            self.drafts[step].status = ExpectStatus::OneOf(either);
            return self.adapt(
                "query-directory",
                "a pattern with a part of a name, which the replaced names do not have",
            );
        }
        let room = (request.output_buffer_length as usize).saturating_sub(buffer.len());
        if single {
            return;
        }
        if goes_on {
            return self.either_way(step);
        }
        if room < ROOM_FOR_A_NAME {
            self.opens[open].listed = true;
            return self.adapt(
                "query-directory",
                "the listing goes on in another buffer; which names are in which is not expected",
            );
        }
        self.opens[open].listed = false;
        self.drafts[step].expect("count", count);
        names.sort_unstable();
        let names = names.into_iter().map(OwnedValue::Text).collect();
        self.drafts[step].expect("names", OwnedValue::List(names));
    }

    /// Several changes may come in one answer or in more, so only a single one is expected.
    pub(super) fn notified(&mut self, step: StepIndex, buffer: &[u8]) {
        let changes: Vec<_> = decode_notify(buffer).filter_map(Result::ok).collect();
        let [change] = &changes[..] else {
            return self.adapt(
                "change-notify",
                "which changes come in one answer is not expected",
            );
        };
        let name = change.file_name.to_string_lossy().replace('\\', "/");
        let action = words::NOTIFY_ACTION.write(change.action);
        let text = format!("{action} {}", self.names.path(&name));
        let changes = OwnedValue::List(vec![OwnedValue::Text(text)]);
        self.drafts[step].expect("changes", changes);
    }

    /// How many buffers a long listing takes depends on the order in which a server keeps the names.
    pub(super) fn either_way(&mut self, step: StepIndex) {
        self.adapt(
            "query-directory",
            "in how many buffers a long listing comes is not expected",
        );
        let either = vec![ntstatus::SUCCESS, ntstatus::NO_MORE_FILES];
        self.drafts[step].status = ExpectStatus::OneOf(either);
    }
}
