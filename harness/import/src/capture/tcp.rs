//! One direction of a TCP connection: its bytes in order, from segments in any order.
//!
//! What comes out is the stream as it was sent, with every byte that the capture does not have reported as a gap. A gap
//! is believed in when the receiver has acknowledged what is missing and more has come since, when too much waits for
//! it, or at the end; until then a missing segment may still come.

use super::report::{CaptureReport, Noted};
use std::collections::BTreeMap;

/// What a segment in waiting costs beside its bytes.
const OVERHEAD: usize = 96;

/// How many segments behind an acknowledged hole prove it, and how long one may stay open, in nanoseconds.
const SEGMENTS_BEHIND: u32 = 3;
const LONGEST_DOUBT: u64 = 100_000_000;

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Data(&'a [u8]),
    /// So many bytes are missing.
    Gap(u64),
}

/// The state of a direction. Positions count its bytes from where the capture has it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The sequence number of the byte at `position`; `None` before the first segment.
    sequence: Option<u32>,
    position: u64,
    /// Bytes behind a hole, by position; they do not overlap.
    waiting: BTreeMap<u64, Vec<u8>>,
    /// What `waiting` costs.
    held: usize,
    /// How far the receiver has acknowledged.
    acknowledged: u64,
    /// Where the stream ends, once that is known.
    end: Option<u64>,
    /// When the hole was first seen acknowledged, and segments since.
    doubt: Option<(u64, u32)>,
}

impl Stream {
    /// Whether a segment has been seen.
    pub(super) fn has_begun(&self) -> bool {
        self.sequence.is_some()
    }

    /// The next byte will be the one with this sequence number.
    pub(super) fn begin(&mut self, sequence: u32) {
        self.sequence = Some(sequence);
    }

    /// Bytes that wait for earlier ones, with what they cost to keep.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Takes a segment with `payload`, of which `missing` more bytes were sent, seen at `time`.
    pub(super) fn segment(
        &mut self,
        (sequence, payload, missing): (u32, &[u8], usize),
        time: u64,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        let Some(at) = self.place(sequence) else {
            // Before the beginning of what is known of this stream.
            report.note_many(Noted::Retransmitted, payload.len() as u64);
            return;
        };
        let (at, fresh) = match at.checked_sub(self.position) {
            Some(_) => (at, payload),
            None => {
                let known = usize::try_from(self.position - at).unwrap_or(usize::MAX);
                let known = known.min(payload.len());
                report.note_many(Noted::Retransmitted, known as u64);
                if known == payload.len() && missing == 0 {
                    return;
                }
                (at + known as u64, &payload[known..])
            }
        };
        if at > self.position {
            if !fresh.is_empty() {
                report.note(Noted::OutOfOrder);
                self.keep(at, fresh, report);
            }
        } else if at == self.position && self.waiting.is_empty() {
            self.deliver(fresh, report, out);
            self.lose(missing as u64, report, out);
        } else if at == self.position {
            self.keep(at, fresh, report);
            self.drain(report, out);
            if missing > 0 && self.position == at + fresh.len() as u64 {
                let known = self.waiting.first_key_value().map(|(&first, _)| first);
                let hole = known.map_or(u64::MAX, |first| first - self.position);
                self.lose(hole.min(missing as u64), report, out);
                self.drain(report, out);
            }
        }
        self.decide(time, true, report, out);
    }

    /// The receiver has everything before `sequence`.
    pub(super) fn acknowledge(
        &mut self,
        sequence: u32,
        time: u64,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        if let Some(at) = self.place(sequence) {
            self.acknowledged = self.acknowledged.max(at);
            self.decide(time, false, report, out);
        }
    }

    /// Passes over the first hole, if something waits behind it.
    pub(super) fn give_up(
        &mut self,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        if let Some((&first, _)) = self.waiting.first_key_value() {
            self.lose(first - self.position, report, out);
            self.drain(report, out);
        }
        self.doubt = None;
    }

    /// Passes over the holes that the receiver has acknowledged.
    pub(super) fn give_up_acknowledged(
        &mut self,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        while let Some((&first, _)) = self.waiting.first_key_value()
            && first <= self.acknowledged
        {
            self.give_up(report, out);
        }
    }

    /// The last byte is the one before `sequence`.
    pub(super) fn finish_at(&mut self, sequence: u32) {
        self.end = self.place(sequence);
    }

