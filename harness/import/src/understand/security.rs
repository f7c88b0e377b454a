//! Security descriptors (MS-DTYP 2.4.6) as SDDL, with the trace's identities in the place of the capture's.
//!
//! Which account a security identifier belongs to is not on the wire. It shows where a client makes a file and asks for
//! its owner, so texts are written when the whole capture is known.

use super::draft::{Draft, StepIndex};
use super::request::Reason;
use super::stale::tokens;
use super::world::World;
use replay_ir::OwnedValue;
use smb_vocabulary::words;
use smb_wire::messages::{QueryInfoRequest, SetInfoRequest};
use smb_wire::security::{Ace, AceBody, AceType, SecurityControl, SecurityDescriptor, Sid, sddl};
use smb_wire::{AdditionalInformation, hex};
use std::collections::{BTreeMap, HashMap};

const DECODE: Reason = "its security descriptor does not decode";

/// A descriptor that a step sends, or expects.
#[derive(Debug)]
pub(super) struct Described {
    step: StepIndex,
    descriptor: SecurityDescriptor,
    /// The parts that are expected; `None` for a descriptor that is sent as `sd=`.
    expected: Option<AdditionalInformation>,
    /// Its list is expected if the file of this node is given with it.
    given: Option<usize>,
}

/// What is known of security identifiers.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: HashMap<Sid, String>,
    described: Vec<Described>,
    /// What files had before the first step, by their nodes.
    existing: BTreeMap<usize, SecurityDescriptor>,
}

/// The bits of AdditionalInformation that have a list or an identifier of their own.
fn parts_of(descriptor: &SecurityDescriptor) -> AdditionalInformation {
    let mut parts = AdditionalInformation::empty();
    let control = descriptor.control;
    parts.set(AdditionalInformation::OWNER, descriptor.owner.is_some());
    parts.set(AdditionalInformation::GROUP, descriptor.group.is_some());
    let dacl = control.contains(SecurityControl::DACL_PRESENT);
    let sacl = control.contains(SecurityControl::SACL_PRESENT);
    parts.set(AdditionalInformation::DACL, dacl);
    parts.set(AdditionalInformation::SACL, sacl);
    parts
}

impl World {
    /// The arguments of a query, beside its buffer's length.
    pub(super) fn query_security(draft: Draft, request: &QueryInfoRequest) -> Draft {
        let asked = request.additional_information;
        let usual = AdditionalInformation::OWNER
            | AdditionalInformation::GROUP
            | AdditionalInformation::DACL;
        if asked == usual {
            return draft;
        }
        let words = words::SECURITY.words().iter();
        let known = words
            .clone()
            .fold(AdditionalInformation::empty(), |all, (_, part)| all | *part);
        let draft = words
            .filter(|(_, part)| asked.contains(*part))
            .fold(draft, |draft, (word, _)| draft.flag(word, true));
        match known.contains(asked) && !asked.is_empty() {
            true => draft,
            // AdditionalInformation (MS-SMB2 2.2.37).
            false => {
                let bits = hex::encode(&asked.bits().to_le_bytes());
                draft.arg("wire", tokens(vec![format!("at.80=hex:{bits}")]))
            }
        }
    }

    /// The descriptor of a SET_INFO, which [`describe`](Self::describe) gives to its step.
    pub(super) fn set_security(
        &mut self,
        draft: Draft,
        request: &SetInfoRequest,
    ) -> Result<(Draft, SecurityDescriptor), Reason> {
        let descriptor = self.descriptor(&request.buffer)?;
        let parts = request.additional_information;
        let draft = draft.unless("parts", parts, parts_of(&descriptor), |parts| {
            OwnedValue::Token(words::SECURITY.write(parts))
        });
        Ok((draft, descriptor))
    }

    /// Reads a descriptor that a request sends.
    pub(super) fn descriptor(&self, buffer: &[u8]) -> Result<SecurityDescriptor, Reason> {
        let descriptor = SecurityDescriptor::decode(buffer).map_err(|_| DECODE)?;
        if parts_of(&descriptor).is_empty() {
            return Err("its security descriptor is empty");
        }
        match self.names.replaces() && has_conditions(&descriptor) {
            true => Err("its security descriptor has conditions, which may hold names"),
            false => Ok(descriptor),
        }
    }

    /// A step sends this descriptor.
    pub(super) fn describe(&mut self, step: StepIndex, descriptor: SecurityDescriptor) {
        self.accounts.described.push(Described {
            step,
            descriptor,
            expected: None,
            given: None,
        });
    }

    /// The answer of a query. What a step has set before is expected to be there; what the server made itself is its
    /// own affair.
    pub(super) fn described(&mut self, step: StepIndex, open: usize, buffer: &[u8]) {
        let Ok(descriptor) = SecurityDescriptor::decode(buffer) else {
            return self.adapt(
                "query-info",
                "its answer does not decode; only the status is expected",
            );
        };
        let index = self.opens[open].node;
        let Some(node) = self.nodes.get(index) else {
            return;
        };
        let set = node.security_set;
        let listed = parts_of(&descriptor).contains(AdditionalInformation::DACL);
        let as_it_was = node.existed && !set.contains(AdditionalInformation::DACL) && listed;
        if as_it_was {
            let existing = &mut self.accounts.existing;
            existing.entry(index).or_insert_with(|| descriptor.clone());
        }
        // What a list inherits is the affair of the directory that it is in.
        let protected = descriptor.control.contains(SecurityControl::DACL_PROTECTED);
        let given = (as_it_was && protected).then_some(index);
        let maker = node
            .made_by
            .and_then(|client| self.clients[client].user.clone());
        if let (Some(owner), Some(user)) = (&descriptor.owner, maker)
            && !set.contains(AdditionalInformation::OWNER)
            && is_of_accounts(owner)
        {
            self.accounts.users.entry(owner.clone()).or_insert(user);
        }
        let expected = set.intersection(parts_of(&descriptor));
        if !expected.is_empty() || given.is_some() {
            self.accounts.described.push(Described {
                step,
                descriptor,
                expected: Some(expected),
                given,
            });
        }
    }

