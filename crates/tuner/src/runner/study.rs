//! One study: trials in lanes, measured on the grid, refilled as they end.

use std::collections::{BTreeMap, BTreeSet};

use super::RunOptions;
use super::observer::{Event, Observer, Progress};
use crate::analysis::StudySummary;
use crate::error::RunError;
use crate::experiment::{CheckedExperiment, StopRule};
use crate::grid::EvaluationGrid;
use crate::sampler::StudySampler;
use crate::store::{Store, TrialRecord, TrialStatus};
use crate::trainer::{LaneTrainer, Metrics, TrainerError, TrainerFactory, Trial};

/// A study's tally: which trials have ended and which is next.
pub(super) struct Study<'run> {
    experiment: &'run CheckedExperiment,
    store: &'run mut Store,
    batch_size: u64,
    budget_steps: u64,
    /// Ids of trials that ended in an earlier run.
    ended: BTreeSet<u64>,
    next_trial_id: u64,
    n_complete: u64,
    n_infeasible: u64,
    best_steps: Option<u64>,
}

/// A study with its trainer.
pub(super) struct RunningStudy<'run> {
    study: Study<'run>,
    trainer: Box<dyn LaneTrainer + 'run>,
    sampler: StudySampler,
    grid: EvaluationGrid,
    max_steps_per_round: u64,
    lanes: Vec<Option<Running>>,
}

/// A trial in a lane.
struct Running {
    trial: Trial,
    step: u64,
    /// The step of its next measurement.
    next_point: u64,
    reached_at: Option<u64>,
    /// What an interrupted run measured on it, and this one not yet.
    stored: BTreeMap<u64, Metrics>,
    latest: Metrics,
}

impl<'run> Study<'run> {
    pub(super) fn open(
        experiment: &'run CheckedExperiment,
        batch_size: u64,
        store: &'run mut Store,
    ) -> Result<Study<'run>, RunError> {
        let trials = store.trials(batch_size)?;
        let has_ended = |trial: &&TrialRecord| trial.status != TrialStatus::Incomplete;
        let summary = StudySummary::read(store, batch_size)?;
        Ok(Study {
            experiment,
            store,
            batch_size,
            budget_steps: summary.budget_steps,
            ended: trials.iter().filter(has_ended).map(|trial| trial.trial_id).collect(),
            next_trial_id: 0,
            n_complete: summary.complete,
            n_infeasible: summary.infeasible,
            best_steps: summary.steps_to_result,
        })
    }

    /// Lanes to train in: never more than trials that can run at once.
    pub(super) fn lanes(&self, options: &RunOptions, factory: &dyn TrainerFactory) -> usize {
        let lanes = options.lanes.unwrap_or_else(|| factory.max_lanes(self.batch_size));
        let n_left = self.experiment.search.n_trials.saturating_sub(self.n_complete);
        lanes.min(usize::try_from(n_left).unwrap_or(usize::MAX)).max(1)
    }

    pub(super) fn announce(&self, lanes: usize, observer: &mut dyn Observer) {
        let (budget_steps, progress) = (self.budget_steps, self.progress(0, 0.0, 0));
        observer.observe(&Event::StudyStarted { lanes, budget_steps, progress });
    }

    /// Whether anything is left to run, as seen before any trial runs.
    pub(super) fn has_work(&mut self) -> bool {
        self.can_launch(0)
    }

    /// Whether another trial should run beside those running; finds its id.
    fn can_launch(&mut self, n_running: u64) -> bool {
        while self.ended.contains(&self.next_trial_id) {
            self.next_trial_id += 1;
        }
        self.n_complete + n_running < self.experiment.search.n_trials
            && self.next_trial_id < self.experiment.search.max_trials
    }

    pub(super) fn start(
        self,
        trainer: Box<dyn LaneTrainer + 'run>,
        lanes: usize,
        options: &RunOptions,
    ) -> Result<RunningStudy<'run>, RunError> {
        let spacing = self.experiment.evaluation.relative_spacing;
        let study = RunningStudy {
            sampler: StudySampler::new(
                &self.experiment.search,
                &self.experiment.spaces[&self.batch_size],
                self.batch_size,
            ),
            grid: EvaluationGrid::new(spacing, self.budget_steps),
            max_steps_per_round: options.max_steps_per_round.unwrap_or(u64::MAX).max(1),
            lanes: (0..lanes).map(|_| None).collect(),
            trainer,
            study: self,
        };
        study.expect_one_per_lane("lanes", study.trainer.lanes())?;
        Ok(study)
    }

    fn progress(&self, n_running: u64, steps_running: f64, n_examples: u64) -> Progress {
        let n_trials = self.experiment.search.n_trials;
        let trials_done = self.n_complete as f64 + steps_running / self.budget_steps as f64;
        let is_exhausted = self.next_trial_id >= self.experiment.search.max_trials;
        let study_fraction = match is_exhausted && n_running == 0 {
            true => 1.0,
            false => (trials_done / n_trials as f64).min(1.0),
        };
        let weight = |(batch_size, steps): (&u64, &u64)| *batch_size as f64 * *steps as f64;
        let budgets = &self.experiment.budget_steps;
        let before: f64 = budgets.range(..self.batch_size).map(weight).sum();
        let this = weight((&self.batch_size, &self.budget_steps));
        let total: f64 = budgets.iter().map(weight).sum();
        Progress {
            batch_size: self.batch_size,
            n_trials,
            n_complete: self.n_complete,
            n_infeasible: self.n_infeasible,
            n_running,
            best_steps: self.best_steps,
            n_examples,
            study_fraction,
            experiment_fraction: ((before + study_fraction * this) / total).min(1.0),
        }
    }
}

