//! What the clients on a connection submit: operations become requests, at once or when what they wait for is there.

use std::sync::Arc;
use std::time::Instant;

use replay_engine::{ClientContext, Op, Outcome, Reaction};
use replay_ir::StepId;
use smb_vocabulary::{
    Chain, ClientSettings, Create, HeaderOptions, Operation, PreviousSession, StepRequest,
    WireEdits,
};
use smb_wire::{FileId, Request};

use super::connection::{End, Phase, Shared, State, answered};
use super::group::Group;
use super::item::Item;
use super::opens::Opens;
use super::pending::Waiter;
use super::request::{self, Scope, durable};
use super::sessions::Tree;
use super::transport::{Held, SendError, Transport};
use super::{breaks, leave};

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
    /// Starts what a client submits.
    pub(super) fn submit(self: &Arc<Self>, lane: u16, ops: &[Op]) {
        let mut state = self.lock();
        let released = state.opens.lock().released();
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
        drop(state);
        self.release_others(released);
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
                    let request = StepRequest::decode(&step).map_err(|error| error.to_string())?;
                    Member {
                        op: *op,
                        operation: request.operation,
                        header: request.header,
                        opened_by: step.opened_by(),
                        chain: request.chain,
                        edits: request.edits,
                    }
                }
            })
        };
        ops.iter().map(member).collect()
    }

    fn submit_one(self: &Arc<Self>, state: &mut State, lane: u16, member: &Member<'_>) {
        match &member.operation {
            Operation::Connect { previous } => self.connect(state, lane, member.op, *previous),
            Operation::Reauthenticate { wrong_password } => {
                self.reauthenticate(state, lane, member.op, *wrong_password);
            }
            Operation::Disconnect => {
                let end = End::Lost("the trace disconnected it".to_owned());
                let socket = self.end(state, end, false);
                let (events, op) = (state.lanes[usize::from(lane)].clone(), member.op);
                match socket {
                    Some(socket) => drop(tokio::spawn(async move {
                        leave::leave(socket).await;
                        events.done(op, answered(0));
                    })),
                    None => events.done(op, answered(0)),
                }
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

    /// Sends the members of a frame, or lets them wait for credits.
    fn send(&self, state: &mut State, lane: u16, members: &[Member<'_>]) {
        let ops = || members.iter().map(|member| member.op).collect::<Vec<_>>();
        if members
            .iter()
            .any(|member| member.waits(&state.opens.lock()))
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
        let connects = |member: &Member<'_>| {
            matches!(member.operation, Operation::TreeConnect { share: None, .. })
        };
        // Most frames connect nothing, and need not read the client's line.
        let share = match members.iter().any(connects) {
            true => own_share(state.own_context(lane).unwrap_or(&self.context)),
            false => String::new(),
        };
        let State {
            phase,
            opens,
            principals,
            ..
        } = state;
        let transport = match phase {
            Phase::Up(transport) => transport,
            Phase::Connecting { .. } => return Err(SendError::Down("it is connecting".to_owned())),
            Phase::Down(why) => return Err(SendError::Down(why.clone())),
        };
        let known = opens.lock();
        let opens = &*known;
        let sequence = self.group.sequence();
        let target = &self.context.target;
        let validation = transport.validation.clone();
        let scope = Scope {
            host: &target.host,
            share: &share,
            root: &target.root,
            dialect: transport.negotiated.dialect,
            principals,
            registry: &self.registry,
            opens,
            validation: &validation,
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
                    breaks::explicit(opens, step, file_id, acknowledge)
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
                tree: tree_of(member, slot, (transport, &self.group), opens)?,
                replay: member.header.replay,
                credits: member.header.credits,
                charge: member.header.charge,
                channel_sequence: member.header.channel_sequence.unwrap_or(sequence),
                edits: member.edits.clone(),
                closes: member
                    .opened_by
                    .filter(|_| matches!(member.operation, Operation::Close { .. })),
                body,
            });
            before = Some(member);
        }
        drop(known);
        transport.send(&items)?;
        for (member, item) in members.iter().zip(&items) {
            match (&member.operation, member.op, member.opened_by) {
                (Operation::Create(create), Op::Step(step), _) => {
                    self.opening(state, step, create, &item.body);
                }
                (Operation::Reconnect(reconnect), Op::Step(step), _) => {
                    self.opening(state, step, &reconnect.create, &item.body);
                }
                (Operation::Close { .. }, _, Some(step)) => state.opens.lock().closing(step),
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
                Ok(members)
                    if members
                        .iter()
                        .any(|member| member.waits(&state.opens.lock())) =>
                {
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
            let group = self.group.number;
            state.opens.lock().lease_asked(step, lease.key, group);
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

/// The share that a client's line says, or the run's.
fn own_share(context: &ClientContext) -> String {
    let client = context.trace.client(context.client);
    let settings = ClientSettings::of(&context.trace, client);
    let own = settings.ok().and_then(|settings| settings.share);
    own.unwrap_or(&context.target.share).to_owned()
}

/// On which tree a step works: the one that it names, or that of its handle if the handle is of its own session.
fn tree_of(
    member: &Member<'_>,
    slot: u16,
    (transport, group): (&Transport, &Group),
    opens: &Opens,
) -> Result<Option<Tree>, SendError> {
    if let Some(name) = member.header.tree {
        let named = transport
            .session(slot)
            .and_then(|session| session.named(name));
        let named = named.or_else(|| group.named(name).filter(|_| slot == 0));
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
