//! The whole of Fashion-MNIST, from Debian's package `dataset-fashion-mnist`.

use std::sync::atomic::AtomicBool;

use critbatch_models::{Compute, DeviceChoice, Measured, Workload};
use critbatch_tuner::{
    EvaluationSplit, Event, Experiment, ExperimentSummary, Outcome, Provenance, RunOptions, Store,
    TrainerFactory, run,
};

const EXPERIMENT: &str = r#"
[workload]
dataset = "fashion_mnist"
model = "MODEL"
optimizer = "nesterov_momentum"
[goal]
metric = "val/classification_error"
below = 0.6
[batch_sizes]
list = [64, 256, 1024]
[search]
sampler = "halton"
trials = 1
seed = 0
[search.space]
learning_rate = 0.05
momentum = 0.9
[budget]
steps = 20
[evaluation]
relative_spacing = 1.0
"#;

#[test]
fn has_the_published_sizes_and_class_balance() {
    let dataset = critbatch_data::load_images("fashion_mnist", None)
        .expect("scripts/test installs the package dataset-fashion-mnist");
    let test = dataset.test.as_ref().expect("there is a test split");
    let sizes = [&dataset.train, &dataset.validation, test].map(|split| split.labels().len());
    assert_eq!(sizes, [55_000, 5_000, 10_000]);
    let mut per_class = [0; 10];
    for &label in dataset.train.labels().iter().chain(dataset.validation.labels()) {
        per_class[usize::from(label)] += 1;
    }
    assert_eq!(per_class, [6_000; 10]);
}

fn three_batch_sizes(model: &str) {
    let text = EXPERIMENT.replace("MODEL", model);
    let experiment = Experiment::parse(&text, "fashion.toml").expect("the experiment is valid");
    let (compute, _) = Compute::choose(DeviceChoice::Cpu).expect("the CPU is there");
    let names = ["fashion_mnist", model, "nesterov_momentum"];
    let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: false };
    let mut workload = Workload::load(names, measured, None, compute)
        .expect("scripts/test installs the package dataset-fashion-mnist");
    let checked = experiment.check(&workload.facts()).expect("the experiment fits the workload");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let provenance = Provenance {
        device: workload.facts().device,
        version: "test".to_owned(),
        notes: [].into(),
    };
    let mut store = Store::open_or_create(&folder.path().join("out"), &checked, &provenance)
        .expect("the store can be made");
    let options = RunOptions::default();
    let stop = AtomicBool::new(false);
    let outcome =
        run(&checked, &mut workload, &mut store, &options, &mut |_: &Event<'_>| {}, &stop)
            .expect("training runs");
    assert!(matches!(outcome, Outcome::Finished { .. }), "the run ends by itself");
    let summary = ExperimentSummary::read(&store).expect("the store can be read");
    for study in &summary.studies {
        let size = study.batch_size;
        assert_eq!(study.complete, 1, "{model} at batch size {size}");
        // 10 classes: 0.9 before training; twenty good steps take a third of it.
        assert!(study.steps_to_result.is_some(), "{model} learned nothing at batch size {size}");
    }
    assert_eq!(summary.studies.len(), 3);
}

#[test]
fn trains_a_fully_connected_network_at_three_batch_sizes() {
    three_batch_sizes("fc_256_256_256");
}

#[test]
fn trains_a_convolutional_network_at_three_batch_sizes() {
    three_batch_sizes("simple_cnn_narrow");
}
