//! CREATE: the arguments of its step, and the open that it makes.

use super::draft::{Draft, StepIndex};
use super::initial::Seen;
use super::lanes::{Key, Touch};
use super::names::WirePath;
use super::paths::{altered, base, canonical, listings, parents};
use super::reconnect::{durable, wanted};
use super::request::Reason;
use super::stale::{NO_TREE, NOT_CONNECTED, tokens};
use super::state::{Chain, InFlight, Open, Pipe, Tree};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::OwnedValue;
use smb_vocabulary::{time, words};
use smb_wire::messages::{CreateRequest, RequestContext};
use smb_wire::{
    AccessMask, CreateDisposition, CreateOptions, DurableFlags, FileAttributes, Guid,
    ImpersonationLevel, LeaseFlags, OplockLevel,
};

impl World {
    pub(super) fn create(
        &mut self,
        id: ConnectionId,
        sent: u64,
        request: &CreateRequest,
        dfs: bool,
        flight: &mut InFlight,
        chain: &mut Chain,
    ) -> Result<(), Reason> {
        let (tree, known) = match self.tree(id, flight.session_id, flight.tree_id) {
            Err(NOT_CONNECTED) => (
                Tree {
                    disk: true,
                    ..Tree::default()
                },
                false,
            ),
            tree => (tree?, true),
        };
        let client = self.client_of(id, flight.session_id)?;
        let session = self
            .session_of(id, flight.session_id)
            .ok_or(NOT_CONNECTED)?;
        if tree.disk {
            self.works_on_files(client);
        }
        // Another one has taken the place of a tree without a name that was disconnected.
        let default = self.sessions[session].default_tree;
        let connected =
            known && (tree.name.is_some() || tree.connected || default == Some(flight.tree_id));
        let path = match tree.disk {
            true => self.path_of(&request.name, dfs, &tree.prefix)?,
            false => {
                let name = request.name.to_utf8().ok_or("a name that is not UTF-16")?;
                WirePath::Raw(self.pipe_name(&name)?)
            }
        };
        let name = format!("h{}", self.opens.len() + 1);
        let mut draft = Draft::new(0, "create").arg("handle", name.clone());
        draft = match &path {
            WirePath::Below(path) => draft.arg("path", self.names.path(path)),
            WirePath::Raw(path) if !tree.disk => {
                draft.arg("path", path.clone()).flag("raw-path", true)
            }
            WirePath::Raw(path) => {
                let draft = draft.arg("path", self.names.raw_path(path));
                draft.flag("raw-path", true)
            }
        };
        draft = draft
            .arg("access", access(request.desired_access))
            .unless("share", request.share_access, words::SHARE_ALL, |share| {
                words::SHARE.write(share).into()
            })
            .unless(
                "disposition",
                request.create_disposition,
                CreateDisposition::OPEN,
                |value| words::DISPOSITION.write(value).into(),
            )
            .unless(
                "options",
                request.create_options,
                CreateOptions::empty(),
                |value| words::OPTIONS.write(value).into(),
            )
            .unless(
                "attributes",
                request.file_attributes,
                FileAttributes::empty(),
                |value| words::ATTRIBUTES.write(value).into(),
            )
            .unless(
                "impersonation",
                request.impersonation_level,
                ImpersonationLevel::IMPERSONATION,
                |value| words::IMPERSONATION.write(value).into(),
            );
        if tree.name.is_some() {
            draft = self.on_tree(id, draft, flight)?;
        }
        let (mut lease, mut descriptor) = (None, None);
        for context in &request.create_contexts {
            match context {
                RequestContext::SdBuffer(buffer) => descriptor = Some(self.descriptor(buffer)?),
                context => draft = self.context(draft, context, &mut lease)?,
            }
        }
        let level = request.requested_oplock_level;
        match (level, lease) {
            (OplockLevel::LEASE, Some(_)) | (OplockLevel::NONE, None) => {}
            (OplockLevel::LEASE, None) => return Err("it asks for a lease without the context"),
            (level, _) => draft = draft.arg("oplock", words::OPLOCK.write(level)),
        }
        let durable = durable(request, &draft);
        let mut reconnects = None;
        if let Some((file_id, guid, version)) = wanted(request)? {
            let old = self.durable_open(file_id)?;
            draft = self.reconnect(draft, old, (guid, version), request, &path)?;
            reconnects = Some(old);
        }
        if !connected {
            draft = draft.arg("wire", tokens(vec![NO_TREE.to_owned()]));
        }
        let path = match (reconnects, path) {
            (Some(old), _) => self.opens[old].path.clone(),
            (None, WirePath::Below(path) | WirePath::Raw(path)) => path,
        };
        let touches = match tree.disk {
            true => touches(&path, request),
            false => Vec::new(),
        };
        let Draft {
            args, verb, target, ..
        } = draft;
        let with = |draft: Draft| Draft {
            args,
            target,
            ..draft
        };
        let step = self.put(client, chain, sent, verb, with, &touches);
        if let Some(descriptor) = descriptor {
            self.describe(step, descriptor);
        }
        self.same_guid(step, request);
        self.opens.push(Open {
            tree: flight.tree_id,
            prefix: tree.prefix,
            pipe: (!tree.disk).then(Pipe::default),
            delete_on_close: request
                .create_options
                .contains(CreateOptions::DELETE_ON_CLOSE),
            lease,
            durable,
            reconnects,
            ..Open::new(name, session, client, path, step)
        });
        let open = self.opens.len() - 1;
        flight.step = Some(step);
        flight.open = Some(open);
        chain.open = Some(Some(open));
        Ok(())
    }

