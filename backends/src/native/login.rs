//! Sets a connection up: TCP, NEGOTIATE, SESSION_SETUP, TREE_CONNECT, and the check that nobody meddled with the
//! negotiation (MS-SMB2 3.2.4.2, 3.2.5.2, 3.2.5.3, 3.2.5.5). One step after the other; the bytes go through the same
//! [`Transport`] that serves the connection afterwards.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use replay_engine::{ClientContext, Identity, Outcome};
use replay_ir::Answer;
use smb_vocabulary::ClientSettings;
use smb_vocabulary::answer::{self, Stage};
use smb_wire::crypto::PreauthHash;
use smb_wire::messages::{NegotiateResponse, TreeConnectResponse};
use smb_wire::{Header, Request, Response, SecurityMode, SessionFlags, ntstatus, split_compound};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::auth::{AuthError, Login, mechanism};
use super::authentication::{Authentication, Basis, Progress, broken};
use super::connection::Shared;
use super::frame::Inbox;
use super::item::Item;
use super::negotiate::{self, Offer};
use super::pump::Reader;
use super::receive::Accepted;
use super::record::Recorder;
use super::request;
use super::secure::Algorithms;
use super::sessions::Tree;
use super::transport::{Negotiated, SendError, Transport};

/// The longest that an attempt may take. The engine's own bound is shorter; this one is for those who have none.
const LIMIT: Duration = Duration::from_secs(60);

/// What an attempt is to come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// A session, which takes the place of another.
    LogIn {
        /// PreviousSessionId; 0 for none.
        previous: u64,
    },
    /// A further channel of the session that there is.
    Bind,
}

/// A name that no account has.
const UNKNOWN_USER: &str = "smb-replay-unknown";

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
pub(super) async fn run(shared: Arc<Shared>, generation: u32, start: Start) {
    let result = timeout(LIMIT, connect(&shared, start)).await;
    let late = || Outcome::Lost(format!("not connected after {} s", LIMIT.as_secs()));
    shared.connected(generation, result.unwrap_or_else(|_| Err(late())));
}

