//! What a run will take: trials, examples, hours and disk, from a measurement of a few steps.

use std::time::Duration;

use serde::Serialize;

use crate::error::TunerError;
use crate::experiment::CheckedExperiment;
use crate::grid::EvaluationGrid;
use crate::lane_counts::{LaneCounts, LanesReason};
use crate::runner::{RunOptions, n_repeats_left};
use crate::space::Space;
use crate::speed::{MeasuredSpeed, SpeedMeter};
use crate::store::{SearchBox, Speed, Store, TrialStatus};
use crate::trainer::{GRADIENT_NOISE_METRICS, TrainerFactory, is_gradient_noise};

/// Bytes of the store per measurement of one metric, as measured; a test holds it to that.
const BYTES_PER_ROW: u64 = 26;

/// Bytes of a store without measurements.
const BYTES_OF_EMPTY_STORE: u64 = 64 << 10;

/// What is left to do of an experiment, and what it takes at most: as if every trial spent its whole
/// budget. Trials that diverge come on top; they end early.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The studies by ascending batch size.
    pub studies: Vec<StudyPlan>,
}

/// What is left to do of a study, and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyPlan {
    /// Examples per update.
    pub batch_size: u64,
    /// Complete trials asked for.
    pub n_trials: u64,
    /// Complete trials that are still to be run; 0 also where a study ended short of them.
    pub n_trials_left: u64,
    /// Repeats with fresh seeds that are still to be run, at most.
    pub n_repeats_left: u64,
    /// Trials trained side by side.
    pub lanes: u64,
    /// Why so many.
    pub lanes_reason: LanesReason,
    /// Bytes of memory that it is planned to take at most, while lanes are chosen and while it runs;
    /// `None` where the trainer does not tell.
    pub memory_bytes: Option<u64>,
    /// Bytes of the checkpoints of all lanes, and of one more while it is written.
    pub checkpoint_bytes: u64,
    /// The most steps a trial may train.
    pub budget_steps: u64,
    /// Measurements of a trial that spends its budget.
    pub n_evaluations: u64,
    /// Metrics of one measurement, without those of the gradient noise.
    pub n_metrics: u64,
    /// Measurements of such a trial at which the gradient noise is measured too.
    pub n_noise_points: u64,
    /// How fast it trains; `None` where nothing is left to do and it was never measured.
    pub speed: Option<Speed>,
}

impl Plan {
    /// Plans what is left of an experiment; `store` is that of its directory, if there is one.
    ///
    /// Speeds that the store has are taken from there, the others are measured (see
    /// [`SpeedMeter::measure`]). Nothing is written.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read or the trainer fails.
    pub fn new(
        experiment: &CheckedExperiment,
        store: Option<&Store>,
        factory: &mut dyn TrainerFactory,
        options: &RunOptions,
        clock: &mut dyn FnMut() -> Duration,
    ) -> Result<Plan, TunerError> {
        let mut meter = SpeedMeter::new(clock);
        let batch_sizes = experiment.budget_steps.keys();
        let studies = batch_sizes.map(|batch_size| {
            let mut study = StudyPlan::new(experiment, *batch_size, store, factory)?;
            let counts = study.lane_counts(factory, options);
            match counts.kept(study.speed.as_ref()) {
                Some(lanes) => study.set_lanes(lanes, LanesReason::Earlier, lanes, factory),
                None if study.n_left() > 0 && study.needs_measuring(options) => {
                    let space = space(experiment, *batch_size, store)?;
                    let n_steps = study.n_left().saturating_mul(study.budget_steps);
                    let share = study.noise_share();
                    let measured =
                        meter.measure(factory, &space, *batch_size, &counts, n_steps, share)?;
                    study.set_measured(measured, factory);
                }
                None => study.set_lanes(counts.first(), counts.limit(), counts.first(), factory),
            }
            Ok(study)
        });
        Ok(Plan { studies: studies.collect::<Result<_, TunerError>>()? })
    }

    /// Keeps the speeds in the store, so that they are not measured again. Where the lanes were asked
    /// for, only that of one lane, so that another run chooses its lanes by itself.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn keep_speeds(&self, store: &mut Store) -> Result<(), TunerError> {
        for study in &self.studies {
            let Some(speed) = &study.speed else { continue };
            if study.lanes_reason == LanesReason::Asked {
                store.set_speed_alone(study.batch_size, speed.seconds_per_step_alone)?;
            } else if store.speed(study.batch_size)? != Some(*speed) {
                store.set_speed(study.batch_size, speed)?;
            }
        }
        Ok(())
    }

    /// Seconds that the rest takes at most.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.studies.iter().map(StudyPlan::seconds).sum()
    }

    /// Bytes that the rest adds to the store at most.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let rows: u64 = self.studies.iter().map(StudyPlan::n_rows).sum();
        BYTES_OF_EMPTY_STORE + rows.saturating_mul(BYTES_PER_ROW)
    }

    /// Bytes that checkpoints take at any one time at most, until the trials have ended.
    #[must_use]
    pub fn checkpoint_bytes(&self) -> u64 {
        self.studies.iter().map(|study| study.checkpoint_bytes).max().unwrap_or(0)
    }
}

