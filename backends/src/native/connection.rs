//! A connection and the clients on it: what is submitted becomes requests, what is received becomes reports.
//!
//! All clients (lanes) of a connection share one [`Shared`] behind a lock that is held for a request or a response at a
//! time. Setting the connection up is [`login`](super::login)'s part, moving its bytes [`pump`](super::pump)'s, ending
//! it in good order [`close`](super::close)'s.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use replay_engine::{ClientContext, Events, Op, Outcome};
use replay_ir::{ClientId, Trace};
use smb_vocabulary::{ClientSettings, PreviousSession, Principals, answer};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::group::Group;
use super::opens::SharedOpens;
use super::pending::Waiter;
use super::registry::Registry;
use super::sessions::OwnSession;
use super::setup::{Ready, Setup};
use super::transport::{SendError, Transport};
use super::{breaks, login, pump};

/// A connection with all that belongs to it.
pub(super) struct Shared {
    /// What the client that owns it was given.
    pub(super) context: ClientContext,
    /// The channels of its session.
    pub(super) group: Arc<Group>,
    /// It is a further channel of another client's session.
    is_channel: bool,
    /// Something has settled that [`close`](super::close) may wait for.
    pub(super) settled: Notify,
    /// What the run's clients know of each other.
    pub(super) registry: Arc<Registry>,
    state: Mutex<State>,
}

/// What changes.
pub(super) struct State {
    /// The clients on the connection; the first is its owner.
    pub(super) lanes: Vec<Events>,
    /// What is special about them, beside the owner.
    pub(super) own: Vec<OwnSession>,
    /// The logins that are under way on the established connection.
    pub(super) setups: Vec<Setup>,
    /// Who waits until all sessions on the connection are there.
    pub(super) ready: Option<Ready>,
    /// The client that owns the connection.
    pub(super) owner: ClientId,
    /// The trace that is played.
    pub(super) trace: Arc<Trace>,
    /// Where it stands.
    pub(super) phase: Phase,
    /// What is open on it, and on the other connections of its ClientGuid.
    pub(super) opens: SharedOpens,
    /// Whom the names in security descriptors stand for.
    pub(super) principals: Principals,
    /// Counts the connections made, so that what is left of an earlier one is known as such.
    pub(super) generation: u32,
    /// Acknowledgements that are to be sent later and have no task yet.
    pub(super) later: Vec<breaks::Later>,
    /// The session that was lost with the last connection; the next login names it as its predecessor.
    pub(super) lost_session: u64,
    /// The channels of its session.
    pub(super) group: Arc<Group>,
    /// What the run's clients know of each other.
    pub(super) registry: Arc<Registry>,
}

/// Where a connection stands.
pub(super) enum Phase {
    /// Not connected, and why.
    Down(String),
    /// Being set up.
    Connecting {
        /// Who waits for it.
        waiters: Vec<(u16, Op)>,
        /// Ends the attempt.
        attempt: AbortHandle,
    },
    /// Established.
    Up(Box<Transport>),
}

/// How a connection came to its end.
pub(super) enum End {
    /// The server closed it, or the network did.
    Lost(String),
    /// The server broke the protocol. The text belongs to the request with this message id, or to all in flight.
    Violation(Option<u64>, String),
}

impl Shared {
    /// A connection that is not set up, with its owner as its only client.
    pub(super) fn new(context: ClientContext) -> Arc<Self> {
        let registry = Registry::of(&context);
        let group = Arc::new(Group::new(&context, &registry));
        Self::with_group(context, group, false)
    }

    /// A further channel of this one's session, not bound yet. It logs in as the same identity, unless its line names
    /// another.
    pub(super) fn channel(&self, mut context: ClientContext) -> Arc<Self> {
        let settings = ClientSettings::of(&context.trace, context.trace.client(context.client));
        if settings.is_ok_and(|settings| settings.user.is_none()) {
            context.identity.clone_from(&self.context.identity);
        }
        Self::with_group(context, self.group.clone(), true)
    }

    fn with_group(context: ClientContext, group: Arc<Group>, is_channel: bool) -> Arc<Self> {
        let trace = context.trace.clone();
        let registry = Registry::of(&context);
        let realm = context.target.realm.as_ref();
        let domain = realm.and_then(|realm| realm.sid.as_deref());
        let state = State {
            lanes: vec![context.events.clone()],
            own: Vec::new(),
            setups: Vec::new(),
            ready: None,
            owner: context.client,
            trace: trace.clone(),
            phase: Phase::Down("it has not connected".to_owned()),
            opens: group.peers.opens.clone(),
            principals: Principals::new(&*context.sids).in_domain(domain),
            generation: 0,
            later: Vec::new(),
            lost_session: 0,
            group: group.clone(),
            registry: registry.clone(),
        };
        let shared = Arc::new(Self {
            context,
            group,
            is_channel,
            settled: Notify::new(),
            registry,
            state: Mutex::new(state),
        });
        shared.group.peers.add(&shared);
        shared
    }

