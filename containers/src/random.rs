//! Random names and passwords.

use crate::ServerError;

/// No lower case `l`, no `0`, `1`: the names are read by people.
const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";

/// So many random letters, 5 bits each.
///
/// # Errors
/// The operating system has no random bytes.
pub fn random_letters(count: usize) -> Result<String, ServerError> {
    let mut bytes = vec![0; count];
    fill(&mut bytes)?;
    Ok(bytes
        .into_iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}

pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), ServerError> {
    getrandom::fill(bytes).map_err(|error| ServerError::Program {
        program: "getrandom".into(),
        reason: error.to_string(),
    })
}
