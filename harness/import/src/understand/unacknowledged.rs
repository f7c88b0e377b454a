//! Breaks that have not been acknowledged.

use super::draft::StepIndex;
use super::lanes::Key;
use crate::capture::ConnectionId;
use std::collections::{HashMap, VecDeque};

/// So many breaks of one file are waited for, the last ones. Only leases without a right to write are broken several at a
/// time, one of each client that has one.
const OF_A_FILE: usize = 64;

/// A break that has not been acknowledged.
#[derive(Debug)]
pub(super) struct OpenBreak {
    pub(super) open: usize,
    /// The file, by the name that it had.
    pub(super) file: Key,
    /// Where it came.
    pub(super) connection: ConnectionId,
    pub(super) step: StepIndex,
    pub(super) time: u64,
    /// The level or state that the server asks for.
    pub(super) asked: String,
}

/// All of them, by the opens that they are about. A capture may have any number.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    of_open: HashMap<usize, VecDeque<OpenBreak>>,
    /// Their steps, by their files.
    of_file: HashMap<Key, Vec<StepIndex>>,
}

impl Unacknowledged {
    pub(super) fn add(&mut self, broken: OpenBreak) {
        let steps = self.of_file.entry(broken.file).or_default();
        if steps.len() == OF_A_FILE {
            steps.remove(0);
        }
        steps.push(broken.step);
        self.of_open
            .entry(broken.open)
            .or_default()
            .push_back(broken);
    }

    /// The earliest of an open, which is none any more.
    pub(super) fn take(&mut self, open: usize) -> Option<OpenBreak> {
        let of_open = self.of_open.get_mut(&open)?;
        let broken = of_open.pop_front()?;
        if of_open.is_empty() {
            self.of_open.remove(&open);
        }
        self.forget(&broken);
        Some(broken)
    }

    /// Those that came on a connection, in their order, which are none any more.
    pub(super) fn take_all(&mut self, connection: ConnectionId) -> Vec<OpenBreak> {
        let mut taken = Vec::new();
        self.of_open.retain(|_, breaks| {
            let all = std::mem::take(breaks).into_iter();
            let is_such = |broken: &OpenBreak| broken.connection == connection;
            let (came, left): (VecDeque<_>, VecDeque<_>) = all.partition(is_such);
            *breaks = left;
            taken.extend(came);
            !breaks.is_empty()
        });
        taken.sort_unstable_by_key(|broken| broken.step);
        for broken in &taken {
            self.forget(broken);
        }
        taken
    }

    /// The steps of those of a file, in their order.
    pub(super) fn of_file(&self, file: Key) -> &[StepIndex] {
        self.of_file.get(&file).map_or(&[], Vec::as_slice)
    }

    /// The open of the earliest of those whose opens are such.
    pub(super) fn find(&self, is_such: impl Fn(usize) -> bool) -> Option<usize> {
        let such = self.of_open.iter().filter(|&(&open, _)| is_such(open));
        let earliest = such.min_by_key(|(_, breaks)| breaks.front().map(|broken| broken.step));
        earliest.map(|(&open, _)| open)
    }

    fn forget(&mut self, broken: &OpenBreak) {
        let Some(steps) = self.of_file.get_mut(&broken.file) else {
            return;
        };
        steps.retain(|&step| step != broken.step);
        if steps.is_empty() {
            self.of_file.remove(&broken.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(open: usize, step: StepIndex, connection: ConnectionId) -> OpenBreak {
        OpenBreak {
            open,
            file: Key::path("Plan.docx"),
            connection,
            step,
            time: 0,
            asked: "ii".into(),
        }
    }

    #[test]
    fn breaks_are_found_by_their_opens_and_files_until_they_are_taken() {
        let mut all = Unacknowledged::default();
        for (open, step, connection) in [(7, 10, 1), (3, 11, 2), (7, 12, 2)] {
            all.add(broken(open, step, connection));
        }
        let file = Key::path("plan.DOCX");
        assert_eq!(all.of_file(file), [10, 11, 12]);
        assert_eq!(all.find(|_| true), Some(7));
        assert_eq!(all.find(|open| open == 3), Some(3));
        assert_eq!(all.take(7).map(|broken| broken.step), Some(10));
        assert_eq!(all.find(|_| true), Some(3));
        let taken = all.take_all(2);
        assert_eq!(
            taken.iter().map(|broken| broken.step).collect::<Vec<_>>(),
            [11, 12]
        );
        assert!(all.take(7).is_none());
        assert!(all.of_file.is_empty() && all.of_open.is_empty());
    }

    #[test]
    fn of_a_file_the_last_ones_count() {
        let mut all = Unacknowledged::default();
        for number in 0..100 {
            all.add(broken(number, number, 1));
        }
        let steps: Vec<StepIndex> = (36..100).collect();
        assert_eq!(all.of_file(Key::path("plan.docx")), steps);
        for number in 0..100 {
            assert!(all.take(number).is_some());
        }
        assert!(all.of_file.is_empty() && all.of_open.is_empty());
    }
}
