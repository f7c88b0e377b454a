//! The security tokens of SESSION_SETUP (MS-SMB2 3.2.4.2.3): SPNEGO with NTLM for an account, bare NTLM for an
//! anonymous client. Tokens in, tokens out; who sends them, and what is derived from the session key, is
//! [`login`](super::login)'s.

use secrecy::ExposeSecret;
use sspi::ntlm::NtlmConfig;
use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, Credentials, CredentialsBuffers,
    DataRepresentation, Negotiate, NegotiateConfig, SecurityBuffer, SecurityStatus, Sspi, SspiImpl,
    Username,
};
use tracing::subscriber::NoSubscriber;

use replay_engine::Identity;

/// The name that NTLM may tell a server about the client's machine.
const WORKSTATION: &str = "SMB-REPLAY";

/// A login that could not go on. Holds no secret: sspi's own texts name structures, never their contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct AuthError(String);

impl From<sspi::Error> for AuthError {
    fn from(error: sspi::Error) -> Self {
        Self(format!("{:?}: {}", error.error_type, error.description))
    }
}

/// The client's side of one login.
pub(super) enum Login {
    /// As an account.
    Account(Box<Account>),
    /// As nobody.
    Anonymous(Anonymous),
}

impl Login {
    /// A login as `identity`, or an anonymous one.
    pub(super) fn new(identity: Option<&Identity>) -> Result<Self, AuthError> {
        match identity {
            Some(identity) => Ok(Self::Account(Box::new(Account::new(identity)?))),
            None => Ok(Self::Anonymous(Anonymous::Negotiate)),
        }
    }

    /// The token that answers the server's `token` (for the first one: what NEGOTIATE carried, which is not
    /// used). Empty when there is nothing left to say.
    pub(super) fn next(&mut self, token: &[u8]) -> Result<Vec<u8>, AuthError> {
        match self {
            Self::Account(account) => account.next(token),
            Self::Anonymous(anonymous) => anonymous.next(token),
        }
    }

    /// The session's base key (MS-SMB2 3.2.1.3, Session.SessionKey), from the last token that was sent on; `None`
    /// before it, and for an anonymous login.
    pub(super) fn session_key(&self) -> Option<[u8; 16]> {
        match self {
            Self::Account(account) => account.session_key(),
            Self::Anonymous(_) => None,
        }
    }
}

/// A login by NTLM inside SPNEGO.
pub(super) struct Account {
    negotiate: Negotiate,
    credentials: Option<CredentialsBuffers>,
    complete: bool,
}

impl Account {
    fn new(identity: &Identity) -> Result<Self, AuthError> {
        let username = match identity.account.contains(['\\', '@']) {
            true => Username::parse(&identity.account),
            false => Username::new_down_level_logon_name(&identity.account, &identity.domain),
        };
        let username = username.map_err(|_| AuthError("the account's name is malformed".into()))?;
        let password = identity.password.expose_secret().to_owned().into();
        let config = NegotiateConfig::new(
            Box::new(NtlmConfig::default()),
            Some("ntlm,!kerberos,!pku2u".into()),
            WORKSTATION.into(),
        );
        quietly(|| {
            let mut negotiate = Negotiate::new_client(config)?;
            let credentials = negotiate
                .acquire_credentials_handle()
                .with_credential_use(CredentialUse::Outbound)
                .with_auth_data(&Credentials::AuthIdentity(AuthIdentity {
                    username,
                    password,
                }))
                .execute(&mut negotiate)?
                .credentials_handle;
            Ok(Self {
                negotiate,
                credentials,
                complete: false,
            })
        })
    }

    fn next(&mut self, token: &[u8]) -> Result<Vec<u8>, AuthError> {
        if self.complete {
            return Err(AuthError(
                "the server goes on with a login that is complete".into(),
            ));
        }
        let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let status = quietly(|| {
            let mut builder = self
                .negotiate
                .initialize_security_context()
                .with_credentials_handle(&mut self.credentials)
                .with_context_requirements(
                    ClientRequestFlags::MUTUAL_AUTH
                        | ClientRequestFlags::INTEGRITY
                        | ClientRequestFlags::USE_SESSION_KEY,
                )
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            let result = self
                .negotiate
                .initialize_security_context_impl(&mut builder)?
                .resolve_to_result()?;
            Ok::<_, AuthError>(result.status)
        })?;
        match status {
            SecurityStatus::Ok => self.complete = true,
            SecurityStatus::ContinueNeeded => {}
            other => return Err(AuthError(format!("unexpected state {other:?}"))),
        }
        Ok(std::mem::take(&mut output[0].buffer))
    }

    fn session_key(&self) -> Option<[u8; 16]> {
        let keys = quietly(|| self.negotiate.query_context_session_key()).ok()?;
        keys.session_key.as_ref().get(..16)?.try_into().ok()
    }
}

/// sspi logs what passes through it, tokens included, and its levels are not a promise: it gets no subscriber.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(NoSubscriber::default(), run)
}

/// A bare NTLM login as nobody (MS-NLMP 3.2.5.1.2, the anonymous case).
pub(super) enum Anonymous {
    /// Nothing said yet.
    Negotiate,
    /// NEGOTIATE_MESSAGE sent.
    Authenticate,
    /// All said.
    Complete,
}

impl Anonymous {
    /// Unicode, request target, NTLM, extended session security, always sign, 56 and 128 bits.
    const FLAGS: u32 = 0xa008_8205;
    const NEGOTIATE_ANONYMOUS: u32 = 0x0000_0800;

