//! Requests that are wrong on purpose: what a step's `wire=` changes of a frame, before and after it is signed, and
//! frames of bytes that the trace gives (`raw`).
//!
//! The ends of such steps are told as a Windows client would: CONNECTION_DISCONNECTED when the server closes the
//! connection instead of answering, IO_TIMEOUT when the trace's own bound has passed without an answer. So a trace
//! can assert both like any other status.

use std::sync::Arc;
use std::time::Duration;

use replay_engine::{Op, Outcome};
use smb_vocabulary::{Edit, SignatureEdit, WireEdits, answer};
use smb_wire::framing::{self, PREFIX};
use smb_wire::{Command, Header};

use super::connection::{Shared, State};
use super::pending::{Content, Pending, Waiter};
use super::secure::Security;
use super::transport::{SendError, Transport};

/// STATUS_CONNECTION_DISCONNECTED.
const CONNECTION_DISCONNECTED: u32 = 0xC000_020C;
/// STATUS_IO_TIMEOUT.
const IO_TIMEOUT: u32 = 0xC000_00B5;

/// Where fields stand in a header (MS-SMB2 2.2.1).
const COMMAND: usize = 12;
const FLAGS: usize = 16;
const MESSAGE_ID: usize = 24;
const SIGNATURE: usize = 48;
/// SMB2_FLAGS_SIGNED in the first byte of Flags.
const SIGNED: u8 = 0x08;

/// What changes how long the last message of `out` is, which begins at `start`. Goes before the next member of a
/// compound.
pub(super) fn resize(edits: &WireEdits, out: &mut Vec<u8>, start: usize) -> Result<(), String> {
    for edit in &edits.edits {
        match edit {
            Edit::Truncate(length) if out.len() - start < *length => {
                let has = out.len() - start;
                return Err(format!("`truncate={length}`: the request has {has} bytes"));
            }
            Edit::Truncate(length) => out.truncate(start + length),
            Edit::Append(bytes) => out.extend_from_slice(bytes),
            Edit::Field { .. } | Edit::Bytes { .. } => {}
        }
    }
    Ok(())
}

/// What changes the bytes of a message.
pub(super) fn change(edits: &WireEdits, message: &mut [u8]) -> Result<(), String> {
    let length = message.len();
    for edit in &edits.edits {
        let (offset, size) = match edit {
            Edit::Field { offset, size, .. } => (*offset, *size),
            Edit::Bytes { offset, bytes } => (*offset, bytes.len()),
            Edit::Truncate(_) | Edit::Append(_) => continue,
        };
        let Some(place) = message.get_mut(offset..offset + size) else {
            return Err(format!(
                "`wire=`: {size} bytes at offset {offset} lie beyond the request, which has {length}"
            ));
        };
        match edit {
            Edit::Field { change, .. } => {
                let mut old = [0; 8];
                old[..size].copy_from_slice(place);
                let new = change.of(u64::from_le_bytes(old)).to_le_bytes();
                place.copy_from_slice(&new[..size]);
            }
            Edit::Bytes { bytes, .. } => place.copy_from_slice(bytes),
            Edit::Truncate(_) | Edit::Append(_) => {}
        }
    }
    Ok(())
}

/// Signs a message, or spoils its signature, as the trace says.
pub(super) fn sign(
    edits: Option<&WireEdits>,
    security: Option<&Security>,
    message: &mut [u8],
) -> Result<(), String> {
    let wanted = edits.and_then(|edits| edits.signature);
    let Some(security) = security else {
        return match wanted {
            None => Ok(()),
            Some(_) => Err("`signature=`: the request is not signed as it is".to_owned()),
        };
    };
    if message.len() < Header::SIZE {
        return Ok(());
    }
    match wanted {
        None => security.sign(message)?,
        Some(SignatureEdit::Flip) => {
            security.sign(message)?;
            message[SIGNATURE] ^= 1;
        }
        Some(SignatureEdit::Zero) => message[SIGNATURE..][..16].fill(0),
        Some(SignatureEdit::None) => {
            message[FLAGS] &= !SIGNED;
            message[SIGNATURE..][..16].fill(0);
        }
    }
    Ok(())
}

