//! A trace that runs many times at once: which copy a client and a step belong to, and what differs between copies.
//!
//! Inside the engine clients and steps are numbered through all copies, those of the first copy first. Backends and
//! reports know the trace's own numbers: backends see one copy each, reports name the copy beside them.

use std::time::Duration;

use replay_ir::random::SplitMix64;
use replay_ir::{Client, ClientId, Step, StepId, Trace};

use crate::events::Place;

/// How often a trace runs at the same time.
///
/// Every copy has clients of its own, connections of its own, and a directory of its own below the target's root
/// ([`directory`]). What a trace orders is ordered inside each copy; copies know nothing of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copies {
    /// How many there are; 0 counts as 1.
    pub count: u32,
    /// What the shifts are drawn from: the same seed gives the same shifts.
    pub seed: u64,
    /// With the `paced` clock each copy's times are shifted by a random part of this.
    pub spread: Duration,
    /// How many identities stand for each `user=` name, used in turn by the copies; 0 counts as 1. The site must know
    /// them by the names that [`identity`] gives.
    pub identities: u32,
}

impl Default for Copies {
    fn default() -> Self {
        Self {
            count: 1,
            seed: 0,
            spread: Duration::ZERO,
            identities: 1,
        }
    }
}

impl Copies {
    /// How many copies there are; at least 1.
    pub fn count(&self) -> u32 {
        self.count.max(1)
    }

    /// Which of the identities of a name this copy uses, from 0.
    pub fn identity_of(&self, copy: u32) -> u32 {
        copy % self.identities.max(1)
    }

    /// By how much this copy's times are shifted, in nanoseconds; nothing without other copies.
    pub(crate) fn shift(&self, copy: u32) -> u64 {
        let spread = u64::try_from(self.spread.as_nanos()).unwrap_or(u64::MAX);
        if self.count() == 1 || spread == 0 {
            return 0;
        }
        let first = |seed: u64| SplitMix64::new(seed).draw();
        first(self.seed ^ first(u64::from(copy) + 1)) % spread
    }
}

/// The directory of a copy below the target's root, from 0: `00042`. A trace that runs once has the root itself.
pub fn directory(copy: u32) -> String {
    format!("{copy:05}")
}

/// What the site calls the identity of this number, from 0, of a `user=` name: `alice`, `alice-2`, `alice-3`.
pub fn identity(user: &str, number: u32) -> String {
    match number {
        0 => user.to_owned(),
        _ => format!("{user}-{}", number + 1),
    }
}

/// Tells the numbers inside the engine from those of the trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Of the trace; at least 1, so that a trace without any can be divided by.
    steps: u32,
    clients: u32,
    copies: u32,
}

impl Shape {
    pub(crate) fn new(trace: &Trace, copies: u32) -> Self {
        Self {
            steps: (trace.len() as u32).max(1),
            clients: (trace.clients().len() as u32).max(1),
            copies: copies.max(1),
        }
    }

    /// Too many steps or clients to be numbered.
    pub(crate) fn overflows(trace: &Trace, copies: u32) -> bool {
        let most = u64::from(u32::MAX);
        let of = |count: usize| (count as u64).saturating_mul(u64::from(copies.max(1)));
        of(trace.len()) >= most || of(trace.clients().len()) >= most
    }

    pub(crate) fn copies(&self) -> u32 {
        self.copies
    }

    /// The copy that a step belongs to.
    pub(crate) fn copy_of(&self, step: StepId) -> u32 {
        if self.copies == 1 {
            0
        } else {
            step.0 / self.steps
        }
    }

    pub(crate) fn copy_of_client(&self, client: ClientId) -> u32 {
        if self.copies == 1 {
            0
        } else {
            client.0 / self.clients
        }
    }

    /// The first step of a copy.
    pub(crate) fn first_step(&self, copy: u32) -> u32 {
        copy * self.steps
    }

    pub(crate) fn first_client(&self, copy: u32) -> u32 {
        copy * self.clients
    }

    /// The trace's number of a step.
    pub(crate) fn in_trace(&self, step: StepId) -> StepId {
        StepId(step.0 - self.first_step(self.copy_of(step)))
    }

    pub(crate) fn client_in_trace(&self, client: ClientId) -> ClientId {
        ClientId(client.0 - self.first_client(self.copy_of_client(client)))
    }

    /// Where the copy of a client begins.
    pub(crate) fn place_of(&self, client: ClientId) -> Place {
        let copy = self.copy_of_client(client);
        Place {
            first_client: self.first_client(copy),
            first_step: self.first_step(copy),
        }
    }

    /// The step of the trace that this is.
    pub(crate) fn step<'t>(&self, trace: &'t Trace, step: StepId) -> Step<'t> {
        trace.step(self.in_trace(step))
    }

    pub(crate) fn client<'t>(&self, trace: &'t Trace, client: ClientId) -> &'t Client {
        trace.client(self.client_in_trace(client))
    }

    /// A step of the trace, in the copy of `beside`.
    pub(crate) fn beside(&self, beside: StepId, step: StepId) -> StepId {
        StepId(step.0 + self.first_step(self.copy_of(beside)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_seeded_and_stay_below_the_spread() {
        let copies = Copies {
            count: 1000,
            seed: 7,
            spread: Duration::from_millis(10),
            ..Copies::default()
        };
        let shifts: Vec<u64> = (0..1000).map(|copy| copies.shift(copy)).collect();
        assert!(shifts.iter().all(|&shift| shift < 10_000_000));
        let mean = shifts.iter().sum::<u64>() / 1000;
        assert!((4_500_000..5_500_000).contains(&mean), "{mean}");
        let again: Vec<u64> = (0..1000).map(|copy| copies.shift(copy)).collect();
        assert_eq!(shifts, again);
        let other = Copies { seed: 8, ..copies };
        assert_ne!(other.shift(3), copies.shift(3));
        assert_eq!(Copies { count: 1, ..copies }.shift(0), 0);
    }

    #[test]
    fn identities_have_names_that_follow_from_the_users() {
        let copies = Copies {
            count: 9,
            identities: 4,
            ..Copies::default()
        };
        let name = |copy| identity("alice", copies.identity_of(copy));
        assert_eq!((name(0), name(3)), ("alice".into(), "alice-4".into()));
        assert_eq!((name(4), name(8)), ("alice".into(), "alice".into()));
        assert_eq!(directory(42), "00042");
    }
}
