//! Security descriptors (MS-DTYP 2.4): security identifiers, access control lists and their text form, SDDL.
//!
//! Decoding keeps what it does not know, as everywhere in this crate: an entry of an unknown type is its bytes.

mod acl;
mod descriptor;
mod rights;
pub mod sddl;
mod sid;

pub use acl::{Ace, AceBody, AceFlags, AceType, Acl};
pub use descriptor::{SecurityControl, SecurityDescriptor};
pub use sid::{BadSid, Sid};
