//! `smb-rs`: a second, independent client over the `smb` crate.
//!
//! Messages, signatures, encryption, key derivation and negotiation are the crate's; nothing of them is shared with
//! the `native` backend, so that a mistake in one of the two shows as a difference. The crate's high-level API fixes
//! what a trace controls (oplock level, share access, create contexts) and hides statuses, so requests are made of its
//! message types and go through its transformer instead of `Tree` and `File`. What cannot be said that way is in
//! [`Capabilities`]; the evidence is in the book, `docs/smb-rs.md`.
//!
//! From above to below: [`client`] takes the engine's operations, [`worker`] runs them, [`link`] is a connection with
//! session, tree and opens, [`login`] makes one, [`request`], [`set_info`] and [`answer`] translate, [`exchange`] is a
//! request and its answers, [`channel`] brings the two together, [`frame`] takes frames apart, [`transport`] moves bytes. Nothing is sent that no step or [`close`] asked
//! for, and nothing is sent in `Drop`.
//!
//! [`close`]: replay_engine::Connection::close

mod answer;
mod capabilities;
mod channel;
mod client;
mod exchange;
mod failure;
mod frame;
mod link;
mod login;
mod request;
mod set_info;
mod transport;
mod worker;

use std::sync::Arc;

use replay_engine::{Backend, Capabilities, ClientContext, Connection, Unsupported};
use replay_ir::Trace;
use smb::Dialect;
use smb::connection::EncryptionMode;
use smb_vocabulary::{ClientSettings, Encryption};
use smb_wire as wire;

use client::{Client, Shared};
use link::Setup;
use login::{Account, Wishes};
use request::Place;

/// The backend.
#[derive(Debug)]
pub struct SmbRs {
    capabilities: Capabilities,
}

impl SmbRs {
    /// The backend. It has no settings; those of a connection are in the trace's client lines.
    pub fn new() -> Self {
        Self {
            capabilities: capabilities::capabilities(),
        }
    }
}

impl Default for SmbRs {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for SmbRs {
    fn name(&self) -> &'static str {
        "smb-rs"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn missing(&self, trace: &Trace) -> Vec<Unsupported> {
        capabilities::missing(trace)
    }

    fn client(&self, context: ClientContext) -> Box<dyn Connection> {
        let shared = Arc::new(Shared::new(setup(&context)));
        Client::start(context, shared, false)
    }
}

/// What the client's line says. The error comes up when the client is to connect.
fn setup(context: &ClientContext) -> Result<Setup, String> {
    let client = context.trace.client(context.client);
    let settings = ClientSettings::decode(client).map_err(|error| error.to_string())?;
    let identity = context
        .identity
        .as_ref()
        .ok_or_else(|| format!("client {} has no identity", client.name()))?;
    let target = &context.target;
    Ok(Setup {
        address: target.address,
        place: Place {
            host: target.host.clone(),
            root: target.root.clone(),
            share: settings
                .share
                .map_or_else(|| target.share.clone(), str::to_owned),
        },
        account: Account {
            name: identity.account.clone(),
            domain: settings
                .domain
                .map_or_else(|| identity.domain.clone(), str::to_owned),
            password: identity.password.clone(),
        },
        wishes: Wishes {
            dialects: (
                dialect(settings.dialects.min)?,
                dialect(settings.dialects.max)?,
            ),
            signing_required: settings.signing_required,
            encryption: match settings.encryption {
                Encryption::Off => EncryptionMode::Disabled,
                Encryption::Offered => EncryptionMode::Allowed,
                Encryption::Required => EncryptionMode::Required,
            },
        },
    })
}

fn dialect(dialect: wire::Dialect) -> Result<Dialect, String> {
    match dialect {
        wire::Dialect::SMB_2_0_2 => Ok(Dialect::Smb0202),
        wire::Dialect::SMB_2_1 => Ok(Dialect::Smb021),
        wire::Dialect::SMB_3_0 => Ok(Dialect::Smb030),
        wire::Dialect::SMB_3_0_2 => Ok(Dialect::Smb0302),
        wire::Dialect::SMB_3_1_1 => Ok(Dialect::Smb0311),
        other => Err(format!("dialect {other:?}")),
    }
}
