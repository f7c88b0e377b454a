//! Security descriptors in self-relative form (MS-DTYP 2.4.6).

use super::acl::Acl;
use super::sid::Sid;
use crate::Error;
use crate::codec::{Reader, Writer};
use crate::constants::flags;

flags! {
    /// Control (MS-DTYP 2.4.6).
    SecurityControl: u16 {
        /// OD: the owner came from a default.
        OWNER_DEFAULTED = 0x0001;
        /// GD: the group came from a default.
        GROUP_DEFAULTED = 0x0002;
        /// DP: there is a DACL, or none on purpose.
        DACL_PRESENT = 0x0004;
        /// DD: the DACL came from a default.
        DACL_DEFAULTED = 0x0008;
        /// SP: there is a SACL, or none on purpose.
        SACL_PRESENT = 0x0010;
        /// SD: the SACL came from a default.
        SACL_DEFAULTED = 0x0020;
        /// DT: the DACL's source is trusted.
        DACL_TRUSTED = 0x0040;
        /// SS: the server is to make the DACL a server DACL.
        SERVER_SECURITY = 0x0080;
        /// DC: what inherits is to be recomputed.
        DACL_AUTO_INHERIT_REQ = 0x0100;
        /// SC: the same for the SACL.
        SACL_AUTO_INHERIT_REQ = 0x0200;
        /// DI: the DACL was made by inheritance.
        DACL_AUTO_INHERITED = 0x0400;
        /// SI: the SACL was.
        SACL_AUTO_INHERITED = 0x0800;
        /// PD: the DACL inherits nothing.
        DACL_PROTECTED = 0x1000;
        /// PS: the SACL inherits nothing.
        SACL_PROTECTED = 0x2000;
        /// RM: Sbz1 has a meaning.
        RM_CONTROL_VALID = 0x4000;
        /// SR: it is in self-relative form; always so on the wire.
        SELF_RELATIVE = 0x8000;
    }
}

/// A security descriptor. A list that is `None` while `control` says that it is present is a NULL list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecurityDescriptor {
    /// Control.
    pub control: SecurityControl,
    /// OwnerSid.
    pub owner: Option<Sid>,
    /// GroupSid.
    pub group: Option<Sid>,
    /// Sacl.
    pub sacl: Option<Acl>,
    /// Dacl.
    pub dacl: Option<Acl>,
}

impl SecurityDescriptor {
    /// Appends the self-relative form. Control says of the lists that are there that they are.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut control = self.control | SecurityControl::SELF_RELATIVE;
        if self.dacl.is_some() {
            control |= SecurityControl::DACL_PRESENT;
        }
        if self.sacl.is_some() {
            control |= SecurityControl::SACL_PRESENT;
        }
        let mut writer = Writer::new(out);
        writer.u8(1);
        writer.u8(0);
        writer.u16(control.bits());
        let offsets = writer.offset();
        writer.zeros(16);
        for (index, sid) in [&self.owner, &self.group].into_iter().enumerate() {
            if let Some(sid) = sid {
                let at = writer.offset();
                writer.set_u32(offsets + 4 * index, at);
                sid.write(&mut writer);
            }
        }
        for (index, acl) in [&self.sacl, &self.dacl].into_iter().enumerate() {
            if let Some(acl) = acl {
                let at = writer.offset();
                writer.set_u32(offsets + 8 + 4 * index, at);
                acl.write(&mut writer);
            }
        }
    }

    /// Reads the self-relative form. A list that Control does not announce is not looked at.
    ///
    /// # Errors
    ///
    /// Too few bytes, another revision than 1, an offset outside, a part that does not decode.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "SECURITY_DESCRIPTOR";
        let mut reader = Reader::new(WHAT, data);
        let revision = reader.u8()?;
        if revision != 1 {
            return Err(Error::Invalid {
                what: WHAT,
                field: "Revision",
                value: revision.into(),
            });
        }
        reader.skip(1)?;
        let control = SecurityControl::from_bits_retain(reader.u16()?);
        let mut offset = || reader.len32();
        let (owner, group, sacl, dacl) = (offset()?, offset()?, offset()?, offset()?);
        let part = |offset: usize| match offset {
            0 => Ok(None),
            _ => data.get(offset..).map(Some).ok_or(Error::OutOfRange {
                what: WHAT,
                offset,
                length: 1,
                have: data.len(),
            }),
        };
        let acl = |offset: usize, present: SecurityControl| match control.contains(present) {
            true => part(offset)?.map(Acl::decode).transpose(),
            false => Ok(None),
        };
        Ok(Self {
            control,
            owner: part(owner)?.map(Sid::decode).transpose()?,
            group: part(group)?.map(Sid::decode).transpose()?,
            sacl: acl(sacl, SecurityControl::SACL_PRESENT)?,
            dacl: acl(dacl, SecurityControl::DACL_PRESENT)?,
        })
    }
}
