//! Tiles of the product kernels (`wgsl/gemm.wgsl`), chosen by the shape of one lane alone.

use super::launch::{constant, word};

/// Tile and parts of one product `[m, k] x [k, n]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gemm {
    /// Rows and columns of threads; each makes 4 x 4 elements.
    thread_rows: usize,
    thread_columns: usize,
    /// Parts that the sum over k is cut into.
    pub(crate) n_parts: usize,
    /// Terms of one part.
    k_per_part: usize,
    n_tiles: usize,
}

/// Rows and columns of one thread's elements.
const THREAD_TILE: usize = 4;

/// Terms that a tile sums between two barriers.
const K_TILE: usize = 16;

/// Sides of the usual tile, at least and at most: larger ones need more registers than there
/// are, smaller ones read each operand too often.
const TILE_SIDES: [usize; 2] = [8, 64];

/// A flat tile is widened to this side ...
const WIDE_SIDE: usize = 128;

/// ... until it has this many elements, 64 threads.
const MIN_TILE_LEN: usize = 1024;

/// Workgroups of one lane that parts aim at: enough to fill a large device with a few lanes.
const ENOUGH_WORKGROUPS: usize = 64;

/// Terms of a part at least, so that the parts cost little to put together.
const MIN_PART_LEN: usize = 1024;

impl Gemm {
    /// For a product whose sum over k stays in one part, because an epilogue follows.
    pub(crate) fn whole(m: usize, k: usize, n: usize) -> Self {
        let side = |len: usize| len.next_power_of_two().clamp(TILE_SIDES[0], TILE_SIDES[1]);
        let (mut rows, mut columns) = (side(m), side(n));
        while rows * columns < MIN_TILE_LEN {
            if columns < WIDE_SIDE && n > columns {
                columns *= 2;
            } else if rows < WIDE_SIDE && m > rows {
                rows *= 2;
            } else {
                break;
            }
        }
        Self {
            thread_rows: rows / THREAD_TILE,
            thread_columns: columns / THREAD_TILE,
            n_parts: 1,
            k_per_part: k.next_multiple_of(K_TILE),
            n_tiles: m.div_ceil(rows) * n.div_ceil(columns),
        }
    }

    /// For a product whose sum over k may be cut: few tiles of many terms, as the gradients of
    /// weights are, would leave most of a device idle.
    pub(crate) fn split(m: usize, k: usize, n: usize) -> Self {
        let whole = Self::whole(m, k, n);
        let n_parts = (k / MIN_PART_LEN).min(ENOUGH_WORKGROUPS / whole.n_tiles).max(1);
        let k_per_part = k.div_ceil(n_parts).next_multiple_of(K_TILE);
        Self { n_parts: k.div_ceil(k_per_part), k_per_part, ..whole }
    }

    /// Workgroups per lane.
    pub(crate) fn n_workgroups(&self) -> usize {
        self.n_tiles * self.n_parts
    }

    /// Terms of one part, as a word.
    pub(crate) fn k_per_part(&self) -> u32 {
        word(self.k_per_part)
    }

    /// The constants of `gemm.wgsl`.
    pub(crate) fn constants(&self) -> [(&'static str, f64); 2] {
        [
            ("THREAD_ROWS", constant(self.thread_rows)),
            ("THREAD_COLUMNS", constant(self.thread_columns)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_follow_the_shape() {
        let threads = |m, n| {
            let gemm = Gemm::whole(m, 100, n);
            (gemm.thread_rows, gemm.thread_columns)
        };
        assert_eq!(threads(1, 1), (2, 2));
        assert_eq!(threads(8, 512), (2, 32));
        assert_eq!(threads(100_000, 10), (16, 4));
        assert_eq!(threads(768, 768), (16, 16));
        assert_eq!(Gemm::whole(65, 1, 64).n_workgroups(), 2);
    }

    #[test]
    fn parts_cover_k_and_none_is_empty() {
        for k in [1, 15, 16, 1023, 1024, 2049, 60_000, 1_000_003] {
            for (m, n) in [(1, 1), (800, 64), (784, 1024), (25, 32)] {
                let gemm = Gemm::split(m, k, n);
                assert_eq!(gemm.k_per_part % K_TILE, 0);
                assert!(gemm.n_parts * gemm.k_per_part >= k);
                assert!((gemm.n_parts - 1) * gemm.k_per_part < k, "m {m}, k {k}, n {n}");
            }
        }
        assert!(Gemm::split(25, 100_352, 32).n_parts > 16);
        assert_eq!(Gemm::split(768, 768, 768).n_parts, 1);
    }
}
