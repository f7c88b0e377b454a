//! What a client says to a break: the arguments of `on-break` and `acknowledge`.

use crate::args::{ArgError, Args};
use crate::{lease, words};
use replay_ir::{Step, Value};
use smb_wire::{Guid, LeaseState, OplockLevel};

/// What may be cached: the level of an oplock, or the state of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakLevel {
    /// Of an oplock (MS-SMB2 2.2.24.1).
    Oplock(OplockLevel),
    /// Of a lease (MS-SMB2 2.2.24.2).
    Lease(LeaseState),
}

impl std::fmt::Display for BreakLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Oplock(level) => f.write_str(&words::OPLOCK.write(*level)),
            Self::Lease(state) => f.write_str(&words::LEASE.write(*state)),
        }
    }
}

/// What a client does when a break of a handle arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnBreak<'t> {
    /// The handle.
    pub handle: &'t str,
    /// What to do.
    pub action: BreakAction,
    /// What to acknowledge; `None` is what the server asks for.
    pub level: Option<BreakLevel>,
}

/// What a client does on a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakAction {
    /// Acknowledges at once.
    #[default]
    Acknowledge,
    /// Acknowledges after so many nanoseconds.
    AcknowledgeAfter(u64),
    /// Closes the handle.
    Close,
    /// Nothing.
    Ignore,
}

/// OPLOCK_BREAK acknowledgment, of an oplock or of a lease (MS-SMB2 2.2.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledge<'t> {
    /// The handle.
    pub handle: &'t str,
    /// What the client accepts. Its kind is the kind of the message.
    pub level: BreakLevel,
    /// The lease key to send instead of the handle's own.
    pub lease_key: Option<Guid>,
}

impl<'t> OnBreak<'t> {
    pub(super) fn decode(
        step: &Step<'t>,
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        Ok(Self {
            handle: args.required("handle")?,
            action: action(args)?,
            level: level(args, has_lease(step))?,
        })
    }
}

impl<'t> Acknowledge<'t> {
    pub(super) fn decode(
        step: &Step<'t>,
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let (lease_key, as_oplock) = (args.parsed("lease-key", lease::key)?, args.has("as-oplock"));
        if lease_key.is_some() && as_oplock {
            return Err(ArgError::Conflict(
                "an oplock has no `lease-key=`; leave out that or `as-oplock`".to_owned(),
            ));
        }
        let of_lease = lease_key.is_some() || (has_lease(step) && !as_oplock);
        Ok(Self {
            handle: args.required("handle")?,
            level: level(args, of_lease)?.ok_or(ArgError::Missing("level"))?,
            lease_key,
        })
    }
}

/// Whether the step that opened the handle asked for a lease: then its breaks are those of a lease.
fn has_lease(step: &Step<'_>) -> bool {
    step.opened_by()
        .is_some_and(|opener| step.trace().step(opener).arg("lease-key").is_some())
}

fn level<'t>(
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    of_lease: bool,
) -> Result<Option<BreakLevel>, ArgError> {
    args.parsed("level", |text| match of_lease {
        true => words::LEASE.parse(text).map(BreakLevel::Lease),
        false => words::OPLOCK.parse(text).map(BreakLevel::Oplock),
    })
}

fn action<'t>(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<BreakAction, ArgError> {
    let conflict = |text: &str| Err(ArgError::Conflict(text.to_owned()));
    match (args.required("action")?, args.nanoseconds("delay")) {
        ("ack", None) => Ok(BreakAction::Acknowledge),
        ("ack-after", Some(delay)) => Ok(BreakAction::AcknowledgeAfter(delay)),
        ("close" | "ignore", None) if args.has("level") => {
            conflict("`level=` is for acknowledgements")
        }
        ("close", None) => Ok(BreakAction::Close),
        ("ignore", None) => Ok(BreakAction::Ignore),
        ("ack-after", None) => {
            conflict("`ack-after` needs a delay, for instance `ack-after 500ms`")
        }
        _ => conflict("only `ack-after` takes a delay"),
    }
}
