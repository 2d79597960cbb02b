//! Evaluations that end once it is clear that the goal is not reached: their values are those of the
//! examples up to there, and reach a goal where whole evaluations do.

use std::collections::BTreeMap;

use critbatch_data::{Dataset, ImageDataset, TextDataset};
use critbatch_models::{
    Compute, DeviceChoice, Measured, Model, Optimizer, Workload, evaluation_order,
};
use critbatch_tests::text_folder;
use critbatch_tuner::{EvaluationSplit, Goal, LaneTrainer, Metrics, Threshold, Trial};

const BATCH_SIZE: usize = 16;

/// Examples of a chunk of mnist_5k's 500 validation digits.
const CHUNK: usize = 125;

/// The chance that an evaluation may be wrong, over the four chunks after which it may end.
const ALLOWED: f64 = 1e-9 / 4.0;

const ERROR: &str = "val/classification_error";
const LOSS: &str = "val/cross_entropy_error";

/// Steps of each lane before it is measured.
const STEPS: [u64; 3] = [0, 12, 120];

fn digits() -> ImageDataset {
    match critbatch_data::load("mnist_5k", None).expect("it is part of the program") {
        Dataset::Images(digits) => digits,
        _ => panic!("digits are images"),
    }
}

fn workload(dataset: &Dataset, model: &str, compute: Compute) -> Workload {
    let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: false };
    let model = Model::find(model).expect("the model exists");
    Workload::new(dataset, model, Optimizer::Sgd, measured, compute).expect("the model fits")
}

fn compute(choice: DeviceChoice) -> Compute {
    Compute::choose(choice).expect("the device exists").0
}

/// What lanes with these steps measure under each goal.
fn measured(workload: &Workload, steps: &[u64], goals: &[Option<Goal>]) -> Vec<Vec<Metrics>> {
    let mut trainer = workload.trainer(BATCH_SIZE, steps.len()).expect("the lanes fit");
    for lane in 0..steps.len() {
        let parameters = BTreeMap::from([("learning_rate".to_owned(), 0.2)]);
        let trial = Trial { batch_size: BATCH_SIZE as u64, trial_id: 0, seed: 1, parameters };
        trainer.start(lane, &trial).expect("the trial starts");
    }
    trainer.advance(steps).expect("training runs");
    let lanes: Vec<usize> = (0..steps.len()).collect();
    let evaluate = |goal: &Option<Goal>| trainer.evaluate(&lanes, goal.as_ref());
    goals.iter().map(evaluate).collect::<Result<_, _>>().expect("it can be measured")
}

fn below(metric: &str, value: f64) -> Goal {
    Goal { metric: metric.to_owned(), threshold: Threshold::Below(value) }
}

/// The chance of so many of `m` marked among the first `k` of `n`, drawn one after the other.
fn chance_of_as_many(n: usize, m: usize, k: usize, found: usize) -> f64 {
    let mut chances = vec![1.0];
    for drawn in 0..k {
        let mut next = vec![0.0; chances.len() + 1];
        for (marked, chance) in chances.iter().enumerate() {
            let share = m.saturating_sub(marked) as f64 / (n - drawn) as f64;
            next[marked] += chance * (1.0 - share);
            next[marked + 1] += chance * share;
        }
        chances = next;
    }
    chances.iter().skip(found).sum()
}

/// Whether a mean over the first examples shows that the mean over all is no better than this.
fn is_decided(metric: &str, mean: f64, n_seen: usize, below: f64) -> bool {
    let n = 4 * CHUNK;
    let seen = mean * n_seen as f64;
    let is_certain = seen / n as f64 >= below;
    if metric == LOSS || is_certain {
        return is_certain;
    }
    let most = (0..n).rev().find(|&n_errors| n_errors as f64 / (n as f64) < below);
    let n_errors = seen.round() as usize;
    chance_of_as_many(n, most.expect("a goal that can be reached"), n_seen, n_errors) <= ALLOWED
}

