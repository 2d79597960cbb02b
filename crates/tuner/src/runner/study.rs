//! One study: which of its trials have ended, and what runs next.

use std::collections::{BTreeSet, VecDeque};

use super::RunOptions;
use super::box_sampler::BoxSampler;
use super::observer::{Event, Observer, Progress};
use super::tally::{Standing, Tally};
use crate::error::TunerError;
use crate::experiment::{CheckedExperiment, StopRule};
use crate::hash::hash;
use crate::lane_counts::LaneCounts;
use crate::store::{Durability, Store, TrialName, TrialRecord, TrialStatus};
use crate::trainer::{TrainerFactory, Trial};

/// What has ended of a study, and what runs next.
pub(super) struct Study<'run> {
    pub(super) experiment: &'run CheckedExperiment,
    pub(super) store: &'run mut Store,
    pub(super) batch_size: u64,
    pub(super) budget_steps: u64,
    pub(super) tally: Tally,
    n_trials: u64,
    sampler: BoxSampler,
    /// Repeats that have ended, as (trial id, repeat).
    ended_repeats: BTreeSet<(u64, u64)>,
    /// Repeats still to be started; `None` before the search has ended.
    due_repeats: Option<VecDeque<(u64, u64)>>,
}

impl<'run> Study<'run> {
    pub(super) fn open(
        experiment: &'run CheckedExperiment,
        batch_size: u64,
        store: &'run mut Store,
    ) -> Result<Study<'run>, TunerError> {
        let boxes = store.boxes(batch_size)?;
        let mut tally = tally(experiment, batch_size, store)?;
        forgive(&mut tally, batch_size, store)?;
        let mut study = Study {
            experiment,
            batch_size,
            budget_steps: experiment.budget_steps.get(&batch_size).copied().unwrap_or(1),
            tally,
            n_trials: store.last_box(batch_size)?.n_trials,
            sampler: BoxSampler::new(&experiment.search, boxes, batch_size),
            ended_repeats: ended_repeats(store, batch_size)?,
            due_repeats: None,
            store,
        };
        study.plan_repeats();
        Ok(study)
    }

    /// Lanes to train in: never more than trials that can run at once.
    pub(super) fn lanes(
        &self,
        options: &RunOptions,
        factory: &dyn TrainerFactory,
    ) -> Result<usize, TunerError> {
        let n_left = self.n_trials.saturating_sub(self.tally.n_complete());
        let n_left = n_left.max(self.n_repeats().saturating_sub(self.n_repeats_done()));
        let counts = LaneCounts::new(options.lanes, factory, self.batch_size, n_left);
        let speed = self.store.speed(self.batch_size)?;
        Ok(counts.kept(speed.as_ref()).unwrap_or(counts.first()))
    }

    pub(super) fn announce(&self, lanes: usize, observer: &mut dyn Observer) {
        let (budget_steps, progress) = (self.budget_steps, self.progress(0, 0.0, 0));
        observer.observe(&Event::StudyStarted { lanes, budget_steps, progress });
    }

    /// Whether anything can be started now.
    pub(super) fn can_launch(&mut self) -> bool {
        self.plan_repeats();
        let is_repeat_due = self.due_repeats.as_ref().is_some_and(|due| !due.is_empty());
        is_repeat_due || self.tally.next().is_some()
    }

    /// What is to be started next, taken as started: a trial of the search, and once that has
    /// ended, a repeat.
    pub(super) fn launch(&mut self) -> Option<(TrialName, Trial)> {
        let (trial_id, repeat) = match self.tally.next() {
            Some(trial_id) => {
                self.tally.set(trial_id, Standing::Running { until: None });
                (trial_id, 0)
            }
            None => {
                self.plan_repeats();
                self.due_repeats.as_mut()?.pop_front()?
            }
        };
        let (batch_size, seed) = (self.batch_size, self.experiment.search.seed);
        let trial = Trial {
            batch_size,
            trial_id,
            seed: if repeat == 0 { seed } else { hash(&[seed, repeat]) },
            parameters: self.sampler.parameters(trial_id),
        };
        Some((TrialName { batch_size, trial_id, repeat }, trial))
    }

    /// Lists the repeats to be run, once the search has ended and its best trials are known.
    fn plan_repeats(&mut self) {
        let Some(repeats) = self.experiment.search.repeats else { return };
        let is_searching = self.tally.n_running() > 0 || self.tally.next().is_some();
        if is_searching || self.due_repeats.is_some() {
            return;
        }
        let best = self.tally.best(repeats.n_best);
        let all = best
            .into_iter()
            .flat_map(|(_, trial_id)| (1..=repeats.n_seeds).map(move |repeat| (trial_id, repeat)));
        let is_due = |repeat: &(u64, u64)| !self.ended_repeats.contains(repeat);
        self.due_repeats = Some(all.filter(is_due).collect());
    }

    pub(super) fn end_repeat(&mut self, name: TrialName) {
        self.ended_repeats.insert((name.trial_id, name.repeat));
    }

    /// Repeats asked for: a bound, until the search has ended.
    fn n_repeats(&self) -> u64 {
        let Some(repeats) = self.experiment.search.repeats else { return 0 };
        let n_best = match self.due_repeats {
            None => repeats.n_best,
            Some(_) => self.tally.best(repeats.n_best).len() as u64,
        };
        n_best * repeats.n_seeds
    }

    fn n_repeats_done(&self) -> u64 {
        let n_best = self.experiment.search.repeats.map_or(0, |repeats| repeats.n_best);
        n_of_best(&self.ended_repeats, &self.tally.best(n_best)).min(self.n_repeats())
    }

    pub(super) fn progress(&self, n_running: u64, steps_running: f64, n_examples: u64) -> Progress {
        let (n_complete, n_trials) = (self.tally.n_complete(), self.n_trials);
        let (n_repeats, n_repeats_done) = (self.n_repeats(), self.n_repeats_done());
        let n_done = (n_complete.min(n_trials) + n_repeats_done) as f64;
        let n_done = n_done + steps_running / self.budget_steps as f64;
        let is_over = n_running == 0
            && self.tally.next().is_none()
            && self.due_repeats.as_ref().is_none_or(VecDeque::is_empty);
        let study_fraction = match is_over {
            true => 1.0,
            false => (n_done / (n_trials + n_repeats) as f64).min(1.0),
        };
        let weight = |(batch_size, steps): (&u64, &u64)| *batch_size as f64 * *steps as f64;
        let budgets = &self.experiment.budget_steps;
        let before: f64 = budgets.range(..self.batch_size).map(weight).sum();
        let this = weight((&self.batch_size, &self.budget_steps));
        let total: f64 = budgets.iter().map(weight).sum();
        Progress {
            batch_size: self.batch_size,
            n_trials,
            n_complete,
            n_infeasible: self.tally.n_infeasible(),
            n_running,
            n_repeats,
            n_repeats_done,
            best_steps: self.tally.best(1).first().map(|(step, _)| *step),
            n_examples,
            study_fraction,
            experiment_fraction: ((before + study_fraction * this) / total).min(1.0),
        }
    }
}

