//! A client's task: sends in order, waits, and reports what comes.
//!
//! Every operation has a [`Ticket`], which reports exactly once: what came, or, when the task is ended or panics in
//! the middle, that nothing will. A step whose interim answer frees its lane goes on waiting in a task of its own.

use std::sync::Arc;
use std::time::Instant;

use replay_engine::{Events, Op, Outcome};
use replay_ir::{Answer, Step, StepId, Trace};
use smb::FileId;
use smb::msg_handler::IncomingMessage;
use smb_vocabulary::Operation;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::answer;
use super::client::Shared;
use super::exchange::{Cancellable, Pending, Request};
use super::failure::Failure;
use super::frame;
use super::link::{Link, Tree};
use super::request::{self, Body};

/// The duty to report the end of an operation.
struct Ticket {
    events: Events,
    op: Op,
    open: bool,
}

impl Ticket {
    fn new(events: &Events, op: Op) -> Self {
        Self {
            events: events.clone(),
            op,
            open: true,
        }
    }

    fn done(self, outcome: impl Into<Outcome>) {
        self.done_at(Instant::now(), outcome);
    }

    fn done_at(mut self, at: Instant, outcome: impl Into<Outcome>) {
        self.open = false;
        self.events.done_at(at, self.op, outcome.into());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            let outcome = match std::thread::panicking() {
                true => Outcome::Broken("the backend, or the smb crate below it, panicked".into()),
                false => Outcome::Lost("the client was closed".into()),
            };
            self.events.done(self.op, outcome);
        }
    }
}

/// A step that was sent and waits for its answer.
struct Waiting {
    ticket: Ticket,
    step: StepId,
    pending: Pending,
    link: Arc<Link>,
    cancel: Cancellable,
}

/// What a client's task works with.
#[derive(Clone)]
pub(super) struct Worker {
    /// The trace whose steps are submitted.
    pub(super) trace: Arc<Trace>,
    /// Where it reports.
    pub(super) events: Events,
    /// The connection.
    pub(super) shared: Arc<Shared>,
}

impl Worker {
    /// Runs what is submitted until nothing can be any more.
    pub(super) async fn work(self, mut submitted: mpsc::UnboundedReceiver<Vec<Op>>) {
        let mut detached = JoinSet::new();
        while let Some(ops) = submitted.recv().await {
            let tickets: Vec<_> = ops
                .iter()
                .map(|op| Ticket::new(&self.events, *op))
                .collect();
            for waiting in self.run(tickets).await {
                detached.spawn(self.clone().wait(waiting, false));
            }
            while detached.try_join_next().is_some() {}
        }
    }

    /// Runs one submission. What comes back was answered for the time being, and is to be waited for elsewhere.
    async fn run(&self, mut tickets: Vec<Ticket>) -> Vec<Waiting> {
        let alone = match tickets.as_slice() {
            [only] => Some(only.op),
            _ => None,
        };
        let outcome = match alone {
            Some(op @ Op::Connect) => self.connect(op).await,
            Some(Op::RoundTrip) => self.round_trip().await,
            Some(op @ Op::Step(step)) => match Operation::decode(&self.trace.step(step)) {
                Ok(Operation::Connect { .. }) => self.connect(op).await,
                Ok(Operation::Disconnect) => self.disconnect().await,
                Ok(Operation::Cancel { step }) => self.cancel(step).await,
                _ => return self.send(tickets).await,
            },
            None => return self.send(tickets).await,
        };
        if let Some(ticket) = tickets.pop() {
            ticket.done(outcome.map_or_else(Outcome::from, Outcome::Answered));
        }
        Vec::new()
    }

    /// Connects; a step that asks for it while there is a connection is told that there is one.
    async fn connect(&self, op: Op) -> Result<Answer, Failure> {
        let setup = self
            .shared
            .setup
            .as_ref()
            .map_err(|what| Failure::Broken(what.clone()))?;
        if self.shared.slot().is_some() {
            return match op {
                Op::Connect => Ok(Answer::default()),
                _ => Err(Failure::Lost("the client is connected already".into())),
            };
        }
        let lanes = self.shared.lanes().clone();
        let (link, answer) = Link::connect(setup, lanes).await?;
        *self.shared.slot() = link;
        Ok(answer)
    }

