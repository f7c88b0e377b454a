//! Pipes: what can be said of them without what was said on them (MS-SMB2 3.3.5.15.3, MS-RPCE).
//!
//! The first message to a service, a BIND, names interfaces and nothing else. A request may hold names, and is only
//! repeated where names are kept.

use super::draft::Draft;
use super::request::Reason;
use super::state::{InFlight, Pipe};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::OwnedValue;
use smb_wire::messages::IoctlRequest;
use smb_wire::{CtlCode, Request};

/// Services that many servers have; their names are nobody's secret.
const SERVICES: [&str; 20] = [
    "atsvc",
    "browser",
    "dnsserver",
    "efsrpc",
    "epmapper",
    "eventlog",
    "initshutdown",
    "keysvc",
    "lsarpc",
    "lsass",
    "mdssvc",
    "netdfs",
    "netlogon",
    "ntsvcs",
    "samr",
    "spoolss",
    "srvsvc",
    "svcctl",
    "winreg",
    "wkssvc",
];

/// The most bytes of a message that a trace carries.
const LONGEST: usize = 4096;

const NAMES: Reason = "its message may hold names";
const SILENT: Reason = "it answers a message that is not in the trace";

/// Where FSCTL_PIPE_WAIT has the name's length, and the name (MS-FSCC 2.3.49).
const WAIT_LENGTH: usize = 8;
const WAIT_NAME: usize = 14;

/// Whether a message of a client opens a conversation, and holds no names: BIND and ALTER_CONTEXT without a token.
fn opens_a_conversation(message: &[u8]) -> bool {
    const BIND: u8 = 11;
    const ALTER_CONTEXT: u8 = 14;
    let [5, _, kind, _, _, _, _, _, _, _, token @ ..] = message else {
        return false;
    };
    matches!(*kind, BIND | ALTER_CONTEXT) && token.starts_with(&[0, 0])
}

fn utf16(bytes: &[u8]) -> String {
    smb_wire::UnicodeString::from_bytes(bytes).to_string_lossy()
}

impl World {
    /// The name of a pipe as it is sent.
    pub(super) fn pipe_name(&self, name: &str) -> Result<String, Reason> {
        let service = name.trim_start_matches('\\').to_lowercase();
        match SERVICES.contains(&service.as_str()) || !self.names.replaces() {
            true => Ok(name.to_owned()),
            false => Err("it names a pipe of no common service"),
        }
    }

    /// Whether a message can be in the trace.
    fn may_say(&self, message: &[u8]) -> bool {
        message.len() <= LONGEST && (!self.names.replaces() || opens_a_conversation(message))
    }

