//! Requests and answers on one negotiated connection.
//!
//! The crate's public API ends at `Connection`, `Session`, `Tree` and `File`; the handlers below them, which would
//! send a request of one's own, are private (`smb-0.12.1/src/{connection,session/channel,tree}.rs`). What is public
//! is the layer that turns messages into bytes and back: [`Transformer`] encodes, signs, encrypts, decodes, decrypts
//! and verifies. So this module numbers the messages, keeps the credits, and brings each answer to whoever waits for
//! its MessageId (MS-SMB2 3.2.4.1, 3.2.5.1); it knows no operation. Sessions are made by [`super::login`].

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use binrw::BinWrite;
use replay_engine::Events;
use smb::connection::connection_info::ConnectionInfo;
use smb::connection::transformer::Transformer;
use smb::msg_handler::{IncomingMessage, OutgoingMessage};
use smb::transport::IoVec;
use smb::{CancelRequest, Dialect, PlainRequest, RequestContent};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::exchange::{Arrival, Cancellable, Pending, Protection, Request, Sent};
use super::failure::Failure;
use super::frame;
use super::transport::{FrameReader, FrameWriter, NoDelayTransport};

/// How many credits the client wants to hold.
const CREDITS_WANTED: usize = 512;
/// How long a request may wait for credits before the server counts as stuck.
const CREDITS_BOUND: Duration = Duration::from_secs(30);
/// How long the socket may take to be shut down.
const SHUTDOWN_BOUND: Duration = Duration::from_secs(1);

/// Who waits for what; `ended` once nothing comes any more.
#[derive(Default)]
struct Inbox {
    waiting: HashMap<u64, mpsc::UnboundedSender<Arrival>>,
    ended: Option<Failure>,
    /// Who hears when the connection ends by itself.
    listeners: Vec<Events>,
}

/// A negotiated connection.
pub(super) struct Channel {
    /// Encodes and decodes; sessions register their keys here.
    pub(super) transformer: Transformer,
    /// What was negotiated.
    pub(super) info: Arc<ConnectionInfo>,
    writer: FrameWriter<OwnedWriteHalf>,
    /// The next MessageId. Held while a message is numbered and written, so that numbers go out in order.
    next_id: tokio::sync::Mutex<u64>,
    credits: Semaphore,
    inbox: Mutex<Inbox>,
    reader: Mutex<Option<AbortHandle>>,
    /// A frame is being written; stays true when whoever wrote it was stopped in the middle.
    writing: AtomicBool,
}

impl Channel {
    /// Takes over a connection on which the crate has negotiated: MessageId 0 is used up, one credit is granted.
    pub(super) async fn over(
        transport: NoDelayTransport,
        info: Arc<ConnectionInfo>,
    ) -> Result<Arc<Self>, Failure> {
        let transformer = Transformer::default();
        transformer
            .negotiated(&info)
            .await
            .map_err(|error| Failure::of_crate("taking over the connection", &error))?;
        let channel = Arc::new(Self {
            transformer,
            info,
            writer: transport.writer,
            next_id: tokio::sync::Mutex::new(1),
            credits: Semaphore::new(1),
            inbox: Mutex::default(),
            reader: Mutex::default(),
            writing: AtomicBool::new(false),
        });
        let reading = tokio::spawn(channel.clone().read(transport.reader));
        *channel
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(reading.abort_handle());
        let supervised = channel.clone();
        tokio::spawn(async move {
            let failure = match reading.await {
                Ok(failure) => failure,
                Err(error) if error.is_cancelled() => Failure::Lost("it was closed".into()),
                Err(_) => Failure::Broken("the smb crate panicked at what the server sent".into()),
            };
            supervised.end(failure);
        });
        Ok(channel)
    }

    /// Sends requests in one frame, the second and later ones compounded with the first (MS-SMB2 3.2.4.1.4), and
    /// returns what to wait on for each.
    pub(super) async fn send(&self, requests: Vec<Request>) -> Result<Vec<Pending>, Failure> {
        self.send_after(requests, async |_| Ok(())).await
    }

