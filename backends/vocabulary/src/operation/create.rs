//! The arguments of `create`.

use crate::args::{ArgError, Args};
use crate::{lease, time, words};
use replay_ir::Value;
use smb_wire::fscc::FullEa;
use smb_wire::messages::AppInstanceVersion;
use smb_wire::{
    AccessMask, CreateDisposition, CreateOptions, FileAttributes, Filetime, Guid,
    ImpersonationLevel, LeaseState, OplockLevel, ShareAccess,
};

/// CREATE (MS-SMB2 2.2.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create<'t> {
    /// What the handle is called.
    pub handle: &'t str,
    /// The path in the trace's form, see [`paths`](crate::paths).
    pub path: &'t str,
    /// The path is sent as it is, without the run's root.
    pub raw_path: bool,
    /// DesiredAccess.
    pub access: AccessMask,
    /// ShareAccess.
    pub share: ShareAccess,
    /// CreateDisposition.
    pub disposition: CreateDisposition,
    /// CreateOptions.
    pub options: CreateOptions,
    /// FileAttributes.
    pub attributes: FileAttributes,
    /// ImpersonationLevel.
    pub impersonation: ImpersonationLevel,
    /// RequestedOplockLevel.
    pub oplock: OplockLevel,
    /// The lease context.
    pub lease: Option<LeaseRequest>,
    /// QUERY_MAXIMAL_ACCESS_REQUEST.
    pub query_maximal_access: bool,
    /// QUERY_ON_DISK_ID.
    pub query_on_disk_id: bool,
    /// ALLOCATION_SIZE in bytes.
    pub allocation: Option<u64>,
    /// TIMEWARP_TOKEN.
    pub timewarp: Option<Filetime>,
    /// DURABLE_HANDLE_REQUEST or its V2.
    pub durable: Option<Durable>,
    /// EA_BUFFER.
    pub ea: Vec<FullEa>,
    /// SD_BUFFER, in SDDL.
    pub sd: Option<&'t str>,
    /// CreateGuid of the V2 request; `None` is one of its own.
    pub create_guid: Option<Guid>,
    /// SMB2_CREATE_APP_INSTANCE_ID.
    pub app_instance: Option<Guid>,
    /// SMB2_CREATE_APP_INSTANCE_VERSION.
    pub app_instance_version: Option<AppInstanceVersion>,
}

/// SMB2_CREATE_REQUEST_LEASE or its V2 (MS-SMB2 2.2.13.2.8, 2.2.13.2.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRequest {
    /// LeaseKey.
    pub key: Guid,
    /// LeaseState.
    pub state: LeaseState,
    /// True for V2, false for V1; `None`: V2 from dialect 3.0 on.
    pub v2: Option<bool>,
    /// ParentLeaseKey, V2 only.
    pub parent: Option<Guid>,
    /// Epoch, V2 only.
    pub epoch: u16,
}

/// A durable open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// DURABLE_HANDLE_REQUEST (MS-SMB2 2.2.13.2.3).
    V1,
    /// DURABLE_HANDLE_REQUEST_V2 (MS-SMB2 2.2.13.2.11).
    V2 {
        /// Timeout in milliseconds; 0 leaves it to the server.
        timeout: u32,
        /// SMB2_DHANDLE_FLAG_PERSISTENT.
        persistent: bool,
    },
}

