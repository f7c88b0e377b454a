//! Lines of a stream, with bounds on their length and on all of them.

use std::io::{ErrorKind, Read};

use crate::error::Problem;

/// How much is read at once, in bytes.
const PIECE: usize = 256 << 10;

/// Cuts a stream into lines.
pub(crate) struct LineReader<R> {
    input: R,
    compressed: bool,
    longest: usize,
    /// How many more bytes may be read.
    left: u64,
    total: u64,
    buffer: Vec<u8>,
    /// What of `buffer` is read and not yet given out.
    start: usize,
    end: usize,
    ended: bool,
}

/// What comes next.
pub(crate) enum Next<'l> {
    /// A line without its line break.
    Line(&'l [u8]),
    /// A line that was too long and is passed over.
    TooLong,
    /// Nothing.
    End,
    /// The stream cannot be read any further.
    Failed(Problem),
}

impl<R: Read> LineReader<R> {
    /// Reads the first piece, so that [`LineReader::first_byte`] can look at it. A byte order mark is passed over.
    pub(crate) fn new(
        input: R,
        compressed: bool,
        longest: usize,
        total: u64,
    ) -> Result<Self, Problem> {
        let buffer = vec![0; PIECE];
        let mut reader = LineReader {
            input,
            compressed,
            longest,
            left: total,
            total,
            buffer,
            start: 0,
            end: 0,
            ended: false,
        };
        while reader.end < 3 && !reader.ended {
            reader.fill()?;
        }
        if reader.buffer[..reader.end].starts_with(b"\xef\xbb\xbf") {
            reader.start = 3;
        }
        Ok(reader)
    }

    /// The first byte that is no blank, as far as one is in the first piece.
    pub(crate) fn first_byte(&self) -> Option<u8> {
        let read = &self.buffer[self.start..self.end];
        read.iter()
            .copied()
            .find(|byte| !byte.is_ascii_whitespace())
    }

    pub(crate) fn next(&mut self) -> Next<'_> {
        let mut searched = 0;
        let mut too_long = false;
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[self.start + searched..self.end]);
            if let Some(at) = found {
                let (start, end) = (self.start, self.start + searched + at);
                self.start = end + 1;
                return self.line(start, end, too_long);
            }
            searched = self.end - self.start;
            if searched > self.longest {
                too_long = true;
                self.start = self.end;
                searched = 0;
            }
            if self.ended {
                let (start, end) = (self.start, self.end);
                self.start = end;
                return match (start == end, too_long) {
                    (true, false) => Next::End,
                    _ => self.line(start, end, too_long),
                };
            }
            if let Err(problem) = self.fill() {
                self.ended = true;
                self.start = self.end;
                return Next::Failed(problem);
            }
        }
    }

    fn line(&self, start: usize, end: usize, too_long: bool) -> Next<'_> {
        if too_long || end - start > self.longest {
            return Next::TooLong;
        }
        let line = &self.buffer[start..end];
        Next::Line(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Reads one piece more behind what is not yet given out.
    fn fill(&mut self) -> Result<(), Problem> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + PIECE {
            self.buffer
                .resize((self.end + PIECE).next_power_of_two(), 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.end += count;
                    self.left = self
                        .left
                        .checked_sub(count as u64)
                        .ok_or(Problem::TooLarge {
                            limit: self.total,
                            unit: "bytes",
                        })?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if self.compressed => return Err(Problem::Damaged(error.to_string())),
                Err(error) => return Err(Problem::Unreadable(error.to_string())),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out a few bytes at a time.
    struct Trickle<'b>(&'b [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn lines(bytes: &[u8], step: usize, longest: usize) -> Vec<Option<Vec<u8>>> {
        let mut reader = LineReader::new(Trickle(bytes, step), false, longest, 1000).unwrap();
        let mut lines = Vec::new();
        loop {
            match reader.next() {
                Next::Line(line) => lines.push(Some(line.to_vec())),
                Next::TooLong => lines.push(None),
                Next::End => return lines,
                Next::Failed(problem) => panic!("{problem}"),
            }
        }
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        for step in 1..20 {
            let line = |text: &str| Some(text.as_bytes().to_vec());
            let found = lines(b"\xef\xbb\xbfab\r\n\n0123456789\ncd", step, 5);
            assert_eq!(found, [line("ab"), line(""), None, line("cd")], "{step}");
            assert_eq!(lines(b"0123456789", step, 5), [None], "{step}");
            assert_eq!(lines(b"a\n", step, 5), [line("a")], "{step}");
            assert_eq!(lines(b"", step, 5), []);
        }
    }

    #[test]
    fn the_whole_is_bounded() {
        let mut reader = LineReader::new(Trickle(&[b'\n'; 100], 10), false, 5, 50).unwrap();
        let mut count = 0;
        let problem = loop {
            match reader.next() {
                Next::Line(_) => count += 1,
                Next::Failed(problem) => break problem,
                Next::TooLong | Next::End => panic!("the bound was passed"),
            }
        };
        assert_eq!(
            (count, problem),
            (
                50,
                Problem::TooLarge {
                    limit: 50,
                    unit: "bytes"
                }
            )
        );
        assert!(matches!(reader.next(), Next::End));
    }
}
