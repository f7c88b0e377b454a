//! From text to descriptors, lists and principals.

use super::{BadSddl, DOMAIN, List, NULL, Resolve, bad};
use crate::security::acl::{Ace, AceBody, AceFlags, AceType, Acl};
use crate::security::descriptor::SecurityDescriptor;
use crate::security::rights::{DOMAIN_PRINCIPALS, FLAGS, LABEL_RIGHTS, PRINCIPALS, RIGHTS};
use crate::security::sid::Sid;
use crate::{AccessMask, Guid, hex};

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
        [parts @ .., data] if parts.len() == 6 => (self::data(data)?, parts),
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

fn data(text: &str) -> Result<Vec<u8>, BadSddl> {
    let digits = text.strip_prefix("hex:").unwrap_or_default();
    // Whole words, since that is what an entry's size counts (MS-DTYP 2.4.4.1).
    let sound = digits.len().is_multiple_of(8) && !digits.is_empty();
    let bytes = hex::decode(digits).filter(|_| sound);
    bytes.ok_or_else(|| {
        BadSddl(format!(
            "`{text}` is not `hex:` with a multiple of 8 hexadecimal digits; conditions and attributes are written so"
        ))
    })
}
