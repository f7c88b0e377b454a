//! Secrets in files: who may read them, and what holds them once they are read.

use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use secrecy::SecretString;
use serde::Deserialize;

use crate::ServerError;

/// A larger file is not read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A secret that serde reads from a string.
#[derive(Debug, Clone)]
pub(crate) struct SecretText(pub(crate) SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

/// The text of a file with secrets, which must belong to this user and be readable by nobody else.
pub(crate) fn private(path: &Path) -> Result<String, ServerError> {
    let bad = |reason: String| ServerError::Identities {
        path: path.to_owned(),
        reason,
    };
    // The open file is what is checked, so that it cannot be exchanged after the check.
    let mut file = fs::File::open(path).map_err(|error| bad(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| bad(error.to_string()))?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return Err(bad("it is not a file of at most 1 MiB".to_owned()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(bad(format!(
            "its mode is {mode:04o}, so that others may use it: chmod 600 {}",
            path.display()
        )));
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(bad(format!(
            "it belongs to user {}, not to this user ({user})",
            metadata.uid()
        )));
    }
    let mut text = String::new();
    file.by_ref()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| bad(error.to_string()))?;
    Ok(text)
}
