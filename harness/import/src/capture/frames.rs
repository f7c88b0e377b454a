//! One direction of a connection: from its bytes to its SMB frames (MS-SMB2 2.1; RFC 1002 4.3 on port 139).
//!
//! Where bytes are missing, the frame that they were in is dropped. If the hole ends within it, its length still says
//! where the next one begins; otherwise the next one is looked for.

use super::report::{CaptureReport, Noted};
use smb_wire::FrameKind;
use smb_wire::framing::PREFIX;

/// The smallest frame in bytes that is believed in while looking for one: a header.
const SMALLEST: usize = 32;

/// How much of a stream must be at hand to recognise a frame: the prefix, the protocol id, and the StructureSize.
const SIGN: usize = PREFIX + 6;

/// The state of a direction.
#[derive(Debug)]
pub(super) struct Framer {
    /// The beginning of a frame that is not complete, with its prefix.
    partial: Vec<u8>,
    /// Bytes to pass over, the rest of a frame that is not wanted.
    skip: u64,
    /// The place of the next frame is not known.
    lost: bool,
}

impl Framer {
    /// A direction from its first byte on, or from somewhere in its middle.
    pub(super) fn new(lost: bool) -> Self {
        Self {
            partial: Vec::new(),
            skip: 0,
            lost,
        }
    }

    /// Bytes of frames that are not complete.
    pub(super) fn held(&self) -> usize {
        self.partial.capacity()
    }

    /// Takes the next bytes. `limit` is the longest frame.
    pub(super) fn data(
        &mut self,
        mut data: &[u8],
        limit: usize,
        report: &mut CaptureReport,
        out: &mut impl FnMut(&[u8]),
    ) {
        loop {
            let skipped = usize::try_from(self.skip)
                .unwrap_or(usize::MAX)
                .min(data.len());
            self.skip -= skipped as u64;
            data = &data[skipped..];
            if data.is_empty() {
                return;
            }
            if self.lost {
                data = self.search(data, report);
                if self.lost {
                    return;
                }
            }
            if !self.partial.is_empty() {
                data = self.complete(data, limit, report, out);
                continue;
            }
            match announced(data) {
                Some(Announced::Frame(length)) if length <= limit => {
                    let Some(frame) = data.get(PREFIX..PREFIX + length) else {
                        self.partial.extend_from_slice(data);
                        return;
                    };
                    emit(frame, report, out);
                    data = &data[PREFIX + length..];
                }
                Some(announced) => self.unwanted(announced, report),
                None => {
                    self.partial.extend_from_slice(data);
                    return;
                }
            }
        }
    }

