//! Access control lists and their entries (MS-DTYP 2.4.4, 2.4.5).

use super::sid::Sid;
use crate::codec::{Reader, Writer};
use crate::constants::{flags, values};
use crate::{AccessMask, Error, Guid};

/// ACL_REVISION.
const REVISION: u8 = 2;
/// ACL_REVISION_DS, of lists with entries about objects.
const REVISION_OBJECT: u8 = 4;

values! {
    /// AceType (MS-DTYP 2.4.4.1), with its name in SDDL.
    AceType: u8 {
        /// ACCESS_ALLOWED_ACE_TYPE.
        ACCESS_ALLOWED = 0x00, "A";
        /// ACCESS_DENIED_ACE_TYPE.
        ACCESS_DENIED = 0x01, "D";
        /// SYSTEM_AUDIT_ACE_TYPE.
        SYSTEM_AUDIT = 0x02, "AU";
        /// SYSTEM_ALARM_ACE_TYPE.
        SYSTEM_ALARM = 0x03, "AL";
        /// ACCESS_ALLOWED_OBJECT_ACE_TYPE.
        ACCESS_ALLOWED_OBJECT = 0x05, "OA";
        /// ACCESS_DENIED_OBJECT_ACE_TYPE.
        ACCESS_DENIED_OBJECT = 0x06, "OD";
        /// SYSTEM_AUDIT_OBJECT_ACE_TYPE.
        SYSTEM_AUDIT_OBJECT = 0x07, "OU";
        /// SYSTEM_ALARM_OBJECT_ACE_TYPE.
        SYSTEM_ALARM_OBJECT = 0x08, "OL";
        /// ACCESS_ALLOWED_CALLBACK_ACE_TYPE.
        ACCESS_ALLOWED_CALLBACK = 0x09, "XA";
        /// ACCESS_DENIED_CALLBACK_ACE_TYPE.
        ACCESS_DENIED_CALLBACK = 0x0A, "XD";
        /// ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE.
        ACCESS_ALLOWED_CALLBACK_OBJECT = 0x0B, "ZA";
        /// SYSTEM_AUDIT_CALLBACK_ACE_TYPE.
        SYSTEM_AUDIT_CALLBACK = 0x0D, "XU";
        /// SYSTEM_MANDATORY_LABEL_ACE_TYPE.
        SYSTEM_MANDATORY_LABEL = 0x11, "ML";
        /// SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE.
        SYSTEM_RESOURCE_ATTRIBUTE = 0x12, "RA";
        /// SYSTEM_SCOPED_POLICY_ID_ACE_TYPE.
        SYSTEM_SCOPED_POLICY_ID = 0x13, "SP";
    }
}

flags! {
    /// AceFlags (MS-DTYP 2.4.4.1).
    AceFlags: u8 {
        /// OBJECT_INHERIT_ACE: files below inherit it.
        OBJECT_INHERIT = 0x01;
        /// CONTAINER_INHERIT_ACE: directories below inherit it.
        CONTAINER_INHERIT = 0x02;
        /// NO_PROPAGATE_INHERIT_ACE: what inherits it does not pass it on.
        NO_PROPAGATE_INHERIT = 0x04;
        /// INHERIT_ONLY_ACE: it does not hold for the object that has it.
        INHERIT_ONLY = 0x08;
        /// INHERITED_ACE: it came from above.
        INHERITED = 0x10;
        /// SUCCESSFUL_ACCESS_ACE_FLAG.
        SUCCESSFUL_ACCESS = 0x40;
        /// FAILED_ACCESS_ACE_FLAG.
        FAILED_ACCESS = 0x80;
    }
}

impl AceType {
    /// Whether entries of this type have the layout of ACCESS_ALLOWED_ACE.
    fn is_plain(self) -> bool {
        matches!(self.0, 0x00..=0x03 | 0x09 | 0x0A | 0x0D | 0x0E | 0x11..=0x13)
    }

    /// Whether entries of this type have the layout of ACCESS_ALLOWED_OBJECT_ACE.
    pub(super) fn is_object(self) -> bool {
        matches!(self.0, 0x05..=0x08 | 0x0B | 0x0C | 0x0F | 0x10)
    }
}

