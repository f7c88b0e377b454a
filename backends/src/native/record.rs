//! Keeps the frames of a connection in the run's log, where it asks for one, as a person is to read them: decrypted, and without the tokens of
//! SESSION_SETUP. A token holds the answer to the server's challenge, with which a password can be guessed offline, or a
//! Kerberos ticket; nothing else that is kept is derived from a credential. The buffer is left out as a whole rather than blanked, so that the
//! rest decodes as what it is. In the place of NTLM's last token stands one that says who logs in, by the name that the trace has for
//! the account, and proves nothing.

use std::collections::HashMap;

use replay_engine::{ClientContext, Identity, WireEvent, WireFrame, WireLog};
use replay_ir::StepId;
use smb_wire::crypto::ntlm::{self, Authenticate};
use smb_wire::{Command, Header, split_compound};
use tokio::net::TcpStream;

/// Where the length of the token stands in a request and in a response, and where the token begins at the earliest
/// (MS-SMB2 2.2.5, 2.2.6).
const REQUEST: (usize, usize) = (Header::SIZE + 14, Header::SIZE + 24);
const RESPONSE: (usize, usize) = (Header::SIZE + 6, Header::SIZE + 8);
/// Where Command and Flags stand in a header (MS-SMB2 2.2.1).
const COMMAND: usize = 12;
const FLAGS: usize = 16;
/// Where NextCommand stands.
const NEXT_COMMAND: usize = 20;

/// The place of one connection in the log.
#[derive(Debug)]
pub(super) struct Recorder {
    log: WireLog,
    connection: u32,
    names: Names,
}

/// What the trace calls accounts, by their names in tokens, in lower case.
#[derive(Debug, Default)]
struct Names(HashMap<String, String>);

impl Recorder {
    /// For a connection that has just been opened; `None` when the run keeps no frames.
    pub(super) fn new(context: &ClientContext, stream: &TcpStream) -> Option<Self> {
        let log = context.events.wire()?.clone();
        let (local, remote) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        let connection = log.opened(context.client, local, remote);
        Some(Self {
            log,
            connection,
            names: Names::default(),
        })
    }

    /// From now on somebody may log in as this one.
    pub(super) fn knows(&mut self, identity: &Identity) {
        self.names.add(identity);
    }

    /// A frame that is about to be sent, as it was before it was encrypted.
    pub(super) fn sent(
        &self,
        frame: &[u8],
        encrypted: bool,
        steps: impl Iterator<Item = Option<StepId>>,
    ) {
        let note = encrypted.then(|| "encrypted on the wire".to_owned());
        let frame = self.frame(frame, note, steps.collect());
        self.log.push(self.connection, WireEvent::Sent(frame));
    }

    /// A frame that was received, as it is decrypted.
    pub(super) fn received(&self, frame: &[u8], encrypted: bool) {
        let note = encrypted.then(|| "encrypted on the wire".to_owned());
        let frame = self.frame(frame, note, Vec::new());
        self.log.push(self.connection, WireEvent::Received(frame));
    }

    /// A frame that was received and cannot be decrypted, or is none of SMB2.
    pub(super) fn unreadable(&self, frame: &[u8], why: &str) {
        let frame = self.frame(frame, Some(why.to_owned()), Vec::new());
        self.log.push(self.connection, WireEvent::Received(frame));
    }

    /// The connection has ended.
    pub(super) fn ended(&self, by_server: bool, reason: &str) {
        let reason = reason.to_owned();
        self.log
            .push(self.connection, WireEvent::Ended { by_server, reason });
    }

    fn frame(&self, frame: &[u8], note: Option<String>, steps: Vec<Option<StepId>>) -> WireFrame {
        let (bytes, left_out) = without_tokens(frame, &self.names);
        let token = (left_out > 0).then(|| format!("the token of {left_out} bytes is left out"));
        let notes: Vec<String> = note.into_iter().chain(token).collect();
        WireFrame {
            bytes,
            steps,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    }
}

impl Names {
    fn add(&mut self, identity: &Identity) {
        // A token may have the user of `DOMAIN\user` or `user@realm` alone.
        let account = identity.account.to_lowercase();
        let user = account.rsplit('\\').next().unwrap_or(&account);
        let short = user.split('@').next().unwrap_or(user);
        for form in [user, short] {
            self.0.insert(form.to_owned(), identity.name.clone());
        }
    }

