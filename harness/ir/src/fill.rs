//! The pattern that stands for data: a byte depends on the fill and on its offset in the file, so that a read of any part
//! can be verified without keeping what was written.
//!
//! Fill 0 is zeros. For any other fill, the eight bytes at offset `8 * i` are the little-endian bytes of
//! `mix(fill * 0x9E3779B97F4A7C15 + i)` in 64-bit arithmetic that wraps, where `mix` is the finalizer of SplitMix64:
//!
//! ```text
//! z ^= z >> 30;  z *= 0xBF58476D1CE4E5B9
//! z ^= z >> 27;  z *= 0x94D049BB133111EB
//! z ^= z >> 31
//! ```
//!
//! So other programs can make the same bytes. The pattern does not repeat within a file, two fills differ
//! everywhere, and data that lies at a wrong offset is found out.

use crate::random::{GAMMA, mix};

const WORD: u64 = 8;

/// The word with this index: bytes `8 * index .. 8 * index + 8` of the file.
fn word(fill: u64, index: u64) -> u64 {
    if fill == 0 {
        return 0;
    }
    mix(fill.wrapping_mul(GAMMA).wrapping_add(index))
}

/// The byte at one offset.
pub fn byte(fill: u64, offset: u64) -> u8 {
    word(fill, offset / WORD).to_le_bytes()[(offset % WORD) as usize]
}

/// Fills `data`, which lies at `offset` of the file. Offsets wrap at 2^64.
pub fn fill_into(fill: u64, offset: u64, data: &mut [u8]) {
    let (head, words) = data.split_at_mut(unaligned(offset, data.len()));
    let aligned = offset.wrapping_add(head.len() as u64);
    for (at, out) in head.iter_mut().enumerate() {
        *out = byte(fill, offset.wrapping_add(at as u64));
    }
    let mut index = aligned / WORD;
    let mut chunks = words.chunks_exact_mut(WORD as usize);
    for chunk in &mut chunks {
        chunk.copy_from_slice(&word(fill, index).to_le_bytes());
        index = next(index);
    }
    let tail = chunks.into_remainder();
    let last = word(fill, index).to_le_bytes();
    tail.copy_from_slice(&last[..tail.len()]);
}

/// Compares `data`, which lies at `offset` of the file.
///
/// # Errors
/// The offset in the file of the first byte that differs.
pub fn verify(fill: u64, offset: u64, data: &[u8]) -> Result<(), u64> {
    let (head, words) = data.split_at(unaligned(offset, data.len()));
    let aligned = offset.wrapping_add(head.len() as u64);
    let wrong = |from: u64, bytes: &[u8]| {
        let mut at = (0..bytes.len() as u64)
            .map(|at| from.wrapping_add(at))
            .zip(bytes);
        at.find(|&(at, &found)| found != byte(fill, at))
            .map_or(Ok(()), |(at, _)| Err(at))
    };
    wrong(offset, head)?;
    let mut index = aligned / WORD;
    let mut chunks = words.chunks_exact(WORD as usize);
    for chunk in &mut chunks {
        if *chunk != word(fill, index).to_le_bytes() {
            wrong(index * WORD, chunk)?;
        }
        index = next(index);
    }
    wrong(index * WORD, chunks.remainder())
}

/// How many bytes lie before the first whole word.
fn unaligned(offset: u64, length: usize) -> usize {
    let before = (WORD - offset % WORD) % WORD;
    length.min(before as usize)
}

/// The word after this one; the last of 2^64 bytes is followed by the first.
fn next(index: u64) -> u64 {
    (index + 1) % (u64::MAX / WORD + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_pattern_never_changes() {
        let mut data = [0; 16];
        fill_into(7, 0, &mut data);
        // Made by an independent program from the description above.
        let expected = [
            0xe1, 0x32, 0x45, 0x1f, 0xbe, 0x9a, 0x82, 0x2c, 0xa5, 0x3c, 0x36, 0xd7, 0x6c, 0xec,
            0x99, 0xe0,
        ];
        assert_eq!(data, expected);
        fill_into(0, 3, &mut data);
        assert_eq!(data, [0; 16]);
    }

    proptest! {
        #[test]
        fn any_part_is_made_and_verified(
            fill: u64,
            offset in prop_oneof![any::<u64>(), 0_u64..100, u64::MAX - 100..=u64::MAX],
            length in 0_usize..100,
            change: prop::sample::Index,
        ) {
            let mut data = vec![0; length];
            fill_into(fill, offset, &mut data);
            for (at, &found) in data.iter().enumerate() {
                prop_assert_eq!(found, byte(fill, offset.wrapping_add(at as u64)));
            }
            prop_assert_eq!(verify(fill, offset, &data), Ok(()));
            if length > 0 {
                let at = change.index(length);
                data[at] ^= 0x10;
                prop_assert_eq!(verify(fill, offset, &data), Err(offset.wrapping_add(at as u64)));
            }
        }

        #[test]
        fn a_wrong_offset_or_fill_is_found(fill in 1_u64.., other in 1_u64.., offset in 0_u64..1 << 40) {
            let mut data = [0; 64];
            fill_into(fill, offset, &mut data);
            prop_assert!(verify(fill, offset + 1, &data).is_err());
            prop_assert!(verify(fill, offset + 4096, &data).is_err());
            prop_assert_eq!(verify(other, offset, &data).is_ok(), fill == other);
        }
    }
}