    /// Whether all that was sent has come, up to the end.
    pub(super) fn is_complete(&self) -> bool {
        self.end.is_some_and(|end| self.position >= end)
    }

    /// Passes over every hole, and what is missing at the end: nothing more will come.
    pub(super) fn end(
        &mut self,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        while !self.waiting.is_empty() {
            self.give_up(report, out);
        }
        let end = self.end.unwrap_or(self.acknowledged);
        self.lose(end.saturating_sub(self.position), report, out);
    }

    /// The position of a sequence number; `None` for one before the first byte.
    fn place(&mut self, sequence: u32) -> Option<u64> {
        let expected = *self.sequence.get_or_insert(sequence);
        let ahead = i64::from(sequence.wrapping_sub(expected).cast_signed());
        self.position.checked_add_signed(ahead)
    }

    fn decide(
        &mut self,
        time: u64,
        segment: bool,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        let hole_ends = self.waiting.first_key_value().map(|(&first, _)| first);
        if hole_ends.is_none_or(|end| self.acknowledged < end) {
            self.doubt = None;
            return;
        }
        let (since, segments) = self.doubt.unwrap_or((time, 0));
        let segments = segments + u32::from(segment);
        self.doubt = Some((since, segments));
        if segments >= SEGMENTS_BEHIND || time.saturating_sub(since) >= LONGEST_DOUBT {
            self.give_up_acknowledged(report, out);
        }
    }

    /// Keeps what is not kept yet of bytes behind a hole.
    fn keep(&mut self, at: u64, bytes: &[u8], report: &mut CaptureReport) {
        let end = at + bytes.len() as u64;
        let before = self.waiting.range(..=at).next_back();
        let first = match before {
            Some((&start, kept)) if start + kept.len() as u64 > at => start,
            _ => at,
        };
        let (mut fresh, mut cursor) = (Vec::new(), at);
        for (&start, kept) in self.waiting.range(first..end) {
            let (from, to) = (start.max(at), (start + kept.len() as u64).min(end));
            if cursor < from {
                fresh.push((cursor, from));
            }
            let (theirs, ours) = (
                &kept[(from - start) as usize..(to - start) as usize],
                &bytes[(from - at) as usize..(to - at) as usize],
            );
            let kind = match theirs == ours {
                true => Noted::Retransmitted,
                false => Noted::Conflicting,
            };
            report.note_many(kind, to - from);
            cursor = to;
        }
        if cursor < end {
            fresh.push((cursor, end));
        }
        for (from, to) in fresh {
            let part = &bytes[(from - at) as usize..(to - at) as usize];
            self.held += part.len() + OVERHEAD;
            self.waiting.insert(from, part.to_vec());
        }
    }

    fn drain(
        &mut self,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        while let Some(first) = self.waiting.first_entry() {
            if *first.key() != self.position {
                return;
            }
            let bytes = first.remove();
            self.held -= bytes.len() + OVERHEAD;
            self.deliver(&bytes, report, out);
        }
    }

    fn deliver(
        &mut self,
        bytes: &[u8],
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        if !bytes.is_empty() {
            self.advance(bytes.len() as u64);
            out(Piece::Data(bytes), report);
        }
    }

