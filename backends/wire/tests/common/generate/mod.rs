//! Messages and structures made of random bytes: one of every kind from one pool, so that a single
//! property covers them all and shrinking the pool shrinks them all.

mod contexts;
mod requests;
mod responses;
mod structures;

pub use requests::requests;
pub use responses::responses;
pub use structures::{all, basic, entry, standard};

use smb_wire::*;

/// Takes values off random bytes; zeros when they are used up.
pub struct Pool<'a>(pub &'a [u8]);

impl Pool<'_> {
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let count = self.0.len().min(N);
        bytes[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        bytes
    }

    pub fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub fn bool(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    pub fn bytes(&mut self, most: u8) -> Vec<u8> {
        let length = self.u8() % (most + 1);
        (0..length).map(|_| self.u8()).collect()
    }

    pub fn some_bytes(&mut self) -> Vec<u8> {
        let mut bytes = self.bytes(20);
        bytes.push(self.u8());
        bytes
    }

    /// Any bytes, of even or odd length.
    pub fn name(&mut self) -> UnicodeString {
        UnicodeString::from_bytes(self.bytes(30))
    }

    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.u8() % 4;
        (0..count).map(|_| item(self)).collect()
    }

    pub fn guid(&mut self) -> Guid {
        Guid(self.array())
    }

    pub fn time(&mut self) -> Filetime {
        Filetime(self.u64())
    }

    pub fn file_id(&mut self) -> FileId {
        FileId {
            persistent: self.u64(),
            volatile: self.u64(),
        }
    }

    pub fn access(&mut self) -> AccessMask {
        AccessMask::from_bits_retain(self.u32())
    }

    pub fn attributes(&mut self) -> FileAttributes {
        FileAttributes::from_bits_retain(self.u32())
    }
}

/// A header of either form; its command and NextCommand are for others to set.
pub fn header(p: &mut Pool<'_>) -> Header {
    let form = if p.bool() {
        HeaderForm::Async { async_id: p.u64() }
    } else {
        HeaderForm::Sync {
            reserved: p.u32(),
            tree_id: p.u32(),
        }
    };
    let mut flags = Flags::from_bits_retain(p.u32());
    flags.set(
        Flags::ASYNC_COMMAND,
        matches!(form, HeaderForm::Async { .. }),
    );
    Header {
        credit_charge: p.u16(),
        status: p.u32(),
        command: Command(p.u16()),
        credits: p.u16(),
        flags,
        next_command: 0,
        message_id: p.u64(),
        form,
        session_id: p.u64(),
        signature: p.array(),
    }
}
