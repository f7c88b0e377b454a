//! Names of cases: `area::trace::backend::server`, made of Rust identifiers, so that a suite has
//! the same names as a libtest-mimic binary and as plain `#[test]` functions.
//!
//! The macro has the same rule for the traces that it sees when the crate compiles; a test of the
//! regression suite holds the two together.

use std::path::{Path, PathBuf};

/// `lock::range_conflict::smb_rs::samba_4_17`.
pub(crate) fn of_case(trace: &str, backend: &str, server: &str) -> String {
    format!("{trace}::{}::{}", identifier(backend), identifier(server))
}

/// The part that stands for a trace: the folders below `base`, then the file without its
/// extensions.
pub(crate) fn of_trace(base: &Path, trace: &Path) -> String {
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
    parts
        .iter()
        .map(|part| identifier(part))
        .collect::<Vec<_>>()
        .join("::")
}

/// The folders before the first one with a wildcard; a pattern without any has its file's folder.
pub(crate) fn fixed_part(pattern: &str) -> PathBuf {
    let parts: Vec<&str> = pattern.split('/').collect();
    let wild = parts.iter().position(|part| part.contains(['*', '?', '[']));
    parts[..wild.unwrap_or(parts.len() - 1)].iter().collect()
}

/// What a person may write for a name or a part of one: `smb-rs::samba-4.17` stands for
/// `smb_rs::samba_4_17`.
pub(crate) fn as_written(text: &str) -> String {
    text.replace(['-', '.'], "_")
}

fn identifier(text: &str) -> String {
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

/// Everything that `syn::Ident` refuses.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
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

    #[test]
    fn the_fixed_part_ends_before_the_first_wildcard() {
        assert_eq!(fixed_part("traces/**/*.ir"), Path::new("traces"));
        assert_eq!(fixed_part("a/b/c.ir"), Path::new("a/b"));
        assert_eq!(fixed_part("*.ir"), Path::new(""));
    }
}