    /// What stands in the place of a token: the name in one of NTLM's last; nothing for any other, or for an unknown account.
    fn instead_of(&self, token: &[u8]) -> Vec<u8> {
        let user = Authenticate::find(token).map(|message| message.user.to_lowercase());
        let name = user.and_then(|user| match user.as_str() {
            "" => Some(String::new()),
            user => self.0.get(user).cloned(),
        });
        name.map(|name| ntlm::name_only(&name)).unwrap_or_default()
    }
}

/// A frame with the tokens of SESSION_SETUP taken out, and how many bytes they had.
fn without_tokens(frame: &[u8], names: &Names) -> (Vec<u8>, usize) {
    if !holds_token(frame) {
        return (frame.to_vec(), 0);
    }
    let Ok(messages) = split_compound(frame).collect::<Result<Vec<_>, _>>() else {
        // Not to be taken apart, so nothing behind the first fixed part is kept.
        let kept = cut(frame);
        return (kept.to_vec(), frame.len() - kept.len());
    };
    let (mut out, mut left_out, mut last) = (Vec::with_capacity(frame.len()), 0, None);
    for (header, message) in messages {
        if let Some(last) = last {
            out.resize(usize::next_multiple_of(out.len(), 8), 0);
            let next = out.len() - last;
            set(&mut out, last + NEXT_COMMAND, next);
        }
        last = Some(out.len());
        let kept = match header.command {
            Command::SESSION_SETUP => cut(message),
            _ => message,
        };
        left_out += message.len() - kept.len();
        let begin = out.len();
        out.extend_from_slice(kept);
        if kept.len() < message.len() {
            let instead = names.instead_of(&message[kept.len()..]);
            let (length, _) = places(message);
            if let Some(length) = out.get_mut(begin + length..begin + length + 2) {
                let of = u16::try_from(instead.len()).unwrap_or(0);
                length.copy_from_slice(&of.to_le_bytes());
            }
            out.extend(instead);
        }
    }
    (out, left_out)
}

/// True when a message of the frame is a SESSION_SETUP, or may be, as far as can be told.
fn holds_token(frame: &[u8]) -> bool {
    split_compound(frame).any(|message| match message {
        Ok((header, _)) => header.command == Command::SESSION_SETUP,
        Err(_) => u16_at(frame, COMMAND) == Some(Command::SESSION_SETUP.0),
    })
}

fn cut(message: &[u8]) -> &[u8] {
    let (_, token) = places(message);
    &message[..message.len().min(token)]
}

fn places(message: &[u8]) -> (usize, usize) {
    match u16_at(message, FLAGS).is_some_and(|flags| flags & 1 != 0) {
        true => RESPONSE,
        false => REQUEST,
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

/// Writes 32 bits, where there is room for them.
fn set(out: &mut [u8], offset: usize, value: usize) {
    if let Some(place) = out.get_mut(offset..offset + 4) {
        place.copy_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use smb_wire::messages::{EchoRequest, SessionSetupRequest, SessionSetupResponse};
    use smb_wire::{Flags, FrameBuilder, Request, Response};

    use super::*;

    const TOKEN: &[u8] = b"NTLMSSP and an answer to a challenge";
    const ANSWER: &[u8] = b"an answer to a challenge";

    fn shows(bytes: &[u8], secret: &[u8]) -> bool {
        bytes
            .windows(4)
            .any(|bytes| secret.windows(4).any(|part| part == bytes))
    }

    fn shows_token(bytes: &[u8]) -> bool {
        shows(bytes, TOKEN)
    }

    /// Of `alice`, who is `LAB\\a-17`.
    fn names() -> Names {
        let mut names = Names::default();
        names.add(&Identity {
            name: "alice".to_owned(),
            account: "LAB\\A-17".to_owned(),
            domain: String::new(),
            sid: None,
            password: "secret".to_owned().into(),
        });
        names
    }

    fn setup(token: &[u8]) -> Request {
        Request::SessionSetup(SessionSetupRequest {
            buffer: token.to_vec(),
            previous_session_id: 9,
            ..Default::default()
        })
    }

    #[test]
    fn tokens_are_left_out_of_requests_and_responses() {
        let mut request = FrameBuilder::new();
        request.request(&Header::default(), &setup(TOKEN));
        request.request(&Header::default(), &Request::Echo(EchoRequest));
        let frame = request.finish();
        assert!(shows_token(&frame));
        let (kept, left_out) = without_tokens(&frame, &names());
        assert!(!shows_token(&kept) && left_out >= TOKEN.len());
        let messages: Vec<_> = split_compound(&kept)
            .map(|message| message.unwrap())
            .collect();
        assert_eq!(messages.len(), 2);
        let setup = SessionSetupRequest::decode(messages[0].1).unwrap();
        assert_eq!((setup.buffer.len(), setup.previous_session_id), (0, 9));
        assert_eq!(messages[1].0.command, Command::ECHO);

        let header = Header {
            command: Command::SESSION_SETUP,
            flags: Flags::SERVER_TO_REDIR,
            ..Header::default()
        };
        let mut response = FrameBuilder::new();
        let setup = SessionSetupResponse {
            buffer: TOKEN.to_vec(),
            ..Default::default()
        };
        response.response(&header, &Response::SessionSetup(setup));
        let (kept, _) = without_tokens(&response.finish(), &names());
        assert!(!shows_token(&kept));
        assert!(
            SessionSetupResponse::decode(&kept)
                .unwrap()
                .buffer
                .is_empty()
        );
    }

    /// The last token of a login: its user, and a response.
    fn last_token(user: &str) -> Vec<u8> {
        let mut token = ntlm::name_only(user);
        let end = u32::try_from(token.len()).unwrap();
        token.extend(ANSWER);
        // NtChallengeResponse (MS-NLMP 2.2.1.3).
        token[20..22].copy_from_slice(&(ANSWER.len() as u16).to_le_bytes());
        token[24..28].copy_from_slice(&end.to_le_bytes());
        // As within SPNEGO.
        [b"before".as_slice(), &token].concat()
    }

    #[test]
    fn the_user_is_kept_under_the_name_in_the_trace() {
        for (account, kept) in [("a-17", Some("alice")), ("", Some("")), ("other", None)] {
            let mut frame = FrameBuilder::new();
            frame.request(&Header::default(), &setup(&last_token(account)));
            frame.request(&Header::default(), &Request::Echo(EchoRequest));
            let (frame, left_out) = without_tokens(&frame.finish(), &names());
            assert!(left_out > ANSWER.len());
            let messages: Vec<_> = split_compound(&frame)
                .map(|message| message.unwrap())
                .collect();
            assert_eq!(messages[1].0.command, Command::ECHO);
            let setup = SessionSetupRequest::decode(messages[0].1).unwrap();
            let found = Authenticate::find(&setup.buffer).map(|message| message.user);
            assert_eq!(found.as_deref(), kept, "{account}");
            assert!(!shows(&frame, ANSWER) && (kept.is_some() || setup.buffer.is_empty()));
        }
    }

    #[test]
    fn what_cannot_be_taken_apart_shows_no_token_either() {
        let mut request = FrameBuilder::new();
        request.request(&Header::default(), &setup(TOKEN));
        let mut frame = request.finish();
        frame[NEXT_COMMAND] = 3;
        assert!(!shows_token(&without_tokens(&frame, &names()).0));
        for length in 0..frame.len() {
            let (kept, _) = without_tokens(&frame[..length], &names());
            assert!(!shows_token(&kept), "{length}");
        }
        let other = [1, 2, 3];
        assert_eq!(without_tokens(&other, &names()), (other.to_vec(), 0));
    }
}
