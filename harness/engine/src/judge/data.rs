//! The bytes of an answer against an expected fill, text or blob.

use std::path::Path;

use replay_ir::{Answer, Step, Value, blob};

use crate::report::{Difference, Place};
use crate::verdict::Kind;

/// This many bytes before and after the first that differs are shown.
const CONTEXT: usize = 16;

/// `name` is one of the core's data fields: `fill`, `data`, `blob`.
pub(super) fn judge(
    step: Step<'_>,
    name: &str,
    expected: &Value<'_>,
    answer: &Answer,
) -> Option<Difference> {
    let shown = format!("{name}={}", expected.to_text());
    let differs = |actual: String, detail| {
        Some(Difference {
            place: Place::Step(step.id()),
            kind: Kind::Data,
            expected: shown.clone(),
            actual,
            detail,
            copy: 0,
        })
    };
    let Some(data) = &answer.data else {
        return differs("an answer without data".to_owned(), Vec::new());
    };
    let wanted = match (name, expected) {
        // Without a byte and without `len=0` nothing has been seen of the pattern.
        ("fill", _) if data.is_empty() && step.expect().fields().all(|(f, _)| f.name != "len") => {
            return differs("an answer with no bytes".to_owned(), Vec::new());
        }
        ("fill", Value::Int(fill)) => pattern(step, *fill, data.len()),
        ("data", value) => value.as_str().unwrap_or_default().as_bytes().to_vec(),
        (_, value) => {
            let token = value.as_str().unwrap_or_default();
            let actual = blob::name(data);
            if actual == token {
                return None;
            }
            // The hash decides; the blob itself, where it is at hand, only shows the place.
            match blob::read(Path::new(step.trace().name()), token) {
                Ok(wanted) => wanted.to_vec(),
                Err(_) => {
                    return differs(format!("blob={actual}, {} bytes", data.len()), Vec::new());
                }
            }
        }
    };
    let offset = first_difference(&wanted, data)?;
    let actual = if offset < wanted.len() && offset < data.len() {
        format!("other bytes from {offset} on")
    } else {
        format!("{} bytes instead of {}", data.len(), wanted.len())
    };
    differs(
        actual,
        vec![
            format!("expected {}", around(&wanted, offset)),
            format!("got      {}", around(data, offset)),
        ],
    )
}

/// The pattern at the step's `offset=`, as long as the answer: its length is for `len=` to judge.
fn pattern(step: Step<'_>, fill: u64, length: usize) -> Vec<u8> {
    let offset = step
        .arg("offset")
        .and_then(|value| value.as_int())
        .unwrap_or(0);
    let mut bytes = vec![0; length];
    replay_ir::fill::fill_into(fill, offset, &mut bytes);
    bytes
}

fn first_difference(wanted: &[u8], data: &[u8]) -> Option<usize> {
    let common = wanted.len().min(data.len());
    let differing = wanted.iter().zip(data).position(|(a, b)| a != b);
    differing.or((wanted.len() != data.len()).then_some(common))
}

/// `at 4080: 0a 0b [0c] 0d …`, or that the bytes end there.
fn around(bytes: &[u8], offset: usize) -> String {
    let start = offset.saturating_sub(CONTEXT).min(bytes.len());
    let end = offset.saturating_add(CONTEXT).min(bytes.len());
    let mut text = format!("at {start}:");
    for (index, byte) in bytes[start..end].iter().enumerate() {
        if start + index == offset {
            text.push_str(&format!(" [{byte:02x}]"));
        } else {
            text.push_str(&format!(" {byte:02x}"));
        }
    }
    text.push_str(if end == bytes.len() { " (end)" } else { " …" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"abd"), Some(2));
        assert_eq!(first_difference(b"abc", b"ab"), Some(2));
        assert_eq!(first_difference(b"", b"x"), Some(0));
    }

    #[test]
    fn bytes_are_shown_around_it() {
        assert_eq!(around(b"abc", 1), "at 0: 61 [62] 63 (end)");
        assert_eq!(around(b"ab", 2), "at 0: 61 62 (end)");
        let long = [0_u8; 100];
        let shown = around(&long, 50);
        assert!(shown.starts_with("at 34: 00 "), "{shown}");
        assert!(shown.ends_with(" …"), "{shown}");
        assert_eq!(shown.matches("00").count(), 2 * CONTEXT, "{shown}");
    }
}
