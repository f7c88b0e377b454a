//! What stands between a client and a server, and what stands in for one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use replay_engine::{Identity, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Stands between a client and the server, notes the commands that the client sends, and can spoil what the server
/// answers.
pub(crate) struct Tap {
    /// Where the client is to go.
    pub(crate) target: Target,
    commands: Arc<Mutex<Vec<u16>>>,
    /// From now on signatures are wrong.
    pub(crate) spoil: Arc<AtomicBool>,
}

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
                    if spoil.load(Ordering::SeqCst) {
                        // A byte of the signature.
                        frame[50] ^= 1;
                    }
                }));
            }
        });
        tap
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
        password: "none".to_owned().into(),
    };
    (target, identity)
}