/// The same trials are measured whole on the first 125, 250, 375 and 500 digits: with a goal a lane's values
/// have to be those of the first of these that decide.
#[test]
fn values_are_those_of_the_examples_up_to_where_it_was_decided() {
    for choice in [DeviceChoice::Cpu, DeviceChoice::Wgpu] {
        let first = |n: usize| {
            let whole = digits();
            let validation = whole.validation.select(&evaluation_order(4 * CHUNK)[..n]);
            let dataset = Dataset::Images(ImageDataset { validation, ..whole });
            let workload = workload(&dataset, "fc_64_64_64", compute(choice));
            measured(&workload, &STEPS, &[None]).remove(0)
        };
        let prefixes: Vec<Vec<Metrics>> = (1..=4).map(|n| first(n * CHUNK)).collect();
        let thresholds = [0.9, 0.7, 0.5, 0.2, 0.12, 0.03, 0.0];
        let on_errors = thresholds.map(|value| below(ERROR, value));
        let on_losses = thresholds.map(|value| below(LOSS, 3.0 * value));
        let goals: Vec<Option<Goal>> = on_errors.into_iter().chain(on_losses).map(Some).collect();
        let whole = workload(&Dataset::Images(digits()), "fc_64_64_64", compute(choice));
        let found = measured(&whole, &STEPS, &goals);
        let (mut n_chunks_seen, mut n_before_certain) = ([0; 5], 0);
        for (goal, found) in goals.iter().flatten().zip(&found) {
            for (lane, found) in found.iter().enumerate() {
                let Threshold::Below(value) = goal.threshold else { unreachable!() };
                let mean = |n: usize| prefixes[n - 1][lane][&goal.metric];
                let is_certain = |n: usize| mean(n) * n as f64 / 4.0 >= value;
                let decided =
                    (1..=4).find(|&n| is_decided(&goal.metric, mean(n), n * CHUNK, value));
                n_before_certain += usize::from(decided.is_some_and(|n| !is_certain(n)));
                let expected = &prefixes[decided.unwrap_or(4) - 1][lane];
                n_chunks_seen[decided.unwrap_or(0)] += 1;
                assert_eq!(found[ERROR], expected[ERROR], "{goal:?}, lane {lane}");
                let error = (found[LOSS] - expected[LOSS]).abs();
                assert!(error <= 1e-6 * expected[LOSS], "{goal:?}, lane {lane}");
                assert_eq!(goal.is_reached_by(found[&goal.metric]), decided.is_none());
            }
        }
        // Some reached their goal, and it was clear after one, two, three chunks that some would not.
        assert!(n_chunks_seen[..4].iter().all(|&n| n > 0), "{n_chunks_seen:?}");
        assert!(n_before_certain > 0, "errors among the first told of the rest");
    }
}

/// A text whose validation sentences come in two parts, as those of several lengths do.
fn sentences() -> Dataset {
    let dataset = critbatch_data::load("text_2k", Some(text_folder())).expect("the data is there");
    let Dataset::Text(text) = dataset else { panic!("a text has sentences") };
    let rows = &text.validation[0];
    let middle = rows.len() / 2;
    let validation = vec![rows.slice(0..middle), rows.slice(middle..rows.len())];
    Dataset::Text(TextDataset { validation, ..text })
}

#[test]
fn lanes_do_not_matter() {
    let digits = Dataset::Images(digits());
    let sentences = sentences();
    for (dataset, model, steps) in
        [(&digits, "simple_cnn_narrow", STEPS), (&sentences, "transformer_tiny", [0, 2, 6])]
    {
        let workload = workload(dataset, model, Compute::Cpu);
        let whole = measured(&workload, &steps, &[None]).remove(0);
        // Just above what a lane has, below, and far below.
        let around = |metrics: &Metrics| {
            let goals = [1.001, 0.6, 0.3]
                .map(|times| [LOSS, ERROR].map(|metric| below(metric, metrics[metric] * times)));
            goals.concat()
        };
        let goals: Vec<Option<Goal>> = whole.iter().flat_map(around).map(Some).collect();
        let together = measured(&workload, &steps, &goals);
        let mut n_early = 0;
        for (lane, &steps) in steps.iter().enumerate() {
            let alone = measured(&workload, &[steps], &goals);
            for (index, goal) in goals.iter().flatten().enumerate() {
                let found = &together[index][lane];
                assert_eq!(found, &alone[index][0], "{model}, {goal:?}, lane {lane}");
                let is_reached = |metrics: &[Metrics], lane: usize| {
                    goal.is_reached_by(metrics[lane][&goal.metric])
                };
                match is_reached(&whole, lane) {
                    true => assert_eq!(found, &whole[lane], "{model}, {goal:?}, lane {lane}"),
                    false => n_early += usize::from(found != &whole[lane]),
                }
                let is_same = is_reached(&together[index], lane) == is_reached(&whole, lane);
                assert!(is_same, "{model}, {goal:?}, lane {lane}");
            }
        }
        assert!(n_early > 0, "{model}: the test must end evaluations early");
    }
}
