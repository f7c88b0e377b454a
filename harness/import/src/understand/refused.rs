//! Log-ins that the server has refused.

use super::draft::{Draft, Progress, StepIndex};
use super::lanes::ClientIndex;
use super::state::{Client, InFlight};
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::ExpectStatus;
use smb_wire::Dialect;

/// What a client whose log-in failed is: the user, what is wrong with it, its dialect, whether it must sign.
pub(super) type Refused = (String, Option<&'static str>, Option<Dialect>, bool);

const LOGON_FAILURE: u32 = 0xC000_006D;
const WRONG_PASSWORD: u32 = 0xC000_006A;
const PASSWORD_EXPIRED: u32 = 0xC000_0071;
const ACCOUNT_DISABLED: u32 = 0xC000_0072;
const ACCOUNT_EXPIRED: u32 = 0xC000_0193;
const PASSWORD_MUST_CHANGE: u32 = 0xC000_0224;
const ACCOUNT_LOCKED_OUT: u32 = 0xC000_0234;

/// The state of an account that is not let in with its password, and what a login of such a one is answered with
/// (`given user`).
fn state(status: u32) -> Option<(&'static str, Vec<u32>)> {
    Some(match status {
        ACCOUNT_DISABLED => ("disabled", vec![status]),
        ACCOUNT_EXPIRED => ("expired", vec![status]),
        ACCOUNT_LOCKED_OUT => ("locked-out", vec![status]),
        // A password that has expired must be changed as one that was made so: servers say either.
        PASSWORD_EXPIRED | PASSWORD_MUST_CHANGE => {
            ("must-change", vec![PASSWORD_MUST_CHANGE, PASSWORD_EXPIRED])
        }
        _ => return None,
    })
}

/// Whether a log-in with another password is refused so. Servers say the same of a name that they do not know.
pub(super) fn is_wrong_password(status: u32) -> bool {
    matches!(status, LOGON_FAILURE | WRONG_PASSWORD)
}

impl World {
    /// The server has let nobody in.
    pub(super) fn refused(
        &mut self,
        id: ConnectionId,
        status: u32,
        flight: &InFlight,
        user: Option<String>,
    ) {
        let wrong_password = is_wrong_password(status);
        let state = state(status);
        // Whose it was does not matter to a wrong password; it may have been said to Kerberos alone.
        let user = match user {
            None if wrong_password => Some(self.names.identity("", "")),
            user => user,
        };
        let (Some(user), true) = (user, wrong_password || state.is_some()) else {
            return self.skip("session-setup", "the log-in failed");
        };
        let connection = self.connections.get(&id);
        let dialect = connection.and_then(|connection| connection.dialect);
        let signing_required = connection.is_some_and(|connection| connection.signing_required);
        let (word, statuses) = match state {
            Some((word, statuses)) => (Some(word), statuses),
            None => (None, vec![status]),
        };
        let what = (user.clone(), word, dialect, signing_required);
        // Who tries again and again is one client.
        let client = match self.refused.get(&what) {
            Some(&client) => client,
            None => {
                let client = self.add_client(Client {
                    user: Some(user.clone()),
                    dialect,
                    signing_required,
                    wrong_password,
                    ..Client::default()
                });
                self.refused.insert(what, client);
                client
            }
        };
        let step = self.not_connected(client, flight, statuses);
        if let Some(word) = word {
            self.states.push((user, word, step));
        }
    }

    /// The step of a client that could not log in.
    pub(super) fn not_connected(
        &mut self,
        client: ClientIndex,
        flight: &InFlight,
        statuses: Vec<u32>,
    ) -> StepIndex {
        let lane = self.lanes.free(client, None, &self.drafts);
        let step = self.add(Draft::new(lane, "connect"), Some(flight.sent), &[], false);
        let draft = &mut self.drafts[step];
        draft.progress = Progress::Done;
        draft.status = ExpectStatus::OneOf(statuses);
        draft.expect("stage", "session-setup");
        step
    }
}
