//! The contexts of a CREATE request (MS-SMB2 2.2.13.2).

use super::{
    AAPL, ALSI, APP_INSTANCE_ID, APP_INSTANCE_VERSION, Context, DH2C, DH2Q, DHNC, DHNQ, EXTA,
    Lease, LeaseV2, MXAC, QFID, RQLS, SECD, TWRP,
};
use crate::codec::{Reader, Writer};
use crate::{DurableFlags, Error, FileId, Filetime, Guid};

/// One context of a CREATE request (MS-SMB2 2.2.13.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestContext {
    /// ExtA (MS-SMB2 2.2.13.2.1): extended attributes as FileFullEaInformation (MS-FSCC 2.4.16).
    EaBuffer(Vec<u8>),
    /// SecD (MS-SMB2 2.2.13.2.2): a self-relative security descriptor (MS-DTYP 2.4.6).
    SdBuffer(Vec<u8>),
    /// DHnQ (MS-SMB2 2.2.13.2.3).
    DurableHandleRequest,
    /// DHnC (MS-SMB2 2.2.13.2.4): the open before the connection was lost.
    DurableHandleReconnect(FileId),
    /// AlSi (MS-SMB2 2.2.13.2.6): the size to allocate, in bytes.
    AllocationSize(u64),
    /// MxAc (MS-SMB2 2.2.13.2.5): asks for the maximal access, if it changed since the time.
    QueryMaximalAccess(Option<Filetime>),
    /// TWrp (MS-SMB2 2.2.13.2.7): the snapshot to open.
    TimewarpToken(Filetime),
    /// QFid (MS-SMB2 2.2.13.2.9).
    QueryOnDiskId,
    /// RqLs of 32 bytes (MS-SMB2 2.2.13.2.8).
    Lease(Lease),
    /// RqLs of 52 bytes (MS-SMB2 2.2.13.2.10).
    LeaseV2(LeaseV2),
    /// DH2Q (MS-SMB2 2.2.13.2.11).
    DurableHandleRequestV2(DurableHandleRequestV2),
    /// DH2C (MS-SMB2 2.2.13.2.12).
    DurableHandleReconnectV2(DurableHandleReconnectV2),
    /// SMB2_CREATE_APP_INSTANCE_ID (MS-SMB2 2.2.13.2.13).
    AppInstanceId(Guid),
    /// SMB2_CREATE_APP_INSTANCE_VERSION (MS-SMB2 2.2.13.2.15).
    AppInstanceVersion(AppInstanceVersion),
    /// AAPL, the extensions of macOS, as bytes.
    Aapl(Vec<u8>),
    /// A context of another name, or one whose data is not as its name prescribes.
    Other {
        /// The name, 4 or 16 bytes for all that are known.
        name: Vec<u8>,
        /// The data.
        data: Vec<u8>,
    },
}

/// SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2 (MS-SMB2 2.2.13.2.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DurableHandleRequestV2 {
    /// Timeout in milliseconds; 0 leaves it to the server.
    pub timeout: u32,
    /// Flags.
    pub flags: DurableFlags,
    /// CreateGuid, which names the create request for a replay or a reconnect.
    pub create_guid: Guid,
}

/// SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2 (MS-SMB2 2.2.13.2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DurableHandleReconnectV2 {
    /// FileId of the open before the connection was lost.
    pub file_id: FileId,
    /// CreateGuid of the request that made it.
    pub create_guid: Guid,
    /// Flags.
    pub flags: DurableFlags,
}

/// SMB2_CREATE_APP_INSTANCE_VERSION (MS-SMB2 2.2.13.2.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppInstanceVersion {
    /// AppInstanceVersionHigh.
    pub high: u64,
    /// AppInstanceVersionLow.
    pub low: u64,
}

impl Context for RequestContext {
    fn name(&self) -> &[u8] {
        match self {
            Self::EaBuffer(_) => EXTA,
            Self::SdBuffer(_) => SECD,
            Self::DurableHandleRequest => DHNQ,
            Self::DurableHandleReconnect(_) => DHNC,
            Self::AllocationSize(_) => ALSI,
            Self::QueryMaximalAccess(_) => MXAC,
            Self::TimewarpToken(_) => TWRP,
            Self::QueryOnDiskId => QFID,
            Self::Lease(_) | Self::LeaseV2(_) => RQLS,
            Self::DurableHandleRequestV2(_) => DH2Q,
            Self::DurableHandleReconnectV2(_) => DH2C,
            Self::AppInstanceId(_) => APP_INSTANCE_ID,
            Self::AppInstanceVersion(_) => APP_INSTANCE_VERSION,
            Self::Aapl(_) => AAPL,
            Self::Other { name, .. } => name,
        }
    }

