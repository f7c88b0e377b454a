//! A connection and the clients on it: what is submitted becomes requests, what is received becomes reports.
//!
//! All clients (lanes) of a connection share one [`Shared`] behind a lock that is held for a request or a response at a
//! time. Setting the connection up is [`login`](super::login)'s part, moving its bytes [`pump`](super::pump)'s, ending
//! it in good order [`close`](super::close)'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use replay_engine::{ClientContext, Events, Op, Outcome, Reaction};
use replay_ir::{ClientId, StepId, Trace};
use smb_vocabulary::{
    ArgError, Chain, Create, HeaderOptions, Operation, PreviousSession, Principals, WireEdits,
    answer,
};
use smb_wire::fscc::ResumeKey;
use smb_wire::{FileId, Guid, Request};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::durable;
use super::opens::Opens;
use super::pending::Waiter;
use super::registry::Registry;
use super::request::{self, Scope};
use super::sessions::{OwnSession, Ready, Setup, Tree};
use super::transport::{Held, Item, SendError, Transport};
use super::{breaks, ioctl, login, pump};

/// A connection with all that belongs to it.
pub(super) struct Shared {
    /// What the client that owns it was given.
    pub(super) context: ClientContext,
    /// ClientGuid.
    pub(super) client_guid: Guid,
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
    /// What is open on it.
    pub(super) opens: Opens,
    /// Whom the names in security descriptors stand for.
    pub(super) principals: Principals,
    /// Resume keys, by the steps that asked for them.
    pub(super) resume_keys: HashMap<StepId, ResumeKey>,
    /// Counts the connections made, so that what is left of an earlier one is known as such.
    pub(super) generation: u32,
    /// Acknowledgements that are to be sent later and have no task yet.
    pub(super) later: Vec<breaks::Later>,
    /// Counts them.
    pub(super) alarms: u64,
    /// The session that was lost with the last connection; the next login names it as its predecessor.
    pub(super) lost_session: u64,
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

/// One operation on its way to the wire.
struct Member<'t> {
    op: Op,
    operation: Operation<'t>,
    header: HeaderOptions<'t>,
    /// The step that opened the handle which it uses.
    opened_by: Option<StepId>,
    /// How the trace wants it in a compound.
    chain: Option<Chain>,
    /// What makes it wrong on purpose.
    edits: Option<WireEdits>,
}

