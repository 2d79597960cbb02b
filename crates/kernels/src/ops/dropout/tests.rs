//! Tests of dropout.

use super::{Dropout, Masks};
use crate::cpu::with_context;
use crate::graph::{Graph, Initialiser};
use crate::lane::LaneState;
use crate::testing::{check_gradients, sample_lane};

fn mask(lane: LaneState, parallel: bool, op: Dropout) -> Vec<f64> {
    let mut y = vec![f64::NAN; op.len];
    with_context(lane, parallel, |context| op.cpu(context, &vec![1.0; op.len], &mut y));
    y
}

#[test]
fn gradients() {
    check_gradients(16, |graph| {
        let x = graph.parameter("x", &[5, 13], Initialiser::Zeros)?;
        graph.dropout(x, 0.4, 0, Masks::EachStep)
    })
    .unwrap();
}

#[test]
fn drops_its_share_and_keeps_the_mean() {
    let op = Dropout { len: 100_003, rate: 0.4, stream: 0, masks: Masks::EachStep };
    let y = mask(sample_lane(1), false, op);
    let n_dropped = y.iter().filter(|&&y| y == 0.0).count();
    // Binomial: mean 40 001, standard deviation 155; five of them.
    assert!(n_dropped.abs_diff(40_001) < 775, "{n_dropped} dropped of 100 003");
    let scale = f64::from(op.scale());
    assert!(y.iter().all(|&y| y == 0.0 || y == scale), "kept elements are scaled by {scale}");
}

#[test]
fn masks_are_a_function_of_key_step_and_stream() {
    let op = Dropout { len: 40_000, rate: 0.5, stream: 0, masks: Masks::EachStep };
    let lane = sample_lane(1);
    let first = mask(lane, false, op);
    assert_eq!(first, mask(lane, true, op), "threads must not change the mask");
    let others = [
        mask(LaneState { step: lane.step + 1, ..lane }, false, op),
        mask(LaneState { key: [9, 9], ..lane }, false, op),
        mask(lane, false, Dropout { stream: 1, ..op }),
    ];
    for other in others {
        let n_equal = first.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!(n_equal.abs_diff(20_000) < 500, "{n_equal} of 40 000 agree, half is expected");
    }
}

#[test]
fn iterations_have_masks_of_their_own_only_where_asked_for() {
    let each_step = Dropout { len: 40_002, rate: 0.5, stream: 0, masks: Masks::EachStep };
    let each_iteration = Dropout { masks: Masks::EachIteration, ..each_step };
    let lane = |cursor| LaneState { cursor, ..sample_lane(1) };
    let first = mask(lane(0), false, each_step);
    assert_eq!(first, mask(lane(1), false, each_step), "training must not see the cursor");
    assert_eq!(first, mask(lane(0), false, each_iteration));
    let iterations: Vec<_> = (0..3).map(|c| mask(lane(c), true, each_iteration)).collect();
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let pairs = iterations[a].iter().zip(&iterations[b]);
        let n_equal = pairs.filter(|(a, b)| a == b).count();
        assert!(n_equal.abs_diff(20_001) < 500, "{n_equal} of 40 002 agree, half is expected");
    }
}

#[test]
fn refuses_a_rate_of_one() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2], Initialiser::Zeros).unwrap();
    let message = graph.dropout(x, 1.0, 0, Masks::EachStep).unwrap_err().to_string();
    assert_eq!(message, "dropout: rate is 1; it must be at least 0 and below 1");
}
