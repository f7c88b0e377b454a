//! The server's side of NTLM in SPNEGO, by sspi's own server.

use sspi::ntlm::NtlmConfig;
use sspi::{
    AuthIdentity, BufferType, CredentialUse, Credentials, CredentialsBuffers, DataRepresentation,
    Negotiate, NegotiateConfig, SecurityBuffer, ServerRequestFlags, Sspi, SspiImpl, Username,
};

/// Lets alice of the domain WGRP in.
pub(crate) struct NtlmServer {
    negotiate: Negotiate,
    credentials: Option<CredentialsBuffers>,
}

impl NtlmServer {
    /// One that knows her password.
    pub(crate) fn new(password: &str) -> Self {
        let account = AuthIdentity {
            username: Username::new_down_level_logon_name("alice", "WGRP").expect("a name"),
            password: password.to_owned().into(),
        };
        let config = NegotiateConfig::new(
            Box::new(NtlmConfig::default()),
            Some("ntlm,!kerberos,!pku2u".into()),
            "SERVER".into(),
        );
        let mut negotiate = Negotiate::new_server(config, vec![account.clone()]).expect("a server");
        let credentials = negotiate
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Inbound)
            .with_auth_data(&Credentials::AuthIdentity(account))
            .execute(&mut negotiate)
            .expect("credentials")
            .credentials_handle;
        Self {
            negotiate,
            credentials,
        }
    }

    /// The answer to a token.
    pub(crate) fn next(&mut self, token: Vec<u8>) -> Result<Vec<u8>, sspi::Error> {
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

    /// The first 16 bytes of the session key, once there is one.
    pub(crate) fn session_key(&self) -> Option<[u8; 16]> {
        let keys = self.negotiate.query_context_session_key().ok()?;
        keys.session_key.as_ref().get(..16)?.try_into().ok()
    }
}
