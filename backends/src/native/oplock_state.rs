//! What a client may cache of one open (an oplock) or under one lease key, and what it owes the server: the client's
//! side of MS-SMB2 3.2.5.19 as a state machine without I/O.
//!
//! The same table stands in `docs/breaks.md`; a test holds the two together.

use smb_vocabulary::BreakLevel;

/// Where an oplock or a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is as the server granted it.
    Open,
    /// A break has arrived that must be acknowledged, and the client has not done so.
    BreakPending,
    /// The break is over for the client: it has acknowledged it, or nothing was to be acknowledged.
    Broken,
    /// The client has closed the open, or the last one of the lease.
    Closed,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A CREATE was answered with this.
    Granted(BreakLevel),
    /// A break notification has arrived.
    Notified {
        /// What the server leaves the client.
        to: BreakLevel,
        /// Whether the server waits for an acknowledgement.
        acknowledge: bool,
    },
    /// An acknowledgement was sent.
    Acknowledged(BreakLevel),
    /// A CLOSE of the open, or of the last one of the lease, was sent.
    Closed,
}

/// What an event makes the client do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Nothing,
    /// It owes an answer to the break: what its policy says.
    Owes,
    /// What was held back because of the break may go.
    Release,
}

/// An oplock or a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OplockState {
    /// Where it stands.
    pub(super) phase: Phase,
    /// What the client may cache.
    pub(super) level: BreakLevel,
    /// What the last break leaves; the level before the first.
    pub(super) target: BreakLevel,
}

impl OplockState {
    /// As a CREATE was answered.
    pub(super) fn new(granted: BreakLevel) -> Self {
        Self {
            phase: Phase::Open,
            level: granted,
            target: granted,
        }
    }

    /// Takes in what happened.
    pub(super) fn apply(&mut self, event: Event) -> Effect {
        let (phase, effect) = next(self.phase, event);
        match event {
            Event::Granted(level) => {
                self.level = level;
                if phase == Phase::Open {
                    self.target = level;
                }
            }
            Event::Notified { to, .. } if phase != Phase::Closed => {
                self.target = to;
                if phase == Phase::Broken {
                    self.level = to;
                }
            }
            Event::Acknowledged(level) if effect == Effect::Release => self.level = level,
            _ => {}
        }
        self.phase = phase;
        effect
    }
}