    /// A CreateGuid that comes again has a name.
    fn same_guid(&mut self, step: StepIndex, request: &CreateRequest) {
        let mut contexts = request.create_contexts.iter();
        let guid = contexts.find_map(|context| match context {
            RequestContext::DurableHandleRequestV2(request) => Some(request.create_guid),
            _ => None,
        });
        let Some(guid) = guid.filter(|_| self.drafts[step].verb == "create") else {
            return;
        };
        let Some(&first) = self.create_guids.get(&guid) else {
            self.create_guids.insert(guid, step);
            return;
        };
        let name = OwnedValue::Token(self.lease_name(guid));
        for step in [first, step] {
            let draft = &mut self.drafts[step];
            if !draft.has("create-guid") {
                draft.args.push(("create-guid".into(), name.clone()));
            }
        }
    }

    fn context(
        &mut self,
        draft: Draft,
        context: &RequestContext,
        lease: &mut Option<Guid>,
    ) -> Result<Draft, Reason> {
        Ok(match context {
            RequestContext::DurableHandleRequest => draft.arg("durable", "v1"),
            RequestContext::DurableHandleRequestV2(request) => {
                let persistent = request.flags.contains(DurableFlags::PERSISTENT);
                draft
                    .arg("durable", if persistent { "persistent" } else { "v2" })
                    .unless("durable-timeout", request.timeout, 0, |milliseconds| {
                        OwnedValue::Duration(u64::from(milliseconds) * 1_000_000)
                    })
            }
            // What they say is the step's verb.
            RequestContext::DurableHandleReconnect(_)
            | RequestContext::DurableHandleReconnectV2(_)
            | RequestContext::SdBuffer(_) => draft,
            RequestContext::AllocationSize(size) => draft.arg("allocation", *size),
            RequestContext::QueryMaximalAccess(_) => draft.flag("query-maximal-access", true),
            RequestContext::TimewarpToken(at) => draft.arg("timewarp", time::write(*at)),
            RequestContext::QueryOnDiskId => draft.flag("query-on-disk-id", true),
            RequestContext::Lease(request) => {
                *lease = Some(request.lease_key);
                draft
                    .arg("lease-key", self.lease_name(request.lease_key))
                    .arg("lease-state", words::LEASE.write(request.lease_state))
                    .arg("lease-version", "v1")
            }
            RequestContext::LeaseV2(request) => {
                *lease = Some(request.lease_key);
                let draft = draft
                    .arg("lease-key", self.lease_name(request.lease_key))
                    .arg("lease-state", words::LEASE.write(request.lease_state))
                    .arg("lease-version", "v2")
                    .unless("lease-epoch", u64::from(request.epoch), 0, Into::into);
                match request.flags.contains(LeaseFlags::PARENT_LEASE_KEY_SET) {
                    true => draft.arg("lease-parent", self.lease_name(request.parent_lease_key)),
                    false => draft,
                }
            }
            RequestContext::EaBuffer(buffer) => draft.arg("ea", self.attributes(buffer)?),
            RequestContext::AppInstanceId(instance) => {
                draft.arg("app-instance", self.lease_name(*instance))
            }
            RequestContext::AppInstanceVersion(version) => {
                let text = format!("{}.{}", version.high, version.low);
                draft.arg("app-instance-version", OwnedValue::Token(text))
            }
            RequestContext::Aapl(_) => {
                self.adapt("create", "the extension of macOS was left out");
                draft
            }
            RequestContext::Other { .. } => {
                self.adapt("create", "an unknown create context was left out");
                draft
            }
        })
    }

    /// What a lease key is called.
    pub(super) fn lease_name(&mut self, key: Guid) -> String {
        let next = self.lease_names.len() + 1;
        let number = *self.lease_names.entry(key).or_insert(next);
        format!("k{number}")
    }

    /// Notes what an operation shows of a path; a stream shows its file.
    pub(super) fn observe(&mut self, path: &str, seen: Seen) {
        // What NTFS keeps there is no file that could be made.
        let root = path.split('/').next().unwrap_or("");
        if root.eq_ignore_ascii_case("$Extend") {
            return;
        }
        let file = base(path);
        let stream = canonical(path);
        if file.len() < path.len() {
            let of_file = match seen {
                Seen::Present { .. } if stream.len() > file.len() => Seen::PRESENT,
                seen => seen,
            };
            self.initial.observe(file, of_file);
        }
        if stream.len() > file.len() || file.len() == path.len() {
            self.initial.observe(&stream, seen);
        }
    }
}

/// What an open touches: the file, the directories above, and their listings if it may make or delete something.
fn touches(path: &str, request: &CreateRequest) -> Vec<(Key, Touch)> {
    let file = base(path);
    let mut all: Vec<(Key, Touch)> = parents(path)
        .map(|parent| (Key::path(parent), Touch::Look))
        .collect();
    let only_looks = request.requested_oplock_level == OplockLevel::NONE
        && request.create_disposition == CreateDisposition::OPEN
        && file.is_empty();
    all.push((
        Key::path(file),
        if only_looks {
            Touch::Look
        } else {
            Touch::Change
        },
    ));
    let may_change = request.create_disposition != CreateDisposition::OPEN
        || request
            .create_options
            .contains(CreateOptions::DELETE_ON_CLOSE);
    if may_change {
        all.extend(listings(path, Touch::Change));
        all.extend(altered(path));
    }
    all
}

/// The shortest way to write an access mask.
fn access(mask: AccessMask) -> String {
    let by_letters = ["r", "w", "d", "rw", "rd", "wd", "rwd"];
    let letters = by_letters
        .into_iter()
        .find(|letters| words::ACCESS.parse(letters) == Ok(mask));
    match letters {
        Some(letters) => letters.to_owned(),
        None => words::ACCESS.write(mask),
    }
}
