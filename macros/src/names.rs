//! Names of cases as paths of Rust identifiers, so that both modes of a suite give the same names.
//!
//! The `smb-replay` crate has the same rule for the traces that it finds at run time
//! (`smb_replay::naming`); a test of the suite there holds the two together.

use std::path::Path;

/// The parts of a name that stand for a trace: the folders below the pattern's fixed part, then the
/// file without its extensions, each as an identifier.
pub(crate) fn of_trace(base: &Path, trace: &Path) -> Vec<String> {
    let relative = trace.strip_prefix(base).unwrap_or(trace);
    let mut parts: Vec<String> = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .filter(|part| part != ".." && part != "/")
        .collect();
    if let Some(last) = parts.last_mut() {
        for extension in [".zst", ".jsonl", ".ir"] {
            if let Some(stem) = last.strip_suffix(extension) {
                last.truncate(stem.len());
            }
        }
    }
    parts.iter().map(|part| identifier(part)).collect()
}

/// `range-conflict` becomes `range_conflict`, `4.17` becomes `_4_17`, `move` becomes `move_`.
pub(crate) fn identifier(text: &str) -> String {
    let mut name: String = text
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() {
                char
            } else {
                '_'
            }
        })
        .collect();
    if name.is_empty() || name.starts_with(|char: char| char.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if syn::parse_str::<syn::Ident>(&name).is_err() {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers() {
        assert_eq!(identifier("range-conflict"), "range_conflict");
        assert_eq!(identifier("samba-4.17"), "samba_4_17");
        assert_eq!(identifier("4.17"), "_4_17");
        assert_eq!(identifier("move"), "move_");
        assert_eq!(identifier("_"), "__");
        assert_eq!(identifier(""), "__");
    }

    #[test]
    fn a_trace_is_named_after_its_folders() {
        let name = |path| of_trace(Path::new("/p/traces"), Path::new(path));
        assert_eq!(
            name("/p/traces/lock/range-conflict.ir"),
            ["lock", "range_conflict"]
        );
        assert_eq!(name("/p/traces/big.ir.jsonl.zst"), ["big"]);
        assert_eq!(name("/p/traces/v1.2/a.b.ir"), ["v1_2", "a_b"]);
    }
}