    /// What is done about the other connections of the ClientGuid when a step may go on there, or a handle is to be closed:
    /// one after the other is locked, this one not.
    pub(super) fn release_others(&self, before: u64) {
        let opens = self.group.peers.opens.lock();
        let concerned = opens.released() != before || opens.closes_elsewhere();
        drop(opens);
        if concerned {
            for other in self.group.peers.others(self) {
                let mut state = other.lock();
                breaks::close_own(&mut state);
                other.release(&mut state);
            }
        }
    }

    /// Whether it must be bound rather than log in: it is a further channel, or its session lives on another.
    fn is_to_be_bound(&self) -> bool {
        self.is_channel || self.group.is_alive()
    }

    /// True when it ends the session in good order with itself: the owner's connection does, or what is left of it.
    pub(super) fn ends_session(&self) -> bool {
        !self.is_channel || {
            let others = self.group.others(self);
            let owner = others.iter().find(|other| !other.is_channel);
            owner.is_none_or(|owner| !matches!(owner.lock().phase, Phase::Up(_)))
        }
    }

    /// Nothing that is done under the lock can panic half-way in a way that matters more than the panic itself.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A further client on the connection; the index of its lane. The error says why there can be none.
    pub(super) fn add_lane(&self, context: ClientContext) -> Result<u16, String> {
        let mut state = self.lock();
        let lane = u16::try_from(state.lanes.len())
            .map_err(|_| "more than 65536 clients on one connection".to_owned())?;
        state.lanes.push(context.events.clone());
        let slot = state.own.len() + 1;
        let own = OwnSession::new(lane, slot, context)?;
        state.own.extend(own);
        Ok(lane)
    }

    /// Connects, or waits with others who want the same.
    pub(super) fn connect(
        self: &Arc<Self>,
        state: &mut State,
        lane: u16,
        op: Op,
        previous: PreviousSession<'_>,
    ) {
        let previous = match previous {
            PreviousSession::Own => state.lost_session,
            PreviousSession::None => 0,
            PreviousSession::Of(name) => self.last_session(name),
        };
        let slot = state.slot(lane);
        let events = &state.lanes[usize::from(lane)];
        match &mut state.phase {
            Phase::Connecting { waiters, .. } => waiters.push((lane, op)),
            Phase::Up(transport) => {
                let logged_in = transport.session(slot).is_some_and(|slot| slot.logged_in);
                match (lane, slot) {
                    (1.., 0) => events.done(op, answered(0)),
                    // A `disconnect` before it that was not run, for what it waits for did not come, is the server's doing as
                    // often as the trace's.
                    _ if logged_in => {
                        let reason =
                            "the client is connected already; `disconnect` or `logoff` comes first";
                        events.done(op, Outcome::Lost(reason.to_owned()));
                    }
                    _ => self.log_in(state, lane, op, previous),
                }
            }
            Phase::Down(why) if slot != 0 => {
                let reason = format!("the connection that it is on is down: {why}");
                events.done(op, Outcome::Lost(reason));
            }
            Phase::Down(_) => {
                state.generation += 1;
                let start = match self.is_to_be_bound() {
                    true => login::Start::Bind,
                    false => login::Start::LogIn { previous },
                };
                let attempt = tokio::spawn(login::run(self.clone(), state.generation, start));
                let attempt = attempt.abort_handle();
                state.phase = Phase::Connecting {
                    waiters: vec![(lane, op)],
                    attempt,
                };
            }
        }
    }

    /// The attempt to connect has ended.
    pub(super) fn connected(
        self: &Arc<Self>,
        generation: u32,
        result: Result<login::Connected, Outcome>,
    ) {
        let mut state = self.lock();
        let state = &mut *state;
        if state.generation != generation {
            return;
        }
        let Phase::Connecting { waiters, .. } = &mut state.phase else {
            return;
        };
        let waiters = std::mem::take(waiters);
        let outcome = match result {
            Ok(connected) => {
                let mut transport = connected.transport;
                let task = tokio::spawn(pump::run(self.clone(), generation, connected.reader));
                transport.set_pump(task.abort_handle());
                state.phase = Phase::Up(transport);
                self.group.up();
                let outcome = Outcome::Answered(connected.answer);
                // The owner's connection is there when all who are on it are.
                if self.log_in_all(state, &waiters, &outcome) {
                    return;
                }
                outcome
            }
            Err(outcome) => {
                state.phase = Phase::Down("it could not connect".to_owned());
                outcome
            }
        };
        for (lane, op) in waiters {
            state.lanes[usize::from(lane)].done(op, outcome.clone());
        }
    }