    async fn disconnect(&self) -> Result<Answer, Failure> {
        let link = self.shared.slot().take();
        let link = link.ok_or_else(|| Failure::Lost("the client is not connected".into()))?;
        link.channel.close().await;
        Ok(Answer::default())
    }

    /// CANCEL has no answer. A step that is answered already is not there to cancel any more.
    async fn cancel(&self, step: StepId) -> Result<Answer, Failure> {
        let link = self.shared.link()?;
        if let Some(pending) = link.pending(step) {
            link.channel.cancel(&pending).await?;
        }
        Ok(Answer::default())
    }

    async fn round_trip(&self) -> Result<Answer, Failure> {
        let link = self.shared.link()?;
        let body = Body::from(smb::RequestContent::from(smb::EchoMessage::default()));
        let mut status = 0;
        for mut pending in link
            .channel
            .send(vec![link.request(body, None, false)])
            .await?
        {
            status = pending.next().await.message?.message.header.status;
        }
        Ok(Answer {
            status,
            ..Answer::default()
        })
    }

    /// Sends steps, several as a compound, and waits for their answers one after the other.
    async fn send(&self, tickets: Vec<Ticket>) -> Vec<Waiting> {
        let sent = match self.shared.link() {
            Ok(link) => self.dispatch(&link, &tickets).await,
            Err(failure) => Err(failure),
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(failure) => {
                for ticket in tickets {
                    ticket.done(failure.clone());
                }
                return Vec::new();
            }
        };
        let mut detached = Vec::new();
        for (ticket, (link, step, pending, cancel)) in tickets.into_iter().zip(sent) {
            let waiting = Waiting {
                ticket,
                step,
                pending,
                link,
                cancel,
            };
            detached.extend(self.clone().wait(waiting, true).await);
        }
        detached
    }

