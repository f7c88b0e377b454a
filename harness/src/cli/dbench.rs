//! `smb-replay import dbench`.
use super::Exit;
use std::path::Path;
pub(super) fn import(_: &Path, _: Option<&Path>) -> Exit {
    Exit::Passed
}
