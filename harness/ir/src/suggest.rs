//! What may have been meant by a status that is not one.

/// The name of a status that differs from `name` by a prefix, by case, or by one letter.
///
/// A vocabulary looks names up but does not list them, so the neighbours of `name` are tried; this runs only for a line
/// that is refused.
pub(crate) fn status(name: &str, by_name: fn(&str) -> Option<u32>) -> Option<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const LONGEST: usize = 64;
    if name.len() > LONGEST || !name.is_ascii() {
        return None;
    }
    let upper = name.to_ascii_uppercase().replace('-', "_");
    // Programs print the names behind prefixes of several words.
    let suffixes = upper.match_indices('_').map(|(at, _)| &upper[at + 1..]);
    for suffix in suffixes.chain([&*upper]) {
        if suffix == "OK" || by_name(suffix).is_some() {
            return Some(suffix.to_owned());
        }
    }
    let known = |candidate: &[u8]| {
        let candidate = std::str::from_utf8(candidate).ok()?;
        by_name(candidate).map(|_| candidate.to_owned())
    };
    let bytes = upper.as_bytes();
    for index in 0..=bytes.len() {
        let (before, after) = bytes.split_at(index);
        let mut tries = Vec::with_capacity(2 * LETTERS.len() + 2);
        for &letter in LETTERS {
            tries.push([before, &[letter], after].concat());
            if let [_, rest @ ..] = after {
                tries.push([before, &[letter], rest].concat());
            }
        }
        if let [_, rest @ ..] = after {
            tries.push([before, rest].concat());
        }
        if let [first, second, rest @ ..] = after {
            tries.push([before, &[*second, *first], rest].concat());
        }
        if let Some(found) = tries.iter().find_map(|candidate| known(candidate)) {
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    fn by_name(name: &str) -> Option<u32> {
        ["OBJECT_NAME_NOT_FOUND", "ACCESS_DENIED"]
            .iter()
            .position(|n| *n == name)
            .map(|n| n as u32)
    }

    #[test]
    fn statuses_that_are_nearly_right() {
        for (written, meant) in [
            ("STATUS_ACCESS_DENIED", Some("ACCESS_DENIED")),
            ("NT_STATUS_OK", Some("OK")),
            ("access_denied", Some("ACCESS_DENIED")),
            ("OBJECT_NAME_NOTFOUND", Some("OBJECT_NAME_NOT_FOUND")),
            ("ACESS_DENIED", Some("ACCESS_DENIED")),
            ("ACCESS_DENEID", Some("ACCESS_DENIED")),
            ("ACCESS_DENIEDD", Some("ACCESS_DENIED")),
            ("NONSENSE", None),
            ("", None),
        ] {
            assert_eq!(
                super::status(written, by_name).as_deref(),
                meant,
                "{written}"
            );
        }
    }
}
