//! SESSION_SETUP as an exchange of messages (MS-SMB2 3.2.4.2.3, 3.2.5.3): what to send next, what an answer means, and
//! how the session that comes of it is protected. Who sends and receives is left to [`login`](super::login) and
//! [`sessions`](super::sessions).

use replay_engine::Outcome;
use smb_vocabulary::{ClientSettings, Encryption};
use smb_wire::crypto::PreauthHash;
use smb_wire::messages::{SessionSetupRequest, SessionSetupResponse};
use smb_wire::{
    Capabilities, Dialect, Header, SecurityMode, SessionFlags, SessionSetupFlags, ntstatus,
};

use super::auth::Login;
use super::group::Bond;
use super::secure::{Algorithms, Security};
use super::sessions::Session;

/// The most SESSION_SETUP requests of one login; NTLM takes two.
const MAX_ROUNDS: usize = 8;

/// What the logins on a connection start from.
#[derive(Debug, Clone)]
pub(super) struct Basis {
    /// What NEGOTIATE settled.
    pub(super) algorithms: Algorithms,
    /// The hash over NEGOTIATE.
    pub(super) preauth: PreauthHash,
    /// SecurityMode that the client offered.
    pub(super) security_mode: SecurityMode,
    /// Capabilities that the client offered.
    pub(super) capabilities: Capabilities,
    /// The server requires signing.
    pub(super) signing_required: bool,
}

/// A login under way.
pub(super) struct Authentication {
    login: Login,
    /// ` as alice`: the identity's name, never more of it.
    named: String,
    token: Vec<u8>,
    rounds: usize,
    /// PreviousSessionId of a new session; `None` in one that there is already.
    previous_session_id: Option<u64>,
    basis: Basis,
    wishes: Wishes,
    /// What binds it to a session that there is, as a further channel.
    bond: Option<Bond>,
}

/// What the client's line asks for.
#[derive(Debug, Clone, Copy)]
struct Wishes {
    anonymous: bool,
    signing_required: bool,
    encryption_required: bool,
    wrong_key: bool,
    no_binding: bool,
}

/// What an answer means.
pub(super) enum Progress {
    /// There is more to say.
    Again,
    /// The session is there.
    Done(SessionFlags),
}

/// As whom, for messages: ` as alice`, nothing for an anonymous login.
fn named(settings: &ClientSettings<'_>) -> String {
    let named = settings.user.map(|user| format!(" as {user}"));
    named.unwrap_or_default()
}

/// A login that cannot even be begun.
pub(super) fn broken(settings: &ClientSettings<'_>, why: impl std::fmt::Display) -> Outcome {
    Outcome::Broken(format!("logging in{}: {why}", named(settings)))
}

impl Authentication {
    /// A login that has been begun: in a new session that replaces `previous_session_id`, or without that, in one that
    /// there is already.
    pub(super) fn new(
        mut login: Login,
        settings: &ClientSettings<'_>,
        basis: &Basis,
        previous_session_id: Option<u64>,
    ) -> Result<Self, Outcome> {
        let token = login.next(&[]).map_err(|error| broken(settings, error))?;
        Ok(Self {
            login,
            token,
            rounds: 0,
            previous_session_id,
            basis: basis.clone(),
            wishes: Wishes {
                anonymous: settings.anonymous,
                signing_required: settings.signing_required,
                encryption_required: settings.encryption == Encryption::Required,
                wrong_key: settings.wrong_key,
                no_binding: settings.no_binding,
            },
            named: named(settings),
            bond: None,
        })
    }

    /// The same as one that binds a channel to a session (MS-SMB2 3.2.4.2.3).
    pub(super) fn bind(mut self, mut bond: Bond) -> Result<Self, Outcome> {
        let key_follows = self.login.key_comes_last();
        let unfit = |error: smb_wire::Error| Outcome::Broken(error.to_string());
        let algorithms = self.basis.algorithms;
        let security = bond
            .security
            .binding(algorithms, key_follows)
            .map_err(unfit)?;
        bond.security = match self.wishes.wrong_key {
            true => security.with_a_wrong_key(algorithms).map_err(unfit)?,
            false => security,
        };
        self.bond = Some(bond);
        Ok(self)
    }

    /// Prepares the session that the first request goes to.
    pub(super) fn begin(&mut self, session: &mut Session) {
        if let Some(bond) = &self.bond {
            session.id = bond.id;
            session.sign = bond.sign;
            session.security = bond.security.clone();
        }
    }