impl<'t> Create<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let lease = lease_request(args)?;
        let oplock = args.parsed("oplock", |text| words::OPLOCK.parse(text))?;
        let default_oplock = if lease.is_some() {
            OplockLevel::LEASE
        } else {
            OplockLevel::NONE
        };
        let create = Self {
            handle: args.required("handle")?,
            path: args.required("path")?,
            raw_path: args.has("raw-path"),
            access: args
                .parsed("access", |text| words::ACCESS.parse(text))?
                .unwrap_or(words::GENERIC_READ),
            share: args
                .parsed("share", |text| words::SHARE.parse(text))?
                .unwrap_or(words::SHARE_ALL),
            disposition: args
                .parsed("disposition", |text| words::DISPOSITION.parse(text))?
                .unwrap_or(CreateDisposition::OPEN),
            options: args
                .parsed("options", |text| words::OPTIONS.parse(text))?
                .unwrap_or_default(),
            attributes: args
                .parsed("attributes", |text| words::ATTRIBUTES.parse(text))?
                .unwrap_or_default(),
            impersonation: args
                .parsed("impersonation", |text| words::IMPERSONATION.parse(text))?
                .unwrap_or(ImpersonationLevel::IMPERSONATION),
            oplock: oplock.unwrap_or(default_oplock),
            lease,
            query_maximal_access: args.has("query-maximal-access"),
            query_on_disk_id: args.has("query-on-disk-id"),
            allocation: args.int("allocation")?,
            timewarp: args.parsed("timewarp", time::parse)?,
            durable: durable(args)?,
            ea: super::extended_attributes(args)?,
            sd: crate::security::argument(args)?,
            create_guid: args.parsed("create-guid", lease::key)?,
            app_instance: args.parsed("app-instance", lease::key)?,
            app_instance_version: args.parsed("app-instance-version", version)?,
        };
        create.check()?;
        Ok(create)
    }

    fn check(&self) -> Result<(), ArgError> {
        if self.create_guid.is_some() && !matches!(self.durable, Some(Durable::V2 { .. })) {
            return Err(ArgError::Conflict(
                "`create-guid=` needs `durable=v2` or `durable=persistent`".to_owned(),
            ));
        }
        if self.oplock == OplockLevel::LEASE && self.lease.is_none() {
            return Err(ArgError::Conflict(
                "`oplock=lease` needs a `lease-key=`".to_owned(),
            ));
        }
        if self.raw_path {
            return Ok(());
        }
        let path = crate::paths::check(self.path);
        path.map_err(|error| ArgError::Value {
            name: "path",
            reason: error.to_string(),
        })
    }
}

/// Reads `1.0`: the high and the low half of a version of an application.
fn version(text: &str) -> Result<AppInstanceVersion, String> {
    let parts = text.split_once('.');
    let parts = parts.and_then(|(high, low)| Some((high.parse().ok()?, low.parse().ok()?)));
    let (high, low) =
        parts.ok_or_else(|| format!("`{text}` is no version such as `1.0`, two numbers"))?;
    Ok(AppInstanceVersion { high, low })
}

/// For the table.
pub(crate) fn check_version(text: &str) -> Result<(), String> {
    version(text).map(drop)
}

fn lease_request<'t>(
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<Option<LeaseRequest>, ArgError> {
    let Some(key) = args.parsed("lease-key", lease::key)? else {
        let orphan = [
            "lease-state",
            "lease-version",
            "lease-parent",
            "lease-epoch",
        ];
        return match orphan.into_iter().find(|name| args.has(name)) {
            Some(name) => Err(ArgError::Conflict(format!(
                "`{name}=` needs a `lease-key=`"
            ))),
            None => Ok(None),
        };
    };
    let request = LeaseRequest {
        key,
        state: args
            .parsed("lease-state", |text| words::LEASE.parse(text))?
            .unwrap_or_default(),
        v2: args.str("lease-version").map(|version| version == "v2"),
        parent: args.parsed("lease-parent", lease::key)?,
        epoch: args.int("lease-epoch")?.unwrap_or(0),
    };
    match request.v2 {
        Some(false) if request.parent.is_some() || args.has("lease-epoch") => {
            Err(ArgError::Conflict(
                "`lease-parent=` and `lease-epoch=` are of lease version 2".to_owned(),
            ))
        }
        _ => Ok(Some(request)),
    }
}

fn durable<'t>(
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<Option<Durable>, ArgError> {
    let timeout = args.nanoseconds("durable-timeout");
    let version = args.str("durable");
    if timeout.is_some() && !matches!(version, Some("v2" | "persistent")) {
        return Err(ArgError::Conflict(
            "`durable-timeout=` needs `durable=v2` or `durable=persistent`".to_owned(),
        ));
    }
    let nanoseconds = timeout.unwrap_or(0);
    let milliseconds = u32::try_from(nanoseconds / 1_000_000)
        .ok()
        .filter(|_| nanoseconds.is_multiple_of(1_000_000));
    let timeout = milliseconds.ok_or_else(|| ArgError::Value {
        name: "durable-timeout",
        reason: "must be whole milliseconds, at most 2^32-1 of them".to_owned(),
    })?;
    Ok(match version {
        None => None,
        Some("v1") => Some(Durable::V1),
        Some(version) => Some(Durable::V2 {
            timeout,
            persistent: version == "persistent",
        }),
    })
}