    /// A step has set these parts of what is open.
    pub(super) fn secured(&mut self, open: usize, parts: AdditionalInformation) {
        if let Some(node) = self.nodes.get_mut(self.opens[open].node) {
            node.security_set |= parts;
        }
    }

    /// Writes the descriptors into their steps.
    pub(super) fn write_descriptors(&mut self) {
        let accounts = std::mem::take(&mut self.accounts);
        let user = |sid: &Sid| accounts.users.get(sid).cloned();
        for (node, descriptor) in &accounts.existing {
            if let Some(text) = given_list(descriptor, &user) {
                self.given_descriptors.insert(*node, text);
            }
        }
        for described in accounts.described {
            let replaced = replaced(&described.descriptor, &|sid| match accounts
                .users
                .contains_key(sid)
                || !self.names.replaces()
            {
                true => sid.clone(),
                false => self.names.security_identifier(sid),
            });
            let name = |sid: &Sid| accounts.users.get(sid).cloned();
            let draft = &mut self.drafts[described.step];
            let given = described.given;
            let given = given.is_some_and(|node| self.given_descriptors.contains_key(&node));
            let Some(mut parts) = described.expected else {
                let text = sddl::write(&replaced, &name);
                draft.args.push(("sd".into(), OwnedValue::Text(text)));
                continue;
            };
            parts.set(
                AdditionalInformation::DACL,
                given || parts.contains(AdditionalInformation::DACL),
            );
            if let Some(owner) = &replaced.owner
                && parts.contains(AdditionalInformation::OWNER)
            {
                draft.expect(
                    "owner",
                    OwnedValue::Token(sddl::write_principal(owner, &name)),
                );
            }
            if let Some(group) = &replaced.group
                && parts.contains(AdditionalInformation::GROUP)
            {
                draft.expect(
                    "group",
                    OwnedValue::Token(sddl::write_principal(group, &name)),
                );
            }
            if parts.contains(AdditionalInformation::DACL)
                && let Some(text) = sddl::write_list(sddl::List::Dacl, &replaced, &name)
            {
                draft.expect("dacl", OwnedValue::Text(text));
            }
        }
    }
}

/// Whether an identifier is one of an account of some domain or machine, and not one that is the same everywhere.
pub(super) fn is_of_accounts(sid: &Sid) -> bool {
    match (sid.authority(), sid.sub_authorities()) {
        (0..=3 | 15 | 16 | 18, _) => false,
        (5, parts) => parts.first() == Some(&21),
        // Users and groups of Unix as Samba has them.
        (22, parts) => parts.len() > 1,
        _ => true,
    }
}

/// The list of a file that was there, as a `given` line can have it: its principals are the trace's identities or the
/// same everywhere, and one of them lets somebody in who does not depend on a group of the capture's.
fn given_list(
    descriptor: &SecurityDescriptor,
    user: &dyn Fn(&Sid) -> Option<String>,
) -> Option<String> {
    let mut opens = false;
    for ace in &descriptor.dacl.as_ref()?.aces {
        let AceBody::Plain { sid, data, .. } = &ace.body else {
            return None;
        };
        let known = user(sid).is_some();
        if !data.is_empty() || is_of_accounts(sid) && !known {
            return None;
        }
        let everybody = matches!(
            (sid.authority(), sid.sub_authorities()),
            (1, [0]) | (5, [11])
        );
        opens |= ace.ace_type == AceType::ACCESS_ALLOWED && (known || everybody);
    }
    let list = sddl::write_list(sddl::List::Dacl, descriptor, user)?;
    opens.then(|| format!("D:{list}"))
}

/// Whether entries hold more than rights and identifiers.
fn has_conditions(descriptor: &SecurityDescriptor) -> bool {
    let has_data = |ace: &Ace| match &ace.body {
        AceBody::Plain { data, .. } | AceBody::Object { data, .. } => !data.is_empty(),
        AceBody::Other(_) => true,
    };
    let lists = [&descriptor.dacl, &descriptor.sacl];
    let mut entries = lists.into_iter().flatten().flat_map(|list| &list.aces);
    entries.any(has_data)
}

fn replaced(descriptor: &SecurityDescriptor, with: &dyn Fn(&Sid) -> Sid) -> SecurityDescriptor {
    let mut new = descriptor.clone();
    let principals = [&mut new.owner, &mut new.group];
    principals
        .into_iter()
        .flatten()
        .for_each(|sid| *sid = with(sid));
    for list in [&mut new.dacl, &mut new.sacl].into_iter().flatten() {
        for ace in &mut list.aces {
            match &mut ace.body {
                AceBody::Plain { sid, .. } | AceBody::Object { sid, .. } => *sid = with(sid),
                AceBody::Other(_) => {}
            }
        }
    }
    new
}
