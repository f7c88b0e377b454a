//! Logins that an established connection goes through: of further sessions on it, of a session that takes the place of one
//! that was logged off, and reauthentication (MS-SMB2 3.2.4.2.3, 3.2.5.3).
//!
//! Such a login is a [`Setup`]: it goes on with each answer that comes, beside everything else on the connection. One by
//! Kerberos asks the key distribution center first, in a task of its own.

use std::sync::Arc;
use std::time::Instant;

use replay_engine::{ClientContext, Events, Identity, Op, Outcome};
use replay_ir::answer::status_text;
use replay_ir::{Answer, ClientId};
use smb_vocabulary::answer::{self, Stage};
use smb_vocabulary::{ClientSettings, Mechanism, VOCABULARY};
use smb_wire::messages::TreeConnectResponse;
use smb_wire::{Header, Request, Response, SessionFlags, ntstatus};
use tokio::task::AbortHandle;

use super::auth::{self, AuthError, mechanism};
use super::authentication::{Authentication, Basis, Progress, broken};
use super::connection::{Phase, Shared, State};
use super::item::Item;
use super::login;
use super::pending::{Pending, Waiter};
use super::receive::Violation;
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

/// What a login is for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A new session, which replaces the one with this id, if it is not 0.
    Session { previous: u64 },
    /// The user of the session that there is.
    Reauthentication { wrong_password: bool },
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

impl Shared {
    /// The last session of the client of this name; 0 without one.
    pub(super) fn last_session(&self, name: &str) -> u64 {
        let clients = self.context.trace.clients();
        let client = clients.iter().position(|client| client.name() == name);
        client
            .and_then(|client| self.registry.session(ClientId(client as u32)))
            .unwrap_or(0)
    }

    /// Logs a client in on the established connection.
    pub(super) fn log_in(self: &Arc<Self>, state: &mut State, lane: u16, op: Op, previous: u64) {
        let login = Kind::Session { previous };
        if let Err(outcome) = self.start(state, lane, Some(op), login) {
            state.lanes[usize::from(lane)].done(op, outcome);
        }
    }

    /// Authenticates a client's session anew.
    pub(super) fn reauthenticate(
        self: &Arc<Self>,
        state: &mut State,
        lane: u16,
        op: Op,
        wrong_password: bool,
    ) {
        let login = Kind::Reauthentication { wrong_password };
        if let Err(outcome) = self.start(state, lane, Some(op), login) {
            state.lanes[usize::from(lane)].done(op, outcome);
        }
    }

    /// Logs in all lanes that are to be there together with the connection; false when there is none. Those who
    /// wait for the connection hear of it when the last of these logins has ended.
    pub(super) fn log_in_all(
        self: &Arc<Self>,
        state: &mut State,
        waiters: &[(u16, Op)],
        outcome: &Outcome,
    ) -> bool {
        let lanes = state.own.iter().filter(|own| !own.explicit);
        let lanes: Vec<u16> = lanes.map(|own| own.lane).collect();
        if lanes.is_empty() {
            return false;
        }
        state.ready = Some(Ready {
            waiters: waiters.to_vec(),
            outcome: outcome.clone(),
            left: lanes.len(),
        });
        for lane in lanes {
            let login = Kind::Session { previous: 0 };
            if let Err(outcome) = self.start(state, lane, None, login) {
                state.login_ended(lane, Some(format!("{outcome:?}")));
            }
        }
        true
    }

