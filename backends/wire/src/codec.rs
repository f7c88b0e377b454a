//! Cursors for little-endian structures: [`Reader`] checks every bound, [`Writer`] keeps the
//! offsets.
//!
//! Neither knows a message; nothing here allocates according to a length that was received.

use crate::{Error, FileId, Filetime, Guid};

/// The size of the SMB2 header, and with it the offset of every body in its message.
pub(crate) const BODY: usize = 64;

/// Reads forward through a structure.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `data`; `what` names the structure in errors.
    pub(crate) fn new(what: &'static str, data: &'a [u8]) -> Self {
        Self { what, data, at: 0 }
    }

    /// A reader behind the StructureSize of the body of `message`, which must be `size`.
    pub(crate) fn body(what: &'static str, message: &'a [u8], size: u16) -> Result<Self, Error> {
        let mut reader = Self::new(what, message);
        reader.skip(BODY)?;
        let found = reader.u16()?;
        if found != size {
            return Err(Error::StructureSize {
                what,
                expected: size,
                found,
            });
        }
        Ok(reader)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let left = self.data.get(self.at..).unwrap_or_default();
        let taken = left.get(..count).ok_or(Error::Truncated {
            what: self.what,
            at: self.at,
            need: count,
            have: left.len(),
        })?;
        self.at += count;
        Ok(taken)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Error> {
        self.take(count).map(|_| ())
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn guid(&mut self) -> Result<Guid, Error> {
        self.array().map(Guid)
    }

    pub(crate) fn filetime(&mut self) -> Result<Filetime, Error> {
        self.u64().map(Filetime)
    }

    pub(crate) fn file_id(&mut self) -> Result<FileId, Error> {
        Ok(FileId {
            persistent: self.u64()?,
            volatile: self.u64()?,
        })
    }

    /// A 16-bit length, for what follows it directly.
    pub(crate) fn len16(&mut self) -> Result<usize, Error> {
        self.u16().map(usize::from)
    }

    /// A 32-bit offset or length. On the smallest platforms an impossible one saturates and is then
    /// out of range.
    pub(crate) fn len32(&mut self) -> Result<usize, Error> {
        self.u32()
            .map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    }

    /// `length` bytes at `offset` from the start; an empty range may lie anywhere, since senders
    /// leave the offset of what is absent at will.
    pub(crate) fn range(&self, offset: usize, length: usize) -> Result<&'a [u8], Error> {
        if length == 0 {
            return Ok(&[]);
        }
        offset
            .checked_add(length)
            .and_then(|end| self.data.get(offset..end))
            .ok_or(Error::OutOfRange {
                what: self.what,
                offset,
                length,
                have: self.data.len(),
            })
    }

    /// Where the next read begins.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// All that is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }
}

/// Appends a structure to a buffer and knows the offset within it.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    base: usize,
}

impl<'a> Writer<'a> {
    /// A writer of a structure that begins at the end of `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self {
            out,
            start,
            base: 0,
        }
    }

    /// A writer of a structure that began at `start` of `out`.
    pub(crate) fn resume(out: &'a mut Vec<u8>, start: usize) -> Self {
        Self {
            out,
            start,
            base: 0,
        }
    }

    /// A writer of a message body of this StructureSize; offsets count from the header before it.
    pub(crate) fn body(out: &'a mut Vec<u8>, structure_size: u16) -> Self {
        let mut writer = Self {
            base: BODY,
            ..Self::new(out)
        };
        writer.u16(structure_size);
        writer
    }

    /// The offset of the next byte.
    pub(crate) fn offset(&self) -> usize {
        self.base + self.out.len() - self.start
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, 0);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn guid(&mut self, value: Guid) {
        self.bytes(&value.0);
    }

    pub(crate) fn filetime(&mut self, value: Filetime) {
        self.u64(value.0);
    }

    pub(crate) fn file_id(&mut self, value: FileId) {
        self.u64(value.persistent);
        self.u64(value.volatile);
    }

    /// A length or offset; one beyond 16 bits is written as the largest, see the crate's
    /// documentation.
    pub(crate) fn len16(&mut self, value: usize) {
        self.u16(u16::try_from(value).unwrap_or(u16::MAX));
    }

    /// A length or offset; one beyond 32 bits is written as the largest.
    pub(crate) fn len32(&mut self, value: usize) {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX));
    }

    /// Zeros up to the next offset that `alignment` divides.
    pub(crate) fn align(&mut self, alignment: usize) {
        self.zeros(self.offset().next_multiple_of(alignment) - self.offset());
    }

    /// Overwrites the 16 bits at `offset` with a length.
    pub(crate) fn set_u16(&mut self, offset: usize, value: usize) {
        let value = u16::try_from(value).unwrap_or(u16::MAX);
        let at = self.start + offset - self.base;
        self.out[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// Overwrites the 32 bits at `offset` with a length.
    pub(crate) fn set_u32(&mut self, offset: usize, value: usize) {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        let at = self.start + offset - self.base;
        self.out[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}
