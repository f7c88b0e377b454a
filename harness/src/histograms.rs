//! The four times as an HdrHistogram log, which HdrHistogram's own tools and viewers read.
//!
//! One interval, the whole run, for each verb and metric and for all verbs together; the tags are `read.service`,
//! `total.lag` and so on.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use replay_engine::{OpTimes, Times};

use crate::whole_file::WholeFile;

/// The log's maxima are in milliseconds, as HdrHistogram's tools expect; the histograms are in nanoseconds.
const NANOSECONDS_PER_UNIT: f64 = 1e6;

/// Writes the log of a run that began then and took so long to a file.
pub(crate) fn save(
    path: &Path,
    times: &Times,
    began: SystemTime,
    took: Duration,
) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    write(&mut file, times, began, took)?;
    file.finish()
}

fn write(out: &mut impl Write, times: &Times, began: SystemTime, took: Duration) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("smb-replay: values in nanoseconds, one interval for each verb and metric")
        .with_start_time(began)
        .with_base_time(began)
        .with_max_value_divisor(NANOSECONDS_PER_UNIT)
        .begin_log_with(out, &mut serializer)?;
    let verbs = times.by_verb.iter().map(|(verb, times)| (*verb, times));
    for (verb, times) in std::iter::once(("total", &times.total)).chain(verbs) {
        let OpTimes {
            lag,
            fault,
            response,
            service,
        } = times;
        let metrics = [
            ("lag", lag),
            ("fault", fault),
            ("response", response),
            ("service", service),
        ];
        for (metric, histogram) in metrics {
            let tag = format!("{verb}.{metric}");
            log.write_histogram(histogram, Duration::ZERO, took, Tag::new(&tag))
                .map_err(|error| match error {
                    IntervalLogWriterError::IoError(error) => error,
                    IntervalLogWriterError::SerializeError(error) => {
                        io::Error::other(format!("{tag}: {error:?}"))
                    }
                })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use replay_engine::Moments;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_under_its_tag() {
        let mut read = OpTimes::default();
        for completed in [1_000, 20_000, 3_000_000] {
            read.record(&Moments {
                scheduled: 10,
                eligible: 20,
                dispatched: 50,
                completed,
            });
        }
        let times = Times::from_verbs(BTreeMap::from([("read", read)]));
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut log = Vec::new();
        write(&mut log, &times, began, Duration::from_secs(7)).expect("memory takes it");
        let mut tags = Vec::new();
        let mut starts = 0;
        for entry in IntervalLogIterator::new(&log) {
            match entry.expect("a log") {
                LogEntry::StartTime(start) => {
                    starts += 1;
                    assert_eq!(start, Duration::from_secs(1_000));
                }
                LogEntry::BaseTime(_) => {}
                LogEntry::Interval(interval) => {
                    assert_eq!(interval.duration(), Duration::from_secs(7));
                    let tag = interval.tag().expect("every interval has a tag");
                    let (verb, metric) = tag.as_str().split_once('.').expect("two words");
                    let times = times.of((verb != "total").then_some(verb)).expect("known");
                    let written = match metric {
                        "lag" => &times.lag,
                        "fault" => &times.fault,
                        "response" => &times.response,
                        _ => &times.service,
                    };
                    let bytes = base64(interval.encoded_histogram());
                    let read: hdrhistogram::Histogram<u64> = Deserializer::new()
                        .deserialize(&mut bytes.as_slice())
                        .expect("a histogram");
                    assert_eq!(&read, written);
                    tags.push(tag.as_str().to_owned());
                }
            }
        }
        assert_eq!(starts, 1);
        let expected: Vec<String> = ["total", "read"]
            .iter()
            .flat_map(|verb| {
                ["lag", "fault", "response", "service"].map(|metric| format!("{verb}.{metric}"))
            })
            .collect();
        assert_eq!(tags, expected);
    }

    /// RFC 4648, well-formed text only.
    fn base64(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
        for digit in text.bytes().filter(|&digit| digit != b'=') {
            let value = DIGITS.iter().position(|&known| known == digit);
            bits = bits << 6 | value.expect("a digit of base64") as u32;
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count) as u8);
                bits &= (1 << count) - 1;
            }
        }
        bytes
    }
}
