//! A login by Kerberos, until it has its tickets.

use std::sync::Arc;
use std::time::Instant;

use replay_engine::{ClientContext, Identity, Op, Outcome};
use smb_vocabulary::ClientSettings;

use super::{Login, Setup, negotiated, not_sent};
use crate::native::auth::{self, AuthError};
use crate::native::authentication::{Authentication, broken};
use crate::native::connection::{Shared, State};

/// Asks the key distribution center for the tickets of a login on an established connection.
pub(super) struct Asking {
    pub(super) lane: u16,
    pub(super) op: Option<Op>,
    pub(super) generation: u32,
    pub(super) previous: Option<u64>,
    pub(super) identity: Identity,
    pub(super) context: ClientContext,
}

impl Asking {
    /// Asks, and goes on with the login, if that has not been given up meanwhile.
    pub(super) async fn run(self, shared: Arc<Shared>) {
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
