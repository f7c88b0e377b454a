//! What can go wrong with an exchange, sorted by whose fault it is.

use replay_engine::Outcome;
use smb::connection::TransformError;
use smb::connection::transformer::TransformPhase;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The connection ended.
    #[error("{0}")]
    Lost(String),
    /// The server broke the protocol.
    #[error("{0}")]
    Violation(String),
    /// This backend, or the crate below it, cannot go on.
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    /// No answer within the bound of a wait.
    pub(super) fn late(what: &str, bound: std::time::Duration) -> Self {
        Failure::Lost(format!("no answer to {what} within {bound:?}"))
    }

    /// An error of the crate: the server's fault where it is a signature or a decryption, otherwise the crate's.
    pub(super) fn of_crate(doing: &str, error: &smb::Error) -> Self {
        match error {
            smb::Error::TranformFailed(TransformError {
                phase: TransformPhase::SignVerify | TransformPhase::EncryptDecrypt,
                outgoing: false,
                ..
            }) => Failure::Violation(format!("{doing}: {error}")),
            smb::Error::SignatureVerificationFailed | smb::Error::CryptoError(_) => {
                Failure::Violation(format!("{doing}: {error}"))
            }
            smb::Error::ConnectionStopped
            | smb::Error::TransportError(_)
            | smb::Error::OperationTimeout(..) => Failure::Lost(format!("{doing}: {error}")),
            _ => Failure::Broken(format!("the smb crate, {doing}: {error}")),
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(reason) => Outcome::Lost(reason),
            Failure::Violation(reason) => Outcome::Violation(reason),
            Failure::Broken(reason) => Outcome::Broken(reason),
        }
    }
}