    /// Adds to the frame that has begun, as much as it lacks.
    fn complete<'a>(
        &mut self,
        data: &'a [u8],
        limit: usize,
        report: &mut CaptureReport,
        out: &mut impl FnMut(&[u8]),
    ) -> &'a [u8] {
        let length = match announced(&self.partial) {
            None => PREFIX,
            Some(Announced::Frame(length)) if length <= limit => PREFIX + length,
            Some(other) => {
                // The prefix came in two parts: now it can be judged, with what stands behind it still to come.
                self.partial = Vec::new();
                self.unwanted(other, report);
                if !self.lost {
                    self.skip = self.skip.saturating_sub(PREFIX as u64);
                }
                return data;
            }
        };
        let wanted = (length - self.partial.len()).min(data.len());
        self.partial.extend_from_slice(&data[..wanted]);
        if self.partial.len() == length && length > PREFIX {
            let frame = std::mem::take(&mut self.partial);
            emit(&frame[PREFIX..], report, out);
        } else if self.partial.len() == PREFIX
            && announced(&self.partial) == Some(Announced::Frame(0))
        {
            self.partial = Vec::new();
            emit(&[], report, out);
        }
        &data[wanted..]
    }

    fn unwanted(&mut self, announced: Announced, report: &mut CaptureReport) {
        match announced {
            Announced::Frame(length) => {
                report.note(Noted::LongFrames);
                self.skip = (PREFIX + length) as u64;
            }
            Announced::Control(length) => self.skip = (PREFIX + length) as u64,
            Announced::Nonsense => self.lost = true,
        }
    }

    /// So many bytes are missing.
    pub(super) fn gap(&mut self, bytes: u64, report: &mut CaptureReport) {
        if bytes <= self.skip {
            self.skip -= bytes;
            return;
        }
        let bytes = bytes - self.skip;
        self.skip = 0;
        let partial = std::mem::take(&mut self.partial);
        if self.lost {
            report.note_many(Noted::Skipped, partial.len() as u64);
            return;
        }
        if !partial.is_empty() {
            report.note(Noted::CutFrames);
        }
        let rest = match announced(&partial) {
            Some(Announced::Frame(length)) => (PREFIX + length - partial.len()) as u64,
            _ => 0,
        };
        match rest.checked_sub(bytes) {
            Some(left) if rest > 0 => self.skip = left,
            _ => self.lost = true,
        }
    }

    /// Drops the frame that has begun, for want of room.
    pub(super) fn drop_partial(&mut self, report: &mut CaptureReport) {
        let partial = std::mem::take(&mut self.partial);
        match announced(&partial) {
            Some(Announced::Frame(length)) if !self.lost => {
                self.skip = (PREFIX + length - partial.len()) as u64;
            }
            _ => self.lost = true,
        }
        report.note(Noted::GivenUp);
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self, report: &mut CaptureReport) {
        let partial = std::mem::take(&mut self.partial);
        match self.lost {
            true => report.note_many(Noted::Skipped, partial.len() as u64),
            false if !partial.is_empty() || self.skip > 0 => report.note(Noted::CutFrames),
            false => {}
        }
        self.skip = 0;
    }

    /// Looks for the beginning of a frame. What is left of `data` from there on; all is taken when there is none.
    fn search<'a>(&mut self, data: &'a [u8], report: &mut CaptureReport) -> &'a [u8] {
        let before = self.partial.len();
        if before > 0 {
            // A sign may lie across the end of the last bytes and the beginning of these.
            let mut joint = std::mem::take(&mut self.partial);
            joint.extend_from_slice(&data[..data.len().min(SIGN)]);
            if let Some(at) = find(&joint).filter(|&at| at < before) {
                report.note_many(Noted::Skipped, at as u64);
                joint.truncate(before);
                joint.drain(..at);
                self.partial = joint;
                self.lost = false;
                return data;
            }
            if data.len() < SIGN {
                let passed = joint.len().saturating_sub(SIGN - 1);
                report.note_many(Noted::Skipped, passed as u64);
                joint.drain(..passed);
                self.partial = joint;
                return &[];
            }
            report.note_many(Noted::Skipped, before as u64);
        }
        match find(data) {
            Some(at) => {
                report.note_many(Noted::Skipped, at as u64);
                self.lost = false;
                &data[at..]
            }
            None => {
                let passed = data.len().saturating_sub(SIGN - 1);
                report.note_many(Noted::Skipped, passed as u64);
                self.partial.extend_from_slice(&data[passed..]);
                &[]
            }
        }
    }
}

/// What a prefix announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    /// A session message of this length.
    Frame(usize),
    /// Another packet of the NetBIOS session service, with this length behind the prefix.
    Control(usize),
    /// Nothing that is sent on such a connection.
    Nonsense,
}

fn announced(data: &[u8]) -> Option<Announced> {
    let [kind, high, middle, low] = *data.first_chunk::<PREFIX>()?;
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    Some(match kind {
        0 => Announced::Frame(length),
        // Session request and its answers, keep-alive (RFC 1002 4.3).
        0x81..=0x85 => Announced::Control(length & 0x1_ffff),
        _ => Announced::Nonsense,
    })
}

/// Where a frame begins: a prefix with a length, then a protocol id, and in SMB2 the StructureSize of a header.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, b"SMB").find_map(|at| {
        let start = at.checked_sub(PREFIX + 1)?;
        let Some(Announced::Frame(length)) = announced(&data[start..]) else {
            return None;
        };
        let sign = match data[at - 1] {
            0xfe => data.get(at + 3..at + 5)? == [64, 0],
            0xfc | 0xfd | 0xff => data.len() >= at + 5,
            _ => false,
        };
        (sign && length >= SMALLEST).then_some(start)
    })
}