    /// The next request.
    pub(super) fn request(&mut self) -> SessionSetupRequest {
        SessionSetupRequest {
            flags: match self.bond {
                Some(_) if !self.wishes.no_binding => SessionSetupFlags::BINDING,
                _ => SessionSetupFlags::empty(),
            },
            security_mode: self.basis.security_mode,
            capabilities: self.basis.capabilities & Capabilities::DFS,
            previous_session_id: self.previous_session_id.unwrap_or(0),
            buffer: std::mem::take(&mut self.token),
            ..Default::default()
        }
    }

    /// The hash that what is sent becomes part of.
    pub(super) fn preauth(&mut self) -> &mut PreauthHash {
        &mut self.basis.preauth
    }

    /// The session's keys, if the last answer has brought them (see [`Login::key_comes_last`]); that answer is signed with
    /// them. The error says how it breaks the protocol.
    pub(super) fn last_security(
        &self,
        header: &Header,
        message: &[u8],
    ) -> Result<Option<Security>, String> {
        if !self.login.key_comes_last() {
            return Ok(None);
        }
        let security = self.security().map_err(|error| error.to_string())?;
        let security = security.ok_or("the login gave no session key")?;
        if header.is_signed() {
            security.verify(message)?;
        }
        Ok(Some(security))
    }

    /// The session's keys, once the last request has gone out.
    pub(super) fn security(&self) -> Result<Option<Security>, smb_wire::Error> {
        let Some(key) = self.login.session_key() else {
            return Ok(None);
        };
        let (algorithms, preauth) = (self.basis.algorithms, &self.basis.preauth);
        match &self.bond {
            Some(bond) => bond.security.channel(algorithms, &key, preauth),
            None => Security::new(algorithms, &key, preauth),
        }
        .map(Some)
    }

    /// Takes an answer; the error says how it breaks the protocol.
    pub(super) fn answered(
        &mut self,
        header: &Header,
        response: &SessionSetupResponse,
        message: &[u8],
    ) -> Result<Progress, String> {
        let token = self.login.next(&response.buffer);
        self.token = token.map_err(|error| format!("logging in{}: {error}", self.named))?;
        if header.status == ntstatus::SUCCESS {
            // The first answer with the new keys must prove them; later ones are as their requests demand.
            let new = self.previous_session_id.is_some();
            let unsigned = !self.is_nobody(response.session_flags) && !header.is_signed();
            if new && unsigned && self.basis.algorithms.dialect == Dialect::SMB_3_1_1 {
                return Err("the last SESSION_SETUP answer is not signed".to_owned());
            }
            return Ok(Progress::Done(response.session_flags));
        }
        self.basis.preauth.update(message);
        self.rounds += 1;
        match self.rounds < MAX_ROUNDS {
            true => Ok(Progress::Again),
            false => Err(format!("the login goes on after {MAX_ROUNDS} rounds")),
        }
    }

    /// The session is there, or the channel is bound to it: settles how it is protected on this connection.
    pub(super) fn settle(&self, flags: SessionFlags, session: &mut Session) -> Result<(), String> {
        match &self.bond {
            Some(bond) => {
                bond.apply(session);
                Ok(())
            }
            None => self.protection(flags)?.apply(session),
        }
    }

    /// Guests and anonymous clients have no key (MS-SMB2 3.2.5.3.1). That it is anonymous the client knows by itself.
    fn is_nobody(&self, flags: SessionFlags) -> bool {
        self.wishes.anonymous || flags.intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL)
    }

    /// Settles what is signed and what is encrypted (MS-SMB2 3.2.5.3.1); the error says what cannot be had.
    pub(super) fn protection(&self, flags: SessionFlags) -> Result<Protection, String> {
        let Wishes {
            anonymous,
            signing_required,
            encryption_required,
            ..
        } = self.wishes;
        let nobody = self.is_nobody(flags);
        if nobody && signing_required && !anonymous {
            let reason =
                "the server let the client in as a guest, who cannot sign as the client requires";
            return Err(reason.to_owned());
        }
        Ok(Protection {
            nobody,
            sign: !nobody && (self.basis.signing_required || signing_required),
            encrypt: encryption_required || flags.contains(SessionFlags::ENCRYPT_DATA),
            encryption_required,
        })
    }
}

/// How a session is protected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Protection {
    nobody: bool,
    sign: bool,
    encrypt: bool,
    encryption_required: bool,
}

impl Protection {
    /// Protects a session that way from now on.
    pub(super) fn apply(self, session: &mut Session) -> Result<(), String> {
        if self.nobody {
            session.security = Security::default();
        }
        if self.encryption_required && !session.security.can_encrypt() {
            let reason =
                "the client requires encryption, and nothing to encrypt with was negotiated";
            return Err(reason.to_owned());
        }
        session.sign = self.sign;
        session.encrypt = self.encrypt;
        session.logged_in = true;
        Ok(())
    }
}
