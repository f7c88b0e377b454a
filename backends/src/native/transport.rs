//! One established connection with its sessions: what is sent on it, and what is in flight.
//!
//! Requests are written to the socket at once, by whoever submits them; what the socket does not take is left for the
//! [`pump`](super::pump). Who reads what is received is [`connection`](super::connection)'s part.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use replay_engine::Op;
use smb_wire::crypto::PreauthHash;
use smb_wire::framing::PREFIX;
use smb_wire::messages::CancelRequest;
use smb_wire::{Command, Dialect, Flags, Header, HeaderForm, Request};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::AbortHandle;

use super::compose::Composer;
use super::credits::Credits;
use super::item::Item;
use super::pending::{Pending, PendingTable, Waiter};
use super::record::Recorder;
use super::sessions::{Basis, Session};

/// What an index that nobody hands out leads to.
pub(super) const NO_SESSION: &str = "there is no such session on the connection";

/// A buffer for composing frames that grew beyond this is not kept.
const KEEP: usize = 128 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What NEGOTIATE settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Negotiated {
    /// DialectRevision.
    pub(super) dialect: Dialect,
    /// MaxReadSize in bytes.
    pub(super) max_read: u32,
    /// MaxWriteSize in bytes.
    pub(super) max_write: u32,
    /// MaxTransactSize in bytes.
    pub(super) max_transact: u32,
}

impl Default for Negotiated {
    /// What holds before anything is negotiated.
    fn default() -> Self {
        let max = 65_536;
        Self {
            dialect: Dialect::SMB_2_0_2,
            max_read: max,
            max_write: max,
            max_transact: max,
        }
    }
}

/// An established connection.
pub(super) struct Transport {
    /// What NEGOTIATE settled.
    pub(super) negotiated: Negotiated,
    /// What later logins on it start from.
    pub(super) basis: Option<Box<Basis>>,
    /// The sessions on it; the first is its owner's.
    pub(super) sessions: Vec<Session>,
    /// VALIDATE_NEGOTIATE_INFO of what the client said in its NEGOTIATE (MS-SMB2 2.2.31.4).
    pub(super) validation: Arc<[u8]>,
    /// Ids and credits.
    pub(super) credits: Credits,
    /// What is in flight.
    pub(super) pending: PendingTable,
    /// What waits for credits: who submitted what, in order.
    pub(super) queue: VecDeque<(u16, Vec<Op>)>,
    /// Who waits for what comes of frames that no answer can name.
    pub(super) unanswerable: Vec<Waiter>,
    /// Where its frames are kept, if the run wants them.
    pub(super) recorder: Option<Recorder>,
    /// What waits until a break of its handle is acknowledged, in order.
    pub(super) held: Vec<Held>,
    writer: OwnedWriteHalf,
    /// What the socket did not take yet.
    outbox: Vec<u8>,
    waker: Option<Waker>,
    pump: Option<AbortHandle>,
}

/// A submission that waits until a break of its handle is acknowledged.
pub(super) struct Held {
    /// Who submitted it.
    pub(super) lane: u16,
    /// What.
    pub(super) ops: Vec<Op>,
    /// When.
    pub(super) since: Instant,
}

/// Why a frame was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// There are too few credits now.
    #[error(
        "the request costs {needed} credits, the server has granted {available}, and nothing is in flight that could \
         bring more"
    )]
    Credits {
        /// How many it takes.
        needed: u32,
        /// How many there are.
        available: u32,
    },
    /// It cannot be put on the wire.
    #[error("{0}")]
    Impossible(String),
    /// There is no connection, and why.
    #[error("not connected: {0}")]
    Down(String),
    /// The socket failed.
    #[error("sending failed: {0}")]
    Io(io::Error),
}

impl Transport {
    /// A connection on which nothing has been said.
    pub(super) fn new(writer: OwnedWriteHalf) -> Self {
        Self {
            negotiated: Negotiated::default(),
            basis: None,
            sessions: vec![Session::default()],
            validation: Arc::default(),
            credits: Credits::new(),
            pending: PendingTable::default(),
            queue: VecDeque::new(),
            unanswerable: Vec::new(),
            recorder: None,
            held: Vec::new(),
            writer,
            outbox: Vec::new(),
            waker: None,
            pump: None,
        }
    }

    /// The task that reads this connection; ended together with it.
    pub(super) fn set_pump(&mut self, pump: AbortHandle) {
        self.pump = Some(pump);
    }

    /// Sends `items` as one frame, compounded when there are several. Without effect when it fails, except that a
    /// connection whose socket failed is at its end.
    pub(super) fn send(&mut self, items: &[Item]) -> Result<(), SendError> {
        self.send_hashed(items, None)
    }

