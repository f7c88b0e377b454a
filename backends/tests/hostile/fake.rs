//! A server that does what a test tells it, after a login like any other, and the native client that meets it.

#[path = "ntlm.rs"]
mod ntlm;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use replay_engine::{Identity, Op, Target};
use replay_ir::ClientId;
use smb_backends::native::Native;
use smb_wire::crypto::{Key, Signer};
use smb_wire::framing::{self, Step};
use smb_wire::messages::*;
use smb_wire::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{self, Player, Stage};
use ntlm::NtlmServer;

/// The session of every login.
pub(crate) const SESSION: u64 = 0x5e55_1011;
/// The tree of every login.
pub(crate) const TREE: u32 = 0x7ee;
/// The only account.
pub(crate) const PASSWORD: &str = "Sesame-open-17";

/// Listens on a port of its own.
async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// The native client of a trace against a server at `address`; `user=alice` is its only account.
fn player(text: &str, address: SocketAddr) -> Player {
    let identity = Identity {
        name: "alice".to_owned(),
        account: "alice".to_owned(),
        domain: "WGRP".to_owned(),
        sid: None,
        password: PASSWORD.to_owned().into(),
    };
    let target = Target {
        address,
        host: "fake".to_owned(),
        share: "data".to_owned(),
        root: String::new(),
        realm: None,
    };
    Player::new(&Stage {
        backend: Arc::new(Native::new()),
        trace: common::trace("scripted", text),
        target,
        identities: BTreeMap::from([("alice".to_owned(), identity)]),
    })
}

/// A client that is logged in, and the server that it talks to.
pub(crate) async fn connected(text: &str) -> (Player, Fake, TcpListener) {
    let (listener, address) = listen().await;
    let mut player = player(text, address);
    let (fake, ()) = tokio::join!(Fake::accept(&listener), player.connect());
    (player, fake, listener)
}

/// Client A of a trace, whose `connect` goes on, and the server, which has let it in. What else A's connection logs in
/// has still to be answered.
pub(crate) async fn connecting(text: &str) -> (Player, Fake, TcpListener) {
    let (listener, address) = listen().await;
    let mut player = player(text, address);
    player.submit(ClientId(0), &[Op::Connect]);
    let fake = Fake::accept(&listener).await;
    (player, fake, listener)
}

/// One connection, seen from the server.
pub(crate) struct Fake {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
    signer: Option<Signer>,
    /// What every answer grants.
    pub(crate) grant: u16,
}

