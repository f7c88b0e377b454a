//! Negotiation by the crate itself, and the session on top of it.
//!
//! NEGOTIATE is the crate's own (`Connection::from_transport`): dialects, contexts, and the checks of what the server
//! chose. Its SESSION_SETUP cannot be used, because a `Session` keeps its keys to itself; here the same parts are put
//! together by hand: `sspi` makes the tokens, [`SessionInfo`] and [`ChannelInfo`] derive the keys, and the
//! transformer gets to know them (MS-SMB2 3.2.4.2.3, 3.2.5.3).

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use smb::connection::EncryptionMode;
use smb::connection::connection_info::ConnectionInfo;
use smb::connection::preauth_hash::{PreauthHashState, PreauthHashValue};
use smb::session::{ChannelInfo, SessionAndChannel, SessionInfo};
use smb::sync_helpers::RwLock;
use smb::transport::IoVec;
use smb::{
    Command, Connection, ConnectionConfig, Dialect, Guid, NegotiateCapabilities, NegotiateResponse,
    RequestContent, Response, SessionFlags, SessionSecurityMode, SessionSetupRequest,
    SetupRequestFlags,
};
use sspi::ntlm::NtlmConfig;
use sspi::{
    AcquireCredentialsHandleResult, AuthIdentity, BufferType, ClientRequestFlags, CredentialUse,
    CredentialsBuffers, DataRepresentation, Negotiate, NegotiateConfig, SecurityBuffer, Sspi,
    SspiImpl, Username,
};
use tokio::time::timeout;

use super::channel::Channel;
use super::exchange::{Protection, Request};
use super::failure::Failure;
use super::transport::NoDelayTransport;
use crate::quiet::quietly;

/// What the client calls itself.
const CLIENT_NAME: &str = "smb-replay";
const STATUS_SUCCESS: u32 = 0;
const STATUS_MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;

/// What a client line says about the connection.
#[derive(Debug, Clone)]
pub(super) struct Wishes {
    /// The dialects to offer, lowest and highest.
    pub(super) dialects: (Dialect, Dialect),
    /// SMB2_NEGOTIATE_SIGNING_REQUIRED in the SESSION_SETUP.
    pub(super) signing_required: bool,
    /// Whether to offer, refuse or insist on encryption.
    pub(super) encryption: EncryptionMode,
}

/// As whom to log in.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// The account's name.
    pub(super) name: String,
    /// Its domain; empty for none.
    pub(super) domain: String,
    /// Its password.
    pub(super) password: SecretString,
}

/// How a negotiation ended.
pub(super) enum Negotiated {
    /// The connection is there, with the server's answer.
    Connected(Arc<Channel>, Box<NegotiateResponse>),
    /// The server answered NEGOTIATE with this status.
    Refused(u32),
}

/// How a login ended.
pub(super) enum LoggedIn {
    /// The session is there.
    Session(Session),
    /// The server answered SESSION_SETUP with this status.
    Refused(u32),
}

/// An established session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    /// SessionId.
    pub(super) id: u64,
    /// What the server says of it.
    pub(super) flags: SessionFlags,
    /// How its messages are protected, except where a share wants more.
    pub(super) protection: Protection,
}

/// Lets the crate negotiate on the transport and takes the connection over from it.
pub(super) async fn negotiate(
    transport: NoDelayTransport,
    host: &str,
    wishes: &Wishes,
    bound: Duration,
) -> Result<Negotiated, Failure> {
    let (lowest, highest) = wishes.dialects;
    let config = ConnectionConfig {
        timeout: Some(bound),
        min_dialect: Some(lowest),
        max_dialect: Some(highest),
        encryption_mode: wishes.encryption,
        allow_unsigned_guest_access: true,
        client_name: Some(CLIENT_NAME.into()),
        disable_notifications: true,
        smb2_only_negotiate: true,
        ..ConnectionConfig::default()
    };
    let boxed = Box::new(transport.clone());
    let connecting = Connection::from_transport(boxed, host, Guid::generate(), config);
    let connected = timeout(bound, connecting).await;
    let connection = match connected.map_err(|_| Failure::late("NEGOTIATE", bound))? {
        Ok(connection) => connection,
        Err(smb::Error::ReceivedErrorMessage(status, _))
        | Err(smb::Error::UnexpectedMessageStatus(status)) => {
            return Ok(Negotiated::Refused(status));
        }
        Err(error) => return Err(Failure::of_crate("negotiating", &error)),
    };
    let info = connection.conn_info().cloned();
    // Stops the crate's own tasks; sends nothing. What is left of it does nothing when it is dropped.
    let stopped = timeout(bound, connection.close()).await;
    if !matches!(stopped, Ok(Ok(()))) {
        return Err(Failure::Broken(
            "the smb crate did not let go of the connection".into(),
        ));
    }
    let info = info.ok_or_else(|| Failure::Broken("the smb crate negotiated nothing".into()))?;
    let answer = transport.reader.take_first().await.unwrap_or_default();
    let answer = match Response::try_from(answer.as_slice()) {
        Ok(Response::Plain(message)) => message.content.to_negotiate().map_err(smb::Error::from),
        Ok(_) => Err(smb::Error::Other("no plain message")),
        Err(error) => Err(error.into()),
    };
    let answer =
        answer.map_err(|error| Failure::of_crate("reading the NEGOTIATE answer", &error))?;
    Ok(Negotiated::Connected(
        Channel::over(transport, info).await?,
        Box::new(answer),
    ))
}

