//! Quotas in requests.

use smb_vocabulary::{QueryQuota, SetQuota};
use smb_wire::messages::{QueryInfoRequest, SetInfoRequest};
use smb_wire::{FileId, InfoType};

/// QUERY_INFO of the quotas of all users: SMB2_QUERY_QUOTA_INFO without a list of SIDs (MS-SMB2 2.2.37.1).
pub(super) fn query(query: &QueryQuota<'_>, file_id: FileId) -> QueryInfoRequest {
    let mut buffer = vec![u8::from(query.single), u8::from(query.restart)];
    buffer.resize(16, 0);
    QueryInfoRequest {
        info_type: InfoType::QUOTA,
        output_buffer_length: query.buffer,
        file_id,
        buffer,
        ..Default::default()
    }
}

/// SET_INFO of quotas (MS-SMB2 2.2.39).
pub(super) fn set(set: &SetQuota<'_>, file_id: FileId) -> SetInfoRequest {
    SetInfoRequest {
        info_type: InfoType::QUOTA,
        file_id,
        buffer: set.entries.to_vec(),
        ..Default::default()
    }
}
