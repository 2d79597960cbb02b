//! Whole training steps with Nesterov momentum on `mnist_5k`, one lane and several.

use std::collections::BTreeMap;

use critbatch_benches::{Processor, Work, bench, device};
use critbatch_models::{Compute, Measured, Model, Optimizer, Trainer, Workload};
use critbatch_tuner::{EvaluationSplit, LaneTrainer, Trial};
use criterion::{Criterion, criterion_group, criterion_main};

/// Model, batch sizes, lanes.
const CASES: [(&str, [usize; 3], [usize; 2]); 2] =
    [("fc_256_256_256", [2, 32, 512], [1, 8]), ("simple_cnn_narrow", [2, 8, 32], [1, 4])];

/// Steps of one call, with one host wait for all of them.
const N_STEPS: u64 = 4;

/// Bytes that a step must move for each weight: weight and velocity in and out.
const UPDATE_BYTES: u64 = 16;

/// Starts trials in all lanes and trains until the loss has clearly fallen: what does not learn is
/// not timed.
fn started(workload: &Workload, batch_size: usize, lanes: usize) -> Trainer {
    let mut trainer = workload.trainer(batch_size, lanes).expect("the lanes fit");
    for lane in 0..lanes {
        let parameters =
            BTreeMap::from([("learning_rate".to_owned(), 0.002), ("momentum".to_owned(), 0.9)]);
        let trial =
            Trial { batch_size: batch_size as u64, trial_id: lane as u64, seed: 0, parameters };
        trainer.start(lane, &trial).expect("the trial starts");
    }
    let loss = |trainer: &mut dyn LaneTrainer| {
        trainer.evaluate(&[0], None).expect("it can be measured")[0]["val/cross_entropy_error"]
    };
    let before = loss(&mut trainer);
    trainer.advance(&vec![40; lanes]).expect("training runs");
    let after = loss(&mut trainer);
    assert!(after < 0.97 * before, "the loss went from {before} to {after} in 40 steps");
    trainer
}

/// The workload on a processor; opens the device only when it is called.
fn workload(model: &str, processor: Processor) -> Workload {
    let dataset = critbatch_data::load("mnist_5k", None).expect("mnist_5k is built in");
    let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: false };
    let model = Model::find(model).expect("the model exists");
    let compute = match processor {
        Processor::Cpu => Compute::Cpu,
        Processor::Wgpu => Compute::Gpu(device().clone()),
    };
    let optimizer = Optimizer::NesterovMomentum;
    Workload::new(&dataset, model, optimizer, measured, compute).expect("the model fits the digits")
}

/// FLOPs and least bytes of one call.
fn work(model: &str, batch_size: usize, lanes: usize) -> Work {
    let program = workload(model, Processor::Cpu).program(batch_size).expect("the batch fits");
    let lanes = lanes as u64;
    let bytes = lanes * UPDATE_BYTES * program.n_parameters() as u64;
    Work::in_turn(N_STEPS * lanes * program.plans()[0].flops(), N_STEPS * bytes, bytes)
}

fn training_step(criterion: &mut Criterion) {
    for (model, batch_sizes, lane_counts) in CASES {
        let mut group = criterion.benchmark_group(format!("training_step {model}"));
        for processor in Processor::ALL {
            for batch_size in batch_sizes {
                for lanes in lane_counts {
                    let name = format!("{} batch {batch_size}, lanes {lanes}", processor.name());
                    let work = work(model, batch_size, lanes);
                    let prepare = || started(&workload(model, processor), batch_size, lanes);
                    bench(&mut group, &name, processor, work, prepare, |trainer| {
                        trainer.advance(&vec![N_STEPS; lanes]).expect("training runs");
                    });
                }
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = training_step
}
criterion_main!(benches);
