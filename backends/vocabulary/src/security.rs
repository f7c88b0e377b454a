//! Security descriptors in a trace: SDDL text with the run's identities as principals (`$alice`).
//!
//! When a trace is loaded nobody knows yet which security identifier a name stands for. So the text is checked with
//! stand-ins, and read for good when it is sent.

use std::collections::{BTreeMap, BTreeSet};

use replay_ir::{Given, Step, Trace, Value};
use smb_wire::AdditionalInformation;
use smb_wire::security::{SecurityControl, SecurityDescriptor, Sid, sddl};

use crate::args::{ArgError, Args};
use crate::words::canonical;

/// An authority that nobody has; the stand-ins for names are below it.
const STAND_IN: u64 = 0xFFFF_FFFF_FFFF;

/// Which security identifiers the names of a run's identities stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principals {
    by_name: BTreeMap<String, Sid>,
    /// The domain's own.
    domain: Option<Sid>,
}

impl Principals {
    /// The identifiers by name, as text (`S-1-5-21-…`). One that is no identifier is left out: its name is then as
    /// unknown as others, and the message about that says so.
    pub fn new<'a>(names: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let known = names
            .into_iter()
            .filter_map(|(name, sid)| Some((name.clone(), sid.parse().ok()?)));
        Self {
            by_name: known.collect(),
            domain: None,
        }
    }

    /// The same, with the identifier of the domain that the server is in (`S-1-5-21-…`), which the names of its
    /// principals (`DA`, `DU`) are relative to.
    #[must_use]
    pub fn in_domain(mut self, sid: Option<&str>) -> Self {
        self.domain = sid.and_then(|sid| sid.parse().ok());
        self
    }

    /// The identifier of a name; see [`sddl::Resolve`].
    pub fn sid(&self, name: &str) -> Option<Sid> {
        match name.strip_prefix(sddl::DOMAIN) {
            None => self.by_name.get(name).cloned(),
            Some(relative) => {
                let domain = self.domain.as_ref()?;
                let parts = [domain.sub_authorities(), &[relative.parse().ok()?]].concat();
                Sid::new(domain.authority(), &parts)
            }
        }
    }

    /// The name of an identifier; see [`sddl::Name`].
    pub fn name(&self, sid: &Sid) -> Option<String> {
        let mut known = self.by_name.iter();
        if let Some((name, _)) = known.find(|(_, known)| *known == sid) {
            return Some(name.clone());
        }
        let domain = self.domain.as_ref()?;
        let (relative, above) = sid.sub_authorities().split_last()?;
        let of_domain = sid.authority() == domain.authority() && above == domain.sub_authorities();
        of_domain.then(|| format!("{}{relative}", sddl::DOMAIN))
    }
}

/// Names in the order in which they occur, each with a stand-in.
#[derive(Default)]
struct StandIns(Vec<String>);

impl StandIns {
    fn resolve(&mut self, name: &str) -> Option<Sid> {
        let index = self
            .0
            .iter()
            .position(|known| known == name)
            .unwrap_or_else(|| {
                self.0.push(name.to_owned());
                self.0.len() - 1
            });
        Sid::new(STAND_IN, &[u32::try_from(index).unwrap_or(u32::MAX)])
    }

    fn name(&self, sid: &Sid) -> Option<String> {
        match (sid.authority(), sid.sub_authorities()) {
            (STAND_IN, [index]) => self.0.get(usize::try_from(*index).ok()?).cloned(),
            _ => None,
        }
    }
}

/// Reads the whole text of a descriptor, `O:…G:…D:…S:…`; the error says what of it cannot be read, or whose identifier
/// is not known.
pub fn parse(text: &str, principals: &Principals) -> Result<SecurityDescriptor, String> {
    sddl::parse(text, &mut |name| principals.sid(name)).map_err(|error| error.to_string())
}

/// Whether a text is one of a descriptor, whatever its names stand for.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut names = StandIns::default();
    let parsed = sddl::parse(text, &mut |name| names.resolve(name));
    parsed.map(drop).map_err(|error| error.to_string())
}

/// The argument `sd`.
pub(crate) fn argument<'t>(
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<Option<&'t str>, ArgError> {
    args.parsed("sd", |text| check(text).map(|()| text))
}