    /// Ends the connection of `generation`, if it is still there.
    pub(super) fn end_of(&self, generation: u32, end: End) {
        let mut state = self.lock();
        if state.generation == generation && matches!(state.phase, Phase::Up(_)) {
            self.end(&mut state, end, true);
        }
    }

    /// Ends the connection without a word, and reports it to whoever has something in flight and, if `tell`, to all.
    /// Its socket is closed when what is left of it is dropped.
    pub(super) fn end(&self, state: &mut State, end: End, tell: bool) -> Option<OwnedWriteHalf> {
        let mut socket = None;
        let (why, culprit, violation) = match end {
            End::Lost(why) => (why, None, false),
            End::Violation(culprit, why) => (why, culprit, true),
        };
        for later in std::mem::take(&mut state.later) {
            later.forget(&mut state.opens.lock());
        }
        let mut alone = true;
        match std::mem::replace(&mut state.phase, Phase::Down(why.clone())) {
            Phase::Down(_) => return None,
            Phase::Connecting { waiters, attempt } => {
                attempt.abort();
                for (lane, op) in waiters {
                    state.lanes[usize::from(lane)].done(op, Outcome::Lost(why.clone()));
                }
            }
            Phase::Up(mut transport) => {
                if let Some(recorder) = &transport.recorder {
                    recorder.ended(tell && !violation, &why);
                }
                let last = self.group.down();
                alone = last;
                let group = self.group.number;
                state.opens.lock().end_of_connection(group, last);
                let owner = transport.session(0).filter(|session| session.logged_in);
                state.lost_session = owner.filter(|_| last).map_or(0, |session| session.id);
                let guilty = culprit.and_then(|id| transport.pending.remove(id));
                let culprit = guilty.map(|pending| pending.waiter);
                if let Some(Waiter::Op { lane, op }) = culprit {
                    state.lanes[usize::from(lane)].done(op, Outcome::Violation(why.clone()));
                }
                if tell && !violation {
                    state.disconnected(transport.take_edited());
                }
                let logging_in = match culprit {
                    Some(Waiter::Setup { lane }) => Some(lane),
                    _ => None,
                };
                state.abandon_setups(&why, logging_in);
                for (lane, op) in transport.take_operations() {
                    let outcome = match violation && guilty.is_none() {
                        true => Outcome::Violation(why.clone()),
                        false => Outcome::Lost(why.clone()),
                    };
                    state.lanes[usize::from(lane)].done(op, outcome);
                }
                socket = Some(transport.end());
            }
        }
        if tell {
            tracing::debug!(client = self.context.client.0, why, "connection ended");
            // While another channel lives, what waits for a break may still get one.
            let lanes = state.lanes.iter().filter(|_| alone);
            lanes.for_each(|events| events.lost(&why));
        }
        self.settled.notify_waiters();
        socket
    }
}

impl State {
    /// The established connection.
    pub(super) fn transport(&mut self) -> Option<&mut Transport> {
        match &mut self.phase {
            Phase::Up(transport) => Some(transport),
            _ => None,
        }
    }

    /// True when something is in flight, so that credits may still come.
    pub(super) fn is_busy(&mut self) -> bool {
        self.transport()
            .is_some_and(|transport| !transport.pending.is_empty())
    }

    pub(super) fn fail(&self, lane: u16, ops: &[Op], outcome: &Outcome) {
        let events = &self.lanes[usize::from(lane)];
        ops.iter().for_each(|op| events.done(*op, outcome.clone()));
    }

    /// Asks the server to cancel `op`, if it is in flight.
    pub(super) fn cancel(&mut self, op: Op) -> Result<(), SendError> {
        match &mut self.phase {
            Phase::Up(transport) => match transport.pending.find(op).copied() {
                Some(pending) => transport.cancel(pending),
                None => Ok(()),
            },
            Phase::Connecting { .. } => Ok(()),
            Phase::Down(why) => Err(SendError::Down(why.clone())),
        }
    }

    /// Reports the end of an operation.
    pub(super) fn report(&self, at: Instant, waiter: Waiter, outcome: Outcome) {
        if let Waiter::Op { lane, op } = waiter {
            self.lanes[usize::from(lane)].done_at(at, op, outcome);
        }
    }
}

pub(super) fn answered(status: u32) -> Outcome {
    Outcome::Answered(answer::status(status))
}
