//! Lists whose items begin with the 32-bit offset of the next one, 0 in the last: create contexts
//! (MS-SMB2 2.2.13.2) and most lists of MS-FSCC.

use crate::Error;
use crate::codec::{Reader, Writer};

/// Goes through a list.
///
/// An item ends where the next one begins, so that what is read of all items together is never more
/// than the list. An offset below `fixed`, the size of the fixed part of an item, is an error.
#[derive(Debug, Clone)]
pub(crate) struct Chain<'a> {
    what: &'static str,
    fixed: usize,
    rest: Option<&'a [u8]>,
}

impl<'a> Chain<'a> {
    pub(crate) fn new(what: &'static str, fixed: usize, data: &'a [u8]) -> Self {
        Self {
            what,
            fixed,
            rest: (!data.is_empty()).then_some(data),
        }
    }

    fn item(&mut self, data: &'a [u8]) -> Result<Reader<'a>, Error> {
        let (what, next) = (self.what, Reader::new(self.what, data).len32()?);
        let mut item = data;
        if next != 0 {
            if next < self.fixed {
                let value = u64::try_from(next).unwrap_or(u64::MAX);
                return Err(Error::Invalid {
                    what,
                    field: "the offset of the next item",
                    value,
                });
            }
            let (offset, length, have) = (next, self.fixed, data.len());
            let outside = Error::OutOfRange {
                what,
                offset,
                length,
                have,
            };
            let (before, after) = data.split_at_checked(next).ok_or(outside)?;
            (item, self.rest) = (before, Some(after));
        }
        let mut reader = Reader::new(what, item);
        reader.skip(4)?;
        Ok(reader)
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = Result<Reader<'a>, Error>;

    /// The next item, read up to behind its offset. Ends after the first error.
    fn next(&mut self) -> Option<Self::Item> {
        let data = self.rest.take()?;
        Some(self.item(data))
    }
}

/// Appends items that [`Chain`] reads, each aligned to `alignment` bytes. `encode` goes on behind
/// the offset of the next item.
pub(crate) fn encode_chain<T>(
    items: &[T],
    alignment: usize,
    writer: &mut Writer<'_>,
    mut encode: impl FnMut(&T, &mut Writer<'_>),
) {
    for (index, item) in items.iter().enumerate() {
        let start = writer.offset();
        writer.u32(0);
        encode(item, writer);
        if index + 1 < items.len() {
            writer.align(alignment);
            let next = writer.offset() - start;
            writer.set_u32(start, next);
        }
    }
}
