//! Experiment files, held against a workload; one that is accepted is planned.
#![no_main]

use critbatch_tuner::{Experiment, NoisyQuadratic, TrainerFactory};

libfuzzer_sys::fuzz_target!(|content: &str| {
    if let Ok(experiment) = Experiment::parse(content, "experiment.toml") {
        // Refusing is right too.
        let _ = experiment.check(&NoisyQuadratic::default().facts());
    }
});
