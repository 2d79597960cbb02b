//! Experiments on the noisy quadratic model, run end to end, and trainers that misbehave.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use critbatch_tuner::{
    CheckedExperiment, Event, Experiment, ExperimentSummary, GRADIENT_NOISE_METRICS, Goal,
    LaneTrainer, Metrics, NoisyQuadratic, Outcome, Provenance, Record, RunOptions, Store,
    StudyRecord, TrainerError, TrainerFactory, Trial, TrialCurve, TrialName, TrialRecord,
    TunerError, WorkloadFacts, run,
};

/// An experiment file; `search_space` and the rest are lines of TOML.
pub(crate) fn text(
    optimizer: &str,
    batch_sizes: &str,
    trials: u64,
    space: &str,
    budget: &str,
) -> String {
    format!(
        r#"
        [workload]
        dataset = "noisy_quadratic"
        model = "quadratic_32"
        optimizer = "{optimizer}"
        [goal]
        metric = "val/cross_entropy_error"
        below = 0.02
        [batch_sizes]
        {batch_sizes}
        [search]
        sampler = "halton"
        trials = {trials}
        seed = 0
        [search.space]
        {space}
        [budget]
        {budget}
        [evaluation]
        relative_spacing = 0.05
        "#
    )
}

/// A small experiment in which some trials diverge, some reach the goal and some do not.
pub(crate) fn small(stop: &str) -> CheckedExperiment {
    check(&small_text(stop), &NoisyQuadratic::default())
}

/// The same to the end of each budget, with the gradient noise.
pub(crate) fn noisy() -> CheckedExperiment {
    let text = small_text("budget") + "gradient_noise_scale = true";
    check(&text, &Meddler::new(|_, _, _| Ok(())))
}

fn small_text(stop: &str) -> String {
    let space = "learning_rate = { log = [0.02, 4.0] }";
    let budget = format!("steps = {{ at_batch_size = 64, steps = 150 }}\nstop = '{stop}'");
    let text = text("sgd", "list = [64, 256]", 7, space, &budget);
    text.replace("below = 0.02", "below = 0.2").replace("spacing = 0.05", "spacing = 0.2")
}

pub(crate) fn check(text: &str, factory: &dyn TrainerFactory) -> CheckedExperiment {
    let checked = Experiment::parse(text, "experiment.toml")
        .and_then(|experiment| experiment.check(&factory.facts()));
    checked.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn provenance() -> Provenance {
    Provenance { device: "closed form".into(), version: "1".into(), notes: Default::default() }
}

pub(crate) fn open(directory: &Path, experiment: &CheckedExperiment) -> Result<Store, TunerError> {
    Store::open_or_create(directory, experiment, &provenance())
}

/// Runs until the end, a failure, or the stop that the observer asks for.
pub(crate) fn go_on(
    directory: &Path,
    experiment: &CheckedExperiment,
    factory: &mut dyn TrainerFactory,
    options: &RunOptions,
    mut observer: impl FnMut(&Event<'_>, &AtomicBool),
) -> Result<Outcome, TunerError> {
    let mut store = open(directory, experiment)?;
    let stop = AtomicBool::new(false);
    let mut observer = |event: &Event<'_>| observer(event, &stop);
    run(experiment, factory, &mut store, options, &mut observer, &stop)
}

/// Everything a store holds, with NaN made comparable.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    pub(crate) trials: Vec<TrialRecord>,
    pub(crate) repeats: Vec<TrialRecord>,
    /// (trial, step, metric, bits of the value)
    measurements: Vec<(TrialName, u64, String, u64)>,
}

impl Contents {
    pub(crate) fn n_measurements(&self) -> usize {
        self.measurements.len()
    }
}

pub(crate) fn contents(directory: &Path) -> Contents {
    let record = Record::of_store(&Store::open_read_only(directory).unwrap()).unwrap();
    let runs = |of: fn(&StudyRecord) -> &Vec<TrialCurve>| {
        record.studies.iter().flat_map(of).map(|run| run.trial.clone()).collect()
    };
    let all = record.studies.iter().flat_map(|study| study.trials.iter().chain(&study.repeats));
    let rows = all.flat_map(|TrialCurve { trial, curve }| {
        curve.metrics.keys().flat_map(move |metric| {
            let row =
                |(step, value): (u64, f64)| (trial.name(), step, metric.clone(), value.to_bits());
            curve.rows(metric).map(row)
        })
    });
    Contents {
        trials: runs(|study| &study.trials),
        repeats: runs(|study| &study.repeats),
        measurements: rows.collect(),
    }
}

/// Runs a whole experiment in a new directory.
pub(crate) fn summary(text: &str, mut factory: NoisyQuadratic) -> ExperimentSummary {
    let directory = tempfile::tempdir().unwrap();
    let experiment = check(text, &factory);
    let options = RunOptions::default();
    go_on(directory.path(), &experiment, &mut factory, &options, |_, _| ()).unwrap();
    ExperimentSummary::read(&Store::open_read_only(directory.path()).unwrap()).unwrap()
}

/// What a [`Meddler`] does to the evaluations it passes on: (number of the call, trials in the
/// evaluated lanes, metrics).
pub(crate) type Meddling =
    dyn FnMut(u64, &[Trial], &mut Vec<Metrics>) -> Result<(), TrainerError> + 'static;

/// The noisy quadratic model with a hand in its evaluations and divergences. As its gradient noise it gives
/// the step at which it was asked for it.
pub(crate) struct Meddler {
    pub(crate) inner: NoisyQuadratic,
    pub(crate) n_evaluations: u64,
    pub(crate) n_builds: u64,
    pub(crate) meddling: Box<Meddling>,
    /// From a step on, every lane is reported to have diverged at another: (from, reported).
    pub(crate) diverged_at: Option<(u64, u64)>,
    /// What a stop costs in steps, where lanes are to wait for each other.
    pub(crate) stop_cost: Option<f64>,
    /// Lanes that there is memory for.
    pub(crate) n_fitting: usize,
    pub(crate) gives_noise: bool,
}

impl Meddler {
    pub(crate) fn new(
        meddling: impl FnMut(u64, &[Trial], &mut Vec<Metrics>) -> Result<(), TrainerError> + 'static,
    ) -> Meddler {
        let inner = NoisyQuadratic::default();
        Meddler {
            inner,
            n_evaluations: 0,
            n_builds: 0,
            meddling: Box::new(meddling),
            diverged_at: None,
            stop_cost: None,
            n_fitting: usize::MAX,
            gives_noise: true,
        }
    }
}

impl TrainerFactory for Meddler {
    fn facts(&self) -> WorkloadFacts {
        let mut facts = self.inner.facts();
        facts.metrics.extend(GRADIENT_NOISE_METRICS.map(str::to_owned));
        facts
    }

    fn lane_counts(&self, batch_size: u64) -> Vec<usize> {
        self.inner.lane_counts(batch_size)
    }

    fn memory_bytes(&self, batch_size: u64, lanes: usize) -> Option<u64> {
        self.inner.memory_bytes(batch_size, lanes)
    }

    fn snapshot_bytes(&self) -> u64 {
        self.inner.snapshot_bytes()
    }

    fn build(
        &mut self,
        batch_size: u64,
        lanes: usize,
    ) -> Result<Box<dyn LaneTrainer + '_>, TrainerError> {
        self.n_builds += 1;
        let lanes = lanes.min(self.n_fitting);
        Ok(Box::new(MeddledTrainer {
            inner: self.inner.build(batch_size, lanes)?,
            trials: vec![None; lanes],
            n_evaluations: &mut self.n_evaluations,
            meddling: &mut self.meddling,
            diverged_at: self.diverged_at,
            stop_cost: self.stop_cost,
            gives_noise: self.gives_noise,
            steps: vec![0; lanes],
        }))
    }
}

