//! Several messages in one frame: compounds (MS-SMB2 3.2.4.1.4, 3.3.4.1.3).
//!
//! A frame is what one length prefix of [`crate::framing`] covers. What its messages contain is
//! left to [`Request`] and [`Response`].

use crate::codec::Writer;
use crate::messages::{CompressionTransformHeader, TransformHeader};
use crate::{Error, Header, PROTOCOL_ID, Request, Response};

/// What a frame is, by its first four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// One or several SMB2 messages.
    Plain,
    /// An encrypted frame (MS-SMB2 2.2.41).
    Encrypted,
    /// A compressed frame (MS-SMB2 2.2.42).
    Compressed,
    /// A message of SMB1, with which a negotiation may begin (MS-SMB2 3.3.5.3).
    Smb1,
}

impl FrameKind {
    /// The kind of a frame; `None` if it is none of SMB.
    pub fn of(frame: &[u8]) -> Option<Self> {
        match *frame.first_chunk::<4>()? {
            PROTOCOL_ID => Some(Self::Plain),
            TransformHeader::PROTOCOL_ID => Some(Self::Encrypted),
            CompressionTransformHeader::PROTOCOL_ID => Some(Self::Compressed),
            [0xFF, b'S', b'M', b'B'] => Some(Self::Smb1),
            _ => None,
        }
    }
}

/// Builds a frame message by message: pads to 8 bytes and sets NextCommand.
#[derive(Debug, Default)]
pub struct FrameBuilder {
    frame: Vec<u8>,
    last: Option<usize>,
}

impl FrameBuilder {
    /// A builder of an empty frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a request. The command of the header is that of the request, its NextCommand is
    /// ignored.
    pub fn request(&mut self, header: &Header, request: &Request) -> &mut Self {
        let header = Header {
            command: request.command(),
            ..*header
        };
        self.message(&header, |out| request.encode(out))
    }

    /// Appends a response. The NextCommand of the header is ignored.
    pub fn response(&mut self, header: &Header, response: &Response) -> &mut Self {
        self.message(header, |out| response.encode(out))
    }

    fn message(&mut self, header: &Header, body: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        const NEXT_COMMAND: usize = 20;
        if let Some(last) = self.last {
            let padded = self.frame.len().next_multiple_of(8);
            self.frame.resize(padded, 0);
            Writer::resume(&mut self.frame, last).set_u32(NEXT_COMMAND, padded - last);
        }
        self.last = Some(self.frame.len());
        Header {
            next_command: 0,
            ..*header
        }
        .encode(&mut self.frame);
        body(&mut self.frame);
        self
    }

    /// The frame, without a length prefix. Its messages can be signed with [`split_mut`].
    pub fn finish(self) -> Vec<u8> {
        self.frame
    }
}

/// The frame of one request, see [`FrameBuilder::request`].
pub fn encode_request(header: &Header, request: &Request) -> Vec<u8> {
    let mut builder = FrameBuilder::new();
    builder.request(header, request);
    builder.finish()
}

/// The messages of a frame, each with its header and from its header to the next one's (padding
/// included, since a signature covers it). Ends after the first error.
pub fn split_compound(frame: &[u8]) -> SplitCompound<'_> {
    SplitCompound { rest: Some(frame) }
}

/// The iterator of [`split_compound`].
#[derive(Debug, Clone)]
pub struct SplitCompound<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for SplitCompound<'a> {
    type Item = Result<(Header, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        Some(message_length(rest).map(|(header, length)| {
            let (message, after) = rest.split_at(length);
            self.rest = (header.next_command != 0).then_some(after);
            (header, message)
        }))
    }
}

/// The messages of a frame for signing in place.
///
/// # Errors
///
/// Those of [`split_compound`].
pub fn split_mut(frame: &mut [u8]) -> Result<Vec<&mut [u8]>, Error> {
    let mut messages = Vec::new();
    let mut rest = frame;
    loop {
        let (header, length) = message_length(rest)?;
        let (message, after) = rest.split_at_mut(length);
        messages.push(message);
        if header.next_command == 0 {
            return Ok(messages);
        }
        rest = after;
    }
}

/// The header at the start of `rest` and the length of its message, which is at least that of the
/// header.
fn message_length(rest: &[u8]) -> Result<(Header, usize), Error> {
    const WHAT: &str = "compound";
    let header = Header::decode(rest)?;
    if header.next_command == 0 {
        return Ok((header, rest.len()));
    }
    let next = usize::try_from(header.next_command).unwrap_or(usize::MAX);
    if next < Header::SIZE {
        let value = header.next_command.into();
        return Err(Error::Invalid {
            what: WHAT,
            field: "NextCommand",
            value,
        });
    }
    if next > rest.len() {
        let (offset, length) = (next, Header::SIZE);
        return Err(Error::OutOfRange {
            what: WHAT,
            offset,
            length,
            have: rest.len(),
        });
    }
    Ok((header, next))
}
