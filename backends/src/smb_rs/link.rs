//! What a client and the lanes on it share: the connection, its session, its tree, and the opens on it; how they come
//! about and how they end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use replay_engine::Events;
use replay_ir::{Answer, StepId};
use smb::msg_handler::IncomingMessage;
use smb::{FileId, TreeConnectResponse};
use smb_vocabulary::Operation;
use smb_vocabulary::answer::Stage;
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Summary};
use super::channel::Channel;
use super::exchange::{Cancellable, Pending, Protection, Request};
use super::failure::Failure;
use super::login::{self, Account, LoggedIn, Negotiated, Session, Wishes};
use super::request::{self, Body, Place};
use super::transport::NoDelayTransport;

/// How long connecting and each exchange of logging in may take.
const EXCHANGE_BOUND: Duration = Duration::from_secs(10);
/// How long closing may take, all together.
const CLOSE_BOUND: Duration = Duration::from_secs(4);

/// What a client line says, ready to be used any number of times.
#[derive(Debug)]
pub(super) struct Setup {
    /// Where the server listens.
    pub(super) address: SocketAddr,
    /// Where paths and shares are.
    pub(super) place: Place,
    /// As whom.
    pub(super) account: Account,
    /// What is offered.
    pub(super) wishes: Wishes,
}

/// A connected share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    /// TreeId.
    pub(super) id: u32,
    /// How messages on it are protected: as the session's, or encrypted where the share wants that.
    pub(super) protection: Protection,
}

/// What changes while a connection lives.
#[derive(Default)]
struct State {
    tree: Option<Tree>,
    /// Every tree that is connected.
    trees: Vec<Tree>,
    /// The opens, by the step that made them.
    files: HashMap<StepId, (FileId, Tree)>,
    pending: HashMap<StepId, Cancellable>,
    logged_off: bool,
}

/// A connection with a session on it.
pub(super) struct Link {
    /// The connection.
    pub(super) channel: Held,
    /// The session.
    pub(super) session: Session,
    state: Mutex<State>,
}

/// A channel that is abandoned when its last user is gone: its reader would keep the socket open otherwise. Nothing is
/// sent.
pub(super) struct Held(Arc<Channel>);

impl std::ops::Deref for Held {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Link {
    /// Connects, negotiates, logs in, and connects the share. The answer is that of a `connect` step; there is no
    /// link when the server refused. `listeners` hear when the connection ends by itself.
    pub(super) async fn connect(
        setup: &Setup,
        listeners: Vec<Events>,
    ) -> Result<(Option<Arc<Self>>, Answer), Failure> {
        let connecting = NoDelayTransport::connect(setup.address, EXCHANGE_BOUND).await;
        let transport = connecting
            .map_err(|error| Failure::Lost(format!("connecting to {}: {error}", setup.address)))?;
        let mut summary = Summary {
            negotiated: None,
            session: None,
            tree: None,
        };
        let (host, wishes) = (&setup.place.host, &setup.wishes);
        let (channel, negotiated) =
            match login::negotiate(transport, host, wishes, EXCHANGE_BOUND).await? {
                Negotiated::Connected(channel, answer) => (Held(channel), answer),
                Negotiated::Refused(status) => {
                    return Ok((None, answer::connect(Stage::Negotiate, status, &summary)));
                }
            };
        let info = channel.info.clone();
        summary.negotiated = Some((&info, &negotiated));
        let logged_in = login::log_in(&channel, &setup.account, wishes, EXCHANGE_BOUND).await?;
        let session = match logged_in {
            LoggedIn::Session(session) => session,
            LoggedIn::Refused(status) => {
                return Ok((None, answer::connect(Stage::SessionSetup, status, &summary)));
            }
        };
        summary.session = Some(session.flags);
        let link = Arc::new(Self {
            channel,
            session,
            state: Mutex::default(),
        });
        let message = link.connect_share(setup).await?;
        let status = message.message.header.status;
        if status != 0 {
            link.log_off(Instant::now() + EXCHANGE_BOUND).await?;
            return Ok((None, answer::connect(Stage::TreeConnect, status, &summary)));
        }
        let tree = link.tree_connected(message)?;
        summary.tree = Some(&tree);
        let answer = answer::connect(Stage::TreeConnect, status, &summary);
        link.channel.tell_when_lost(listeners);
        Ok((Some(link), answer))
    }

