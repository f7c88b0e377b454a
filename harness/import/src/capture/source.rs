//! The bytes of a capture, decompressed where they are compressed.

use super::report::CaptureProblem;
use std::io::{self, BufReader, Read};

/// How much is read at once.
pub(super) const BUFFER: usize = 256 * 1024;

/// What zstd may ask for: a window of 128 MiB, its own limit for streams.
const LARGEST_WINDOW_LOG: u32 = 27;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A reader of the capture itself, told by the first bytes and not by a name.
pub(super) fn open<'a>(mut input: impl Read + 'a) -> Result<Box<dyn Read + 'a>, CaptureProblem> {
    let problem = |error: io::Error| CaptureProblem::unreadable(0, &error);
    let mut head = [0; 4];
    let mut have = 0;
    while have < head.len() {
        match input.read(&mut head[have..]) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(problem(error)),
        }
    }
    let whole = io::Cursor::new(head).take(have as u64).chain(input);
    if head[..have].starts_with(&GZIP) {
        let input = BufReader::with_capacity(BUFFER, whole);
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(input)));
    }
    if head[..have] == ZSTD {
        let mut decoder = zstd::Decoder::new(whole).map_err(problem)?;
        decoder
            .window_log_max(LARGEST_WINDOW_LOG)
            .map_err(problem)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(whole))
}
