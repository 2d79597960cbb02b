//! Percentiles of sorted numbers.

/// The `p`-quantile of ascending numbers, interpolated between its neighbours (the definition that
/// NumPy and R use by default, type 7); `None` of none.
pub(super) fn percentile(ascending: &[f64], p: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let position = p.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    let (lower, upper) = (ascending[below], ascending[above]);
    // Between equal numbers, infinite ones among them, nothing is to be interpolated.
    Some(if lower == upper { lower } else { lower + (position - below as f64) * (upper - lower) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.percentile([1, 2, 4, 8], [0, 25, 50, 97.5, 100])
        let numbers = [1.0, 2.0, 4.0, 8.0];
        let found = [0.0, 0.25, 0.5, 0.975, 1.0].map(|p| percentile(&numbers, p).unwrap());
        for (found, expected) in found.into_iter().zip([1.0, 1.75, 3.0, 7.7, 8.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[f64::INFINITY; 3], 0.7), Some(f64::INFINITY));
    }
}
