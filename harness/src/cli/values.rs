//! Values of options: lengths of time, and factors.

use std::time::Duration;

/// `250ms`, `90s`, `15m`, `1.5h`: as a trace writes a length of time, with minutes and hours besides.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let nanoseconds = replay_ir::time::parse_long_duration(text);
    let time = nanoseconds.map(Duration::from_nanos);
    time.ok_or_else(|| "a number with ms, s, m or h is needed, for instance 90s".to_owned())
}

/// A time that something may take; at most a week.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    let time = time(text)?;
    match (Duration::from_millis(1)..=WEEK).contains(&time) {
        true => Ok(time),
        false => Err("it must be between 1ms and 168h".to_owned()),
    }
}

pub(super) fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.0..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("a number between 0 and 1000 is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_bounds() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in [
            "", "90", "s", "-1s", "0s", "1e9h", "NaNs", "infs", "5 s", "5us", "5mm", "1nh", "h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_factor_is_finite_and_not_negative() {
        assert_eq!(factor("0.5"), Ok(0.5));
        assert!(
            ["-1", "NaN", "inf", "x"]
                .iter()
                .all(|text| factor(text).is_err())
        );
    }

    proptest::proptest! {
        /// What is taken is within its bounds; everything else is refused with a sentence.
        #[test]
        fn values_keep_to_their_bounds(
            number in "-?[0-9]{0,22}(\\.[0-9]{0,12})?(e[0-9]{1,3})?", unit in "(ns|us|ms|s|m|h|/s|inf|NaN|ü)?",
        ) {
            let text = number + &unit;
            let week = Duration::from_secs(7 * 24 * 3600);
            if let Ok(time) = duration(&text) {
                proptest::prop_assert!((Duration::from_millis(1)..=week).contains(&time), "{}", text);
            }
            if let Ok(factor) = factor(&text) {
                proptest::prop_assert!((0.0..=1000.0).contains(&factor), "{}", text);
            }
            if let Ok(offset) = crate::cli::capture::offset(&text) {
                proptest::prop_assert_eq!(text.starts_with('-'), offset < 0 || text.starts_with('-') && offset == 0);
            }
            if let Ok(steps) = crate::cli::cut::steps(&text.replace('.', "..")) {
                proptest::prop_assert!(steps.start >= 1 && steps.start < steps.end, "{}", text);
            }
        }
    }
}
