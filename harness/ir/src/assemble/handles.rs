//! Which handles are open where in the file.
//!
//! A handle belongs to a connection: a client and all that are `on` it share its names. File order decides, whatever
//! order the lanes take at run time.

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
    },
    /// The only steps that would open it expect to fail.
    Never {
        line: u32,
    },
    /// A line with an error names it; nothing is said about its uses, which would be follow-up errors.
    Doubtful,
}

/// A handle that a step names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub(super) connection: ClientId,
    pub(super) name: Symbol,
    pub(super) line: u32,
    pub(super) span: Span,
}

impl Assembler {
    pub(super) fn open_handle(&mut self, at: Use, step: StepId, can_open: bool) {
        let key = (at.connection, at.name);
        let known = self.handles.get(&key).copied();
        if !can_open {
            let state = State::Never { line: at.line };
            self.handles.entry(key).or_insert(Handle {
                opened_by: step,
                state,
            });
            return;
        }
        if let Some(Handle {
            state: State::Open { line },
            ..
        }) = known
        {
            let name = self.store.symbols.get(at.name).to_owned();
            self.error(at.line, at.span, || Problem::StillOpen { name, line });
        }
        let state = State::Open { line: at.line };
        self.handles.insert(
            key,
            Handle {
                opened_by: step,
                state,
            },
        );
    }

    /// The step that opened the handle; `None` after an error.
    pub(super) fn use_handle(&mut self, at: Use) -> Option<StepId> {
        let known = self.handles.get(&(at.connection, at.name)).copied();
        if let Some(Handle {
            opened_by,
            state: State::Open { .. },
        }) = known
        {
            return Some(opened_by);
        }
        let name = self.store.symbols.get(at.name).to_owned();
        match known.map(|handle| handle.state) {
            Some(State::Doubtful | State::Open { .. }) => {}
            None => {
                self.error(at.line, at.span, || Problem::NotOpened(name));
                // One misspelt name is one error.
                self.doubt_handle(at.connection, at.name);
            }
            Some(State::Closed { line }) => {
                self.error(at.line, at.span, || Problem::Closed { name, line });
            }
            Some(State::Never { line }) => {
                self.error(at.line, at.span, || Problem::NeverOpens { name, line });
            }
        }
        None
    }

    pub(super) fn end_handle(&mut self, at: Use) {
        if let Some(handle) = self.handles.get_mut(&(at.connection, at.name)) {
            if matches!(handle.state, State::Open { .. }) {
                handle.state = State::Closed { line: at.line };
            }
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
