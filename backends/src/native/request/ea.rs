//! Extended attributes in requests.

use smb_vocabulary::{Create, QueryEa, SetEa};
use smb_wire::fscc::{encode_full_ea, encode_get_ea};
use smb_wire::messages::{QueryInfoRequest, RequestContext, SetInfoRequest};
use smb_wire::{FileId, FileInfoClass, InfoType};

/// SL_RESTART_SCAN (MS-SMB2 2.2.37).
const RESTART_SCAN: u32 = 1;
/// SL_RETURN_SINGLE_ENTRY (MS-SMB2 2.2.37).
const RETURN_SINGLE_ENTRY: u32 = 2;

/// QUERY_INFO for extended attributes.
pub(super) fn query(query: &QueryEa<'_>, file_id: FileId) -> QueryInfoRequest {
    let mut buffer = Vec::new();
    encode_get_ea(query.names.iter().map(|name| name.as_bytes()), &mut buffer);
    let restart = if query.restart { RESTART_SCAN } else { 0 };
    let single = if query.single { RETURN_SINGLE_ENTRY } else { 0 };
    QueryInfoRequest {
        info_type: InfoType::FILE,
        file_info_class: FileInfoClass::FULL_EA.0,
        output_buffer_length: query.buffer,
        flags: restart | single,
        file_id,
        buffer,
        ..Default::default()
    }
}

/// SET_INFO of extended attributes.
pub(super) fn set(set: &SetEa<'_>, file_id: FileId) -> SetInfoRequest {
    let mut buffer = Vec::new();
    encode_full_ea(&set.attributes, &mut buffer);
    SetInfoRequest {
        info_type: InfoType::FILE,
        file_info_class: FileInfoClass::FULL_EA.0,
        file_id,
        buffer,
        ..Default::default()
    }
}

/// EA_BUFFER, if the create has attributes.
pub(super) fn create_context(create: &Create<'_>) -> Option<RequestContext> {
    if create.ea.is_empty() {
        return None;
    }
    let mut buffer = Vec::new();
    encode_full_ea(&create.ea, &mut buffer);
    Some(RequestContext::EaBuffer(buffer))
}
