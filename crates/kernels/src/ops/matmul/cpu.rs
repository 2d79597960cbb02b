//! Native kernel of the product.
//!
//! Sums over k are cut where the shape says, never where threads do, so that the bits of a product
//! do not depend on the number of threads.

use super::{Epilogue, Matmul};
use crate::cpu::product::{
    Lhs, Order, Panels, Rows, Source, column_width, dots, multiply, pack, packed_len, transpose,
};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, ScratchLens, chunks};
use crate::ops::relu::relu;
use crate::real::Real;

/// Multiply-adds of one parallel piece, about.
const CHUNK_WORK: usize = 1 << 22;

/// Rows of the smallest piece.
const MIN_CHUNK_ROWS: usize = 32;

/// Columns of a piece of a product of few rows.
const CHUNK_COLUMNS: usize = 256;

/// Rows from which on it pays to copy the right operand into panels.
const MIN_PACKED_ROWS: usize = 32;

/// Elements of the panels at a time: half of a second-level cache in f32 ...
const PACKED_LEN: usize = 1 << 18;

/// ... or, where fewer rows than [`MANY_ROWS`] read them, a quarter of that, so that what was just written is
/// still near ...
const SMALL_PACKED_LEN: usize = 1 << 16;

/// ... and so many terms at least: shorter passes spend their time on loading and storing sums.
const MIN_PACKED_TERMS: usize = 64;

/// Rows that read panels often enough for it not to matter where they come from first.
const MANY_ROWS: usize = 64;

/// Terms that one pass over panels sums: its part of a panel fits a first-level cache.
pub(crate) const PASS_TERMS: usize = 256;

/// Elements of a right operand in place that one pass sums over, an eighth of a second-level cache
/// in f32.
const STREAMED_LEN: usize = 1 << 15;

/// Elements of a right operand, 2 MiB in f32, up to which reading it ahead costs more than it gives:
/// caches hold it, and its rows are short.
const MAX_NEAR_LEN: usize = 1 << 19;

/// Terms of such a pass at least: shorter ones spend their time on loading and storing sums.
const MIN_STREAMED_TERMS: usize = 16;

/// Panels of one parallel piece of copying.
const CHUNK_PANELS: usize = 2;

/// Products of at most so many rows with a transposed operand are dot products ...
const MAX_DOT_ROWS: usize = 15;

/// ... of at least so many terms: shorter ones cost more to put together than to sum.
const MIN_DOT_TERMS: usize = 64;

/// How a product is made; its shape alone decides, on one machine.
enum Way {
    /// In parts, on the matrix unit.
    MatrixUnit,
    /// `op(lhs) rhs`.
    AsItStands,
    /// Dot products of rows of `lhs` and `rhs`.
    Dots,
    /// `rhs` is transposed first, which takes less copying than everything else ...
    TransposedRhs,
    /// ... or everything else is.
    TransposedResult,
}

