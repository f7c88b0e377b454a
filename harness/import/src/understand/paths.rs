//! Paths of the capture: what is above them, and what changing one may change.

use super::lanes::{Key, Touch};
use super::names::{WirePath, wire_path};
use super::request::Reason;
use super::world::World;

/// What is in the directories above a path.
pub(super) fn listings(path: &str, touch: Touch) -> Vec<(Key, Touch)> {
    let mut all = vec![(Key::listing(""), touch)];
    all.extend(parents(path).map(|parent| (Key::listing(parent), touch)));
    all
}

/// Where a change of a path is told to who asks.
pub(super) fn altered(path: &str) -> impl Iterator<Item = (Key, Touch)> {
    let above = std::iter::once("").chain(parents(path));
    above.map(|parent| (Key::watched(parent), Touch::Alter))
}

/// The directories above a path, outermost first, without the root.
pub(super) fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// A path with a stream's name as it is compared: `f:s:$DATA` is `f:s`, and `f::$DATA` is `f`.
pub(super) fn canonical(path: &str) -> String {
    let file = base(path);
    let mut parts = path[file.len()..].splitn(3, ':').skip(1);
    match (parts.next(), parts.next()) {
        (None | Some(""), _) => file.to_owned(),
        (Some(stream), None | Some("")) => format!("{file}:{stream}"),
        (Some(stream), Some(kind)) if kind.eq_ignore_ascii_case("$DATA") => {
            format!("{file}:{stream}")
        }
        // Of another type: no stream that a file can have.
        (Some(_), Some(_)) => file.to_owned(),
    }
}

/// A path without the name of a stream.
pub(super) fn base(path: &str) -> &str {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    match path[name..].find(':') {
        Some(colon) => &path[..name + colon],
        None => path,
    }
}

impl World {
    /// Reads a path of a request; `prefix` is the directory of its share.
    pub(super) fn path_of(
        &self,
        name: &smb_wire::UnicodeString,
        dfs: bool,
        prefix: &str,
    ) -> Result<WirePath, Reason> {
        Ok(match wire_path(name, dfs)? {
            WirePath::Below(path) if prefix.is_empty() => WirePath::Below(path),
            WirePath::Below(path) if path.is_empty() => WirePath::Below(prefix.to_owned()),
            WirePath::Below(path) => WirePath::Below(format!("{prefix}/{path}")),
            raw @ WirePath::Raw(_) => raw,
        })
    }
}
