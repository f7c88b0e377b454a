//! What is received: checked, matched with what was asked, and reported.
//!
//! Everything here is decided by bytes that a server sends, which may be hostile: what does not fit is a violation that
//! ends the connection, or, where its signature alone is wrong, is discarded; never a panic and never a guess.

mod accept;
mod answered;

use std::sync::Arc;
use std::time::Instant;

use replay_engine::{Op, Outcome, Reaction};
use replay_ir::{Answer, StepId};
use smb_vocabulary::answer;
use smb_wire::fscc::ResumeKey;
use smb_wire::{Command, CtlCode, Header, Response, ntstatus, split_compound};

use super::breaks;
use super::connection::{End, Shared, State};
use super::pending::{Content, Pending, Settles, Waiter};
use super::sessions::Tree;

pub(super) use accept::Accepted;

/// What a request for a resume key is answered with.
const RESUME_KEY: Content = Content::Control(CtlCode::SRV_REQUEST_RESUME_KEY);

/// What broke the protocol: the request that it is about, if that is known, and how.
pub(super) struct Violation {
    pub(super) message_id: Option<u64>,
    pub(super) reason: String,
}

impl Violation {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            message_id: None,
            reason: reason.into(),
        }
    }

    fn about(message_id: u64, reason: impl Into<String>) -> Self {
        Self {
            message_id: Some(message_id),
            reason: reason.into(),
        }
    }
}

impl Shared {
    /// Takes one frame of the connection of `generation`; false when the connection has ended.
    pub(super) fn receive(self: &Arc<Self>, generation: u32, frame: &[u8]) -> bool {
        let at = Instant::now();
        let mut state = self.lock();
        if state.generation != generation {
            return false;
        }
        let released = state.opens.lock().released();
        if let Err(violation) = state.frame(frame, at) {
            let end = End::Violation(violation.message_id, violation.reason);
            self.end(&mut state, end, true);
            return false;
        }
        self.set_alarms(&mut state);
        self.send_queued(&mut state);
        self.release(&mut state);
        if state
            .transport()
            .is_some_and(|transport| transport.pending.is_empty())
        {
            self.settled.notify_waiters();
        }
        drop(state);
        self.release_others(released);
        true
    }
}

impl State {
    fn frame(&mut self, frame: &[u8], at: Instant) -> Result<(), Violation> {
        let Some(transport) = self.transport() else {
            return Ok(());
        };
        let (frame, encrypted) = transport.open(frame).map_err(Violation::new)?;
        for message in split_compound(&frame) {
            let (header, message) = message.map_err(|error| Violation::new(error.to_string()))?;
            if header.message_id == Header::UNSOLICITED && header.is_response() {
                breaks::receive(self, message, at)?;
            } else {
                self.message(&header, message, encrypted, at)?;
            }
        }
        Ok(())
    }

    fn message(
        &mut self,
        header: &Header,
        message: &[u8],
        encrypted: bool,
        at: Instant,
    ) -> Result<(), Violation> {
        let Some(transport) = self.transport() else {
            return Ok(());
        };
        match transport.accept(header, message, encrypted)? {
            Accepted::Interim(pending, first) => {
                if let (true, Waiter::Op { lane, op }) = (first, pending.waiter) {
                    self.lanes[usize::from(lane)].interim(op, answer::status(header.status));
                }
            }
            Accepted::Final(pending, response) => {
                if let Some(setup) = self.setup_of(&pending) {
                    return self.go_on(setup, header, &response, message, at);
                }
                self.effects(&pending, header, &response);
                let answer = answered::of(header, pending.content, response, &self.principals);
                if let Err(reason) = &answer {
                    self.report(at, pending.waiter, Outcome::Violation(reason.clone()));
                }
                let answer = answer.map_err(Violation::new)?;
                match pending.waiter {
                    Waiter::Break { opened_by, settles } => {
                        self.settled(opened_by, settles, answer);
                    }
                    waiter => self.report(at, waiter, Outcome::Answered(answer)),
                }
            }
            Accepted::Discarded(pending, reason) => return self.discard(&pending, reason, at),
        }
        Ok(())
    }

