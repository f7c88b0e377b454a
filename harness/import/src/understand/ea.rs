//! Extended attributes (MS-FSCC 2.4.16). Their values are data: a trace has others of the same length.

use super::request::Reason;
use super::world::World;
use replay_ir::OwnedValue;
use smb_wire::fscc::{FullEa, decode_full_ea, decode_get_ea};

const DECODE: Reason = "its extended attributes do not decode";

impl World {
    /// The attributes of a request or a create context, as `ea=` has them.
    pub(super) fn attributes(&mut self, buffer: &[u8]) -> Result<OwnedValue, Reason> {
        let all: Result<Vec<FullEa>, _> = decode_full_ea(buffer).collect();
        let all = all.map_err(|_| DECODE)?;
        if all.is_empty() {
            return Err("it has no extended attributes");
        }
        let written: Result<Vec<_>, _> = all.iter().map(|one| self.attribute(one)).collect();
        Ok(OwnedValue::List(written?))
    }

    /// The names that a query asks for.
    pub(super) fn attribute_names(&mut self, buffer: &[u8]) -> Result<OwnedValue, Reason> {
        let names: Result<Vec<Vec<u8>>, _> = decode_get_ea(buffer).collect();
        let mut written = Vec::new();
        for name in names.map_err(|_| DECODE)? {
            written.push(OwnedValue::Text(self.attribute_name(&name)?));
        }
        Ok(OwnedValue::List(written))
    }

    /// The attributes of an answer, sorted, if all of them were set by steps before.
    pub(super) fn expected_attributes(&mut self, buffer: &[u8]) -> Option<OwnedValue> {
        let all: Vec<FullEa> = decode_full_ea(buffer).collect::<Result<_, _>>().ok()?;
        let mut texts = Vec::new();
        for one in &all {
            let known = self.attributes_set.contains(&key(one));
            let OwnedValue::Text(text) = self.attribute(one).ok().filter(|_| known)? else {
                return None;
            };
            texts.push(text);
        }
        texts.sort_unstable();
        Some(OwnedValue::List(
            texts.into_iter().map(OwnedValue::Text).collect(),
        ))
    }

    fn attribute(&mut self, one: &FullEa) -> Result<OwnedValue, Reason> {
        let name = self.attribute_name(&one.ea_name)?;
        self.attributes_set.insert(key(one));
        let value = match (one.ea_value.len(), self.fills.of(&one.ea_value)) {
            (0, _) => String::new(),
            (length, 0) => format!("hex:{}", "00".repeat(length)),
            (length, fill) => {
                let pattern = format!("{fill}.");
                pattern.chars().cycle().take(length).collect()
            }
        };
        Ok(OwnedValue::Text(format!("{name}={value}")))
    }

    fn attribute_name(&mut self, name: &[u8]) -> Result<String, Reason> {
        let name = std::str::from_utf8(name).ok();
        let name = name.filter(|name| !name.contains('='));
        let name = name.ok_or("an extended attribute whose name is no text")?;
        Ok(self.names.attribute(name))
    }
}

/// Which value of which attribute.
fn key(one: &FullEa) -> (Vec<u8>, Vec<u8>) {
    (one.ea_name.to_ascii_lowercase(), one.ea_value.clone())
}