    fn next(&mut self, token: &[u8]) -> Result<Vec<u8>, AuthError> {
        match self {
            Self::Negotiate => {
                *self = Self::Authenticate;
                Ok(Self::message(1, Self::FLAGS, 2))
            }
            Self::Authenticate if token.starts_with(b"NTLMSSP\0\x02") => {
                *self = Self::Complete;
                Ok(Self::authenticate())
            }
            Self::Authenticate => Err(AuthError(
                "the server's challenge is not one of NTLM".into(),
            )),
            Self::Complete if token.is_empty() => Ok(Vec::new()),
            Self::Complete => Err(AuthError(
                "the server goes on with a login that is complete".into(),
            )),
        }
    }

    /// AUTHENTICATE_MESSAGE with no name, no response, and an LM response of one zero byte (MS-NLMP 2.2.1.3).
    fn authenticate() -> Vec<u8> {
        const FIXED: u32 = 64;
        let mut message = b"NTLMSSP\0".to_vec();
        message.extend(3u32.to_le_bytes());
        // LM response, NT response, domain, user, workstation, session key: length, room, offset.
        for (length, offset) in [
            (1u16, FIXED),
            (0, FIXED + 1),
            (0, FIXED),
            (0, FIXED),
            (0, FIXED),
            (0, FIXED + 1),
        ] {
            message.extend(length.to_le_bytes());
            message.extend(length.to_le_bytes());
            message.extend(offset.to_le_bytes());
        }
        message.extend((Self::FLAGS | Self::NEGOTIATE_ANONYMOUS).to_le_bytes());
        message.push(0);
        message
    }

    /// A message of this type with `fields` empty fields behind its flags.
    fn message(kind: u32, flags: u32, fields: usize) -> Vec<u8> {
        let mut message = b"NTLMSSP\0".to_vec();
        message.extend(kind.to_le_bytes());
        message.extend(flags.to_le_bytes());
        message.resize(message.len() + 8 * fields, 0);
        message
    }
}

#[cfg(test)]
mod tests {
    use sspi::ServerRequestFlags;

    use super::*;

    fn identity(password: &str) -> Identity {
        Identity {
            name: "alice".into(),
            account: "alice".into(),
            domain: "WGRP".into(),
            sid: None,
            password: password.to_owned().into(),
        }
    }

    /// The other side, by sspi's own server.
    struct Server {
        negotiate: Negotiate,
        credentials: Option<CredentialsBuffers>,
    }

    impl Server {
        fn new(password: &str) -> Self {
            let account = AuthIdentity {
                username: Username::new_down_level_logon_name("alice", "WGRP").unwrap(),
                password: password.to_owned().into(),
            };
            let config = NegotiateConfig::new(
                Box::new(NtlmConfig::default()),
                Some("ntlm,!kerberos,!pku2u".into()),
                "SERVER".into(),
            );
            let mut negotiate = Negotiate::new_server(config, vec![account.clone()]).unwrap();
            let credentials = negotiate
                .acquire_credentials_handle()
                .with_credential_use(CredentialUse::Inbound)
                .with_auth_data(&Credentials::AuthIdentity(account))
                .execute(&mut negotiate)
                .unwrap()
                .credentials_handle;
            Self {
                negotiate,
                credentials,
            }
        }

        fn next(&mut self, token: Vec<u8>) -> Result<Vec<u8>, sspi::Error> {
            let mut input = [SecurityBuffer::new(token, BufferType::Token)];
            let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
            let builder = self
                .negotiate
                .accept_security_context()
                .with_credentials_handle(&mut self.credentials)
                .with_context_requirements(ServerRequestFlags::empty())
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            self.negotiate
                .accept_security_context_impl(builder)?
                .resolve_to_result()?;
            Ok(std::mem::take(&mut output[0].buffer))
        }
    }

    #[test]
    fn both_sides_hold_the_same_key_before_the_last_answer() {
        let mut server = Server::new("right");
        let mut login = Login::new(Some(&identity("right"))).unwrap();
        let first = login.next(&[]).unwrap();
        assert!(login.session_key().is_none());
        let challenge = server.next(first).unwrap();
        let authenticate = login.next(&challenge).unwrap();
        let key = login
            .session_key()
            .expect("the key belongs to the last token sent");
        let last = server.next(authenticate).unwrap();
        assert!(login.next(&last).unwrap().is_empty());
        let theirs = server.negotiate.query_context_session_key().unwrap();
        assert_eq!(&theirs.session_key.as_ref()[..16], key);
        assert!(login.next(&last).is_err(), "a token after the end");
    }

    #[test]
    fn a_challenge_of_rubbish_is_an_error() {
        for rubbish in [
            &b""[..],
            b"x",
            b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00",
            &[0xff; 300],
        ] {
            let mut login = Login::new(Some(&identity("right"))).unwrap();
            login.next(&[]).unwrap();
            assert!(login.next(rubbish).is_err(), "{rubbish:02x?}");
            let mut login = Login::new(None).unwrap();
            login.next(&[]).unwrap();
            assert!(login.next(rubbish).is_err(), "{rubbish:02x?}");
        }
    }

    #[tracing_test::traced_test]
    #[test]
    fn nothing_secret_reaches_the_log() {
        let mut server = quietly(|| Server::new("Sesame-open-17"));
        let mut login = Login::new(Some(&identity("Sesame-open-17"))).unwrap();
        let first = login.next(&[]).unwrap();
        let challenge = quietly(|| server.next(first)).unwrap();
        login.next(&challenge).unwrap();
        login.session_key().unwrap();
        tracing::trace!("the log works");
        assert!(logs_contain("the log works"));
        assert!(!logs_contain("Sesame"));
        assert!(!logs_contain("sspi"));
    }
}
