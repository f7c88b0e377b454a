//! What files hold, as far as the capture shows: which write gave which bytes. Bytes themselves are not kept.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The fill of this number; 0 is zeros.
    Fill(u64),
    /// What the file held before the first step.
    Given,
    /// Bytes that no fill says, for instance a copy that lies elsewhere than its source.
    Unknown,
}

/// Gives every content a fill: the same bytes have the same one, zeros have 0.
#[derive(Debug, Default)]
pub(super) struct Fills {
    known: HashMap<u64, u64>,
}

impl Fills {
    /// The fill of these bytes. A byte repeated has the same one whatever the length, so that neighbours make one
    /// stretch.
    pub(super) fn of(&mut self, bytes: &[u8]) -> u64 {
        let Some((&first, rest)) = bytes.split_first() else {
            return 0;
        };
        let mut hasher = DefaultHasher::new();
        if rest.iter().all(|&byte| byte == first) {
            if first == 0 {
                return 0;
            }
            first.hash(&mut hasher);
        } else {
            bytes.hash(&mut hasher);
        }
        let next = self.known.len() as u64 + 1;
        *self.known.entry(hasher.finish()).or_insert(next)
    }

    /// A fill that no content has.
    pub(super) fn fresh(&mut self) -> u64 {
        let next = self.known.len() as u64 + 1;
        let mut hasher = DefaultHasher::new();
        ("fresh", next).hash(&mut hasher);
        self.known.insert(hasher.finish(), next);
        next
    }
}

/// The content of a file.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Stretches by their beginning: the end, and the source.
    stretches: BTreeMap<u64, (u64, Source)>,
    size: u64,
}

impl Content {
    /// Of a file that existed before the first step.
    pub(super) fn given(size: u64) -> Self {
        let mut content = Self::default();
        content.write(0, size, Source::Given);
        content
    }

    /// The size as it is known.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// A write, or anything else that puts bytes there.
    pub(super) fn write(&mut self, offset: u64, length: u64, source: Source) {
        let Some(end) = offset.checked_add(length).filter(|_| length > 0) else {
            return;
        };
        if offset > self.size {
            self.put(self.size, offset, Source::Fill(0));
        }
        self.put(offset, end, source);
        self.size = self.size.max(end);
    }

    /// A change of the size.
    pub(super) fn resize(&mut self, size: u64) {
        if size > self.size {
            self.put(self.size, size, Source::Fill(0));
        } else {
            self.cut(size, u64::MAX);
        }
        self.size = size;
    }

    /// What a read of this stretch gives, if it all comes from one source.
    pub(super) fn read(&self, offset: u64, length: u64) -> Option<Source> {
        let end = offset.checked_add(length).filter(|_| length > 0)?;
        let (_, &(mut covered, source)) = self.stretches.range(..=offset).next_back()?;
        if covered <= offset {
            return None;
        }
        for (&start, &(stop, other)) in self.stretches.range(offset + 1..) {
            if covered >= end || start != covered || other != source {
                break;
            }
            covered = stop;
        }
        (covered >= end && source != Source::Unknown).then_some(source)
    }

    /// What is known of a stretch, piece by piece: beginning, end, source.
    pub(super) fn pieces(&self, offset: u64, length: u64) -> Vec<(u64, u64, Source)> {
        let end = offset.saturating_add(length).min(self.size);
        let first = self.stretches.range(..=offset).next_back();
        let first = first.map_or(offset, |(&start, _)| start);
        let pieces = self.stretches.range(first..end.max(first));
        let cut =
            pieces.map(|(&start, &(stop, source))| (start.max(offset), stop.min(end), source));
        cut.filter(|(start, stop, _)| start < stop).collect()
    }