/// Whether a token is a principal as `set-security` takes it.
pub(crate) fn check_principal(text: &str) -> Result<(), String> {
    let mut names = StandIns::default();
    let parsed = sddl::parse_principal(text, &mut |name| names.resolve(name));
    parsed.map(drop).map_err(|error| error.to_string())
}

/// Whether a token is a principal as answers write it.
pub(crate) fn check_canonical_principal(text: &str) -> Result<(), String> {
    let mut names = StandIns::default();
    let sid = sddl::parse_principal(text, &mut |name| names.resolve(name));
    let sid = sid.map_err(|error| error.to_string())?;
    canonical(text, &sddl::write_principal(&sid, &|sid| names.name(sid)))
}

/// Whether an expected list is written as answers write it.
fn check_canonical_list(list: sddl::List, text: &str) -> Result<(), String> {
    let mut names = StandIns::default();
    let mut descriptor = SecurityDescriptor::default();
    sddl::parse_list(list, text, &mut descriptor, &mut |name| names.resolve(name))
        .map_err(|error| error.to_string())?;
    let written = sddl::write_list(list, &descriptor, &|sid| names.name(sid));
    canonical(text, &written.unwrap_or_default())
}

/// Whether a whole text has a SACL, which only some may set.
pub(crate) fn has_sacl(whole: &str) -> bool {
    parts_of(whole).contains(AdditionalInformation::SACL)
}

/// The parts that a whole text names.
pub(crate) fn parts_of(whole: &str) -> AdditionalInformation {
    let mut names = StandIns::default();
    let Ok(descriptor) = sddl::parse(whole, &mut |name| names.resolve(name)) else {
        return AdditionalInformation::empty();
    };
    let mut parts = AdditionalInformation::empty();
    let control = descriptor.control;
    parts.set(AdditionalInformation::OWNER, descriptor.owner.is_some());
    parts.set(AdditionalInformation::GROUP, descriptor.group.is_some());
    parts.set(
        AdditionalInformation::DACL,
        control.contains(SecurityControl::DACL_PRESENT),
    );
    parts.set(
        AdditionalInformation::SACL,
        control.contains(SecurityControl::SACL_PRESENT),
    );
    parts
}

/// An argument that is a list.
pub(crate) fn list<'t>(
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    list: sddl::List,
    name: &'static str,
) -> Result<Option<&'t str>, ArgError> {
    args.parsed(name, |text| {
        let mut names = StandIns::default();
        let mut descriptor = SecurityDescriptor::default();
        sddl::parse_list(list, text, &mut descriptor, &mut |name| names.resolve(name))
            .map(|()| text)
            .map_err(|error| error.to_string())
    })
}

/// The lists that a step expects of an answer, as [`check_trace`](crate::check_trace) sees them: the error says which
/// one cannot come.
pub(crate) fn check_expected(step: &Step<'_>) -> Result<(), ArgError> {
    if step.verb().name != "query-security" {
        return Ok(());
    }
    for (field, value) in step.expect().fields() {
        let list = match field.name {
            "dacl" => sddl::List::Dacl,
            "sacl" => sddl::List::Sacl,
            _ => continue,
        };
        let checked = check_canonical_list(list, value.as_str().unwrap_or_default());
        checked.map_err(|reason| ArgError::Value {
            name: field.name,
            reason,
        })?;
    }
    Ok(())
}

/// The identities that a trace names as principals (`$alice`), in `given` lines, steps and expectations.
pub fn principals(trace: &Trace) -> BTreeSet<String> {
    let mut names = all_principals(trace);
    names.retain(|name| !name.starts_with(sddl::DOMAIN));
    names
}

/// Whether a trace names principals of a domain (`DA`).
pub(crate) fn names_domain(trace: &Trace) -> bool {
    all_principals(trace)
        .iter()
        .any(|name| name.starts_with(sddl::DOMAIN))
}

