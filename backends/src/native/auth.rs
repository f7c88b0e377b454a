//! The security tokens of SESSION_SETUP (MS-SMB2 3.2.4.2.3): SPNEGO with NTLM or Kerberos for an account, bare NTLM for an
//! anonymous client. Tokens in, tokens out; who sends them, and what is derived from the session key, is
//! [`login`](super::login)'s.

use secrecy::ExposeSecret;
use sspi::generator::GeneratorState;
use sspi::ntlm::NtlmConfig;
use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, Credentials, CredentialsBuffers,
    DataRepresentation, KerberosConfig, Negotiate, NegotiateConfig, SecurityBuffer, SecurityStatus,
    Sspi, SspiImpl, Username,
};

use replay_engine::{Identity, Realm, Target};
use smb_vocabulary::{ClientSettings, Mechanism};

use super::anonymous::Anonymous;
use super::kdc::Kdc;
use super::tickets::ShortTickets;
use crate::quiet::quietly;

/// The name that NTLM may tell a server about the client's machine.
const WORKSTATION: &str = "SMB-REPLAY";

/// A login that could not go on. Holds no secret: sspi's own texts name structures, never their contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(super) struct AuthError {
    text: String,
    /// The NTSTATUS with which a key distribution center refused.
    pub(super) status: Option<u32>,
}

impl From<&str> for AuthError {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            status: None,
        }
    }
}

impl From<sspi::Error> for AuthError {
    fn from(error: sspi::Error) -> Self {
        Self {
            text: format!("{:?}: {}", error.error_type, error.description),
            status: None,
        }
    }
}

/// By what a client logs in: as its line says, or as is usual where it goes; `None` for an anonymous one.
pub(super) fn mechanism(settings: &ClientSettings<'_>, target: &Target) -> Option<Mechanism> {
    let by_default = match &target.realm {
        Some(Realm {
            by_default: true, ..
        }) => Mechanism::Kerberos,
        _ => Mechanism::Ntlm,
    };
    (!settings.anonymous).then(|| settings.mechanism.unwrap_or(by_default))
}

/// The client's side of one login.
pub(super) enum Login {
    /// As an account.
    Account(Box<Account>),
    /// As nobody.
    Anonymous(Anonymous),
}

impl Login {
    /// A login as `identity` by NTLM, or an anonymous one.
    pub(super) fn new(identity: Option<&Identity>) -> Result<Self, AuthError> {
        match identity {
            Some(identity) => Ok(Self::Account(Box::new(Account::ntlm(identity)?))),
            None => Ok(Self::Anonymous(Anonymous::Negotiate)),
        }
    }

    /// A login by Kerberos: the KDC is asked for what the first token needs; nothing later asks it. `lifetime` is that of
    /// the tickets in seconds.
    pub(super) async fn kerberos(
        identity: &Identity,
        target: &Target,
        lifetime: Option<u64>,
    ) -> Result<Self, AuthError> {
        let mut account = Account::kerberos(identity, target, lifetime)?;
        account.first = Some(account.ask(&[]).await?);
        Ok(Self::Account(Box::new(account)))
    }

    /// A login as a client's line says.
    pub(super) async fn begin(
        identity: Option<&Identity>,
        settings: &ClientSettings<'_>,
        target: &Target,
    ) -> Result<Self, AuthError> {
        match (identity, mechanism(settings, target)) {
            (Some(identity), Some(Mechanism::Kerberos)) => {
                Self::kerberos(identity, target, settings.ticket_lifetime).await
            }
            _ => Self::new(identity),
        }
    }

