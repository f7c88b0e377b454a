//! The fill pattern: bytes that depend on a number and on their offset in the file, so that whoever reads a part of
//! them can tell whether they are the right ones.

/// Writes the pattern `fill` as it stands at `offset` of a file. Fill 0 is zeros; every other one is eight bytes of a
/// mixed word for each eight bytes of the file, so that a part which is shifted, by however little, differs.
pub fn fill(fill: u8, offset: u64, out: &mut [u8]) {
    if fill == 0 {
        out.fill(0);
        return;
    }
    let mut rest = out;
    let mut at = offset;
    while !rest.is_empty() {
        let word = mix((at / 8) ^ (u64::from(fill) << 56)).to_le_bytes();
        let from = (at % 8) as usize;
        let count = rest.len().min(8 - from);
        let (head, tail) = rest.split_at_mut(count);
        head.copy_from_slice(&word[from..from + count]);
        rest = tail;
        at = at.wrapping_add(count as u64);
    }
}

/// The finalizer of SplitMix64: every bit of the input changes half of the output's.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(pattern: u8, offset: u64, length: usize) -> Vec<u8> {
        let mut out = vec![0xee; length];
        fill(pattern, offset, &mut out);
        out
    }

    #[test]
    fn a_part_is_what_the_whole_has_there() {
        let whole = bytes(7, 0, 100);
        for (offset, length) in [(0, 1), (3, 20), (7, 1), (8, 8), (13, 87), (99, 1), (100, 0)] {
            assert_eq!(
                bytes(7, offset as u64, length),
                whole[offset..offset + length]
            );
        }
    }

    #[test]
    fn patterns_and_places_differ() {
        assert_eq!(bytes(0, 5, 16), [0; 16]);
        assert_ne!(bytes(1, 0, 16), bytes(2, 0, 16));
        for shift in 1..64 {
            assert_ne!(bytes(1, 0, 16), bytes(1, shift, 16), "{shift}");
        }
        assert_eq!(bytes(9, u64::MAX, 3).len(), 3);
    }
}
