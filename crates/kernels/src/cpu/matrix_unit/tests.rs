//! Splitting and the order of tiles, by a unit in software on every machine, and that unit against the real
//! one where there is one.

use super::split::{CHUNK_TERMS, Chunk, PANEL, TILE, TILE_LEN, parts_of};
use super::{MatrixUnit, Operand, Side, SplitBuffer, Unit, multiply_on};
use crate::cpu::ScratchPool;
use crate::cpu::product::{Order, Rows};
use crate::testing::{assert_close, random_values};

/// TDPBF16PS in software, as the manual has it.
struct Emulated;

/// Parts of the left and right operand in the order in which they are multiplied.
const PARTS: [(usize, usize); 6] = [(2, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 0)];

fn tile(chunk: &Chunk, part: usize, tile: usize) -> [f32; TILE_LEN] {
    let numbers: &[u16] = bytemuck::cast_slice(chunk);
    let tile: &[u16; TILE_LEN] = numbers[(2 * part + tile) * TILE_LEN..].first_chunk().unwrap();
    tile.map(|bits| f32::from_bits(u32::from(bits) << 16))
}

impl Unit for Emulated {
    fn multiply(&self, lhs: &[Chunk], rhs: &[Chunk], sums: &mut [f32], stride: usize, add: bool) {
        if !add {
            (0..PANEL).for_each(|row| sums[row * stride..][..PANEL].fill(0.0));
        }
        for (lhs, rhs) in lhs.iter().zip(rhs) {
            for (left, right) in PARTS {
                for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let (lhs, rhs) = (tile(lhs, left, i), tile(rhs, right, j));
                    for (row, lhs) in lhs.chunks_exact(CHUNK_TERMS).enumerate() {
                        for column in 0..TILE {
                            let mut halves = [0.0f32; 2];
                            for (term, &x) in lhs.iter().enumerate() {
                                let y = rhs[term / 2 * CHUNK_TERMS + 2 * column + term % 2];
                                halves[term % 2] = x.mul_add(y, halves[term % 2]);
                            }
                            sums[(i * TILE + row) * stride + j * TILE + column] +=
                                halves[0] + halves[1];
                        }
                    }
                }
            }
        }
    }
}

/// `lhs rhs` of matrices with terms inside or not, each with a gap after its rows.
fn product(
    unit: &impl Unit,
    [m, k, n]: [usize; 3],
    orders: [Order; 2],
    parallel: bool,
    block_terms: usize,
) -> Vec<f32> {
    let matrix = |seed, n_lines: usize, order| {
        let (rows, columns) = match order {
            Order::TermsInside => (n_lines, k),
            Order::RowsInside => (k, n_lines),
        };
        let stride = columns + 3;
        let dense: Vec<f32> = random_values(seed, n_lines * k);
        let mut data = vec![f32::NAN; rows * stride];
        for line in 0..n_lines {
            for term in 0..k {
                let place = match order {
                    Order::TermsInside => line * stride + term,
                    Order::RowsInside => term * stride + line,
                };
                data[place] = dense[line * k + term];
            }
        }
        (data, stride)
    };
    let scratch = ScratchPool::new();
    let (lhs, lhs_stride) = matrix(1, m, orders[0]);
    let (rhs, rhs_stride) = matrix(2, n, orders[1]);
    let lhs = Operand { data: &lhs, order: orders[0], stride: lhs_stride, n_lines: m, n_terms: k };
    let rhs = Operand { data: &rhs, order: orders[1], stride: rhs_stride, n_lines: n, n_terms: k };
    let mut y = vec![f32::NAN; m * n];
    for term in (0..k).step_by(block_terms) {
        let terms = [term, block_terms.min(k - term)];
        let mut left = SplitBuffer::take(&scratch, m, terms[1]);
        let mut right = SplitBuffer::take(&scratch, n, terms[1]);
        left.0.fill(f32::NAN);
        right.0.fill(f32::NAN);
        let lhs = left.split(parallel, lhs.part([0, m], terms), Side::Left);
        let rhs = right.split(parallel, rhs.part([0, n], terms), Side::Right);
        multiply_on(unit, lhs, rhs, Rows { y: &mut y, stride: n, n_rows: m }, term > 0);
    }
    y
}

const SIZES: [[usize; 3]; 7] = [
    [1, 1, 1],
    [16, 32, 16],
    [32, 32, 32],
    [33, 65, 47],
    [70, 100, 96],
    [5, 200, 64],
    [150, 7, 17],
];

