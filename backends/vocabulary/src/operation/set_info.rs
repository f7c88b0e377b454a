//! The arguments of `set-info`, a class at a time.

use crate::args::{ArgError, Args};
use crate::{paths, time, words};
use replay_ir::Value;
use smb_wire::{CreateOptions, FileAttributes, Filetime};

/// SET_INFO (MS-SMB2 2.2.39).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetInfo<'t> {
    /// The handle.
    pub handle: &'t str,
    /// What to change.
    pub change: FileChange<'t>,
}

/// What SET_INFO changes (MS-FSCC 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange<'t> {
    /// FileBasicInformation; what is `None` or zero stays as it is.
    Basic {
        /// The times.
        times: Times,
        /// FileAttributes.
        attributes: FileAttributes,
    },
    /// FileRenameInformation.
    Rename {
        /// The new path in the trace's form.
        path: &'t str,
        /// ReplaceIfExists.
        replace: bool,
    },
    /// FileLinkInformation.
    Link {
        /// The further path in the trace's form.
        path: &'t str,
        /// ReplaceIfExists.
        replace: bool,
    },
    /// FileDispositionInformation.
    Disposition {
        /// DeletePending.
        delete: bool,
    },
    /// FileDispositionInformationEx: its flags (MS-FSCC 2.4.12).
    DispositionEx(u32),
    /// FileRenameInformationEx.
    RenameEx {
        /// The new path in the trace's form.
        path: &'t str,
        /// Flags (MS-FSCC 2.4.43).
        flags: u32,
    },
    /// FileValidDataLengthInformation, in bytes.
    ValidDataLength(u64),
    /// FileEndOfFileInformation, in bytes.
    EndOfFile(u64),
    /// FileAllocationInformation, in bytes.
    Allocation(u64),
    /// FilePositionInformation, in bytes.
    Position(u64),
    /// FileModeInformation.
    Mode(CreateOptions),
}

/// The times of FileBasicInformation; zero leaves one as it is (MS-FSCC 2.4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// CreationTime.
    pub created: Filetime,
    /// LastAccessTime.
    pub accessed: Filetime,
    /// LastWriteTime.
    pub written: Filetime,
    /// ChangeTime.
    pub changed: Filetime,
}

/// Which arguments belong to which classes.
const BELONGS: [(&str, &[&str]); 12] = [
    ("ea", &["full-ea"]),
    ("flags", &["disposition-ex", "rename-ex"]),
    ("path", &["rename", "rename-ex", "link"]),
    ("replace", &["rename", "link"]),
    ("keep", &["disposition"]),
    (
        "size",
        &["end-of-file", "allocation", "position", "valid-data-length"],
    ),
    ("mode", &["mode"]),
    ("attributes", &["basic"]),
    ("created", &["basic"]),
    ("accessed", &["basic"]),
    ("written", &["basic"]),
    ("changed", &["basic"]),
];

impl<'t> SetInfo<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let class = args.required("class")?;
        let foreign = BELONGS
            .iter()
            .find(|(name, classes)| args.has(name) && !classes.contains(&class));
        if let Some((name, classes)) = foreign {
            let text = format!("`{name}` belongs to {}, not to {class}", classes.join(", "));
            return Err(ArgError::Conflict(text));
        }
        let size = || args.int("size")?.ok_or(ArgError::Missing("size"));
        let change = match class {
            "basic" => basic(args)?,
            "rename" => FileChange::Rename {
                path: new_path(args)?,
                replace: args.has("replace"),
            },
            "link" => FileChange::Link {
                path: new_path(args)?,
                replace: args.has("replace"),
            },
            "disposition" => FileChange::Disposition {
                delete: !args.has("keep"),
            },
            "end-of-file" => FileChange::EndOfFile(size()?),
            "allocation" => FileChange::Allocation(size()?),
            "position" => FileChange::Position(size()?),
            "valid-data-length" => FileChange::ValidDataLength(size()?),
            "disposition-ex" => FileChange::DispositionEx(flags(args)?),
            "rename-ex" => FileChange::RenameEx {
                path: new_path(args)?,
                flags: flags(args)?,
            },
            "mode" => {
                let mode = args.parsed("mode", |text| words::OPTIONS.parse(text))?;
                FileChange::Mode(mode.ok_or(ArgError::Missing("mode"))?)
            }
            other => return Err(ArgError::Conflict(format!("`{other}` cannot be set"))),
        };
        Ok(Self {
            handle: args.required("handle")?,
            change,
        })
    }
}

fn flags<'t>(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<u32, ArgError> {
    args.parsed("flags", words::parse_number)?
        .ok_or(ArgError::Missing("flags"))
}

fn new_path<'t>(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<&'t str, ArgError> {
    let path = args.required("path")?;
    match paths::check(path) {
        Ok(()) => Ok(path),
        Err(error) => Err(ArgError::Value {
            name: "path",
            reason: error.to_string(),
        }),
    }
}

fn basic<'t>(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<FileChange<'t>, ArgError> {
    Ok(FileChange::Basic {
        times: Times {
            created: args.parsed("created", time::parse)?.unwrap_or_default(),
            accessed: args.parsed("accessed", time::parse)?.unwrap_or_default(),
            written: args.parsed("written", time::parse)?.unwrap_or_default(),
            changed: args.parsed("changed", time::parse)?.unwrap_or_default(),
        },
        attributes: args
            .parsed("attributes", |text| words::ATTRIBUTES.parse(text))?
            .unwrap_or_default(),
    })
}