    async fn connect_share(&self, setup: &Setup) -> Result<IncomingMessage, Failure> {
        let connect = Operation::TreeConnect {
            share: None,
            name: None,
        };
        let body = request::body(&connect, FileId::EMPTY, &setup.place).map_err(Failure::Broken)?;
        let pending = self
            .channel
            .send(vec![self.request(body, None, false)])
            .await?;
        let pending = pending.into_iter().next();
        let pending = pending.ok_or_else(|| Failure::Broken("nothing was sent".into()))?;
        pending.last("TREE_CONNECT", EXCHANGE_BOUND).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request with this body on the client's tree, or on `tree`.
    pub(super) fn request(&self, body: Body, tree: Option<Tree>, related: bool) -> Request {
        let tree = tree.or(self.state().tree);
        Request {
            content: body.content,
            command: body.command,
            payload: body.payload,
            session: self.session.id,
            tree: tree.map_or(0, |tree| tree.id),
            related,
            protection: tree.map_or(self.session.protection, |tree| tree.protection),
        }
    }

    /// The open that a step made, if it did.
    pub(super) fn file(&self, opener: StepId) -> Option<(FileId, Tree)> {
        self.state().files.get(&opener).copied()
    }

    /// A step opened this, on the client's tree.
    pub(super) fn opened(&self, opener: StepId, file: FileId) {
        let mut state = self.state();
        if let Some(tree) = state.tree {
            state.files.insert(opener, (file, tree));
        }
    }

    /// The open that this step made is no more.
    pub(super) fn closed(&self, opener: StepId) {
        self.state().files.remove(&opener);
    }

    /// From now on requests go to the tree of this answer.
    pub(super) fn tree_connected(
        &self,
        answer: IncomingMessage,
    ) -> Result<TreeConnectResponse, Failure> {
        let id = answer.message.header.tree_id;
        let id =
            id.ok_or_else(|| Failure::Violation("a TREE_CONNECT answer without TreeId".into()))?;
        let content = answer.message.content.to_treeconnect();
        let response = content.map_err(|error| Failure::Violation(error.to_string()))?;
        let protection = match response.share_flags.encrypt_data() {
            true => Protection::Encrypted,
            false => self.session.protection,
        };
        let tree = Tree { id, protection };
        let mut state = self.state();
        state.tree = Some(tree);
        state.trees.push(tree);
        Ok(response)
    }

    /// The client's tree is no more; requests still carry its TreeId.
    pub(super) fn tree_disconnected(&self) {
        let mut state = self.state();
        if let Some(Tree { id, .. }) = state.tree {
            state.trees.retain(|tree| tree.id != id);
            state.files.retain(|_, (_, tree)| tree.id != id);
        }
    }

    /// The session is no more.
    pub(super) fn logged_off(&self) {
        self.state().logged_off = true;
    }

    /// A step's request is pending.
    pub(super) fn is_pending(&self, step: StepId, what: Cancellable) {
        self.state().pending.insert(step, what);
    }

    /// It is not any more.
    pub(super) fn is_answered(&self, step: StepId) -> Option<Cancellable> {
        self.state().pending.remove(&step)
    }

    /// What there is to cancel of a step.
    pub(super) fn pending(&self, step: StepId) -> Option<Cancellable> {
        self.state().pending.get(&step).copied()
    }

    /// Closes every open, disconnects every tree, logs off, and closes the connection, within a bound; what does not
    /// answer in time is left behind.
    pub(super) async fn close(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + CLOSE_BOUND;
        let result = match self.channel.failed() {
            Some(_) => Ok(()),
            None => self.clean_up(deadline).await,
        };
        self.channel.close().await;
        result
    }

    async fn clean_up(&self, deadline: Instant) -> Result<(), Failure> {
        let (files, trees) = {
            let mut state = self.state();
            if state.logged_off {
                return Ok(());
            }
            (
                std::mem::take(&mut state.files),
                std::mem::take(&mut state.trees),
            )
        };
        for (file, tree) in files.into_values() {
            let body = request::close(file, false);
            self.exchange(self.request(body, Some(tree), false), "CLOSE", deadline)
                .await?;
        }
        for tree in trees {
            let body = Body::from(smb::RequestContent::from(
                smb::TreeDisconnectRequest::default(),
            ));
            let request = self.request(body, Some(tree), false);
            self.exchange(request, "TREE_DISCONNECT", deadline).await?;
        }
        self.log_off(deadline).await
    }

    async fn log_off(&self, deadline: Instant) -> Result<(), Failure> {
        let body = Body::from(smb::RequestContent::from(smb::LogoffRequest::default()));
        let request = Request {
            tree: 0,
            protection: self.session.protection,
            ..self.request(body, None, false)
        };
        self.exchange(request, "LOGOFF", deadline).await
    }

    /// Sends and waits for the answer, whatever its status.
    async fn exchange(
        &self,
        request: Request,
        what: &str,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let exchange = async {
            for pending in self.channel.send(vec![request]).await? {
                let answer = Pending::last(pending, what, CLOSE_BOUND).await?;
                let status = answer.message.header.status;
                if status != 0 {
                    tracing::debug!(what, status = format_args!("{status:#010x}"), "cleaning up");
                }
            }
            Ok(())
        };
        let late = |_| Err(Failure::late(what, CLOSE_BOUND));
        timeout_at(deadline, exchange).await.unwrap_or_else(late)
    }
}
