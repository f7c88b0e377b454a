//! From descriptors, lists and principals to text.

use super::{DOMAIN, List, NULL, Name};
use crate::security::acl::{Ace, AceBody, AceFlags, AceType};
use crate::security::descriptor::SecurityDescriptor;
use crate::security::rights::{DOMAIN_PRINCIPALS, FLAGS, LABEL_RIGHTS, PRINCIPALS, RIGHTS};
use crate::security::sid::Sid;
use crate::{Guid, hex};

/// Writes all that there is: `O:…G:…D:…S:…`.
pub fn write(descriptor: &SecurityDescriptor, name: Name<'_>) -> String {
    let mut out = String::new();
    for (letter, sid) in [('O', &descriptor.owner), ('G', &descriptor.group)] {
        if let Some(sid) = sid {
            out.extend([letter, ':']);
            out.push_str(&write_principal(sid, name));
        }
    }
    for (letter, list) in [('D', List::Dacl), ('S', List::Sacl)] {
        if let Some(text) = write_list(list, descriptor, name) {
            out.extend([letter, ':']);
            out.push_str(&text);
        }
    }
    out
}

/// What stands behind `D:` or `S:`; `None` when the descriptor has no such list.
pub fn write_list(list: List, descriptor: &SecurityDescriptor, name: Name<'_>) -> Option<String> {
    let acl = match list {
        List::Dacl => &descriptor.dacl,
        List::Sacl => &descriptor.sacl,
    };
    if acl.is_none() && !descriptor.control.contains(list.present()) {
        return None;
    }
    let mut out = String::new();
    for (word, control) in list.control() {
        if descriptor.control.contains(control) {
            out.push_str(word);
        }
    }
    match acl {
        None => out.push_str(NULL),
        Some(acl) => acl
            .aces
            .iter()
            .for_each(|ace| write_ace(ace, name, &mut out)),
    }
    Some(out)
}

fn write_ace(ace: &Ace, name: Name<'_>, out: &mut String) {
    let kind = ace
        .ace_type
        .word()
        .map_or_else(|| format!("{:#x}", ace.ace_type.0), str::to_owned);
    let guid = |guid: &Option<Guid>| guid.map(|guid| guid.to_string()).unwrap_or_default();
    let is_label = ace.ace_type == AceType::SYSTEM_MANDATORY_LABEL;
    let (rights, object, inherited, principal, data) = match &ace.body {
        AceBody::Plain { mask, sid, data } => (
            write_rights(mask.bits(), is_label),
            String::new(),
            String::new(),
            write_principal(sid, name),
            data,
        ),
        AceBody::Object {
            mask,
            object_type,
            inherited_object_type,
            sid,
            data,
        } => (
            write_rights(mask.bits(), false),
            guid(object_type),
            guid(inherited_object_type),
            write_principal(sid, name),
            data,
        ),
        AceBody::Other(data) => (
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            data,
        ),
    };
    out.push_str(&format!(
        "({kind};{};{rights};{object};{inherited};{principal}",
        write_flags(ace.flags)
    ));
    if !data.is_empty() {
        out.push_str(";hex:");
        out.push_str(&hex::encode(data));
    }
    out.push(')');
}

fn write_flags(flags: AceFlags) -> String {
    let known = FLAGS
        .iter()
        .fold(AceFlags::empty(), |all, (_, flag)| all | *flag);
    if !known.contains(flags) {
        return format!("{:#x}", flags.bits());
    }
    let set = FLAGS.iter().filter(|(_, flag)| flags.contains(*flag));
    set.map(|(word, _)| *word).collect()
}

fn write_rights(mask: u32, label: bool) -> String {
    let words = if label { LABEL_RIGHTS } else { RIGHTS };
    let named = words.iter().find(|(_, bits)| *bits == mask);
    named.map_or_else(|| format!("{mask:#x}"), |(word, _)| (*word).to_owned())
}

/// Writes one principal: by the caller's name, by its well-known one, or as `S-1-…`.
pub fn write_principal(sid: &Sid, name: Name<'_>) -> String {
    let named = name(sid);
    let relative = named.as_deref().and_then(|name| name.strip_prefix(DOMAIN));
    let of_domain = relative.and_then(|rid| rid.parse::<u32>().ok());
    let mut words = DOMAIN_PRINCIPALS.iter();
    match (named, of_domain) {
        (Some(_), Some(rid)) => {
            if let Some((word, _)) = words.find(|(_, known)| *known == rid) {
                return (*word).to_owned();
            }
        }
        (Some(name), None) => return format!("${name}"),
        (None, _) => {}
    }
    let known = PRINCIPALS.iter().find(|(_, authority, sub_authorities)| {
        *authority == sid.authority() && *sub_authorities == sid.sub_authorities()
    });
    known.map_or_else(|| sid.to_string(), |(word, ..)| (*word).to_owned())
}
