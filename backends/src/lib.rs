//! The clients that replay a trace, behind the engine's [`Backend`](replay_engine::Backend); a cargo feature each.
//!
//! What they share is the contract that `tests/contract.rs` holds every one of them to against a real server. What a
//! step means is in `smb-vocabulary`, and how it looks on the wire in `smb-wire`.

use std::sync::Arc;

use replay_engine::Backend;

#[cfg(feature = "native")]
pub mod native;
#[cfg(any(feature = "native", feature = "smb-rs"))]
mod quiet;
#[cfg(feature = "smb-rs")]
pub mod smb_rs;

/// One of every backend that is compiled in.
pub fn all() -> Vec<Arc<dyn Backend>> {
    vec![
        #[cfg(feature = "native")]
        Arc::new(native::Native::new()),
        #[cfg(feature = "smb-rs")]
        Arc::new(smb_rs::SmbRs::new()),
    ]
}
