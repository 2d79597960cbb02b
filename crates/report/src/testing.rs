//! A record made by formula, with everything in it that a report can show: what tests draw.
//!
//! Not part of the report's promise; it may change at any time.

use std::collections::BTreeMap;

use critbatch_tuner::{
    CheckedExperiment, Curve, EXPERIMENT_TEXT, EvaluatedExamples, Evaluation, EvaluationSplit,
    GRADIENT_VARIANCE, Goal, Omission, Parameters, Provenance, Record, Repeats,
    SQUARED_GRADIENT_NORM, SamplerKind, Scale, Search, Space, StopRule, StudyFacts, StudyRecord,
    Threshold, TrialCurve, TrialRecord, TrialStatus, Workload,
};

/// The batch sizes of the record.
pub const BATCH_SIZES: [u64; 6] = [8, 32, 128, 512, 2048, 8192];

/// Complete trials of each study.
pub const N_TRIALS: u64 = 20;

/// The steps of the record fall as S_min (1 + B_crit / B), with these numbers.
pub const CRITICAL_BATCH_SIZE: f64 = 150.0;
const FEWEST_STEPS: f64 = 120.0;

const SPACING: f64 = 0.05;
const METRIC: &str = "val/classification_error";

/// A number in [0, 1) that looks random (SplitMix64, Steele et al. 2014).
fn noise(key: [u64; 4]) -> f64 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for part in key {
        state = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

/// What is searched.
fn space() -> Space {
    let scales = [
        ("label_smoothing", Scale::Discrete(vec![0.0, 0.01, 0.1])),
        ("learning_rate", Scale::Log(1e-3, 3.0)),
        ("momentum", Scale::ReverseLog(0.5, 0.99)),
    ];
    Space { scales: scales.map(|(name, scale)| (name.to_owned(), scale)).into() }
}

fn workload() -> Workload {
    Workload {
        // Names of an archive are whatever its folders are called.
        dataset: "<b>mnist</b>".to_owned(),
        model: "simple_cnn_base".to_owned(),
        optimizer: "nesterov_momentum".to_owned(),
    }
}

fn budget_steps(batch_size: u64) -> u64 {
    (6.0 * FEWEST_STEPS * (1.0 + CRITICAL_BATCH_SIZE / batch_size as f64)).round() as u64
}

fn parameters(batch_size: u64, trial_id: u64) -> Parameters {
    let coordinate = |dimension| noise([1, batch_size, trial_id, dimension]);
    space().parameters(&[0, 1, 2].map(coordinate))
}

/// Steps to an error of a tenth, and whether the trial diverges: the best effective learning rate
/// grows with the batch size up to the critical one (McCandlish et al. 2018).
fn speed(batch_size: u64, parameters: &Parameters, seed: [u64; 4]) -> (f64, bool) {
    let batch_size = batch_size as f64;
    let effective = parameters["learning_rate"] / (1.0 - parameters["momentum"]);
    let best = 4.0 / (1.0 + CRITICAL_BATCH_SIZE / batch_size);
    let distance = (effective / best).ln();
    let needed = FEWEST_STEPS * (1.0 + CRITICAL_BATCH_SIZE / batch_size);
    let smoothing = 1.0 + 0.5 * (parameters["label_smoothing"] - 0.01).abs();
    let steps = needed * (0.35 * distance * distance).exp() * smoothing;
    (steps * (1.0 + 0.2 * noise(seed)), distance > 2.2)
}

fn curve(steps_to_tenth: f64, ends_at: u64, seed: [u64; 4]) -> Curve {
    let mut curve = Curve::default();
    let mut step = 0_u64;
    loop {
        let jitter = 1.0 + 0.06 * (noise([seed[0], seed[1], seed[2], step]) - 0.5);
        let error = 0.02 + (0.88 * (-2.4 * step as f64 / steps_to_tenth).exp()) * jitter;
        let metrics = [
            (METRIC, error),
            ("val/cross_entropy_error", 2.3 * error),
            ("train/classification_error", 0.8 * error),
            (SQUARED_GRADIENT_NORM, error * error * jitter),
            (GRADIENT_VARIANCE, 0.8 * CRITICAL_BATCH_SIZE * error * error),
        ];
        curve.push(step, metrics.map(|(name, value)| (name.to_owned(), value)));
        if step >= ends_at {
            return curve;
        }
        let next = ((step as f64 * (1.0 + SPACING)).floor() as u64).max(step + 1);
        step = next.min(ends_at);
    }
}

fn trial(batch_size: u64, trial_id: u64, repeat: u64) -> TrialCurve {
    let parameters = parameters(batch_size, trial_id);
    let seed = [2, batch_size, trial_id, repeat];
    let (steps_to_tenth, diverges) = speed(batch_size, &parameters, seed);
    let (status, steps) = match diverges {
        true => (TrialStatus::Infeasible, 5 + budget_steps(batch_size) / 50),
        false => (TrialStatus::Complete, budget_steps(batch_size)),
    };
    let curve = curve(steps_to_tenth, steps, seed);
    let trial = TrialRecord { batch_size, trial_id, repeat, parameters, status, steps };
    TrialCurve { trial, curve }
}

fn study(batch_size: u64) -> StudyRecord {
    let mut trials: Vec<TrialCurve> = vec![];
    let is_complete = |trial: &&TrialCurve| trial.trial.status == TrialStatus::Complete;
    for trial_id in 0.. {
        if trials.iter().filter(is_complete).count() as u64 == N_TRIALS {
            break;
        }
        trials.push(trial(batch_size, trial_id, 0));
    }
    let mut best: Vec<u64> = trials.iter().filter(is_complete).map(|t| t.trial.trial_id).collect();
    best.sort_by(|a, b| {
        let steps =
            |id: &u64| speed(batch_size, &parameters(batch_size, *id), [2, batch_size, *id, 0]).0;
        steps(a).total_cmp(&steps(b))
    });
    best.truncate(2);
    best.sort_unstable();
    let repeats = best.iter().flat_map(|id| (1..=4).map(|repeat| trial(batch_size, *id, repeat)));
    StudyRecord {
        facts: StudyFacts {
            batch_size,
            space: space(),
            budget_steps: Some(budget_steps(batch_size)),
            n_trials: Some(N_TRIALS),
            // A device that is full at 256 examples.
            seconds_per_step: Some(0.004 + 1.5e-5 * batch_size as f64),
        },
        repeats: repeats.collect(),
        trials,
    }
}

/// A record in which every section of a report has something to show.
#[must_use]
pub fn record() -> Record {
    Record {
        workload: workload(),
        decided_goal: None,
        studies: BATCH_SIZES.map(study).into(),
        omissions: vec![Omission {
            path: "8192/17/measurements.csv".into(),
            line: Some(12),
            problem: "step 40 follows step 45; expected ascending steps <script>".to_owned(),
        }],
    }
}

/// A goal on the validation error.
#[must_use]
pub fn goal(below: f64) -> Goal {
    Goal { metric: METRIC.to_owned(), threshold: Threshold::Below(below) }
}

/// The experiment that asks for [`record`].
#[must_use]
pub fn experiment() -> CheckedExperiment {
    CheckedExperiment {
        workload: workload(),
        n_train: 55_000,
        data_digest: None,
        goal: goal(0.1),
        budget_steps: BATCH_SIZES.map(|batch_size| (batch_size, budget_steps(batch_size))).into(),
        search: Search {
            sampler: SamplerKind::Halton,
            n_trials: N_TRIALS,
            max_trials: 10 * N_TRIALS,
            seed: 7,
            repeats: Some(Repeats { n_best: 2, n_seeds: 4 }),
        },
        spaces: BATCH_SIZES.map(|batch_size| (batch_size, space())).into(),
        stop: StopRule::Budget,
        evaluation: Evaluation {
            relative_spacing: SPACING,
            splits: vec![EvaluationSplit::Val, EvaluationSplit::Train],
            examples: EvaluatedExamples::All,
            gradient_noise_scale: true,
        },
    }
}

/// What is said to have measured it.
#[must_use]
pub fn provenance() -> Provenance {
    let notes = [
        (EXPERIMENT_TEXT, "# <script>alert(1)</script>\n[workload]\ndataset = \"mnist\"\n"),
        ("started", "2026-01-02T03:04:05Z"),
        ("commit", "0123abc"),
        ("threads", "2"),
    ];
    let notes: BTreeMap<String, String> =
        notes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    Provenance { device: "cpu".to_owned(), version: "0.1.0".to_owned(), notes }
}
