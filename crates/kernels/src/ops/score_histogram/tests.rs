//! Tests of the histogram of scores.

use super::{SCORE_BINS, ScoreHistogram};

#[test]
fn counts_labels_and_all() {
    let logits = [
        [0.0, 0.04, -1e9, 15.99],  // labels 1 and 3
        [f64::NAN, 1e9, 0.0, 0.0], // label 0
        [0.0; 4],                  // left out
    ];
    let sets = [[1.0, 3.0], [0.0, -1.0], [-1.0, -1.0]];
    let mut y = vec![f64::NAN; 2 * SCORE_BINS];
    let op = ScoreHistogram { rows: 3, classes: 4, set_len: 2 };
    op.cpu(logits.as_flattened(), sets.as_flattened(), &mut y);
    let counted = |row: usize| -> Vec<(usize, f64)> {
        y[row * SCORE_BINS..][..SCORE_BINS]
            .iter()
            .copied()
            .enumerate()
            .filter(|&(_, count)| count != 0.0)
            .collect()
    };
    assert_eq!(counted(0), [(0, 1.0), (513, 1.0), (1023, 1.0)]);
    assert_eq!(counted(1), [(0, 2.0), (512, 3.0), (513, 1.0), (1023, 2.0)]);
}