impl Fake {
    /// Accepts a connection and lets the client in: dialect 2.1, and the account `alice` if it is not anonymous.
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut fake = Self {
            stream,
            received: Vec::new(),
            signer: None,
            grant: 32,
        };
        fake.negotiate().await;
        fake.session_setup().await;
        let (header, request) = fake.request().await;
        assert!(matches!(request, Request::TreeConnect(_)), "{request:?}");
        let response = TreeConnectResponse {
            share_type: ShareType::DISK,
            ..Default::default()
        };
        let form = HeaderForm::Sync {
            reserved: 0,
            tree_id: TREE,
        };
        fake.send(
            &Header {
                form,
                ..answer_to(&header)
            },
            &Response::TreeConnect(response),
        )
        .await;
        fake
    }

    async fn negotiate(&mut self) {
        let (header, request) = self.request().await;
        assert!(matches!(request, Request::Negotiate(_)), "{request:?}");
        let response = NegotiateResponse {
            security_mode: SecurityMode::SIGNING_ENABLED,
            dialect_revision: Dialect::SMB_2_1,
            capabilities: Capabilities::LARGE_MTU,
            max_transact_size: 8 << 20,
            max_read_size: 8 << 20,
            max_write_size: 8 << 20,
            ..Default::default()
        };
        self.send(&answer_to(&header), &Response::Negotiate(response))
            .await;
    }

    async fn session_setup(&mut self) {
        let mut ntlm = NtlmServer::new(PASSWORD);
        loop {
            let (header, request) = self.request().await;
            let Request::SessionSetup(setup) = request else {
                panic!("{request:?}")
            };
            let mut response = SessionSetupResponse::default();
            let mut status = 0;
            let bare = setup.buffer.starts_with(b"NTLMSSP\0");
            match (bare, setup.buffer.get(8)) {
                (true, Some(1)) => {
                    response.buffer = b"NTLMSSP\0\x02".to_vec();
                    status = ntstatus::MORE_PROCESSING_REQUIRED;
                }
                (true, _) => response.session_flags = SessionFlags::IS_NULL,
                (false, _) => {
                    response.buffer = ntlm.next(setup.buffer).expect("a good token");
                    match ntlm.session_key() {
                        None => status = ntstatus::MORE_PROCESSING_REQUIRED,
                        Some(key) => {
                            let signer =
                                Signer::new(SigningAlgorithm::HMAC_SHA256, &Key::new(&key));
                            self.signer = Some(signer.expect("a key of 16 bytes"));
                        }
                    }
                }
            }
            let header = Header {
                status,
                session_id: SESSION,
                ..answer_to(&header)
            };
            self.send(&header, &Response::SessionSetup(response)).await;
            if status == 0 {
                return;
            }
        }
    }

    /// The next request; of a compound the first, the others are lost.
    pub(crate) async fn request(&mut self) -> (Header, Request) {
        loop {
            let step = framing::next_frame(&self.received, framing::MAX_FRAME).expect("a frame");
            if let Step::Frame { frame, consumed } = step {
                let (header, message) = split_compound(frame)
                    .next()
                    .expect("a message")
                    .expect("a header");
                let request = Request::decode(message).expect("a request");
                self.received.drain(..consumed);
                return (header, request);
            }
            let read = self
                .stream
                .read_buf(&mut self.received)
                .await
                .expect("bytes");
            assert_ne!(read, 0, "the client hung up");
        }
    }

    /// Everything that the client says until it hangs up.
    pub(crate) async fn until_the_end(&mut self) -> Vec<Request> {
        while self
            .stream
            .read_buf(&mut self.received)
            .await
            .is_ok_and(|read| read > 0)
        {}
        let mut requests = Vec::new();
        let mut rest = &self.received[..];
        while let Ok(Step::Frame { frame, consumed }) =
            framing::next_frame(rest, framing::MAX_FRAME)
        {
            requests.push(Request::decode(frame).expect("a request"));
            rest = &rest[consumed..];
        }
        requests
    }

    /// Answers everything with success until the client hangs up, so that it can close in good order.
    pub(crate) async fn wind_up(mut self) {
        loop {
            while !self.received.is_empty() {
                let (header, request) = self.request().await;
                let response = match request {
                    Request::Close(_) => Response::Close(CloseResponse::default()),
                    Request::TreeDisconnect(_) => Response::TreeDisconnect(TreeDisconnectResponse),
                    Request::Logoff(_) => Response::Logoff(LogoffResponse),
                    Request::Cancel(_) => continue,
                    other => panic!("{other:?}"),
                };
                self.send(&answer_to(&header), &response).await;
            }
            if !self
                .stream
                .read_buf(&mut self.received)
                .await
                .is_ok_and(|read| read > 0)
            {
                return;
            }
        }
    }

    /// Sends an answer, signed when the session has a key.
    pub(crate) async fn send(&mut self, header: &Header, response: &Response) {
        let message = self.signed(header, response);
        self.frame(&message).await;
    }

    /// The message that [`send`](Self::send) sends.
    pub(crate) fn signed(&self, header: &Header, response: &Response) -> Vec<u8> {
        let mut builder = FrameBuilder::new();
        builder.response(
            &Header {
                credits: self.grant,
                ..*header
            },
            response,
        );
        let mut message = builder.finish();
        let solicited = header.message_id != Header::UNSOLICITED && !header.is_interim();
        if let Some(signer) = self.signer.as_ref().filter(|_| solicited) {
            signer.sign(&mut message).expect("a message");
        }
        message
    }

    /// Sends one frame as it is.
    pub(crate) async fn frame(&mut self, frame: &[u8]) {
        let mut bytes = Vec::new();
        framing::append_frame(&mut bytes, frame).expect("a frame of some size");
        self.raw(&bytes).await;
    }

    /// Sends bytes as they are. The client may have hung up already.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }
}

/// The header of a successful answer.
pub(crate) fn answer_to(request: &Header) -> Header {
    Header {
        flags: Flags::SERVER_TO_REDIR,
        status: 0,
        next_command: 0,
        signature: [0; 16],
        ..*request
    }
}