    fn encode_data(&self, writer: &mut Writer<'_>) {
        match self {
            Self::EaBuffer(data) | Self::SdBuffer(data) | Self::Aapl(data) => writer.bytes(data),
            Self::DurableHandleRequest => writer.zeros(16),
            Self::DurableHandleReconnect(file_id) => writer.file_id(*file_id),
            Self::AllocationSize(size) => writer.u64(*size),
            Self::QueryMaximalAccess(None) | Self::QueryOnDiskId => {}
            Self::QueryMaximalAccess(Some(time)) | Self::TimewarpToken(time) => {
                writer.filetime(*time);
            }
            Self::Lease(lease) => lease.encode(writer),
            Self::LeaseV2(lease) => lease.encode(writer),
            Self::DurableHandleRequestV2(request) => {
                writer.u32(request.timeout);
                writer.u32(request.flags.bits());
                writer.u64(0);
                writer.guid(request.create_guid);
            }
            Self::DurableHandleReconnectV2(reconnect) => {
                writer.file_id(reconnect.file_id);
                writer.guid(reconnect.create_guid);
                writer.u32(reconnect.flags.bits());
            }
            Self::AppInstanceId(id) => {
                writer.u16(20);
                writer.u16(0);
                writer.guid(*id);
            }
            Self::AppInstanceVersion(version) => {
                writer.u16(24);
                writer.u16(0);
                writer.u32(0);
                writer.u64(version.high);
                writer.u64(version.low);
            }
            Self::Other { data, .. } => writer.bytes(data),
        }
    }

    fn decode_data(name: &[u8], data: &[u8]) -> Result<Option<Self>, Error> {
        let mut reader = Reader::new("create context of a request", data);
        let context = match (name, data.len()) {
            (EXTA, _) => Self::EaBuffer(data.to_vec()),
            (SECD, _) => Self::SdBuffer(data.to_vec()),
            (AAPL, _) => Self::Aapl(data.to_vec()),
            (DHNQ, 16) => Self::DurableHandleRequest,
            (DHNC, 16) => Self::DurableHandleReconnect(reader.file_id()?),
            (ALSI, 8) => Self::AllocationSize(reader.u64()?),
            (MXAC, 0) => Self::QueryMaximalAccess(None),
            (MXAC, 8) => Self::QueryMaximalAccess(Some(reader.filetime()?)),
            (TWRP, 8) => Self::TimewarpToken(reader.filetime()?),
            (QFID, 0) => Self::QueryOnDiskId,
            (RQLS, 32) => Self::Lease(Lease::decode(&mut reader)?),
            (RQLS, 52) => Self::LeaseV2(LeaseV2::decode(&mut reader)?),
            (DH2Q, 32) => {
                let (timeout, flags) = (reader.u32()?, reader.u32()?);
                reader.skip(8)?;
                let (flags, create_guid) = (DurableFlags::from_bits_retain(flags), reader.guid()?);
                Self::DurableHandleRequestV2(DurableHandleRequestV2 {
                    timeout,
                    flags,
                    create_guid,
                })
            }
            (DH2C, 36) => Self::DurableHandleReconnectV2(DurableHandleReconnectV2 {
                file_id: reader.file_id()?,
                create_guid: reader.guid()?,
                flags: DurableFlags::from_bits_retain(reader.u32()?),
            }),
            (APP_INSTANCE_ID, 20) => {
                reader.skip(4)?;
                Self::AppInstanceId(reader.guid()?)
            }
            (APP_INSTANCE_VERSION, 24) => {
                reader.skip(8)?;
                let (high, low) = (reader.u64()?, reader.u64()?);
                Self::AppInstanceVersion(AppInstanceVersion { high, low })
            }
            _ => return Ok(None),
        };
        Ok(Some(context))
    }

    fn other(name: Vec<u8>, data: Vec<u8>) -> Self {
        Self::Other { name, data }
    }
}
