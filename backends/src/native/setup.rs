//! Logins that an established connection goes through: of further sessions on it, of a session that takes the place of one
//! that was logged off, and reauthentication (MS-SMB2 3.2.4.2.3, 3.2.5.3).
//!
//! Such a login is a [`Setup`]: it goes on with each answer that comes, beside everything else on the connection. One by
//! Kerberos asks the key distribution center first, in a task of its own.

mod asking;
mod ending;
mod start;

use replay_engine::{Events, Op, Outcome};
use replay_ir::Answer;
use smb_vocabulary::Mechanism;
use smb_vocabulary::answer::{self, Stage};
use smb_wire::messages::TreeConnectResponse;
use smb_wire::{Header, Request, Response, SessionFlags};
use tokio::task::AbortHandle;

use super::authentication::{Authentication, Basis, Progress};
use super::connection::{Phase, State};
use super::item::Item;
use super::pending::Waiter;
use super::request;
use super::sessions::{Session, Tree};
use super::transport::{SendError, Transport};

/// Clients whose connect waits until every session on the connection is there.
pub(super) struct Ready {
    waiters: Vec<(u16, Op)>,
    outcome: Outcome,
    /// How many sessions are not there yet.
    left: usize,
}

/// A login that is under way on an established connection.
pub(super) struct Setup {
    lane: u16,
    /// Who is told; `None`: it belongs to the connection's own set-up.
    op: Option<Op>,
    slot: u16,
    progress: Login,
    /// The mechanism; `None` for an anonymous login.
    mechanism: Option<Mechanism>,
    /// Only the user is authenticated anew.
    reauthentication: bool,
    host: String,
    share: String,
    stage: Stage,
    flags: Option<SessionFlags>,
}

/// How far a [`Setup`] is.
enum Login {
    /// The key distribution center is asked for tickets, by this task.
    Asking(AbortHandle),
    /// Messages are exchanged with the server.
    Server(Box<Authentication>),
}

impl Setup {
    /// Reports it as lost when it concerns a client that is being closed; true if it does.
    pub(super) fn abandoned(&self, concerns: impl Fn(u16) -> bool, lanes: &[Events]) -> bool {
        let closed = concerns(self.lane);
        if let Some(op) = self.op.filter(|_| closed) {
            let outcome = Outcome::Lost("the client was closed".to_owned());
            lanes[usize::from(self.lane)].done(op, outcome);
        }
        if closed {
            self.stop_asking();
        }
        closed
    }

    fn stop_asking(&self) {
        if let Login::Asking(task) = &self.progress {
            task.abort();
        }
    }

    fn authentication(&mut self) -> Result<&mut Authentication, SendError> {
        match &mut self.progress {
            Login::Server(authentication) => Ok(authentication),
            Login::Asking(_) => {
                let text = "an answer to a login that has not been sent";
                Err(SendError::Impossible(text.to_owned()))
            }
        }
    }

    fn send(&mut self, transport: &mut Transport) -> Result<(), SendError> {
        let (slot, lane, reauthentication) = (self.slot, self.lane, self.reauthentication);
        let authentication = self.authentication()?;
        let item = Item {
            session: slot,
            waiter: Waiter::Setup { lane },
            ..Item::own(Request::SessionSetup(authentication.request()))
        };
        transport.send_hashed(&[item], Some(authentication.preauth()))?;
        // The keys are those of the last request that goes out, and verify the answer to it. A reauthentication
        // changes none (MS-SMB2 3.2.5.3.2).
        let security = authentication.security();
        let security = security.map_err(|error| SendError::Impossible(error.to_string()))?;
        if let Some(security) = security.filter(|_| !reauthentication) {
            self.session(transport)?.security = security;
        }
        Ok(())
    }

    fn session<'t>(&self, transport: &'t mut Transport) -> Result<&'t mut Session, SendError> {
        let session = transport.sessions.get_mut(usize::from(self.slot));
        session.ok_or_else(|| SendError::Impossible("there is no such session".to_owned()))
    }

    /// Goes on with an answer; gives the step's own when that was the last.
    fn step(
        &mut self,
        transport: &mut Transport,
        header: &Header,
        response: &Response,
        message: &[u8],
    ) -> Result<Option<Answer>, String> {
        let text = |error: SendError| error.to_string();
        match response {
            Response::SessionSetup(response) => {
                let authentication = self.authentication().map_err(text)?;
                let progress = authentication.answered(header, response, message)?;
                if !self.reauthentication {
                    self.session(transport).map_err(text)?.id = header.session_id;
                }
                match progress {
                    Progress::Again => self.send(transport).map_err(text)?,
                    Progress::Done(_) if self.reauthentication => {
                        let answer = answer::reauthenticate(header.status, self.mechanism);
                        return Ok(Some(answer));
                    }
                    Progress::Done(flags) => {
                        self.flags = Some(flags);
                        let authentication = self.authentication().map_err(text)?;
                        let security = authentication.last_security(header, message)?;
                        let protection = self.authentication().map_err(text)?.protection(flags)?;
                        let session = self.session(transport).map_err(text)?;
                        if let Some(security) = security {
                            session.security = security;
                        }
                        protection.apply(session)?;
                        self.stage = Stage::TreeConnect;
                        let body = request::tree_connect(&self.host, &self.share);
                        let item = Item {
                            session: self.slot,
                            waiter: Waiter::Setup { lane: self.lane },
                            ..Item::own(Request::TreeConnect(body))
                        };
                        transport.send(&[item]).map_err(text)?;
                    }
                }
                Ok(None)
            }
            Response::TreeConnect(tree) => {
                let id = header.tree_id().unwrap_or_default();
                let session = self.session(transport).map_err(text)?;
                session.connected(None, Tree::new(id, tree));
                Ok(Some(self.answer(header.status, Some(tree))))
            }
            _ => {
                self.forget(transport);
                Ok(Some(self.refused(header.status)))
            }
        }
    }

    /// There is no session, if the login was to make one and has not.
    fn forget(&self, transport: &mut Transport) {
        let made = self.flags.is_some() || self.reauthentication;
        if let (false, Ok(session)) = (made, self.session(transport)) {
            *session = Session::default();
        }
    }

    /// The step's answer when the login was refused.
    fn refused(&self, status: u32) -> Answer {
        match self.reauthentication {
            true => answer::reauthenticate(status, None),
            false => self.answer(status, None),
        }
    }

    fn answer(&self, status: u32, tree: Option<&TreeConnectResponse>) -> Answer {
        answer::connect(&answer::Connected {
            stage: self.stage,
            status,
            negotiate: None,
            session: self.flags,
            mechanism: self.mechanism.filter(|_| self.flags.is_some()),
            tree,
        })
    }
}

impl State {
    /// The established connection, or what became of it.
    fn established(&mut self) -> Result<&mut Transport, Outcome> {
        match &mut self.phase {
            Phase::Up(transport) => Ok(transport),
            Phase::Connecting { .. } => Err(Outcome::Lost("it is connecting".to_owned())),
            Phase::Down(why) => Err(Outcome::Lost(format!("not connected: {why}"))),
        }
    }
}

fn negotiated(transport: &Transport) -> Result<&Basis, Outcome> {
    let basis = transport.basis.as_deref();
    basis.ok_or_else(|| Outcome::Broken("nothing is negotiated".to_owned()))
}

fn not_sent(error: SendError) -> Outcome {
    match error {
        SendError::Io(_) | SendError::Down(_) => Outcome::Lost(error.to_string()),
        error => Outcome::Violation(error.to_string()),
    }
}
