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

/// A step and the metrics measured at it.
pub(super) type Row = (u64, Vec<(String, f64)>);

pub(super) fn row(step: u64, metrics: &[(&str, f64)]) -> Row {
    (step, metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}

/// A study of complete trials with these rows; nothing is known of its budget.
pub(super) fn study_of(batch_size: u64, trials: &[Vec<Row>]) -> StudyRecord {
    let trial = |(trial_id, rows): (u64, &Vec<Row>)| {
        let mut curve = Curve::default();
        rows.iter().for_each(|(step, metrics)| curve.push(*step, metrics.clone()));
        let steps = curve.steps.last().copied().unwrap_or(0);
        let trial = TrialRecord {
            batch_size,
            trial_id,
            repeat: 0,
            parameters: Parameters::new(),
            status: TrialStatus::Complete,
            steps,
        };
        TrialCurve { trial, curve }
    };
    StudyRecord {
        facts: StudyFacts { budget_steps: None, ..study(batch_size, &[]).facts },
        trials: (0..).zip(trials).map(trial).collect(),
        repeats: vec![],
    }
}

/// A record of one study, and the goal val/error < 0.1.
pub(super) fn record_of(batch_size: u64, trials: &[Vec<Row>]) -> (Record, Goal) {
    let name = |name: &str| name.to_owned();
    let workload = Workload { dataset: name("d"), model: name("m"), optimizer: name("o") };
    let goal = Goal { metric: name("val/error"), threshold: Threshold::Below(0.1) };
    let record =
        Record { workload, studies: vec![study_of(batch_size, trials)], omissions: vec![] };
    (record, goal)
}