impl StudyPlan {
    fn new(
        experiment: &CheckedExperiment,
        batch_size: u64,
        store: Option<&Store>,
        factory: &dyn TrainerFactory,
    ) -> Result<StudyPlan, TunerError> {
        let searched = last_box(experiment, batch_size, store)?;
        let trials = store.map_or(Ok(vec![]), |store| store.trials(batch_size))?;
        let n_complete =
            trials.iter().filter(|trial| trial.status == TrialStatus::Complete).count() as u64;
        let has_ended = |status: TrialStatus| status != TrialStatus::Incomplete;
        let is_exhausted = trials.len() as u64 >= searched.max_trials
            && trials.iter().all(|trial| has_ended(trial.status));
        let n_trials_left = match is_exhausted {
            true => 0,
            false => searched.n_trials.saturating_sub(n_complete),
        };
        let asked = experiment
            .search
            .repeats
            .map_or(0, |repeats| repeats.n_best.min(searched.n_trials) * repeats.n_seeds);
        let n_repeats_left =
            store.map_or(Ok(asked), |store| n_repeats_left(experiment, batch_size, store))?;
        let budget_steps = experiment.budget_steps.get(&batch_size).copied().unwrap_or(1);
        let grid = EvaluationGrid::new(experiment.evaluation.relative_spacing, budget_steps);
        let is_noise_point = |point: &u64| grid.is_noise_point(*point, batch_size);
        let n_noise_points = match experiment.evaluation.gradient_noise_scale {
            true => grid.points().filter(is_noise_point).count() as u64,
            false => 0,
        };
        let metrics = factory.facts().metrics;
        Ok(StudyPlan {
            batch_size,
            n_trials: searched.n_trials,
            n_trials_left,
            n_repeats_left,
            lanes: 1,
            lanes_reason: LanesReason::Trials,
            memory_bytes: None,
            checkpoint_bytes: 0,
            budget_steps,
            n_evaluations: grid.n_points(),
            n_metrics: metrics.iter().filter(|metric| !is_gradient_noise(metric)).count() as u64,
            n_noise_points,
            speed: store.map_or(Ok(None), |store| store.speed(batch_size))?,
        })
    }

    /// Share of a trial's measurements at which the gradient noise is measured too.
    fn noise_share(&self) -> f64 {
        self.n_noise_points as f64 / self.n_evaluations as f64
    }

    /// The lanes that may be tried.
    fn lane_counts(&self, factory: &dyn TrainerFactory, options: &RunOptions) -> LaneCounts {
        let n_trials = self.n_trials_left.max(self.n_repeats_left);
        LaneCounts::new(options.lanes, factory, self.batch_size, n_trials)
    }

    /// Whether what the store knows does not tell how fast it trains here: for lanes that are asked
    /// for, any measurement does.
    fn needs_measuring(&self, options: &RunOptions) -> bool {
        self.speed.is_none() || options.lanes.is_none()
    }

    fn set_measured(&mut self, measured: MeasuredSpeed, factory: &dyn TrainerFactory) {
        let MeasuredSpeed { speed, reason, most_lanes } = measured;
        self.speed = Some(speed);
        self.set_lanes(usize::try_from(speed.lanes).unwrap_or(1), reason, most_lanes, factory);
    }

    fn set_lanes(
        &mut self,
        lanes: usize,
        reason: LanesReason,
        most_lanes: usize,
        factory: &dyn TrainerFactory,
    ) {
        (self.lanes, self.lanes_reason) = (lanes as u64, reason);
        self.memory_bytes = factory.memory_bytes(self.batch_size, most_lanes);
        self.checkpoint_bytes = (self.lanes + 1).saturating_mul(factory.snapshot_bytes());
    }

    /// Trials and repeats that are still to be run.
    #[must_use]
    pub fn n_left(&self) -> u64 {
        self.n_trials_left + self.n_repeats_left
    }

    /// Examples that the rest trains on at most.
    #[must_use]
    pub fn n_examples(&self) -> u64 {
        self.n_left().saturating_mul(self.budget_steps).saturating_mul(self.batch_size)
    }

    /// Measurements of one metric that the rest makes at most.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        let n_noise = self.n_noise_points.saturating_mul(GRADIENT_NOISE_METRICS.len() as u64);
        let of_trial = self.n_evaluations.saturating_mul(self.n_metrics).saturating_add(n_noise);
        self.n_left().saturating_mul(of_trial)
    }

    /// Seconds that the rest takes at most: full lanes, then those that are left over; first the
    /// search, then the repeats.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let Some(speed) = &self.speed else { return 0.0 };
        let seconds = |n_trials: u64| {
            let (n_full, n_rest) = (n_trials / self.lanes, n_trials % self.lanes);
            let of_lanes = |lanes| {
                self.budget_steps as f64 * seconds_per_step(speed, lanes)
                    + self.n_evaluations as f64 * speed.seconds_per_evaluation
            };
            let rest = if n_rest > 0 { of_lanes(n_rest) } else { 0.0 };
            n_full as f64 * of_lanes(self.lanes) + rest
        };
        seconds(self.n_trials_left) + seconds(self.n_repeats_left)
    }
}

/// Duration of a step of some lanes together, on the line through the two that were measured.
fn seconds_per_step(speed: &Speed, lanes: u64) -> f64 {
    let (alone, together) = (speed.seconds_per_step_alone, speed.seconds_per_step);
    if speed.lanes <= 1 {
        return alone * lanes as f64;
    }
    let slope = (together - alone) / (speed.lanes - 1) as f64;
    (alone + slope * (lanes as f64 - 1.0)).max(alone.min(together))
}

fn last_box(
    experiment: &CheckedExperiment,
    batch_size: u64,
    store: Option<&Store>,
) -> Result<SearchBox, TunerError> {
    match store {
        Some(store) => store.last_box(batch_size),
        None => Ok(SearchBox {
            space: experiment.spaces.get(&batch_size).cloned().unwrap_or_default(),
            first_trial_id: 0,
            n_trials: experiment.search.n_trials,
            max_trials: experiment.search.max_trials,
        }),
    }
}

fn space(
    experiment: &CheckedExperiment,
    batch_size: u64,
    store: Option<&Store>,
) -> Result<Space, TunerError> {
    Ok(last_box(experiment, batch_size, store)?.space)
}