    /// Whether the session key is that of the last token that was received, not that of the last one that was sent: the
    /// server chooses it (RFC 4121 2, the acceptor's subkey).
    pub(super) fn key_comes_last(&self) -> bool {
        matches!(self, Self::Account(account) if account.kerberos.is_some())
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

/// A login by NTLM or Kerberos inside SPNEGO.
pub(super) struct Account {
    negotiate: Negotiate,
    credentials: Option<CredentialsBuffers>,
    complete: bool,
    kerberos: Option<Kerberos>,
    /// The first token, where it has been made already.
    first: Option<Vec<u8>>,
}

/// What only Kerberos needs.
struct Kerberos {
    kdc: Kdc,
    /// The server as the KDC knows it: `cifs/dc1.ad.test`.
    service: String,
}

impl Account {
    fn ntlm(identity: &Identity) -> Result<Self, AuthError> {
        let username = match identity.account.contains(['\\', '@']) {
            true => Username::parse(&identity.account),
            false => Username::new_down_level_logon_name(&identity.account, &identity.domain),
        };
        let username = username.map_err(|_| "the account's name is malformed")?;
        let config = NegotiateConfig::new(
            Box::new(NtlmConfig::default()),
            Some("ntlm,!kerberos,!pku2u".into()),
            WORKSTATION.into(),
        );
        Self::new(identity, username, config, None)
    }

    fn kerberos(
        identity: &Identity,
        target: &Target,
        lifetime: Option<u64>,
    ) -> Result<Self, AuthError> {
        let realm = target
            .realm
            .as_ref()
            .ok_or("Kerberos needs a server that is in a domain")?;
        let username = Username::new_down_level_logon_name(&identity.account, &realm.name)
            .map_err(|_| "the account's name is malformed")?;
        let config = KerberosConfig::new(&format!("tcp://{}", realm.kdc), WORKSTATION.into());
        let config = NegotiateConfig::new(
            Box::new(config),
            Some("kerberos,!ntlm,!pku2u".into()),
            WORKSTATION.into(),
        );
        let password = identity.password.clone();
        let short = lifetime.map(|lifetime| ShortTickets::new(password, lifetime));
        let kerberos = Kerberos {
            kdc: Kdc::new(realm.kdc, short),
            service: format!("cifs/{}", target.host),
        };
        Self::new(identity, username, config, Some(kerberos))
    }

    fn new(
        identity: &Identity,
        username: Username,
        config: NegotiateConfig,
        kerberos: Option<Kerberos>,
    ) -> Result<Self, AuthError> {
        let password = identity.password.expose_secret().to_owned().into();
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
                kerberos,
                first: None,
            })
        })
    }

    fn next(&mut self, token: &[u8]) -> Result<Vec<u8>, AuthError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        // Nothing is asked any more, so it never waits.
        let mut asking = std::pin::pin!(self.ask(token));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match asking.as_mut().poll(&mut context) {
            std::task::Poll::Ready(token) => token,
            std::task::Poll::Pending => Err("the login asks the KDC once more".into()),
        }
    }

    /// The next token; asks the KDC where that is needed.
    async fn ask(&mut self, token: &[u8]) -> Result<Vec<u8>, AuthError> {
        if self.complete {
            return Err("the server goes on with a login that is complete".into());
        }
        let mut requirements = ClientRequestFlags::MUTUAL_AUTH | ClientRequestFlags::INTEGRITY;
        // With Kerberos the flag means another thing: user-to-user authentication.
        requirements.set(ClientRequestFlags::USE_SESSION_KEY, self.kerberos.is_none());
        let service = self
            .kerberos
            .as_ref()
            .map(|kerberos| kerberos.service.clone());
        let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let result = {
            let mut builder = self
                .negotiate
                .initialize_security_context()
                .with_credentials_handle(&mut self.credentials)
                .with_context_requirements(requirements)
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            if let Some(service) = &service {
                builder = builder.with_target_name(service);
            }
            let mut generator = quietly(|| {
                self.negotiate
                    .initialize_security_context_impl(&mut builder)
            })?;
            let mut state = quietly(|| generator.start());
            loop {
                match state {
                    GeneratorState::Completed(result) => break result,
                    GeneratorState::Suspended(request) => {
                        let Some(kerberos) = &mut self.kerberos else {
                            return Err("a login by NTLM asks for a KDC".into());
                        };
                        let answer = kerberos.kdc.ask(&request.data).await.map_err(|error| {
                            let kind = sspi::ErrorKind::NoAuthenticatingAuthority;
                            sspi::Error::new(kind, error.to_string())
                        });
                        state = quietly(|| generator.resume(answer));
                    }
                }
            }
        };
        let status = result.map_err(|error| AuthError {
            status: self
                .kerberos
                .as_ref()
                .and_then(|kerberos| kerberos.kdc.refusal()),
            ..error.into()
        })?;
        match status.status {
            SecurityStatus::Ok => self.complete = true,
            SecurityStatus::ContinueNeeded => {}
            other => return Err(format!("unexpected state {other:?}").as_str().into()),
        }
        Ok(std::mem::take(&mut output[0].buffer))
    }

    fn session_key(&self) -> Option<[u8; 16]> {
        if self.kerberos.is_some() && !self.complete {
            return None;
        }
        let keys = quietly(|| self.negotiate.query_context_session_key()).ok()?;
        keys.session_key.as_ref().get(..16)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests;
