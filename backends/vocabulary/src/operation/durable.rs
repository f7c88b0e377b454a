//! The arguments of `reconnect`.

use super::Create;
use crate::args::{ArgError, Args};
use crate::lease;
use replay_ir::{Step, StepId};
use smb_wire::Guid;

/// The arguments of a `reconnect` for create contexts that it does not take from the step which opened: a client that follows
/// MS-SMB2 3.2.4.4 sends the reconnect context and that of a lease, and no other.
pub const RECONNECT_CONTEXTS: [&str; 8] = [
    "query-maximal-access",
    "query-on-disk-id",
    "allocation",
    "timewarp",
    "app-instance",
    "app-instance-version",
    "ea",
    "sd",
];

/// CREATE with a reconnect context (MS-SMB2 3.2.4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnect<'t> {
    /// The step that opened what is reconnected.
    pub of: StepId,
    /// The request beside its reconnect context; `create.durable` is what it asks for in addition.
    pub create: Create<'t>,
    /// The reconnect context.
    pub version: ReconnectVersion,
    /// CreateGuid of a V2 context; `None` is that of the request which opened it.
    pub create_guid: Option<Guid>,
}

/// Which reconnect context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconnectVersion {
    /// DURABLE_HANDLE_RECONNECT (MS-SMB2 2.2.13.2.4).
    V1,
    /// DURABLE_HANDLE_RECONNECT_V2 (MS-SMB2 2.2.13.2.12).
    V2 {
        /// SMB2_DHANDLE_FLAG_PERSISTENT.
        persistent: bool,
    },
}

impl<'t> Reconnect<'t> {
    pub(super) fn decode(step: &Step<'t>) -> Result<Self, ArgError> {
        let of = step.target().ok_or(ArgError::Missing("of"))?;
        let chain = chain(step)?;
        let nearest = |name: &str| chain.iter().find_map(|step| step.arg(name));
        let create = Create::decode(&Args(|name: &str| match name {
            "handle" => step.arg("handle"),
            "durable" => step.arg("request"),
            "durable-timeout" | "create-guid" => None,
            name if RECONNECT_CONTEXTS.contains(&name) => step.arg(name),
            name if name.starts_with("lease-") && step.arg("no-lease").is_some() => None,
            "oplock" if step.arg("no-lease").is_some() => step.arg("oplock"),
            name => nearest(name),
        }))?;
        Ok(Self {
            of,
            create,
            version: match nearest("durable").and_then(|value| value.as_str()) {
                Some("v1") => ReconnectVersion::V1,
                Some("persistent") => ReconnectVersion::V2 { persistent: true },
                Some("v2") => ReconnectVersion::V2 { persistent: false },
                _ => {
                    let text =
                        "`durable=` is missing: the step of `of=` asks for no durable handle";
                    return Err(ArgError::Conflict(text.to_owned()));
                }
            },
            create_guid: Args(|name: &str| step.arg(name)).parsed("create-guid", lease::key)?,
        })
    }
}

/// The step, and those that it goes back to, down to the `create`.
fn chain<'t>(step: &Step<'t>) -> Result<Vec<Step<'t>>, ArgError> {
    let mut chain = vec![*step];
    let mut last = *step;
    while last.verb().name == "reconnect" {
        let of = last.target().ok_or(ArgError::Missing("of"))?;
        if of >= last.id() {
            let text = "`of=` names a step that stands earlier in the file";
            return Err(ArgError::Conflict(text.to_owned()));
        }
        last = last.trace().step(of);
        chain.push(last);
    }
    match last.verb().name {
        "create" => Ok(chain),
        other => Err(ArgError::Conflict(format!(
            "`of=` names the `create` or `reconnect` that opened the handle, not a `{other}`"
        ))),
    }
}
