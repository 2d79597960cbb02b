//! The shape of steps to result against batch size: perfect scaling, diminishing returns, and
//! maximal data parallelism.

/// Steps to result at a batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurvePoint {
    /// Examples per update.
    pub batch_size: u64,
    /// Steps to result.
    pub steps: u64,
}

impl CurvePoint {
    pub(super) fn n_examples(self) -> f64 {
        self.batch_size as f64 * self.steps as f64
    }
}

/// Steps at each batch size if doubling it halved them: steps(B0) B0 / B.
///
/// B0 is the smallest batch size of the curve, as in the paper's figures; its noise tilts the
/// line. `curve` ascends in batch size, and the result has one number per point.
#[must_use]
pub fn perfect_scaling_line(curve: &[CurvePoint]) -> Vec<f64> {
    let n_examples = curve.first().map_or(0.0, |first| first.n_examples());
    curve.iter().map(|point| n_examples / point.batch_size as f64).collect()
}

/// The largest batch size that takes at most (1 + `tolerance`) times the fewest examples.
///
/// The paper reads it off by eye; the tolerance is ours (0.2 suits). `None` for an empty curve.
#[must_use]
pub fn end_of_perfect_scaling(curve: &[CurvePoint], tolerance: f64) -> Option<u64> {
    let fewest = curve.iter().map(|point| point.n_examples()).min_by(f64::total_cmp)?;
    let frugal = curve.iter().filter(|point| point.n_examples() <= (1.0 + tolerance) * fewest);
    frugal.map(|point| point.batch_size).max()
}

/// The smallest batch size that takes at most (1 + `tolerance`) times the fewest steps.
///
/// The paper reads it off by eye; the tolerance is ours (0.1 to 0.2 suits). `None` for an empty
/// curve.
#[must_use]
pub fn maximum_useful_batch_size(curve: &[CurvePoint], tolerance: f64) -> Option<u64> {
    let fewest = curve.iter().map(|point| point.steps).min()? as f64;
    let fast = curve.iter().filter(|point| point.steps as f64 <= (1.0 + tolerance) * fewest);
    fast.map(|point| point.batch_size).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, u64)]) -> Vec<CurvePoint> {
        points.iter().map(|&(batch_size, steps)| CurvePoint { batch_size, steps }).collect()
    }

    #[test]
    fn line_starts_at_the_smallest_batch_size() {
        let curve = curve(&[(2, 100), (8, 30), (32, 20)]);
        assert_eq!(perfect_scaling_line(&curve), [100.0, 25.0, 6.25]);
    }

    #[test]
    fn three_regimes_have_two_ends() {
        let curve = curve(&[(1, 800), (2, 400), (4, 210), (8, 130), (16, 100), (32, 98)]);
        // Examples: 800, 800, 840, 1040, 1600, 3136.
        assert_eq!(end_of_perfect_scaling(&curve, 0.2), Some(4));
        assert_eq!(maximum_useful_batch_size(&curve, 0.1), Some(16));
        assert_eq!(maximum_useful_batch_size(&curve, 0.0), Some(32));
    }

    #[test]
    fn no_results_have_no_shape() {
        assert!(perfect_scaling_line(&[]).is_empty());
        assert_eq!(end_of_perfect_scaling(&[], 0.2), None);
        assert_eq!(maximum_useful_batch_size(&[], 0.2), None);
    }
}