/// Logs in, each exchange within `bound`.
pub(super) async fn log_in(
    channel: &Channel,
    account: &Account,
    wishes: &Wishes,
    bound: Duration,
) -> Result<LoggedIn, Failure> {
    let mut tokens = Tokens::new(account)?;
    let mut hash = Some(channel.info.preauth_hash.clone());
    let first = setup_request(channel, wishes, 0, tokens.next(&[])?);
    let pending = channel
        .send_after(vec![first], async |sent| extend(&mut hash, sent))
        .await?;
    let challenge = only(pending)?.last("SESSION_SETUP", bound).await?;
    let header = &challenge.message.header;
    if header.status != STATUS_MORE_PROCESSING_REQUIRED {
        return refused(header.status);
    }
    let id = header.session_id;
    if id == 0 {
        return Err(Failure::Violation("the challenge has no SessionId".into()));
    }
    extend(&mut hash, std::slice::from_ref(&challenge.raw))?;
    let challenge = challenge.message.content.to_sessionsetup();
    let challenge = challenge.map_err(|error| Failure::Violation(error.to_string()))?;

    let second = setup_request(channel, wishes, id, tokens.next(&challenge.buffer)?);
    let key = tokens.session_key()?;
    let info = Arc::new(RwLock::new(SessionInfo::new(id)));
    // The keys hang on the hash over the request itself, and its answer is signed with them: they must be in place
    // after the request was encoded and before its answer can come.
    let before = async |sent: &[IoVec]| {
        extend(&mut hash, sent)?;
        let hash = hash
            .take()
            .unwrap_or(PreauthHashState::Unsupported)
            .finish();
        install(channel, &info, id, &key, &hash.unwrap_final_hash().copied()).await
    };
    let pending = channel.send_after(vec![second], before).await?;
    let last = only(pending)?.last("SESSION_SETUP", bound).await?;
    let header = &last.message.header;
    if header.status != STATUS_SUCCESS {
        return refused(header.status);
    }
    let signed = last.form.signed_or_encrypted();
    let answer = last.message.content.to_sessionsetup();
    let answer = answer.map_err(|error| Failure::Violation(error.to_string()))?;
    let flags = answer.session_flags;
    if !signed && !flags.is_guest_or_null_session() {
        return Err(Failure::Violation(
            "the last SESSION_SETUP answer is not signed".into(),
        ));
    }
    tokens.finish(&answer.buffer)?;
    let protection = ready(&info, flags, &channel.info).await?;
    Ok(LoggedIn::Session(Session {
        id,
        flags,
        protection,
    }))
}

fn refused(status: u32) -> Result<LoggedIn, Failure> {
    match status {
        STATUS_SUCCESS | STATUS_MORE_PROCESSING_REQUIRED => Err(Failure::Violation(format!(
            "SESSION_SETUP was answered with {status:#010x}"
        ))),
        status => Ok(LoggedIn::Refused(status)),
    }
}

fn only<T>(items: Vec<T>) -> Result<T, Failure> {
    items
        .into_iter()
        .next()
        .ok_or_else(|| Failure::Broken("a frame without a request".into()))
}

fn setup_request(channel: &Channel, wishes: &Wishes, session: u64, token: Vec<u8>) -> Request {
    let mode = SessionSecurityMode::new()
        .with_signing_enabled(!wishes.signing_required)
        .with_signing_required(wishes.signing_required);
    let capabilities = NegotiateCapabilities::new().with_dfs(channel.info.negotiation.caps.dfs());
    let content = SessionSetupRequest::new(token, mode, SetupRequestFlags::new(), capabilities);
    Request {
        content: RequestContent::SessionSetup(content),
        command: Command::SessionSetup,
        payload: None,
        session,
        tree: 0,
        related: false,
        protection: Protection::None,
    }
}

