//! A TCP proxy in front of a server: everything passes as it is, but for one answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use replay_engine::{Identity, WireEvent, WireLog};
use replay_ir::{ClientId, StepId};
use smb_wire::framing::{self, Step};
use smb_wire::{Header, split_compound};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::{AbortHandle, JoinSet};

use crate::mutation::Kind;
use crate::session::{Observed, Opened};

/// How long a break is held: longer than a trace may wait for one.
pub const LATE: Duration = Duration::from_secs(6);
/// How long an answer waits for another one to pass it.
const HELD: Duration = Duration::from_secs(2);
/// Servers send nothing longer.
const MAX_FRAME: usize = (8 << 20) + (64 << 10);
/// What is read at once.
const READ: usize = 64 << 10;

/// One answer of a run, and what is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    /// What is done.
    pub kind: Kind,
    /// To which answer.
    pub target: Target,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The final answer to a step.
    Step(StepId),
    /// A break that a client gets, counted from 0.
    Break(ClientId, usize),
}

/// The proxy of one run. It ends when this is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    task: AbortHandle,
}

struct Inner {
    server: SocketAddr,
    identities: Vec<Identity>,
    /// Says which message belongs to which step.
    wire: WireLog,
    wanted: Option<Mutation>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    possible: Vec<Mutation>,
    applied: bool,
    trouble: Option<String>,
    breaks: Vec<ClientId>,
}

/// What is to be done with a frame of the server.
enum Fate {
    Pass(Vec<u8>),
    Drop,
    Late(Vec<u8>),
    BehindNext(Vec<u8>),
}