const ORDERS: [[Order; 2]; 4] = [
    [Order::TermsInside, Order::TermsInside],
    [Order::TermsInside, Order::RowsInside],
    [Order::RowsInside, Order::TermsInside],
    [Order::RowsInside, Order::RowsInside],
];

/// By the definition in double precision; `random_values` tells lines and terms apart.
#[test]
fn products_are_those_of_the_definition_in_any_order() {
    for size @ [m, k, n] in SIZES {
        let (lhs, rhs): (Vec<f32>, Vec<f32>) = (random_values(1, m * k), random_values(2, n * k));
        let mut expected = vec![0.0; m * n];
        for (row, lhs) in lhs.chunks_exact(k).enumerate() {
            for (column, rhs) in rhs.chunks_exact(k).enumerate() {
                let terms = lhs.iter().zip(rhs).map(|(&x, &y)| f64::from(x) * f64::from(y));
                expected[row * n + column] = terms.sum();
            }
        }
        let first = product(&Emulated, size, ORDERS[0], false, k);
        assert_close("product", &first, &expected, k);
        for orders in ORDERS {
            assert_eq!(product(&Emulated, size, orders, false, k), first, "{size:?} {orders:?}");
            assert_eq!(product(&Emulated, size, orders, true, k), first, "{size:?} {orders:?}");
            let in_blocks = product(&Emulated, size, orders, false, CHUNK_TERMS);
            assert_eq!(in_blocks, first, "{size:?} {orders:?} in blocks of terms");
        }
    }
}

#[test]
fn the_unit_does_what_its_manual_says() {
    if !MatrixUnit::is_available() {
        return;
    }
    for size in SIZES {
        for (orders, block_terms) in
            ORDERS.into_iter().flat_map(|o| [(o, size[1]), (o, CHUNK_TERMS)])
        {
            let real = product(&MatrixUnit::take(), size, orders, false, block_terms);
            let emulated = product(&Emulated, size, orders, false, block_terms);
            assert_eq!(real, emulated, "{size:?} {orders:?}, {block_terms} terms at a time");
        }
    }
}

/// Three parts hold all 24 bits; each is of 8 bits.
#[test]
fn the_parts_of_a_number_are_the_number() {
    let numbers: Vec<f32> = random_values(3, 10_000);
    let others = [0.0, -0.0, 1.0, 0.1, 1.0 - f32::EPSILON, 1.0 + f32::EPSILON, 3.38e38, 1e-20];
    let ends = [0x3f7f_ffffu32, 0x3f80_7fff, 0x3f80_8000, 0x3f80_8001, 0x3fff_ffff, 0x7f7f_7fff];
    for number in numbers.into_iter().chain(others).chain(ends.map(f32::from_bits)) {
        let parts = parts_of(number).map(f32::from_bits);
        assert_eq!(f64::from(number), parts.iter().map(|&part| f64::from(part)).sum::<f64>());
        assert!(parts.iter().all(|part| part.to_bits() & 0xffff == 0), "{number}");
        for (part, exponent) in [(parts[1], -8), (parts[2], -17)] {
            assert!(part.abs() <= number.abs() * 2.0f32.powi(exponent), "{number}: {parts:?}");
        }
    }
    let payloads = [0x7fff_ffffu32, 0xffff_ffff, 0x7f80_0001].map(f32::from_bits);
    let infinite = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX];
    for number in infinite.into_iter().chain(payloads) {
        assert!(parts_of(number).iter().any(|&part| f32::from_bits(part).is_nan()), "{number}");
    }
}

/// Errors are measured against those of a chain of fused multiply-adds of the same numbers.
#[test]
fn rounding_errors_are_not_larger_than_those_of_fused_multiply_adds() {
    for k in [64, 1024] {
        let size = [32, k, 32];
        let (lhs, rhs): (Vec<f32>, Vec<f32>) = (random_values(1, 32 * k), random_values(2, 32 * k));
        let split = product(&Emulated, size, ORDERS[0], false, k);
        let mut errors = [0.0f64; 2];
        for (place, split) in split.into_iter().enumerate() {
            let (lhs, rhs) = (&lhs[place / 32 * k..][..k], &rhs[place % 32 * k..][..k]);
            let (mut exact, mut chain) = (0.0f64, 0.0f32);
            for (&x, &y) in lhs.iter().zip(rhs) {
                exact += f64::from(x) * f64::from(y);
                chain = x.mul_add(y, chain);
            }
            for (error, product) in errors.iter_mut().zip([split, chain]) {
                *error += (f64::from(product) - exact).powi(2);
            }
        }
        assert!(errors[0] < errors[1], "{k} terms: squares {errors:?}");
    }
}