impl RunningStudy<'_> {
    pub(super) fn has_work(&mut self) -> bool {
        let n_running = self.n_running();
        n_running > 0 || self.study.can_launch(n_running)
    }

    /// Fills the lanes, trains each up to its next measurement at most, and measures those there.
    pub(super) fn round(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        self.fill_lanes(observer)?;
        let cap = self.max_steps_per_round;
        let steps_of = |running: &Running| (running.next_point - running.step).min(cap);
        let steps: Vec<u64> =
            self.lanes.iter().map(|lane| lane.as_ref().map_or(0, steps_of)).collect();
        if steps.iter().any(|steps| *steps > 0) {
            self.advance(&steps, observer)?;
        }
        let n_steps = steps.iter().sum::<u64>();
        let steps_running = self.lanes.iter().flatten().map(|running| running.step as f64).sum();
        let n_examples = n_steps.saturating_mul(self.study.batch_size);
        let progress = self.study.progress(self.n_running(), steps_running, n_examples);
        observer.observe(&Event::RoundFinished(progress));
        Ok(())
    }

    /// Starts trials in free lanes and measures them before training, which may end them.
    fn fill_lanes(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        loop {
            let mut fresh = Vec::new();
            for lane in 0..self.lanes.len() {
                if self.lanes[lane].is_none() && self.study.can_launch(self.n_running()) {
                    let running = self.next_trial()?;
                    let started = self.trainer.start(lane, &running.trial);
                    started.map_err(self.failure("start a trial"))?;
                    self.lanes[lane] = Some(running);
                    fresh.push(lane);
                }
            }
            if fresh.is_empty() {
                return Ok(());
            }
            self.measure(&fresh, &[], observer)?;
        }
    }

    fn next_trial(&mut self) -> Result<Running, RunError> {
        let study = &mut self.study;
        let trial_id = study.next_trial_id;
        study.next_trial_id += 1;
        let trial = Trial {
            batch_size: study.batch_size,
            trial_id,
            seed: study.experiment.search.seed,
            parameters: self.sampler.parameters(trial_id),
        };
        Ok(Running {
            trial,
            step: 0,
            next_point: 0,
            reached_at: None,
            stored: study.store.trial_measurements(study.batch_size, trial_id)?,
            latest: Metrics::new(),
        })
    }

    fn advance(&mut self, steps: &[u64], observer: &mut dyn Observer) -> Result<(), RunError> {
        let diverged_at = self.trainer.advance(steps).map_err(self.failure("train"))?;
        self.expect_one_per_lane("divergence reports", diverged_at.len())?;
        let (mut due, mut diverged) = (Vec::new(), Vec::new());
        for (lane, running) in self.lanes.iter_mut().enumerate() {
            let Some(running) = running else { continue };
            running.step += steps[lane];
            match diverged_at[lane] {
                Some(step) if step > running.step => {
                    return Err(RunError::TrainerContract {
                        batch_size: self.study.batch_size,
                        found: format!("a divergence at step {step}"),
                        expected: format!("at most {}, the steps trained", running.step),
                    });
                }
                Some(step) => diverged.push((lane, step)),
                None if running.step == running.next_point => due.push(lane),
                None => (),
            }
        }
        self.measure(&due, &diverged, observer)
    }

    /// Evaluates lanes, stores what came out together with the trials that ended, frees their
    /// lanes.
    fn measure(
        &mut self,
        due: &[usize],
        diverged: &[(usize, u64)],
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let evaluations = match due {
            [] => Vec::new(),
            due => self.trainer.evaluate(due).map_err(self.failure("evaluate"))?,
        };
        self.expect_evaluations(due.len(), &evaluations)?;
        let mut ended: Vec<(usize, TrialStatus, u64)> =
            diverged.iter().map(|(lane, step)| (*lane, TrialStatus::Infeasible, *step)).collect();
        let experiment = self.study.experiment;
        let mut round = self.study.store.begin()?;
        for (&lane, metrics) in due.iter().zip(evaluations) {
            let running = self.lanes[lane].as_mut().expect("only lanes with a trial are due");
            if running.step == 0 {
                round.claim(&running.trial)?;
            }
            running.expect_same_as_stored(&metrics)?;
            round.append(&running.trial, running.step, &metrics)?;
            let next_point = self.grid.next_after(running.step);
            if let Some(status) = running.judge(experiment, metrics, next_point) {
                ended.push((lane, status, running.step));
            }
        }
        for (lane, status, step) in &ended {
            let running = self.lanes[*lane].as_ref().expect("only lanes with a trial end");
            running.expect_all_stored_seen()?;
            round.finish(&running.trial, *status, *step)?;
        }
        round.commit()?;
        ended.into_iter().for_each(|(lane, status, step)| self.end(lane, status, step, observer));
        Ok(())
    }

    /// Frees the lane of a trial that ended and was stored.
    fn end(&mut self, lane: usize, status: TrialStatus, steps: u64, observer: &mut dyn Observer) {
        let running = self.lanes[lane].take().expect("only lanes with a trial end");
        self.trainer.free(lane);
        if status == TrialStatus::Complete {
            self.study.n_complete += 1;
            let best = self.study.best_steps.into_iter().chain(running.reached_at);
            self.study.best_steps = best.min();
        } else {
            self.study.n_infeasible += 1;
        }
        let Trial { batch_size, trial_id, parameters, .. } = running.trial;
        let trial = TrialRecord { batch_size, trial_id, repeat: 0, parameters, status, steps };
        let (reached_at, metrics) = (running.reached_at, &running.latest);
        observer.observe(&Event::TrialFinished { trial: &trial, reached_at, metrics });
    }

    fn n_running(&self) -> u64 {
        self.lanes.iter().flatten().count() as u64
    }

    fn failure(&self, action: &'static str) -> impl FnOnce(TrainerError) -> RunError + use<> {
        let batch_size = self.study.batch_size;
        move |source| RunError::Trainer { action, batch_size, source }
    }

    fn expect_one_per_lane(&self, what: &str, found: usize) -> Result<(), RunError> {
        if found == self.lanes.len() {
            return Ok(());
        }
        Err(RunError::TrainerContract {
            batch_size: self.study.batch_size,
            found: format!("{found} {what}"),
            expected: self.lanes.len().to_string(),
        })
    }

    fn expect_evaluations(&self, n_due: usize, evaluations: &[Metrics]) -> Result<(), RunError> {
        let broken = |found: String, expected: String| {
            Err(RunError::TrainerContract { batch_size: self.study.batch_size, found, expected })
        };
        if evaluations.len() != n_due {
            return broken(format!("{} evaluations", evaluations.len()), n_due.to_string());
        }
        let goal = &self.study.experiment.goal.metric;
        match evaluations.iter().find(|metrics| !metrics.contains_key(goal)) {
            None => Ok(()),
            Some(metrics) => {
                let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
                broken(format!("the metrics {}", names.join(", ")), format!("'{goal}' among them"))
            }
        }
    }
}