/// What is done to a whole frame when all else is done, its length prefix included.
pub(super) fn frame(edits: &WireEdits, encrypted: bool, out: &mut Vec<u8>) -> Result<(), String> {
    if edits.flip_ciphertext {
        match out.last_mut() {
            Some(last) if encrypted => *last ^= 1,
            _ => return Err("`ciphertext=`: the request is not encrypted".to_owned()),
        }
    }
    if let Some(change) = edits.length {
        let says = change.of((out.len() - PREFIX) as u64).to_be_bytes();
        out[1..PREFIX].copy_from_slice(&says[5..]);
    }
    if let Some(length) = edits.cut {
        if out.len() < PREFIX + length {
            let has = out.len() - PREFIX;
            return Err(format!("`cut={length}`: the frame has {has} bytes"));
        }
        out.truncate(PREFIX + length);
    }
    Ok(())
}

/// What a server takes a message for: its command and its message id.
pub(super) fn identity(message: &[u8]) -> Option<(Command, u64)> {
    let command = message.get(COMMAND..)?.first_chunk()?;
    let id = message.get(MESSAGE_ID..)?.first_chunk()?;
    Some((
        Command(u16::from_le_bytes(*command)),
        u64::from_le_bytes(*id),
    ))
}

impl Transport {
    /// Sends bytes as a frame of their own, without taking a message id or credits. An answer is expected where a
    /// server could give one.
    pub(super) fn send_raw(
        &mut self,
        bytes: &[u8],
        length: Option<u32>,
        waiter: Waiter,
    ) -> Result<(), SendError> {
        let length = length.map_or(bytes.len(), |length| length as usize);
        let prefix = framing::prefix(length).map_err(|_| {
            SendError::Impossible(format!(
                "a frame of {length} bytes is too long for its prefix"
            ))
        })?;
        if let Some(recorder) = &self.recorder {
            recorder.sent(bytes, false, std::iter::once(waiter.step()));
        }
        let is_message = bytes.len() >= Header::SIZE && bytes.starts_with(&smb_wire::PROTOCOL_ID);
        match identity(bytes).filter(|_| is_message) {
            Some((command, message_id)) => self.pending.insert(Pending {
                message_id,
                async_id: None,
                command,
                content: Content::Plain,
                waiter,
                closes: None,
                signed: false,
                encrypted: false,
                session: 0,
                tree: None,
                inherit: false,
                edited: true,
            }),
            None => self.unanswerable.push(waiter),
        }
        let frame = [&prefix[..], bytes].concat();
        self.write(&frame).map_err(SendError::Io)
    }

    /// The steps that were wrong on purpose and have no answer, taken out.
    pub(super) fn take_edited(&mut self) -> Vec<(u16, Op)> {
        let edited = self.pending.iter_mut().filter(|pending| pending.edited);
        let waiters = edited.map(|pending| std::mem::replace(&mut pending.waiter, Waiter::Nobody));
        waiters
            .chain(self.unanswerable.drain(..))
            .filter_map(|waiter| match waiter {
                Waiter::Op { lane, op } => Some((lane, op)),
                _ => None,
            })
            .collect()
    }
}

impl State {
    /// The server has closed the connection: for steps that were wrong on purpose that is an answer.
    pub(super) fn disconnected(&self, edited: Vec<(u16, Op)>) {
        for (lane, op) in edited {
            let outcome = Outcome::Answered(answer::status(CONNECTION_DISCONNECTED));
            self.lanes[usize::from(lane)].done(op, outcome);
        }
    }

