//! Counter-based random numbers: a number is a function of (key, counter), never of history.

use std::array;

/// What a stream of random numbers is for; part of the counter, so that streams never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial weights.
    Initialise = 1,
    /// Order of the examples within an epoch.
    Shuffle = 2,
    /// Dropout masks.
    Dropout = 3,
    /// Derivation of one key from another.
    Key = 4,
    /// Draws of examples with replacement.
    Draw = 5,
    /// How an example is varied: cut, turned over.
    Vary = 6,
}

/// Philox4x32 with 10 rounds: 128 random bits from a 64-bit key and a 128-bit counter.
///
/// # Source
/// Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
pub fn philox4x32(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let [bits] = philox4x32_blocks(key, counter);
    bits
}

/// [`philox4x32`] of `N` counters: the given one and those whose first word is larger by 1, 2, ... Within
/// a vectorised loop, in vectors: each holds one word of several blocks, in 64 bits as their products are.
#[inline(always)]
pub(crate) fn philox4x32_blocks<const N: usize>(
    key: [u32; 2],
    [first, others @ ..]: [u32; 4],
) -> [[u32; 4]; N] {
    const MULTIPLIER: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    const LOW: u64 = 0xFFFF_FFFF;
    let [mut key_0, mut key_1] = key;
    // Only the lower half of a word counts.
    let mut a = [u64::from(first); N];
    let [mut b, mut c, mut d] = others.map(|word| [u64::from(word); N]);
    for (a, block) in a.iter_mut().zip(0..) {
        *a += block;
    }
    for _ in 0..10 {
        for (((a, b), c), d) in a.iter_mut().zip(&mut b).zip(&mut c).zip(&mut d) {
            let product_a = MULTIPLIER[0] * (*a & LOW);
            let product_c = MULTIPLIER[1] * (*c & LOW);
            *a = (product_c >> 32) ^ *b ^ u64::from(key_0);
            *b = product_c;
            *c = (product_a >> 32) ^ *d ^ u64::from(key_1);
            *d = product_a;
        }
        key_0 = key_0.wrapping_add(WEYL[0]);
        key_1 = key_1.wrapping_add(WEYL[1]);
    }
    #[expect(clippy::cast_possible_truncation, reason = "only the lower half counts")]
    array::from_fn(|i| [a[i], b[i], c[i], d[i]].map(|word| word as u32))
}

/// A uniform number in (0, 1) from 32 random bits: the middle of one of 2^32 equal bins.
pub fn uniform(bits: u32) -> f64 {
    (f64::from(bits) + 0.5) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (`kat_vectors`, philox4x32 10).
    #[test]
    fn known_answers() {
        assert_eq!(
            philox4x32([0, 0], [0; 4]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32([u32::MAX; 2], [u32::MAX; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32(
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn blocks_are_those_of_their_counters() {
        let (key, others) = ([0x1234_5678, 0x9abc_def0], [7, 8, u32::MAX]);
        // The first word counts on from 0 behind its largest value.
        let first = u32::MAX - 4;
        let blocks: [_; 11] = philox4x32_blocks(key, [first, others[0], others[1], others[2]]);
        for (block, bits) in (0..).zip(blocks) {
            let counter = [first.wrapping_add(block), others[0], others[1], others[2]];
            assert_eq!(bits, philox4x32(key, counter));
        }
    }
}
