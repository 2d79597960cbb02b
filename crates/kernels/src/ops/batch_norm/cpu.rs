//! Native kernels of ghost batch norm: rows of channels, a group at a time.

use super::{Affine, BatchNorm, DECAY, EPSILON, RunningMoments};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::ops::bias::SUM_BLOCK_ROWS;
use crate::real::Real;

/// Elements per parallel piece of what goes row by row, about.
const CHUNK_LEN: usize = 1 << 15;

impl BatchNorm {
    /// Mean and variance of each group.
    pub(crate) fn moments_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        x: &[T],
        moments: &mut [T],
    ) {
        let (means, variances) = moments.split_at_mut(self.n_groups * self.columns);
        let count = self.count::<T>();
        chunks::for_each_pair(
            context.parallel,
            means,
            variances,
            self.columns,
            |group, mean, variance| {
                let x = &x[group * self.group_len()..][..self.group_len()];
                self.sum_rows(context, x, mean, |x, sum| {
                    for (sum, &x) in sum.iter_mut().zip(x) {
                        *sum += x;
                    }
                });
                mean.iter_mut().for_each(|mean| *mean /= count);
                self.sum_rows(context, x, variance, |x, sum| {
                    for ((sum, &x), &mean) in sum.iter_mut().zip(x).zip(&*mean) {
                        *sum += (x - mean) * (x - mean);
                    }
                });
                variance.iter_mut().for_each(|variance| *variance /= count);
            },
        );
    }

    /// `y = scale (x - m) r + offset`.
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let &[x, moments, scale, offset] = inputs else { unreachable!("four inputs") };
        self.for_each_rows(context, y, |group, start, y| {
            let (mean, deviation) = self.mean_and_deviation(context, moments, group);
            vectorised!({
                let x = &x[start..start + y.len()];
                for (y, x) in y.chunks_exact_mut(self.columns).zip(x.chunks_exact(self.columns)) {
                    for c in 0..self.columns {
                        y[c] = scale[c] * ((x[c] - mean[c]) * deviation[c]) + offset[c];
                    }
                }
            });
            context.scratch.give(deviation);
        });
    }

    /// `sum(grad_y)` and `sum(grad_y h)` of each group.
    pub(crate) fn sums_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        sums: &mut [T],
    ) {
        let &[x, moments, grad_y] = inputs else { unreachable!("three inputs") };
        let (plain, weighted) = sums.split_at_mut(self.n_groups * self.columns);
        chunks::for_each_pair(
            context.parallel,
            plain,
            weighted,
            self.columns,
            |group, plain, weighted| {
                let part = group * self.group_len()..(group + 1) * self.group_len();
                let (x, grad_y) = (&x[part.clone()], &grad_y[part]);
                let (mean, deviation) = self.mean_and_deviation(context, moments, group);
                self.sum_rows(context, grad_y, plain, |grad_y, sum| {
                    for (sum, &grad_y) in sum.iter_mut().zip(grad_y) {
                        *sum += grad_y;
                    }
                });
                self.sum_row_pairs(context, x, grad_y, weighted, |x, grad_y, sum| {
                    for c in 0..sum.len() {
                        sum[c] += grad_y[c] * ((x[c] - mean[c]) * deviation[c]);
                    }
                });
                context.scratch.give(deviation);
            },
        );
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_x: &mut [T],
    ) {
        let &[x, moments, scale, grad_y, sums] = inputs else { unreachable!("five inputs") };
        let count = self.count::<T>();
        let (plain, weighted) = sums.split_at(self.n_groups * self.columns);
        self.for_each_rows(context, grad_x, |group, start, grad_x| {
            let (mean, deviation) = self.mean_and_deviation(context, moments, group);
            let plain = &plain[group * self.columns..][..self.columns];
            let weighted = &weighted[group * self.columns..][..self.columns];
            vectorised!({
                let columns = self.columns;
                let x = x[start..start + grad_x.len()].chunks_exact(columns);
                let grad_y = grad_y[start..start + grad_x.len()].chunks_exact(columns);
                for ((grad_x, x), grad_y) in grad_x.chunks_exact_mut(columns).zip(x).zip(grad_y) {
                    for c in 0..columns {
                        let h = (x[c] - mean[c]) * deviation[c];
                        let centred = grad_y[c] - plain[c] / count - h * (weighted[c] / count);
                        grad_x[c] = scale[c] * deviation[c] * centred;
                    }
                }
            });
            context.scratch.give(deviation);
        });
    }

    /// One of the two sums over all groups.
    pub(crate) fn sum_groups_cpu<T: Real>(self, which: Affine, sums: &[T], y: &mut [T]) {
        let (plain, weighted) = sums.split_at(self.n_groups * self.columns);
        let sums = match which {
            Affine::Offset => plain,
            Affine::Scale => weighted,
        };
        add_groups(sums, y);
    }

    /// The mean of a group's channels, and one over their deviation in scratch memory.
    fn mean_and_deviation<'m, T: Real>(
        self,
        context: &CpuContext<'_, T>,
        moments: &'m [T],
        group: usize,
    ) -> (&'m [T], Vec<T>) {
        let (means, variances) = moments.split_at(self.n_groups * self.columns);
        let group = group * self.columns..(group + 1) * self.columns;
        let mut deviation = context.scratch.take(self.columns);
        let epsilon = T::of(f64::from(EPSILON));
        for (deviation, &variance) in deviation.iter_mut().zip(&variances[group.clone()]) {
            *deviation = T::one() / (variance + epsilon).sqrt();
        }
        (&means[group], deviation)
    }

    /// Calls `work(group, start, part)` for parts of whole rows that lie in one group.
    fn for_each_rows<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        y: &mut [T],
        work: impl Fn(usize, usize, &mut [T]) + Sync,
    ) {
        let chunk_rows = (CHUNK_LEN / self.columns).clamp(1, self.group_rows);
        // Pieces must not cross groups, so they are the largest divisor that is no longer.
        let chunk_rows =
            (1..=chunk_rows).rev().find(|rows| self.group_rows.is_multiple_of(*rows)).unwrap_or(1);
        let chunk_len = chunk_rows * self.columns;
        chunks::for_each(context.parallel, y, chunk_len, |chunk, y| {
            let start = chunk * chunk_len;
            work(start / self.group_len(), start, y);
        });
    }

    /// Adds up the rows of a group: blocks first, then the blocks.
    fn sum_rows<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        x: &[T],
        sum: &mut [T],
        add: impl Fn(&[T], &mut [T]),
    ) {
        self.sum_row_pairs(context, x, x, sum, |x, _, sum| add(x, sum));
    }

    /// As [`BatchNorm::sum_rows`], of two operands.
    fn sum_row_pairs<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        x: &[T],
        y: &[T],
        sum: &mut [T],
        add: impl Fn(&[T], &[T], &mut [T]),
    ) {
        let block_len = SUM_BLOCK_ROWS * self.columns;
        let mut partial = context.scratch.take(self.columns);
        sum.fill(T::zero());
        for (x, y) in x.chunks(block_len).zip(y.chunks(block_len)) {
            partial.fill(T::zero());
            let rows = x.chunks_exact(self.columns).zip(y.chunks_exact(self.columns));
            rows.for_each(|(x, y)| add(x, y, &mut partial));
            for (sum, &partial) in sum.iter_mut().zip(&partial) {
                *sum += partial;
            }
        }
        context.scratch.give(partial);
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 rows")]
    fn count<T: Real>(self) -> T {
        T::of(self.group_rows as f64)
    }
}

impl RunningMoments {
    /// `running = decay running + (1 - decay) mean over groups`.
    pub(crate) fn cpu<T: Real>(self, moments: &[T], running: &mut [T]) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 groups")]
        let share = T::of(1.0 / (self.n_groups * self.n_parts) as f64);
        let decay = T::of(f64::from(DECAY));
        let groups = self.n_groups * self.columns;
        for (running, moments) in
            running.chunks_exact_mut(self.columns).zip(moments.chunks_exact(groups))
        {
            for (c, running) in running.iter_mut().enumerate() {
                let sum: T = moments.iter().skip(c).step_by(self.columns).copied().sum();
                *running = decay * *running + (T::one() - decay) * (share * sum);
            }
        }
    }
}

/// `y[c] = sum over groups of sums[g, c]`.
fn add_groups<T: Real>(sums: &[T], y: &mut [T]) {
    y.fill(T::zero());
    for sums in sums.chunks_exact(y.len()) {
        for (y, &sum) in y.iter_mut().zip(sums) {
            *y += sum;
        }
    }
}
