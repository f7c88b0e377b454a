//! A server's messages as answers: the fields that an expectation can name, in the words of the vocabulary.
//!
//! Every function fills in all fields that its message carries; which of them matter is for the trace to say. An answer
//! without a message of its own (an error, an interim answer) is [`status`].

mod breaks;
mod file;
mod info;
mod ioctl;
mod notify;
mod security;
mod session;

pub use breaks::{lease_acknowledged, oplock_acknowledged};
pub use file::{close, create, lease_break, oplock_break, read, read_data, write};
pub use info::{query_directory, query_fs, query_info, query_quota};
pub use ioctl::ioctl;
pub use notify::notify;
pub use security::{query_security, refused_query};
pub use session::{Connected, Stage, connect, echo, reauthenticate, tree_connect};

use crate::{time, words};
use replay_ir::{Answer, OwnedValue};
use smb_wire::{FileAttributes, Filetime, ntstatus};

/// An answer of a status alone.
pub fn status(status: u32) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

/// Collects the fields of a successful answer.
#[derive(Default)]
struct Fields(Vec<(&'static str, OwnedValue)>);

impl Fields {
    fn int(mut self, name: &'static str, value: u64) -> Self {
        self.0.push((name, OwnedValue::Int(value)));
        self
    }

    fn word(mut self, name: &'static str, word: &'static str) -> Self {
        self.0.push((name, OwnedValue::Word(word)));
        self
    }

    fn yes_no(self, name: &'static str, value: bool) -> Self {
        self.word(name, if value { "yes" } else { "no" })
    }

    fn token(mut self, name: &'static str, token: String) -> Self {
        self.0.push((name, OwnedValue::Token(token)));
        self
    }

    fn hex(self, name: &'static str, value: impl Into<u64>) -> Self {
        self.token(name, format!("{:#x}", value.into()))
    }

    fn text(mut self, name: &'static str, text: String) -> Self {
        self.0.push((name, OwnedValue::Text(text)));
        self
    }

    fn texts(mut self, name: &'static str, mut texts: Vec<String>) -> Self {
        texts.sort_unstable();
        self.0.push((
            name,
            OwnedValue::List(texts.into_iter().map(OwnedValue::Text).collect()),
        ));
        self
    }

    fn time(self, name: &'static str, time: Filetime) -> Self {
        self.token(name, time::write(time))
    }

    fn attributes(self, attributes: FileAttributes) -> Self {
        self.token("attributes", words::ATTRIBUTES.write(attributes))
    }

    /// CreationTime, LastAccessTime, LastWriteTime and ChangeTime.
    fn times(self, [created, accessed, written, changed]: [Filetime; 4]) -> Self {
        self.time("created", created)
            .time("accessed", accessed)
            .time("written", written)
            .time("changed", changed)
    }

    fn ok(self) -> Answer {
        self.with_status(ntstatus::SUCCESS)
    }

    fn with_status(self, status: u32) -> Answer {
        Answer {
            status,
            fields: self.0,
            data: None,
        }
    }
}
