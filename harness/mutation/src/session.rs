//! What the proxy knows of a connection: the keys of its sessions, and which message is which.

use std::collections::HashMap;

use replay_engine::Identity;
use secrecy::ExposeSecret;
use smb_wire::crypto::ntlm::{Authenticate, password_hash};
use smb_wire::crypto::{Key, PreauthHash, SessionKeys, Signer, TransformCipher};
use smb_wire::messages::{NegotiateContext, TransformHeader};
use smb_wire::{
    Cipher, Command, Dialect, FrameKind, Header, Request, Response, SessionSetupFlags,
    SigningAlgorithm, ntstatus, split_compound,
};

/// A connection as it is seen from between.
pub(crate) struct Observed {
    identities: Vec<Identity>,
    dialect: Dialect,
    cipher: Option<Cipher>,
    signing: SigningAlgorithm,
    preauth: PreauthHash,
    /// SESSION_SETUP requests without an answer, by message id.
    asked: HashMap<u64, Login>,
    /// Logins that go on, by session.
    going_on: HashMap<u64, PreauthHash>,
    sessions: HashMap<u64, Session>,
    /// Requests without a final answer.
    in_flight: u64,
}

struct Login {
    preauth: PreauthHash,
    key: Option<Key>,
    binding: bool,
}

struct Session {
    signer: Signer,
    to_client: Option<TransformCipher>,
    to_server: Option<TransformCipher>,
}

/// A frame of the server, opened.
pub(crate) struct Opened {
    /// Its messages.
    pub(crate) messages: Vec<(Header, Vec<u8>)>,
    /// Of an encrypted frame.
    transform: Option<TransformHeader>,
}

impl Observed {
    pub(crate) fn new(identities: Vec<Identity>) -> Self {
        Self {
            identities,
            dialect: Dialect::SMB_2_0_2,
            cipher: None,
            signing: SigningAlgorithm::HMAC_SHA256,
            preauth: PreauthHash::default(),
            asked: HashMap::new(),
            going_on: HashMap::new(),
            sessions: HashMap::new(),
            in_flight: 0,
        }
    }

    /// How many requests have no final answer.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Looks at a frame on its way to the server.
    pub(crate) fn request(&mut self, frame: &[u8]) {
        let plain;
        let frame = match FrameKind::of(frame) {
            Some(FrameKind::Plain) => frame,
            Some(FrameKind::Encrypted) => {
                let session = TransformHeader::decode(frame)
                    .ok()
                    .and_then(|header| self.sessions.get(&header.session_id));
                let cipher = session.and_then(|session| session.to_server.as_ref());
                match cipher.and_then(|cipher| cipher.decrypt(frame).ok()) {
                    Some(frame) => {
                        plain = frame;
                        &plain
                    }
                    None => return,
                }
            }
            _ => return,
        };
        for (header, message) in split_compound(frame).map_while(Result::ok) {
            if header.command == Command::CANCEL {
                continue;
            }
            self.in_flight += 1;
            match header.command {
                Command::NEGOTIATE => self.preauth.update(message),
                Command::SESSION_SETUP => self.login(&header, message),
                _ => {}
            }
        }
    }

    fn login(&mut self, header: &Header, message: &[u8]) {
        let Ok(Request::SessionSetup(request)) = Request::decode(message) else {
            return;
        };
        let going_on = self.going_on.remove(&header.session_id);
        let mut preauth = going_on.unwrap_or_else(|| self.preauth.clone());
        preauth.update(message);
        let key = Authenticate::find(&request.buffer).and_then(|message| {
            let known = |identity: &&Identity| identity.account.eq_ignore_ascii_case(&message.user);
            let identity = self.identities.iter().find(known)?;
            message.session_key(&password_hash(identity.password.expose_secret()))
        });
        let login = Login {
            preauth,
            key,
            binding: request.flags.contains(SessionSetupFlags::BINDING),
        };
        self.asked.insert(header.message_id, login);
    }

