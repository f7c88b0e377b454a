//! The words of an SMB trace: which verbs there are, what their arguments mean, and how an SMB2/3 answer reads.
//!
//! [`VOCABULARY`] is the table that a trace is loaded with. [`Operation::decode`], [`ClientSettings::decode`] and
//! [`GivenItem::decode`] turn what was loaded into plain data, with the types of `smb-wire`; [`answer`] turns a
//! server's message into what an expectation is compared with; [`paths`] puts the trace's names below the directory
//! that a run works in. [`check_trace`] finds what the table cannot say, for instance arguments that exclude each
//! other, and [`setup_trace`] makes the steps that bring about the `given` lines.
//!
//! No I/O: sending and receiving is the backends' part.

mod accounts;
pub mod answer;
mod args;
mod chain;
mod check;
mod client;
mod given;
mod lease;
mod load;
mod operation;
pub mod paths;
mod security;
mod setup;
mod spec;
pub mod subjects;
pub mod time;
mod wire_edit;
pub mod words;

pub use accounts::{AccountState, Accounts};
pub use args::ArgError;
pub use chain::{Chain, chain};
pub use check::{Problem, check_trace};
pub use client::{
    ClientSettings, Dialects, Encryption, Mechanism, client_guid_of, has_channels, is_channel,
    is_client_guid_shared,
};
pub use given::{GivenItem, GivenKind};
pub use load::{BadTrace, load};
pub use operation::{
    Acknowledge, BreakAction, BreakLevel, Content, Create, DescriptorText, Durable, FileChange,
    HeaderOptions, Ioctl, IoctlInput, LeaseRequest, Lock, LockKind, LockRange, NewDescriptor,
    Notify, OnBreak, Operation, PreviousSession, QueryDirectory, QueryEa, QueryQuota,
    QuerySecurity, RECONNECT_CONTEXTS, Read, Reconnect, ReconnectVersion, SetEa, SetInfo, SetQuota,
    SetSecurity, StepRequest, Times, Write,
};
pub use security::{Principals, parse as parse_descriptor, principals};
pub use setup::setup_trace;
pub use spec::VOCABULARY;
pub use wire_edit::{Change, Edit, SignatureEdit, WireEdits};
