//! Average precision: how well scores tell the labels of examples from their other classes.

/// Area under the precision-recall curve over all pairs of an example and a class, from numbers of
/// scores in bins of ascending scores: `of_labels` of the pairs that are labels, `of_all` of all.
///
/// # Equation
/// `sum_b (R_b - R_{b+1}) P_b` over the bins from the highest down, where `R_b` and `P_b` are recall and
/// precision if all pairs in bin b and above are taken for labels. Pairs of one bin count as tied, so
/// that the value is exact for scores rounded to the bins. 0 if there is no label.
///
/// # Source
/// The step-wise sum without interpolation, as scikit-learn's `average_precision_score` with
/// `average="micro"`. Shallue et al. 2018 do not say which sum they took.
pub(crate) fn average_precision(of_labels: &[f64], of_all: &[f64]) -> f64 {
    let n_labels: f64 = of_labels.iter().sum();
    let (mut n_found, mut n_taken, mut area) = (0.0, 0.0, 0.0);
    for (labels, all) in of_labels.iter().zip(of_all).rev() {
        n_found += labels;
        n_taken += all;
        if *labels > 0.0 {
            area += labels / n_labels * (n_found / n_taken);
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_even_and_hopeless_scores() {
        assert_eq!(average_precision(&[0.0, 3.0], &[7.0, 3.0]), 1.0, "labels above all others");
        assert_eq!(average_precision(&[3.0], &[10.0]), 0.3, "scores that say nothing: prevalence");
        assert_eq!(average_precision(&[0.0, 0.0], &[7.0, 3.0]), 0.0, "no label");
    }

    /// Scores 0.9 (label), 0.8, 0.7 (label), 0.1: by hand `1/2 * 1 + 1/2 * 2/3`, which scikit-learn
    /// 1.7 gives as well: `average_precision_score([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])`.
    #[test]
    fn equals_a_value_by_hand() {
        let area = average_precision(&[0.0, 1.0, 0.0, 1.0], &[1.0, 1.0, 1.0, 1.0]);
        assert!((area - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-15, "{area}");
    }
}
