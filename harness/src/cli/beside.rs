//! The files beside a capture: session keys, passwords, a secret for names, maps, and the list of what was replaced.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use replay_import::{CaptureKeys, Passwords};

use crate::whole_file::WholeFile;

/// The keys in a file, or on stdin.
pub(super) fn keys(path: &Path) -> Result<CaptureKeys, String> {
    let name = path.display();
    let text = match path.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        // A log may have bytes that are no text.
        false => fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    };
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    let keys = CaptureKeys::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    match keys.sessions() {
        0 => Err(format!("{name}: no session keys in it")),
        _ => Ok(keys),
    }
}

/// What is in a file with a secret that nobody else can read.
pub(super) fn secret(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let mut file = File::open(path).map_err(failed)?;
    // Of the open file, so that it cannot be exchanged after the look.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{name}: others can read it (mode {mode:o}); `chmod 600` is needed"
        ));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The passwords in a file that only its owner can read, or on stdin.
pub(super) fn passwords(path: &Path) -> Result<Passwords, String> {
    let name = path.display();
    let text = match path.as_os_str() == "-" {
        true => {
            std::io::read_to_string(std::io::stdin()).map_err(|error| format!("{name}: {error}"))?
        }
        false => {
            String::from_utf8(secret(path)?).map_err(|_| format!("{name}: it is not UTF-8"))?
        }
    };
    Passwords::parse(&text)
        .map_err(|line| format!("{name}:{line}: `DOMAIN\\user = password` is needed"))
}

/// The lines of a map of paths, each with `/` between its parts and none around them.
pub(super) fn path_map(path: &Path) -> Result<Vec<(String, String)>, String> {
    let slashes = |path: &str| path.replace('\\', "/").trim_matches('/').to_owned();
    let below = |path: &str| {
        let path = slashes(path);
        let checked = smb_vocabulary::paths::check(&path).map_err(|error| error.to_string());
        checked.map(|()| path)
    };
    pairs(path, |path| Ok(slashes(path)), below)
}

/// The lines `from = to` of a file, both sides as their functions read them; empty lines and those that begin with `#`
/// mean nothing.
pub(super) fn pairs(
    path: &Path,
    read_from: impl Fn(&str) -> Result<String, String>,
    read_to: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<(String, String)>, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let mut lines_of: HashMap<String, usize> = HashMap::new();
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (from, to) = line.split_once('=').unwrap_or_default();
        let located = |error: String| format!("{name}:{number}: {error}");
        let (from, to) = (
            read_from(from.trim()).map_err(located)?,
            read_to(to.trim()).map_err(located)?,
        );
        if from.is_empty() || to.is_empty() {
            return Err(located("`from = to` is needed".to_owned()));
        }
        if let Some(first) = lines_of.insert(from.to_lowercase(), number) {
            return Err(located(format!(
                "line {first} says already what this becomes"
            )));
        }
        pairs.push((from, to));
    }
    Ok(pairs)
}

/// Writes what was replaced, for its owner alone.
pub(super) fn list(path: &Path, replacements: &[(String, String)]) -> std::io::Result<()> {
    let mut file = WholeFile::private(path)?;
    for (from, to) in replacements {
        writeln!(file, "{from}\t{to}")?;
    }
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_line_by_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("map");
        let same = |text: &str| Ok(text.to_owned());
        let not_x = |text: &str| match text {
            "x" => Err("no x".to_owned()),
            text => Ok(text.to_owned()),
        };
        let read = |text: &str| {
            fs::write(&path, text).expect("written");
            pairs(&path, same, not_x)
        };
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let read_well = read("# who\n\n CORP\\a = b = c \r\nd=e");
        assert_eq!(
            read_well,
            Ok(vec![pair("CORP\\a", "b = c"), pair("d", "e")])
        );
        for (text, says) in [
            ("a = b\nc\n", ":2: `from = to`"),
            ("= b\n", ":1: `from = to`"),
            ("a =\n", ":1: `from = to`"),
            ("a = x\n", ":1: no x"),
            ("\na = b\nA = c\n", ":3: line 2 says"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }

    proptest::proptest! {
        /// A map that is read gives each of its paths one that can be below a root; otherwise the line that is wrong is named.
        #[test]
        fn no_map_is_too_strange(lines in proptest::collection::vec("[a-cA-Cüß./\\\\= #\t\u{0}]{0,12}", 0..12)) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("map");
            fs::write(&path, lines.join("\n")).expect("written");
            match path_map(&path) {
                Ok(pairs) => {
                    let is_below = |to: &str| smb_vocabulary::paths::check(to).is_ok();
                    proptest::prop_assert!(pairs.iter().all(|(from, to)| !from.is_empty() && is_below(to)));
                    proptest::prop_assert!(pairs.len() <= lines.len());
                }
                Err(error) => {
                    let line = error.strip_prefix(&format!("{}:", path.display()));
                    let line = line.and_then(|rest| rest.split_once(':')?.0.parse::<usize>().ok());
                    proptest::prop_assert!(line.is_some_and(|line| (1..=lines.len()).contains(&line)), "{}", error);
                }
            }
        }
    }
}
