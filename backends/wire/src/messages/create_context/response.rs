//! The contexts of a CREATE response (MS-SMB2 2.2.14.2).

use super::{AAPL, Context, DH2Q, DHNQ, Lease, LeaseV2, MXAC, QFID, RQLS};
use crate::codec::{Reader, Writer};
use crate::{AccessMask, DurableFlags, Error};

/// One context of a CREATE response (MS-SMB2 2.2.14.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseContext {
    /// DHnQ (MS-SMB2 2.2.14.2.3): the open is durable.
    DurableHandleResponse,
    /// MxAc (MS-SMB2 2.2.14.2.5).
    MaximalAccess(MaximalAccess),
    /// QFid (MS-SMB2 2.2.14.2.9).
    OnDiskId(OnDiskId),
    /// RqLs of 32 bytes (MS-SMB2 2.2.14.2.10).
    Lease(Lease),
    /// RqLs of 52 bytes (MS-SMB2 2.2.14.2.11).
    LeaseV2(LeaseV2),
    /// DH2Q (MS-SMB2 2.2.14.2.12).
    DurableHandleResponseV2(DurableHandleResponseV2),
    /// AAPL, the extensions of macOS, as bytes.
    Aapl(Vec<u8>),
    /// A context of another name, or one whose data is not as its name prescribes.
    Other {
        /// The name.
        name: Vec<u8>,
        /// The data.
        data: Vec<u8>,
    },
}

/// SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2 (MS-SMB2 2.2.14.2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DurableHandleResponseV2 {
    /// Timeout in milliseconds.
    pub timeout: u32,
    /// Flags.
    pub flags: DurableFlags,
}

/// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE (MS-SMB2 2.2.14.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaximalAccess {
    /// QueryStatus, an NTSTATUS.
    pub query_status: u32,
    /// MaximalAccess, valid if the status is a success.
    pub maximal_access: AccessMask,
}

/// SMB2_CREATE_QUERY_ON_DISK_ID response (MS-SMB2 2.2.14.2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnDiskId {
    /// DiskFileId.
    pub disk_file_id: u64,
    /// VolumeId.
    pub volume_id: u64,
    /// Reserved, 16 bytes; some servers use them.
    pub reserved: [u8; 16],
}

impl Context for ResponseContext {
    fn name(&self) -> &[u8] {
        match self {
            Self::DurableHandleResponse => DHNQ,
            Self::MaximalAccess(_) => MXAC,
            Self::OnDiskId(_) => QFID,
            Self::Lease(_) | Self::LeaseV2(_) => RQLS,
            Self::DurableHandleResponseV2(_) => DH2Q,
            Self::Aapl(_) => AAPL,
            Self::Other { name, .. } => name,
        }
    }

    fn encode_data(&self, writer: &mut Writer<'_>) {
        match self {
            Self::DurableHandleResponse => writer.zeros(8),
            Self::MaximalAccess(access) => {
                writer.u32(access.query_status);
                writer.u32(access.maximal_access.bits());
            }
            Self::OnDiskId(id) => {
                writer.u64(id.disk_file_id);
                writer.u64(id.volume_id);
                writer.bytes(&id.reserved);
            }
            Self::Lease(lease) => lease.encode(writer),
            Self::LeaseV2(lease) => lease.encode(writer),
            Self::DurableHandleResponseV2(response) => {
                writer.u32(response.timeout);
                writer.u32(response.flags.bits());
            }
            Self::Aapl(data) | Self::Other { data, .. } => writer.bytes(data),
        }
    }

    fn decode_data(name: &[u8], data: &[u8]) -> Result<Option<Self>, Error> {
        let mut reader = Reader::new("create context of a response", data);
        let context = match (name, data.len()) {
            (DHNQ, 8) => Self::DurableHandleResponse,
            (MXAC, 8) => Self::MaximalAccess(MaximalAccess {
                query_status: reader.u32()?,
                maximal_access: AccessMask::from_bits_retain(reader.u32()?),
            }),
            (QFID, 32) => Self::OnDiskId(OnDiskId {
                disk_file_id: reader.u64()?,
                volume_id: reader.u64()?,
                reserved: reader.array()?,
            }),
            (RQLS, 32) => Self::Lease(Lease::decode(&mut reader)?),
            (RQLS, 52) => Self::LeaseV2(LeaseV2::decode(&mut reader)?),
            (DH2Q, 8) => Self::DurableHandleResponseV2(DurableHandleResponseV2 {
                timeout: reader.u32()?,
                flags: DurableFlags::from_bits_retain(reader.u32()?),
            }),
            (AAPL, _) => Self::Aapl(data.to_vec()),
            _ => return Ok(None),
        };
        Ok(Some(context))
    }

    fn other(name: Vec<u8>, data: Vec<u8>) -> Self {
        Self::Other { name, data }
    }
}
