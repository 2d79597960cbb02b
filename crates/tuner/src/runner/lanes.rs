//! A study with its trainer: trials in lanes, measured on the grid, refilled as they end.

use std::time::Instant;

use super::RunOptions;
use super::checkpoints::CheckpointFiles;
use super::observer::{Event, Observer};
use super::round::{RoundLength, steps_to_stop};
use super::running::Running;
use super::study::Study;
use super::tally::Standing;
use crate::error::TunerError;
use crate::grid::EvaluationGrid;
use crate::store::{Durability, TrialName, TrialRecord, TrialStatus};
use crate::trainer::{GRADIENT_NOISE_METRICS, LaneTrainer, Metrics, TrainerError};

/// A study with its trainer.
pub(super) struct RunningStudy<'run> {
    study: Study<'run>,
    trainer: Box<dyn LaneTrainer + 'run>,
    grid: EvaluationGrid,
    round_length: RoundLength,
    lanes: Vec<Option<Running>>,
    checkpoints: Option<CheckpointFiles<'run>>,
}

/// How the trial in a lane ended.
#[derive(Clone, Copy)]
struct End {
    lane: usize,
    status: TrialStatus,
    steps: u64,
}

impl<'run> RunningStudy<'run> {
    pub(super) fn new(
        study: Study<'run>,
        trainer: Box<dyn LaneTrainer + 'run>,
        most_lanes: usize,
        options: &'run RunOptions,
    ) -> Result<RunningStudy<'run>, TunerError> {
        let lanes = trainer.lanes();
        if !(1..=most_lanes).contains(&lanes) {
            return Err(TunerError::TrainerContract {
                batch_size: study.batch_size,
                found: format!("{lanes} lanes"),
                expected: format!("1 to {most_lanes}"),
            });
        }
        let spacing = study.experiment.evaluation.relative_spacing;
        Ok(RunningStudy {
            grid: EvaluationGrid::new(spacing, study.budget_steps),
            round_length: RoundLength::new(options.max_steps_per_round),
            lanes: (0..lanes).map(|_| None).collect(),
            checkpoints: options.checkpoints.as_ref().map(CheckpointFiles::new),
            trainer,
            study,
        })
    }

    pub(super) fn n_lanes(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn has_work(&mut self) -> bool {
        self.n_running() > 0 || self.study.can_launch()
    }

    /// Fills the lanes, trains each up to its next measurement at most, and measures those there.
    pub(super) fn round(&mut self, observer: &mut dyn Observer) -> Result<(), TunerError> {
        self.fill_lanes(observer)?;
        let cap = self.round_length.most_steps();
        let steps_of = |running: &Running| (running.next_point - running.step).min(cap);
        let mut steps: Vec<u64> =
            self.lanes.iter().map(|lane| lane.as_ref().map_or(0, steps_of)).collect();
        if let Some(stop_cost) = self.trainer.lockstep_stop_cost() {
            let stop = steps_to_stop(&steps, stop_cost);
            steps.iter_mut().for_each(|steps| *steps = stop.min(*steps));
        }
        if steps.iter().any(|steps| *steps > 0) {
            observer.observe(&Event::TrainingStarts);
            self.advance(&steps, observer)?;
        }
        let n_steps = steps.iter().sum::<u64>();
        let steps_running = self.lanes.iter().flatten().map(|running| running.step as f64).sum();
        let n_examples = n_steps.saturating_mul(self.study.batch_size);
        let progress = self.study.progress(self.n_running(), steps_running, n_examples);
        observer.observe(&Event::RoundFinished(progress));
        match self.checkpoints.as_ref().is_some_and(CheckpointFiles::are_due) {
            true => self.write_checkpoints(observer),
            false => Ok(()),
        }
    }

    /// Writes the state of every trial to its file.
    pub(super) fn write_checkpoints(
        &mut self,
        observer: &mut dyn Observer,
    ) -> Result<(), TunerError> {
        let began = Instant::now();
        for lane in 0..self.lanes.len() {
            let (Some(running), Some(files)) = (&self.lanes[lane], &self.checkpoints) else {
                continue;
            };
            let state = self.trainer.snapshot(lane);
            let state = state.map_err(self.failure("take a checkpoint"))?;
            if let Err((path, error)) = files.write(running.name, &state) {
                let problem = format!("cannot be written: {error}");
                observer.observe(&Event::CheckpointFailed { path: &path, problem: &problem });
                break;
            }
        }
        self.checkpoints.iter_mut().for_each(|files| files.written(began));
        Ok(())
    }

    /// Starts trials in free lanes and measures them before training, which may end them. Half-run ones
    /// go on.
    fn fill_lanes(&mut self, observer: &mut dyn Observer) -> Result<(), TunerError> {
        loop {
            let mut fresh = Vec::new();
            for lane in 0..self.lanes.len() {
                if self.lanes[lane].is_some() {
                    continue;
                }
                let Some((name, trial)) = self.study.launch() else { break };
                let stored = self.study.store.measurements(name)?;
                let mut running = Running::new(name, trial, stored);
                if !self.resume(lane, &mut running, observer) {
                    let started = self.trainer.start(lane, &running.trial);
                    started.map_err(self.failure("start a trial"))?;
                    fresh.push(lane);
                }
                self.lanes[lane] = Some(running);
            }
            if fresh.is_empty() {
                return Ok(());
            }
            observer.observe(&Event::LanesFilled);
            self.measure(&fresh, &[], observer)?;
        }
    }

    /// Puts a half-run trial into a lane at its checkpoint, if it has one that can be used.
    fn resume(&mut self, lane: usize, running: &mut Running, observer: &mut dyn Observer) -> bool {
        let state = self.checkpoints.as_ref().and_then(|files| files.read(running.name));
        let Some((path, state)) = state else { return false };
        let resumed = state.map_err(|error| format!("cannot be read: {error}")).and_then(|state| {
            let step = self.trainer.restore(lane, &running.trial, &state);
            let step = step.map_err(|error| error.to_string())?;
            running.resume_at(step, &self.grid, self.study.experiment)
        });
        if let Err(problem) = &resumed {
            self.trainer.free(lane);
            observer.observe(&Event::CheckpointFailed { path: &path, problem });
        }
        resumed.is_ok()
    }

    fn advance(&mut self, steps: &[u64], observer: &mut dyn Observer) -> Result<(), TunerError> {
        let began = Instant::now();
        let diverged_at = self.trainer.advance(steps).map_err(self.failure("train"))?;
        self.round_length.took(steps.iter().copied().max().unwrap_or(0), began.elapsed());
        self.expect_count("divergence reports", diverged_at.len(), self.lanes.len())?;
        let (mut due, mut diverged) = (Vec::new(), Vec::new());
        for (lane, running) in self.lanes.iter_mut().enumerate() {
            let Some(running) = running else { continue };
            running.step += steps[lane];
            match diverged_at[lane] {
                Some(step) if step > running.step => {
                    return Err(TunerError::TrainerContract {
                        batch_size: self.study.batch_size,
                        found: format!("a divergence at step {step}"),
                        expected: format!("at most {}, the steps trained", running.step),
                    });
                }
                Some(steps) => {
                    let status = TrialStatus::Infeasible;
                    diverged.push(End { lane, status, steps });
                }
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
        diverged: &[End],
        observer: &mut dyn Observer,
    ) -> Result<(), TunerError> {
        let measurements = match due {
            [] => Vec::new(),
            due => self.metrics(due)?,
        };
        let mut ended = diverged.to_vec();
        for (&lane, metrics) in due.iter().zip(measurements) {
            let running = self.lanes[lane].as_mut().expect("only lanes with a trial are due");
            running.expect_same_as_stored(&metrics)?;
            let next_point = self.grid.next_after(running.step);
            if let Some(status) = running.judge(self.study.experiment, metrics, next_point) {
                ended.push(End { lane, status, steps: running.step });
            }
        }
        for end in &ended {
            self.running(end.lane).expect_all_stored_seen()?;
        }
        let forgiven = self.tally(&mut ended);
        self.write(due, &ended, &forgiven)?;
        ended.into_iter().for_each(|end| self.end(end, observer));
        Ok(())
    }

    /// The metrics of lanes: an evaluation of each and, where it is due, the gradient noise.
    fn metrics(&mut self, due: &[usize]) -> Result<Vec<Metrics>, TunerError> {
        let experiment = self.study.experiment;
        let evaluations = self.trainer.evaluate(due, experiment.decided_goal());
        let mut metrics = evaluations.map_err(self.failure("evaluate"))?;
        let goal: &str = &experiment.goal.metric;
        self.expect_metrics("evaluations", due.len(), &metrics, &[goal])?;
        if !experiment.evaluation.gradient_noise_scale {
            return Ok(metrics);
        }
        let batch_size = self.study.batch_size;
        let is_noise_due =
            |index: &usize| self.grid.is_noise_point(self.running(due[*index]).step, batch_size);
        let noisy: Vec<usize> = (0..due.len()).filter(is_noise_due).collect();
        if noisy.is_empty() {
            return Ok(metrics);
        }
        let lanes: Vec<usize> = noisy.iter().map(|index| due[*index]).collect();
        let noise = self.trainer.gradient_noise(&lanes);
        let noise = noise.map_err(self.failure("measure the gradient noise"))?;
        let what = "measurements of the gradient noise";
        self.expect_metrics(what, lanes.len(), &noise, &GRADIENT_NOISE_METRICS)?;
        noisy.into_iter().zip(noise).for_each(|(index, noise)| metrics[index].extend(noise));
        Ok(metrics)
    }

    /// Brings the tally of the search up to date. Adds the trials that can no longer be the best to
    /// those that ended, and returns those whose divergence no longer matters.
    fn tally(&mut self, ended: &mut Vec<End>) -> Vec<u64> {
        let tally = &mut self.study.tally;
        let is_search = |running: &&Running| running.name.repeat == 0;
        for running in self.lanes.iter().flatten().filter(is_search) {
            let standing = Standing::Running { until: running.measured_until };
            tally.set(running.name.trial_id, standing);
        }
        for end in ended.iter() {
            let running = self.lanes[end.lane].as_ref().filter(is_search);
            let Some(running) = running else { continue };
            let standing = match (end.status, running.reached_at) {
                (TrialStatus::Infeasible, _) => Standing::Diverged(end.steps),
                (_, Some(step)) => Standing::Arrived(step),
                (_, None) => Standing::Ended,
            };
            tally.set(running.name.trial_id, standing);
        }
        let Some(horizon) = tally.horizon() else { return vec![] };
        for end in overtaken(&self.lanes, ended, horizon) {
            let running = self.lanes[end.lane].as_ref().expect("only lanes with a trial end");
            tally.set(running.name.trial_id, Standing::Ended);
            ended.push(end);
        }
        tally.forgive_divergences_after(horizon)
    }

    /// Puts a round's measurements, ends and changes of status on disk.
    fn write(&mut self, due: &[usize], ended: &[End], forgiven: &[u64]) -> Result<(), TunerError> {
        let lanes = &self.lanes;
        let running = |lane: usize| lanes[lane].as_ref().expect("only lanes with a trial are due");
        let durability = match ended.is_empty() && forgiven.is_empty() {
            true => Durability::Process,
            false => Durability::Power,
        };
        let mut round = self.study.store.begin(durability)?;
        for running in due.iter().map(|lane| running(*lane)) {
            if running.step == 0 {
                round.claim(running.name, &running.trial.parameters)?;
            }
            round.append(running.name, running.step, &running.latest)?;
        }
        for end in ended {
            round.finish(running(end.lane).name, end.status, end.steps)?;
        }
        for trial_id in forgiven {
            round.finish_at_last_measurement(self.study.batch_size, *trial_id)?;
        }
        round.commit()
    }

    /// Frees the lane of a trial that ended and was stored.
    fn end(&mut self, End { lane, status, steps }: End, observer: &mut dyn Observer) {
        let running = self.lanes[lane].take().expect("only lanes with a trial end");
        self.trainer.free(lane);
        self.checkpoints.iter().for_each(|files| files.remove(running.name));
        let TrialName { batch_size, trial_id, repeat } = running.name;
        if repeat > 0 {
            self.study.end_repeat(running.name);
        }
        let parameters = running.trial.parameters;
        let trial = TrialRecord { batch_size, trial_id, repeat, parameters, status, steps };
        let (reached_at, metrics) = (running.reached_at, &running.latest);
        observer.observe(&Event::TrialFinished { trial: &trial, reached_at, metrics });
    }

    fn running(&self, lane: usize) -> &Running {
        self.lanes[lane].as_ref().expect("only lanes with a trial are asked for")
    }

    fn n_running(&self) -> u64 {
        self.lanes.iter().flatten().count() as u64
    }

    fn failure(&self, action: &'static str) -> impl FnOnce(TrainerError) -> TunerError + use<> {
        let batch_size = self.study.batch_size;
        move |source| TunerError::Trainer { action, batch_size, source }
    }

    fn expect_count(&self, what: &str, found: usize, expected: usize) -> Result<(), TunerError> {
        if found == expected {
            return Ok(());
        }
        Err(self.broken_contract(format!("{found} {what}"), expected.to_string()))
    }

    /// So many sets of metrics, with some in each.
    fn expect_metrics(
        &self,
        what: &str,
        n_expected: usize,
        found: &[Metrics],
        expected: &[&str],
    ) -> Result<(), TunerError> {
        self.expect_count(what, found.len(), n_expected)?;
        for metrics in found {
            if let Some(missing) = expected.iter().find(|name| !metrics.contains_key(**name)) {
                let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
                let found = match names.is_empty() {
                    true => "no metrics".to_owned(),
                    false => format!("the metrics {}", names.join(", ")),
                };
                return Err(self.broken_contract(found, format!("'{missing}' among them")));
            }
        }
        Ok(())
    }

    fn broken_contract(&self, found: String, expected: String) -> TunerError {
        TunerError::TrainerContract { batch_size: self.study.batch_size, found, expected }
    }
}

/// The trials of the search that can no longer be the best; see `tally`.
fn overtaken(lanes: &[Option<Running>], ended: &[End], horizon: u64) -> Vec<End> {
    let has_ended = |lane: usize| ended.iter().any(|end| end.lane == lane);
    let overtaken = |(lane, running): (usize, &Option<Running>)| {
        let running = running.as_ref().filter(|running| running.name.repeat == 0)?;
        let steps = running.measured_until.filter(|until| *until >= horizon)?;
        (!has_ended(lane)).then_some(End { lane, status: TrialStatus::Complete, steps })
    };
    lanes.iter().enumerate().filter_map(overtaken).collect()
}