    /// The same, and what is sent becomes part of the preauthentication hash.
    pub(super) fn send_hashed(
        &mut self,
        items: &[Item],
        preauth: Option<&mut PreauthHash>,
    ) -> Result<(), SendError> {
        let needed = items.iter().map(|item| u32::from(self.charge(item))).sum();
        let available = self.credits.available();
        if needed > available {
            return Err(SendError::Credits { needed, available });
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let (credits, in_flight) = (self.credits.clone(), self.pending.len());
            let is_edited = items.iter().any(|item| item.edits.is_some());
            let pending = is_edited.then(|| self.pending.clone());
            let composed = self.compose(items, scratch).map_err(SendError::Impossible);
            let sent = composed.and_then(|()| {
                if let Some(preauth) = preauth {
                    preauth.update(&scratch[PREFIX..]);
                }
                self.write(scratch).map_err(SendError::Io)
            });
            if sent.is_err() {
                self.credits = credits;
                match pending {
                    Some(pending) => self.pending = pending,
                    None => self.pending.truncate(in_flight),
                }
            }
            if scratch.capacity() > KEEP {
                *scratch = Vec::new();
            }
            sent
        })
    }

    /// The session with this index.
    pub(super) fn session(&self, slot: u16) -> Option<&Session> {
        self.sessions.get(usize::from(slot))
    }

    /// Asks the server to cancel what is in flight for `message_id` (MS-SMB2 3.2.4.24). Costs no credit and has no
    /// answer.
    pub(super) fn cancel(&mut self, target: Pending) -> Result<(), SendError> {
        let Some(session) = self.session(target.session) else {
            return Err(SendError::Impossible(NO_SESSION.to_owned()));
        };
        let signed = !target.encrypted && session.security.can_sign() && session.sign;
        let mut flags = Flags::empty();
        flags.set(Flags::SIGNED, signed);
        let header = Header {
            command: Command::CANCEL,
            flags,
            message_id: target.message_id,
            form: match target.async_id {
                Some(async_id) => HeaderForm::Async { async_id },
                None => HeaderForm::Sync {
                    reserved: 0,
                    tree_id: target.tree.unwrap_or(session.tree).id,
                },
            },
            session_id: session.id,
            ..Header::default()
        };
        SCRATCH.with_borrow_mut(|scratch| {
            let mut composer = Composer::new(scratch);
            composer.request(&header, &Request::Cancel(CancelRequest));
            let Some(session) = self.sessions.get_mut(usize::from(target.session)) else {
                return Err(SendError::Impossible(NO_SESSION.to_owned()));
            };
            if let Some(recorder) = &self.recorder {
                let step = std::iter::once(target.waiter.step());
                recorder.sent(composer.frame(), target.encrypted, step);
            }
            match target.encrypted {
                true => composer.finish_encrypted(&mut session.security, session.id),
                false => composer.finish(signed.then_some(&session.security)),
            }
            .map_err(SendError::Impossible)?;
            self.write(scratch).map_err(SendError::Io)
        })
    }

    /// Writes at once what the socket takes, and leaves the rest to the pump.
    pub(super) fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut written = 0;
        if self.outbox.is_empty() {
            written = match self.writer.try_write(frame) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
        }
        if written < frame.len() {
            self.outbox.extend_from_slice(&frame[written..]);
            if let Some(waker) = &self.waker {
                waker.wake_by_ref();
            }
        }
        Ok(())
    }

    /// The pump's part of writing. Its task is woken when there is more.
    pub(super) fn poll_flush(
        &mut self,
        stream: &TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            self.waker = Some(context.waker().clone());
        }
        while !self.outbox.is_empty() {
            match stream.poll_write_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => match self.writer.try_write(&self.outbox) {
                    Ok(written) => drop(self.outbox.drain(..written)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                },
            }
        }
        self.outbox = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Ends the connection without a word; it is closed when what is left of it is dropped.
    pub(super) fn end(mut self) -> OwnedWriteHalf {
        if let Some(pump) = self.pump.take() {
            pump.abort();
        }
        self.writer
    }

    /// Everything in flight or waiting that belongs to an operation, taken out.
    pub(super) fn take_operations(&mut self) -> Vec<(u16, Op)> {
        let mut operations = Vec::new();
        for pending in self.pending.iter_mut() {
            if let Waiter::Op { lane, op } = std::mem::replace(&mut pending.waiter, Waiter::Nobody)
            {
                operations.push((lane, op));
            }
        }
        for waiter in self.unanswerable.drain(..) {
            if let Waiter::Op { lane, op } = waiter {
                operations.push((lane, op));
            }
        }
        let held = self.held.drain(..).map(|held| (held.lane, held.ops));
        for (lane, ops) in held.chain(self.queue.drain(..)) {
            operations.extend(ops.into_iter().map(|op| (lane, op)));
        }
        operations
    }
}
