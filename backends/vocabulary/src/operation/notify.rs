//! The arguments of `notify`.

use crate::args::{ArgError, Args};
use crate::words;
use replay_ir::Value;
use smb_wire::CompletionFilter;

/// Every change that MS-SMB2 2.2.35 names.
const ALL: CompletionFilter = CompletionFilter::from_bits_retain(0x0fff);

/// CHANGE_NOTIFY (MS-SMB2 2.2.35).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify<'t> {
    /// The directory.
    pub handle: &'t str,
    /// CompletionFilter.
    pub filter: CompletionFilter,
    /// SMB2_WATCH_TREE.
    pub tree: bool,
    /// OutputBufferLength in bytes.
    pub buffer: u32,
}

impl<'t> Notify<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        Ok(Self {
            handle: args.required("handle")?,
            filter: args
                .parsed("filter", |text| words::COMPLETION_FILTER.parse(text))?
                .unwrap_or(ALL),
            tree: args.has("tree"),
            buffer: args.int("buffer")?.unwrap_or(super::BUFFER),
        })
    }
}
