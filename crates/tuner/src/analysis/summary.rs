//! The result of an experiment, in the form that tables and other programs read.

use serde::Serialize;

use super::scaling::CurvePoint;
use super::steps_to_result::effective_learning_rate;
use crate::error::TunerError;
use crate::experiment::{Goal, Workload};
use crate::record::{Question, Record, StudyOutcomes};
use crate::store::Store;
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
    /// Number of complete trials asked for; those there are, where the record does not say.
    pub trials: u64,
    /// Whether the study ended short of them, because too many trials diverged.
    pub trials_exhausted: bool,
    /// The most steps a trial may train; `None` where the record does not say.
    pub budget_steps: Option<u64>,
}

impl StudySummary {
    /// Summarises a study's answer to a question. `max_trials` is the most trials it may start, where
    /// that is known: without it no study counts as exhausted.
    #[must_use]
    pub fn of(
        outcomes: &StudyOutcomes,
        question: &Question,
        max_trials: Option<u64>,
    ) -> StudySummary {
        let (counts, result) = (outcomes.counts(question), outcomes.result());
        let n_begun = outcomes.trials.len() as u64;
        let is_short = counts.are_too_few();
        StudySummary {
            batch_size: outcomes.facts.batch_size,
            steps_to_result: result.as_ref().map(|result| result.steps),
            trial_id: result.as_ref().map(|result| result.trial_id),
            complete: counts.n_complete,
            infeasible: counts.n_infeasible,
            reached: counts.n_reached,
            examples: result.as_ref().map(|result| result.examples),
            value: result.as_ref().map(|result| result.value),
            parameters: result.map(|result| result.parameters),
            incomplete: counts.n_incomplete,
            trials: counts.n_wanted.unwrap_or(counts.n_complete),
            trials_exhausted: is_short
                && counts.n_incomplete == 0
                && max_trials.is_some_and(|max_trials| n_begun >= max_trials),
            budget_steps: outcomes.facts.budget_steps,
        }
    }

    /// The [`effective_learning_rate`] of the best point.
    #[must_use]
    pub fn effective_learning_rate(&self) -> Option<f64> {
        effective_learning_rate(self.parameters.as_ref()?)
    }

    /// Summarises the study of a batch size as far as it went.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn read(store: &Store, batch_size: u64) -> Result<StudySummary, TunerError> {
        let question = Question::of_goal(store.experiment()?.goal.clone());
        let (outcomes, searched) = store.consistent(|store| {
            let outcomes = StudyOutcomes::of_store(store, batch_size, &question)?;
            Ok((outcomes, store.last_box(batch_size)?))
        })?;
        Ok(StudySummary::of(&outcomes, &question, Some(searched.max_trials)))
    }
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
    /// Summarises a record's answer to a question.
    #[must_use]
    pub fn of(record: &Record, question: &Question) -> ExperimentSummary {
        let outcomes = record.outcomes(question);
        let studies = outcomes.iter().map(|study| StudySummary::of(study, question, None));
        ExperimentSummary {
            workload: record.workload.clone(),
            goal: question.goal.clone(),
            studies: studies.collect(),
        }
    }

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
