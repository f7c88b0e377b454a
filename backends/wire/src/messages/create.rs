//! CREATE (MS-SMB2 2.2.13, 2.2.14). Its contexts are in a module of their own.

use super::create_context::{self, RequestContext, ResponseContext};
use crate::codec::{Reader, Writer};
use crate::{
    AccessMask, CreateAction, CreateDisposition, CreateOptions, CreateResponseFlags, Error,
    FileAttributes, FileId, Filetime, ImpersonationLevel, OplockLevel, ShareAccess, UnicodeString,
};

/// CREATE request (MS-SMB2 2.2.13).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateRequest {
    /// SecurityFlags, reserved.
    pub security_flags: u8,
    /// RequestedOplockLevel.
    pub requested_oplock_level: OplockLevel,
    /// ImpersonationLevel.
    pub impersonation_level: ImpersonationLevel,
    /// SmbCreateFlags, reserved.
    pub smb_create_flags: u64,
    /// Reserved.
    pub reserved: u64,
    /// DesiredAccess.
    pub desired_access: AccessMask,
    /// FileAttributes for a file that is created.
    pub file_attributes: FileAttributes,
    /// ShareAccess.
    pub share_access: ShareAccess,
    /// CreateDisposition.
    pub create_disposition: CreateDisposition,
    /// CreateOptions.
    pub create_options: CreateOptions,
    /// The path from the root of the share with `\` between its parts; empty for the root itself.
    pub name: UnicodeString,
    /// The create contexts in their order.
    pub create_contexts: Vec<RequestContext>,
}

impl CreateRequest {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 57);
        writer.u8(self.security_flags);
        writer.u8(self.requested_oplock_level.0);
        writer.u32(self.impersonation_level.0);
        writer.u64(self.smb_create_flags);
        writer.u64(self.reserved);
        writer.u32(self.desired_access.bits());
        writer.u32(self.file_attributes.bits());
        writer.u32(self.share_access.bits());
        writer.u32(self.create_disposition.0);
        writer.u32(self.create_options.bits());
        writer.len16(writer.offset() + 12);
        writer.len16(self.name.len());
        let contexts = writer.offset();
        writer.u64(0);
        writer.bytes(self.name.as_bytes());
        if self.create_contexts.is_empty() {
            if self.name.is_empty() {
                // The buffer has at least one byte.
                writer.u8(0);
            }
            return;
        }
        writer.align(8);
        let start = writer.offset();
        create_context::encode_list(&self.create_contexts, &mut writer);
        let length = writer.offset() - start;
        writer.set_u32(contexts, start);
        writer.set_u32(contexts + 4, length);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, a name or contexts outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("CREATE request", message, 57)?;
        let security_flags = reader.u8()?;
        let requested_oplock_level = OplockLevel(reader.u8()?);
        let impersonation_level = ImpersonationLevel(reader.u32()?);
        let smb_create_flags = reader.u64()?;
        let reserved = reader.u64()?;
        let desired_access = AccessMask::from_bits_retain(reader.u32()?);
        let file_attributes = FileAttributes::from_bits_retain(reader.u32()?);
        let share_access = ShareAccess::from_bits_retain(reader.u32()?);
        let create_disposition = CreateDisposition(reader.u32()?);
        let create_options = CreateOptions::from_bits_retain(reader.u32()?);
        let (name_offset, name_length) = (reader.len16()?, reader.len16()?);
        let (contexts_offset, contexts_length) = (reader.len32()?, reader.len32()?);
        let contexts = reader.range(contexts_offset, contexts_length)?;
        Ok(Self {
            security_flags,
            requested_oplock_level,
            impersonation_level,
            smb_create_flags,
            reserved,
            desired_access,
            file_attributes,
            share_access,
            create_disposition,
            create_options,
            name: UnicodeString::from_bytes(reader.range(name_offset, name_length)?),
            create_contexts: create_context::decode_list(contexts)?,
        })
    }
}

/// CREATE response (MS-SMB2 2.2.14).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateResponse {
    /// OplockLevel that was granted.
    pub oplock_level: OplockLevel,
    /// Flags.
    pub flags: CreateResponseFlags,
    /// CreateAction.
    pub create_action: CreateAction,
    /// CreationTime.
    pub creation_time: Filetime,
    /// LastAccessTime.
    pub last_access_time: Filetime,
    /// LastWriteTime.
    pub last_write_time: Filetime,
    /// ChangeTime.
    pub change_time: Filetime,
    /// AllocationSize in bytes.
    pub allocation_size: u64,
    /// EndofFile in bytes.
    pub end_of_file: u64,
    /// FileAttributes.
    pub file_attributes: FileAttributes,
    /// FileId of the open.
    pub file_id: FileId,
    /// The create contexts in their order.
    pub create_contexts: Vec<ResponseContext>,
}

impl CreateResponse {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::body(out, 89);
        writer.u8(self.oplock_level.0);
        writer.u8(self.flags.bits());
        writer.u32(self.create_action.0);
        writer.filetime(self.creation_time);
        writer.filetime(self.last_access_time);
        writer.filetime(self.last_write_time);
        writer.filetime(self.change_time);
        writer.u64(self.allocation_size);
        writer.u64(self.end_of_file);
        writer.u32(self.file_attributes.bits());
        writer.u32(0);
        writer.file_id(self.file_id);
        let contexts = writer.offset();
        writer.u64(0);
        if self.create_contexts.is_empty() {
            return;
        }
        let start = writer.offset();
        create_context::encode_list(&self.create_contexts, &mut writer);
        let length = writer.offset() - start;
        writer.set_u32(contexts, start);
        writer.set_u32(contexts + 4, length);
    }

    /// Reads the body of a whole message.
    ///
    /// # Errors
    ///
    /// Too few bytes, another StructureSize, contexts outside the message.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::body("CREATE response", message, 89)?;
        let oplock_level = OplockLevel(reader.u8()?);
        let flags = CreateResponseFlags::from_bits_retain(reader.u8()?);
        let create_action = CreateAction(reader.u32()?);
        let (creation_time, last_access_time) = (reader.filetime()?, reader.filetime()?);
        let (last_write_time, change_time) = (reader.filetime()?, reader.filetime()?);
        let (allocation_size, end_of_file) = (reader.u64()?, reader.u64()?);
        let file_attributes = FileAttributes::from_bits_retain(reader.u32()?);
        reader.skip(4)?;
        let file_id = reader.file_id()?;
        let (offset, length) = (reader.len32()?, reader.len32()?);
        Ok(Self {
            oplock_level,
            flags,
            create_action,
            creation_time,
            last_access_time,
            last_write_time,
            change_time,
            allocation_size,
            end_of_file,
            file_attributes,
            file_id,
            create_contexts: create_context::decode_list(reader.range(offset, length)?)?,
        })
    }
}
