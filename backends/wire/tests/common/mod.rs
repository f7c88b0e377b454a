//! What several tests share: hexadecimal, recordings, and values made of random bytes.

#![allow(dead_code, unused_imports, reason = "no test uses all of it")]
#![allow(
    unreachable_pub,
    reason = "a module of tests has no other crate to be seen from"
)]

pub mod generate;

use std::path::Path;

/// The bytes of hexadecimal digits.
pub fn unhex(digits: &str) -> Vec<u8> {
    smb_wire::hex::decode(digits).expect("hexadecimal digits")
}

/// A file of `tests/data`.
#[derive(Debug, Default)]
pub struct Recording {
    /// Lines like `dialect 3.1.1` before the frames.
    pub facts: Vec<(String, String)>,
    pub frames: Vec<Frame>,
}

/// One frame without its length prefix.
#[derive(Debug)]
pub struct Frame {
    pub from_server: bool,
    pub bytes: Vec<u8>,
    /// Its line in the file.
    pub line: usize,
}

impl Recording {
    pub fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name);
        let text = std::fs::read_to_string(&path).expect("a recording");
        let mut recording = Self::default();
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with('#'))
        {
            let (key, value) = line.split_once(' ').expect("a key and a value");
            match key {
                "C" | "S" => recording.frames.push(Frame {
                    from_server: key == "S",
                    bytes: unhex(value),
                    line: index + 1,
                }),
                _ => recording.facts.push((key.to_owned(), value.to_owned())),
            }
        }
        recording
    }

    pub fn fact(&self, key: &str) -> &str {
        let found = self.facts.iter().find(|(name, _)| name == key);
        &found.expect("a fact of the recording").1
    }
}
