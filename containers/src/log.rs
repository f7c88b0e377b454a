//! The end of a server's log: as much as a person reads, whatever the server writes.

use std::collections::VecDeque;

/// How much of a log is kept and shown, in bytes.
pub(crate) const LIMIT: usize = 64 * 1024;
/// How many lines of it an error shows.
const LINES: usize = 20;

/// Appends `bytes` to `log`, keeping the last [`LIMIT`] bytes.
pub(crate) fn append(log: &mut VecDeque<u8>, bytes: &[u8]) {
    log.extend(&bytes[bytes.len().saturating_sub(LIMIT)..]);
    let over = log.len().saturating_sub(LIMIT);
    log.drain(..over);
}

/// The last lines of `text`, for an error.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut log = VecDeque::new();
        append(&mut log, &vec![b'a'; LIMIT]);
        append(&mut log, b"end");
        assert_eq!(log.len(), LIMIT);
        assert!(log.make_contiguous().ends_with(b"aend"));
        append(&mut log, &vec![b'b'; 3 * LIMIT]);
        assert!(log.len() == LIMIT && log.iter().all(|byte| *byte == b'b'));
    }

    #[test]
    fn a_tail_has_twenty_lines() {
        let text: String = (1..=50).map(|number| format!("{number}\n")).collect();
        assert!(tail(&text).starts_with("31\n") && tail(&text).ends_with("\n50"));
        assert_eq!(tail("one\n"), "one");
    }
}
