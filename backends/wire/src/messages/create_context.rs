//! Create contexts (MS-SMB2 2.2.13.2, 2.2.14.2): one enum for requests, one for responses, since the data of a
//! context depends on the direction.

use crate::chain::{Chain, encode_chain};
use crate::codec::{Reader, Writer};
use crate::{AccessMask, DurableFlags, Error, FileId, Filetime, Guid, LeaseFlags, LeaseState};

const EXTA: &[u8] = b"ExtA";
const SECD: &[u8] = b"SecD";
const DHNQ: &[u8] = b"DHnQ";
const DHNC: &[u8] = b"DHnC";
const ALSI: &[u8] = b"AlSi";
const MXAC: &[u8] = b"MxAc";
const TWRP: &[u8] = b"TWrp";
const QFID: &[u8] = b"QFid";
const RQLS: &[u8] = b"RqLs";
const DH2Q: &[u8] = b"DH2Q";
const DH2C: &[u8] = b"DH2C";
const AAPL: &[u8] = b"AAPL";
const APP_INSTANCE_ID: &[u8] = b"\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74";
const APP_INSTANCE_VERSION: &[u8] =
    b"\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10";

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

/// A lease (MS-SMB2 2.2.13.2.8, 2.2.14.2.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lease {
    /// LeaseKey, chosen by the client.
    pub lease_key: Guid,
    /// LeaseState, asked for or granted.
    pub lease_state: LeaseState,
    /// LeaseFlags.
    pub lease_flags: LeaseFlags,
    /// LeaseDuration, reserved.
    pub lease_duration: u64,
}

/// A lease of version 2 (MS-SMB2 2.2.13.2.10, 2.2.14.2.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseV2 {
    /// LeaseKey, chosen by the client.
    pub lease_key: Guid,
    /// LeaseState, asked for or granted.
    pub lease_state: LeaseState,
    /// Flags.
    pub flags: LeaseFlags,
    /// LeaseDuration, reserved.
    pub lease_duration: u64,
    /// ParentLeaseKey, of the directory; valid with [`LeaseFlags::PARENT_LEASE_KEY_SET`].
    pub parent_lease_key: Guid,
    /// Epoch, counted up by the server with every change of the state.
    pub epoch: u16,
    /// Reserved.
    pub reserved: u16,
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

/// SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2 (MS-SMB2 2.2.14.2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DurableHandleResponseV2 {
    /// Timeout in milliseconds.
    pub timeout: u32,
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

impl Lease {
    fn encode(self, writer: &mut Writer<'_>) {
        writer.guid(self.lease_key);
        writer.u32(self.lease_state.bits());
        writer.u32(self.lease_flags.bits());
        writer.u64(self.lease_duration);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            lease_key: reader.guid()?,
            lease_state: LeaseState::from_bits_retain(reader.u32()?),
            lease_flags: LeaseFlags::from_bits_retain(reader.u32()?),
            lease_duration: reader.u64()?,
        })
    }
}

impl LeaseV2 {
    fn encode(self, writer: &mut Writer<'_>) {
        writer.guid(self.lease_key);
        writer.u32(self.lease_state.bits());
        writer.u32(self.flags.bits());
        writer.u64(self.lease_duration);
        writer.guid(self.parent_lease_key);
        writer.u16(self.epoch);
        writer.u16(self.reserved);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            lease_key: reader.guid()?,
            lease_state: LeaseState::from_bits_retain(reader.u32()?),
            flags: LeaseFlags::from_bits_retain(reader.u32()?),
            lease_duration: reader.u64()?,
            parent_lease_key: reader.guid()?,
            epoch: reader.u16()?,
            reserved: reader.u16()?,
        })
    }
}

/// A context as the list sees it: a name and data.
pub(super) trait Context: Sized {
    fn name(&self) -> &[u8];
    fn encode_data(&self, writer: &mut Writer<'_>);
    /// `None` for a name or a length of data that is not known.
    fn decode_data(name: &[u8], data: &[u8]) -> Result<Option<Self>, Error>;
    fn other(name: Vec<u8>, data: Vec<u8>) -> Self;
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

/// Appends the list; the writer stands at a multiple of 8.
pub(super) fn encode_list<C: Context>(contexts: &[C], writer: &mut Writer<'_>) {
    encode_chain(contexts, 8, writer, |context, writer| {
        let start = writer.offset() - 4;
        writer.u16(16);
        writer.len16(context.name().len());
        writer.u32(0);
        writer.u32(0);
        writer.bytes(context.name());
        writer.align(8);
        let data = writer.offset();
        context.encode_data(writer);
        let length = writer.offset() - data;
        if length > 0 {
            writer.set_u16(start + 10, data - start);
            writer.set_u32(start + 12, length);
        }
    });
}

/// Reads a list that fills `bytes`.
pub(super) fn decode_list<C: Context>(bytes: &[u8]) -> Result<Vec<C>, Error> {
    Chain::new("create context list", 16, bytes)
        .map(|item| {
            let mut reader = item?;
            let (name_offset, name_length) = (reader.len16()?, reader.len16()?);
            reader.skip(2)?;
            let (data_offset, data_length) = (reader.len16()?, reader.len32()?);
            let name = reader.range(name_offset, name_length)?;
            let data = reader.range(data_offset, data_length)?;
            let known = C::decode_data(name, data)?;
            Ok(known.unwrap_or_else(|| C::other(name.to_vec(), data.to_vec())))
        })
        .collect()
}