impl Matmul {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let (lhs, rhs) = (inputs[0], inputs[1]);
        match self.way::<T>() {
            Way::MatrixUnit => self.product_on_matrix_unit(context, lhs, rhs, y),
            Way::AsItStands => self.product(context, lhs, rhs, y),
            Way::Dots => self.dot_products(context, lhs, rhs, y),
            Way::TransposedRhs => self.with_transposed_rhs(context, lhs, rhs, y),
            Way::TransposedResult => self.transposed_result(context, lhs, rhs, y),
        }
        if self.epilogue != Epilogue::default() {
            let len = MIN_CHUNK_ROWS * self.n;
            let bias = inputs.get(2).copied();
            chunks::for_each(context.parallel, y, len, |_, y| self.epilogue.apply(bias, y));
        }
    }

    /// What [`Matmul::cpu`] takes where lanes run side by side; few lanes on many threads take as much
    /// again as the result for its parts.
    pub(crate) fn scratch<T: Real>(self) -> ScratchLens {
        let Self { m, k, n, .. } = self;
        let mut lens = vec![];
        let product = match self.way::<T>() {
            Way::MatrixUnit => return self.scratch_on_matrix_unit::<T>(),
            Way::AsItStands => self,
            Way::Dots => return ScratchLens::default(),
            Way::TransposedRhs => {
                lens.push(k * n);
                self
            }
            Way::TransposedResult => {
                lens.push(n * m);
                lens.extend((!self.transpose_lhs).then_some(k * m));
                self.swapped()
            }
        };
        if !product.is_streamed::<T>() {
            lens.push(packed_len::<T>(product.packed_terms::<T>(), product.n));
        }
        ScratchLens { of_op: lens, of_piece: vec![] }
    }

    fn way<T: Real>(self) -> Way {
        let Self { m, k, n, .. } = self;
        if self.is_for_matrix_unit::<T>() {
            Way::MatrixUnit
        } else if !self.transpose_rhs {
            Way::AsItStands
        } else if !self.transpose_lhs && m <= MAX_DOT_ROWS && k >= MIN_DOT_TERMS {
            Way::Dots
        } else if n * k <= m * (n + k) {
            Way::TransposedRhs
        } else {
            Way::TransposedResult
        }
    }

    /// Whether `rhs` of `y = op(lhs) rhs` is read where it lies.
    fn is_streamed<T: Real>(self) -> bool {
        self.m < MIN_PACKED_ROWS && self.n.is_multiple_of(column_width::<T>())
    }

    /// Terms of `rhs` that are in panels at a time.
    fn packed_terms<T: Real>(self) -> usize {
        let n = self.n.next_multiple_of(column_width::<T>());
        let n_terms = match self.m < MANY_ROWS {
            true => (SMALL_PACKED_LEN / n).max(MIN_PACKED_TERMS),
            false => (PACKED_LEN / n).max(PASS_TERMS),
        };
        n_terms.min(self.k)
    }

    /// `y^T = rhs op(lhs)^T`, both as they stand.
    fn swapped(self) -> Self {
        let Self { m, n, .. } = self;
        Self { m: n, n: m, transpose_lhs: false, transpose_rhs: false, ..self }
    }

    /// `y = op(lhs) rhs`.
    fn product<T: Real>(self, context: &CpuContext<'_, T>, lhs: &[T], rhs: &[T], y: &mut [T]) {
        let Self { k, n, .. } = self;
        let lhs = self.lhs(lhs);
        if self.is_streamed::<T>() {
            self.streamed_product(context, lhs, Panels::in_place(rhs, n), y);
        } else {
            let rhs = Source::matrix(rhs, k, n);
            self.packed_product(context, lhs, &rhs, y);
        }
    }

    /// The left operand, where it lies.
    pub(crate) fn lhs<T>(self, lhs: &[T]) -> Lhs<'_, T> {
        let (order, stride) = if self.transpose_lhs {
            (Order::RowsInside, self.m)
        } else {
            (Order::TermsInside, self.k)
        };
        Lhs::matrix(lhs, order, stride, self.k)
    }

    /// Few rows: the right operand is read once, in the order of memory.
    fn streamed_product<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        lhs: Lhs<'_, T>,
        rhs: Panels<'_, T>,
        y: &mut [T],
    ) {
        let Self { m, k, n, .. } = self;
        let width = column_width::<T>();
        let terms = (STREAMED_LEN / n).clamp(MIN_STREAMED_TERMS, PASS_TERMS);
        let is_far = k * n > MAX_NEAR_LEN;
        for_each_columns(context, y, [m, n], |first_column, n_columns, y, stride| {
            for first in (0..k).step_by(terms) {
                let n_terms = terms.min(k - first);
                let lhs = lhs.part(0, first, n_terms);
                let first_element = first_column / width * rhs.panel_stride;
                let rhs = Panels { data: &rhs.data[first_element..], n_columns, ..rhs };
                let rhs = rhs.starting_at(first);
                if is_far {
                    rhs.bring_near(n_terms);
                }
                let rows = Rows { y: &mut *y, stride, n_rows: m };
                multiply(&lhs, &rhs, rows, first > 0);
            }
        });
    }

    /// Many rows: as much of the right operand as fits the cache is copied into panels at a time.
    fn packed_product<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        lhs: Lhs<'_, T>,
        rhs: &Source<'_, T>,
        y: &mut [T],
    ) {
        let Self { k, n, .. } = self;
        let width = column_width::<T>();
        let block = self.packed_terms::<T>();
        let chunk_rows = (CHUNK_WORK / (k * n).max(1)).max(MIN_CHUNK_ROWS);
        let mut packed = context.scratch.take(packed_len::<T>(block, n));
        for first in (0..k).step_by(block) {
            let n_terms = block.min(k - first);
            let packed = &mut packed[..packed_len::<T>(n_terms, n)];
            let rhs = Source { data: &rhs.data[first * n..], n_terms, ..*rhs };
            // Panels are cut between threads in whole panels.
            let columns = CHUNK_PANELS * width;
            chunks::for_each(context.parallel, packed, columns * n_terms, |chunk, packed| {
                let first_column = chunk * columns;
                let n_columns = columns.min(n - first_column);
                pack(&Source { data: &rhs.data[first_column..], n_columns, ..rhs }, packed);
            });
            let rhs = Panels::packed(packed, n_terms, n);
            chunks::for_each(context.parallel, y, chunk_rows * n, |chunk, y| {
                for pass in (0..n_terms).step_by(PASS_TERMS) {
                    let pass_terms = PASS_TERMS.min(n_terms - pass);
                    let lhs = lhs.part(chunk * chunk_rows, first + pass, pass_terms);
                    let rows = Rows { n_rows: y.len() / n, y: &mut *y, stride: n };
                    multiply(&lhs, &rhs.starting_at(pass), rows, first + pass > 0);
                }
            });
        }
        context.scratch.give(packed);
    }

    /// `y = lhs rhs^T` of few rows.
    fn dot_products<T: Real>(self, context: &CpuContext<'_, T>, lhs: &[T], rhs: &[T], y: &mut [T]) {
        let Self { m, k, n, .. } = self;
        for_each_columns(context, y, [m, n], |first, n_columns, y, stride| {
            dots(lhs, &rhs[first * k..(first + n_columns) * k], k, y, stride);
        });
    }

    /// `y = op(lhs) rhs^T` by way of a copy of `rhs`.
    fn with_transposed_rhs<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        lhs: &[T],
        rhs: &[T],
        y: &mut [T],
    ) {
        let Self { k, n, .. } = self;
        let mut rhs_transposed = context.scratch.take(k * n);
        transpose_rows(context.parallel, rhs, [n, k], &mut rhs_transposed);
        self.product(context, lhs, &rhs_transposed, y);
        context.scratch.give(rhs_transposed);
    }

    /// `y^T = rhs op(lhs)^T`: everything but `rhs` is transposed.
    fn transposed_result<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        lhs: &[T],
        rhs: &[T],
        y: &mut [T],
    ) {
        let Self { m, k, n, .. } = self;
        let mut y_transposed = context.scratch.take(n * m);
        if self.transpose_lhs {
            self.swapped().product(context, rhs, lhs, &mut y_transposed);
        } else {
            let mut lhs_transposed = context.scratch.take(k * m);
            transpose_rows(context.parallel, lhs, [m, k], &mut lhs_transposed);
            self.swapped().product(context, rhs, &lhs_transposed, &mut y_transposed);
            context.scratch.give(lhs_transposed);
        }
        transpose_rows(context.parallel, &y_transposed, [n, m], y);
        context.scratch.give(y_transposed);
    }
}

