//! How the kernels of a plan are cut into submissions.

use std::ops::Range;

/// What a submission holds at most, but for a single kernel that is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Kernels, so that recording and running overlap ...
    pub(crate) n_kernels: usize,
    /// ... and what they cost in all lanes, in floating-point operations: a tenth of a second on a
    /// device that runs 2 TFLOP/s, far from the seconds after which a driver takes a device to hang.
    pub(crate) cost: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { n_kernels: 512, cost: 200_000_000_000 }
    }
}

/// Submissions of a plan: of so many whole iterations, or of the parts of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submissions {
    /// Iterations of one submission; 1 if an iteration takes several.
    pub(crate) n_iterations: u32,
    /// Kernels of an iteration that are submitted together, in their order.
    pub(crate) parts: Vec<Range<usize>>,
}

impl Limits {
    /// Cuts an iteration of kernels that cost so much in all lanes.
    pub(crate) fn cut(self, costs: &[u64]) -> Submissions {
        let mut parts = vec![];
        let (mut begin, mut sum) = (0, 0_u64);
        for (index, &cost) in costs.iter().enumerate() {
            let is_full = index - begin == self.n_kernels || sum + cost > self.cost;
            if is_full && index > begin {
                parts.push(begin..index);
                (begin, sum) = (index, 0);
            }
            sum += cost;
        }
        parts.push(begin..costs.len());
        let n_iterations = match parts.len() {
            1 => self.n_iterations(costs.len(), sum),
            _ => 1,
        };
        Submissions { n_iterations, parts }
    }

    fn n_iterations(self, n_kernels: usize, cost: u64) -> u32 {
        let by_kernels = (self.n_kernels / n_kernels.max(1)) as u64;
        let bound = by_kernels.min(self.cost / cost.max(1)).max(1);
        u32::try_from(bound).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { n_kernels: 4, cost: 100 };

    /// Iterations of a submission, and where its parts end, each where the next begins.
    fn cut(costs: &[u64]) -> (u32, Vec<usize>) {
        let Submissions { n_iterations, parts } = LIMITS.cut(costs);
        let ends: Vec<usize> = parts.iter().map(|part| part.end).collect();
        let begins: Vec<usize> = parts.iter().map(|part| part.start).collect();
        assert_eq!((begins[0], &begins[1..]), (0, &ends[..ends.len() - 1]));
        (n_iterations, ends)
    }

    #[test]
    fn small_iterations_go_together() {
        assert_eq!(cut(&[10]), (4, vec![1]));
        assert_eq!(cut(&[30, 0]), (2, vec![2]));
        assert_eq!(cut(&[40, 5]), (2, vec![2]));
        assert_eq!(cut(&[60, 40]), (1, vec![2]));
        assert_eq!(cut(&[]), (4, vec![0]));
    }

    #[test]
    fn a_large_iteration_is_cut_where_a_limit_would_be_passed() {
        assert_eq!(cut(&[60, 41, 59, 0, 1]), (1, vec![1, 4, 5]));
        assert_eq!(cut(&[0; 9]), (1, vec![4, 8, 9]));
        assert_eq!(cut(&[500, 1, 500]), (1, vec![1, 2, 3]));
        assert_eq!(cut(&[500]), (1, vec![1]));
    }
}
