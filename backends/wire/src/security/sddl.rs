//! Security descriptors as text: SDDL (MS-DTYP 2.5.1), with names of the caller beside the well-known principals.
//!
//! Two things go beyond the specification. A principal may be written `$name`; what that stands for the caller says.
//! What SDDL has no form for is hexadecimal: the type of an unknown entry, and the data behind an entry's principal
//! (a condition, a resource attribute) as `;hex:…`.
//!
//! Writing gives one canonical text: rights that have a name of their own by it, others in hexadecimal.

use super::acl::{Ace, AceBody, AceFlags, AceType, Acl};
use super::descriptor::{SecurityControl, SecurityDescriptor};
use super::rights::{DOMAIN_PRINCIPALS, FLAGS, LABEL_RIGHTS, PRINCIPALS, RIGHTS};
use super::sid::Sid;
use crate::{AccessMask, Guid};

/// What stands for a list that is NULL (MS-DTYP 2.5.1.1).
const NULL: &str = "NO_ACCESS_CONTROL";

/// Why a text is no SDDL; a fragment of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSddl(String);

fn bad<T>(text: impl Into<String>) -> Result<T, BadSddl> {
    Err(BadSddl(text.into()))
}

/// Says which principal a name is, without its `$`. One of a domain, such as `DA`, is asked for as [`DOMAIN`] and its
/// relative identifier: `@512`.
pub type Resolve<'a> = &'a mut dyn FnMut(&str) -> Option<Sid>;

/// Says which name a principal has, without `$`; one of a domain as [`Resolve`] has it.
pub type Name<'a> = &'a dyn Fn(&Sid) -> Option<String>;

/// What stands before the relative identifier of a domain's principal. No identity's name begins with it.
pub const DOMAIN: char = '@';

/// Which of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The discretionary one, behind `D:`.
    Dacl,
    /// The system's, behind `S:`.
    Sacl,
}

impl List {
    /// Protected, auto-inherit required, auto-inherited, present.
    fn control(self) -> [(&'static str, SecurityControl); 3] {
        match self {
            Self::Dacl => [
                ("P", SecurityControl::DACL_PROTECTED),
                ("AR", SecurityControl::DACL_AUTO_INHERIT_REQ),
                ("AI", SecurityControl::DACL_AUTO_INHERITED),
            ],
            Self::Sacl => [
                ("P", SecurityControl::SACL_PROTECTED),
                ("AR", SecurityControl::SACL_AUTO_INHERIT_REQ),
                ("AI", SecurityControl::SACL_AUTO_INHERITED),
            ],
        }
    }

    fn present(self) -> SecurityControl {
        match self {
            Self::Dacl => SecurityControl::DACL_PRESENT,
            Self::Sacl => SecurityControl::SACL_PRESENT,
        }
    }
}

/// Reads `O:…G:…D:…S:…`, any of the parts in any order.
///
/// # Errors
///
/// What is no such text, a part that is there twice, a principal that is not known.
pub fn parse(text: &str, resolve: Resolve<'_>) -> Result<SecurityDescriptor, BadSddl> {
    let mut descriptor = SecurityDescriptor::default();
    let mut seen = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut letters = rest.chars();
        let (Some(letter), Some(':')) = (letters.next(), letters.next()) else {
            return bad(format!("`{rest}` begins with none of `O:` `G:` `D:` `S:`"));
        };
        if seen.contains(letter) {
            return bad(format!("`{letter}:` is there twice"));
        }
        seen.push(letter);
        let body = letters.as_str();
        // A part ends before the letter of the next one; within a list a colon stands in `hex:` only.
        let end = part_end(body);
        let (part, after) = body.split_at(end);
        match letter {
            'O' => descriptor.owner = Some(parse_principal(part, resolve)?),
            'G' => descriptor.group = Some(parse_principal(part, resolve)?),
            'D' => parse_list(List::Dacl, part, &mut descriptor, resolve)?,
            'S' => parse_list(List::Sacl, part, &mut descriptor, resolve)?,
            _ => return bad(format!("`{letter}:` is none of `O:` `G:` `D:` `S:`")),
        }
        rest = after;
    }
    Ok(descriptor)
}