/// What the store knows of a search.
fn tally(
    experiment: &CheckedExperiment,
    batch_size: u64,
    store: &Store,
) -> Result<Tally, TunerError> {
    let searched = store.last_box(batch_size)?;
    let n_best = (experiment.stop == StopRule::Incumbent)
        .then(|| experiment.search.repeats.map_or(1, |repeats| repeats.n_best));
    let mut tally = Tally::new(searched.n_trials, searched.max_trials, n_best);
    let mut beyond = store.metric(batch_size, &experiment.goal.metric)?;
    beyond.retain(|row| experiment.goal.is_reached_by(row.value));
    tally.restore(&store.trials(batch_size)?, &beyond);
    Ok(tally)
}

/// Takes the trials that diverged after the horizon as complete: it may be an earlier one than when they
/// did, in a search that has been asked for more trials since.
fn forgive(tally: &mut Tally, batch_size: u64, store: &mut Store) -> Result<(), TunerError> {
    let Some(horizon) = tally.horizon() else { return Ok(()) };
    let forgiven = tally.forgive_divergences_after(horizon);
    if forgiven.is_empty() {
        return Ok(());
    }
    let mut round = store.begin(Durability::Power)?;
    for trial_id in forgiven {
        round.finish_at_last_measurement(batch_size, trial_id)?;
    }
    round.commit()
}

/// Repeats that have ended, as (trial id, repeat).
fn ended_repeats(store: &Store, batch_size: u64) -> Result<BTreeSet<(u64, u64)>, TunerError> {
    let has_ended = |trial: &&TrialRecord| trial.status != TrialStatus::Incomplete;
    let repeats = store.repeats(batch_size)?;
    Ok(repeats.iter().filter(has_ended).map(|trial| (trial.trial_id, trial.repeat)).collect())
}

/// How many repeats are those of the best trials, given as (step, id): a trial that was among them before
/// the box was widened need not be now.
fn n_of_best(repeats: &BTreeSet<(u64, u64)>, best: &[(u64, u64)]) -> u64 {
    let is_of_best =
        |(trial_id, _): &&(u64, u64)| best.iter().any(|(_, best_id)| best_id == trial_id);
    repeats.iter().filter(is_of_best).count() as u64
}

/// Whether nothing of a study is left to run: no trial of its search and no repeat.
///
/// # Errors
///
/// Where the store cannot be read, holds no experiment that is run there, or no such study.
pub fn has_ended(store: &Store, batch_size: u64) -> Result<bool, TunerError> {
    let is_searching = store.is_searching(batch_size)?;
    Ok(!is_searching && n_repeats_left(store.experiment()?, batch_size, store)? == 0)
}

/// Repeats that are still to be run: a bound, until the search has ended and its best trials are known.
pub(crate) fn n_repeats_left(
    experiment: &CheckedExperiment,
    batch_size: u64,
    store: &Store,
) -> Result<u64, TunerError> {
    let Some(repeats) = experiment.search.repeats else { return Ok(0) };
    let tally = tally(experiment, batch_size, store)?;
    let best = tally.best(repeats.n_best);
    let n_repeated = match tally.next() {
        Some(_) => repeats.n_best.min(store.last_box(batch_size)?.n_trials),
        None => best.len() as u64,
    };
    let n_done = n_of_best(&ended_repeats(store, batch_size)?, &best);
    Ok((n_repeated * repeats.n_seeds).saturating_sub(n_done))
}