impl Proxy {
    /// Listens on a port of its own.
    pub(crate) fn start(
        server: SocketAddr,
        identities: Vec<Identity>,
        wire: WireLog,
        wanted: Option<Mutation>,
    ) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let inner = Arc::new(Inner {
            server,
            identities,
            wire,
            wanted,
            found: Mutex::default(),
        });
        Ok(Self {
            address: listener.local_addr()?,
            task: tokio::spawn(serve(listener, Arc::clone(&inner))).abort_handle(),
            inner,
        })
    }

    /// What could have been done to the answers that passed.
    pub(crate) fn possible(&self) -> Vec<Mutation> {
        self.inner.lock().possible.clone()
    }

    /// Whether the answer came and was changed; the error says why it could not be.
    pub(crate) fn applied(&self) -> Result<bool, String> {
        let found = self.inner.lock();
        match &found.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => Ok(found.applied),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(connections.spawn(relay(client, Arc::clone(&inner)))),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection. An end on either side becomes one on the other.
async fn relay(client: TcpStream, inner: Arc<Inner>) -> io::Result<()> {
    let port = client.peer_addr()?.port();
    let server = TcpStream::connect(inner.server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let observed = Mutex::new(Observed::new(inner.identities.clone()));
    let (sender, mut frames) = mpsc::unbounded_channel::<Vec<u8>>();
    let write = async move {
        while let Some(frame) = frames.recv().await {
            to_client.write_all(&frame).await?;
        }
        to_client.shutdown().await
    };
    let down = answers(from_server, &observed, &inner, port, sender);
    tokio::select! {
        result = requests(from_client, to_server, &observed) => result,
        result = async { tokio::try_join!(down, write).map(drop) } => result,
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    observed: &Mutex<Observed>,
) -> io::Result<()> {
    let (mut chunk, mut waiting) = (vec![0; READ], Vec::new());
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        waiting.extend_from_slice(&chunk[..read]);
        // Looked at before it is sent, so that an answer never comes first. What is no frame is only passed on.
        while let Ok(step) = framing::next_frame(&waiting, framing::MAX_FRAME) {
            let consumed = match step {
                Step::Incomplete { .. } => break,
                Step::KeepAlive { consumed } => consumed,
                Step::Frame { frame, consumed } => {
                    observed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .request(frame);
                    consumed
                }
            };
            waiting.drain(..consumed);
        }
        to.write_all(&chunk[..read]).await?;
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    observed: &Mutex<Observed>,
    inner: &Inner,
    port: u16,
    to: UnboundedSender<Vec<u8>>,
) -> io::Result<()> {
    let mut waiting: Vec<u8> = Vec::new();
    let mut held: Option<Vec<u8>> = None;
    let send = |frame: Vec<u8>| to.send(frame).map_err(io::Error::other);
    loop {
        while let Some(frame) = next(&mut waiting)? {
            let fate = inner.judge(&frame, observed, port);
            let mut passed = false;
            match fate {
                Fate::Pass(frame) => {
                    send(prefixed(&frame)?)?;
                    passed = true;
                }
                Fate::Drop => {}
                Fate::Late(frame) => {
                    let (to, frame) = (to.downgrade(), prefixed(&frame)?);
                    tokio::spawn(async move {
                        tokio::time::sleep(LATE).await;
                        // The connection may have ended meanwhile.
                        if let Some(to) = to.upgrade() {
                            let _ = to.send(frame);
                        }
                    });
                }
                Fate::BehindNext(frame) => held = Some(prefixed(&frame)?),
            }
            if let Some(frame) = held.take_if(|_| passed) {
                inner.lock().applied = true;
                send(frame)?;
            }
        }
        let read = from.read_buf(&mut waiting);
        let read = match held.is_some() {
            true => match tokio::time::timeout(HELD, read).await {
                Ok(read) => read?,
                Err(_) => {
                    // Nothing came that could pass it.
                    if let Some(frame) = held.take() {
                        send(frame)?;
                    }
                    continue;
                }
            },
            false => read.await?,
        };
        if read == 0 {
            if let Some(frame) = held.take() {
                send(frame)?;
            }
            return Ok(());
        }
    }
}

fn next(waiting: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        match framing::next_frame(waiting, MAX_FRAME).map_err(io::Error::other)? {
            Step::Incomplete { .. } => return Ok(None),
            Step::KeepAlive { consumed } => drop(waiting.drain(..consumed)),
            Step::Frame { frame, consumed } => {
                let frame = frame.to_vec();
                waiting.drain(..consumed);
                return Ok(Some(frame));
            }
        }
    }
}

fn prefixed(frame: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(frame.len() + framing::PREFIX);
    framing::append_frame(&mut out, frame).map_err(io::Error::other)?;
    Ok(out)
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of a frame; notes what could be done to it.
    fn judge(&self, frame: &[u8], observed: &Mutex<Observed>, port: u16) -> Fate {
        let pass = || Fate::Pass(frame.to_vec());
        let mut observed = observed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut opened) = observed.response(frame) else {
            return pass();
        };
        let Some((client, steps)) = self.connection(port) else {
            return pass();
        };
        let others = observed.in_flight() > 0;
        let mut changed = None;
        for (header, message) in &mut opened.messages {
            if header.message_id == Header::UNSOLICITED {
                match self.on_break(client) {
                    Some(Kind::BreakDropped) => return Fate::Drop,
                    Some(_) => return Fate::Late(frame.to_vec()),
                    None => continue,
                }
            }
            let step = steps.iter().find(|(id, _)| *id == header.message_id);
            let Some((_, step)) = step.filter(|_| !header.is_interim()) else {
                continue;
            };
            let target = Target::Step(*step);
            let kinds = Kind::ALL
                .into_iter()
                .filter(|kind| kind.fits(header, message) && (*kind != Kind::Order || others));
            let possible = kinds.map(|kind| Mutation { kind, target });
            let possible: Vec<Mutation> = possible.collect();
            let mut found = self.lock();
            if let Some(wanted) = self.wanted.filter(|wanted| possible.contains(wanted))
                && !found.applied
            {
                if wanted.kind == Kind::Order {
                    return Fate::BehindNext(frame.to_vec());
                }
                wanted.kind.apply(header, message);
                changed = Some(());
            }
            found.possible.extend(possible);
        }
        match changed {
            Some(()) => self
                .sealed(&observed, &opened)
                .map_or_else(pass, Fate::Pass),
            None => pass(),
        }
    }

    fn sealed(&self, observed: &Observed, opened: &Opened) -> Option<Vec<u8>> {
        let mut found = self.lock();
        match observed.seal(opened) {
            Ok(frame) => {
                found.applied = true;
                Some(frame)
            }
            Err(trouble) => {
                found.trouble = Some(trouble);
                None
            }
        }
    }

    /// Counts a break, and says what is to be done to it.
    fn on_break(&self, client: ClientId) -> Option<Kind> {
        let mut found = self.lock();
        let number = found
            .breaks
            .iter()
            .filter(|other| **other == client)
            .count();
        found.breaks.push(client);
        let target = Target::Break(client, number);
        for kind in [Kind::BreakDropped, Kind::BreakLate] {
            found.possible.push(Mutation { kind, target });
        }
        let wanted = self.wanted.filter(|wanted| wanted.target == target)?;
        found.applied = true;
        Some(wanted.kind)
    }

    /// The client whose connection comes from this port, and which message ids its steps have.
    fn connection(&self, port: u16) -> Option<(ClientId, Vec<(u64, StepId)>)> {
        let entries = self.wire.entries();
        let (number, client) = entries.iter().rev().find_map(|entry| match entry.event {
            WireEvent::Opened { client, local, .. } if local.port() == port => {
                Some((entry.connection, client))
            }
            _ => None,
        })?;
        let mut steps = Vec::new();
        for entry in entries.iter().filter(|entry| entry.connection == number) {
            if let WireEvent::Sent(frame) = &entry.event {
                let messages = split_compound(&frame.bytes).map_while(Result::ok);
                let known = messages.zip(&frame.steps);
                steps.extend(
                    known.filter_map(|((header, _), step)| Some((header.message_id, (*step)?))),
                );
            }
        }
        Some((client, steps))
    }
}