    /// Opens a frame of the server and learns from it. `None` for one that cannot be read, which goes on as it is.
    pub(crate) fn response(&mut self, frame: &[u8]) -> Option<Opened> {
        let opened = match FrameKind::of(frame)? {
            FrameKind::Plain => Opened {
                messages: messages(frame)?,
                transform: None,
            },
            FrameKind::Encrypted => {
                let header = TransformHeader::decode(frame).ok()?;
                let session = self.sessions.get(&header.session_id)?;
                let plain = session.to_client.as_ref()?.decrypt(frame).ok()?;
                Opened {
                    messages: messages(&plain)?,
                    transform: Some(header),
                }
            }
            _ => return None,
        };
        for (header, message) in &opened.messages {
            if header.message_id == Header::UNSOLICITED || header.is_interim() {
                continue;
            }
            self.in_flight = self.in_flight.saturating_sub(1);
            match header.command {
                Command::NEGOTIATE => self.negotiated(message),
                Command::SESSION_SETUP => self.logged_in(header, message),
                _ => {}
            }
        }
        Some(opened)
    }

    fn negotiated(&mut self, message: &[u8]) {
        self.preauth.update(message);
        let Ok(Response::Negotiate(response)) = Response::decode(message) else {
            return;
        };
        self.dialect = response.dialect_revision;
        self.signing = Signer::default_algorithm(self.dialect);
        self.cipher = (self.dialect >= Dialect::SMB_3_0).then_some(Cipher::AES_128_CCM);
        for context in response.negotiate_contexts {
            match context {
                NegotiateContext::Encryption { ciphers } => {
                    self.cipher = ciphers
                        .first()
                        .copied()
                        .filter(|cipher| *cipher != Cipher::NONE);
                }
                NegotiateContext::Signing { signing_algorithms } => {
                    self.signing = signing_algorithms.first().copied().unwrap_or(self.signing);
                }
                _ => {}
            }
        }
    }

    fn logged_in(&mut self, header: &Header, message: &[u8]) {
        let Some(mut login) = self.asked.remove(&header.message_id) else {
            return;
        };
        if header.status == ntstatus::MORE_PROCESSING_REQUIRED {
            login.preauth.update(message);
            self.going_on.insert(header.session_id, login.preauth);
            return;
        }
        // A session that logs in again keeps its keys; the keys of a further channel are left alone, and with them what
        // goes over it.
        let is_new = !self.sessions.contains_key(&header.session_id) && !login.binding;
        let (Some(key), true, ntstatus::SUCCESS) = (login.key, is_new, header.status) else {
            return;
        };
        if let Some(session) = self.session(key.as_bytes(), &login.preauth) {
            self.sessions.insert(header.session_id, session);
        }
    }

    fn session(&self, key: &[u8], preauth: &PreauthHash) -> Option<Session> {
        let derived_for = self.cipher.unwrap_or(Cipher::AES_128_CCM);
        let keys = SessionKeys::derive(self.dialect, derived_for, key, preauth);
        let cipher = |key: Option<Key>| TransformCipher::new(self.cipher?, &key?).ok();
        Some(Session {
            signer: Signer::new(self.signing, &keys.signing).ok()?,
            to_server: cipher(keys.encryption),
            to_client: cipher(keys.decryption),
        })
    }

    /// Puts a frame together again, signed and encrypted as it was. The error says why it cannot be.
    pub(crate) fn seal(&self, opened: &Opened) -> Result<Vec<u8>, String> {
        const NEXT_COMMAND: usize = 20;
        let mut frame = Vec::new();
        let last = opened.messages.len().saturating_sub(1);
        for (index, (header, message)) in opened.messages.iter().enumerate() {
            let mut message = message.clone();
            if index < last {
                message.resize(message.len().next_multiple_of(8), 0);
            }
            let next = if index < last { message.len() } else { 0 };
            let next = u32::try_from(next).map_err(|error| error.to_string())?;
            message[NEXT_COMMAND..][..4].copy_from_slice(&next.to_le_bytes());
            if header.is_signed() && opened.transform.is_none() {
                let session = self.sessions.get(&header.session_id);
                let session = session.ok_or("the key of the session is not known")?;
                session
                    .signer
                    .sign(&mut message)
                    .map_err(|error| error.to_string())?;
            }
            frame.extend(message);
        }
        let Some(transform) = &opened.transform else {
            return Ok(frame);
        };
        let session = self.sessions.get(&transform.session_id);
        let cipher = session.and_then(|session| session.to_client.as_ref());
        let cipher = cipher.ok_or("the key of the session is not known")?;
        cipher
            .encrypt(transform.nonce, transform.session_id, &frame)
            .map_err(|error| error.to_string())
    }
}

fn messages(frame: &[u8]) -> Option<Vec<(Header, Vec<u8>)>> {
    split_compound(frame)
        .map(|message| {
            message
                .ok()
                .map(|(header, message)| (header, message.to_vec()))
        })
        .collect()
}
