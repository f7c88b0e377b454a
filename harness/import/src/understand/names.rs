//! Names of the capture as the trace has them.

use smb_vocabulary::paths;
use smb_wire::UnicodeString;

/// A path of the capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WirePath {
    /// It can be below the trace's root: parts joined by `/`.
    Below(String),
    /// It can only be sent as it is.
    Raw(String),
}

/// Reads a name as it was on the wire.
pub(super) fn wire_path(name: &UnicodeString, dfs: bool) -> Result<WirePath, &'static str> {
    let text = name.to_utf8().ok_or("a name that is not UTF-16")?;
    let text = match dfs {
        // \server\share\path
        true => text
            .trim_start_matches('\\')
            .splitn(3, '\\')
            .nth(2)
            .unwrap_or("")
            .to_owned(),
        false => text,
    };
    if text.contains('/') || text.starts_with('\\') {
        return Ok(WirePath::Raw(text));
    }
    let path = text.replace('\\', "/");
    Ok(match paths::check(&path) {
        Ok(()) => WirePath::Below(path),
        Err(_) => WirePath::Raw(text),
    })
}

/// How names of the capture become names of the trace.
#[derive(Debug, Default)]
pub(super) struct Names;

impl Names {
    /// A path, with a stream's name if it has one.
    pub(super) fn path(&mut self, path: &str) -> String {
        path.to_owned()
    }

    /// A path as it was on the wire.
    pub(super) fn raw_path(&mut self, path: &str) -> String {
        path.to_owned()
    }

    /// A search pattern.
    pub(super) fn pattern(&mut self, pattern: &str) -> String {
        pattern.to_owned()
    }

    /// The name of a stream as FileStreamInformation has it: `:name:$DATA`.
    pub(super) fn stream(&mut self, stream: &str) -> String {
        stream.to_owned()
    }

    /// An account.
    pub(super) fn identity(&mut self, domain: &str, user: &str) -> String {
        let _ = domain;
        let kept: String = user
            .chars()
            .map(
                |char| match char.is_alphanumeric() || "_.-".contains(char) {
                    true => char,
                    false => '_',
                },
            )
            .collect();
        match kept.is_empty() {
            true => "alice".to_owned(),
            false => kept,
        }
    }
}