    async fn dispatch(
        &self,
        link: &Arc<Link>,
        tickets: &[Ticket],
    ) -> Result<Vec<(Arc<Link>, StepId, Pending, Cancellable)>, Failure> {
        let mut steps = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            match ticket.op {
                Op::Step(step) => steps.push(step),
                Op::Connect | Op::RoundTrip => {
                    return Err(Failure::Broken("only steps can be compounded".into()));
                }
            }
        }
        // A step that uses what an earlier one of the same frame opens cannot name it yet: the frame is a related
        // chain (MS-SMB2 3.2.4.1.4).
        let inside = |step: StepId| {
            let opener = self.trace.step(step).opened_by();
            opener.is_some_and(|opener| steps.contains(&opener))
        };
        let chain = steps.iter().any(|step| inside(*step));
        let mut requests = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            let related = chain && index > 0;
            requests.push(self.request(link, self.trace.step(*step), inside(*step), related)?);
        }
        let cancels: Vec<_> = requests.iter().map(cancellable).collect();
        let pending = link.channel.send(requests).await?;
        Ok(steps
            .into_iter()
            .zip(pending)
            .zip(cancels)
            .map(|((step, pending), cancel)| {
                let cancel = Cancellable {
                    id: pending.id,
                    ..cancel
                };
                (link.clone(), step, pending, cancel)
            })
            .collect())
    }

    fn request(
        &self,
        link: &Link,
        step: Step<'_>,
        inside: bool,
        related: bool,
    ) -> Result<Request, Failure> {
        let setup = self
            .shared
            .setup
            .as_ref()
            .map_err(|what| Failure::Broken(what.clone()))?;
        let operation =
            Operation::decode(&step).map_err(|error| Failure::Broken(error.to_string()))?;
        let (file, tree): (FileId, Option<Tree>) = match step.opened_by() {
            Some(_) if inside => (FileId::FULL, None),
            Some(opener) => {
                let (file, tree) = link.file(opener).ok_or_else(|| {
                    Failure::Broken("the handle is not open on this connection".into())
                })?;
                (file, Some(tree))
            }
            None => (FileId::EMPTY, None),
        };
        let body = request::body(&operation, file, &setup.place).map_err(Failure::Broken)?;
        let mut request = link.request(body, tree, related);
        if matches!(
            operation,
            Operation::Echo | Operation::Logoff | Operation::TreeConnect { .. }
        ) {
            request.tree = 0;
            request.protection = link.session.protection;
        }
        Ok(request)
    }

    /// Waits for the final answer and reports it; comes back with what is still pending when `free` and the step
    /// expects its interim answer.
    async fn wait(self, mut waiting: Waiting, free: bool) -> Option<Waiting> {
        let step = self.trace.step(waiting.step);
        loop {
            let arrival = waiting.pending.next().await;
            let message = match arrival.message {
                Ok(message) => message,
                Err(failure) => {
                    waiting.link.is_answered(waiting.step);
                    waiting.ticket.done_at(arrival.at, failure);
                    return None;
                }
            };
            let header = &message.message.header;
            if !frame::is_interim(header) {
                waiting.link.is_answered(waiting.step);
                let outcome = self.conclude(&waiting.link, step, message);
                let outcome = outcome.map_or_else(Outcome::from, Outcome::Answered);
                waiting.ticket.done_at(arrival.at, outcome);
                return None;
            }
            let cancel = Cancellable {
                async_id: header.async_id,
                ..waiting.cancel
            };
            waiting.link.is_pending(waiting.step, cancel);
            let interim = Answer {
                status: header.status,
                ..Answer::default()
            };
            self.events.interim(Op::Step(waiting.step), interim);
            if free && step.expect().is_pending() {
                return Some(waiting);
            }
        }
    }

    /// What an answer changes for the steps after it, and how it reads.
    fn conclude(
        &self,
        link: &Link,
        step: Step<'_>,
        message: IncomingMessage,
    ) -> Result<Answer, Failure> {
        let operation =
            Operation::decode(&step).map_err(|error| Failure::Broken(error.to_string()))?;
        let succeeded = message.message.header.status == 0;
        match &operation {
            Operation::Close { .. } => {
                if let Some(opener) = step.opened_by() {
                    link.closed(opener);
                }
            }
            Operation::TreeDisconnect if succeeded => link.tree_disconnected(),
            Operation::Logoff if succeeded => link.logged_off(),
            Operation::TreeConnect { .. } if succeeded => {
                return link
                    .tree_connected(message)
                    .map(|tree| answer::tree_connected(&tree));
            }
            Operation::Create(_) => {
                if let Some(file) = answer::opened_file(&message) {
                    link.opened(step.id(), file);
                }
            }
            _ => {}
        }
        answer::of(&operation, message)
    }
}

fn cancellable(request: &Request) -> Cancellable {
    Cancellable {
        id: 0,
        async_id: None,
        session: request.session,
        tree: request.tree,
        protection: request.protection,
    }
}

#[cfg(test)]
mod tests {
    use replay_engine::{EventKind, EventQueue};
    use replay_ir::ClientId;

    use super::*;

    /// How an operation is reported whose task ends with `end`.
    async fn reported(end: impl FnOnce(Ticket) + Send + 'static) -> Vec<Outcome> {
        let queue = EventQueue::new();
        let ticket = Ticket::new(&queue.events(ClientId(0)), Op::Connect);
        let _ = tokio::spawn(async move { end(ticket) }).await;
        let mut batch = Vec::new();
        queue.take(&mut batch);
        let outcomes = batch.into_iter().filter_map(|event| match event.kind {
            EventKind::Done(Op::Connect, outcome) => Some(outcome),
            _ => None,
        });
        outcomes.collect()
    }

    #[tokio::test]
    async fn every_operation_is_reported_once_however_its_task_ends() {
        let done = reported(|ticket| ticket.done(Outcome::Answered(Answer::default()))).await;
        assert_eq!(done, [Outcome::Answered(Answer::default())]);
        let dropped = reported(drop).await;
        assert!(matches!(dropped[..], [Outcome::Lost(_)]), "{dropped:?}");
        let panicked = reported(|_ticket| panic!("as the crate may")).await;
        assert!(matches!(panicked[..], [Outcome::Broken(_)]), "{panicked:?}");
    }
}
