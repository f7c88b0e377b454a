//! SMB2/3 traces as `cargo test` cases against a real Samba server.
//!
//! A trace says what several clients do, when, and what the server must answer. [`suite`](macro@suite)
//! turns a folder of traces into test cases:
//!
//! ```ignore
//! //! tests/regressions.rs; in Cargo.toml: [[test]] name = "regressions", harness = false
//! use smb_replay::prelude::*;
//!
//! #[smb_replay::suite(
//!     traces   = "traces/**/*.ir",
//!     backends = [native, smb_rs],
//!     servers  = [samba("4.17")],
//!     known    = "known-failures.toml",
//! )]
//! async fn regressions(case: Case) -> Verdict {
//!     case.replay().await
//! }
//! ```
//!
//! Each case is named `area::trace::backend::server`, runs in a directory of its own on a server
//! that is started when it is first needed, and fails with the trace's line, what was expected and
//! what came.
//!
//! What is judged, and how, is in `replay-engine`; what the words of a trace mean is in
//! `smb-vocabulary`; where servers come from is in `samba-servers`. This crate puts them together,
//! and shows the result to people and programs. The book in `docs/` says how to use it.

mod accounts;
mod alone;
mod arguments;
mod artifacts;
mod backends;
mod case;
#[doc(hidden)]
pub mod cli;
mod compare;
mod discover;
mod histograms;
mod interrupt;
mod known;
#[doc(hidden)]
pub mod lab;
mod load;
mod metrics;
mod naming;
mod needs;
mod pcapng;
mod reactions;
mod render;
mod replay;
mod report;
mod resources;
mod runner;
#[cfg(test)]
mod secrets;
pub mod servers;
mod settings;
mod site;
#[doc(hidden)]
pub mod suite;
mod summary;
mod update;
mod verdict;
mod whole_file;

pub use case::Case;
pub use replay_engine::Clock;
pub use servers::{ServerError, ServerSpec};
pub use smb_replay_macros::{replay, suite};
pub use verdict::{IntoVerdict, Verdict};

/// What a suite's file needs.
pub mod prelude {
    pub use crate::{Case, Clock, IntoVerdict, ServerSpec, Verdict};
}
