//! The point of a polytope that is nearest to the origin.
//!
//! # Equation
//!
//! ```text
//! min |sum over j of w_j p_j|^2    over w_j >= 0, sum over j of w_j = 1
//! ```
//!
//! The nearest point lies in the span of a few corners p_j, with positive weights. These corners are found
//! by taking in the one that leads nearest, going towards the nearest point of their affine span, and
//! leaving out a corner whose weight comes to zero on the way. It ends after finitely many of these.
//!
//! # Source
//!
//! Wolfe, "Finding the nearest point in a polytope", 1976.

/// Gains of the squared distance below this share of its scale are rounding.
const ROUNDING: f64 = 1e-14;

/// A corner with its weight.
type Weighted<'a> = (f64, &'a [f64]);

/// The nearest point to the origin in the convex hull of `corners`; without axes if there are none.
pub(super) fn nearest_point(corners: &[Vec<f64>]) -> Vec<f64> {
    let Some(first) = corners.first() else { return vec![] };
    let squares = corners.iter().map(|corner| dot(corner, corner));
    let tolerance = ROUNDING * squares.fold(0.0, f64::max);
    let mut chosen: Vec<Weighted> = vec![(1.0, first)];
    let mut nearest = first.clone();
    loop {
        let along = |corner: &&Vec<f64>| dot(corner, &nearest);
        let square = dot(&nearest, &nearest);
        let best = corners.iter().min_by(|a, b| along(a).total_cmp(&along(b)));
        let Some(best) = best.filter(|best| along(best) < square - tolerance) else {
            return nearest;
        };
        chosen.push((0.0, best));
        while !move_towards_nearest_of_span(&mut chosen) {}
        let point = mixture(&chosen);
        if dot(&point, &point) >= square {
            return nearest;
        }
        nearest = point;
    }
}

/// Moves weights towards the nearest point of the corners' affine span, until one comes to zero and its
/// corner is left out. Whether it came to that point before.
fn move_towards_nearest_of_span(chosen: &mut Vec<Weighted>) -> bool {
    let goal = nearest_of_span(chosen);
    let falling = chosen.iter().zip(&goal).enumerate().filter(|(_, (_, goal))| **goal <= 0.0);
    let reach = falling.map(|(index, ((weight, _), goal))| (index, weight / (weight - goal)));
    let first = reach.min_by(|a, b| a.1.total_cmp(&b.1));
    let reach = first.map_or(1.0, |(_, reach)| reach);
    for ((weight, _), goal) in chosen.iter_mut().zip(&goal) {
        *weight += reach * (goal - *weight);
    }
    if let Some((index, _)) = first {
        chosen.remove(index);
    }
    first.is_none()
}

/// Weights, with sum 1, of the point nearest to the origin in the affine span of corners: in proportion to
/// the u for which (<p_i, p_j> + s) u = 1, with any s > 0.
fn nearest_of_span(chosen: &[Weighted]) -> Vec<f64> {
    let scale = dot(chosen[0].1, chosen[0].1).max(f64::MIN_POSITIVE);
    let row = |(_, a): &Weighted| chosen.iter().map(|(_, b)| dot(a, b) / scale + 1.0).collect();
    let weights = solve(chosen.iter().map(row).collect(), vec![1.0; chosen.len()]);
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// x of a x = b for a positive definite a, by elimination.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for column in 0..n {
        let (above, below) = a.split_at_mut(column + 1);
        let pivot_row = &above[column];
        for (offset, row) in below.iter_mut().enumerate() {
            let factor = row[column] / pivot_row[column];
            row.iter_mut().zip(pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            b[column + 1 + offset] -= factor * b[column];
        }
    }
    for column in (0..n).rev() {
        let known: f64 = (column + 1..n).map(|later| a[column][later] * b[later]).sum();
        b[column] = (b[column] - known) / a[column][column];
    }
    b
}

fn mixture(chosen: &[Weighted]) -> Vec<f64> {
    let value = |axis: usize| chosen.iter().map(|(weight, corner)| weight * corner[axis]).sum();
    (0..chosen[0].1.len()).map(value).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_close(found: &[f64], expected: &[f64]) {
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
        assert!(found.iter().zip(expected).all(close), "{found:?}, not {expected:?}");
    }

    #[test]
    fn lies_on_a_corner_an_edge_or_within() {
        let triangle = |shift: [f64; 2]| {
            let corner = |[x, y]: [f64; 2]| vec![x + shift[0], y + shift[1]];
            nearest_point(&[[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]].map(corner))
        };
        assert_close(&triangle([1.0, 2.0]), &[1.0, 2.0]);
        assert_close(&triangle([-1.0, 3.0]), &[0.0, 3.0]);
        assert_close(&triangle([-3.0, -3.0]), &[-1.0, -1.0]);
        assert_close(&triangle([-1.0, -1.0]), &[0.0, 0.0]);
        assert_close(&nearest_point(&[vec![3.0, 4.0]]), &[3.0, 4.0]);
    }

    #[test]
    fn corners_that_coincide_do_no_harm() {
        let corners = [[1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [1.0, 0.0], [1.0, -1.0]];
        assert_close(&nearest_point(&corners.map(|corner| corner.to_vec())), &[1.0, 0.0]);
        assert_close(&nearest_point(&[vec![0.0], vec![0.0]]), &[0.0]);
        assert_close(&nearest_point(&[vec![], vec![]]), &[]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// No corner lies on the near side of the plane through the point, and so nothing of the hull;
        /// the point lies in the hull as far as no direction tells it apart.
        #[test]
        fn no_other_point_of_the_hull_is_nearer(
            corners in (1..6_usize).prop_flat_map(|n| {
                proptest::collection::vec(proptest::collection::vec(-9.0..9.0_f64, n), 1..9)
            }),
            direction in proptest::collection::vec(-1.0..1.0_f64, 6),
        ) {
            let point = nearest_point(&corners);
            let least = corners.iter().map(|corner| dot(corner, &point)).fold(f64::MAX, f64::min);
            prop_assert!(least >= dot(&point, &point) - 1e-9, "{point:?}");
            let most = corners.iter().map(|corner| dot(corner, &direction)).fold(f64::MIN, f64::max);
            prop_assert!(dot(&point, &direction) <= most + 1e-9, "{point:?}");
        }
    }
}
