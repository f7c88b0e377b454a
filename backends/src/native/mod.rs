//! `native`: our own SMB2/3 client over `smb-wire` and tokio.
//!
//! It can say everything that a trace can, exactly as the trace says it, and it believes nothing that a server says:
//! signatures are verified, message ids are matched, and what does not fit ends the connection as a violation.
//!
//! A connection is one task (`pump`) and a few kilobytes. Requests go to the socket from [`Connection::submit`]
//! itself, so an operation costs one write, one read and no channel.
//!
//! | module | does |
//! |---|---|
//! | `login`, `negotiate`, `authentication`, `auth`, `anonymous` | set a connection up |
//! | `sessions`, `setup` | sessions beside the first, and what an established connection logs in |
//! | `group`, `peers` | the channels of a session, and the connections of a ClientGuid |
//! | `connection`, `submit`, `receive`, `breaks`, `close`, `leave` | clients, requests, answers, breaks, the end |
//! | `transport`, `item`, `compose`, `credits`, `pending`, `opens`, `secure` | the state of an established connection |
//! | `caching`, `oplock_state` | what a client may cache, and what a break means for that |
//! | `pump`, `frame`, `record` | bytes, and the log of them |
//! | `request`, `wire_edit` | an operation as a message, and what makes it wrong on purpose |
//! | `registry` | what the clients of a run know of each other |

mod anonymous;
mod auth;
mod authentication;
mod breaks;
mod caching;
mod close;
mod compose;
mod connection;
mod credits;
mod frame;
mod group;
mod item;
mod kdc;
mod leave;
mod login;
mod negotiate;
mod opens;
mod oplock_state;
mod peers;
mod pending;
mod pump;
mod receive;
mod record;
mod registry;
mod request;
mod secure;
mod sessions;
mod setup;
mod submit;
mod tickets;
mod transport;
mod wire_edit;

use std::sync::Arc;

use async_trait::async_trait;
use replay_engine::{
    Backend, Capabilities, ClientContext, CloseError, Connection, Op, Unsupported,
};
use replay_ir::{Mode, Role, Step, StepId, Trace};
use smb_vocabulary::{Operation, VOCABULARY, is_channel};

use connection::Shared;

/// The backend.
pub struct Native {
    capabilities: Capabilities,
}

impl Native {
    /// The backend. It holds no state of its own.
    pub fn new() -> Self {
        let sent = |role| matches!(role, Role::Operation | Role::Connect | Role::OnBreak);
        let verbs = VOCABULARY.verbs.iter().filter(|verb| sent(verb.role));
        Self {
            capabilities: Capabilities {
                mode: Mode::Breaks,
                verbs: verbs.map(|verb| verb.name).collect(),
                limits: Vec::new(),
            },
        }
    }
}

impl Default for Native {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Backend for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn missing(&self, trace: &Trace) -> Vec<Unsupported> {
        let steps = trace.steps().filter_map(|step| {
            let what = missing_in(&step)?;
            Some(Unsupported {
                step: Some(step.id()),
                what,
            })
        });
        steps.collect()
    }

    fn client(&self, context: ClientContext) -> Box<dyn Connection> {
        let name = context.trace.client(context.client).name().to_owned();
        Box::new(Client {
            shared: Shared::new(context),
            lane: 0,
            name,
        })
    }
}

/// What a step needs that is not there.
fn missing_in(step: &Step<'_>) -> Option<String> {
    let verb = step.verb().name;
    let operation = Operation::decode(step).ok()?;
    let single = request::is_request(&operation);
    let in_compound = !single && (step.compounded() || precedes_compound(step));
    in_compound.then(|| format!("{verb} in a compound"))
}

/// True when its client's next step is compounded with it.
fn precedes_compound(step: &Step<'_>) -> bool {
    let trace = step.trace();
    let later = (step.id().0 + 1..)
        .map(StepId)
        .take(trace.len() - 1 - step.id().0 as usize);
    let next = later
        .map(|id| trace.step(id))
        .find(|next| next.client() == step.client());
    next.is_some_and(|next| next.compounded())
}

/// A client: the owner of a connection, or a lane on another's.
struct Client {
    shared: Arc<Shared>,
    lane: u16,
    name: String,
}

#[async_trait]
impl Connection for Client {
    fn submit(&mut self, ops: &[Op]) {
        self.shared.submit(self.lane, ops);
    }

    fn lane(&mut self, context: ClientContext) -> Result<Box<dyn Connection>, Unsupported> {
        let client = context.trace.client(context.client);
        let name = client.name().to_owned();
        if is_channel(client) {
            return Ok(Box::new(Client {
                shared: self.shared.channel(context),
                lane: 0,
                name,
            }));
        }
        match self.shared.add_lane(context) {
            Ok(lane) => Ok(Box::new(Client {
                shared: self.shared.clone(),
                lane,
                name,
            })),
            Err(reason) => Err(Unsupported {
                step: None,
                what: format!("client {name}: {reason}"),
            }),
        }
    }

    async fn close(self: Box<Self>) -> Result<(), CloseError> {
        if self.lane != 0 {
            close::lane(&self.shared, self.lane);
            return Ok(());
        }
        let closed = close::connection(&self.shared).await;
        closed.map_err(|reason| CloseError {
            client: self.name,
            reason,
        })
    }
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without a source of randomness nothing on this machine can run; a GUID of zeros would only hide it.
    #[allow(clippy::expect_used)]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
