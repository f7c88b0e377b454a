//! What each operation of a load file is in SMB2: the table in `docs/dbench.md`, as code.
//!
//! SMB1 works on paths where SMB2 needs a handle, so a query of a path becomes create, query-info and close. A recorded
//! error stands at that step of the three at which an SMB2 server finds it.

use super::line::{Command, Line};
use super::tree::Tree;
use crate::error::LineProblem;
use crate::report::ImportReport;
use replay_ir::{ExpectStatus, OwnedValue, StepSpec, TraceBuilder};
use smb_vocabulary::words;
use smb_wire::ntstatus::{self, OBJECT_NAME_NOT_FOUND};
use smb_wire::{CreateDisposition, CreateOptions, FileInfoClass, FsInfoClass};

/// The one client.
pub(super) const CLIENT: &str = "A";
/// The handle of an operation on a path.
const PATH_HANDLE: &str = "path";
/// The pattern that is written; load files have no data.
const FILL: u64 = 1;
/// The longest write of one step, in bytes.
const LONGEST_WRITE: u32 = 8 << 20;
/// What a SET_FILE_INFORMATION of basic information sets; load files have no values.
const CREATED: &str = "2001-01-01T00:00:00Z";

mod reason {
    pub(super) const END_OF_FILE: &str = "a read that gets nothing is END_OF_FILE in SMB2";
    pub(super) const NAME_OR_PATH: &str = "the directory is opened first, so that OBJECT_NAME_NOT_FOUND may come for OBJECT_PATH_NOT_FOUND";
    pub(super) const NO_SUCH_FILE: &str = "CREATE answers OBJECT_NAME_NOT_FOUND for NO_SUCH_FILE";
    pub(super) const ROOT_HANDLE: &str =
        "made on a handle of the root, since SMB2 has no query of a tree";
    pub(super) const REMOVED_ONE_BY_ONE: &str =
        "every file and directory that exists is removed by itself";
    pub(super) const NO_VALUES: &str = "the values are not recorded, a creation time is set";
    pub(super) const NO_LEVEL: &str = "the level has no counterpart in SMB2";
    pub(super) const NO_SETTING: &str = "the value to set is not recorded";
    pub(super) const WILDCARD: &str = "SMB2 deletes no pattern";
    pub(super) const NOTHING_THERE: &str = "nothing of it exists";
    pub(super) const TOO_LONG: &str = "the write is longer than 8 MiB";
    pub(super) const TIME_ONLY: &str = "what follows is due that much later";
}

/// The trace in the making.
pub(super) struct Steps {
    trace: TraceBuilder,
    tree: Tree,
    pub(super) report: ImportReport,
    counts: bool,
    /// When the operation at hand is due, in nanoseconds.
    due: u64,
    /// The sum of all `Sleep`, in nanoseconds.
    slept: u64,
}

impl Steps {
    pub(super) fn new(trace: TraceBuilder, tree: Tree, counts: bool) -> Self {
        Self {
            trace,
            tree,
            report: ImportReport::default(),
            counts,
            due: 0,
            slept: 0,
        }
    }

    pub(super) fn finish(self) -> (TraceBuilder, ImportReport) {
        (self.trace, self.report)
    }

    /// Adds the steps of an operation.
    pub(super) fn line(&mut self, line: &Line<'_>) -> Result<(), LineProblem> {
        let before = self.trace.steps();
        self.due = self
            .due
            .max(line.at.unwrap_or(0).saturating_add(self.slept));
        self.operation(line);
        self.tree.apply(line)?;
        self.report.lines = line.number;
        let count = self.report.kinds.entry(line.kind).or_default();
        count.operations += 1;
        count.errors += u64::from(line.status.is_some() && !line.succeeds());
        count.steps += (self.trace.steps() - before) as u64;
        Ok(())
    }

