//! A trial is a function of its name: whatever lane it ran in, however many ran beside it,
//! however often it was paused, on however many threads, every bit is the same.

use std::collections::BTreeMap;

use critbatch_models::{Compute, DeviceChoice, Measured, Model, Optimizer, Workload};
use critbatch_tuner::{EvaluationSplit, LaneTrainer, Metrics, Trial};

/// What is left of a trial: two measurements and its whole state, as bits.
type Outcome = (Vec<Vec<(String, u64)>>, Vec<u8>);

const BATCH_SIZE: usize = 5;

fn workload(model: &str, optimizer: Optimizer, choice: DeviceChoice) -> Workload {
    let model = Model::find(model).expect("the model exists");
    let dataset = match model.reads_tokens() {
        true => critbatch_data::load("text_2k", Some(critbatch_tests::text_folder())),
        false => critbatch_data::load("mnist_5k", None),
    };
    let dataset = dataset.expect("the data is there");
    let (compute, _) = Compute::choose(choice).expect("the device exists");
    let measured =
        Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: !model.reads_tokens() };
    Workload::new(&dataset, model, optimizer, measured, compute).expect("the model fits the data")
}

fn trial(trial_id: u64, optimizer: Optimizer) -> Trial {
    let spread = f64::from(u32::try_from(trial_id).expect("a small number"));
    let mut parameters = BTreeMap::from([
        ("learning_rate".to_owned(), 0.01 / (1.0 + spread)),
        ("label_smoothing".to_owned(), 0.1),
    ]);
    for name in ["momentum", "beta1"] {
        if optimizer.metaparameters().iter().any(|metaparameter| metaparameter.name == name) {
            parameters.insert(name.to_owned(), 0.9 - 0.1 * spread);
        }
    }
    Trial { batch_size: BATCH_SIZE as u64, trial_id, seed: 1, parameters }
}

/// All that can be measured of each lane, as bits.
fn measure(trainer: &mut dyn LaneTrainer, lanes: &[usize]) -> Vec<Vec<(String, u64)>> {
    let evaluations = trainer.evaluate(lanes, None).expect("it can be measured");
    let noise = trainer.gradient_noise(lanes).expect("it can be measured");
    let bits = |metrics: Metrics| -> Vec<(String, u64)> {
        metrics.into_iter().map(|(name, value)| (name, value.to_bits())).collect()
    };
    let all = evaluations.into_iter().zip(noise);
    all.map(|(metrics, noise)| bits(metrics.into_iter().chain(noise).collect())).collect()
}

/// Steps before the first and the second measurement.
const STEPS: [u64; 2] = [2, 3];

/// Runs trials 0..`n_trials` on a trainer of `n_lanes` lanes: steps, a measurement, steps, another.
fn outcomes(
    workload: &Workload,
    optimizer: Optimizer,
    n_trials: u64,
    n_lanes: usize,
    n_steps: [u64; 2],
) -> Vec<Outcome> {
    let mut trainer = workload.trainer(BATCH_SIZE, n_lanes).expect("the lanes fit");
    let ids: Vec<u64> = (0..n_trials).collect();
    let mut all = Vec::new();
    for group in ids.chunks(n_lanes) {
        let lanes: Vec<usize> = (0..group.len()).collect();
        for (&lane, &id) in lanes.iter().zip(group) {
            trainer.start(lane, &trial(id, optimizer)).expect("the trial starts");
        }
        let mut measurements = vec![Vec::new(); group.len()];
        for steps in n_steps {
            let steps: Vec<u64> =
                (0..n_lanes).map(|lane| if lane < group.len() { steps } else { 0 }).collect();
            let diverged = trainer.advance(&steps).expect("training runs");
            assert!(diverged.iter().all(Option::is_none), "these trials do not diverge");
            let measured = measure(&mut trainer, &lanes);
            measurements.iter_mut().zip(measured).for_each(|(all, metrics)| all.push(metrics));
        }
        for (lane, measurements) in lanes.into_iter().zip(measurements) {
            all.push((measurements, trainer.snapshot(lane).expect("it can be saved")));
            trainer.free(lane);
        }
    }
    all
}

