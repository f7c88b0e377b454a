//! Durable opens (MS-SMB2 3.2.4.4): what asks for one, and the request that wants one back.

use smb_vocabulary::{Durable, Reconnect, ReconnectVersion};
use smb_wire::messages::{
    CreateRequest, DurableHandleReconnectV2, DurableHandleRequestV2, RequestContext,
};
use smb_wire::{DurableFlags, Guid};

use super::{Scope, create};
use crate::native::random;

/// The create context that asks for a durable open, under a CreateGuid of its own if the step names none.
pub(super) fn context(durable: Durable, create_guid: Option<Guid>) -> RequestContext {
    match durable {
        Durable::V1 => RequestContext::DurableHandleRequest,
        Durable::V2 {
            timeout,
            persistent,
        } => RequestContext::DurableHandleRequestV2(DurableHandleRequestV2 {
            timeout,
            flags: if persistent {
                DurableFlags::PERSISTENT
            } else {
                DurableFlags::empty()
            },
            create_guid: create_guid.unwrap_or_else(|| Guid(random())),
        }),
    }
}

/// The CREATE of a `reconnect`; the error says what is missing.
pub(super) fn reconnect(
    reconnect: &Reconnect<'_>,
    scope: &Scope<'_>,
) -> Result<CreateRequest, String> {
    let open = scope.registry.open(reconnect.of);
    let found = open.and_then(|open| Some((open.file_id?, open.create_guid)));
    let (file_id, create_guid) =
        found.ok_or("the step of `of=` has opened nothing that could be reconnected")?;
    let mut request = create::request(&reconnect.create, scope)?;
    let context = match reconnect.version {
        ReconnectVersion::V1 => RequestContext::DurableHandleReconnect(file_id),
        ReconnectVersion::V2 { persistent } => {
            let mut flags = DurableFlags::empty();
            flags.set(DurableFlags::PERSISTENT, persistent);
            RequestContext::DurableHandleReconnectV2(DurableHandleReconnectV2 {
                file_id,
                create_guid: reconnect.create_guid.unwrap_or(create_guid),
                flags,
            })
        }
    };
    request.create_contexts.insert(0, context);
    Ok(request)
}

/// CreateGuid of a request that opens, or opens again; zeros where it has none.
pub(in crate::native) fn create_guid(request: &CreateRequest) -> Guid {
    let guid = request
        .create_contexts
        .iter()
        .find_map(|context| match context {
            RequestContext::DurableHandleRequestV2(request) => Some(request.create_guid),
            RequestContext::DurableHandleReconnectV2(reconnect) => Some(reconnect.create_guid),
            _ => None,
        });
    guid.unwrap_or_default()
}