    fn operation(&mut self, line: &Line<'_>) {
        match &line.command {
            Command::Create {
                path,
                options,
                disposition,
                handle,
            } => {
                self.create(line, path, *options, *disposition, *handle);
            }
            Command::Close { handle } => self.add(on("close", *handle), line.status),
            Command::Flush { handle } => self.add(on("flush", *handle), line.status),
            Command::Read {
                handle,
                offset,
                size,
                returned,
            } => {
                self.read(line, *handle, *offset, [*size, *returned]);
            }
            Command::Write { size, .. } if *size > LONGEST_WRITE => {
                self.skip(line, reason::TOO_LONG)
            }
            Command::Write {
                handle,
                offset,
                size,
                returned,
            } => {
                let step = on("write", *handle)
                    .arg("offset", *offset)
                    .arg("len", u64::from(*size));
                self.add(
                    with_len(step.arg("fill", FILL), line, *returned),
                    line.status,
                );
            }
            Command::Lock {
                handle,
                offset,
                length,
                unlock,
            } => {
                let step = on("lock", *handle)
                    .arg("offset", *offset)
                    .arg("len", *length);
                self.add(
                    step.flag(if *unlock { "unlock" } else { "exclusive" }),
                    line.status,
                );
            }
            Command::QueryFile { handle, level } => match file_class(*level) {
                Some(class) => self.add(on("query-info", *handle).arg("class", class), line.status),
                None => self.skip(line, reason::NO_LEVEL),
            },
            Command::SetFile { handle, level } => match file_class(*level).as_deref() {
                Some("basic") => {
                    self.adapt(line, reason::NO_VALUES);
                    let step = on("set-info", *handle)
                        .arg("class", "basic")
                        .arg("created", CREATED);
                    self.add(step, line.status);
                }
                _ => self.skip(line, reason::NO_SETTING),
            },
            Command::Sleep { milliseconds } => {
                let nanoseconds = milliseconds.saturating_mul(1_000_000);
                self.slept = self.slept.saturating_add(nanoseconds);
                self.due = self.due.saturating_add(nanoseconds);
                self.skip(line, reason::TIME_ONLY);
            }
            _ => self.path_operation(line),
        }
    }

    fn path_operation(&mut self, line: &Line<'_>) {
        match &line.command {
            Command::QueryPath { path, level } => match file_class(*level) {
                Some(class) => {
                    let query = at_path("query-info").arg("class", class);
                    self.sequence(
                        open(path, "read-attributes"),
                        query,
                        line.status,
                        Fails::Opening,
                    );
                }
                None => self.skip(line, reason::NO_LEVEL),
            },
            Command::QueryFs { level } => match fs_class(*level) {
                Some(class) => {
                    self.adapt(line, reason::ROOT_HANDLE);
                    let query = at_path("query-fs").arg("class", class);
                    self.sequence(
                        open("", "read-attributes"),
                        query,
                        line.status,
                        Fails::Working,
                    );
                }
                None => self.skip(line, reason::NO_LEVEL),
            },
            Command::Find {
                directory,
                pattern,
                level,
                count,
            } => {
                self.find(line, directory, pattern, *level, *count);
            }
            Command::Rename { from, to } => self.rename(line, from, to),
            Command::Unlink { path } if path.contains(['*', '?', '<', '>']) => {
                self.skip(line, reason::WILDCARD);
            }
            Command::Unlink { path } => {
                let status = self.opening_status(line);
                self.short(
                    open(path, "delete").arg("options", "non-directory|delete-on-close"),
                    status,
                );
            }
            Command::Mkdir { path } => {
                let make = open(path, "r")
                    .arg("options", "directory")
                    .arg("disposition", "create");
                self.short(make, line.status);
            }
            Command::Rmdir { path } => {
                let dispose = at_path("set-info").arg("class", "disposition");
                let fails = match line.status {
                    Some(ntstatus::DIRECTORY_NOT_EMPTY) => Fails::Working,
                    _ => Fails::Opening,
                };
                self.sequence(
                    open(path, "delete").arg("options", "directory"),
                    dispose,
                    line.status,
                    fails,
                );
            }
            Command::Deltree { path } => self.deltree(line, path),
            // The others have a handle.
            _ => {}
        }
    }