fn all_principals(trace: &Trace) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let givens = trace
        .givens()
        .iter()
        .filter_map(|given: &Given| given.arg("sd"));
    givens.for_each(|text| collect(&text, &mut names));
    for step in trace.steps() {
        let security = matches!(step.verb().name, "query-security" | "set-security");
        let about = |name: &str| name == "sd" || security;
        let args = step
            .args()
            .filter(|(spec, _)| about(spec.name))
            .map(|(_, value)| value);
        let fields = step
            .expect()
            .fields()
            .filter(|(spec, _)| about(spec.name))
            .map(|(_, value)| value);
        args.chain(fields)
            .for_each(|value| collect(&value, &mut names));
    }
    names
}

fn collect(value: &Value<'_>, names: &mut BTreeSet<String>) {
    let Some(text) = value.as_str() else {
        return;
    };
    let mut found = StandIns::default();
    let mut resolve = |name: &str| found.resolve(name);
    // A text is of one of three forms; what it is not fails early and has named nobody.
    if sddl::parse_principal(text, &mut resolve).is_err()
        && sddl::parse(text, &mut resolve).is_err()
    {
        let mut descriptor = SecurityDescriptor::default();
        let _ = sddl::parse_list(sddl::List::Dacl, text, &mut descriptor, &mut resolve);
    }
    names.extend(found.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_identifiers_both_ways() {
        let sid = "S-1-5-21-1-2-3-1001".to_owned();
        let names = BTreeMap::from([
            ("alice".to_owned(), sid.clone()),
            ("broken".to_owned(), "S-1".to_owned()),
        ]);
        let principals = Principals::new(&names);
        assert_eq!(
            principals.sid("alice").map(|sid| sid.to_string()),
            Some(sid.clone())
        );
        assert_eq!(
            principals.name(&sid.parse().expect("a SID")).as_deref(),
            Some("alice")
        );
        assert_eq!(principals.sid("broken"), None);
        let descriptor = parse("O:$aliceG:BAD:P(A;OICI;FA;;;$alice)", &principals).expect("known");
        assert_eq!(descriptor.owner, principals.sid("alice"));
        let text = sddl::write(&descriptor, &|sid| principals.name(sid));
        assert_eq!(text, "O:$aliceG:BAD:P(A;OICI;FA;;;$alice)");
        let error = parse("O:$bob", &principals).expect_err("unknown");
        assert!(error.contains("$bob"), "{error}");
    }

    #[test]
    fn principals_of_a_domain_are_relative_to_its_identifier() {
        let principals = Principals::default().in_domain(Some("S-1-5-21-1-2-3"));
        let text = "O:DAG:DUD:P(A;;FA;;;EA)(A;;FR;;;LA)";
        let descriptor = parse(text, &principals).expect("known");
        let owner = descriptor.owner.as_ref().map(ToString::to_string);
        assert_eq!(owner.as_deref(), Some("S-1-5-21-1-2-3-512"));
        assert_eq!(sddl::write(&descriptor, &|sid| principals.name(sid)), text);
        let other: Sid = "S-1-5-21-1-2-3-1104".parse().expect("a SID");
        let written = sddl::write_principal(&other, &|sid| principals.name(sid));
        assert_eq!(written, "S-1-5-21-1-2-3-1104");
        let error = parse(text, &Principals::default()).expect_err("no domain");
        assert!(
            error.contains("`DA`") && error.contains("domain"),
            "{error}"
        );
        assert_eq!(check_canonical_principal("DA"), Ok(()));
    }

    #[test]
    fn expectations_must_be_as_answers_write_them() {
        assert_eq!(check_canonical_principal("$alice"), Ok(()));
        assert_eq!(check_canonical_principal("WD"), Ok(()));
        assert_eq!(
            check_canonical_principal("S-1-1-0"),
            Err("answers write this as `WD`".to_owned())
        );
        assert_eq!(
            check_canonical_list(sddl::List::Dacl, "PAI(A;OICI;FA;;;$a)(D;;FR;;;$b)"),
            Ok(())
        );
        assert_eq!(
            check_canonical_list(sddl::List::Dacl, "(A;CIOI;0x1f01ff;;;S-1-5-18)"),
            Err("answers write this as `(A;OICI;FA;;;SY)`".to_owned())
        );
        assert!(check("D:(A;;FA;;;$alice").is_err());
    }
}