fn part_end(body: &str) -> usize {
    let mut depth = 0_usize;
    let mut before = None;
    for (at, letter) in body.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return before.unwrap_or(at),
            _ => {}
        }
        before = Some(at);
    }
    body.len()
}

/// Reads what stands behind `D:` or `S:` into `descriptor`.
///
/// # Errors
///
/// What is no such text, a principal that is not known.
pub fn parse_list(
    list: List,
    text: &str,
    descriptor: &mut SecurityDescriptor,
    resolve: Resolve<'_>,
) -> Result<(), BadSddl> {
    let (mut flags, aces) = text.split_at(text.find('(').unwrap_or(text.len()));
    descriptor.control |= list.present();
    let mut null = false;
    'flags: while !flags.is_empty() {
        if let Some(rest) = flags.strip_prefix(NULL) {
            (null, flags) = (true, rest);
            continue;
        }
        for (word, control) in list.control() {
            if let Some(rest) = flags.strip_prefix(word) {
                descriptor.control |= control;
                flags = rest;
                continue 'flags;
            }
        }
        return bad(format!(
            "`{flags}` is no flag of a list; there are `P`, `AR`, `AI` and `{NULL}`"
        ));
    }
    if null && !aces.is_empty() {
        return bad(format!("a list that is {NULL} has no entries"));
    }
    let acl = match null {
        true => None,
        false => Some(Acl::new(parse_aces(aces, resolve)?)),
    };
    match list {
        List::Dacl => descriptor.dacl = acl,
        List::Sacl => descriptor.sacl = acl,
    }
    Ok(())
}

fn parse_aces(text: &str, resolve: Resolve<'_>) -> Result<Vec<Ace>, BadSddl> {
    let mut aces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let inside = rest
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(')'));
        let Some((ace, after)) = inside else {
            return bad(format!("`{rest}` is no entry in parentheses"));
        };
        aces.push(parse_ace(ace, resolve)?);
        rest = after;
    }
    Ok(aces)
}

fn parse_ace(text: &str, resolve: Resolve<'_>) -> Result<Ace, BadSddl> {
    let parts: Vec<&str> = text.split(';').collect();
    let (data, parts) = match parts.as_slice() {
        [parts @ .., data] if parts.len() == 6 => (hex(data)?, parts),
        parts => (Vec::new(), parts),
    };
    let &[kind, flags, rights, object, inherited, principal] = parts else {
        return bad(format!(
            "`({text})` has not the parts (type;flags;rights;object;inherited object;principal)"
        ));
    };
    let ace_type = match AceType::from_word(kind) {
        Some(ace_type) => ace_type,
        None => AceType(number(kind, "type of an entry").and_then(|value| {
            u8::try_from(value).map_err(|_| BadSddl(format!("`{kind}` is no type of an entry")))
        })?),
    };
    let flags = parse_flags(flags)?;
    let is_label = ace_type == AceType::SYSTEM_MANDATORY_LABEL;
    let known = ace_type.word().is_some();
    let body = if known || !principal.is_empty() {
        let mask = AccessMask::from_bits_retain(parse_rights(rights, is_label)?);
        let sid = parse_principal(principal, resolve)?;
        match ace_type.is_object() {
            true => AceBody::Object {
                mask,
                object_type: guid(object)?,
                inherited_object_type: guid(inherited)?,
                sid,
                data,
            },
            false if object.is_empty() && inherited.is_empty() => {
                AceBody::Plain { mask, sid, data }
            }
            false => return bad(format!("`({text})` is no entry about an object")),
        }
    } else {
        AceBody::Other(data)
    };
    Ok(Ace {
        ace_type,
        flags,
        body,
    })
}

