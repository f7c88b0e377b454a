//! Leases, whose contexts are the same in both directions.

use crate::codec::{Reader, Writer};
use crate::{Error, Guid, LeaseFlags, LeaseState};

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

impl Lease {
    pub(super) fn encode(self, writer: &mut Writer<'_>) {
        writer.guid(self.lease_key);
        writer.u32(self.lease_state.bits());
        writer.u32(self.lease_flags.bits());
        writer.u64(self.lease_duration);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            lease_key: reader.guid()?,
            lease_state: LeaseState::from_bits_retain(reader.u32()?),
            lease_flags: LeaseFlags::from_bits_retain(reader.u32()?),
            lease_duration: reader.u64()?,
        })
    }
}

impl LeaseV2 {
    pub(super) fn encode(self, writer: &mut Writer<'_>) {
        writer.guid(self.lease_key);
        writer.u32(self.lease_state.bits());
        writer.u32(self.flags.bits());
        writer.u64(self.lease_duration);
        writer.guid(self.parent_lease_key);
        writer.u16(self.epoch);
        writer.u16(self.reserved);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
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
