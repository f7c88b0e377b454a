//! Frames as a client might send them: what decodes must be encoded to something that decodes to the
//! same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smb_wire::messages::TransformHeader;
use smb_wire::{FrameKind, Request, framing, split_compound, split_mut};

fuzz_target!(|frame: &[u8]| {
    let _ = FrameKind::of(frame);
    let _ = TransformHeader::decode(frame);
    let _ = framing::next_frame(frame, framing::MAX_FRAME);
    let count = split_mut(&mut frame.to_vec()).map(|parts| parts.len());
    let mut parts = 0;
    for part in split_compound(frame) {
        let Ok((header, message)) = part else { break };
        parts += 1;
        let Ok(request) = Request::decode(message) else {
            continue;
        };
        let mut again = Vec::new();
        header.encode(&mut again);
        request.encode(&mut again);
        // Each field of a request can point to the same bytes, but none beyond the message.
        assert!(again.len() <= 4 * message.len() + 1024);
        assert_eq!(Request::decode(&again), Ok(request));
    }
    assert!(count.is_err() || count == Ok(parts));
});
