//! Names of cases: `area::trace::backend::server`, made of Rust identifiers, so that a suite has
//! the same names as a libtest-mimic binary and as plain `#[test]` functions.
//!
//! The macro names the traces that it sees when the crate compiles by the same [rule](replay_ir::naming).

use std::path::Path;

use replay_ir::naming::{self, identifier};

/// `lock::range_conflict::smb_rs::samba_4_17`.
pub(crate) fn of_case(trace: &str, backend: &str, server: &str) -> String {
    format!("{trace}::{}::{}", identifier(backend), identifier(server))
}

/// The part that stands for a trace, of the pattern whose fixed part is `base`.
pub(crate) fn of_trace(base: &Path, trace: &Path) -> String {
    naming::of_trace(base, trace).join("::")
}

/// What a person may write for a name or a part of one: `smb-rs::samba-4.17` stands for
/// `smb_rs::samba_4_17`.
pub(crate) fn as_written(text: &str) -> String {
    text.replace(['-', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_named_by_identifiers() {
        let trace = of_trace(
            Path::new("/p/traces"),
            Path::new("/p/traces/lock/range-conflict.ir"),
        );
        assert_eq!(
            of_case(&trace, "smb-rs", "samba-4.17"),
            "lock::range_conflict::smb_rs::samba_4_17"
        );
        let trace = of_trace(Path::new("/p"), Path::new("/p/move/2nd.ir.jsonl.zst"));
        assert_eq!(
            of_case(&trace, "native", "4.17"),
            "move_::_2nd::native::_4_17"
        );
    }
}
