//! How a login on an established connection begins.

use std::sync::Arc;

use replay_engine::{Op, Outcome};
use replay_ir::ClientId;
use smb_vocabulary::answer::Stage;
use smb_vocabulary::{ClientSettings, Mechanism};

use super::asking::Asking;
use super::{Login, Ready, Setup, negotiated, not_sent};
use crate::native::auth::{self, mechanism};
use crate::native::authentication::{Authentication, broken};
use crate::native::connection::{Shared, State};
use crate::native::login;
use crate::native::sessions::Session;

/// What a login is for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A new session, which replaces the one with this id, if it is not 0.
    Session { previous: u64 },
    /// The user of the session that there is.
    Reauthentication { wrong_password: bool },
}

impl Shared {
    /// The last session of the client of this name; 0 without one.
    pub(in crate::native) fn last_session(&self, name: &str) -> u64 {
        let clients = self.context.trace.clients();
        let client = clients.iter().position(|client| client.name() == name);
        client
            .and_then(|client| self.registry.session(ClientId(client as u32)))
            .unwrap_or(0)
    }

    /// Logs a client in on the established connection.
    pub(in crate::native) fn log_in(
        self: &Arc<Self>,
        state: &mut State,
        lane: u16,
        op: Op,
        previous: u64,
    ) {
        self.begin(state, lane, op, Kind::Session { previous });
    }

    /// Authenticates a client's session anew.
    pub(in crate::native) fn reauthenticate(
        self: &Arc<Self>,
        state: &mut State,
        lane: u16,
        op: Op,
        wrong_password: bool,
    ) {
        self.begin(state, lane, op, Kind::Reauthentication { wrong_password });
    }

    /// Starts a login for a step, which hears of it if it cannot begin.
    fn begin(self: &Arc<Self>, state: &mut State, lane: u16, op: Op, kind: Kind) {
        if let Err(outcome) = self.start(state, lane, Some(op), kind) {
            state.lanes[usize::from(lane)].done(op, outcome);
        }
    }

    /// Logs in all lanes that are to be there together with the connection; false when there is none. Those who
    /// wait for the connection hear of it when the last of these logins has ended.
    pub(in crate::native) fn log_in_all(
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