    fn create(&mut self, line: &Line<'_>, path: &str, options: u32, disposition: u32, handle: u64) {
        let options = CreateOptions::from_bits_retain(options);
        let directory = options.contains(CreateOptions::DIRECTORY_FILE);
        let step = StepSpec::new(CLIENT, "create")
            .arg("handle", name(handle))
            .arg("path", path)
            .arg("access", if directory { "r" } else { "rw" })
            .arg("share", "rw")
            .arg(
                "disposition",
                words::DISPOSITION.write(CreateDisposition(disposition)),
            )
            .arg("options", words::OPTIONS.write(options));
        self.add(step, line.status);
    }

    fn read(&mut self, line: &Line<'_>, handle: u64, offset: u64, [size, returned]: [u32; 2]) {
        let step = on("read", handle)
            .arg("offset", offset)
            .arg("len", u64::from(size));
        if line.succeeds() && returned == 0 && size > 0 {
            self.adapt(line, reason::END_OF_FILE);
            return self.add(step, Some(ntstatus::END_OF_FILE));
        }
        self.add(with_len(step, line, returned), line.status);
    }

    fn find(&mut self, line: &Line<'_>, directory: &str, pattern: &str, level: u32, count: u64) {
        let Some(class) = directory_class(level) else {
            return self.skip(line, reason::NO_LEVEL);
        };
        let opened = open(directory, "read-data|read-attributes").arg("options", "directory");
        let mut query = at_path("query-directory")
            .arg("pattern", pattern)
            .arg("class", class);
        if line.succeeds() && self.counts {
            query = query.field("count", count);
        }
        match line.status {
            Some(ntstatus::SUCCESS | ntstatus::NO_SUCH_FILE | ntstatus::NO_MORE_FILES) | None => {
                self.sequence(opened, query, line.status, Fails::Working);
            }
            Some(ntstatus::OBJECT_PATH_NOT_FOUND) => {
                self.adapt(line, reason::NAME_OR_PATH);
                let either = vec![OBJECT_NAME_NOT_FOUND, ntstatus::OBJECT_PATH_NOT_FOUND];
                self.add_expecting(opened, ExpectStatus::OneOf(either));
            }
            other => self.add(opened, other),
        }
    }

    fn rename(&mut self, line: &Line<'_>, from: &str, to: &str) {
        let rename = at_path("set-info").arg("class", "rename").arg("path", to);
        let in_the_way = [
            Some(ntstatus::SHARING_VIOLATION),
            Some(ntstatus::ACCESS_DENIED),
        ]
        .contains(&line.status);
        let fails = match self.tree.exists(from) && !in_the_way {
            true => Fails::Working,
            false => Fails::Opening,
        };
        self.sequence(
            open(from, "delete|read-attributes"),
            rename,
            line.status,
            fails,
        );
    }

    fn deltree(&mut self, line: &Line<'_>, path: &str) {
        let all = self.tree.subtree(path);
        if all.is_empty() {
            return self.skip(line, reason::NOTHING_THERE);
        }
        self.adapt(line, reason::REMOVED_ONE_BY_ONE);
        for (path, directory) in all {
            let options = match directory {
                true => "directory|delete-on-close",
                false => "non-directory|delete-on-close",
            };
            self.short(open(&path, "delete").arg("options", options), line.status);
        }
    }

    /// The status with which an open ends that stands for a whole operation.
    fn opening_status(&mut self, line: &Line<'_>) -> Option<u32> {
        match line.status {
            Some(ntstatus::NO_SUCH_FILE) => {
                self.adapt(line, reason::NO_SUCH_FILE);
                Some(OBJECT_NAME_NOT_FOUND)
            }
            status => status,
        }
    }

    /// Create and, if that succeeds, close.
    fn short(&mut self, opened: StepSpec, status: Option<u32>) {
        self.add(opened, status);
        if status.is_none_or(|status| status == ntstatus::SUCCESS) {
            self.add(at_path("close"), status);
        }
    }