/// The table.
fn next(phase: Phase, event: Event) -> (Phase, Effect) {
    use Phase::{BreakPending, Broken, Closed, Open};
    match (phase, event) {
        // A second open under the lease is answered while its break goes on: the break is not over by that.
        (BreakPending, Event::Granted(_)) => (BreakPending, Effect::Nothing),
        (_, Event::Granted(_)) => (Open, Effect::Nothing),

        // The break and the CLOSE have crossed: the CLOSE is the answer (MS-SMB2 3.3.5.10).
        (Closed, Event::Notified { .. }) => (Closed, Effect::Nothing),
        // Of two breaks the later one counts, and is answered by the policy of that moment.
        (
            Open | BreakPending | Broken,
            Event::Notified {
                acknowledge: true, ..
            },
        ) => (BreakPending, Effect::Owes),
        (
            BreakPending,
            Event::Notified {
                acknowledge: false, ..
            },
        ) => (BreakPending, Effect::Nothing),
        (
            Open | Broken,
            Event::Notified {
                acknowledge: false, ..
            },
        ) => (Broken, Effect::Nothing),

        (BreakPending, Event::Acknowledged(_)) => (Broken, Effect::Release),
        // Nobody has asked; the server will say so, and nothing has changed.
        (Open | Broken | Closed, Event::Acknowledged(_)) => (phase, Effect::Nothing),

        (BreakPending, Event::Closed) => (Closed, Effect::Release),
        (Open | Broken | Closed, Event::Closed) => (Closed, Effect::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use replay_ir::random::SplitMix64;
    use smb_wire::{LeaseState, OplockLevel};

    use super::*;

    const PHASES: [Phase; 4] = [
        Phase::Open,
        Phase::BreakPending,
        Phase::Broken,
        Phase::Closed,
    ];

    fn oplock(level: OplockLevel) -> BreakLevel {
        BreakLevel::Oplock(level)
    }

    fn lease(bits: u32) -> BreakLevel {
        BreakLevel::Lease(LeaseState::from_bits_retain(bits))
    }

    /// One of each kind, in the order of the table in the book.
    fn events(level: BreakLevel) -> [(&'static str, Event); 5] {
        let notified = |acknowledge| Event::Notified {
            to: level,
            acknowledge,
        };
        [
            ("granted", Event::Granted(level)),
            ("break to be acknowledged", notified(true)),
            ("break to be taken", notified(false)),
            ("acknowledged", Event::Acknowledged(level)),
            ("closed", Event::Closed),
        ]
    }

    /// The table as the book shows it.
    fn table() -> String {
        let level = oplock(OplockLevel::NONE);
        let mut table = "| state |".to_owned();
        for (name, _) in events(level) {
            table.push_str(&format!(" {name} |"));
        }
        table.push_str("\n|---|---|---|---|---|---|\n");
        for phase in PHASES {
            table.push_str(&format!("| `{phase:?}` |"));
            for (_, event) in events(level) {
                let (after, effect) = next(phase, event);
                let effect = match effect {
                    Effect::Nothing => "",
                    Effect::Owes => ", answer",
                    Effect::Release => ", release",
                };
                table.push_str(&format!(" `{after:?}`{effect} |"));
            }
            table.push('\n');
        }
        table
    }

    #[test]
    fn the_book_has_this_table() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/breaks.md");
        let page = std::fs::read_to_string(page).expect("the page is there");
        assert!(
            page.contains(&table()),
            "docs/breaks.md must have:\n{}",
            table()
        );
    }

    #[test]
    fn an_oplock_goes_down_step_by_step() {
        let mut state = OplockState::new(oplock(OplockLevel::BATCH));
        let to_ii = Event::Notified {
            to: oplock(OplockLevel::II),
            acknowledge: true,
        };
        assert_eq!(state.apply(to_ii), Effect::Owes);
        assert_eq!(state.level, oplock(OplockLevel::BATCH), "until it is said");
        let acknowledged = Event::Acknowledged(oplock(OplockLevel::II));
        assert_eq!(state.apply(acknowledged), Effect::Release);
        assert_eq!(state.level, oplock(OplockLevel::II));
        let to_none = Event::Notified {
            to: oplock(OplockLevel::NONE),
            acknowledge: false,
        };
        assert_eq!(state.apply(to_none), Effect::Nothing);
        assert_eq!(
            (state.phase, state.level),
            (Phase::Broken, oplock(OplockLevel::NONE))
        );
    }

    #[test]
    fn of_two_breaks_the_later_one_counts() {
        let mut state = OplockState::new(lease(7));
        for to in [3, 1] {
            let to = lease(to);
            let event = Event::Notified {
                to,
                acknowledge: true,
            };
            assert_eq!(state.apply(event), Effect::Owes);
            assert_eq!((state.phase, state.target), (Phase::BreakPending, to));
        }
    }

    #[test]
    fn a_break_that_crosses_a_close_is_owed_nothing() {
        let mut state = OplockState::new(oplock(OplockLevel::BATCH));
        assert_eq!(state.apply(Event::Closed), Effect::Nothing);
        for acknowledge in [true, false] {
            let to = oplock(OplockLevel::NONE);
            let event = Event::Notified { to, acknowledge };
            assert_eq!(state.apply(event), Effect::Nothing);
            assert_eq!(state.phase, Phase::Closed);
        }
    }

    #[test]
    fn an_acknowledgement_that_nobody_asked_for_changes_nothing() {
        let mut state = OplockState::new(lease(7));
        let before = state;
        assert_eq!(state.apply(Event::Acknowledged(lease(1))), Effect::Nothing);
        assert_eq!(state, before);
    }

    /// Random events: what must hold after every one of them, whatever came before.
    #[test]
    fn invariants_hold_over_random_events() {
        let mut random = SplitMix64::new(1);
        for _ in 0..2_000 {
            let mut state = OplockState::new(lease((random.draw() % 8) as u32));
            let (mut owed, mut released) = (0_u32, 0_u32);
            for _ in 0..40 {
                let level = lease((random.draw() % 8) as u32);
                let (_, event) = events(level)[(random.draw() % 5) as usize];
                let before = state;
                let effect = state.apply(event);
                // An answer is owed exactly while a break is pending, and what waits for it is released exactly once.
                match effect {
                    Effect::Owes => {
                        assert_eq!(state.phase, Phase::BreakPending);
                        assert!(matches!(
                            event,
                            Event::Notified {
                                acknowledge: true,
                                ..
                            }
                        ));
                        owed += u32::from(before.phase != Phase::BreakPending);
                    }
                    Effect::Release => {
                        assert_eq!(before.phase, Phase::BreakPending);
                        released += 1;
                    }
                    Effect::Nothing => {
                        let pending = |phase| phase == Phase::BreakPending;
                        assert_eq!(pending(before.phase), pending(state.phase));
                    }
                }
                assert_eq!(
                    owed - released,
                    u32::from(state.phase == Phase::BreakPending)
                );
                // Closed is left by a grant alone, and nothing else but a CLOSE leads there.
                if before.phase == Phase::Closed && !matches!(event, Event::Granted(_)) {
                    assert_eq!(state, before);
                }
                if state.phase == Phase::Closed && before.phase != Phase::Closed {
                    assert_eq!(event, Event::Closed);
                }
                // A client never thinks that it has more than was granted or acknowledged last.
                match event {
                    Event::Granted(level) => assert_eq!(state.level, level),
                    Event::Acknowledged(level) if effect == Effect::Release => {
                        assert_eq!(state.level, level);
                    }
                    Event::Notified { to, .. } if before.phase != Phase::Closed => {
                        assert_eq!(state.target, to);
                        let taken = state.phase == Phase::Broken;
                        assert_eq!(state.level, if taken { to } else { before.level });
                    }
                    _ => assert_eq!(state.level, before.level),
                }
            }
        }
    }
}
