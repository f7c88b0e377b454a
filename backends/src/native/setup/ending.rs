//! How a login on an established connection goes on with an answer, and who hears of its end.

use std::time::Instant;

use replay_engine::Outcome;
use replay_ir::Answer;
use replay_ir::answer::status_text;
use smb_vocabulary::VOCABULARY;
use smb_vocabulary::answer::Stage;
use smb_wire::{Header, Response, ntstatus};

use super::Setup;
use crate::native::connection::{Phase, State};
use crate::native::pending::{Pending, Waiter};
use crate::native::receive::Violation;

impl State {
    /// The login that a request belongs to.
    pub(in crate::native) fn setup_of(&self, pending: &Pending) -> Option<usize> {
        match pending.waiter {
            Waiter::Setup { lane } => self.setups.iter().position(|setup| setup.lane == lane),
            _ => None,
        }
    }

    /// Goes on with a login.
    pub(in crate::native) fn go_on(
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
    pub(in crate::native) fn login_discarded(&mut self, setup: usize, reason: String, at: Instant) {
        let setup = self.setups.swap_remove(setup);
        if let Some(transport) = self.transport() {
            setup.forget(transport);
        }
        self.finished(&setup, Err(reason), at);
    }

    /// A login has ended with an answer, or with one that was discarded, and why.
    pub(super) fn finished(&mut self, setup: &Setup, ended: Result<Answer, String>, at: Instant) {
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
    pub(super) fn login_ended(&mut self, lane: u16, refused: Option<String>) {
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
    pub(in crate::native) fn abandon_setups(&mut self, why: &str, guilty: Option<u16>) {
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
