//! Writes the recorded frames as a corpus to start from: `corpus/requests` and `corpus/responses`, a
//! file a frame, and the buffers of responses as files of their own.

use std::path::Path;

use smb_wire::{Response, split_compound};

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("../tests/data/messages.txt"))?;
    for (number, line) in text.lines().enumerate() {
        let (folder, digits) = match line.split_once(' ') {
            Some(("C", digits)) => ("requests", digits),
            Some(("S", digits)) => ("responses", digits),
            _ => continue,
        };
        let folder = root.join("corpus").join(folder);
        std::fs::create_dir_all(&folder)?;
        let frame = unhex(digits);
        for (part, message) in split_compound(&frame).flatten().enumerate() {
            let buffer = match Response::decode(message.1) {
                Ok(Response::QueryDirectory(response)) => response.buffer,
                Ok(Response::QueryInfo(response)) => response.buffer,
                Ok(Response::ChangeNotify(response)) => response.buffer,
                _ => continue,
            };
            std::fs::write(folder.join(format!("buffer-{number}-{part}")), buffer)?;
        }
        std::fs::write(folder.join(format!("frame-{number}")), frame)?;
    }
    Ok(())
}

fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
