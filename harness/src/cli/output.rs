//! Results on stdout. A reader that has gone away is no error: what was found is still in the exit
//! code.

use std::io::{self, Write};

/// Writes text to stdout; true when it got there. A closed pipe counts as written.
pub(super) fn write(text: &str) -> bool {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => true,
        Err(error) => {
            super::say(format_args!("stdout: {error}"));
            false
        }
    }
}
