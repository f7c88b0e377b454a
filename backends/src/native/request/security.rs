//! Security descriptors in requests.

use smb_vocabulary::{Create, Principals, QuerySecurity, SetSecurity, parse_descriptor};
use smb_wire::messages::{QueryInfoRequest, RequestContext, SetInfoRequest};
use smb_wire::{FileId, InfoType};

/// QUERY_INFO for parts of a security descriptor.
pub(super) fn query(query: &QuerySecurity<'_>, file_id: FileId) -> QueryInfoRequest {
    QueryInfoRequest {
        info_type: InfoType::SECURITY,
        output_buffer_length: query.buffer,
        additional_information: query.parts,
        file_id,
        ..Default::default()
    }
}

/// SET_INFO of parts of a security descriptor; the error says whose identifier is not known.
pub(super) fn set(
    set: &SetSecurity<'_>,
    file_id: FileId,
    principals: &Principals,
) -> Result<SetInfoRequest, String> {
    Ok(SetInfoRequest {
        info_type: InfoType::SECURITY,
        file_info_class: 0,
        additional_information: set.parts,
        file_id,
        buffer: set.descriptor.encode(principals)?,
    })
}

/// SD_BUFFER, if the create has a descriptor.
pub(super) fn create_context(
    create: &Create<'_>,
    principals: &Principals,
) -> Result<Option<RequestContext>, String> {
    let Some(text) = create.sd else {
        return Ok(None);
    };
    let mut buffer = Vec::new();
    parse_descriptor(text, principals)?.encode(&mut buffer);
    Ok(Some(RequestContext::SdBuffer(buffer)))
}
