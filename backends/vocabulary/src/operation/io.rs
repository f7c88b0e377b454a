//! The arguments of `read`, `write`, `lock` and `query-directory`.

use crate::args::{ArgError, Args};
use crate::words;
use replay_ir::Value;
use smb_wire::FileInfoClass;

/// The longest content of one write: the largest MaxWriteSize that servers offer.
const MAX_CONTENT: u32 = 8 << 20;

/// READ (MS-SMB2 2.2.19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read<'t> {
    /// The handle.
    pub handle: &'t str,
    /// Offset in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: u32,
    /// MinimumCount in bytes.
    pub minimum: u32,
    /// SMB2_READFLAG_READ_UNBUFFERED.
    pub unbuffered: bool,
}

impl<'t> Read<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        Ok(Self {
            handle: args.required("handle")?,
            offset: args.int("offset")?.unwrap_or(0),
            length: args.int("len")?.ok_or(ArgError::Missing("len"))?,
            minimum: args.int("min")?.unwrap_or(0),
            unbuffered: args.has("unbuffered"),
        })
    }
}

/// WRITE (MS-SMB2 2.2.21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write<'t> {
    /// The handle.
    pub handle: &'t str,
    /// Offset in bytes.
    pub offset: u64,
    /// What to write.
    pub content: Content<'t>,
    /// SMB2_WRITEFLAG_WRITE_THROUGH.
    pub write_through: bool,
    /// SMB2_WRITEFLAG_WRITE_UNBUFFERED.
    pub unbuffered: bool,
}

/// What a write writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'t> {
    /// The pattern of [`replay_ir::fill`], which depends on the offset in the file.
    Fill {
        /// Length in bytes.
        length: u32,
        /// The pattern.
        fill: u64,
    },
    /// These bytes.
    Bytes(&'t [u8]),
}

impl Content<'_> {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Content::Fill { length, .. } => *length as usize,
            Content::Bytes(bytes) => bytes.len(),
        }
    }

    /// True when nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends what is written at `offset` to `out`.
    pub fn append_to(&self, offset: u64, out: &mut Vec<u8>) {
        match self {
            Content::Fill { length, fill } => {
                let start = out.len();
                out.resize(start + *length as usize, 0);
                replay_ir::fill::fill_into(*fill, offset, &mut out[start..]);
            }
            Content::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl<'t> Write<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        Ok(Self {
            handle: args.required("handle")?,
            offset: args.int("offset")?.unwrap_or(0),
            content: content(args)?,
            write_through: args.has("write-through"),
            unbuffered: args.has("unbuffered"),
        })
    }
}

fn content<'t>(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<Content<'t>, ArgError> {
    let length = args.int::<u32>("len")?;
    let fill = args.int::<u64>("fill")?;
    let bytes = args.str("data").map(str::as_bytes);
    match (length, bytes, args.bytes("bytes")) {
        (Some(length), None, None) if length <= MAX_CONTENT => Ok(Content::Fill {
            length,
            fill: fill.unwrap_or(0),
        }),
        (Some(_), None, None) => Err(ArgError::Value {
            name: "len",
            reason: format!("one write has at most {MAX_CONTENT} bytes"),
        }),
        (None, Some(bytes), None) | (None, None, Some(bytes)) if fill.is_none() => {
            Ok(Content::Bytes(bytes))
        }
        _ => Err(ArgError::Conflict(
            "what is written is one of `len=` (with `fill=`), `data=` and `bytes=`".to_owned(),
        )),
    }
}

/// LOCK (MS-SMB2 2.2.26).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock<'t> {
    /// The handle.
    pub handle: &'t str,
    /// What to do with the ranges.
    pub kind: LockKind,
    /// Leaves out SMB2_LOCKFLAG_FAIL_IMMEDIATELY.
    pub wait: bool,
    /// The ranges, at least one.
    pub ranges: Vec<LockRange>,
}

/// What a lock step does with its ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// SMB2_LOCKFLAG_EXCLUSIVE_LOCK.
    Exclusive,
    /// SMB2_LOCKFLAG_SHARED_LOCK.
    Shared,
    /// SMB2_LOCKFLAG_UNLOCK.
    Unlock,
}

/// One range; its end may lie past 2^64, for servers to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockRange {
    /// Offset in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
}

impl<'t> Lock<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let kind = match (
            args.has("exclusive"),
            args.has("shared"),
            args.has("unlock"),
        ) {
            (_, false, false) => LockKind::Exclusive,
            (false, true, false) => LockKind::Shared,
            (false, false, true) => LockKind::Unlock,
            _ => {
                let text = "a lock is one of `exclusive`, `shared` and `unlock`";
                return Err(ArgError::Conflict(text.to_owned()));
            }
        };
        let wait = args.has("wait");
        if wait && kind == LockKind::Unlock {
            return Err(ArgError::Conflict("`unlock` does not wait".to_owned()));
        }
        Ok(Self {
            handle: args.required("handle")?,
            kind,
            wait,
            ranges: lock_ranges(args)?,
        })
    }
}

fn lock_ranges<'t>(
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<Vec<LockRange>, ArgError> {
    let listed = args
        .list("range")
        .into_iter()
        .filter_map(|value| match value {
            Value::Range { start, end } => Some(LockRange {
                offset: start,
                length: end.saturating_sub(start),
            }),
            _ => None,
        });
    let listed: Vec<_> = listed.collect();
    match (listed.is_empty(), args.int("offset")?, args.int("len")?) {
        (false, None, None) => Ok(listed),
        (true, Some(offset), Some(length)) => Ok(vec![LockRange { offset, length }]),
        _ => Err(ArgError::Conflict(
            "a lock needs `range=`, or `offset=` and `len=`".to_owned(),
        )),
    }
}

/// QUERY_DIRECTORY (MS-SMB2 2.2.33).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryDirectory<'t> {
    /// The handle.
    pub handle: &'t str,
    /// The search pattern.
    pub pattern: &'t str,
    /// FileInformationClass.
    pub class: FileInfoClass,
    /// SMB2_RESTART_SCANS.
    pub restart: bool,
    /// SMB2_RETURN_SINGLE_ENTRY.
    pub single: bool,
    /// SMB2_REOPEN.
    pub reopen: bool,
    /// FileIndex, with SMB2_INDEX_SPECIFIED.
    pub index: Option<u32>,
    /// OutputBufferLength in bytes.
    pub buffer: u32,
}

impl<'t> QueryDirectory<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        Ok(Self {
            handle: args.required("handle")?,
            pattern: args.str("pattern").unwrap_or("*"),
            class: args
                .parsed("class", |text| words::DIRECTORY_CLASS.parse(text))?
                .unwrap_or(FileInfoClass::ID_BOTH_DIRECTORY),
            restart: args.has("restart"),
            single: args.has("single"),
            reopen: args.has("reopen"),
            index: args.int("index")?,
            buffer: args.int("buffer")?.unwrap_or(super::BUFFER),
        })
    }
}
