//! Points in time: `2020-02-29T12:00:00.5Z` in a trace, FILETIME (MS-DTYP 2.3.3) on the wire.
//!
//! What no date can say (0, -1, -2 of FileBasicInformation, MS-FSCC 2.4.7) is written in hexadecimal.

use jiff::Timestamp;
use smb_wire::Filetime;

/// 1970-01-01, in 100 ns since 1601-01-01.
const UNIX_EPOCH: i128 = 116_444_736_000_000_000;

/// The time that `text` stands for. The error is a sentence fragment for the user.
pub fn parse(text: &str) -> Result<Filetime, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16)
            .map(Filetime)
            .map_err(|_| format!("`{text}` is no hexadecimal number of at most 64 bits"));
    }
    let time: Timestamp = text.parse().map_err(|_| {
        format!("`{text}` is no time like `2020-02-29T12:00:00Z`, and no 0x hexadecimal FILETIME")
    })?;
    let nanoseconds = time.as_nanosecond();
    if nanoseconds % 100 != 0 {
        return Err(format!(
            "`{text}` is finer than the 100 ns that a FILETIME can hold"
        ));
    }
    u64::try_from(nanoseconds / 100 + UNIX_EPOCH)
        .map(Filetime)
        .map_err(|_| format!("`{text}` lies before 1601-01-01, where FILETIME begins"))
}

/// The canonical text: a date in UTC, or hexadecimal for 0 and for what lies after the year 9999.
pub fn write(time: Filetime) -> String {
    let nanoseconds = (i128::from(time.0) - UNIX_EPOCH) * 100;
    match Timestamp::from_nanosecond(nanoseconds) {
        Ok(date) if time.0 != 0 => date.to_string(),
        _ => format!("{:#x}", time.0),
    }
}

/// Accepts what [`parse`] reads.
pub(crate) fn check(text: &str) -> Result<(), String> {
    parse(text).map(drop)
}

/// Accepts the canonical form only: what an expectation is compared with.
pub(crate) fn check_canonical(text: &str) -> Result<(), String> {
    let written = write(parse(text)?);
    match text == written {
        true => Ok(()),
        false => Err(format!("answers write this as `{written}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_numbers_round_trip() {
        for (text, ticks) in [
            ("1970-01-01T00:00:00Z", 116_444_736_000_000_000),
            ("2020-02-29T12:00:00.5Z", 132_274_512_005_000_000),
            ("0x0", 0),
            ("0xffffffffffffffff", u64::MAX),
            ("1601-01-01T00:00:00.0000001Z", 1),
        ] {
            assert_eq!(parse(text), Ok(Filetime(ticks)), "{text}");
            assert_eq!(write(Filetime(ticks)), text);
        }
    }

    #[test]
    fn what_a_filetime_cannot_hold_is_refused() {
        for text in [
            "1600-12-31T23:59:59Z",
            "2020-01-01T00:00:00.00000001Z",
            "yesterday",
            "0xg",
            "2020-01-01",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_expectation_must_be_written_as_answers_are() {
        assert!(check_canonical("2020-01-01T01:00:00+01:00").is_err());
        assert!(check_canonical("2020-01-01T00:00:00Z").is_ok());
    }
}