fn lanes_do_not_matter(model: &str, choice: DeviceChoice, optimizers: &[Optimizer]) {
    for &optimizer in optimizers {
        let workload = workload(model, optimizer, choice);
        // Networks that read tokens are large: as few trials of them as tell.
        let large = Model::find(model).expect("the model exists").reads_tokens();
        let (n_trials, all_n_lanes): (u64, &[usize]) = if large { (2, &[2]) } else { (5, &[2, 5]) };
        // On software Vulkan as few steps as tell: the second reads what the first has updated.
        let n_steps = if large && choice == DeviceChoice::Wgpu { [1, 1] } else { STEPS };
        let alone = outcomes(&workload, optimizer, n_trials, 1, n_steps);
        for &n_lanes in all_n_lanes {
            let together = outcomes(&workload, optimizer, n_trials, n_lanes, n_steps);
            for (id, (alone, together)) in alone.iter().zip(&together).enumerate() {
                assert_eq!(alone.0, together.0, "measurements of trial {id}, {n_lanes} lanes");
                assert!(alone.1 == together.1, "state of trial {id}, {n_lanes} lanes");
            }
        }
    }
}

/// To time an evaluation, a part of it is run: as large as it says, and without a trace in the trial.
#[test]
fn a_part_of_an_evaluation_changes_nothing() {
    let workload = workload("fc_64_64_64", Optimizer::Sgd, DeviceChoice::Cpu);
    let outcome = |shares: &[f64]| {
        let mut trainer = workload.trainer(BATCH_SIZE, 2).expect("the lanes fit");
        for lane in 0..2 {
            trainer.start(lane, &trial(lane as u64, Optimizer::Sgd)).expect("the trial starts");
        }
        trainer.advance(&[2, 2]).expect("training runs");
        let run: Vec<f64> = shares
            .iter()
            .map(|&share| trainer.evaluate_share(&[0, 1], share).expect("it can be measured"))
            .collect();
        let measured = measure(&mut trainer, &[0, 1]);
        trainer.advance(&[1, 1]).expect("training runs");
        (run, measured, [0, 1].map(|lane| trainer.snapshot(lane).expect("it can be saved")))
    };
    let (run, measured, states) = outcome(&[1.0 / 64.0, 0.5, 1.0]);
    assert!(run[0] >= 1.0 / 64.0 && run[0] < run[1], "{run:?}");
    assert!((0.5..0.9).contains(&run[1]), "{run:?}: half of the chunks, rounded up");
    assert!((run[2] - 1.0).abs() < 1e-12, "{run:?}");
    let (_, expected, expected_states) = outcome(&[]);
    assert_eq!(measured, expected);
    assert!(states == expected_states);
}

#[test]
fn fully_connected_lanes_on_the_cpu() {
    lanes_do_not_matter("fc_64_64_64", DeviceChoice::Cpu, &Optimizer::ALL);
}

#[test]
fn convolutional_lanes_on_the_cpu() {
    lanes_do_not_matter("simple_cnn_narrow", DeviceChoice::Cpu, &Optimizer::ALL);
}

#[test]
fn lanes_of_a_transformer_on_the_cpu() {
    let optimizers = [Optimizer::AdamW];
    lanes_do_not_matter("transformer_narrow_and_shallow", DeviceChoice::Cpu, &optimizers);
}

#[test]
fn lanes_of_an_lstm_on_the_cpu() {
    lanes_do_not_matter("lstm", DeviceChoice::Cpu, &[Optimizer::NesterovMomentum]);
}

#[test]
fn fully_connected_lanes_through_wgpu() {
    lanes_do_not_matter("fc_64_64_64", DeviceChoice::Wgpu, &Optimizer::ALL);
}