    fn lose(
        &mut self,
        bytes: u64,
        report: &mut CaptureReport,
        out: &mut impl FnMut(Piece<'_>, &mut CaptureReport),
    ) {
        if bytes > 0 {
            self.advance(bytes);
            report.note(Noted::Gaps);
            report.note_many(Noted::LostBytes, bytes);
            out(Piece::Gap(bytes), report);
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.position += bytes;
        // Modulo 2^32, as sequence numbers are.
        self.sequence = self
            .sequence
            .map(|sequence| sequence.wrapping_add(bytes as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes that came out, `None` for a lost one.
    type Out = Vec<Option<u8>>;

    fn collect(out: &mut Out) -> impl FnMut(Piece<'_>, &mut CaptureReport) + '_ {
        |piece, _| match piece {
            Piece::Data(bytes) => out.extend(bytes.iter().copied().map(Some)),
            Piece::Gap(bytes) => out.extend((0..bytes).map(|_| None)),
        }
    }

    proptest! {
        /// Whatever is sent again, overlaps, comes early or late: what was captured comes out as it was sent, and
        /// what was not is a gap. Nothing comes out twice, and nothing is made up.
        #[test]
        fn the_stream_is_what_was_sent(
            initial in any::<u32>(),
            segments in prop::collection::vec((0_usize..600, 1_usize..200, any::<u16>()), 1..60),
            lost in prop::collection::vec(0_usize..600, 0..4),
            acknowledgements in prop::collection::vec(0_usize..800, 0..20),
        ) {
            let sent: Vec<u8> = (0..800_usize).map(|at| (at * 7 + at / 256) as u8).collect();
            let mut order = segments;
            order.sort_by_key(|&(_, _, random)| random);
            let mut stream = Stream::default();
            stream.begin(initial);
            let (mut out, mut report) = (Out::new(), CaptureReport::default());
            let mut captured = vec![false; 800];
            for (step, &(at, length, _)) in order.iter().enumerate() {
                let end = (at + length).min(800);
                if lost.iter().any(|byte| (at..end).contains(byte)) {
                    continue;
                }
                captured[at..end].fill(true);
                let sequence = initial.wrapping_add(at as u32);
                stream.segment(
                    (sequence, &sent[at..end], 0), step as u64, &mut report, &mut collect(&mut out),
                );
                // Only what the receiver could have: with all of it captured so far.
                if let Some(&upto) = acknowledgements.get(step)
                    && captured[..upto].iter().all(|&known| known)
                {
                    let sequence = initial.wrapping_add(upto as u32);
                    stream.acknowledge(sequence, step as u64, &mut report, &mut collect(&mut out));
                }
            }
            stream.end(&mut report, &mut collect(&mut out));
            let end = captured.iter().rposition(|&known| known).map_or(0, |last| last + 1);
            prop_assert_eq!(out.len(), end);
            for (at, byte) in out.iter().enumerate() {
                prop_assert_eq!(*byte, captured[at].then_some(sent[at]), "byte {}", at);
            }
            prop_assert_eq!(stream.held(), 0);
            prop_assert_eq!(report.count(Noted::Conflicting), 0);
            let missing = out.iter().filter(|byte| byte.is_none()).count();
            prop_assert_eq!(report.count(Noted::LostBytes), missing as u64);
        }

        /// A receiver that has more than the capture: gaps are reported early, and the order stays.
        #[test]
        fn an_acknowledged_hole_is_a_gap(
            initial in any::<u32>(),
            lost in prop::collection::btree_set(0_usize..40, 1..10),
        ) {
            let sent: Vec<u8> = (0..400_usize).map(|at| at as u8 ^ (at / 256) as u8).collect();
            let mut stream = Stream::default();
            stream.begin(initial);
            let (mut out, mut report) = (Out::new(), CaptureReport::default());
            for segment in 0..40_usize {
                let range = segment * 10..segment * 10 + 10;
                let sequence = initial.wrapping_add(range.start as u32);
                if !lost.contains(&segment) {
                    stream.segment(
                        (sequence, &sent[range.clone()], 0), 0, &mut report, &mut collect(&mut out),
                    );
                }
                let sequence = initial.wrapping_add(range.end as u32);
                stream.acknowledge(sequence, 0, &mut report, &mut collect(&mut out));
                prop_assert!(stream.held() <= 3 * (10 + OVERHEAD));
            }
            stream.end(&mut report, &mut collect(&mut out));
            for (at, byte) in out.iter().enumerate() {
                prop_assert_eq!(*byte, (!lost.contains(&(at / 10))).then_some(sent[at]));
            }
        }
    }

    #[test]
    fn bytes_sent_again_with_another_content_are_counted() {
        let mut stream = Stream::default();
        stream.begin(100);
        let (mut out, mut report) = (Out::new(), CaptureReport::default());
        for (sequence, bytes) in [(102, b"cd"), (103, b"xe"), (100, b"ab")] {
            stream.segment((sequence, bytes, 0), 0, &mut report, &mut collect(&mut out));
        }
        let text: Vec<u8> = out.into_iter().flatten().collect();
        assert_eq!(text, b"abcde");
        assert_eq!(report.count(Noted::Conflicting), 1);
    }

    #[test]
    fn what_the_snapshot_length_cut_off_is_a_gap() {
        let mut stream = Stream::default();
        stream.begin(0);
        let (mut out, mut report) = (Out::new(), CaptureReport::default());
        stream.segment((0, b"ab", 3), 0, &mut report, &mut collect(&mut out));
        stream.segment((5, b"f", 0), 0, &mut report, &mut collect(&mut out));
        assert_eq!(out, [Some(b'a'), Some(b'b'), None, None, None, Some(b'f')]);
    }
}