    /// Create, `work`, close, with the error of the whole at the step that `fails`.
    fn sequence(&mut self, opened: StepSpec, work: StepSpec, status: Option<u32>, fails: Fails) {
        let failed = status.is_some_and(|status| status != ntstatus::SUCCESS);
        if failed && fails == Fails::Opening {
            return self.add(opened, status);
        }
        let around = if failed {
            Some(ntstatus::SUCCESS)
        } else {
            status
        };
        self.add(opened, around);
        self.add(work, status);
        self.add(at_path("close"), around);
    }

    fn add(&mut self, step: StepSpec, status: Option<u32>) {
        let status = match status {
            Some(status) => ExpectStatus::OneOf(vec![status]),
            None => ExpectStatus::Anything,
        };
        self.add_expecting(step, status);
    }

    fn add_expecting(&mut self, mut step: StepSpec, status: ExpectStatus) {
        if status == ExpectStatus::Anything {
            step.expect.fields.clear();
        }
        step.expect.status = status;
        step.at = (self.due > 0).then_some(self.due);
        self.trace.step(&step);
    }

    fn adapt(&mut self, line: &Line<'_>, reason: &'static str) {
        *self.report.adapted.entry((line.kind, reason)).or_default() += 1;
    }

    fn skip(&mut self, line: &Line<'_>, reason: &'static str) {
        *self.report.skipped.entry((line.kind, reason)).or_default() += 1;
    }
}

/// At which step of a sequence the operation's error is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fails {
    Opening,
    Working,
}

fn name(handle: u64) -> OwnedValue {
    OwnedValue::Text(format!("h{handle}"))
}

fn on(verb: &'static str, handle: u64) -> StepSpec {
    StepSpec::new(CLIENT, verb).arg("handle", name(handle))
}

fn at_path(verb: &'static str) -> StepSpec {
    StepSpec::new(CLIENT, verb).arg("handle", PATH_HANDLE)
}

fn open(path: &str, access: &'static str) -> StepSpec {
    at_path("create").arg("path", path).arg("access", access)
}

fn with_len(step: StepSpec, line: &Line<'_>, returned: u32) -> StepSpec {
    match line.succeeds() {
        true => step.field("len", u64::from(returned)),
        false => step,
    }
}

/// The class of an SMB1 information level (MS-CIFS 2.2.2.3.3) or of a pass-through level (1000 and more).
fn file_class(level: u32) -> Option<String> {
    let class = match level {
        0x001 => FileInfoClass::NETWORK_OPEN,
        0x002 | 0x103 => FileInfoClass::EA,
        0x101 => FileInfoClass::BASIC,
        0x102 => FileInfoClass::STANDARD,
        0x107 => FileInfoClass::ALL,
        0x108 => FileInfoClass::ALTERNATE_NAME,
        0x109 => FileInfoClass::STREAM,
        0x10b => FileInfoClass::COMPRESSION,
        _ => FileInfoClass(u8::try_from(level.checked_sub(1000)?).ok()?),
    };
    Some(words::FILE_CLASS.write(class))
}

/// The same for a listing (MS-CIFS 2.2.2.3.1).
fn directory_class(level: u32) -> Option<String> {
    let class = match level {
        0x001 | 0x101 => FileInfoClass::DIRECTORY,
        0x102 => FileInfoClass::FULL_DIRECTORY,
        0x103 => FileInfoClass::NAMES,
        0x104 => FileInfoClass::BOTH_DIRECTORY,
        0x105 => FileInfoClass::ID_FULL_DIRECTORY,
        0x106 => FileInfoClass::ID_BOTH_DIRECTORY,
        _ => return None,
    };
    Some(words::DIRECTORY_CLASS.write(class))
}

/// The same for a file system (MS-CIFS 2.2.2.3.2).
fn fs_class(level: u32) -> Option<String> {
    let class = match level {
        0x001 | 0x103 => FsInfoClass::SIZE,
        0x002 | 0x102 => FsInfoClass::VOLUME,
        0x104 => FsInfoClass::DEVICE,
        0x105 => FsInfoClass::ATTRIBUTE,
        _ => FsInfoClass(u8::try_from(level.checked_sub(1000)?).ok()?),
    };
    Some(words::FS_CLASS.write(class))
}
