//! What is received: checked, matched with what was asked, and reported.
//!
//! Everything here is decided by bytes that a server sends, which may be hostile: what does not fit is a violation that
//! ends the connection, or, where its signature alone is wrong, is discarded; never a panic and never a guess.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use replay_engine::{Op, Outcome, Reaction};
use replay_ir::answer::status_text;
use replay_ir::{Answer, StepId};
use smb_vocabulary::{Principals, VOCABULARY, answer};
use smb_wire::fscc::ResumeKey;
use smb_wire::messages::TransformHeader;
use smb_wire::{
    Command, CtlCode, FrameKind, Header, OplockLevel, Response, ntstatus, split_compound,
};

use super::breaks;
use super::connection::{End, Shared, State};
use super::pending::{Content, Pending, Settles, Waiter};
use super::sessions::Tree;
use super::transport::Transport;

/// STATUS_USER_SESSION_DELETED.
const USER_SESSION_DELETED: u32 = 0xC000_0203;

/// STATUS_NETWORK_SESSION_EXPIRED.
const NETWORK_SESSION_EXPIRED: u32 = 0xC000_035C;

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

/// What a message is to its request.
pub(super) enum Accepted {
    /// An interim answer; true for the first.
    Interim(Pending, bool),
    /// The final answer; the request is not in flight any more.
    Final(Pending, Response),
    /// A final answer whose signature does not hold, and how not: it is not believed. The request is still in flight.
    Discarded(Pending, String),
}

/// How an answer is not protected.
enum Unprotected {
    /// Its signature does not hold, or is missing.
    Signature(String),
    /// It is of another session, or in the clear.
    Otherwise(String),
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
                let answer = answer(header, pending.content, response, &self.principals);
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

impl Transport {
    /// The messages of a frame, decrypted if need be, and whether they were.
    pub(super) fn open<'a>(&mut self, frame: &'a [u8]) -> Result<(Cow<'a, [u8]>, bool), String> {
        let opened = self.open_frame(frame);
        if let Some(recorder) = &self.recorder {
            match &opened {
                Ok((plain, encrypted)) => recorder.received(plain, *encrypted),
                Err(reason) => recorder.unreadable(frame, reason),
            }
        }
        opened
    }

    fn open_frame<'a>(&mut self, frame: &'a [u8]) -> Result<(Cow<'a, [u8]>, bool), String> {
        match FrameKind::of(frame) {
            Some(FrameKind::Plain) => Ok((frame.into(), false)),
            Some(FrameKind::Encrypted) => {
                let header = TransformHeader::decode(frame).map_err(|error| error.to_string())?;
                let id = header.session_id;
                let session = self.sessions.iter_mut().find(|session| session.id == id);
                let session = session.ok_or_else(|| {
                    format!("an encrypted frame of session {id:#x}, which is not on the connection")
                })?;
                let plain = session.security.decrypt(id, frame)?;
                Ok((plain.into(), true))
            }
            Some(FrameKind::Compressed) => {
                Err("a compressed frame, although no compression was negotiated".to_owned())
            }
            Some(FrameKind::Smb1) => Err("a message of SMB1".to_owned()),
            None => Err("a frame that is none of SMB".to_owned()),
        }
    }

    /// Matches a message with the request that it answers, and checks that it may answer it.
    pub(super) fn accept(
        &mut self,
        header: &Header,
        message: &[u8],
        encrypted: bool,
    ) -> Result<Accepted, Violation> {
        let (id, command) = (header.message_id, header.command);
        if !header.is_response() {
            return Err(Violation::new(format!(
                "a {command} request from the server"
            )));
        }
        let Some(pending) = self.pending.get(id) else {
            let reason =
                format!("an answer to {command} with message id {id}, which is not in flight");
            return Err(Violation::new(reason));
        };
        if command != pending.command {
            let reason = format!("an answer to {command} for a {} request", pending.command);
            return Err(Violation::about(id, reason));
        }
        if header.is_interim() {
            let first = pending.async_id.is_none();
            pending.async_id = header.async_id();
            let pending = *pending;
            self.credits.grant(header.credits);
            return Ok(Accepted::Interim(pending, first));
        }
        let pending = *pending;
        match self.check_protection(&pending, header, message, encrypted) {
            Ok(()) => {}
            Err(Unprotected::Signature(reason)) => {
                let says = status_text(&VOCABULARY, header.status);
                let reason = format!("{reason}; it says {says}");
                return Ok(Accepted::Discarded(pending, reason));
            }
            Err(Unprotected::Otherwise(reason)) => return Err(Violation::about(id, reason)),
        }
        let response =
            Response::decode(message).map_err(|error| Violation::about(id, error.to_string()))?;
        self.pending.remove(id);
        self.credits.grant(header.credits);
        Ok(Accepted::Final(pending, response))
    }

    /// Whether an answer is protected as its request demands (MS-SMB2 3.2.5.1.1, 3.2.5.1.3); the error says how not.
    fn check_protection(
        &self,
        pending: &Pending,
        header: &Header,
        message: &[u8],
        encrypted: bool,
    ) -> Result<(), Unprotected> {
        let unsigned = || {
            let reason = "the answer to a signed request is not signed";
            Err(Unprotected::Signature(reason.to_owned()))
        };
        // A server that has no such session any more has no key either; one that was asked by a wrong message may not
        // know for whom it could sign.
        let session_gone = pending.edited
            || matches!(
                header.status,
                USER_SESSION_DELETED | NETWORK_SESSION_EXPIRED
            );
        let Some(session) = self.session(pending.session) else {
            let reason = "an answer of no session".to_owned();
            return Err(Unprotected::Otherwise(reason));
        };
        let unknown = session.id == 0 || pending.edited;
        let none = session_gone && header.session_id == 0;
        let inherited = pending.inherit && header.session_id == u64::MAX;
        if header.session_id != session.id && !(unknown || none || inherited) {
            let (got, ours) = (header.session_id, session.id);
            let reason = format!("an answer of session {got:#x} instead of {ours:#x}");
            return Err(Unprotected::Otherwise(reason));
        }
        if session.security.is_binding() && header.status != ntstatus::SUCCESS {
            // A refusal must be right where the session must sign. Where it need not nothing is demanded: Samba 4.17 signs
            // that of another dialect by another algorithm than the connection's.
            let refusal = header.status != ntstatus::MORE_PROCESSING_REQUIRED;
            return match header.is_signed() {
                _ if refusal && (session_gone || !session.sign) => Ok(()),
                true => session
                    .security
                    .verify_unbound(message)
                    .map_err(Unprotected::Signature),
                false if pending.signed => unsigned(),
                false => Ok(()),
            };
        }
        match (encrypted, pending.encrypted) {
            (true, _) => return Ok(()),
            (false, true) if !session_gone => {
                let reason = "the answer to an encrypted request is not encrypted";
                return Err(Unprotected::Otherwise(reason.to_owned()));
            }
            _ => {}
        }
        match header.is_signed() {
            true if session.security.key_follows() && header.status == ntstatus::SUCCESS => Ok(()),
            true => session
                .security
                .verify(message)
                .map_err(Unprotected::Signature),
            false if pending.signed && !session_gone => unsigned(),
            false => Ok(()),
        }
    }
}