    /// A copy of pieces of a file, `from` there and `to` here. A fill depends on its place, so that one that has moved
    /// is not known any more; zeros are.
    pub(super) fn copy(&mut self, pieces: &[(u64, u64, Source)], from: u64, to: u64, same: bool) {
        for &(start, end, source) in pieces {
            let source = match source {
                Source::Fill(0) => source,
                Source::Fill(_) if from == to => source,
                Source::Given if from == to && same => source,
                _ => Source::Unknown,
            };
            if let Some(at) = (start - from).checked_add(to) {
                self.write(at, end - start, source);
            }
        }
    }

    /// Zeros that a control code has put there; the size stays (MS-FSCC 2.3.85).
    pub(super) fn zero(&mut self, offset: u64, end: u64) {
        let end = end.min(self.size);
        if offset < end {
            self.put(offset, end, Source::Fill(0));
        }
    }

    fn put(&mut self, start: u64, end: u64, source: Source) {
        self.cut(start, end);
        self.stretches.insert(start, (end, source));
    }

    /// Removes what is known of a stretch.
    fn cut(&mut self, start: u64, end: u64) {
        if let Some((&first, &(stop, source))) = self.stretches.range(..start).next_back()
            && stop > start
        {
            self.stretches.insert(first, (start, source));
            if stop > end {
                self.stretches.insert(end, (stop, source));
            }
        }
        while let Some((&first, &(stop, source))) = self.stretches.range(start..end).next() {
            self.stretches.remove(&first);
            if stop > end {
                self.stretches.insert(end, (stop, source));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Beside a file whose bytes are the sources themselves.
        #[test]
        fn a_read_gives_what_was_written(
            operations in prop::collection::vec((0_u8..3, 0_u64..120, 0_u64..60, 1_u64..4), 1..40),
        ) {
            let (mut content, mut file) = (Content::given(40), vec![99_u64; 40]);
            for (kind, offset, length, fill) in operations {
                match kind {
                    0 => {
                        content.write(offset, length, Source::Fill(fill));
                        let end = (offset + length) as usize;
                        if length > 0 && end > file.len() {
                            file.resize(end, 0);
                        }
                        if length > 0 {
                            file[offset as usize..end].fill(fill);
                        }
                    }
                    1 => {
                        content.resize(offset);
                        file.resize(offset as usize, 0);
                    }
                    _ => {
                        let end = ((offset + length) as usize).min(file.len());
                        let part = file.get(offset as usize..end).unwrap_or_default();
                        let expected = match part.first() {
                            Some(&first) if part.iter().all(|&other| other == first) => Some(first),
                            _ => None,
                        };
                        let found = content.read(offset, part.len() as u64).map(|source| match source {
                            Source::Fill(fill) => fill,
                            Source::Given => 99,
                            Source::Unknown => 98,
                        });
                        prop_assert_eq!(found, expected);
                    }
                }
                prop_assert_eq!(content.size(), file.len() as u64);
            }
        }
    }

    #[test]
    fn a_copy_is_known_where_it_lies_as_its_source() {
        let mut source = Content::default();
        source.write(0, 10, Source::Fill(7));
        source.resize(20);
        let mut target = Content::default();
        target.copy(&source.pieces(0, 20), 0, 0, false);
        assert_eq!(
            (target.size(), target.read(0, 10)),
            (20, Some(Source::Fill(7)))
        );
        target.copy(&source.pieces(0, 20), 0, 5, false);
        assert_eq!(
            (target.read(5, 10), target.read(15, 10)),
            (None, Some(Source::Fill(0)))
        );
        target.zero(2, 100);
        assert_eq!(
            (target.size(), target.read(2, 23)),
            (25, Some(Source::Fill(0)))
        );
    }

    #[test]
    fn the_same_bytes_have_the_same_fill() {
        let mut fills = Fills::default();
        assert_eq!(fills.of(&[0; 9]), 0);
        let (a, b) = (fills.of(b"text"), fills.of(b"other"));
        assert_eq!((fills.of(b"text"), fills.of(b"other")), (a, b));
        assert_eq!(fills.of(b"xx"), fills.of(b"xxxx"));
        assert!(![a, b, fills.of(b"x")].contains(&fills.fresh()));
    }
}