/// Adds a message to the preauthentication hash (MS-SMB2 3.2.5.3.1).
fn extend(hash: &mut Option<PreauthHashState>, message: &[IoVec]) -> Result<(), Failure> {
    for part in message {
        *hash = hash.take().map(|state| state.next(part));
    }
    Ok(())
}

/// Derives the session's keys and makes them known to the transformer.
async fn install(
    channel: &Channel,
    info: &Arc<RwLock<SessionInfo>>,
    id: u64,
    key: &[u8; 16],
    hash: &Option<PreauthHashValue>,
) -> Result<(), Failure> {
    let failed = |error: smb::Error| Failure::of_crate("deriving the session's keys", &error);
    let mut session = SessionAndChannel::new(id, info.clone());
    session.set_channel(ChannelInfo::new(0, key, hash, &channel.info).map_err(failed)?);
    write(info)
        .await?
        .setup(key, hash, &channel.info)
        .map_err(failed)?;
    channel
        .transformer
        .session_started(&Arc::new(RwLock::new(session)))
        .await
        .map_err(failed)
}

/// Makes the session one that can encrypt, and says how its messages are protected.
async fn ready(
    info: &Arc<RwLock<SessionInfo>>,
    flags: SessionFlags,
    connection: &ConnectionInfo,
) -> Result<Protection, Failure> {
    let mut session = write(info).await?;
    let failed = |error: smb::Error| Failure::of_crate("establishing the session", &error);
    session.ready(flags, connection).map_err(failed)?;
    Ok(match session.should_encrypt().map_err(failed)? {
        true => Protection::Encrypted,
        false if flags.is_guest_or_null_session() => Protection::None,
        false => Protection::Signed,
    })
}

async fn write(
    info: &RwLock<SessionInfo>,
) -> Result<impl std::ops::DerefMut<Target = SessionInfo> + '_, Failure> {
    info.write()
        .await
        .map_err(|_| Failure::Broken("the session's state is poisoned".into()))
}

/// The tokens of SPNEGO with NTLM inside (MS-NLMP, RFC 4178).
struct Tokens {
    negotiate: Negotiate,
    credentials: AcquireCredentialsHandleResult<Option<CredentialsBuffers>>,
}

impl Tokens {
    fn new(account: &Account) -> Result<Self, Failure> {
        let username = Username::new(&account.name, Some(&account.domain)).map_err(|error| {
            Failure::Broken(format!("`{}` is no account name: {error}", account.name))
        })?;
        let identity = AuthIdentity {
            username,
            password: account.password.expose_secret().to_owned().into(),
        };
        let packages = Some("ntlm,!kerberos,!pku2u".to_owned());
        let config = NegotiateConfig::new(
            Box::new(NtlmConfig::default()),
            packages,
            CLIENT_NAME.into(),
        );
        quietly(|| {
            let mut negotiate = Negotiate::new_client(config)?;
            let credentials = negotiate
                .acquire_credentials_handle()
                .with_credential_use(CredentialUse::Outbound)
                .with_auth_data(&sspi::Credentials::AuthIdentity(identity))
                .execute(&mut negotiate)?;
            Ok(Self {
                negotiate,
                credentials,
            })
        })
        .map_err(broken)
    }

    /// The token that answers the server's `token`.
    fn next(&mut self, token: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let done = quietly(|| {
            let mut builder = self
                .negotiate
                .initialize_security_context()
                .with_credentials_handle(&mut self.credentials.credentials_handle)
                .with_context_requirements(
                    ClientRequestFlags::MUTUAL_AUTH
                        | ClientRequestFlags::INTEGRITY
                        | ClientRequestFlags::USE_SESSION_KEY,
                )
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            self.negotiate
                .initialize_security_context_impl(&mut builder)
                .and_then(|mut step| step.resolve_to_result())
        });
        done.map_err(|error| Failure::Violation(format!("the server's token: {error}")))?;
        let [output] = output;
        Ok(output.buffer)
    }

    /// The key that both sides have, before the server has confirmed it.
    fn session_key(&self) -> Result<[u8; 16], Failure> {
        let keys = quietly(|| self.negotiate.query_context_session_key()).map_err(broken)?;
        let key = keys.session_key.as_ref().first_chunk().copied();
        key.ok_or_else(|| Failure::Broken("the session key is shorter than 16 bytes".into()))
    }

    /// Checks the server's last token, which holds the MIC over the mechanism list; an old server sends none.
    fn finish(&mut self, token: &[u8]) -> Result<(), Failure> {
        if token.is_empty() {
            return Ok(());
        }
        self.next(token).map(drop)
    }
}

fn broken(error: sspi::Error) -> Failure {
    Failure::Broken(format!("authenticating: {error}"))
}
