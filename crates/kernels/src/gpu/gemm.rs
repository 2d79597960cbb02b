//! How a product is cut into tiles (`wgsl/gemm_*.wgsl`), by the shape of one lane and the kind of
//! device.
//!
//! The parts that the sum over k is cut into depend on the shape alone: so do the order of each
//! sum and the memory that the parts take.

use super::launch::{constant, word};

/// Which of the product's kernels suits a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tiling {
    /// `gemm_shared.wgsl`: GPUs.
    Shared,
    /// `gemm_subgroup.wgsl`: software devices, whose subgroups have so many threads, 8 at least.
    Subgroup(u32),
}

/// One product `[m, k] x [k, n]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gemm {
    tile: Tile,
    /// Parts that the sum over k is cut into.
    pub(crate) n_parts: usize,
    /// Terms of one part.
    k_per_part: usize,
    n_tiles: usize,
}

/// What one workgroup makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tile {
    /// `threads` rows and columns of threads, each with `quads` rows and columns of 4 x 4 elements.
    Shared { threads: [usize; 2], quads: [usize; 2], k_tile: usize },
    /// `n_threads` threads side by side, each with `row_blocks` blocks of 8 rows in `column_quads`
    /// times 4 columns.
    Subgroup { n_threads: usize, row_blocks: usize, column_quads: usize },
}

/// Rows and columns of one thread's elements, once or twice.
const QUAD: usize = 4;

/// Rows of one block of a subgroup.
const BLOCK_ROWS: usize = 8;

/// Parts are multiples of so many terms: no tile passes more through shared memory at a time.
const PART_MULTIPLE: usize = 16;

/// Side of the large tile, 8 x 8 elements a thread, and how many of them make it worth taking.
const LARGE_SIDE: usize = 128;
const ENOUGH_LARGE_TILES: usize = 128;

/// Terms that a large tile sums between two barriers: what 16 KiB of shared memory hold.
const LARGE_K_TILE: usize = 8;

/// As above, for the middle tile.
const MIDDLE_SIDE: usize = 64;
const ENOUGH_MIDDLE_TILES: usize = 64;

/// Terms that other tiles sum between two barriers.
const K_TILE: usize = 16;

/// Sides of tiles of 4 x 4 elements a thread.
const TILE_SIDES: [usize; 2] = [8, 64];

/// A flat tile is widened to this side ...
const WIDE_SIDE: usize = 128;

/// ... until it has this many elements, 64 threads.
const MIN_TILE_LEN: usize = 1024;

/// Workgroups of one lane that parts aim at: enough to fill a large device with a few lanes.
const ENOUGH_WORKGROUPS: usize = 64;

/// Side of the tiles that are counted for it.
const COUNTED_SIDE: usize = 64;

/// Terms of a part at least, so that the parts cost little to put together.
const MIN_PART_LEN: usize = 512;

impl Gemm {
    pub(crate) fn new(tiling: Tiling, m: usize, k: usize, n: usize) -> Self {
        let tile = match tiling {
            Tiling::Shared => shared(m, n),
            Tiling::Subgroup(size) => subgroup(size as usize, m, n),
        };
        let [rows, columns] = tile.sides();
        // Few tiles of many terms, as the gradients of weights are, would leave most of a device
        // idle.
        let n_counted = m.div_ceil(COUNTED_SIDE) * n.div_ceil(COUNTED_SIDE);
        let n_parts = (k / MIN_PART_LEN).min(ENOUGH_WORKGROUPS / n_counted).max(1);
        let k_per_part = k.div_ceil(n_parts).next_multiple_of(PART_MULTIPLE);
        Self {
            tile,
            n_parts: k.div_ceil(k_per_part),
            k_per_part,
            n_tiles: m.div_ceil(rows) * n.div_ceil(columns),
        }
    }

    /// Workgroups per lane.
    pub(crate) fn n_workgroups(&self) -> usize {
        self.n_tiles * self.n_parts
    }

    /// Terms of one part, as a word.
    pub(crate) fn k_per_part(&self) -> u32 {
        word(self.k_per_part)
    }