/// `to = from^T` of a matrix without gaps.
fn transpose_rows<T: Real>(
    parallel: bool,
    from: &[T],
    [n_rows, n_columns]: [usize; 2],
    to: &mut [T],
) {
    chunks::for_each(parallel, to, CHUNK_COLUMNS * n_rows, |chunk, to| {
        let size = [n_rows, to.len() / n_rows];
        transpose(&from[chunk * CHUNK_COLUMNS..], size, n_columns, to, n_rows);
    });
}

/// Calls `work(first, n_columns, part, stride)` for parts of the columns of `y: [m, n]`, whose rows
/// are `stride` apart: in `y` itself on one thread, in buffers that are copied to it on several.
fn for_each_columns<T: Real>(
    context: &CpuContext<'_, T>,
    y: &mut [T],
    [m, n]: [usize; 2],
    work: impl Fn(usize, usize, &mut [T], usize) + Sync,
) {
    if !context.parallel || n <= CHUNK_COLUMNS {
        return work(0, n, y, n);
    }
    let mut parts = context.scratch.take(m * n);
    let part_len = m * CHUNK_COLUMNS;
    chunks::for_each(true, &mut parts, part_len, |part, y| {
        work(part * CHUNK_COLUMNS, y.len() / m, y, y.len() / m);
    });
    for (part, first) in parts.chunks(part_len).zip((0..n).step_by(CHUNK_COLUMNS)) {
        let n_columns = part.len() / m;
        for (row, part) in part.chunks_exact(n_columns).enumerate() {
            y[row * n + first..][..n_columns].copy_from_slice(part);
        }
    }
    context.scratch.give(parts);
}

impl Epilogue {
    /// Bias and ReLU over rows of `bias.len()` columns.
    pub(crate) fn apply<T: Real>(self, bias: Option<&[T]>, y: &mut [T]) {
        vectorised!(match (bias, self.relu) {
            (Some(bias), true) => add_bias(bias, y, relu),
            (Some(bias), false) => add_bias(bias, y, |y| y),
            (None, true) => y.iter_mut().for_each(|y| *y = relu(*y)),
            (None, false) => {}
        });
    }
}

#[inline(always)]
fn add_bias<T: Real>(bias: &[T], y: &mut [T], then: impl Fn(T) -> T) {
    for row in y.chunks_exact_mut(bias.len()) {
        for (y, &bias) in row.iter_mut().zip(bias) {
            *y = then(*y + bias);
        }
    }
}
