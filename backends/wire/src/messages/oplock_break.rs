//! OPLOCK_BREAK in its six forms: notification, acknowledgment and response, of oplocks (MS-SMB2
//! 2.2.23.1, 2.2.24.1, 2.2.25.1) and of leases (2.2.23.2, 2.2.24.2, 2.2.25.2).

use crate::codec::{Reader, Writer};
use crate::{AccessMask, Error, FileId, Guid, LeaseFlags, LeaseState, OplockLevel, ShareAccess};

macro_rules! oplock_body {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            /// OplockLevel: what is left, or what the client accepts.
            pub oplock_level: OplockLevel,
            /// FileId of the open.
            pub file_id: FileId,
        }

        impl $name {
            /// StructureSize, by which an oplock break differs from a lease break.
            pub(crate) const STRUCTURE_SIZE: u16 = 24;

            /// Appends the body.
            pub fn encode(&self, out: &mut Vec<u8>) {
                let mut writer = Writer::body(out, Self::STRUCTURE_SIZE);
                writer.u8(self.oplock_level.0);
                writer.zeros(5);
                writer.file_id(self.file_id);
            }

            /// Reads the body of a whole message.
            ///
            /// # Errors
            ///
            /// Too few bytes or another StructureSize.
            pub fn decode(message: &[u8]) -> Result<Self, Error> {
                let mut reader = Reader::body($what, message, Self::STRUCTURE_SIZE)?;
                let oplock_level = OplockLevel(reader.u8()?);
                reader.skip(5)?;
                Ok(Self { oplock_level, file_id: reader.file_id()? })
            }
        }
    };
}

oplock_body! {
    /// Oplock break notification (MS-SMB2 2.2.23.1), sent with MessageId
    /// [`crate::Header::UNSOLICITED`].
    OplockBreakNotification, "oplock break notification"
}

oplock_body! {
    /// Oplock break acknowledgment (MS-SMB2 2.2.24.1).
    OplockBreakAcknowledgment, "oplock break acknowledgment"
}

oplock_body! {
    /// Oplock break response (MS-SMB2 2.2.25.1).
    OplockBreakResponse, "oplock break response"
}

/// Lease break notification (MS-SMB2 2.2.23.2), sent with MessageId [`crate::Header::UNSOLICITED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseBreakNotification {
    /// NewEpoch; reserved for a lease of version 1.
    pub new_epoch: u16,
    /// Flags.
    pub flags: LeaseFlags,
    /// LeaseKey.
    pub lease_key: Guid,
    /// CurrentLeaseState.
    pub current_lease_state: LeaseState,
    /// NewLeaseState.
    pub new_lease_state: LeaseState,
    /// BreakReason, reserved.
    pub break_reason: u32,
    /// AccessMaskHint, reserved.
    pub access_mask_hint: AccessMask,
    /// ShareMaskHint, reserved.
    pub share_mask_hint: ShareAccess,
}

impl LeaseBreakNotification {
    /// StructureSize, by which a lease break differs from an oplock break.
    pub(crate) const STRUCTURE_SIZE: u16 = 44;

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, Self::STRUCTURE_SIZE);
        writer.u16(self.new_epoch);
        writer.u32(self.flags.bits());
        writer.guid(self.lease_key);
        writer.u32(self.current_lease_state.bits());
        writer.u32(self.new_lease_state.bits());
        writer.u32(self.break_reason);
        writer.u32(self.access_mask_hint.bits());
        writer.u32(self.share_mask_hint.bits());
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes or another StructureSize.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("lease break notification", message, Self::STRUCTURE_SIZE)?;
        Ok(Self {
            new_epoch: reader.u16()?,
            flags: LeaseFlags::from_bits_retain(reader.u32()?),
            lease_key: reader.guid()?,
            current_lease_state: LeaseState::from_bits_retain(reader.u32()?),
            new_lease_state: LeaseState::from_bits_retain(reader.u32()?),
            break_reason: reader.u32()?,
            access_mask_hint: AccessMask::from_bits_retain(reader.u32()?),
            share_mask_hint: ShareAccess::from_bits_retain(reader.u32()?),
        })
    }
}

macro_rules! lease_body {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            /// Flags, reserved.
            pub flags: LeaseFlags,
            /// LeaseKey.
            pub lease_key: Guid,
            /// LeaseState that the client accepts, or that the server settled on.
            pub lease_state: LeaseState,
            /// LeaseDuration, reserved.
            pub lease_duration: u64,
        }

        impl $name {
            /// StructureSize, by which a lease break differs from an oplock break.
            pub(crate) const STRUCTURE_SIZE: u16 = 36;

            /// Appends the body.
            pub fn encode(&self, out: &mut Vec<u8>) {
                let mut writer = Writer::body(out, Self::STRUCTURE_SIZE);
                writer.u16(0);
                writer.u32(self.flags.bits());
                writer.guid(self.lease_key);
                writer.u32(self.lease_state.bits());
                writer.u64(self.lease_duration);
            }

            /// Reads the body of a whole message.
            ///
            /// # Errors
            ///
            /// Too few bytes or another StructureSize.
            pub fn decode(message: &[u8]) -> Result<Self, Error> {
                let mut reader = Reader::body($what, message, Self::STRUCTURE_SIZE)?;
                reader.skip(2)?;
                Ok(Self {
                    flags: LeaseFlags::from_bits_retain(reader.u32()?),
                    lease_key: reader.guid()?,
                    lease_state: LeaseState::from_bits_retain(reader.u32()?),
                    lease_duration: reader.u64()?,
                })
            }
        }
    };
}

lease_body! {
    /// Lease break acknowledgment (MS-SMB2 2.2.24.2).
    LeaseBreakAcknowledgment, "lease break acknowledgment"
}

lease_body! {
    /// Lease break response (MS-SMB2 2.2.25.2).
    LeaseBreakResponse, "lease break response"
}
