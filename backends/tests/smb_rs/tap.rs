//! What stands between a client and a server, and what stands in for one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use replay_engine::{Identity, Target};
use replay_ir::random::SplitMix64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Stands between a client and the server, notes the commands that the client sends, and can spoil what the server
/// answers.
pub(crate) struct Tap {
    /// Where the client is to go.
    pub(crate) target: Target,
    commands: Arc<Mutex<Vec<u16>>>,
    spoil: Arc<AtomicU64>,
}

/// What [`Tap::spoil`] does to an answer. Any other number changes some of its bytes, which ones hangs on the number;
/// MessageId and NextCommand stay, so that it is still the answer to its request, and Reserved behind them, which the
/// crate does not verify: it writes the header anew before it does.
const NOTHING: u64 = 0;
const SIGNATURE: u64 = 1;

impl Tap {
    pub(crate) async fn new(target: &Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let tap = Self {
            target: Target {
                address: listener.local_addr().expect("its address"),
                ..target.clone()
            },
            commands: Arc::default(),
            spoil: Arc::default(),
        };
        let (server, commands, spoil) = (target.address, tap.commands.clone(), tap.spoil.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("the server");
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let commands = commands.clone();
                tokio::spawn(pump(from_client, to_server, move |frame| {
                    commands
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(commands_of(frame));
                }));
                let spoil = spoil.clone();
                tokio::spawn(pump(from_server, to_client, move |frame| {
                    match spoil.load(Ordering::SeqCst) {
                        NOTHING => {}
                        SIGNATURE => frame[50] ^= 1,
                        seed => scramble(frame, seed),
                    }
                }));
            }
        });
        tap
    }

    /// From now on signatures are wrong.
    pub(crate) fn spoil_signatures(&self) {
        self.spoil.store(SIGNATURE, Ordering::SeqCst);
    }

    /// From now on bytes are wrong; which ones hangs on `seed`.
    pub(crate) fn spoil_bytes(&self, seed: u64) {
        self.spoil.store(seed + 2, Ordering::SeqCst);
    }

    /// From now on nothing is wrong.
    pub(crate) fn heal(&self) {
        self.spoil.store(NOTHING, Ordering::SeqCst);
    }

    /// What the client has sent.
    pub(crate) fn commands(&self) -> Vec<u16> {
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Passes frames on until one side ends.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut look: impl FnMut(&mut Vec<u8>) + Send,
) {
    while let Ok(length) = from.read_u32().await {
        let mut frame = vec![0; length as usize];
        if from.read_exact(&mut frame).await.is_err() {
            break;
        }
        look(&mut frame);
        frame.splice(0..0, length.to_be_bytes());
        if to.write_all(&frame).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

fn scramble(frame: &mut [u8], seed: u64) {
    let mut random = SplitMix64::new(seed);
    for _ in 0..=random.draw() % 8 {
        let at = (random.draw() % (frame.len() as u64 - 16)) as usize;
        let at = if at < 20 { at } else { at + 16 };
        frame[at] ^= random.draw() as u8 | 1;
    }
}

/// The commands of a frame's messages.
fn commands_of(frame: &[u8]) -> Vec<u16> {
    let (mut rest, mut commands) = (frame, Vec::new());
    loop {
        commands.push(u16::from_le_bytes(
            *rest[12..].first_chunk().expect("a header"),
        ));
        match u32::from_le_bytes(*rest[20..].first_chunk().expect("a header")) {
            0 => return commands,
            next => rest = &rest[next as usize..],
        }
    }
}

/// A server that sends these bytes to everyone, and then ends the connection or says nothing more.
pub(crate) async fn fake(bytes: &'static [u8], end: bool) -> (Target, Identity) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = Target {
        address: listener.local_addr().expect("its address"),
        host: "127.0.0.1".into(),
        share: "data".into(),
        root: String::new(),
        realm: None,
    };
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(bytes).await;
            if !end {
                held.push(stream);
            }
        }
    });
    let identity = Identity {
        name: "alice".into(),
        account: "alice".into(),
        domain: String::new(),
        sid: None,
        password: "none".to_owned().into(),
    };
    (target, identity)
}