    /// The step of a request on a pipe, without its place; `None` for one that is said like that on a file.
    pub(super) fn on_pipe(
        &mut self,
        open: usize,
        draft: impl Fn(&'static str) -> Draft,
        request: &mut Request,
    ) -> Result<Option<Draft>, Reason> {
        let pipe = self.opens[open].pipe.unwrap_or_default();
        let (draft, silent) = match request {
            Request::Read(_) if pipe.silent => return Err(SILENT),
            Request::Write(request) => {
                let data = std::mem::take(&mut request.data);
                let said = self.may_say(&data);
                let write = draft("write").unless("offset", request.offset, 0, Into::into);
                let bytes = OwnedValue::Bytes(data.into());
                (said.then(|| write.arg("bytes", bytes)), !said)
            }
            Request::Ioctl(request) if request.ctl_code == CtlCode::PIPE_TRANSCEIVE => {
                let said = self.may_say(&request.input);
                let code = OwnedValue::Token(request.ctl_code.to_string());
                let bytes = OwnedValue::Bytes(request.input.clone().into());
                let ioctl = draft("ioctl").arg("code", code).unless(
                    "max-output",
                    u64::from(request.max_output_response),
                    65_536,
                    Into::into,
                );
                (said.then(|| ioctl.arg("input", bytes)), !said)
            }
            _ => return Ok(None),
        };
        self.opens[open].pipe = Some(Pipe { silent });
        draft.map(Some).ok_or(NAMES)
    }

    /// The input of a control code about a pipe, or about the names of a namespace, that is open nowhere.
    pub(super) fn named_input(
        &self,
        request: &IoctlRequest,
    ) -> Option<Result<(OwnedValue, Option<Reason>), Reason>> {
        let input = &request.input[..];
        Some(match request.ctl_code {
            CtlCode::PIPE_WAIT => self.pipe_wait(input).map(|input| (input, None)),
            CtlCode::DFS_GET_REFERRALS => {
                // Where there is one, it is another server.
                referral(input).map(|input| (input, Some(REFERRAL)))
            }
            CtlCode::DFS_GET_REFERRALS_EX => Err(REFERRAL),
            _ => return None,
        })
    }

    fn pipe_wait(&self, input: &[u8]) -> Result<OwnedValue, Reason> {
        const DECODE: Reason = "its input does not decode";
        let length = input.get(WAIT_LENGTH..).and_then(|rest| rest.first_chunk());
        let length = length.map(|length| u32::from_le_bytes(*length) as usize);
        let name = input.get(WAIT_NAME..).ok_or(DECODE)?;
        if length != Some(name.len()) {
            return Err(DECODE);
        }
        self.pipe_name(&utf16(name))?;
        Ok(OwnedValue::Bytes(input.to_vec().into()))
    }

    /// With the tree that a request names, if that is not the one without a name.
    pub(super) fn on_tree(
        &mut self,
        id: ConnectionId,
        draft: Draft,
        flight: &InFlight,
    ) -> Result<Draft, Reason> {
        let tree = self.tree(id, flight.session_id, flight.tree_id)?;
        self.needs_tree(id, flight.tree_id, flight);
        Ok(match tree.name {
            Some(name) => draft.arg("tree", OwnedValue::Token(name)),
            None => draft,
        })
    }
}

const REFERRAL: Reason = "it asks for another server by name";

/// REQ_GET_DFS_REFERRAL of MS-DFSC, for a path of as many parts, of names that are no server's.
fn referral(input: &[u8]) -> Result<OwnedValue, Reason> {
    let (level, path) = input
        .split_at_checked(2)
        .ok_or("its input does not decode")?;
    let path = utf16(path);
    let parts = path.trim_end_matches('\0').split('\\');
    let parts = parts.filter(|part| !part.is_empty()).count();
    let names = ["no-such-server", "no-such-share"].into_iter();
    let names = names.chain(std::iter::repeat("part")).take(parts.min(64));
    let path: String = names.map(|name| format!("\\{name}")).collect();
    let mut bytes = level.to_vec();
    bytes.extend(path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    Ok(OwnedValue::Bytes(bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_without_a_token_may_be_said() {
        let bind = [5, 0, 11, 3, 16, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
        assert!(opens_a_conversation(&bind));
        let mut with_token = bind;
        with_token[10] = 40;
        assert!(!opens_a_conversation(&with_token));
        let mut request = bind;
        request[2] = 0;
        assert!(!opens_a_conversation(&request));
        assert!(!opens_a_conversation(&bind[..11]));
        assert!(!opens_a_conversation(b""));
    }

    #[test]
    fn a_referral_keeps_nothing_of_its_names() {
        let wire = |path: &str| {
            let mut bytes = vec![4, 0];
            bytes.extend(path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
            bytes
        };
        for (asked, becomes) in [
            ("", ""),
            (r"\megacorp", r"\no-such-server"),
            (r"\nas\payrolls\q3", r"\no-such-server\no-such-share\part"),
        ] {
            let expected = OwnedValue::Bytes(wire(becomes).into());
            assert_eq!(referral(&wire(asked)), Ok(expected), "{asked}");
        }
        assert!(referral(&[4]).is_err());
    }
}