impl Running {
    /// Takes in a measurement; says how the trial ended, if it did.
    fn judge(
        &mut self,
        experiment: &CheckedExperiment,
        metrics: Metrics,
        next_point: Option<u64>,
    ) -> Option<TrialStatus> {
        let has_diverged = metrics
            .iter()
            .any(|(name, value)| name.ends_with("/cross_entropy_error") && !value.is_finite());
        let is_beyond = experiment.goal.is_reached_by(metrics[&experiment.goal.metric]);
        self.latest = metrics;
        if has_diverged {
            return Some(TrialStatus::Infeasible);
        }
        if is_beyond {
            self.reached_at = self.reached_at.or(Some(self.step));
        }
        match next_point {
            Some(next_point) if !(is_beyond && experiment.stop == StopRule::Goal) => {
                self.next_point = next_point;
                None
            }
            _ => Some(TrialStatus::Complete),
        }
    }

    /// A measurement of an interrupted run must come out again, bit for bit.
    fn expect_same_as_stored(&mut self, metrics: &Metrics) -> Result<(), RunError> {
        let Some(stored) = self.stored.remove(&self.step) else { return Ok(()) };
        let is_same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        let same = stored.len() == metrics.len()
            && stored.iter().all(|(name, a)| metrics.get(name).is_some_and(|b| is_same(*a, *b)));
        if same {
            return Ok(());
        }
        Err(self.not_reproducible(self.step, format!("{stored:?}"), format!("{metrics:?}")))
    }

    /// A trial that ended must have come past all that an interrupted run measured on it.
    fn expect_all_stored_seen(&self) -> Result<(), RunError> {
        match self.stored.first_key_value() {
            None => Ok(()),
            Some((step, stored)) => {
                Err(self.not_reproducible(*step, format!("{stored:?}"), "no measurement".into()))
            }
        }
    }

    fn not_reproducible(&self, step: u64, stored: String, measured: String) -> RunError {
        let (batch_size, trial_id) = (self.trial.batch_size, self.trial.trial_id);
        RunError::NotReproducible { batch_size, trial_id, step, stored, measured }
    }
}
