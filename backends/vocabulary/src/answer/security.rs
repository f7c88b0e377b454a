//! Answers about security descriptors.

use super::Fields;
use crate::security::Principals;
use replay_ir::Answer;
use smb_wire::messages::ErrorResponse;
use smb_wire::security::{SecurityDescriptor, sddl};
use smb_wire::{Error, ntstatus};

/// The answer of a QUERY_INFO about security that succeeded.
///
/// # Errors
/// A buffer that is no security descriptor.
pub fn query_security(buffer: &[u8], principals: &Principals) -> Result<Answer, Error> {
    let descriptor = SecurityDescriptor::decode(buffer)?;
    let name = |sid: &_| principals.name(sid);
    let mut fields = Fields::default();
    for (field, sid) in [("owner", &descriptor.owner), ("group", &descriptor.group)] {
        if let Some(sid) = sid {
            fields = fields.token(field, sddl::write_principal(sid, &name));
        }
    }
    for (field, list) in [("dacl", sddl::List::Dacl), ("sacl", sddl::List::Sacl)] {
        if let Some(text) = sddl::write_list(list, &descriptor, &name) {
            fields = fields.text(field, text);
        }
    }
    Ok(fields
        .hex("control", descriptor.control.bits())
        .int("len", buffer.len() as u64)
        .ok())
}

/// The answer of a query that was refused: with the length that is needed, where the server says it (MS-SMB2 2.2.2).
pub fn refused_query(status: u32, error: &ErrorResponse) -> Answer {
    let contexts = error
        .error_contexts
        .first()
        .map(|context| &context.error_context_data);
    let data = contexts.unwrap_or(&error.error_data);
    let required = <[u8; 4]>::try_from(data.as_slice()).map(u32::from_le_bytes);
    match (status, required) {
        (ntstatus::BUFFER_TOO_SMALL, Ok(required)) => Fields::default()
            .int("required", required.into())
            .with_status(status),
        _ => super::status(status),
    }
}
