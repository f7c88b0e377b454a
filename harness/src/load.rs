//! Loads traces, and gives their mistakes the name that a person knows the file by.

use std::path::Path;

use replay_ir::Trace;

/// Loads and checks a trace; `shown` is what messages call it. The error is the whole text, ready
/// to be shown: every mistake with file, line, column and the line.
pub(crate) fn trace(path: &Path, shown: &str) -> Result<Trace, String> {
    smb_vocabulary::load(path)
        .map_err(|errors| errors.to_string().replace(&*path.to_string_lossy(), shown))
}
