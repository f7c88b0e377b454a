//! Sets a connection up: TCP, NEGOTIATE, SESSION_SETUP, TREE_CONNECT, and the check that nobody meddled with the
//! negotiation (MS-SMB2 3.2.4.2, 3.2.5.2, 3.2.5.3, 3.2.5.5). One step after the other; the bytes go through the same
//! [`Transport`] that serves the connection afterwards.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use replay_engine::{Identity, Outcome};
use replay_ir::Answer;
use smb_vocabulary::answer::{self, Stage};
use smb_vocabulary::{ClientSettings, Encryption};
use smb_wire::crypto::PreauthHash;
use smb_wire::messages::{NegotiateResponse, SessionSetupRequest, TreeConnectResponse};
use smb_wire::{
    Dialect, Header, Request, Response, SecurityMode, SessionFlags, ntstatus, split_compound,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::auth::Login;
use super::connection::Shared;
use super::frame::Inbox;
use super::negotiate::{self, Offer};
use super::pump::Reader;
use super::receive::Accepted;
use super::record::Recorder;
use super::request;
use super::secure::{Algorithms, Security};
use super::transport::{Item, Negotiated, SendError, Transport, Tree};

/// The longest that an attempt may take. The engine's own bound is shorter; this one is for those who have none.
const LIMIT: Duration = Duration::from_secs(60);

/// The most SESSION_SETUP requests of one login; NTLM takes two.
const MAX_ROUNDS: usize = 8;

/// A connection that is set up.
pub(super) struct Connected {
    /// What it is sent on.
    pub(super) transport: Box<Transport>,
    /// What it is read from.
    pub(super) reader: Reader,
    /// The answer of the step that asked for it.
    pub(super) answer: Answer,
}

/// Connects, and tells `shared` how that ended.
pub(super) async fn run(shared: Arc<Shared>, generation: u32) {
    let result = timeout(LIMIT, connect(&shared)).await;
    let late = || Outcome::Lost(format!("not connected after {} s", LIMIT.as_secs()));
    shared.connected(generation, result.unwrap_or_else(|_| Err(late())));
}

async fn connect(shared: &Shared) -> Result<Connected, Outcome> {
    let context = &shared.context;
    let client = context.trace.client(context.client);
    let settings =
        ClientSettings::decode(client).map_err(|error| Outcome::Broken(error.to_string()))?;
    let identity = identity(shared, &settings)?;
    let address = context.target.address;
    let lost = |error: io::Error| Outcome::Lost(format!("connecting to {address}: {error}"));
    let stream = TcpStream::connect(address).await.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    let recorder = Recorder::new(context, &stream);
    let (socket, writer) = stream.into_split();
    let mut transport = Box::new(Transport::new(writer));
    transport.recorder = recorder;
    let mut attempt = Attempt {
        transport,
        reader: Reader {
            socket,
            inbox: Inbox::default(),
        },
        frames: Vec::new(),
        preauth: PreauthHash::default(),
    };
    let offer = Offer::new(&settings, shared.client_guid, &context.target.host);
    let logged_in = attempt
        .log_in(shared, &settings, &offer, identity.as_ref())
        .await;
    if let (Err(outcome), Some(recorder)) = (&logged_in, &attempt.transport.recorder) {
        let (by_server, reason) = match outcome {
            Outcome::Lost(reason) => (true, reason.as_str()),
            Outcome::Violation(reason) | Outcome::Broken(reason) => (false, reason.as_str()),
            Outcome::Answered(_) => (false, "the server refused"),
        };
        recorder.ended(by_server, reason);
    }
    let answer = logged_in?;
    if !attempt.frames.is_empty() {
        return Err(Outcome::Violation(
            "the server sent more than was asked for".to_owned(),
        ));
    }
    let Attempt {
        transport, reader, ..
    } = attempt;
    Ok(Connected {
        transport,
        reader,
        answer,
    })
}

/// As whom; `None` for an anonymous client.
fn identity(shared: &Shared, settings: &ClientSettings<'_>) -> Result<Option<Identity>, Outcome> {
    if settings.anonymous {
        return Ok(None);
    }
    let missing = || {
        let user = settings.user.unwrap_or_default();
        Outcome::Broken(format!("there is no account for identity `{user}`"))
    };
    let mut identity = shared.context.identity.clone().ok_or_else(missing)?;
    if let Some(domain) = settings.domain {
        domain.clone_into(&mut identity.domain);
    }
    Ok(Some(identity))
}

/// A connection while it is being set up.
struct Attempt {
    transport: Box<Transport>,
    reader: Reader,
    /// Frames that have been received and not looked at.
    frames: Vec<Vec<u8>>,
    preauth: PreauthHash,
}

/// What an exchange brought.
struct Reply {
    header: Header,
    response: Response,
    /// The message from its header on.
    bytes: Vec<u8>,
}

impl Attempt {
    async fn log_in(
        &mut self,
        shared: &Shared,
        settings: &ClientSettings<'_>,
        offer: &Offer,
        identity: Option<&Identity>,
    ) -> Result<Answer, Outcome> {
        let mut known = answer::Connected {
            stage: Stage::Negotiate,
            status: ntstatus::SUCCESS,
            negotiate: None,
            session: None,
            tree: None,
        };
        let reply = self
            .exchange(Request::Negotiate(offer.request.clone()), true)
            .await?;
        let Response::Negotiate(negotiated) = reply.response else {
            return refused(&known, reply.header.status);
        };
        self.transport.validation = offer.validate_info().into();
        let algorithms = self.negotiated(offer, &negotiated)?;
        self.preauth.update(&reply.bytes);

        known.negotiate = Some(&negotiated);
        known.stage = Stage::SessionSetup;
        let flags = match self
            .session_setup(settings, offer, identity, algorithms)
            .await?
        {
            Ok(flags) => flags,
            Err(status) => return refused(&known, status),
        };
        known.session = Some(flags);
        self.protect(settings, &negotiated, flags)?;

        known.stage = Stage::TreeConnect;
        let target = &shared.context.target;
        let share = settings.share.unwrap_or(&target.share);
        let tree = match self.tree_connect(&target.host, share).await? {
            Ok(tree) => tree,
            Err(status) => return refused(&known, status),
        };
        known.tree = Some(&tree);
        if self.transport.security.can_sign() && offer.must_validate(negotiated.dialect_revision) {
            self.validate(offer, &negotiated).await?;
        }
        Ok(answer::connect(&known))
    }

    /// Takes over what NEGOTIATE settled.
    fn negotiated(
        &mut self,
        offer: &Offer,
        response: &NegotiateResponse,
    ) -> Result<Algorithms, Outcome> {
        let algorithms = offer.accept(response).map_err(Outcome::Violation)?;
        self.transport.negotiated = Negotiated {
            dialect: response.dialect_revision,
            max_read: response.max_read_size,
            max_write: response.max_write_size,
            max_transact: response.max_transact_size,
        };
        self.transport
            .credits
            .set_multi(negotiate::is_multi_credit(response));
        Ok(algorithms)
    }

    /// Logs in; the inner error is the status with which the server refuses.
    async fn session_setup(
        &mut self,
        settings: &ClientSettings<'_>,
        offer: &Offer,
        identity: Option<&Identity>,
        algorithms: Algorithms,
    ) -> Result<Result<SessionFlags, u32>, Outcome> {
        let failed = |error| Outcome::Broken(format!("logging in{}: {error}", named(settings)));
        let unfit = |error| Outcome::Violation(format!("logging in{}: {error}", named(settings)));
        let mut login = Login::new(identity).map_err(failed)?;
        let mut token = login.next(&[]).map_err(failed)?;
        for _ in 0..MAX_ROUNDS {
            let request = SessionSetupRequest {
                security_mode: offer.request.security_mode,
                capabilities: offer.request.capabilities & smb_wire::Capabilities::DFS,
                buffer: std::mem::take(&mut token),
                ..Default::default()
            };
            self.send(Request::SessionSetup(request), true).await?;
            // The keys are those of the last request that goes out, and verify the answer to it.
            if let Some(key) = login.session_key() {
                let security = Security::new(algorithms, &key, &self.preauth);
                let unfit = |error: smb_wire::Error| Outcome::Violation(error.to_string());
                self.transport.security = security.map_err(unfit)?;
            }
            let reply = self.receive().await?;
            self.transport.session.id = reply.header.session_id;
            let Response::SessionSetup(response) = reply.response else {
                return Ok(Err(reply.header.status));
            };
            token = login.next(&response.buffer).map_err(unfit)?;
            if reply.header.status == ntstatus::SUCCESS {
                let flags = response.session_flags;
                let nobody = flags.intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL);
                if algorithms.dialect == Dialect::SMB_3_1_1 && !nobody && !reply.header.is_signed()
                {
                    let reason = "the last SESSION_SETUP answer is not signed";
                    return Err(Outcome::Violation(reason.to_owned()));
                }
                return Ok(Ok(flags));
            }
            self.preauth.update(&reply.bytes);
        }
        Err(Outcome::Violation(format!(
            "the login goes on after {MAX_ROUNDS} rounds"
        )))
    }

    /// Settles what is signed and what is encrypted (MS-SMB2 3.2.5.3.3).
    fn protect(
        &mut self,
        settings: &ClientSettings<'_>,
        negotiated: &NegotiateResponse,
        flags: SessionFlags,
    ) -> Result<(), Outcome> {
        let transport = &mut self.transport;
        let nobody = flags.intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL);
        if nobody {
            transport.security = Security::default();
        }
        if nobody && settings.signing_required && !settings.anonymous {
            let reason =
                "the server let the client in as a guest, who cannot sign as the client requires";
            return Err(Outcome::Violation(reason.to_owned()));
        }
        let wanted = settings.encryption == Encryption::Required;
        if wanted && !transport.security.can_encrypt() {
            let reason =
                "the client requires encryption, and nothing to encrypt with was negotiated";
            return Err(Outcome::Violation(reason.to_owned()));
        }
        let required = negotiated
            .security_mode
            .contains(SecurityMode::SIGNING_REQUIRED);
        transport.session.sign = !nobody && (required || settings.signing_required);
        transport.session.encrypt = wanted || flags.contains(SessionFlags::ENCRYPT_DATA);
        Ok(())
    }

    /// Connects the share; the inner error is the status with which the server refuses.
    async fn tree_connect(
        &mut self,
        host: &str,
        share: &str,
    ) -> Result<Result<TreeConnectResponse, u32>, Outcome> {
        let request = Request::TreeConnect(request::tree_connect(host, share));
        let reply = self.exchange(request, false).await?;
        let Response::TreeConnect(tree) = reply.response else {
            return Ok(Err(reply.header.status));
        };
        self.transport.tree = Tree::new(reply.header.tree_id().unwrap_or_default(), &tree);
        Ok(Ok(tree))
    }

    /// FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 3.2.5.5): the answer is signed, so what it says was not meddled with.
    async fn validate(
        &mut self,
        offer: &Offer,
        negotiated: &NegotiateResponse,
    ) -> Result<(), Outcome> {
        let reply = self.exchange(offer.validation(), false).await?;
        match reply.response {
            Response::Ioctl(response) => {
                negotiate::check_validation(&response, negotiated).map_err(Outcome::Violation)
            }
            // A server without it says so, and says it signed.
            _ => Ok(()),
        }
    }

    async fn exchange(&mut self, request: Request, hashed: bool) -> Result<Reply, Outcome> {
        self.send(request, hashed).await?;
        self.receive().await
    }

    async fn send(&mut self, request: Request, hashed: bool) -> Result<(), Outcome> {
        let broken = |error: SendError| match error {
            SendError::Io(_) => Outcome::Lost(error.to_string()),
            error => Outcome::Violation(error.to_string()),
        };
        let item = Item {
            sign: matches!(request, Request::Ioctl(_)),
            ..Item::own(request)
        };
        let preauth = hashed.then_some(&mut self.preauth);
        self.transport
            .send_hashed(&[item], preauth)
            .map_err(broken)?;
        let (transport, socket) = (&mut self.transport, self.reader.socket.as_ref());
        let flushed = poll_fn(|context| transport.poll_flush(socket, context)).await;
        flushed.map_err(|error| Outcome::Lost(format!("sending failed: {error}")))
    }

    /// The final answer to what is in flight, which is one request at a time.
    async fn receive(&mut self) -> Result<Reply, Outcome> {
        loop {
            let frame = self.frame().await?;
            let (frame, encrypted) = self.transport.open(&frame).map_err(Outcome::Violation)?;
            let mut messages = split_compound(&frame);
            let (Some(Ok((header, message))), None) = (messages.next(), messages.next()) else {
                let reason = "a frame that is not one message answers one request";
                return Err(Outcome::Violation(reason.to_owned()));
            };
            let accepted = self.transport.accept(&header, message, encrypted);
            match accepted.map_err(|violation| Outcome::Violation(violation.reason))? {
                Accepted::Interim(..) => {}
                Accepted::Final(_, response) => {
                    return Ok(Reply {
                        header,
                        response,
                        bytes: message.to_vec(),
                    });
                }
            }
        }
    }

    async fn frame(&mut self) -> Result<Vec<u8>, Outcome> {
        while self.frames.is_empty() {
            let Self { reader, frames, .. } = self;
            let read = poll_fn(|context| {
                reader
                    .inbox
                    .poll_read(&mut reader.socket, context, &mut |frame| {
                        frames.push(frame.to_vec());
                        true
                    })
            });
            match read.await {
                Ok(0) => return Err(Outcome::Lost("the server closed the connection".to_owned())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(Outcome::Violation(error.to_string()));
                }
                Err(error) => return Err(Outcome::Lost(format!("receiving failed: {error}"))),
            }
        }
        Ok(self.frames.remove(0))
    }
}

/// The answer of a step that could not connect because the server says so.
fn refused(known: &answer::Connected<'_>, status: u32) -> Result<Answer, Outcome> {
    Err(Outcome::Answered(answer::connect(&answer::Connected {
        status,
        ..*known
    })))
}

/// ` as alice`: the identity's name, never more of it.
fn named(settings: &ClientSettings<'_>) -> String {
    settings
        .user
        .map(|user| format!(" as {user}"))
        .unwrap_or_default()
}
