//! The trace: what several clients do, when, and what the server must answer.
//!
//! A [`Trace`] is data. It knows clients, steps, handles, labels and expectations, and not one word of SMB:
//! which verbs exist, which arguments they take and what a status is called comes in through a
//! [`Vocabulary`]. Two encodings carry it (`.ir` text for people, `.ir.jsonl[.zst]` for recordings);
//! both are read by [`load`], which reports every mistake at once with file, line and column.

pub mod answer;
mod assemble;
pub mod blob;
pub mod builder;
pub mod error;
pub mod fill;
mod jsonl;
mod lines;
pub mod load;
pub mod model;
mod name;
pub mod naming;
mod parsed;
pub mod random;
mod raw;
pub mod reference;
mod render;
pub mod schema;
pub mod spec;
mod step;
mod store;
mod suggest;
mod text;
pub mod time;
pub mod value;
pub mod vocabulary;
mod vocabulary_check;

pub use answer::{Answer, OwnedValue, status_text};
pub use builder::{ExpectSpec, ExpectStatus, StepSpec, TraceBuilder};
pub use error::{LoadError, LoadErrors, Problem};
pub use load::{load, load_bytes, load_str};
pub use model::{
    Bound, Check, Client, ClientId, Dependency, Given, Metric, Milestone, Mode, StepId, Trace,
};
pub use name::parse_int;
pub use step::{Expect, Step};
pub use text::{format, rewrite_expectations};
pub use value::Value;
pub use vocabulary::{
    ArgKind, ArgSpec, FieldSpec, GivenSpec, NameSpec, Role, VerbSpec, Vocabulary,
};
