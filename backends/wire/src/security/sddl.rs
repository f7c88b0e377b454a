//! Security descriptors as text: SDDL (MS-DTYP 2.5.1), with names of the caller beside the well-known principals.
//!
//! Two things go beyond the specification. A principal may be written `$name`; what that stands for the caller says.
//! What SDDL has no form for is hexadecimal: the type of an unknown entry, and the data behind an entry's principal
//! (a condition, a resource attribute) as `;hex:…`.
//!
//! Writing gives one canonical text: rights that have a name of their own by it, others in hexadecimal.

mod read;
mod write;

use super::descriptor::SecurityControl;
use super::sid::Sid;

pub use read::{parse, parse_list, parse_principal};
pub use write::{write, write_list, write_principal};

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
