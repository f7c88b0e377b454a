//! The little that must be known of a frame's bytes beside what the crate decodes: where the answers of a compound
//! begin, and whose answer a message is that the crate cannot decode.

use std::io::Cursor;
use std::sync::Arc;

use binrw::BinWrite;
use smb::msg_handler::{IncomingMessage, MessageForm, OutgoingMessage};
use smb::{Header, Response};

use super::failure::Failure;

/// The ProtocolId of a message that is neither encrypted nor compressed (MS-SMB2 2.2.1).
const PLAIN: &[u8] = b"\xfeSMB";
const STATUS_PENDING: u32 = 0x0000_0103;
const STATUS_USER_SESSION_DELETED: u32 = 0xc000_0203;
const STATUS_NETWORK_SESSION_EXPIRED: u32 = 0xc000_035c;

/// The header fields that tell for whom a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peeked {
    status: u32,
    command: u16,
    /// CreditResponse.
    pub(super) credits: u16,
    /// MessageId.
    pub(super) message_id: u64,
}

impl Peeked {
    /// For messages to the user.
    pub(super) fn describe(&self) -> String {
        let Self {
            command,
            status,
            message_id,
            ..
        } = self;
        format!("command {command:#x}, status {status:#010x}, message {message_id}")
    }
}

/// An interim answer: asynchronous, with STATUS_PENDING (MS-SMB2 3.3.4.2).
pub(super) fn is_interim(header: &Header) -> bool {
    header.status == STATUS_PENDING && header.flags.async_command()
}

/// Statuses that say that the server has no session, and so no key to sign with.
pub(super) fn ends_session(status: u32) -> bool {
    matches!(
        status,
        STATUS_USER_SESSION_DELETED | STATUS_NETWORK_SESSION_EXPIRED
    )
}

/// The header of a plain message; `None` for anything else.
pub(super) fn peek(bytes: &[u8]) -> Option<Peeked> {
    if bytes.len() < Header::STRUCT_SIZE || !bytes.starts_with(PLAIN) {
        return None;
    }
    let array = |at: usize| {
        bytes
            .get(at..at + 8)
            .and_then(|field| field.try_into().ok())
    };
    let at = |offset: usize| array(offset).map(u64::from_le_bytes);
    Some(Peeked {
        status: at(8)? as u32,
        command: at(12)? as u16,
        credits: at(14)? as u16,
        message_id: at(24)?,
    })
}

/// An answer that says that the server has no such session. It cannot be signed with that session's key, whatever its
/// flags say, so it does not go through the transformer, which would verify it.
pub(super) fn without_session(bytes: &[u8]) -> Option<IncomingMessage> {
    peek(bytes).filter(|peeked| ends_session(peeked.status))?;
    match Response::try_from(bytes) {
        Ok(Response::Plain(message)) => Some(IncomingMessage::new(
            message,
            bytes.to_vec().into(),
            MessageForm::default(),
        )),
        _ => None,
    }
}

fn next_command(bytes: &[u8]) -> usize {
    let field = bytes.get(20..24).and_then(|field| field.try_into().ok());
    field.map_or(0, u32::from_le_bytes) as usize
}

/// The messages of a plain frame, each with the padding that belongs to it. Another frame is left whole.
pub(super) fn split(mut bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Failure> {
    let mut parts = Vec::with_capacity(1);
    while bytes.starts_with(PLAIN) {
        let next = next_command(&bytes);
        if next == 0 {
            break;
        }
        if next < Header::STRUCT_SIZE || !next.is_multiple_of(8) || next >= bytes.len() {
            let what = format!("NextCommand {next} in a message of {} bytes", bytes.len());
            return Err(Failure::Violation(what));
        }
        let rest = bytes.split_off(next);
        parts.push(std::mem::replace(&mut bytes, rest));
    }
    parts.push(bytes);
    Ok(parts)
}

/// The crate decrypts a compound as a whole and decodes its first message; the others come back as bytes.
pub(super) fn split_decrypted(
    message: IncomingMessage,
) -> Result<(IncomingMessage, Vec<Vec<u8>>), Failure> {
    if !message.form.encrypted || message.message.header.next_command == 0 {
        return Ok((message, Vec::new()));
    }
    let raw = message
        .raw
        .iter()
        .flat_map(|part| part.iter().copied())
        .collect();
    let rest = split(raw)?.split_off(1);
    Ok((message, rest))
}

/// Several requests as one message to be encrypted: the first, with the others behind it as they are on the wire.
pub(super) fn joined(messages: Vec<OutgoingMessage>) -> Result<OutgoingMessage, Failure> {
    let mut messages = messages.into_iter();
    let Some(mut first) = messages.next() else {
        return Err(Failure::Broken("a frame without a request".into()));
    };
    let mut behind = first
        .additional_data
        .take()
        .map_or_else(Vec::new, |data| data.to_vec());
    for message in messages {
        let mut bytes = Vec::new();
        message
            .message
            .write(&mut Cursor::new(&mut bytes))
            .map_err(|error| {
                Failure::Broken(format!("the smb crate, encoding a request: {error}"))
            })?;
        behind.append(&mut bytes);
        behind.extend_from_slice(message.additional_data.as_deref().unwrap_or_default());
    }
    first.additional_data = Some(Arc::from(behind));
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(next: u32, length: usize) -> Vec<u8> {
        let mut bytes = PLAIN.to_vec();
        bytes.resize(length, 0);
        bytes[20..24].copy_from_slice(&next.to_le_bytes());
        bytes[24..32].copy_from_slice(&7u64.to_le_bytes());
        bytes
    }

    #[test]
    fn a_compound_is_split_where_next_command_says() {
        let compound = [header(72, 72), header(0, 65)].concat();
        let parts = split(compound).unwrap();
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [72, 65]);
    }

    #[test]
    fn what_is_no_plain_message_is_left_whole() {
        for bytes in [Vec::new(), b"\xfdSMB and so on".to_vec(), header(0, 64)] {
            assert_eq!(split(bytes.clone()).unwrap(), [bytes]);
        }
    }

    #[test]
    fn a_next_command_that_leads_nowhere_is_a_violation() {
        for next in [1, 8, 63, 68, 72, 80, u32::MAX] {
            assert!(
                matches!(split(header(next, 72)), Err(Failure::Violation(_))),
                "{next}"
            );
        }
    }

    #[test]
    fn the_header_tells_whose_answer_it_is() {
        let mut bytes = header(0, 64);
        bytes[8..12].copy_from_slice(&0xc000_0034u32.to_le_bytes());
        bytes[12] = 5;
        bytes[14] = 3;
        let peeked = peek(&bytes).unwrap();
        assert_eq!(
            (
                peeked.status,
                peeked.command,
                peeked.credits,
                peeked.message_id
            ),
            (0xc000_0034, 5, 3, 7)
        );
        assert_eq!(peek(&bytes[..63]), None);
        assert_eq!(peek(b"\xfdSMB"), None);
    }
}
