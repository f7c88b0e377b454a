//! What the fuzz targets and the program that makes their first inputs have in common.

use replay_import::capture::Direction;

/// A frame of an input of the target `messages`, and the connection that it is on.
pub type Message = (u8, Direction, Vec<u8>);

/// How many connections an input can have.
pub const CONNECTIONS: u8 = 4;

const TO_CLIENT: u8 = 1;

/// Takes an input apart: a byte with the direction (bit 0) and the connection (the bits above), the frame's length
/// (2 bytes, little-endian), the frame. Every input means something.
pub fn messages(mut input: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let [kind, low, high, rest @ ..] = input {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (frame, after) = rest.split_at(length);
        let direction = match kind & TO_CLIENT {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        messages.push(((kind >> 1) % CONNECTIONS, direction, frame.to_vec()));
        input = after;
    }
    messages
}

/// Adds a frame to an input; `false` if it is too long for one.
pub fn add(input: &mut Vec<u8>, connection: u8, direction: Direction, frame: &[u8]) -> bool {
    let Ok(length) = u16::try_from(frame.len()) else {
        return false;
    };
    let to_client = match direction {
        Direction::ToServer => 0,
        Direction::ToClient => TO_CLIENT,
    };
    input.push((connection % CONNECTIONS) << 1 | to_client);
    input.extend(length.to_le_bytes());
    input.extend(frame);
    true
}