    /// The constants of the tiling's WGSL file.
    pub(crate) fn constants(&self) -> Vec<(&'static str, f64)> {
        match self.tile {
            Tile::Shared { threads, quads, k_tile } => vec![
                ("THREAD_ROWS", constant(threads[0])),
                ("THREAD_COLUMNS", constant(threads[1])),
                ("ROW_QUADS", constant(quads[0])),
                ("COLUMN_QUADS", constant(quads[1])),
                ("K_TILE", constant(k_tile)),
            ],
            Tile::Subgroup { n_threads, row_blocks, column_quads } => vec![
                ("SUBGROUP_SIZE", constant(n_threads)),
                ("ROW_BLOCKS", constant(row_blocks)),
                ("COLUMN_QUADS", constant(column_quads)),
            ],
        }
    }
}

impl Tile {
    /// Rows and columns.
    fn sides(self) -> [usize; 2] {
        match self {
            Tile::Shared { threads, quads, .. } => {
                [threads[0] * quads[0] * QUAD, threads[1] * quads[1] * QUAD]
            }
            Tile::Subgroup { n_threads, row_blocks, column_quads } => {
                [row_blocks * BLOCK_ROWS, n_threads * column_quads * QUAD]
            }
        }
    }
}

/// The largest tile of which there are enough.
fn shared(m: usize, n: usize) -> Tile {
    let fills = |side: usize, enough: usize| {
        m >= side && n >= side && m.div_ceil(side) * n.div_ceil(side) >= enough
    };
    let square = |side: usize, k_tile| {
        let quads = [2, 2];
        Tile::Shared { threads: [side / (2 * QUAD); 2], quads, k_tile }
    };
    if fills(LARGE_SIDE, ENOUGH_LARGE_TILES) {
        return square(LARGE_SIDE, LARGE_K_TILE);
    }
    if fills(MIDDLE_SIDE, ENOUGH_MIDDLE_TILES) {
        return square(MIDDLE_SIDE, K_TILE);
    }
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
    Tile::Shared { threads: [rows / QUAD, columns / QUAD], quads: [1, 1], k_tile: K_TILE }
}

/// As many rows and columns as the product has, up to 32 rows and two quads a thread.
fn subgroup(n_threads: usize, m: usize, n: usize) -> Tile {
    Tile::Subgroup {
        n_threads,
        row_blocks: m.div_ceil(BLOCK_ROWS).next_power_of_two().min(4),
        column_quads: if n > n_threads * QUAD { 2 } else { 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_follow_the_shape() {
        let sides = |tiling, m, n| Gemm::new(tiling, m, 100, n).tile.sides();
        assert_eq!(sides(Tiling::Shared, 1, 1), [8, 8]);
        assert_eq!(sides(Tiling::Shared, 8, 512), [8, 128]);
        assert_eq!(sides(Tiling::Shared, 100_000, 10), [64, 16]);
        assert_eq!(sides(Tiling::Shared, 768, 768), [64, 64]);
        assert_eq!(sides(Tiling::Shared, 2048, 2048), [128, 128]);
        assert_eq!(sides(Tiling::Subgroup(8), 1, 1), [8, 32]);
        assert_eq!(sides(Tiling::Subgroup(8), 9, 33), [16, 64]);
        assert_eq!(sides(Tiling::Subgroup(16), 768, 768), [32, 128]);
        assert_eq!(Gemm::new(Tiling::Shared, 65, 1, 64).n_workgroups(), 2);
    }

    #[test]
    fn a_large_product_has_eight_by_eight_elements_a_thread() {
        for side in [512, 2048] {
            let Tile::Shared { threads, quads, .. } = shared(side, side) else {
                panic!("a product of {side} in shared memory")
            };
            assert_eq!(quads, [2, 2]);
            assert!([64, 256].contains(&(threads[0] * threads[1])));
        }
    }

    #[test]
    fn parts_cover_k_and_none_is_empty() {
        for k in [1, 15, 16, 1023, 1024, 2049, 60_000, 1_000_003] {
            for (m, n) in [(1, 1), (800, 64), (784, 1024), (25, 32)] {
                let gemm = Gemm::new(Tiling::Shared, m, k, n);
                assert_eq!(gemm.k_per_part % PART_MULTIPLE, 0);
                assert!(gemm.n_parts * gemm.k_per_part >= k);
                assert!((gemm.n_parts - 1) * gemm.k_per_part < k, "m {m}, k {k}, n {n}");
                let software = Gemm::new(Tiling::Subgroup(8), m, k, n);
                assert_eq!(software.n_parts, gemm.n_parts, "memory is planned for any device");
            }
        }
        assert!(Gemm::new(Tiling::Shared, 25, 100_352, 32).n_parts > 16);
        assert_eq!(Gemm::new(Tiling::Shared, 768, 768, 768).n_parts, 1);
    }
}
