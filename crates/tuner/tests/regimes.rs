//! Whole experiments on the noisy quadratic model show what the paper found: perfect scaling,
//! diminishing returns, maximal data parallelism, and momentum extending the first.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use critbatch_tuner::{
    CurvePoint, ExperimentSummary, NoisyQuadratic, ScalingCurve, perfect_scaling_line,
};

const BATCH_SIZES: &str = "powers_of_two = [0, 14]";

const BUDGET: &str = "steps = { at_batch_size = 1, steps = 6000, at_least = 150 }";

/// Many lanes make few rounds, each of which waits for the disk.
const LANES: usize = 64;

fn sgd() -> ExperimentSummary {
    let space = "learning_rate = { log = [0.01, 2.5] }";
    let text = support::text("sgd", BATCH_SIZES, 100, space, BUDGET);
    support::summary(&text, NoisyQuadratic { lanes: LANES, ..NoisyQuadratic::default() })
}

fn momentum() -> ExperimentSummary {
    let space = "learning_rate = { log = [0.003, 3.0] }\nmomentum = { reverse_log = [0.0, 0.99] }";
    let text = support::text("momentum", BATCH_SIZES, 200, space, BUDGET);
    let factory = NoisyQuadratic { has_momentum: true, lanes: LANES, ..NoisyQuadratic::default() };
    support::summary(&text, factory)
}

fn ratios(curve: &[CurvePoint]) -> Vec<f64> {
    curve.windows(2).map(|pair| pair[0].steps as f64 / pair[1].steps as f64).collect()
}

#[test]
fn three_regimes_and_what_momentum_does_to_them() {
    let (sgd, momentum) = (sgd(), momentum());
    let (plain, heavy) = (sgd.curve(), momentum.curve());
    println!("{plain:?}\n{heavy:?}");
    assert_eq!((plain.len(), heavy.len()), (15, 15), "every batch size has a result");

    for curve in [&plain, &heavy] {
        let ratios = ratios(curve);
        println!("{ratios:.2?}");
        let share = |range: std::ops::Range<usize>| ratios[range].iter().product::<f64>();
        // Perfect scaling: steps halve, up to what each search misses in two dimensions (a point of
        // the evaluation grid or two, 5 % each), which four doublings together average out.
        assert!(ratios[..4].iter().all(|ratio| (1.75..2.3).contains(ratio)), "{ratios:.2?}");
        assert!((1.9..2.1).contains(&share(0..4).powf(0.25)), "{ratios:.2?}");
        // Maximal data parallelism: more is no help, up to what the search misses. Steps are whole,
        // and few at the end of the curve, hence the one step.
        let is_flat = |pair: &[CurvePoint]| {
            let gap = pair[0].steps.abs_diff(pair[1].steps);
            gap <= 1 || gap as f64 <= 0.03 * pair[0].steps as f64
        };
        assert!(curve[12..].windows(2).all(is_flat), "{curve:?}");
        // In between steps fall, by less than half, and by less and less.
        assert!(curve.windows(2).all(|p| p[1].steps <= p[0].steps + 1), "{curve:?}");
        assert!(share(0..4) > share(4..8) && share(4..8) > share(8..12), "{ratios:.2?}");
    }
    let ideal = perfect_scaling_line(&plain);
    assert!(plain[2].steps as f64 <= 1.1 * ideal[2]);
    assert!(plain[14].steps as f64 > 20.0 * ideal[14]);

    // Momentum equals plain SGD where the batch is small, and goes on where SGD has stopped.
    for (heavy, plain) in heavy.iter().zip(&plain).take(3) {
        let ratio = heavy.steps as f64 / plain.steps as f64;
        assert!((0.85..1.15).contains(&ratio), "{heavy:?} {plain:?}");
    }
    let shapes = [&heavy, &plain].map(|curve| ScalingCurve::nearest(curve));
    let ends = shapes.each_ref().map(|shape| shape.end_of_perfect_scaling(0.2).unwrap());
    assert!(ends[0] >= 2 * ends[1], "perfect scaling ends at {ends:?}");
    let useful = shapes.each_ref().map(|shape| shape.maximum_useful_batch_size(0.2).unwrap());
    assert!(useful[0] >= useful[1], "useful up to {useful:?}");
    // Its 8 or 9 steps are too few to tell useful batch sizes apart by 20 %, but not to see that
    // they come from further up.
    let gains = [&heavy, &plain].map(|curve| curve[8].steps as f64 / curve[14].steps as f64);
    assert!(gains[0] > 1.1 * gains[1], "steps fall beyond 256 by {gains:.2?}");
    assert!((heavy[14].steps as f64) < 0.6 * plain[14].steps as f64);

    // Best rates rise with the batch size where scaling is perfect.
    let rate = |index: usize| {
        let study: &critbatch_tuner::StudySummary = &sgd.studies[index];
        study.parameters.as_ref().unwrap()["learning_rate"]
    };
    assert!(rate(3) > 3.0 * rate(0) && rate(14) < 2.0, "{} {} {}", rate(0), rate(3), rate(14));
}

#[test]
fn diverged_trials_are_counted_and_replaced() {
    let space = "learning_rate = { log = [0.1, 20.0] }";
    let text = support::text("sgd", "list = [256]", 30, space, "steps = 500");
    let summary = support::summary(&text, NoisyQuadratic::default());
    let study = &summary.studies[0];
    assert_eq!((study.complete, study.incomplete, study.trials_exhausted), (30, 0, false));
    // Rates above 2 diverge: ln(20 / 2) / ln(20 / 0.1) = 43 % of the points, 23 of 53.
    assert!((20..=26).contains(&study.infeasible), "{}", study.infeasible);
}

#[test]
fn summary_is_the_agreed_json() {
    let space = "learning_rate = { log = [0.1, 1.0] }";
    let text = support::text("sgd", "list = [1, 256]", 4, space, "steps = 300");
    let summary = support::summary(&text, NoisyQuadratic::default());
    let json = serde_json::to_string(&summary).unwrap();
    let begin = concat!(
        r#"{"workload":{"dataset":"noisy_quadratic","model":"quadratic_32","optimizer":"sgd"},"#,
        r#""goal":{"metric":"val/cross_entropy_error","below":0.02},"studies":[{"batch_size":1,"#,
        r#""steps_to_result":null,"trial_id":null,"complete":4,"infeasible":0,"reached":0,"#,
        r#""parameters":null,"#
    );
    assert!(json.starts_with(begin), "{json}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let study = &value["studies"][1];
    assert_eq!(study["batch_size"], 256);
    assert!(study["steps_to_result"].as_u64().unwrap() > 0, "{json}");
    assert!(study["parameters"]["learning_rate"].as_f64().unwrap() >= 0.1);
    assert!(study["trial_id"].as_u64().unwrap() < 4);
}