fn parse_flags(text: &str) -> Result<AceFlags, BadSddl> {
    if text.starts_with("0x") {
        let bits = number(text, "set of flags")?;
        let bits =
            u8::try_from(bits).map_err(|_| BadSddl(format!("`{text}` has more than 8 bits")))?;
        return Ok(AceFlags::from_bits_retain(bits));
    }
    let mut flags = AceFlags::empty();
    let mut rest = text;
    while !rest.is_empty() {
        let found = FLAGS
            .iter()
            .find_map(|(word, flag)| Some((rest.strip_prefix(word)?, *flag)));
        let Some((after, flag)) = found else {
            return bad(format!(
                "`{rest}` is no flag of an entry; there are OI CI NP IO ID SA FA"
            ));
        };
        flags |= flag;
        rest = after;
    }
    Ok(flags)
}

fn parse_rights(text: &str, label: bool) -> Result<u32, BadSddl> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return number(text, "set of rights");
    }
    let words = if label { LABEL_RIGHTS } else { RIGHTS };
    let mut mask = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let found = words
            .iter()
            .find_map(|(word, bits)| Some((rest.strip_prefix(word)?, *bits)));
        let Some((after, bits)) = found else {
            return bad(format!(
                "`{rest}` is no right; there are FA FR FW FX GA GR GW GX SD RC WD WO, those of MS-DTYP 2.5.1.1, and \
                 0x hexadecimal"
            ));
        };
        mask |= bits;
        rest = after;
    }
    Ok(mask)
}

/// Reads one principal: `S-1-…`, a well-known name such as `WD`, or `$name`.
///
/// # Errors
///
/// What is none of these, or a name that is not known.
pub fn parse_principal(text: &str, resolve: Resolve<'_>) -> Result<Sid, BadSddl> {
    if let Some(name) = text.strip_prefix('$') {
        let harmless = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        if name.is_empty() || !name.chars().all(harmless) {
            return bad(format!("`{text}` is no name of an identity"));
        }
        return resolve(name)
            .ok_or_else(|| BadSddl(format!("the security identifier of `{text}` is not known")));
    }
    if let Some((_, authority, sub_authorities)) =
        PRINCIPALS.iter().find(|(word, ..)| *word == text)
        && let Some(sid) = Sid::new(*authority, sub_authorities)
    {
        return Ok(sid);
    }
    if let Some((_, rid)) = DOMAIN_PRINCIPALS.iter().find(|(word, _)| *word == text) {
        return resolve(&format!("{DOMAIN}{rid}")).ok_or_else(|| {
            BadSddl(format!(
                "`{text}` is a principal of a domain, and the identifier of the server's domain is not known"
            ))
        });
    }
    text.parse().map_err(|_| {
        BadSddl(format!(
            "`{text}` is no principal: one may write S-1-…, a well-known name such as WD, BA or SY, one of the \
             domain such as DA, or `$` and the name of an identity"
        ))
    })
}

/// The hexadecimal or decimal number that `text` is.
fn number(text: &str, what: &str) -> Result<u32, BadSddl> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
        None if !text.starts_with('+') => text.parse().ok(),
        _ => None,
    };
    parsed.ok_or_else(|| BadSddl(format!("`{text}` is no {what}")))
}

fn guid(text: &str) -> Result<Option<Guid>, BadSddl> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|error| BadSddl(format!("`{text}`: {error}")))
}

fn hex(text: &str) -> Result<Vec<u8>, BadSddl> {
    let digits = text.strip_prefix("hex:").unwrap_or_default();
    // Whole words, since that is what an entry's size counts (MS-DTYP 2.4.4.1).
    let sound = digits.len().is_multiple_of(8) && !digits.is_empty();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| !pair.starts_with('+'))?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    bytes.filter(|_| sound).ok_or_else(|| {
        BadSddl(format!(
            "`{text}` is not `hex:` with a multiple of 8 hexadecimal digits; conditions and attributes are written so"
        ))
    })
}

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
        data.iter()
            .for_each(|byte| out.push_str(&format!("{byte:02x}")));
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
