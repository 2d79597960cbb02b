//! When a trial is measured: on a grid whose relative spacing is the same at every batch size.

/// Examples that are trained on for each measurement of the gradient noise: twice as many as critbatch's
/// trainer looks at for one.
const EXAMPLES_PER_NOISE_POINT: u64 = 512;

/// The steps at which a trial is measured.
///
/// # Equation
///
/// With relative spacing r and dense end s = ceil(1 / r): every step from 0 to s (there one step is
/// at least r of the step), then round(s (1 + r)^k) for k = 1, 2, ..., and the budget's last step.
/// From s on neighbours lie at least 1 apart before rounding, so the grid strictly ascends; each
/// point is a function of k alone, so rounding does not add up.
///
/// Steps to result is quantised by this grid. A spacing that was finer, relative to the result, at
/// one batch size than at another would tilt the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluationGrid {
    relative_spacing: f64,
    budget_steps: u64,
    dense_end: u64,
}

impl EvaluationGrid {
    /// The grid of a spacing in (0, 1] and a budget in steps.
    #[must_use]
    pub fn new(relative_spacing: f64, budget_steps: u64) -> EvaluationGrid {
        // 1 / r may round to just above a whole number; a hair less keeps 1 / 0.05 at 20.
        let dense_end = ((1.0 / relative_spacing) * (1.0 - f64::EPSILON)).ceil() as u64;
        EvaluationGrid { relative_spacing, budget_steps, dense_end: dense_end.max(1) }
    }

    /// The first point after a step; `None` at the budget's last step and beyond.
    #[must_use]
    pub fn next_after(&self, step: u64) -> Option<u64> {
        if step >= self.budget_steps {
            return None;
        }
        if step < self.dense_end {
            return Some(step + 1);
        }
        let k = (step as f64 / self.dense_end as f64).ln() / self.relative_spacing.ln_1p();
        // Start one point early: the logarithm may have rounded up.
        let first = (k as u64).saturating_sub(1);
        let next = (first..).map(|k| self.geometric_point(k)).find(|point| *point > step)?;
        Some(next.min(self.budget_steps))
    }

    /// All points, ascending, 0 among them.
    pub fn points(&self) -> impl Iterator<Item = u64> + use<> {
        let grid = *self;
        std::iter::successors(Some(0), move |step| grid.next_after(*step))
    }

    /// Number of points: the measurements of a trial that spends its budget.
    #[must_use]
    pub fn n_points(&self) -> u64 {
        self.points().count() as u64
    }

    /// The first point before step `end` that has no measurement.
    #[must_use]
    pub fn first_missing(&self, end: u64, is_measured: impl Fn(u64) -> bool) -> Option<u64> {
        self.points().take_while(|point| *point < end).find(|point| !is_measured(*point))
    }

    /// Whether the gradient noise is measured at a point too, at a batch size B: where the point is the
    /// first one in its stretch of w = ceil(512 / B) steps, from 0 to w - 1, from w to 2 w - 1 and so on.
    ///
    /// A measurement takes as long as training on some hundred examples, and at small batch sizes points
    /// lie closer together than that. So all but the first, before training, take about half as long as
    /// training at most. Where trials take many times 512 examples what is left out hardly weighs: the noise
    /// scale weighs a measurement by the steps that it stands for. From a batch size of 512 on it is every
    /// point.
    #[must_use]
    pub fn is_noise_point(&self, point: u64, batch_size: u64) -> bool {
        let stretch = EXAMPLES_PER_NOISE_POINT.div_ceil(batch_size.max(1));
        let begin = point / stretch * stretch;
        let first = begin.checked_sub(1).map_or(Some(0), |before| self.next_after(before));
        first == Some(point)
    }

    fn geometric_point(&self, k: u64) -> u64 {
        (self.dense_end as f64 * (1.0 + self.relative_spacing).powf(k as f64)).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(relative_spacing: f64, budget_steps: u64) -> Vec<u64> {
        EvaluationGrid::new(relative_spacing, budget_steps).points().collect()
    }

    #[test]
    fn doubling_grid() {
        assert_eq!(points(1.0, 20), [0, 1, 2, 4, 8, 16, 20]);
    }

    #[test]
    fn dense_then_geometric() {
        let points = points(0.25, 14);
        // 4 * 1.25 = 5, 6.25, 7.8125, 9.77, 12.2, then the budget.
        assert_eq!(points, [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14]);
        let grid = EvaluationGrid::new(0.25, 14);
        assert_eq!(grid.n_points(), 11);
        assert_eq!(grid.first_missing(9, |point| point != 8), Some(8));
        assert_eq!(grid.first_missing(8, |point| point != 8), None);
    }

    #[test]
    fn twentieth_is_dense_up_to_twenty() {
        let points = points(0.05, 1000);
        assert_eq!(points[..22], (0..22).collect::<Vec<u64>>());
        assert_eq!(points[22], 22);
        assert_eq!(points[23], 23);
        // 20 * 1.05^20 = 53.07 and 20 * 1.05^40 = 140.8: no drift.
        assert_eq!((points[40], points[60]), (53, 141));
        assert_eq!(points.last(), Some(&1000));
    }

    #[test]
    fn noise_is_measured_once_in_512_examples() {
        let grid = EvaluationGrid::new(0.25, 40);
        let points_at = |batch_size| -> Vec<u64> {
            grid.points().filter(|point| grid.is_noise_point(*point, batch_size)).collect()
        };
        // All points: 0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 19, 24, 30, 37 and 40.
        assert_eq!(points_at(64), [0, 8, 19, 24, 37, 40]);
        assert_eq!(points_at(100), [0, 6, 12, 19, 24, 30, 37]);
        assert_eq!(points_at(1), [0]);
        assert_eq!(points_at(512), grid.points().collect::<Vec<u64>>());
        assert!(!grid.is_noise_point(16, 64), "no point");
    }

    proptest! {
        #[test]
        fn every_stretch_with_points_has_one_measurement_of_noise(
            spacing in 0.01..1.0_f64,
            budget in 1..100_000_u64,
            batch_size in 1..2000_u64,
        ) {
            let grid = EvaluationGrid::new(spacing, budget);
            let stretch = |point: &u64| point / 512_u64.div_ceil(batch_size);
            let mut all: Vec<u64> = grid.points().map(|point| stretch(&point)).collect();
            all.dedup();
            let noisy = grid.points().filter(|point| grid.is_noise_point(*point, batch_size));
            prop_assert_eq!(noisy.map(|point| stretch(&point)).collect::<Vec<u64>>(), all);
        }

        #[test]
        fn grid_ascends_and_keeps_its_spacing(spacing in 0.001..1.0_f64, budget in 1..10_000_000_u64) {
            let points = points(spacing, budget);
            prop_assert_eq!(points[0], 0);
            prop_assert_eq!(*points.last().unwrap(), budget);
            for pair in points.windows(2) {
                prop_assert!(pair[0] < pair[1]);
                let gap = (pair[1] - pair[0]) as f64;
                // One step, or the spacing give or take the rounding of both ends.
                prop_assert!(gap <= 1.0 || gap <= spacing * pair[0] as f64 + 2.0, "{:?}", pair);
            }
        }

        #[test]
        fn next_depends_on_the_grid_only(spacing in 0.01..1.0_f64, step in 0..100_000_u64) {
            let grid = EvaluationGrid::new(spacing, 200_000);
            let next = grid.next_after(step).unwrap();
            prop_assert!(next > step);
            // From any step on, the walk joins the one from 0.
            prop_assert!(points(spacing, 200_000).contains(&next));
        }
    }
}
