//! What happens around the steps: clients connect before time 0, a bounded number at a time, and round trips are
//! measured where a check is relative to them. Pure state machines like the scheduler; all times in nanoseconds on
//! the caller's clock.

use std::collections::VecDeque;

use replay_ir::ClientId;

use crate::backend::Outcome;
use crate::options::RunOptions;

/// Connects clients, at most so many at the same time.
pub(crate) struct Ramp {
    parallel: usize,
    /// At least so many nanoseconds lie between the beginnings of two.
    gap: u64,
    /// When the next may begin.
    next_at: u64,
    bound: u64,
    waiting: VecDeque<ClientId>,
    /// With the time at which each is given up.
    connecting: Vec<(ClientId, u64)>,
    connected: Vec<ClientId>,
}

impl Ramp {
    pub(crate) fn new(clients: Vec<ClientId>, options: &RunOptions, bound: u64) -> Self {
        let rate = options.connect_rate;
        let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0);
        Self {
            parallel: options.connect_parallel.max(1),
            gap: rate.map_or(0, |rate| (1e9 / rate) as u64),
            next_at: 0,
            bound,
            waiting: clients.into(),
            connecting: Vec::new(),
            connected: Vec::new(),
        }
    }

    /// The next client to connect; asked for until there is none.
    pub(crate) fn dispatch(&mut self, now: u64) -> Option<ClientId> {
        if self.connecting.len() >= self.parallel || now < self.next_at {
            return None;
        }
        let client = self.waiting.pop_front()?;
        // A ramp that was held up is not made up for by a burst.
        self.next_at = self.next_at.max(now.saturating_sub(self.gap)) + self.gap;
        self.connecting
            .push((client, now.saturating_add(self.bound)));
        Some(client)
    }

    /// A connect has ended. False when this client was not connecting.
    pub(crate) fn complete(&mut self, client: ClientId, ok: bool) -> bool {
        let Some(index) = self
            .connecting
            .iter()
            .position(|&(other, _)| other == client)
        else {
            return false;
        };
        self.connecting.swap_remove(index);
        if ok {
            self.connected.push(client);
        }
        true
    }

    /// A client whose time is up; asked for until there is none.
    pub(crate) fn overdue(&mut self, now: u64) -> Option<ClientId> {
        let index = self
            .connecting
            .iter()
            .position(|&(_, deadline)| deadline <= now)?;
        Some(self.connecting.swap_remove(index).0)
    }

    pub(crate) fn wake(&self) -> Option<u64> {
        let deadlines = self.connecting.iter().map(|&(_, deadline)| deadline);
        let room = self.connecting.len() < self.parallel && !self.waiting.is_empty();
        deadlines.chain(room.then_some(self.next_at)).min()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.connecting.is_empty()
    }

    pub(crate) fn connected(&self) -> &[ClientId] {
        &self.connected
    }
}

/// Measures round trips, one at a time, over the clients in turn.
pub(crate) struct RoundTrips {
    clients: Vec<ClientId>,
    left: u32,
    bound: u64,
    /// Who is asked, since when.
    asked: Option<(ClientId, u64)>,
    fastest: Option<u64>,
    /// Why the last one failed.
    failure: Option<String>,
}

impl RoundTrips {
    /// At most this many clients are asked, so that a replay of thousands does not begin with a pause.
    pub(crate) const CLIENTS: usize = 16;

    pub(crate) fn new(clients: &[ClientId], count: u32, bound: u64) -> Self {
        let clients = clients[..clients.len().min(Self::CLIENTS)].to_vec();
        Self {
            clients,
            left: count,
            bound,
            asked: None,
            fastest: None,
            failure: None,
        }
    }

    /// The next client to ask; asked for until there is none.
    pub(crate) fn dispatch(&mut self, now: u64) -> Option<ClientId> {
        if self.asked.is_some() || self.left == 0 || self.clients.is_empty() {
            return None;
        }
        self.left -= 1;
        let client = self.clients[self.left as usize % self.clients.len()];
        self.asked = Some((client, now));
        Some(client)
    }

    /// A round trip has ended. False when this client was not asked. A client that fails is not asked again.
    pub(crate) fn complete(
        &mut self,
        client: ClientId,
        at: u64,
        outcome: &Outcome,
        ok: u32,
    ) -> bool {
        let Some((_, since)) = self.asked.take_if(|(asked, _)| *asked == client) else {
            return false;
        };
        let reason = match outcome {
            Outcome::Answered(answer) if answer.status == ok => {
                let took = at.saturating_sub(since);
                self.fastest = Some(self.fastest.map_or(took, |fastest| fastest.min(took)));
                return true;
            }
            Outcome::Answered(answer) => format!("it was answered with {:#010x}", answer.status),
            Outcome::Lost(reason)
            | Outcome::Violation(reason)
            | Outcome::Discarded(reason)
            | Outcome::Broken(reason) => reason.clone(),
        };
        self.fail(client, reason);
        true
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: u64) {
        let bound = self.bound;
        if let Some((client, _)) = self
            .asked
            .take_if(|(_, since)| since.saturating_add(bound) <= now)
        {
            self.fail(client, "it got no answer in time".to_owned());
        }
    }

    fn fail(&mut self, client: ClientId, reason: String) {
        self.clients.retain(|&other| other != client);
        self.failure = Some(reason);
    }

    pub(crate) fn wake(&self) -> Option<u64> {
        self.asked
            .map(|(_, since)| since.saturating_add(self.bound))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.asked.is_none() && (self.left == 0 || self.clients.is_empty())
    }

    /// The smallest one, in nanoseconds.
    pub(crate) fn fastest(&self) -> Option<u64> {
        self.fastest
    }

    /// Why there is none, if something was tried.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