    /// Starts a login of a lane.
    fn start(
        self: &Arc<Self>,
        state: &mut State,
        lane: u16,
        op: Option<Op>,
        kind: Kind,
    ) -> Result<(), Outcome> {
        let (previous, wrong_password) = match kind {
            Kind::Session { previous } => (Some(previous), false),
            Kind::Reauthentication { wrong_password } => (None, wrong_password),
        };
        let slot = state.slot(lane);
        let context = state.own.iter().find(|own| own.lane == lane);
        let context = context.map_or(&self.context, |own| &own.context).clone();
        let trace = context.trace.clone();
        let mut settings = ClientSettings::of(&trace, trace.client(context.client))
            .map_err(|error| Outcome::Broken(error.to_string()))?;
        settings.wrong_password |= wrong_password;
        let identity = login::identity(&context, &settings)?;
        let target = &context.target;
        let mechanism = mechanism(&settings, target);
        let transport = state.established()?;
        if let (Some(recorder), Some(identity)) = (&mut transport.recorder, &identity) {
            recorder.knows(identity);
        }
        let progress = match (&identity, mechanism) {
            (Some(identity), Some(Mechanism::Kerberos)) => {
                let asking = Asking {
                    lane,
                    op,
                    generation: state.generation,
                    previous,
                    identity: identity.clone(),
                    context: context.clone(),
                };
                let task = tokio::spawn(asking.run(self.clone()));
                Login::Asking(task.abort_handle())
            }
            _ => {
                let login = auth::Login::new(identity.as_ref());
                let login = login.map_err(|error| broken(&settings, error))?;
                let basis = negotiated(transport)?;
                Login::Server(Box::new(Authentication::new(
                    login, &settings, basis, previous,
                )?))
            }
        };
        let transport = state.established()?;
        let mut setup = Setup {
            lane,
            op,
            slot,
            progress,
            mechanism,
            reauthentication: previous.is_none(),
            host: target.host.clone(),
            share: settings.share.unwrap_or(&target.share).to_owned(),
            stage: Stage::SessionSetup,
            flags: None,
        };
        let slots = usize::from(slot) + 1;
        if transport.sessions.len() < slots {
            transport.sessions.resize_with(slots, Session::default);
        }
        if !setup.reauthentication {
            transport.sessions[usize::from(slot)] = Session::default();
        }
        if let Login::Server(_) = setup.progress {
            setup.send(transport).map_err(not_sent)?;
        }
        state.setups.push(setup);
        Ok(())
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

/// Asks the key distribution center for the tickets of a login on an established connection.
struct Asking {
    lane: u16,
    op: Option<Op>,
    generation: u32,
    previous: Option<u64>,
    identity: Identity,
    context: ClientContext,
}

impl Asking {
    /// Asks, and goes on with the login, if that has not been given up meanwhile.
    async fn run(self, shared: Arc<Shared>) {
        let trace = self.context.trace.clone();
        let settings = ClientSettings::of(&trace, trace.client(self.context.client));
        let Ok(settings) = settings else {
            // It has been read before.
            return;
        };
        let target = &self.context.target;
        let asked = auth::Login::kerberos(&self.identity, target, settings.ticket_lifetime).await;
        let mut state = shared.lock();
        let state = &mut *state;
        let own = |setup: &Setup| {
            let waits = matches!(setup.progress, Login::Asking(_));
            waits && setup.lane == self.lane && setup.op == self.op
        };
        let found = state.setups.iter().position(own);
        let Some(setup) = found.filter(|_| state.generation == self.generation) else {
            return;
        };
        let mut setup = state.setups.swap_remove(setup);
        let outcome = match self.go_on(state, &mut setup, asked, &settings) {
            Ok(()) => return state.setups.push(setup),
            Err(outcome) => outcome,
        };
        match (setup.op, outcome) {
            (_, Outcome::Answered(answer)) => state.finished(&setup, Ok(answer), Instant::now()),
            (Some(op), outcome) => state.lanes[usize::from(setup.lane)].done(op, outcome),
            (None, outcome) => state.login_ended(setup.lane, Some(format!("{outcome:?}"))),
        }
    }

    /// Sends the first request; the error is what the login ends with.
    fn go_on(
        &self,
        state: &mut State,
        setup: &mut Setup,
        asked: Result<auth::Login, AuthError>,
        settings: &ClientSettings<'_>,
    ) -> Result<(), Outcome> {
        let login = match asked {
            Ok(login) => login,
            Err(AuthError {
                status: Some(status),
                ..
            }) => return Err(Outcome::Answered(setup.refused(status))),
            Err(error) => return Err(broken(settings, error)),
        };
        let transport = state.established()?;
        let basis = negotiated(transport)?;
        let authentication = Authentication::new(login, settings, basis, self.previous)?;
        setup.progress = Login::Server(Box::new(authentication));
        setup.send(transport).map_err(not_sent)
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

    /// The login that a request belongs to.
    pub(super) fn setup_of(&self, pending: &Pending) -> Option<usize> {
        match pending.waiter {
            Waiter::Setup { lane } => self.setups.iter().position(|setup| setup.lane == lane),
            _ => None,
        }
    }

    /// Goes on with a login.
    pub(super) fn go_on(
        &mut self,
        setup: usize,
        header: &Header,
        response: &Response,
        message: &[u8],
        at: Instant,
    ) -> Result<(), Violation> {
        let mut setup = self.setups.swap_remove(setup);
        let Phase::Up(transport) = &mut self.phase else {
            return Ok(());
        };
        match setup.step(transport, header, response, message) {
            Ok(None) => {
                self.setups.push(setup);
                Ok(())
            }
            Ok(Some(answer)) => {
                self.finished(&setup, Ok(answer), at);
                Ok(())
            }
            Err(reason) => {
                if let Some(op) = setup.op {
                    let outcome = Outcome::Violation(reason.clone());
                    self.lanes[usize::from(setup.lane)].done_at(at, op, outcome);
                }
                Err(Violation::new(reason))
            }
        }
    }

    /// Ends a login whose answer is not to be believed, for the reason given.
    pub(super) fn login_discarded(&mut self, setup: usize, reason: String, at: Instant) {
        let setup = self.setups.swap_remove(setup);
        if let Some(transport) = self.transport() {
            setup.forget(transport);
        }
        self.finished(&setup, Err(reason), at);
    }

    /// A login has ended with an answer, or with one that was discarded, and why.
    fn finished(&mut self, setup: &Setup, ended: Result<Answer, String>, at: Instant) {
        let client = match self.own.iter().find(|own| own.lane == setup.lane) {
            Some(own) => own.context.client,
            None => self.owner,
        };
        let group = self.group.clone();
        let session = self.session(setup.slot).filter(|session| session.logged_in);
        let id = session.map_or(0, |session| session.id);
        if id != 0 && !setup.reauthentication {
            self.registry.logged_in(client, id);
            if let Some(session) = self.session(setup.slot).filter(|_| setup.slot == 0) {
                let session = &*session;
                group.logged_in(session);
            }
        }
        match setup.op {
            Some(op) => {
                let outcome = ended.map_or_else(Outcome::Discarded, Outcome::Answered);
                self.lanes[usize::from(setup.lane)].done_at(at, op, outcome);
            }
            None => {
                let stage = match setup.stage {
                    Stage::TreeConnect => "TREE_CONNECT",
                    _ => "SESSION_SETUP",
                };
                let with = match ended {
                    Ok(answer) if answer.status == ntstatus::SUCCESS => None,
                    Ok(answer) => Some(status_text(&VOCABULARY, answer.status)),
                    Err(reason) => Some(format!("what was discarded: {reason}")),
                };
                let refused = with.map(|with| format!("its {stage} was answered with {with}"));
                self.login_ended(setup.lane, refused);
            }
        }
    }

    /// A login that belongs to the connection's own set-up has ended.
    fn login_ended(&mut self, lane: u16, refused: Option<String>) {
        if let Some(own) = self.own.iter_mut().find(|own| own.lane == lane) {
            own.refused = refused;
        }
        let Some(ready) = &mut self.ready else { return };
        ready.left = ready.left.saturating_sub(1);
        if ready.left == 0
            && let Some(ready) = self.ready.take()
        {
            for (lane, op) in ready.waiters {
                self.lanes[usize::from(lane)].done(op, ready.outcome.clone());
            }
        }
    }

    /// The connection has ended: so have its logins. `guilty` is the lane whose answer broke the protocol.
    pub(super) fn abandon_setups(&mut self, why: &str, guilty: Option<u16>) {
        let ready = self.ready.take().map(|ready| ready.waiters);
        let setups = std::mem::take(&mut self.setups);
        setups.iter().for_each(Setup::stop_asking);
        let setups = setups
            .into_iter()
            .filter_map(|setup| Some((setup.lane, setup.op?)));
        for (lane, op) in ready.into_iter().flatten().chain(setups) {
            let outcome = match guilty == Some(lane) {
                true => Outcome::Violation(why.to_owned()),
                false => Outcome::Lost(why.to_owned()),
            };
            self.lanes[usize::from(lane)].done(op, outcome);
        }
    }
}
