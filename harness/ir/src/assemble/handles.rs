//! Which handles are open where in the file.
//!
//! A handle belongs to a connection: a client and all that are `on` it share its names. File order decides, whatever
//! order the lanes take at run time.
//!
//! Within a compound a step may also use a handle that a step before it failed to open, or has ended: the server takes
//! the members as they are, and what it says to such a one is worth knowing.

use smallvec::SmallVec;

use super::Assembler;
use crate::error::{Problem, Span};
use crate::model::{ClientId, StepId};
use crate::store::Symbol;

/// What is known of a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle {
    opened_by: StepId,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Open {
        line: u32,
    },
    Closed {
        line: u32,
        by: StepId,
    },
    /// The only steps that would open it expect to fail.
    Never {
        line: u32,
    },
    /// A line with an error names it; nothing is said about its uses, which would be follow-up errors.
    Doubtful,
}

/// The handles that a step names, by what it does to them, each with its place.
#[derive(Debug, Default)]
pub(super) struct Handles {
    pub(super) opened: Option<(Symbol, Span)>,
    /// Those that end included, the one that is written by position first.
    pub(super) used: SmallVec<[(Symbol, Span); 2]>,
    pub(super) ended: Option<(Symbol, Span)>,
}

impl Handles {
    pub(super) fn clear(&mut self) {
        self.opened = None;
        self.used.clear();
        self.ended = None;
    }
}

impl Assembler {
    /// Follows the handles of the step that is being read. Returns the step that opened the first one that it uses, plus
    /// one, as a record keeps it; 0 without one. `chain` is the first step of the compound that it continues.
    pub(super) fn follow_handles(
        &mut self,
        connection: ClientId,
        can_succeed: bool,
        chain: Option<StepId>,
    ) -> u32 {
        let mut opened_by = 0;
        for index in 0..self.draft.handles.used.len() {
            let (name, span) = self.draft.handles.used[index];
            match self.use_handle(connection, name, span, chain) {
                Some(step) if index == 0 => opened_by = step.0 + 1,
                _ => {}
            }
        }
        if let Some((name, _)) = self.draft.handles.ended.filter(|_| can_succeed) {
            self.end_handle(connection, name);
        }
        if let Some((name, span)) = self.draft.handles.opened {
            self.open_handle(connection, name, span, can_succeed);
        }
        opened_by
    }

    fn open_handle(&mut self, connection: ClientId, name: Symbol, span: Span, can_open: bool) {
        let line = self.draft.line;
        let opened_by = StepId(self.store.records.len() as u32);
        let key = (connection, name);
        if !can_open {
            let state = State::Never { line };
            let before = self.handles.get(&key).map(|handle| handle.state);
            if !matches!(before, Some(State::Open { .. } | State::Doubtful)) {
                self.handles.insert(key, Handle { opened_by, state });
            }
            return;
        }
        let state = State::Open { line };
        let before = self.handles.insert(key, Handle { opened_by, state });
        if let Some(Handle {
            state: State::Open { line: since },
            ..
        }) = before
        {
            let name = self.store.symbols.get(name).to_owned();
            self.error(line, span, || Problem::StillOpen { name, line: since });
        }
    }

    /// The step that opened the handle; `None` after an error.
    fn use_handle(
        &mut self,
        connection: ClientId,
        name: Symbol,
        span: Span,
        chain: Option<StepId>,
    ) -> Option<StepId> {
        let known = self.handles.get(&(connection, name)).copied();
        let in_chain = |step: StepId| chain.is_some_and(|first| step >= first);
        match known {
            Some(Handle {
                opened_by,
                state: State::Never { .. },
            }) if in_chain(opened_by) => return Some(opened_by),
            Some(Handle {
                opened_by,
                state: State::Closed { by, .. },
            }) if in_chain(by) => return Some(opened_by),
            _ => {}
        }
        if let Some(Handle {
            opened_by,
            state: State::Open { .. },
        }) = known
        {
            return Some(opened_by);
        }
        let line = self.draft.line;
        let text = self.store.symbols.get(name).to_owned();
        match known.map(|handle| handle.state) {
            Some(State::Doubtful | State::Open { .. }) => {}
            None => {
                self.error(line, span, || Problem::NotOpened(text));
                // One misspelt name is one error.
                self.doubt_handle(connection, name);
            }
            Some(State::Closed { line: closed, .. }) => {
                self.error(line, span, || Problem::Closed {
                    name: text,
                    line: closed,
                });
            }
            Some(State::Never { line: refused }) => {
                self.error(line, span, || Problem::NeverOpens {
                    name: text,
                    line: refused,
                });
            }
        }
        None
    }

    fn end_handle(&mut self, connection: ClientId, name: Symbol) {
        let line = self.draft.line;
        let by = StepId(self.store.records.len() as u32);
        let handle = self.handles.get_mut(&(connection, name));
        if let Some(handle) = handle.filter(|handle| matches!(handle.state, State::Open { .. })) {
            handle.state = State::Closed { line, by };
        }
    }

    /// Takes a name as possibly open.
    pub(super) fn doubt_handle(&mut self, connection: ClientId, name: Symbol) {
        let handle = Handle {
            opened_by: StepId(0),
            state: State::Doubtful,
        };
        self.handles.insert((connection, name), handle);
    }
}