impl Shared {
    /// A connection that is not set up, with its owner as its only client.
    pub(super) fn new(context: ClientContext) -> Self {
        let trace = context.trace.clone();
        let registry = context.run.get_or_init(|| Registry::new(&trace));
        let state = State {
            lanes: vec![context.events.clone()],
            own: Vec::new(),
            setups: Vec::new(),
            ready: None,
            owner: context.client,
            trace: trace.clone(),
            phase: Phase::Down("it has not connected".to_owned()),
            opens: Opens::default(),
            principals: Principals::new(&*context.sids),
            resume_keys: HashMap::new(),
            generation: 0,
            later: Vec::new(),
            alarms: 0,
            lost_session: 0,
            registry: registry.clone(),
        };
        Self {
            context,
            client_guid: Guid(super::random()),
            settled: Notify::new(),
            registry,
            state: Mutex::new(state),
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

    /// Starts what a client submits.
    pub(super) fn submit(self: &Arc<Self>, lane: u16, ops: &[Op]) {
        let mut state = self.lock();
        match self.members(ops) {
            Err(reason) => state.fail(lane, ops, &Outcome::Broken(reason)),
            Ok(members) => {
                for member in &members {
                    if let Some(silence) = member.silence() {
                        self.give_up_after(member.op, silence);
                    }
                }
                match &members[..] {
                    [member] => self.submit_one(&mut state, lane, member),
                    members => self.send(&mut state, lane, members),
                }
            }
        }
        self.release(&mut state);
    }

    fn members(&self, ops: &[Op]) -> Result<Vec<Member<'_>>, String> {
        let member = |op: &Op| {
            let own = |operation| Member {
                op: *op,
                operation,
                header: HeaderOptions::default(),
                opened_by: None,
                chain: None,
                edits: None,
            };
            Ok(match *op {
                Op::Connect => own(Operation::Connect {
                    previous: PreviousSession::Own,
                }),
                Op::RoundTrip => own(Operation::Echo),
                Op::Step(id) => {
                    let step = self.context.trace.step(id);
                    let unfit = |error: ArgError| error.to_string();
                    Member {
                        header: HeaderOptions::decode(&step).map_err(unfit)?,
                        opened_by: step.opened_by(),
                        chain: smb_vocabulary::chain(&step),
                        edits: WireEdits::decode(&step).map_err(unfit)?,
                        ..own(Operation::decode(&step).map_err(unfit)?)
                    }
                }
            })
        };
        ops.iter().map(member).collect()
    }

    fn submit_one(self: &Arc<Self>, state: &mut State, lane: u16, member: &Member<'_>) {
        match &member.operation {
            Operation::Connect { previous } => self.connect(state, lane, member.op, *previous),
            Operation::Reauthenticate => self.reauthenticate(state, lane, member.op),
            Operation::Disconnect => {
                self.end(
                    state,
                    End::Lost("the trace disconnected it".to_owned()),
                    false,
                );
                state.lanes[usize::from(lane)].done(member.op, answered(0));
            }
            Operation::OnBreak(on_break) => match state.on_break(member.opened_by, on_break) {
                Ok(()) => state.lanes[usize::from(lane)].done(member.op, answered(0)),
                Err(reason) => {
                    self.failed(state, lane, &[member.op], SendError::Impossible(reason));
                }
            },
            Operation::Cancel { step } => {
                let cancelled = state.cancel(Op::Step(*step));
                match cancelled {
                    Ok(()) => state.lanes[usize::from(lane)].done(member.op, answered(0)),
                    Err(error) => self.failed(state, lane, &[member.op], error),
                }
            }
            Operation::Raw { bytes, length, .. } => {
                let waiter = Waiter::Op {
                    lane,
                    op: member.op,
                };
                let sent = match &mut state.phase {
                    Phase::Up(transport) => transport.send_raw(bytes, *length, waiter),
                    _ => Err(SendError::Down("it is not connected".to_owned())),
                };
                if let Err(error) = sent {
                    self.failed(state, lane, &[member.op], error);
                }
            }
            _ => self.send(state, lane, std::slice::from_ref(member)),
        }
    }

    /// Connects, or waits with others who want the same.
    fn connect(
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
                    _ if logged_in => {
                        let reason =
                            "the client is connected already; `disconnect` or `logoff` comes first";
                        events.done(op, Outcome::Broken(reason.to_owned()));
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
                let attempt = tokio::spawn(login::run(self.clone(), state.generation, previous));
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

    /// Sends the members of a frame, or lets them wait for credits.
    fn send(&self, state: &mut State, lane: u16, members: &[Member<'_>]) {
        let ops = || members.iter().map(|member| member.op).collect::<Vec<_>>();
        if members.iter().any(|member| member.waits(&state.opens))
            && let Phase::Up(transport) = &mut state.phase
        {
            let (ops, since) = (ops(), Instant::now());
            transport.held.push(Held { lane, ops, since });
            return;
        }
        if let Phase::Up(transport) = &mut state.phase
            && !transport.queue.is_empty()
        {
            transport.queue.push_back((lane, ops()));
            return;
        }
        match self.try_send(state, lane, members) {
            Ok(()) => {}
            Err(SendError::Credits { .. }) if state.is_busy() => {
                if let Phase::Up(transport) = &mut state.phase {
                    transport.queue.push_back((lane, ops()));
                }
            }
            Err(error) => self.failed(state, lane, &ops(), error),
        }
    }

    fn try_send(
        &self,
        state: &mut State,
        lane: u16,
        members: &[Member<'_>],
    ) -> Result<(), SendError> {
        let slot = state.slot(lane);
        if let Some(reason) = state.shut_out(lane) {
            return Err(SendError::Down(reason));
        }
        let State {
            phase,
            opens,
            principals,
            resume_keys,
            ..
        } = state;
        let transport = match phase {
            Phase::Up(transport) => transport,
            Phase::Connecting { .. } => return Err(SendError::Down("it is connecting".to_owned())),
            Phase::Down(why) => return Err(SendError::Down(why.clone())),
        };
        let target = &self.context.target;
        let validation = transport.validation.clone();
        let scope = Scope {
            host: &target.host,
            root: &target.root,
            dialect: transport.negotiated.dialect,
            principals,
            registry: &self.registry,
            known: ioctl::Known {
                opens,
                resume_keys,
                validation: &validation,
            },
        };
        let mut items = Vec::with_capacity(members.len());
        let mut before: Option<&Member<'_>> = None;
        for member in members {
            let related = match member.chain {
                Some(chain) => chain != Chain::Unrelated,
                None => before.is_some_and(|before| member.is_related_to(before)),
            };
            let opened_here = |step| members.iter().any(|other| other.op == Op::Step(step));
            let file_id = match (related, member.opened_by) {
                (true, _) => FileId::RELATED,
                (false, None) => FileId::default(),
                // Nobody can know it yet; a trace that wants this anyway sends the same all ones.
                (false, Some(step)) if opened_here(step) => FileId::RELATED,
                (false, Some(step)) => opens.file_id(step).ok_or_else(|| {
                    let handle = request::handle(&member.operation).unwrap_or_default();
                    SendError::Impossible(format!("handle `{handle}` is not open"))
                })?,
            };
            let body = match (&member.operation, member.opened_by) {
                (Operation::Acknowledge(acknowledge), Some(step)) => {
                    breaks::explicit(&*opens, step, file_id, acknowledge)
                }
                (operation, _) => {
                    request::body(operation, file_id, &scope).map_err(SendError::Impossible)?
                }
            };
            items.push(Item {
                payload: request::payload(&member.operation),
                related,
                inherit: member.chain == Some(Chain::Inherit),
                waiter: Waiter::Op {
                    lane,
                    op: member.op,
                },
                sign: false,
                session: slot,
                tree: tree_of(member, slot, transport, opens)?,
                replay: member.header.replay,
                channel_sequence: member.header.channel_sequence.unwrap_or(0),
                edits: member.edits.clone(),
                closes: member
                    .opened_by
                    .filter(|_| matches!(member.operation, Operation::Close { .. })),
                body,
            });
            before = Some(member);
        }
        transport.send(&items)?;
        for (member, item) in members.iter().zip(&items) {
            match (&member.operation, member.op, member.opened_by) {
                (Operation::Create(create), Op::Step(step), _) => {
                    self.opening(state, step, create, &item.body);
                }
                (Operation::Reconnect(reconnect), Op::Step(step), _) => {
                    self.opening(state, step, &reconnect.create, &item.body);
                }
                (Operation::Close { .. }, _, Some(step)) => state.opens.closing(step),
                (Operation::Acknowledge(acknowledge), _, Some(step)) => {
                    state.acknowledged(step, acknowledge);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends what waited for an acknowledgement, as far as it need not wait any more.
    pub(super) fn release(&self, state: &mut State) {
        let Phase::Up(transport) = &mut state.phase else {
            return;
        };
        for held in std::mem::take(&mut transport.held) {
            let Held { lane, ops, since } = held;
            match self.members(&ops) {
                Ok(members) if members.iter().any(|member| member.waits(&state.opens)) => {
                    if let Phase::Up(transport) = &mut state.phase {
                        transport.held.push(Held { lane, ops, since });
                    }
                }
                Ok(members) => {
                    for op in &ops {
                        if let Op::Step(step) = *op {
                            let time = since.elapsed();
                            state.lanes[usize::from(lane)].reacted(Reaction::Held { step, time });
                        }
                    }
                    self.send(state, lane, &members);
                }
                Err(reason) => state.fail(lane, &ops, &Outcome::Broken(reason)),
            }
        }
    }

    /// A CREATE has been sent for a step.
    fn opening(&self, state: &mut State, step: StepId, create: &Create<'_>, request: &Request) {
        if let Some(lease) = create.lease {
            state.opens.lease_asked(step, lease.key);
        }
        if let Request::Create(request) = request
            && self.registry.wants(step)
        {
            self.registry.sent(step, durable::create_guid(request));
        }
    }

    /// What could not be sent is reported.
    fn failed(&self, state: &mut State, lane: u16, ops: &[Op], error: SendError) {
        let reason = error.to_string();
        match error {
            SendError::Impossible(_) => state.fail(lane, ops, &Outcome::Broken(reason)),
            SendError::Down(_) => state.fail(lane, ops, &Outcome::Lost(reason)),
            SendError::Credits { .. } => state.fail(lane, ops, &Outcome::Violation(reason)),
            SendError::Io(_) => {
                state.fail(lane, ops, &Outcome::Lost(reason.clone()));
                self.end(state, End::Lost(reason), true);
            }
        }
    }

    /// Sends what waited for credits, as far as they go now.
    pub(super) fn send_queued(&self, state: &mut State) {
        loop {
            let Phase::Up(transport) = &mut state.phase else {
                return;
            };
            let Some((lane, ops)) = transport.queue.pop_front() else {
                return;
            };
            let sent = match self.members(&ops) {
                Ok(members) => self.try_send(state, lane, &members),
                Err(reason) => Err(SendError::Impossible(reason)),
            };
            match sent {
                Ok(()) => {}
                Err(SendError::Credits { .. }) if state.is_busy() => {
                    if let Phase::Up(transport) = &mut state.phase {
                        transport.queue.push_front((lane, ops));
                    }
                    return;
                }
                Err(error) => self.failed(state, lane, &ops, error),
            }
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
    pub(super) fn end(&self, state: &mut State, end: End, tell: bool) {
        let (why, culprit, violation) = match end {
            End::Lost(why) => (why, None, false),
            End::Violation(culprit, why) => (why, culprit, true),
        };
        state.opens.clear();
        state.later.clear();
        match std::mem::replace(&mut state.phase, Phase::Down(why.clone())) {
            Phase::Down(_) => return,
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
                let owner = transport.session(0).filter(|session| session.logged_in);
                state.lost_session = owner.map_or(0, |session| session.id);
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
                transport.end();
            }
        }
        if tell {
            tracing::debug!(client = self.context.client.0, why, "connection ended");
            state.lanes.iter().for_each(|events| events.lost(&why));
        }
        self.settled.notify_waiters();
    }
}

impl Member<'_> {
    /// True while it must wait because a break of its handle is to be acknowledged first. What ends the break goes.
    fn waits(&self, opens: &Opens) -> bool {
        let ends_it = matches!(
            self.operation,
            Operation::Close { .. } | Operation::Acknowledge(_)
        );
        !ends_it && self.opened_by.is_some_and(|step| opens.holds(step))
    }

    /// How long the trace waits for an answer that may not come.
    fn silence(&self) -> Option<u64> {
        match &self.operation {
            Operation::Raw { silence, .. } => *silence,
            _ => self.edits.as_ref()?.silence,
        }
    }

    /// True when this one works on the open that `before` makes or uses: then it is sent as related to it
    /// (MS-SMB2 3.2.4.1.4).
    fn is_related_to(&self, before: &Member<'_>) -> bool {
        let subject = match (&before.operation, before.op) {
            (Operation::Create(_) | Operation::Reconnect(_), Op::Step(step)) => Some(step),
            _ => before.opened_by,
        };
        self.opened_by.is_some() && self.opened_by == subject
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
    fn is_busy(&mut self) -> bool {
        self.transport()
            .is_some_and(|transport| !transport.pending.is_empty())
    }

    pub(super) fn fail(&self, lane: u16, ops: &[Op], outcome: &Outcome) {
        let events = &self.lanes[usize::from(lane)];
        ops.iter().for_each(|op| events.done(*op, outcome.clone()));
    }

    /// Asks the server to cancel `op`, if it is in flight.
    fn cancel(&mut self, op: Op) -> Result<(), SendError> {
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

/// On which tree a step works: the one that it names, or that of its handle if the handle is of its own session.
fn tree_of(
    member: &Member<'_>,
    slot: u16,
    transport: &Transport,
    opens: &Opens,
) -> Result<Option<Tree>, SendError> {
    if let Some(name) = member.header.tree {
        let named = transport
            .session(slot)
            .and_then(|session| session.named(name));
        return match named {
            Some(tree) => Ok(Some(tree)),
            None => Err(SendError::Impossible(format!(
                "tree `{name}` is not connected"
            ))),
        };
    }
    let home = member.opened_by.and_then(|step| opens.home(step));
    Ok(home
        .filter(|home| home.session == slot)
        .and_then(|home| home.tree))
}

pub(super) fn answered(status: u32) -> Outcome {
    Outcome::Answered(answer::status(status))
}
