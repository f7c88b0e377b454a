//! The framing of direct TCP (MS-SMB2 2.1): four bytes of length before each message. Takes frames out of what a
//! socket gives and bounds them; what is in a frame is not looked at.
//!
//! A connection that waits holds no buffer: bytes are read into one that all connections of a thread share, and only
//! the beginning of a frame that has not come completely is kept by the connection itself.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use smb_wire::Error;
use smb_wire::framing::{self, Step};
use tokio::io::{AsyncRead, ReadBuf};

/// The longest frame that is accepted, in bytes: the largest read that servers grant (8 MiB) and room around it.
pub(super) const MAX_FRAME: usize = (8 << 20) + (64 << 10);

/// What is read at once.
const READ: usize = 64 << 10;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// The beginning of a frame that has not come completely.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    partial: Vec<u8>,
}

impl Inbox {
    /// Reads once and hands each frame that is complete to `take`, in order. `Ok(0)`: the stream has ended.
    ///
    /// `take` returns false to stop; the rest of the bytes is then dropped.
    pub(super) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        reader: &mut R,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(reader).poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {
                    let read = buffer.filled();
                    match self.split(read, take) {
                        Ok(()) => Poll::Ready(Ok(read.len())),
                        Err(error) => {
                            Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)))
                        }
                    }
                }
            }
        })
    }

    /// True in the middle of a frame.
    pub(super) fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    fn split(&mut self, mut read: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Error> {
        // Complete the frame that has begun, first its prefix and then its body.
        while !self.partial.is_empty() && !read.is_empty() {
            let more = match framing::next_frame(&self.partial, MAX_FRAME)? {
                Step::Incomplete { need } => need.min(read.len()),
                Step::KeepAlive { .. } | Step::Frame { .. } => 0,
            };
            let (now, later) = read.split_at(more);
            self.partial.extend_from_slice(now);
            read = later;
            match framing::next_frame(&self.partial, MAX_FRAME)? {
                Step::Incomplete { .. } => {}
                Step::KeepAlive { .. } => self.partial = Vec::new(),
                Step::Frame { frame, .. } => {
                    let go_on = take(frame);
                    self.partial = Vec::new();
                    if !go_on {
                        return Ok(());
                    }
                }
            }
        }
        loop {
            match framing::next_frame(read, MAX_FRAME)? {
                Step::Incomplete { .. } => break,
                Step::KeepAlive { consumed } => read = &read[consumed..],
                Step::Frame { frame, consumed } => {
                    if !take(frame) {
                        return Ok(());
                    }
                    read = &read[consumed..];
                }
            }
        }
        // `Vec` doubles as bytes arrive: a length that is announced alone costs no memory.
        self.partial.extend_from_slice(read);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these lengths, with their number as content.
    fn stream(lengths: &[usize]) -> Vec<u8> {
        let mut stream = Vec::new();
        for (index, length) in lengths.iter().enumerate() {
            framing::append_frame(&mut stream, &vec![index as u8; *length]).unwrap();
        }
        stream
    }

    fn lengths_of(stream: &[u8], chunk: usize) -> (Vec<usize>, Inbox) {
        let mut inbox = Inbox::default();
        let mut found = Vec::new();
        for part in stream.chunks(chunk) {
            inbox
                .split(part, &mut |frame| {
                    assert!(frame.iter().all(|byte| *byte == found.len() as u8));
                    found.push(frame.len());
                    true
                })
                .unwrap();
        }
        (found, inbox)
    }

    #[test]
    fn frames_come_out_however_the_stream_is_cut() {
        let lengths = [64, 1, 0, 70_000, 3, 4, 5, 0];
        let stream = stream(&lengths);
        for chunk in [1, 2, 3, 5, 7, 64, 1000, READ, stream.len()] {
            let (found, inbox) = lengths_of(&stream, chunk);
            assert_eq!(found, lengths, "in chunks of {chunk}");
            assert!(!inbox.is_partial());
            assert_eq!(inbox.partial.capacity(), 0, "no buffer is kept");
        }
    }

    #[test]
    fn a_frame_that_is_cut_is_known_as_such() {
        let stream = stream(&[10, 10]);
        let (found, inbox) = lengths_of(&stream[..20], 100);
        assert_eq!(found, [10]);
        assert!(inbox.is_partial());
    }

    #[test]
    fn what_is_no_frame_is_refused_at_once() {
        for stream in [&[0, 0xff, 0xff, 0xff][..], b"HTTP/1.1 400"] {
            for chunk in [1, 4] {
                let mut inbox = Inbox::default();
                let results: Vec<_> = stream
                    .chunks(chunk)
                    .map(|part| inbox.split(part, &mut |_| true))
                    .collect();
                assert!(results.contains(&Ok(())) || chunk == 4);
                assert!(
                    results[..4 / chunk].iter().any(Result::is_err),
                    "{stream:?} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn keep_alives_are_dropped() {
        for chunk in [1, 3, 100] {
            let mut stream = stream(&[3]);
            stream.splice(0..0, [0x85, 0, 0, 0]);
            let (found, inbox) = lengths_of(&stream, chunk);
            assert_eq!(found, [3]);
            assert!(!inbox.is_partial());
        }
    }

    #[test]
    fn taking_stops_when_told_so() {
        let stream = stream(&[1, 2, 3]);
        let mut taken = 0;
        Inbox::default()
            .split(&stream, &mut |_| {
                taken += 1;
                taken < 2
            })
            .unwrap();
        assert_eq!(taken, 2);
    }
}