/// One entry (MS-DTYP 2.4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ace {
    /// AceType.
    pub ace_type: AceType,
    /// AceFlags.
    pub flags: AceFlags,
    /// What follows the header; its form goes by the type.
    pub body: AceBody,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AceBody {
    /// ACCESS_ALLOWED_ACE and those of its form.
    Plain {
        /// Mask.
        mask: AccessMask,
        /// Sid.
        sid: Sid,
        /// ApplicationData or attribute data, a multiple of 4 bytes.
        data: Vec<u8>,
    },
    /// ACCESS_ALLOWED_OBJECT_ACE and those of its form.
    Object {
        /// Mask.
        mask: AccessMask,
        /// ObjectType.
        object_type: Option<Guid>,
        /// InheritedObjectType.
        inherited_object_type: Option<Guid>,
        /// Sid.
        sid: Sid,
        /// ApplicationData, a multiple of 4 bytes.
        data: Vec<u8>,
    },
    /// The bytes of an entry of another type, a multiple of 4.
    Other(Vec<u8>),
}

impl Ace {
    fn write(&self, writer: &mut Writer<'_>) {
        let start = writer.offset();
        writer.u8(self.ace_type.0);
        writer.u8(self.flags.bits());
        writer.u16(0);
        match &self.body {
            AceBody::Plain { mask, sid, data } => {
                writer.u32(mask.bits());
                sid.write(writer);
                writer.bytes(data);
            }
            AceBody::Object {
                mask,
                object_type,
                inherited_object_type,
                sid,
                data,
            } => {
                writer.u32(mask.bits());
                let present = u32::from(object_type.is_some());
                writer.u32(present | u32::from(inherited_object_type.is_some()) << 1);
                for guid in [object_type, inherited_object_type].into_iter().flatten() {
                    writer.guid(*guid);
                }
                sid.write(writer);
                writer.bytes(data);
            }
            AceBody::Other(data) => writer.bytes(data),
        }
        let size = (writer.offset() - start).next_multiple_of(4);
        writer.zeros(start + size - writer.offset());
        writer.set_u16(start + 2, size);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (ace_type, flags) = (AceType(reader.u8()?), reader.u8()?);
        let size = reader.len16()?;
        let length = size.checked_sub(4).ok_or_else(|| Error::Invalid {
            what: "ACE",
            field: "AceSize",
            value: u64::try_from(size).unwrap_or(u64::MAX),
        })?;
        let data = reader.take(length)?;
        let mut reader = Reader::new("ACE", data);
        let body = match ace_type {
            plain if plain.is_plain() => AceBody::Plain {
                mask: AccessMask::from_bits_retain(reader.u32()?),
                sid: Sid::read(&mut reader)?,
                data: reader.rest().to_vec(),
            },
            object if object.is_object() => {
                let mask = AccessMask::from_bits_retain(reader.u32()?);
                let present = reader.u32()?;
                let mut guid = |bit: u32| (present & bit != 0).then(|| reader.guid()).transpose();
                let (object_type, inherited_object_type) = (guid(1)?, guid(2)?);
                AceBody::Object {
                    mask,
                    object_type,
                    inherited_object_type,
                    sid: Sid::read(&mut reader)?,
                    data: reader.rest().to_vec(),
                }
            }
            _ => AceBody::Other(data.to_vec()),
        };
        Ok(Self {
            ace_type,
            flags: AceFlags::from_bits_retain(flags),
            body,
        })
    }
}

/// An access control list (MS-DTYP 2.4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// AclRevision.
    pub revision: u8,
    /// The entries in their order.
    pub aces: Vec<Ace>,
}

impl Acl {
    /// A list of these entries, of the revision that they need.
    pub fn new(aces: Vec<Ace>) -> Self {
        let object = aces.iter().any(|ace| ace.ace_type.is_object());
        Self {
            revision: if object { REVISION_OBJECT } else { REVISION },
            aces,
        }
    }

    /// Appends the list. One of more than 65535 bytes is written in full with the largest size.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.write(&mut Writer::new(out));
    }

    /// Reads a list from the start of `data`.
    ///
    /// # Errors
    ///
    /// Too few bytes, an entry that goes beyond the list or ends before its own end.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("ACL", data);
        let revision = reader.u8()?;
        reader.skip(1)?;
        let size = reader.len16()?;
        let count = reader.u16()?;
        let mut inside = Reader::new("ACL", reader.range(0, size)?);
        inside.skip(8)?;
        // Not by `count`, which may announce more entries than there are bytes.
        let mut aces = Vec::new();
        for _ in 0..count {
            aces.push(Ace::read(&mut inside)?);
        }
        Ok(Self { revision, aces })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        let start = writer.offset();
        writer.u8(self.revision);
        writer.u8(0);
        writer.u16(0);
        writer.len16(self.aces.len());
        writer.u16(0);
        self.aces.iter().for_each(|ace| ace.write(writer));
        let size = writer.offset() - start;
        writer.set_u16(start + 2, size);
    }
}