/// The answer in the words of the vocabulary; the error says what of its content cannot be read.
fn answer(
    header: &Header,
    content: Content,
    response: Response,
    principals: &Principals,
) -> Result<Answer, String> {
    let status = header.status;
    let read = match (response, content) {
        (Response::QueryDirectory(response), Content::Directory(class)) => {
            answer::query_directory(class, &response.buffer)
        }
        (Response::QueryInfo(response), Content::File(class)) => {
            answer::query_info(class, status, &response.buffer)
        }
        (Response::QueryInfo(response), Content::FileSystem(class)) => {
            answer::query_fs(class, status, &response.buffer)
        }
        (Response::ChangeNotify(response), _) => answer::notify(status, &response.buffer),
        (Response::OplockBreak(response), _) => Ok(answer::oplock_acknowledged(&response)),
        (Response::LeaseBreak(response), _) => Ok(answer::lease_acknowledged(&response)),
        (Response::QueryInfo(response), Content::Security) if status == ntstatus::SUCCESS => {
            answer::query_security(&response.buffer, principals)
        }
        (Response::Error(error), Content::File(_) | Content::FileSystem(_) | Content::Security) => {
            Ok(answer::refused_query(status, &error))
        }
        (Response::Ioctl(response), Content::Control(code)) => {
            answer::ioctl(code, status, response)
        }
        (Response::Create(response), Content::Open(asked)) => {
            let granted = response.oplock_level;
            if !may_grant(asked, granted) {
                return Err(format!(
                    "oplock {granted} was granted where {asked} was asked for"
                ));
            }
            Ok(answer::create(&response))
        }
        (Response::Create(response), _) => Ok(answer::create(&response)),
        (Response::Close(response), _) => Ok(answer::close(&response)),
        (Response::Read(response), _) => Ok(answer::read(response)),
        (Response::Write(response), _) => Ok(answer::write(&response)),
        (Response::TreeConnect(response), _) => Ok(answer::tree_connect(&response)),
        (Response::Echo(_), _) => Ok(answer::echo(header.credits)),
        (Response::QueryInfo(response), Content::Quota) if status == ntstatus::SUCCESS => {
            Ok(answer::query_quota(&response.buffer))
        }
        _ => Ok(answer::status(status)),
    };
    let answer = read.map_err(|error| error.to_string())?;
    Ok(Answer { status, ..answer })
}

/// Whether a server may grant an oplock level to a CREATE that asks for another: the same, a lower one, or none; a lease to
/// one that asks for a lease, and to no other (MS-SMB2 3.3.5.9).
fn may_grant(asked: OplockLevel, granted: OplockLevel) -> bool {
    let leases = (asked == OplockLevel::LEASE, granted == OplockLevel::LEASE);
    match leases {
        _ if granted == OplockLevel::NONE => true,
        (false, false) => granted.0 <= asked.0,
        (lease_asked, lease_granted) => lease_asked && lease_granted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_granted_than_was_asked_for() {
        const NONE: OplockLevel = OplockLevel::NONE;
        const II: OplockLevel = OplockLevel::II;
        const EXCLUSIVE: OplockLevel = OplockLevel::EXCLUSIVE;
        const BATCH: OplockLevel = OplockLevel::BATCH;
        const LEASE: OplockLevel = OplockLevel::LEASE;
        let allowed = [
            (NONE, vec![NONE]),
            (II, vec![NONE, II]),
            (EXCLUSIVE, vec![NONE, II, EXCLUSIVE]),
            (BATCH, vec![NONE, II, EXCLUSIVE, BATCH]),
            (LEASE, vec![NONE, LEASE]),
        ];
        for (asked, expected) in allowed {
            let all = [NONE, II, EXCLUSIVE, BATCH, LEASE];
            let granted = all.into_iter().filter(|&level| may_grant(asked, level));
            assert_eq!(granted.collect::<Vec<_>>(), expected, "asked for {asked}");
        }
    }
}
