//! `query-security` and `set-security`.

use replay_ir::Value;
use smb_wire::AdditionalInformation;
use smb_wire::security::{SecurityDescriptor, sddl};

use crate::args::{ArgError, Args};
use crate::security::{self, Principals};
use crate::words;

/// The parts of a descriptor as a step writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DescriptorText<'t> {
    /// One principal.
    pub owner: Option<&'t str>,
    /// One principal.
    pub group: Option<&'t str>,
    /// What SDDL has behind `D:`.
    pub dacl: Option<&'t str>,
    /// What SDDL has behind `S:`.
    pub sacl: Option<&'t str>,
}

impl DescriptorText<'_> {
    /// The descriptor; the error says what of it cannot be read, or whose identifier is not known.
    pub fn descriptor(&self, principals: &Principals) -> Result<SecurityDescriptor, String> {
        self.read(&mut |name| principals.sid(name))
    }

    fn read(&self, resolve: sddl::Resolve<'_>) -> Result<SecurityDescriptor, String> {
        let mut descriptor = SecurityDescriptor::default();
        let mut principal = |text: Option<&str>| {
            let sid = text.map(|text| sddl::parse_principal(text, &mut *resolve));
            sid.transpose().map_err(|error| error.to_string())
        };
        (descriptor.owner, descriptor.group) = (principal(self.owner)?, principal(self.group)?);
        for (list, text) in [(sddl::List::Dacl, self.dacl), (sddl::List::Sacl, self.sacl)] {
            if let Some(text) = text {
                sddl::parse_list(list, text, &mut descriptor, &mut *resolve)
                    .map_err(|error| error.to_string())?;
            }
        }
        Ok(descriptor)
    }

    /// Which parts there are.
    fn parts(&self) -> AdditionalInformation {
        let mut parts = AdditionalInformation::empty();
        parts.set(AdditionalInformation::OWNER, self.owner.is_some());
        parts.set(AdditionalInformation::GROUP, self.group.is_some());
        parts.set(AdditionalInformation::DACL, self.dacl.is_some());
        parts.set(AdditionalInformation::SACL, self.sacl.is_some());
        parts
    }
}

/// QUERY_INFO with SMB2_0_INFO_SECURITY (MS-SMB2 2.2.37).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuerySecurity<'t> {
    /// The handle.
    pub handle: &'t str,
    /// AdditionalInformation.
    pub parts: AdditionalInformation,
    /// OutputBufferLength in bytes.
    pub buffer: u32,
}

impl<'t> QuerySecurity<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
        buffer: u32,
    ) -> Result<Self, ArgError> {
        // Its flags are the words for the parts.
        let words = words::SECURITY.words().iter();
        let asked = words.filter(|(name, _)| args.has(name));
        let asked = asked.fold(AdditionalInformation::empty(), |all, (_, part)| all | *part);
        let usual = AdditionalInformation::OWNER
            | AdditionalInformation::GROUP
            | AdditionalInformation::DACL;
        Ok(Self {
            handle: args.required("handle")?,
            parts: if asked.is_empty() { usual } else { asked },
            buffer: args.int("buffer")?.unwrap_or(buffer),
        })
    }
}

/// SET_INFO with SMB2_0_INFO_SECURITY (MS-SMB2 2.2.39).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSecurity<'t> {
    /// The handle.
    pub handle: &'t str,
    /// AdditionalInformation.
    pub parts: AdditionalInformation,
    /// What to set.
    pub descriptor: NewDescriptor<'t>,
}

/// A descriptor to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewDescriptor<'t> {
    /// These parts.
    Text(DescriptorText<'t>),
    /// A whole text of SDDL.
    Whole(&'t str),
    /// These bytes, which need be no descriptor.
    Bytes(&'t [u8]),
}

impl NewDescriptor<'_> {
    /// The bytes to send; the error says what of a text cannot be read, or whose identifier is not known.
    pub fn encode(&self, principals: &Principals) -> Result<Vec<u8>, String> {
        let descriptor = match self {
            Self::Bytes(bytes) => return Ok(bytes.to_vec()),
            Self::Text(text) => text.descriptor(principals)?,
            Self::Whole(whole) => security::parse(whole, principals)?,
        };
        let mut buffer = Vec::new();
        descriptor.encode(&mut buffer);
        Ok(buffer)
    }
}

impl<'t> SetSecurity<'t> {
    pub(super) fn decode(
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let text = DescriptorText {
            owner: args.str("owner"),
            group: args.str("group"),
            dacl: security::list(args, sddl::List::Dacl, "dacl")?,
            sacl: security::list(args, sddl::List::Sacl, "sacl")?,
        };
        let named = args.parsed("parts", |text| words::SECURITY.parse(text))?;
        let no_text = text == DescriptorText::default();
        let (descriptor, own) = match (args.bytes("bytes"), security::argument(args)?) {
            (None, None) => (NewDescriptor::Text(text), text.parts()),
            (Some(bytes), None) if no_text => {
                (NewDescriptor::Bytes(bytes), AdditionalInformation::empty())
            }
            (None, Some(whole)) if no_text => {
                (NewDescriptor::Whole(whole), security::parts_of(whole))
            }
            _ => {
                let text = "what is set is one of `bytes=`, `sd=`, and some of `owner=`, `group=`, `dacl=` and `sacl=`";
                return Err(ArgError::Conflict(text.to_owned()));
            }
        };
        let parts = named.unwrap_or(own);
        if named.is_none() && parts.is_empty() {
            let text = "`set-security` needs some of `owner=`, `group=`, `dacl=` and `sacl=`, or `sd=`, or `parts=`";
            return Err(ArgError::Conflict(text.to_owned()));
        }
        Ok(Self {
            handle: args.required("handle")?,
            parts,
            descriptor,
        })
    }
}