struct MeddledTrainer<'run> {
    inner: Box<dyn LaneTrainer + 'run>,
    trials: Vec<Option<Trial>>,
    n_evaluations: &'run mut u64,
    meddling: &'run mut Meddling,
    diverged_at: Option<(u64, u64)>,
    stop_cost: Option<f64>,
    gives_noise: bool,
    steps: Vec<u64>,
}

impl LaneTrainer for MeddledTrainer<'_> {
    fn lanes(&self) -> usize {
        self.inner.lanes()
    }

    fn lockstep_stop_cost(&self) -> Option<f64> {
        self.stop_cost
    }

    fn start(&mut self, lane: usize, trial: &Trial) -> Result<(), TrainerError> {
        assert!(self.trials[lane].is_none(), "a lane is freed before it is started again");
        self.steps[lane] = 0;
        self.trials[lane] = Some(trial.clone());
        self.inner.start(lane, trial)
    }

    fn advance(&mut self, steps: &[u64]) -> Result<Vec<Option<u64>>, TrainerError> {
        let is_idle = |(trial, steps): (&Option<Trial>, &u64)| trial.is_some() || *steps == 0;
        assert!(self.trials.iter().zip(steps).all(is_idle), "free lanes are left alone");
        let mut diverged = self.inner.advance(steps)?;
        for (lane, trained) in self.steps.iter_mut().enumerate() {
            *trained += steps[lane];
            if let Some((from, reported)) = self.diverged_at
                && *trained >= from
            {
                diverged[lane] = Some(reported);
            }
        }
        Ok(diverged)
    }

    fn evaluate(
        &mut self,
        lanes: &[usize],
        goal: Option<&Goal>,
    ) -> Result<Vec<Metrics>, TrainerError> {
        let trials: Vec<Trial> =
            lanes.iter().filter_map(|&lane| self.trials[lane].clone()).collect();
        assert_eq!(trials.len(), lanes.len(), "only lanes with a trial are evaluated");
        let mut metrics = self.inner.evaluate(lanes, goal)?;
        *self.n_evaluations += 1;
        (self.meddling)(*self.n_evaluations, &trials, &mut metrics)?;
        Ok(metrics)
    }

    fn gradient_noise(&mut self, lanes: &[usize]) -> Result<Vec<Metrics>, TrainerError> {
        if !self.gives_noise {
            return self.inner.gradient_noise(lanes);
        }
        let noise = |&lane: &usize| {
            let step = self.steps[lane] as f64;
            GRADIENT_NOISE_METRICS.map(|name| (name.to_owned(), step)).into()
        };
        Ok(lanes.iter().map(noise).collect())
    }

    fn snapshot(&mut self, lane: usize) -> Result<Vec<u8>, TrainerError> {
        self.inner.snapshot(lane)
    }

    fn restore(
        &mut self,
        lane: usize,
        trial: &Trial,
        snapshot: &[u8],
    ) -> Result<u64, TrainerError> {
        let step = self.inner.restore(lane, trial, snapshot)?;
        assert!(self.trials[lane].is_none(), "a lane is freed before it is filled again");
        self.steps[lane] = step;
        self.trials[lane] = Some(trial.clone());
        Ok(step)
    }

    fn free(&mut self, lane: usize) {
        self.trials[lane] = None;
        self.inner.free(lane);
    }
}
