//! Whether a message may be believed: what it answers, in which session, and how it is protected.

use std::borrow::Cow;

use replay_ir::answer::status_text;
use smb_vocabulary::VOCABULARY;
use smb_wire::messages::TransformHeader;
use smb_wire::{FrameKind, Header, Response, ntstatus};

use super::Violation;
use crate::native::pending::Pending;
use crate::native::transport::Transport;

/// STATUS_USER_SESSION_DELETED.
const USER_SESSION_DELETED: u32 = 0xC000_0203;

/// STATUS_NETWORK_SESSION_EXPIRED.
const NETWORK_SESSION_EXPIRED: u32 = 0xC000_035C;

/// What a message is to its request.
pub(in crate::native) enum Accepted {
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

impl Transport {
    /// The messages of a frame, decrypted if need be, and whether they were.
    pub(in crate::native) fn open<'a>(
        &mut self,
        frame: &'a [u8],
    ) -> Result<(Cow<'a, [u8]>, bool), String> {
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
    pub(in crate::native) fn accept(
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
