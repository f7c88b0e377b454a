//! Negotiate contexts and create contexts.

use super::Pool;
use smb_wire::messages::*;
use smb_wire::*;

pub(super) fn negotiate_contexts(p: &mut Pool<'_>) -> Vec<NegotiateContext> {
    let mut contexts = vec![
        NegotiateContext::PreauthIntegrity {
            hash_algorithms: p.list(|p| HashAlgorithm(p.u16())),
            salt: p.bytes(32),
        },
        NegotiateContext::Encryption {
            ciphers: p.list(|p| Cipher(p.u16())),
        },
        NegotiateContext::Compression {
            flags: CompressionFlags::from_bits_retain(p.u32()),
            compression_algorithms: p.list(|p| CompressionAlgorithm(p.u16())),
        },
        NegotiateContext::NetName(p.name()),
        NegotiateContext::Transport(TransportFlags::from_bits_retain(p.u32())),
        NegotiateContext::RdmaTransform {
            rdma_transform_ids: p.list(|p| RdmaTransform(p.u16())),
        },
        NegotiateContext::Signing {
            signing_algorithms: p.list(|p| SigningAlgorithm(p.u16())),
        },
        NegotiateContext::Other {
            context_type: 0x100,
            data: p.bytes(20),
        },
    ];
    let keep = p.u8();
    let mut index = 0;
    contexts.retain(|_| {
        index += 1;
        keep >> (index - 1) & 1 == 0
    });
    contexts
}

pub(super) fn lease(p: &mut Pool<'_>) -> Lease {
    Lease {
        lease_key: p.guid(),
        lease_state: LeaseState::from_bits_retain(p.u32()),
        lease_flags: LeaseFlags::from_bits_retain(p.u32()),
        lease_duration: p.u64(),
    }
}

pub(super) fn lease_v2(p: &mut Pool<'_>) -> LeaseV2 {
    LeaseV2 {
        lease_key: p.guid(),
        lease_state: LeaseState::from_bits_retain(p.u32()),
        flags: LeaseFlags::from_bits_retain(p.u32()),
        lease_duration: p.u64(),
        parent_lease_key: p.guid(),
        epoch: p.u16(),
        reserved: p.u16(),
    }
}

pub(super) fn request_context(p: &mut Pool<'_>) -> RequestContext {
    match p.u8() % 16 {
        0 => RequestContext::EaBuffer(p.bytes(30)),
        1 => RequestContext::SdBuffer(p.bytes(30)),
        2 => RequestContext::DurableHandleRequest,
        3 => RequestContext::DurableHandleReconnect(p.file_id()),
        4 => RequestContext::AllocationSize(p.u64()),
        5 => RequestContext::QueryMaximalAccess(None),
        6 => RequestContext::QueryMaximalAccess(Some(p.time())),
        7 => RequestContext::TimewarpToken(p.time()),
        8 => RequestContext::QueryOnDiskId,
        9 => RequestContext::Lease(lease(p)),
        10 => RequestContext::LeaseV2(lease_v2(p)),
        11 => RequestContext::DurableHandleRequestV2(DurableHandleRequestV2 {
            timeout: p.u32(),
            flags: DurableFlags::from_bits_retain(p.u32()),
            create_guid: p.guid(),
        }),
        12 => RequestContext::DurableHandleReconnectV2(DurableHandleReconnectV2 {
            file_id: p.file_id(),
            create_guid: p.guid(),
            flags: DurableFlags::from_bits_retain(p.u32()),
        }),
        13 => RequestContext::AppInstanceId(p.guid()),
        14 => RequestContext::AppInstanceVersion(AppInstanceVersion {
            high: p.u64(),
            low: p.u64(),
        }),
        _ if p.bool() => RequestContext::Aapl(p.bytes(30)),
        // A name of its own, or one whose data has an impossible length.
        _ if p.bool() => RequestContext::Other {
            name: p.bytes(3),
            data: p.bytes(30),
        },
        _ => RequestContext::Other {
            name: b"RqLs".to_vec(),
            data: p.bytes(30),
        },
    }
}

pub(super) fn response_context(p: &mut Pool<'_>) -> ResponseContext {
    match p.u8() % 8 {
        0 => ResponseContext::DurableHandleResponse,
        1 => ResponseContext::MaximalAccess(MaximalAccess {
            query_status: p.u32(),
            maximal_access: p.access(),
        }),
        2 => ResponseContext::OnDiskId(OnDiskId {
            disk_file_id: p.u64(),
            volume_id: p.u64(),
            reserved: p.array(),
        }),
        3 => ResponseContext::Lease(lease(p)),
        4 => ResponseContext::LeaseV2(lease_v2(p)),
        5 => ResponseContext::DurableHandleResponseV2(DurableHandleResponseV2 {
            timeout: p.u32(),
            flags: DurableFlags::from_bits_retain(p.u32()),
        }),
        6 => ResponseContext::Aapl(p.bytes(30)),
        _ => ResponseContext::Other {
            name: p.bytes(3),
            data: p.bytes(30),
        },
    }
}