async fn connect(shared: &Shared, start: Start) -> Result<Connected, Outcome> {
    let context = &shared.context;
    let client = context.trace.client(context.client);
    let settings = ClientSettings::of(&context.trace, client)
        .map_err(|error| Outcome::Broken(error.to_string()))?;
    let identity = identity(context, &settings)?;
    let address = context.target.address;
    let lost = |error: io::Error| Outcome::Lost(format!("connecting to {address}: {error}"));
    let stream = TcpStream::connect(address).await.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    let mut recorder = Recorder::new(context, &stream);
    if let (Some(recorder), Some(identity)) = (&mut recorder, &identity) {
        recorder.knows(identity);
    }
    let (socket, writer) = stream.into_split();
    let mut transport = Box::new(Transport::new(writer));
    transport.recorder = recorder;
    if let Some(credits) = settings.credits {
        transport.credits.set_target(credits);
    }
    let mut attempt = Attempt {
        transport,
        reader: Reader {
            socket,
            inbox: Inbox::default(),
        },
        frames: Vec::new(),
        preauth: PreauthHash::default(),
    };
    let offer = Offer::new(&settings, &shared.group, &context.target.host);
    let logged_in = attempt
        .log_in(shared, &settings, &offer, identity.as_ref(), start)
        .await;
    if let (Err(outcome), Some(recorder)) = (&logged_in, &attempt.transport.recorder) {
        let (by_server, reason) = match outcome {
            Outcome::Lost(reason) => (true, reason.as_str()),
            Outcome::Violation(reason) | Outcome::Discarded(reason) | Outcome::Broken(reason) => {
                (false, reason.as_str())
            }
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
pub(super) fn identity(
    context: &ClientContext,
    settings: &ClientSettings<'_>,
) -> Result<Option<Identity>, Outcome> {
    if settings.anonymous {
        return Ok(None);
    }
    let missing = || {
        let user = settings.user.unwrap_or_default();
        Outcome::Broken(format!("there is no account for identity `{user}`"))
    };
    let mut identity = context.identity.clone().ok_or_else(missing)?;
    if let Some(domain) = settings.domain {
        domain.clone_into(&mut identity.domain);
    }
    if settings.unknown_user {
        UNKNOWN_USER.clone_into(&mut identity.account);
    }
    if settings.wrong_password {
        identity.password = "not the password".to_owned().into();
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
        start: Start,
    ) -> Result<Answer, Outcome> {
        let mut known = answer::Connected {
            stage: Stage::Negotiate,
            status: ntstatus::SUCCESS,
            negotiate: None,
            session: None,
            mechanism: None,
            tree: None,
        };
        let request = Request::Negotiate(offer.request.clone());
        let mut preauth = std::mem::take(&mut self.preauth);
        self.send_hashed(request, Some(&mut preauth)).await?;
        self.preauth = preauth;
        let reply = self.receive().await?;
        let Response::Negotiate(negotiated) = reply.response else {
            return refused(&known, reply.header.status);
        };
        self.transport.validation = offer.validate_info().into();
        let algorithms = self.negotiated(offer, &negotiated)?;
        self.preauth.update(&reply.bytes);
        let basis = Basis {
            algorithms,
            preauth: self.preauth.clone(),
            security_mode: offer.request.security_mode,
            capabilities: offer.request.capabilities,
            signing_required: negotiated
                .security_mode
                .contains(SecurityMode::SIGNING_REQUIRED),
        };
        known.negotiate = Some(&negotiated);
        known.stage = Stage::SessionSetup;
        let target = &shared.context.target;
        let login = match Login::begin(identity, settings, target).await {
            Ok(login) => login,
            Err(AuthError {
                status: Some(status),
                ..
            }) => return refused(&known, status),
            Err(error) => return Err(broken(settings, error)),
        };
        let authentication = match start {
            Start::LogIn { previous } => {
                Authentication::new(login, settings, &basis, Some(previous))?
            }
            Start::Bind => {
                let bond = shared.group.bond();
                let bond = bond.ok_or_else(|| {
                    Outcome::Broken("there is no session to be bound to".to_owned())
                })?;
                Authentication::new(login, settings, &basis, Some(0))?.bind(bond)?
            }
        };
        self.transport.basis = Some(Box::new(basis));

        let flags = match self.session_setup(authentication).await? {
            Ok(flags) => flags,
            Err(status) => return refused(&known, status),
        };
        known.session = Some(flags);
        known.mechanism = mechanism(settings, target);
        let session = &self.transport.sessions[0];
        shared.registry.logged_in(shared.context.client, session.id);
        if matches!(start, Start::Bind) {
            return Ok(answer::connect(&known));
        }
        shared.group.logged_in(session);

        known.stage = Stage::TreeConnect;
        let share = settings.share.unwrap_or(&target.share);
        let tree = match self.tree_connect(&target.host, share).await? {
            Ok(tree) => tree,
            Err(status) => return refused(&known, status),
        };
        known.tree = Some(&tree);
        shared
            .group
            .connected(None, self.transport.sessions[0].tree);
        let can_sign = self.transport.sessions[0].security.can_sign();
        if can_sign && offer.must_validate(negotiated.dialect_revision) {
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
        mut authentication: Authentication,
    ) -> Result<Result<SessionFlags, u32>, Outcome> {
        authentication.begin(&mut self.transport.sessions[0]);
        loop {
            let request = Request::SessionSetup(authentication.request());
            self.send_hashed(request, Some(authentication.preauth()))
                .await?;
            // The keys are those of the last request that goes out, and verify the answer to it.
            let unfit = |error: smb_wire::Error| Outcome::Violation(error.to_string());
            if let Some(security) = authentication.security().map_err(unfit)? {
                self.transport.sessions[0].security = security;
            }
            let reply = self.receive().await?;
            self.transport.sessions[0].id = reply.header.session_id;
            let Response::SessionSetup(response) = reply.response else {
                return Ok(Err(reply.header.status));
            };
            let progress = authentication.answered(&reply.header, &response, &reply.bytes);
            if let Progress::Done(flags) = progress.map_err(Outcome::Violation)? {
                let last = authentication.last_security(&reply.header, &reply.bytes);
                if let Some(security) = last.map_err(Outcome::Violation)? {
                    self.transport.sessions[0].security = security;
                }
                let settled = authentication.settle(flags, &mut self.transport.sessions[0]);
                settled.map_err(Outcome::Violation)?;
                return Ok(Ok(flags));
            }
        }
    }

    /// Connects the share; the inner error is the status with which the server refuses.
    async fn tree_connect(
        &mut self,
        host: &str,
        share: &str,
    ) -> Result<Result<TreeConnectResponse, u32>, Outcome> {
        let request = Request::TreeConnect(request::tree_connect(host, share));
        let reply = self.exchange(request).await?;
        let Response::TreeConnect(tree) = reply.response else {
            return Ok(Err(reply.header.status));
        };
        let id = reply.header.tree_id().unwrap_or_default();
        self.transport.sessions[0].connected(None, Tree::new(id, &tree));
        Ok(Ok(tree))
    }

    /// FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 3.2.5.5): the answer is signed, so what it says was not meddled with.
    async fn validate(
        &mut self,
        offer: &Offer,
        negotiated: &NegotiateResponse,
    ) -> Result<(), Outcome> {
        let reply = self.exchange(offer.validation()).await?;
        match reply.response {
            Response::Ioctl(response) => {
                negotiate::check_validation(&response, negotiated).map_err(Outcome::Violation)
            }
            // A server without it says so, and says it signed.
            _ => Ok(()),
        }
    }

    async fn exchange(&mut self, request: Request) -> Result<Reply, Outcome> {
        self.send_hashed(request, None).await?;
        self.receive().await
    }

    async fn send_hashed(
        &mut self,
        request: Request,
        preauth: Option<&mut PreauthHash>,
    ) -> Result<(), Outcome> {
        let broken = |error: SendError| match error {
            SendError::Io(_) => Outcome::Lost(error.to_string()),
            error => Outcome::Violation(error.to_string()),
        };
        let item = Item {
            // One that binds a channel is signed with the session's key.
            sign: matches!(request, Request::Ioctl(_) | Request::SessionSetup(_)),
            ..Item::own(request)
        };
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
                Accepted::Discarded(_, reason) => return Err(Outcome::Discarded(reason)),
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
