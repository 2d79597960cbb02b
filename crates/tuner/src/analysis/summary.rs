//! The result of an experiment, in the form that reports and other programs read.

use serde::Serialize;

use super::scaling::CurvePoint;
use super::steps_to_result::{counted_trials, reached, steps_to_result};
use crate::error::TunerError;
use crate::experiment::{Goal, Workload};
use crate::store::{Store, TrialRecord, TrialStatus};
use crate::trainer::Parameters;

/// What one study found. Complete trials are the first ones by id, as many as asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudySummary {
    /// Examples per update.
    pub batch_size: u64,
    /// Fewest steps to beyond the goal; `None` where no trial got there.
    pub steps_to_result: Option<u64>,
    /// The trial that got there first.
    pub trial_id: Option<u64>,
    /// Number of complete trials.
    pub complete: u64,
    /// Number of trials that diverged.
    pub infeasible: u64,
    /// Number of complete trials that got beyond the goal.
    pub reached: u64,
    /// Metaparameters of `trial_id`.
    pub parameters: Option<Parameters>,
    /// Examples to result: steps to result times batch size.
    pub examples: Option<u64>,
    /// The goal metric's value at the result.
    pub value: Option<f64>,
    /// Number of trials begun and not ended.
    pub incomplete: u64,
    /// Number of complete trials asked for.
    pub trials: u64,
    /// Whether the study ended short of them, because too many trials diverged.
    pub trials_exhausted: bool,
    /// The most steps a trial may train.
    pub budget_steps: u64,
}

impl StudySummary {
    /// Effective learning rate of the best point; momentum is 0 for an optimizer without one.
    /// None where no trial reached the goal.
    ///
    /// # Equation
    ///
    /// `learning_rate / (1 - momentum)`
    ///
    /// # Source
    ///
    /// Shallue et al. 2018, section 4.7.
    pub fn effective_learning_rate(&self) -> Option<f64> {
        let parameters = self.parameters.as_ref()?;
        let momentum = parameters.get("momentum").copied().unwrap_or(0.0);
        Some(parameters.get("learning_rate")? / (1.0 - momentum))
    }

    /// Summarises the study of a batch size as far as it went.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn read(store: &Store, batch_size: u64) -> Result<StudySummary, TunerError> {
        let experiment = store.experiment()?;
        let goal = &experiment.goal;
        let (trials, rows, searched) = store.consistent(|store| {
            let rows = store.metric(batch_size, &goal.metric)?;
            Ok((store.trials(batch_size)?, rows, store.last_box(batch_size)?))
        })?;
        let n_trials = searched.n_trials;
        let counted = counted_trials(&trials, n_trials);
        let result = steps_to_result(&trials, &rows, goal, n_trials);
        let winner = |trial: &&&TrialRecord| Some(trial.trial_id) == result.map(|r| r.trial_id);
        let (complete, incomplete) =
            (counted.len() as u64, count(&trials, TrialStatus::Incomplete));
        let n_begun = trials.len() as u64;
        Ok(StudySummary {
            batch_size,
            steps_to_result: result.map(|result| result.step),
            trial_id: result.map(|result| result.trial_id),
            complete,
            infeasible: count(&trials, TrialStatus::Infeasible),
            reached: reached(&counted, &rows, goal).len() as u64,
            parameters: counted.iter().find(winner).map(|trial| trial.parameters.clone()),
            examples: result.map(|result| result.step.saturating_mul(batch_size)),
            value: result.map(|result| result.value),
            incomplete,
            trials: n_trials,
            trials_exhausted: complete < n_trials
                && incomplete == 0
                && n_begun >= searched.max_trials,
            budget_steps: experiment.budget_steps.get(&batch_size).copied().unwrap_or(0),
        })
    }
}

fn count(trials: &[TrialRecord], status: TrialStatus) -> u64 {
    trials.iter().filter(|trial| trial.status == status).count() as u64
}

/// What an experiment found, study by study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExperimentSummary {
    /// What was trained.
    pub workload: Workload,
    /// What counts as a result.
    pub goal: Goal,
    /// The studies by ascending batch size.
    pub studies: Vec<StudySummary>,
}

impl ExperimentSummary {
    /// Summarises an experiment as far as it went.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn read(store: &Store) -> Result<ExperimentSummary, TunerError> {
        let experiment = store.experiment()?;
        let batch_sizes = experiment.budget_steps.keys();
        let studies = batch_sizes.map(|batch_size| StudySummary::read(store, *batch_size));
        Ok(ExperimentSummary {
            workload: experiment.workload.clone(),
            goal: experiment.goal.clone(),
            studies: studies.collect::<Result<_, _>>()?,
        })
    }

    /// Steps to result by ascending batch size, where there is one.
    #[must_use]
    pub fn curve(&self) -> Vec<CurvePoint> {
        let point = |study: &StudySummary| {
            let steps = study.steps_to_result?;
            Some(CurvePoint { batch_size: study.batch_size, steps })
        };
        self.studies.iter().filter_map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(parameters: &[(&str, f64)]) -> StudySummary {
        let parameters = parameters.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        StudySummary {
            batch_size: 8,
            steps_to_result: Some(3),
            trial_id: Some(0),
            complete: 1,
            infeasible: 0,
            reached: 1,
            parameters: Some(parameters),
            examples: Some(24),
            value: Some(0.1),
            incomplete: 0,
            trials: 1,
            trials_exhausted: false,
            budget_steps: 3,
        }
    }

    #[test]
    fn the_effective_learning_rate_is_that_of_the_best_point() {
        let with_momentum = summary(&[("learning_rate", 0.5), ("momentum", 0.75)]);
        assert_eq!(with_momentum.effective_learning_rate(), Some(2.0));
        assert_eq!(summary(&[("learning_rate", 0.5)]).effective_learning_rate(), Some(0.5));
        let unreached = StudySummary { parameters: None, ..summary(&[]) };
        assert_eq!(unreached.effective_learning_rate(), None);
    }
}
