//! Bytes as hexadecimal digits, two for each.

/// The bytes of digits in either case; `None` for an odd number of them, and for anything else.
pub fn decode(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// The digits of bytes, in lower case.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_bytes_and_bytes_are_digits() {
        assert_eq!(decode("00fF7a"), Some(vec![0, 255, 0x7a]));
        assert_eq!(encode(&[0, 255, 0x7a]), "00ff7a");
        assert_eq!((decode(""), encode(&[])), (Some(Vec::new()), String::new()));
        for wrong in ["0", "00f", "+f", "0x", "g0", " 0", "\u{e4}", "1\u{e4}2"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
