//! Studies by hand, for the tests of this folder.

use std::collections::BTreeMap;

use crate::experiment::{Goal, Threshold, Workload};
use crate::record::{
    Curve, Question, Reached, Record, StudyFacts, StudyOutcomes, StudyRecord, TrialCurve,
    TrialOutcome,
};
use crate::space::Space;
use crate::store::{TrialRecord, TrialStatus};
use crate::trainer::Parameters;

/// The most steps of a trial in these studies.
pub(super) const BUDGET_STEPS: u64 = 1000;

/// How a trial ended.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    status: TrialStatus,
    step: Option<u64>,
    steps: u64,
    previous_step: Option<u64>,
    parameters: Parameters,
}

impl Outcome {
    fn new(status: TrialStatus, step: Option<u64>, steps: u64) -> Outcome {
        let previous_step = step.and_then(|step| step.checked_sub(1));
        Outcome { status, step, steps, previous_step, parameters: Parameters::new() }
    }

    pub(super) fn reached(step: u64) -> Outcome {
        Outcome::new(TrialStatus::Complete, Some(step), step)
    }

    pub(super) fn missed() -> Outcome {
        Outcome::stopped(BUDGET_STEPS)
    }

    /// Ended without the goal, at a step.
    pub(super) fn stopped(steps: u64) -> Outcome {
        Outcome::new(TrialStatus::Complete, None, steps)
    }

    pub(super) fn diverged() -> Outcome {
        Outcome::new(TrialStatus::Infeasible, None, 3)
    }

    pub(super) fn running() -> Outcome {
        Outcome::new(TrialStatus::Incomplete, None, 5)
    }

    pub(super) fn at(mut self, name: &str, value: f64) -> Outcome {
        self.parameters.insert(name.to_owned(), value);
        self
    }

    pub(super) fn after(mut self, previous_step: Option<u64>) -> Outcome {
        self.previous_step = previous_step;
        self
    }

    pub(super) fn trial(&self, batch_size: u64, trial_id: u64, repeat: u64) -> TrialOutcome {
        let reached = |step| Reached { step, value: 0.05, previous_step: self.previous_step };
        TrialOutcome {
            trial: TrialRecord {
                batch_size,
                trial_id,
                repeat,
                parameters: self.parameters.clone(),
                status: self.status,
                steps: self.steps,
            },
            reached: self.step.map(reached),
        }
    }
}

/// A study in which trial i ended as outcome i; all complete ones count.
pub(super) fn study_in(batch_size: u64, space: Space, outcomes: &[Outcome]) -> StudyOutcomes {
    StudyOutcomes {
        facts: StudyFacts {
            batch_size,
            space,
            budget_steps: Some(BUDGET_STEPS),
            n_trials: None,
            seconds_per_step: None,
        },
        trials: (0..).zip(outcomes).map(|(id, outcome)| outcome.trial(batch_size, id, 0)).collect(),
        repeats: vec![],
    }
}

/// As [`study_in`], with nothing known of the space.
pub(super) fn study(batch_size: u64, outcomes: &[Outcome]) -> StudyOutcomes {
    study_in(batch_size, Space { scales: BTreeMap::new() }, outcomes)
}

pub(super) fn question() -> Question {
    let threshold = Threshold::Below(0.1);
    Question::of_goal(Goal { metric: "val/classification_error".to_owned(), threshold })
}

/// A complete trial with a curve of `val/error`, of which all complete ones count.
pub(super) fn trial_curve(trial_id: u64, rows: &[(u64, f64)]) -> TrialCurve {
    let mut curve = Curve::default();
    rows.iter().for_each(|(step, value)| curve.push(*step, [("val/error".to_owned(), *value)]));
    let steps = rows.last().map_or(0, |(step, _)| *step);
    let trial = Outcome::stopped(steps).trial(0, trial_id, 0).trial;
    TrialCurve { trial, curve }
}

/// A record of studies, each a batch size with its trials.
pub(super) fn record(studies: &[(u64, &[TrialCurve])]) -> Record {
    let study = |(batch_size, trials): &(u64, &[TrialCurve])| StudyRecord {
        facts: study(*batch_size, &[]).facts,
        trials: trials.to_vec(),
        repeats: vec![],
    };
    let [dataset, model, optimizer] = ["mnist", "fc", "sgd"].map(str::to_owned);
    Record {
        workload: Workload { dataset, model, optimizer },
        decided_goal: None,
        studies: studies.iter().map(study).collect(),
        omissions: vec![],
    }
}