    /// Ends `op` if it still has no answer. One that comes later is nobody's.
    fn give_up(&mut self, wanted: Op) {
        let Some(transport) = self.transport() else {
            return;
        };
        let is_it = |waiter: &Waiter| matches!(waiter, Waiter::Op { op, .. } if *op == wanted);
        let in_flight = transport
            .pending
            .iter_mut()
            .map(|pending| &mut pending.waiter);
        let waiter = in_flight
            .chain(&mut transport.unanswerable)
            .find(|waiter| is_it(waiter));
        let taken = waiter.map(|waiter| std::mem::replace(waiter, Waiter::Nobody));
        let queued = transport
            .queue
            .iter()
            .position(|(_, ops)| ops.contains(&wanted));
        let lane = match (taken, queued) {
            (Some(Waiter::Op { lane, .. }), _) => lane,
            (_, Some(index)) => match transport.queue.remove(index) {
                Some((lane, _)) => lane,
                None => return,
            },
            _ => return,
        };
        let outcome = Outcome::Answered(answer::status(IO_TIMEOUT));
        self.lanes[usize::from(lane)].done(wanted, outcome);
    }
}

impl Shared {
    /// Ends `op` as IO_TIMEOUT when it has no answer in so many nanoseconds.
    pub(super) fn give_up_after(self: &Arc<Self>, op: Op, silence: u64) {
        let shared = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_nanos(silence)).await;
            if let Some(shared) = shared.upgrade() {
                shared.lock().give_up(op);
                shared.settled.notify_waiters();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use smb_vocabulary::Change;

    use super::*;

    fn edits(edits: Vec<Edit>) -> WireEdits {
        WireEdits {
            edits,
            ..WireEdits::default()
        }
    }

    #[test]
    fn fields_are_changed_where_they_are() {
        let field = |offset, size, change| Edit::Field {
            offset,
            size,
            change,
        };
        let mut message = vec![0xff; 70];
        change(
            &edits(vec![
                field(2, 2, Change::To(0x1_0203)),
                field(6, 1, Change::Add(2)),
                field(8, 8, Change::Subtract(1)),
                Edit::Bytes {
                    offset: 68,
                    bytes: vec![7, 8],
                },
            ]),
            &mut message,
        )
        .unwrap();
        assert_eq!(message[..8], [0xff, 0xff, 3, 2, 0xff, 0xff, 1, 0xff]);
        assert_eq!((message[8], message[15]), (0xfe, 0xff));
        assert_eq!(message[68..], [7, 8]);
        let beyond = change(&edits(vec![field(69, 2, Change::To(0))]), &mut message);
        assert!(beyond.unwrap_err().contains("which has 70"));
    }

    #[test]
    fn messages_get_longer_and_shorter() {
        let mut out = vec![0; 4 + 80];
        let both = edits(vec![Edit::Truncate(70), Edit::Append(vec![1, 2])]);
        resize(&both, &mut out, 4).unwrap();
        assert_eq!((out.len(), &out[74..]), (76, &[1, 2][..]));
        let error = resize(&edits(vec![Edit::Truncate(73)]), &mut out, 4).unwrap_err();
        assert!(error.contains("has 72 bytes"), "{error}");
    }

    #[test]
    fn the_prefix_lies_and_the_frame_is_cut() {
        let mut out = vec![0; 104];
        let wanted = WireEdits {
            length: Some(Change::Add(0x100)),
            cut: Some(20),
            ..WireEdits::default()
        };
        frame(&wanted, false, &mut out).unwrap();
        assert_eq!((out.len(), &out[..4]), (24, &[0, 0, 1, 100][..]));
        assert!(frame(&wanted, false, &mut vec![0; 10]).is_err());
        let flip = WireEdits {
            flip_ciphertext: true,
            ..WireEdits::default()
        };
        assert!(frame(&flip, false, &mut vec![0; 10]).is_err());
        let mut out = vec![0; 10];
        frame(&flip, true, &mut out).unwrap();
        assert_eq!(out[9], 1);
    }

    #[test]
    fn an_unsigned_request_has_no_signature_to_spoil() {
        let wanted = WireEdits {
            signature: Some(SignatureEdit::Flip),
            ..WireEdits::default()
        };
        assert!(sign(Some(&wanted), None, &mut [0; 64]).is_err());
        assert!(sign(None, None, &mut [0; 64]).is_ok());
        assert_eq!(identity(&[0; 31]), None);
    }
}
