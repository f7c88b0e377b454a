//! `smb-replay backends`.

use std::fmt::Write as _;

use super::{Exit, output};

/// Shows every backend with its mode, verbs and limits.
pub(super) fn show() -> Exit {
    let mut text = String::new();
    for backend in smb_backends::all() {
        let capabilities = backend.capabilities();
        let _ = writeln!(
            text,
            "{} (mode {})",
            backend.name(),
            capabilities.mode as u8
        );
        let _ = writeln!(text, "  verbs: {}", capabilities.verbs.join(", "));
        for (what, why) in &capabilities.limits {
            let _ = writeln!(text, "  not {what}: {why}");
        }
    }
    if output::write(&text) {
        Exit::Passed
    } else {
        Exit::Broken
    }
}
