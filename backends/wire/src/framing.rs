//! The length prefix before every frame on a TCP connection: four bytes, a zero and a 24-bit
//! big-endian length (MS-SMB2 2.1, the Direct TCP transport; RFC 1002 4.3.1 for NetBIOS session
//! messages on port 139).
//!
//! Works on buffers; reading and writing sockets is left to the caller.

use crate::Error;

/// The size of the prefix in bytes.
pub const PREFIX: usize = 4;

/// The largest frame that the prefix can announce, in bytes.
pub const MAX_FRAME: usize = 0x00FF_FFFF;

/// What the first bytes of a stream hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A frame, and how many bytes of the stream it took with its prefix.
    Frame {
        /// The frame without its prefix.
        frame: &'a [u8],
        /// The bytes to drop from the stream.
        consumed: usize,
    },
    /// A NetBIOS keep-alive (RFC 1002 4.3.7): nothing but these bytes to drop.
    KeepAlive {
        /// The bytes to drop from the stream.
        consumed: usize,
    },
    /// So many more bytes are needed to go on.
    Incomplete {
        /// At least one.
        need: usize,
    },
}

/// Takes the first frame off a stream, of at most `limit` bytes.
///
/// # Errors
///
/// A first byte that belongs to no session message or keep-alive, or a frame beyond the limit; the
/// stream cannot be read any further then.
pub fn next_frame(stream: &[u8], limit: usize) -> Result<Step<'_>, Error> {
    const WHAT: &str = "transport header";
    const SESSION_MESSAGE: u8 = 0x00;
    const KEEP_ALIVE: u8 = 0x85;
    let Some((prefix, rest)) = stream.split_first_chunk::<PREFIX>() else {
        return Ok(Step::Incomplete {
            need: PREFIX - stream.len(),
        });
    };
    let [kind, high, middle, low] = *prefix;
    let announced = u32::from_be_bytes([0, high, middle, low]);
    let length = usize::try_from(announced).unwrap_or(usize::MAX);
    if kind != SESSION_MESSAGE && kind != KEEP_ALIVE {
        return Err(Error::Invalid {
            what: WHAT,
            field: "type",
            value: kind.into(),
        });
    }
    if length > limit {
        return Err(Error::Invalid {
            what: WHAT,
            field: "length",
            value: announced.into(),
        });
    }
    let Some(frame) = rest.get(..length) else {
        return Ok(Step::Incomplete {
            need: length - rest.len(),
        });
    };
    let consumed = PREFIX + length;
    Ok(if kind == KEEP_ALIVE {
        Step::KeepAlive { consumed }
    } else {
        Step::Frame { frame, consumed }
    })
}

/// The prefix of a frame of `length` bytes.
///
/// # Errors
///
/// A length beyond [`MAX_FRAME`].
pub fn prefix(length: usize) -> Result<[u8; PREFIX], Error> {
    match u32::try_from(length) {
        Ok(value) if length <= MAX_FRAME => Ok(value.to_be_bytes()),
        _ => Err(Error::Invalid {
            what: "transport header",
            field: "length",
            value: u64::try_from(length).unwrap_or(u64::MAX),
        }),
    }
}

/// Appends a frame with its prefix.
///
/// # Errors
///
/// A frame beyond [`MAX_FRAME`]; nothing is appended then.
pub fn append_frame(out: &mut Vec<u8>, frame: &[u8]) -> Result<(), Error> {
    out.extend_from_slice(&prefix(frame.len())?);
    out.extend_from_slice(frame);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_each_other() {
        let mut stream = Vec::new();
        append_frame(&mut stream, b"first").unwrap();
        stream.extend_from_slice(&[0x85, 0, 0, 0]);
        append_frame(&mut stream, b"").unwrap();
        let step = next_frame(&stream, MAX_FRAME).unwrap();
        assert_eq!(
            step,
            Step::Frame {
                frame: b"first",
                consumed: 9
            }
        );
        let step = next_frame(&stream[9..], MAX_FRAME).unwrap();
        assert_eq!(step, Step::KeepAlive { consumed: 4 });
        let step = next_frame(&stream[13..], MAX_FRAME).unwrap();
        assert_eq!(
            step,
            Step::Frame {
                frame: b"",
                consumed: 4
            }
        );
    }

    #[test]
    fn a_part_tells_what_is_missing() {
        let mut stream = Vec::new();
        append_frame(&mut stream, &[7; 300]).unwrap();
        for (have, need) in [(0, 4), (1, 3), (4, 300), (5, 299), (303, 1)] {
            let step = next_frame(&stream[..have], MAX_FRAME).unwrap();
            assert_eq!(step, Step::Incomplete { need });
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let http = next_frame(b"HTTP/1.1", MAX_FRAME).unwrap_err();
        assert_eq!(http.to_string(), "transport header: type cannot be 0x48");
        let long = next_frame(&[0, 0xFF, 0xFF, 0xFF], 1 << 20).unwrap_err();
        assert_eq!(
            long.to_string(),
            "transport header: length cannot be 0xffffff"
        );
        assert!(prefix(MAX_FRAME).is_ok());
        assert!(append_frame(&mut Vec::new(), &vec![0; MAX_FRAME + 1]).is_err());
    }
}