fn emit(frame: &[u8], report: &mut CaptureReport, out: &mut impl FnMut(&[u8])) {
    match FrameKind::of(frame) {
        Some(_) => {
            report.frames += 1;
            out(frame);
        }
        None => report.note(Noted::OtherFrames),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(tag: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![0, 0, (length >> 8) as u8, length as u8];
        frame.extend_from_slice(b"\xfeSMB\x40\x00");
        frame.resize(PREFIX + length, tag);
        frame
    }

    proptest! {
        #[test]
        fn frames_come_out_however_the_stream_is_cut(
            lengths in prop::collection::vec(40_usize..400, 1..20),
            cuts in prop::collection::vec(1_usize..90, 1..40),
        ) {
            let frames: Vec<_> = lengths.iter().enumerate().map(|(tag, &length)| frame(tag as u8, length)).collect();
            let stream = frames.concat();
            let mut framer = Framer::new(false);
            let (mut found, mut report) = (Vec::new(), CaptureReport::default());
            let (mut at, mut cut) = (0, cuts.iter().cycle());
            while at < stream.len() {
                let end = (at + cut.next().unwrap()).min(stream.len());
                framer.data(&stream[at..end], 1 << 20, &mut report, &mut |frame| found.push(frame.to_vec()));
                at = end;
            }
            framer.end(&mut report);
            let expected: Vec<_> = frames.iter().map(|frame| frame[PREFIX..].to_vec()).collect();
            prop_assert_eq!(found, expected);
            prop_assert!(report.noted.is_empty());
        }

        /// With a hole anywhere, every frame that comes out is one that was sent, and those from two frames behind
        /// the hole on all do.
        #[test]
        fn a_hole_costs_the_frames_in_it(
            start in 0_usize..3000,
            length in 1_usize..900,
            cuts in prop::collection::vec(1_usize..90, 1..40),
        ) {
            let frames: Vec<_> = (0..30).map(|tag| frame(tag, 60 + usize::from(tag) * 5)).collect();
            let stream = frames.concat();
            let (start, end) = (start.min(stream.len()), (start + length).min(stream.len()));
            let mut framer = Framer::new(false);
            let (mut found, mut report) = (Vec::new(), CaptureReport::default());
            let mut cut = cuts.iter().cycle();
            for (from, to) in [(0, start), (end, stream.len())] {
                let mut at = from;
                while at < to {
                    let next = (at + cut.next().unwrap()).min(to);
                    framer.data(&stream[at..next], 1 << 20, &mut report, &mut |frame| found.push(frame.to_vec()));
                    at = next;
                }
                if from == 0 && end > start {
                    framer.gap((end - start) as u64, &mut report);
                }
            }
            framer.end(&mut report);
            let mut position = 0;
            let mut expected = Vec::new();
            for sent in &frames {
                let range = position..position + sent.len();
                position = range.end;
                if range.end <= start || range.start >= end {
                    expected.push(sent[PREFIX..].to_vec());
                }
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn netbios_control_packets_are_passed_over() {
        let mut stream = vec![0x81, 0, 0, 4, 1, 2, 3, 4, 0x82, 0, 0, 0, 0x85, 0, 0, 0];
        stream.extend(frame(1, 64));
        for step in [1, 3, 100] {
            let (mut framer, mut count) = (Framer::new(false), 0);
            let mut report = CaptureReport::default();
            for part in stream.chunks(step) {
                framer.data(part, 1000, &mut report, &mut |_| count += 1);
            }
            assert_eq!((count, report.noted.len()), (1, 0), "steps of {step}");
        }
    }

    #[test]
    fn a_stream_without_its_beginning_is_found_again() {
        for step in 1..80 {
            let mut stream = b"middle of a frame\x00SMB".to_vec();
            stream.extend(frame(1, 64));
            stream.extend(frame(2, 64));
            let (mut framer, mut count) = (Framer::new(true), 0);
            let mut report = CaptureReport::default();
            for part in stream.chunks(step) {
                framer.data(part, 1000, &mut report, &mut |_| count += 1);
            }
            assert_eq!(count, 2, "steps of {step}");
            assert_eq!(report.count(Noted::Skipped), 21, "steps of {step}");
        }
    }

    #[test]
    fn frames_beyond_the_limit_are_passed_over() {
        let stream = [frame(1, 500), frame(2, 64)].concat();
        for step in [1, 2, 3, 5, 1000] {
            let (mut framer, mut found) = (Framer::new(false), Vec::new());
            let mut report = CaptureReport::default();
            for part in stream.chunks(step) {
                framer.data(part, 100, &mut report, &mut |frame| found.push(frame.len()));
            }
            assert_eq!(found, [64], "steps of {step}");
            assert_eq!(report.count(Noted::LongFrames), 1);
        }
    }
}