    /// The same; `before` sees the encoded frame before it is written.
    pub(super) async fn send_after(
        &self,
        requests: Vec<Request>,
        before: impl AsyncFnOnce(&[IoVec]) -> Result<(), Failure>,
    ) -> Result<Vec<Pending>, Failure> {
        let charges: Vec<u16> = requests
            .iter()
            .map(|request| self.charge(request))
            .collect();
        let sum = charges.iter().map(|charge| u32::from(*charge)).sum();
        let acquired = timeout(CREDITS_BOUND, self.credits.acquire_many(sum)).await;
        match acquired {
            Ok(Ok(permits)) => permits.forget(),
            Ok(Err(_)) => return Err(self.ended()),
            Err(_) => {
                let what = format!("the server granted no {sum} credits within {CREDITS_BOUND:?}");
                return Err(Failure::Violation(what));
            }
        }
        let mut next_id = self.next_id.lock().await;
        let (parts, pending) = self.encode(requests, &charges, *next_id).await?;
        before(&parts).await?;
        *next_id += u64::from(sum);
        self.write(&parts).await?;
        Ok(pending)
    }

    /// Writes a frame. The caller keeps others from writing by `next_id`.
    async fn write(&self, parts: &[IoVec]) -> Result<(), Failure> {
        self.writing.store(true, Ordering::SeqCst);
        let written = self.writer.send(parts).await;
        self.writing.store(false, Ordering::SeqCst);
        written.map_err(|error| {
            self.end(Failure::Lost(format!("sending: {error}")));
            self.ended()
        })
    }

    /// Sends a CANCEL for a request (MS-SMB2 3.2.4.24). It has no answer.
    pub(super) async fn cancel(&self, what: &Cancellable) -> Result<(), Failure> {
        let &Cancellable {
            id,
            async_id,
            session,
            tree,
            protection,
        } = what;
        let mut message = OutgoingMessage::new(RequestContent::Cancel(CancelRequest::default()));
        message.compress = false;
        message.has_response = false;
        message.encrypt = protection == Protection::Encrypted;
        let header = &mut message.message.header;
        header.message_id = id;
        header.session_id = session;
        header.tree_id = Some(tree);
        if let Some(async_id) = async_id {
            header.to_async(async_id);
        }
        header.flags.set_signed(protection == Protection::Signed);
        let encoded = self.transform(message).await?;
        let _others_wait = self.next_id.lock().await;
        self.write(&[encoded]).await
    }

    /// Ends the connection: says so to the server, and stops reading.
    pub(super) async fn close(&self) {
        self.abandon();
        if timeout(SHUTDOWN_BOUND, self.writer.shutdown())
            .await
            .is_err()
        {
            tracing::debug!("the connection could not be shut down in {SHUTDOWN_BOUND:?}");
        }
    }

