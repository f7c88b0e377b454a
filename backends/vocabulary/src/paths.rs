//! From a trace's paths to the names on the wire.
//!
//! A trace writes `d/f.txt`, relative to its own root; the run gives that root a directory on the share. On the wire
//! a name is relative to the share, has `\` between its parts and none at its beginning (MS-SMB2 2.2.13). Nothing
//! else changes: empty parts, `.`, wildcards, trailing separators, and what follows a `:` reach the server, since
//! what it makes of them is what a trace may want to know.

/// The most UTF-16 units that a name can have on the wire: its length in bytes is a 16-bit field.
const MAX_UNITS: usize = 32_767;

/// A path that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It begins with a separator.
    #[error("`{0}` begins with a separator; paths are relative to the trace's root")]
    Absolute(String),
    /// Its `..` lead out of the trace's root.
    #[error("`{0}` leads out of the trace's root")]
    Escapes(String),
    /// The length does not fit into the request.
    #[error("the path has {0} UTF-16 units; at most 32767 can be sent")]
    TooLong(usize),
}

/// The name on the wire of `path` below `root` (the [`Target::root`] of the run; empty for the share's own).
/// An empty path is the root itself.
///
/// [`Target::root`]: https://docs.rs/replay-engine
pub fn to_wire(root: &str, path: &str) -> Result<String, PathError> {
    check(path)?;
    let root = root.trim_matches(['/', '\\']);
    let mut name = String::with_capacity(root.len() + 1 + path.len());
    name.push_str(root);
    if !root.is_empty() && !path.is_empty() {
        name.push('/');
    }
    name.push_str(path);
    let units = name.encode_utf16().count();
    match units <= MAX_UNITS {
        true => Ok(name.replace('/', "\\")),
        false => Err(PathError::TooLong(units)),
    }
}

/// Whether a path can be sent below any root (of moderate length).
pub fn check(path: &str) -> Result<(), PathError> {
    if path.starts_with(['/', '\\']) {
        return Err(PathError::Absolute(path.to_owned()));
    }
    let mut depth = 0_usize;
    for part in path.split(['/', '\\']) {
        match part {
            ".." => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| PathError::Escapes(path.to_owned()))?
            }
            "" | "." => {}
            _ => depth += 1,
        }
    }
    Ok(())
}

/// The directories above `path`, outermost first: `a`, `a/b` for `a/b/c`.
pub fn parents(path: &str) -> impl Iterator<Item = &str> + Clone {
    path.match_indices(['/', '\\']).map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_below_the_root() {
        assert_eq!(
            to_wire("case-1/x", "d/f.txt").as_deref(),
            Ok("case-1\\x\\d\\f.txt")
        );
        assert_eq!(to_wire("case-1", "").as_deref(), Ok("case-1"));
        assert_eq!(to_wire("", "").as_deref(), Ok(""));
        assert_eq!(to_wire("", "d\\f:s:$DATA").as_deref(), Ok("d\\f:s:$DATA"));
        assert_eq!(to_wire("r", "a//b/./").as_deref(), Ok("r\\a\\\\b\\.\\"));
    }

    #[test]
    fn nothing_leaves_the_root() {
        assert_eq!(to_wire("r", "a/../b").as_deref(), Ok("r\\a\\..\\b"));
        for path in ["..", "a/../..", "./../x", "a\\..\\..\\b", "//.."] {
            assert!(to_wire("r", path).is_err(), "{path}");
        }
        assert_eq!(
            to_wire("r", "\\f"),
            Err(PathError::Absolute("\\f".to_owned()))
        );
    }

    #[test]
    fn a_name_must_fit_its_length_field() {
        assert!(to_wire("", &"x".repeat(MAX_UNITS)).is_ok());
        assert_eq!(
            to_wire("r", &"x".repeat(MAX_UNITS)),
            Err(PathError::TooLong(MAX_UNITS + 2))
        );
    }

    #[test]
    fn parents_are_outermost_first() {
        assert_eq!(parents("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(parents("c").count(), 0);
    }
}
