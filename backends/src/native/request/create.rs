//! CREATE (MS-SMB2 2.2.13) with the create contexts that a step asks for.

use smb_vocabulary::{Create, LeaseRequest, paths};
use smb_wire::messages::{CreateRequest, Lease, LeaseV2, RequestContext};
use smb_wire::{Dialect, LeaseFlags};

use super::{Scope, durable, ea, security};

/// The request, without what reconnects.
pub(super) fn request(create: &Create<'_>, scope: &Scope<'_>) -> Result<CreateRequest, String> {
    let name = match create.raw_path {
        true => create.path.to_owned(),
        false => paths::to_wire(scope.root, create.path).map_err(|error| error.to_string())?,
    };
    Ok(CreateRequest {
        requested_oplock_level: create.oplock,
        impersonation_level: create.impersonation,
        desired_access: create.access,
        file_attributes: create.attributes,
        share_access: create.share,
        create_disposition: create.disposition,
        create_options: create.options,
        name: name.into(),
        create_contexts: contexts(create, scope)?,
        ..Default::default()
    })
}

fn contexts(create: &Create<'_>, scope: &Scope<'_>) -> Result<Vec<RequestContext>, String> {
    let contexts = [
        ea::create_context(create),
        security::create_context(create, scope.principals)?,
        create
            .durable
            .map(|wanted| durable::context(wanted, create.create_guid)),
        create
            .query_maximal_access
            .then_some(RequestContext::QueryMaximalAccess(None)),
        create.allocation.map(RequestContext::AllocationSize),
        create.timewarp.map(RequestContext::TimewarpToken),
        create
            .query_on_disk_id
            .then_some(RequestContext::QueryOnDiskId),
        create.lease.map(|request| lease(&request, scope.dialect)),
        create.app_instance.map(RequestContext::AppInstanceId),
        create
            .app_instance_version
            .map(RequestContext::AppInstanceVersion),
    ];
    Ok(contexts.into_iter().flatten().collect())
}

fn lease(request: &LeaseRequest, dialect: Dialect) -> RequestContext {
    if !request.v2.unwrap_or(dialect >= Dialect::SMB_3_0) {
        return RequestContext::Lease(Lease {
            lease_key: request.key,
            lease_state: request.state,
            ..Default::default()
        });
    }
    let flags = request
        .parent
        .map_or(LeaseFlags::empty(), |_| LeaseFlags::PARENT_LEASE_KEY_SET);
    RequestContext::LeaseV2(LeaseV2 {
        lease_key: request.key,
        lease_state: request.state,
        flags,
        parent_lease_key: request.parent.unwrap_or_default(),
        epoch: request.epoch,
        ..Default::default()
    })
}