    /// Stops reading; whoever waits, waits in vain. The socket closes with the last user of the channel.
    pub(super) fn abandon(&self) {
        self.inbox().listeners.clear();
        self.end(Failure::Lost("the connection was closed".into()));
        if let Some(reader) = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            reader.abort();
        }
    }

    /// From now on, these hear when the connection ends by itself.
    pub(super) fn tell_when_lost(&self, listeners: Vec<Events>) {
        let mut inbox = self.inbox();
        let ended = inbox.ended.clone();
        match ended {
            Some(failure) => {
                drop(inbox);
                listeners
                    .iter()
                    .for_each(|events| events.lost(&failure.to_string()));
            }
            None => inbox.listeners = listeners,
        }
    }

    /// Why nothing can be exchanged any more, if that is so.
    pub(super) fn failed(&self) -> Option<Failure> {
        let torn = self.writing.load(Ordering::SeqCst);
        let torn = torn.then(|| Failure::Lost("a frame was cut off".into()));
        self.inbox().ended.clone().or(torn)
    }

    fn ended(&self) -> Failure {
        self.failed()
            .unwrap_or_else(|| Failure::Lost("the connection ended".into()))
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The credits that a request costs. Dialect 2.0.2 knows none beyond the one (MS-SMB2 3.2.4.1.5).
    fn charge(&self, request: &Request) -> u16 {
        const BYTES_PER_CREDIT: u32 = 65536;
        if !self.info.negotiation.caps.large_mtu() {
            return 1;
        }
        let charge = 1 + request.charged_bytes().saturating_sub(1) / BYTES_PER_CREDIT;
        u16::try_from(charge).unwrap_or(u16::MAX)
    }

    /// Numbers and encodes the requests of one frame, and registers who waits for the answers.
    async fn encode(
        &self,
        requests: Vec<Request>,
        charges: &[u16],
        mut id: u64,
    ) -> Result<(Vec<IoVec>, Vec<Pending>), Failure> {
        let last = requests.len().saturating_sub(1);
        let encrypted = requests
            .first()
            .is_some_and(|r| r.protection == Protection::Encrypted);
        let (mut parts, mut pending) = (Vec::new(), Vec::new());
        for (index, (request, charge)) in requests.into_iter().zip(charges).enumerate() {
            let sent = Sent::from(&request);
            let mut message = self.message(request, *charge, id);
            if index < last {
                pad(&mut message)?;
            }
            pending.push((id, sent));
            id += u64::from(*charge);
            parts.push(message);
        }
        let encoded = match encrypted && last > 0 {
            true => vec![self.transform(frame::joined(parts)?).await?],
            false => {
                let mut encoded = Vec::with_capacity(parts.len());
                for message in parts {
                    encoded.push(self.transform(message).await?);
                }
                encoded
            }
        };
        let mut inbox = self.inbox();
        if let Some(failure) = &inbox.ended {
            return Err(failure.clone());
        }
        let registered = pending.into_iter().map(|(id, sent)| {
            let (sender, arrivals) = mpsc::unbounded_channel();
            inbox.waiting.insert(id, sender);
            Pending::new(id, arrivals, sent)
        });
        let pending = registered.collect();
        Ok((encoded, pending))
    }

    fn message(&self, request: Request, charge: u16, id: u64) -> OutgoingMessage {
        let mut message = OutgoingMessage::new(request.content);
        message.compress = false;
        message.encrypt = request.protection == Protection::Encrypted;
        message.additional_data = request.payload;
        let held = self.credits.available_permits();
        let header = &mut message.message.header;
        header.command = request.command;
        header.message_id = id;
        header.credit_charge = match self.info.negotiation.dialect_rev {
            Dialect::Smb0202 => 0,
            _ => charge,
        };
        let wanted = u16::try_from(CREDITS_WANTED.saturating_sub(held)).unwrap_or(u16::MAX);
        header.credit_request = wanted.max(charge);
        header.session_id = request.session;
        header.tree_id = Some(request.tree);
        header
            .flags
            .set_signed(request.protection == Protection::Signed);
        header.flags.set_related_operations(request.related);
        message
    }

    async fn transform(&self, message: OutgoingMessage) -> Result<IoVec, Failure> {
        let command = message.message.header.command;
        self.transformer
            .transform_outgoing(message)
            .await
            .map_err(|error| Failure::of_crate(&format!("encoding {command}"), &error))
    }

    /// Reads until the connection ends; returns why.
    async fn read(self: Arc<Self>, reader: FrameReader<OwnedReadHalf>) -> Failure {
        loop {
            let bytes = match reader.next().await {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Failure::Lost("the server closed the connection".into());
                }
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    return Failure::Violation(error.to_string());
                }
                Err(error) => return Failure::Lost(format!("receiving: {error}")),
            };
            let at = Instant::now();
            if let Err(failure) = self.receive(bytes, at).await {
                return failure;
            }
        }
    }

    /// Decodes one frame, which may hold several answers, and hands them out. The error is one that ends the
    /// connection, because nothing says for whom the frame was.
    async fn receive(&self, bytes: Vec<u8>, at: Instant) -> Result<(), Failure> {
        for part in frame::split(bytes)? {
            let peeked = frame::peek(&part);
            if let Some(message) = frame::without_session(&part) {
                self.deliver(message, at);
                continue;
            }
            let decoded = self.transformer.transform_incoming(part).await;
            let (first, rest) = match (decoded, peeked) {
                (Ok(message), _) => frame::split_decrypted(message)?,
                (Err(error), Some(peeked)) => {
                    self.undecodable(&peeked, &error, at);
                    continue;
                }
                (Err(error), None) => {
                    return Err(Failure::of_crate("decoding an encrypted message", &error));
                }
            };
            self.deliver(first, at);
            for part in rest {
                let message = self.transformer.transform_incoming(part).await;
                let mut message = message
                    .map_err(|error| Failure::of_crate("decoding a compounded answer", &error))?;
                message.form.encrypted = true;
                self.deliver(message, at);
            }
        }
        Ok(())
    }

    /// What the crate cannot decode goes to whoever waits for it as a failure that says so. Breaks are among it
    /// (`smb-msg-0.12.1/src/oplock.rs`); nobody waits for them.
    fn undecodable(&self, peeked: &frame::Peeked, error: &smb::Error, at: Instant) {
        tracing::debug!(?peeked, %error, "the smb crate cannot decode a message");
        self.credits.add_permits(usize::from(peeked.credits));
        let what = format!("decoding the answer to {}", peeked.describe());
        let failure = Failure::of_crate(&what, error);
        let waiting = self.inbox().waiting.remove(&peeked.message_id);
        if let Some(sender) = waiting {
            let _ = sender.send(Arrival {
                message: Err(failure),
                at,
            });
        }
    }

    fn deliver(&self, message: IncomingMessage, at: Instant) {
        let header = &message.message.header;
        self.credits.add_permits(usize::from(header.credit_request));
        let (id, interim) = (header.message_id, frame::is_interim(header));
        let mut inbox = self.inbox();
        let sender = match interim {
            true => inbox.waiting.get(&id).cloned(),
            false => inbox.waiting.remove(&id),
        };
        drop(inbox);
        match sender {
            Some(sender) => drop(sender.send(Arrival {
                message: Ok(message),
                at,
            })),
            None => tracing::debug!(id, "an answer that nobody waits for"),
        }
    }

    /// From now on nothing comes; the first reason stays.
    fn end(&self, failure: Failure) {
        let mut inbox = self.inbox();
        let failure = inbox.ended.get_or_insert(failure).clone();
        let waiting: Vec<_> = inbox.waiting.drain().collect();
        let listeners = std::mem::take(&mut inbox.listeners);
        drop(inbox);
        self.credits.close();
        for (_, sender) in waiting {
            let _ = sender.send(Arrival {
                message: Err(failure.clone()),
                at: Instant::now(),
            });
        }
        listeners
            .iter()
            .for_each(|events| events.lost(&failure.to_string()));
    }
}

/// Makes a message one that another follows in its frame: NextCommand, and zeros up to a multiple of 8, which are
/// part of the message when it is signed (MS-SMB2 3.2.4.1.4).
fn pad(message: &mut OutgoingMessage) -> Result<(), Failure> {
    let payload = message.additional_data.take();
    let mut length = encoded_length(&message.message)?;
    let mut tail = payload.as_deref().unwrap_or_default().to_vec();
    length += tail.len();
    let padded = length.next_multiple_of(8);
    tail.resize(tail.len() + padded - length, 0);
    message.message.header.next_command = padded as u32;
    message.additional_data = Some(Arc::from(tail));
    Ok(())
}

fn encoded_length(message: &PlainRequest) -> Result<usize, Failure> {
    let mut bytes = Vec::new();
    message
        .write(&mut Cursor::new(&mut bytes))
        .map_err(|error| Failure::Broken(format!("the smb crate, encoding a request: {error}")))?;
    Ok(bytes.len())
}
