//! Whole training steps with Nesterov momentum on `mnist_5k`, one lane and several.

use std::collections::BTreeMap;

use critbatch_benches::device;
use critbatch_models::{Compute, EvaluationSplit, Measured, Model, Optimizer, Workload};
use critbatch_tuner::{LaneTrainer, Trial};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Model, batch sizes, lanes.
const CASES: [(&str, [usize; 3], [usize; 2]); 2] =
    [("fc_256_256_256", [2, 32, 512], [1, 8]), ("simple_cnn_narrow", [2, 8, 32], [1, 4])];

/// Starts trials in all lanes and trains until the loss has clearly fallen: what does not learn is
/// not timed.
fn started(workload: &Workload, batch_size: usize, lanes: usize) -> impl LaneTrainer {
    let mut trainer = workload.trainer(batch_size, lanes).expect("the lanes fit");
    for lane in 0..lanes {
        let parameters =
            BTreeMap::from([("learning_rate".to_owned(), 0.002), ("momentum".to_owned(), 0.9)]);
        let trial =
            Trial { batch_size: batch_size as u64, trial_id: lane as u64, seed: 0, parameters };
        trainer.start(lane, &trial).expect("the trial starts");
    }
    let loss = |trainer: &mut dyn LaneTrainer| {
        trainer.evaluate(&[0]).expect("it can be measured")[0]["val/cross_entropy_error"]
    };
    let before = loss(&mut trainer);
    trainer.advance(&vec![40; lanes]).expect("training runs");
    let after = loss(&mut trainer);
    assert!(after < 0.97 * before, "the loss went from {before} to {after} in 40 steps");
    trainer
}

fn training_step(criterion: &mut Criterion) {
    let dataset = critbatch_data::load("mnist_5k", None).expect("mnist_5k is built in");
    let measured = Measured { splits: &[EvaluationSplit::Validation], gradient_noise_scale: false };
    for (model, batch_sizes, lane_counts) in CASES {
        let adapter = device().adapter().name.clone();
        let computes = [
            ("cpu".to_owned(), Compute::Cpu),
            (format!("wgpu {adapter}"), Compute::Gpu(device().clone())),
        ];
        for (name, compute) in computes {
            let model = Model::find(model).expect("the model exists");
            let workload = Workload::new(
                &dataset,
                model.clone(),
                Optimizer::NesterovMomentum,
                measured,
                compute,
            )
            .expect("the model fits the digits");
            let mut group = criterion.benchmark_group(format!("training_step {}", model.name()));
            for batch_size in batch_sizes {
                for lanes in lane_counts {
                    let program = workload.program(batch_size).expect("the batch fits");
                    let flops = program.plans()[0].flops() * lanes as u64;
                    group.throughput(Throughput::Elements(flops));
                    let mut trainer = started(&workload, batch_size, lanes);
                    let steps = vec![1; lanes];
                    group.bench_function(
                        format!("{name} batch {batch_size}, {lanes} lanes"),
                        |b| {
                            b.iter(|| trainer.advance(&steps).expect("training runs"));
                        },
                    );
                }
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = training_step
}
criterion_main!(benches);
