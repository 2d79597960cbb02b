//! Counter-based random numbers: a number is a function of (key, counter), never of history.

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
    const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let [mut key_0, mut key_1] = key;
    let mut c = counter;
    for _ in 0..10 {
        let (high_0, low_0) = multiply_wide(MULTIPLIER[0], c[0]);
        let (high_1, low_1) = multiply_wide(MULTIPLIER[1], c[2]);
        c = [high_1 ^ c[1] ^ key_0, low_1, high_0 ^ c[3] ^ key_1, low_0];
        key_0 = key_0.wrapping_add(WEYL[0]);
        key_1 = key_1.wrapping_add(WEYL[1]);
    }
    c
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a 64-bit product")]
fn multiply_wide(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
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
}