    /// Fails the step whose answer is not to be believed, and nothing else (MS-SMB2 3.2.5.1.3): what the answer would have
    /// changed or granted is not taken from it. Where no step waits that could show it, it ends the connection.
    fn discard(&mut self, pending: &Pending, reason: String, at: Instant) -> Result<(), Violation> {
        let setup = self.setup_of(pending);
        if setup.is_none() && !matches!(pending.waiter, Waiter::Op { .. }) {
            return Err(Violation::about(pending.message_id, reason));
        }
        if let Some(transport) = self.transport() {
            transport.pending.remove(pending.message_id);
        }
        tracing::debug!(client = self.owner.0, reason, "answer discarded");
        if let Some(setup) = setup {
            self.login_discarded(setup, reason, at);
            return Ok(());
        }
        if let (Command::CREATE, Some(step)) = (pending.command, pending.waiter.step()) {
            self.opens
                .lock()
                .created(step, None, pending.home(&self.group));
        }
        self.report(at, pending.waiter, Outcome::Discarded(reason));
        Ok(())
    }

    /// What a final answer changes.
    fn effects(&mut self, pending: &Pending, header: &Header, response: &Response) {
        let succeeded = header.status == ntstatus::SUCCESS;
        let step = match pending.waiter {
            Waiter::Op {
                op: Op::Step(step), ..
            } => Some(step),
            _ => None,
        };
        match (response, step) {
            (Response::Create(create), Some(step)) if succeeded => {
                self.opens
                    .lock()
                    .created(step, Some(create), pending.home(&self.group));
                if self.registry.wants(step) {
                    self.registry.opened(step, create.file_id);
                }
            }
            (Response::Ioctl(ioctl), Some(step)) if succeeded && pending.content == RESUME_KEY => {
                if let Ok(key) = ResumeKey::decode(&ioctl.output) {
                    self.opens.lock().set_resume_key(step, key);
                }
            }
            (_, Some(step)) if pending.command == Command::CREATE => {
                self.opens
                    .lock()
                    .created(step, None, pending.home(&self.group));
            }
            (Response::TreeConnect(tree), step) if succeeded => {
                let tree = Tree::new(header.tree_id().unwrap_or_default(), tree);
                let name = step.and_then(|step| self.trace.step(step).arg("as"));
                let name = name.and_then(|name| name.as_str().map(str::to_owned));
                if pending.session == 0 {
                    self.group.connected(name.as_deref(), tree);
                }
                if let Some(session) = self.session(pending.session) {
                    session.connected(name, tree);
                }
            }
            (Response::TreeDisconnect(_), _) if succeeded => {
                self.opens.lock().end_of_tree(pending.home(&self.group));
            }
            (Response::Logoff(_), _) if succeeded => {
                let home = pending.home(&self.group);
                self.opens.lock().end_of_session(home);
                if pending.session == 0 {
                    self.group.logged_off();
                }
                if let Some(session) = self.session(pending.session) {
                    session.logged_in = false;
                }
            }
            _ => {}
        }
        if let (Command::CLOSE, Some(opened_by)) = (pending.command, pending.closes)
            && (succeeded || !pending.edited)
        {
            self.opens.lock().closed(opened_by);
        }
    }
}

impl State {
    /// What the server says to the answer that a break got. That it refuses is normal, for instance when the handle is
    /// being closed; but it is not lost.
    fn settled(&self, opened_by: StepId, settles: Settles, answer: Answer) {
        let with = match settles {
            Settles::Acknowledgement => "acknowledge",
            Settles::Close => "close",
        };
        let (opened_by, with) = (opened_by, with.to_owned());
        breaks::react(
            self,
            Reaction::Settled {
                opened_by,
                with,
                answer,
            },
        );
    }
}
