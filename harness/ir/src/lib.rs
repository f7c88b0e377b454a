//! The trace: what several clients do, when, and what the server must answer.
//!
//! A [`Trace`] is data. It knows clients, steps, handles, labels and expectations, and not one word of SMB:
//! which verbs exist, which arguments they take and what a status is called comes in through a
//! [`Vocabulary`]. Two encodings carry it (`.ir` text for people, `.ir.jsonl[.zst]` for recordings);
//! both are read by [`load`], which reports every mistake at once with file, line and column.

pub mod answer;
pub mod model;
pub mod value;
pub mod vocabulary;

pub use answer::{Answer, OwnedValue};
pub use model::{
    Check, Client, ClientId, Dependency, Expect, Given, Milestone, Mode, Step, StepId, Trace,
};
pub use value::Value;
pub use vocabulary::{ArgKind, ArgSpec, FieldSpec, GivenSpec, NameSpec, Role, VerbSpec, Vocabulary};