#[test]
fn lanes_of_a_transformer_through_wgpu() {
    let optimizers = [Optimizer::AdamW];
    lanes_do_not_matter("transformer_narrow_and_shallow", DeviceChoice::Wgpu, &optimizers);
}

#[test]
fn lanes_of_an_lstm_through_wgpu() {
    lanes_do_not_matter("lstm", DeviceChoice::Wgpu, &[Optimizer::NesterovMomentum]);
}

#[test]
fn threads_do_not_matter() {
    let workload = workload("simple_cnn_narrow", Optimizer::NesterovMomentum, DeviceChoice::Cpu);
    let run = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
        let pool = pool.expect("threads can be started");
        pool.install(|| outcomes(&workload, Optimizer::NesterovMomentum, 5, 2, STEPS))
    };
    // With more threads than lanes the ops split their own work.
    let alone = run(1);
    assert!(alone == run(2), "2 threads");
    assert!(alone == run(7), "7 threads");
}

fn pauses_do_not_matter(choice: DeviceChoice) {
    let optimizer = Optimizer::NesterovMomentum;
    let workload = workload("fc_64_64_64", optimizer, choice);
    let trial = trial(2, optimizer);
    let mut trainer = workload.trainer(BATCH_SIZE, 3).expect("the lanes fit");
    trainer.start(0, &trial).expect("the trial starts");
    trainer.advance(&[7, 0, 0]).expect("training runs");
    let whole = trainer.snapshot(0).expect("it can be saved");

    trainer.start(1, &trial).expect("the trial starts");
    trainer.advance(&[0, 3, 0]).expect("training runs");
    let half = trainer.snapshot(1).expect("it can be saved");
    let mut other = workload.trainer(BATCH_SIZE, 2).expect("the lanes fit");
    other.restore(1, &trial, &half).expect("it can be continued elsewhere");
    other.advance(&[0, 4]).expect("training runs");
    let resumed = other.snapshot(1).expect("it can be saved");
    assert!(whole == resumed, "state after a pause");

    assert!(other.restore(0, &trial, &half[1..]).is_err(), "a cut snapshot is refused");
    assert!(other.snapshot(0).is_err(), "an empty lane has nothing to save");
}

#[test]
fn pauses_do_not_matter_on_the_cpu() {
    pauses_do_not_matter(DeviceChoice::Cpu);
}

#[test]
fn pauses_do_not_matter_through_wgpu() {
    pauses_do_not_matter(DeviceChoice::Wgpu);
}

fn a_diverged_trial_harms_nobody(choice: DeviceChoice) -> Option<u64> {
    let optimizer = Optimizer::NesterovMomentum;
    let workload = workload("fc_64_64_64", optimizer, choice);
    let alone = outcomes(&workload, optimizer, 5, 1, STEPS);
    let mut trainer = workload.trainer(BATCH_SIZE, 2).expect("the lanes fit");
    let mut wild = trial(1, optimizer);
    wild.parameters.insert("learning_rate".to_owned(), 1e30);
    trainer.start(0, &trial(0, optimizer)).expect("the trial starts");
    trainer.start(1, &wild).expect("the trial starts");
    trainer.advance(&[2, 2]).expect("training runs");
    let first = measure(&mut trainer, &[0]).remove(0);
    let diverged = trainer.advance(&[3, 3]).expect("training runs");
    let second = measure(&mut trainer, &[0]).remove(0);
    assert_eq!(alone[0].0, [first, second], "the neighbour's measurements");
    assert_eq!(diverged[0], None, "the neighbour is well");
    diverged[1]
}

#[test]
fn a_diverged_trial_harms_nobody_and_both_devices_see_the_same_step() {
    let on_cpu = a_diverged_trial_harms_nobody(DeviceChoice::Cpu);
    let through_wgpu = a_diverged_trial_harms_nobody(DeviceChoice::Wgpu);
    assert!(on_cpu.is_some_and(|step| step <= 5), "diverged at {on_cpu:?}");
    assert_eq!(on_cpu, through_wgpu, "the step of divergence");
}
