//! Puts requests together to a frame: length prefix, headers, the chain of a compound, and then signatures or
//! encryption. Works in a buffer that is used again, with the prefix in place, so that one write sends it.

use smb_wire::framing::{self, PREFIX};
use smb_wire::{Header, Request, split_mut};

use super::secure::Security;

/// Where NextCommand is in a header (MS-SMB2 2.2.1).
const NEXT_COMMAND: usize = 20;

/// A frame under construction.
pub(super) struct Composer<'a> {
    out: &'a mut Vec<u8>,
    last: Option<usize>,
}

impl<'a> Composer<'a> {
    /// An empty frame in `out`, which is cleared.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        out.clear();
        out.extend([0; PREFIX]);
        Self { out, last: None }
    }

    /// Appends a request; where it begins.
    pub(super) fn request(&mut self, header: &Header, request: &Request) -> usize {
        if let Some(last) = self.last {
            self.out
                .resize(PREFIX + (self.out.len() - PREFIX).next_multiple_of(8), 0);
            let next = u32::try_from(self.out.len() - last).unwrap_or(u32::MAX);
            self.out[last + NEXT_COMMAND..][..4].copy_from_slice(&next.to_le_bytes());
        }
        let start = self.out.len();
        self.last = Some(start);
        header.encode(self.out);
        request.encode(self.out);
        start
    }

    /// What was put together so far, without the prefix.
    pub(super) fn frame(&self) -> &[u8] {
        &self.out[PREFIX..]
    }

    /// Signs every request, or leaves them as they are, and sets the prefix.
    ///
    /// The error says why the frame cannot be sent.
    pub(super) fn finish(self, sign_with: Option<&Security>) -> Result<(), String> {
        if let Some(security) = sign_with {
            let messages = split_mut(&mut self.out[PREFIX..]).map_err(|error| error.to_string())?;
            messages
                .into_iter()
                .try_for_each(|message| security.sign(message))?;
        }
        set_prefix(self.out)
    }

    /// The frame so far, its prefix included, to be changed as a trace says.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Encrypts a frame that is signed already or not to be, if there is something to encrypt it with, and sets the
    /// prefix; the frame, to be changed further.
    pub(super) fn finish_edited(
        self,
        encrypt_with: Option<&mut Security>,
        session_id: u64,
    ) -> Result<&'a mut Vec<u8>, String> {
        if let Some(security) = encrypt_with {
            security.encrypt(session_id, self.out)?;
        }
        set_prefix(self.out)?;
        Ok(self.out)
    }

    /// Encrypts the frame as a whole and sets the prefix.
    ///
    /// The error says why the frame cannot be sent.
    pub(super) fn finish_encrypted(
        self,
        security: &mut Security,
        session_id: u64,
    ) -> Result<(), String> {
        security.encrypt(session_id, self.out)?;
        set_prefix(self.out)
    }
}

fn set_prefix(out: &mut [u8]) -> Result<(), String> {
    let (prefix, frame) = out.split_at_mut(PREFIX);
    let length = framing::prefix(frame.len()).map_err(|_| {
        format!(
            "a frame of {} bytes, at most {} can be sent",
            frame.len(),
            framing::MAX_FRAME
        )
    })?;
    prefix.copy_from_slice(&length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use smb_wire::{Command, split_compound};

    use super::*;

    #[test]
    fn requests_are_chained_and_aligned() {
        let mut out = vec![1, 2, 3];
        let mut composer = Composer::new(&mut out);
        for (id, length) in [(5, 1), (6, 8), (7, 3)] {
            let header = Header {
                message_id: id,
                ..Header::default()
            };
            let body = vec![id as u8; length];
            composer.request(
                &header,
                &Request::Other {
                    command: Command::ECHO,
                    body,
                },
            );
        }
        composer.finish(None).unwrap();
        assert_eq!(out[..4], [0, 0, 0, 72 + 72 + 67]);
        let found: Vec<_> = split_compound(&out[PREFIX..])
            .map(|message| {
                message.map(|(header, message)| (header.message_id, message.len(), message[64]))
            })
            .collect();
        assert_eq!(found, [Ok((5, 72, 5)), Ok((6, 72, 6)), Ok((7, 67, 7))]);
    }

    #[test]
    fn what_the_prefix_cannot_say_is_refused() {
        let mut out = Vec::new();
        let mut composer = Composer::new(&mut out);
        let body = vec![0; framing::MAX_FRAME];
        composer.request(
            &Header::default(),
            &Request::Other {
                command: Command::ECHO,
                body,
            },
        );
        assert!(composer.finish(None).unwrap_err().contains("at most"));
    }
}
