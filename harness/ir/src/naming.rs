//! What the traces of a suite are called: paths of Rust identifiers, so that the macro, which sees the traces when a crate
//! compiles, and the runner, which finds them again, give them the same names.

use std::path::{Path, PathBuf};

/// The parts of a trace's name: the folders below `base`, a pattern's [`fixed_part`], then the file without its
/// extensions, each as an identifier.
pub fn of_trace(base: &Path, trace: &Path) -> Vec<String> {
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

/// The folders before the first one with a wildcard; a pattern without any has its file's folder.
pub fn fixed_part(pattern: &str) -> PathBuf {
    let parts: Vec<&str> = pattern.split('/').collect();
    let wild = parts.iter().position(|part| part.contains(['*', '?', '[']));
    parts[..wild.unwrap_or(parts.len() - 1)].iter().collect()
}

/// `range-conflict` becomes `range_conflict`, `4.17` becomes `_4_17`, `move` becomes `move_`.
pub fn identifier(text: &str) -> String {
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
    if name == "_" || KEYWORDS.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

/// What an identifier may not be: everything that `syn::Ident` refuses beside `_`.
#[rustfmt::skip]
pub const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "if", "impl", "in",
    "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "Self", "self", "static", "struct", "super", "trait", "true", "try", "type",
    "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

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

    #[test]
    fn the_fixed_part_ends_before_the_first_wildcard() {
        assert_eq!(fixed_part("traces/**/*.ir"), Path::new("traces"));
        assert_eq!(fixed_part("a/b/c.ir"), Path::new("a/b"));
        assert_eq!(fixed_part("*.ir"), Path::new(""));
    }
}
