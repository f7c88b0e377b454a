//! Lengths of time as a trace writes them: an integer or decimal number with `ns`, `us`, `ms` or `s`. Command lines have
//! `m` and `h` besides.

/// The units of a trace.
const UNITS: [(&str, u64); 4] = [
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
/// What command lines have besides.
const LONG_UNITS: [(&str, u64); 2] = [("m", 60_000_000_000), ("h", 3_600_000_000_000)];

/// Nanoseconds of `5ms`, `1.5s`, `250us`, `3ns`. `None` for anything else, for a fraction of a nanosecond, and for
/// more than 2^64 - 1 nanoseconds.
pub fn parse_duration(text: &str) -> Option<u64> {
    parse(text, &UNITS)
}

/// The same, and `15m`, `1.5h`.
pub fn parse_long_duration(text: &str) -> Option<u64> {
    parse(text, &UNITS).or_else(|| parse(text, &LONG_UNITS))
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits_end);
    let &(_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let mut nanoseconds = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        let is_whole = place.is_multiple_of(10);
        if !is_whole && digit != 0 {
            return None;
        }
        place = if is_whole { place / 10 } else { place };
        nanoseconds = nanoseconds.checked_add(digit * place)?;
    }
    Some(nanoseconds)
}

/// Writes nanoseconds in the largest unit that needs at most three decimals; exact, so that [`parse_duration`] gives
/// the same number back.
pub fn format_duration(nanoseconds: u64) -> String {
    let fits = |&&(_, scale): &&(&str, u64)| {
        nanoseconds >= scale && nanoseconds.is_multiple_of((scale / 1000).max(1))
    };
    let &(unit, scale) = UNITS.iter().find(fits).unwrap_or(&UNITS[3]);
    let (whole, rest) = (nanoseconds / scale, nanoseconds % scale);
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let thousandths = format!("{:03}", rest / (scale / 1000));
    format!("{whole}.{}{unit}", thousandths.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        for (text, nanoseconds) in [
            ("0ns", 0),
            ("3ns", 3),
            ("250us", 250_000),
            ("1.5s", 1_500_000_000),
            ("1000.001ms", 1_000_001_000),
            ("1000001.001us", 1_000_001_001),
            ("18446744073709551615ns", u64::MAX),
        ] {
            assert_eq!(parse_duration(text), Some(nanoseconds), "{text}");
            assert_eq!(parse_long_duration(text), Some(nanoseconds), "{text}");
        }
        for (text, nanoseconds) in [
            ("15m", 900_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("0.0000000001m", 6),
            ("0.000000000010h", 36),
        ] {
            assert_eq!(parse_long_duration(text), Some(nanoseconds), "{text}");
        }
        assert_eq!(format_duration(1_000_001_000), "1000.001ms");
        assert_eq!(format_duration(0), "0ns");
        assert_eq!(format_duration(60_000_000_000), "60s");
    }

    #[test]
    fn what_is_no_duration() {
        for text in [
            "",
            "5",
            "ms",
            "5 ms",
            ".5s",
            "5.s",
            "1.5ns",
            "0.0000000001s",
            "-1s",
            "1.2.3s",
            "5m",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(parse_duration("18446744073709551616ns"), None);
        assert_eq!(parse_duration("18446744073.8s"), None);
        for text in [
            "",
            "5",
            "m",
            "5mm",
            "1nh",
            "0.00000000001m",
            "0.000000000001h",
            "5124096h",
        ] {
            assert_eq!(parse_long_duration(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn writing_and_reading_gives_the_same(nanoseconds: u64) {
            proptest::prop_assert_eq!(parse_duration(&format_duration(nanoseconds)), Some(nanoseconds));
        }
    }
}
