//! The arguments of `query-quota` and `set-quota`.

use crate::args::{ArgError, Args};
use replay_ir::Value;

/// QUERY_INFO of quotas (MS-SMB2 2.2.37, 2.2.37.1), of all users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryQuota<'t> {
    /// The handle.
    pub handle: &'t str,
    /// ReturnSingle.
    pub single: bool,
    /// RestartScan.
    pub restart: bool,
    /// OutputBufferLength in bytes.
    pub buffer: u32,
}

/// SET_INFO of quotas (MS-SMB2 2.2.39; MS-FSCC 2.4.41).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetQuota<'t> {
    /// The handle.
    pub handle: &'t str,
    /// FILE_QUOTA_INFORMATION entries.
    pub entries: &'t [u8],
}

impl<'t> QueryQuota<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        Ok(Self {
            handle: args.required("handle")?,
            single: args.has("single"),
            restart: args.has("restart"),
            buffer: args.int("buffer")?.unwrap_or(super::BUFFER),
        })
    }
}

impl<'t> SetQuota<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        Ok(Self {
            handle: args.required("handle")?,
            entries: args.bytes("entries").ok_or(ArgError::Missing("entries"))?,
        })
    }
}
