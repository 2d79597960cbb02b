//! One trial in a lane: what it has measured, and what an interrupted run measured on it before.

use std::collections::BTreeMap;

use crate::error::TunerError;
use crate::experiment::{CheckedExperiment, StopRule};
use crate::grid::EvaluationGrid;
use crate::store::{TrialName, TrialStatus};
use crate::trainer::{Metrics, Trial};

/// A trial in a lane.
pub(super) struct Running {
    pub(super) name: TrialName,
    pub(super) trial: Trial,
    pub(super) step: u64,
    /// The step of its next measurement.
    pub(super) next_point: u64,
    pub(super) reached_at: Option<u64>,
    pub(super) latest: Metrics,
    /// What an interrupted run measured on it, and this one not yet.
    stored: BTreeMap<u64, Metrics>,
    /// The last step at which any run measured it.
    pub(super) measured_until: Option<u64>,
}

impl Running {
    pub(super) fn new(name: TrialName, trial: Trial, stored: BTreeMap<u64, Metrics>) -> Running {
        Running {
            name,
            trial,
            step: 0,
            next_point: 0,
            reached_at: None,
            latest: Metrics::new(),
            measured_until: stored.last_key_value().map(|(step, _)| *step),
            stored,
        }
    }

    /// Takes it to be at a later step, where a checkpoint left it.
    ///
    /// # Errors
    ///
    /// With what is wrong, where the store lacks one of its measurements up to there (the power may have
    /// failed before they reached the disk, as the checkpoint did), or where it had ended.
    pub(super) fn resume_at(
        &mut self,
        step: u64,
        grid: &EvaluationGrid,
        experiment: &CheckedExperiment,
    ) -> Result<(), String> {
        let next_point = grid
            .next_after(step)
            .ok_or_else(|| format!("it is at step {step}, where its trial has ended"))?;
        let is_measured = |point| self.stored.contains_key(&point);
        if let Some(missing) = grid.first_missing(step + 1, is_measured) {
            return Err(format!(
                "it is at step {step}, but the measurement at step {missing} is not in the store"
            ));
        }
        let is_beyond = |(_, metrics): &(&u64, &Metrics)| {
            metrics
                .get(&experiment.goal.metric)
                .is_some_and(|value| experiment.goal.is_reached_by(*value))
        };
        self.reached_at = self.stored.range(..=step).find(is_beyond).map(|(step, _)| *step);
        if self.reached_at.is_some() && experiment.stop != StopRule::Budget {
            return Err(format!(
                "it is at step {step}, beyond the goal, where its trial has ended"
            ));
        }
        let later = self.stored.split_off(&(step + 1));
        let seen = std::mem::replace(&mut self.stored, later);
        self.latest = seen.into_values().next_back().unwrap_or_default();
        (self.step, self.next_point) = (step, next_point);
        Ok(())
    }

    /// Takes in a measurement; says how the trial ended, if it did.
    pub(super) fn judge(
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
        self.measured_until = self.measured_until.max(Some(self.step));
        if has_diverged {
            return Some(TrialStatus::Infeasible);
        }
        if is_beyond {
            self.reached_at = self.reached_at.or(Some(self.step));
        }
        match next_point {
            Some(next_point) if !(is_beyond && experiment.stop != StopRule::Budget) => {
                self.next_point = next_point;
                None
            }
            _ => Some(TrialStatus::Complete),
        }
    }

    /// A measurement of an interrupted run must come out again, bit for bit.
    pub(super) fn expect_same_as_stored(&mut self, metrics: &Metrics) -> Result<(), TunerError> {
        let Some(stored) = self.stored.remove(&self.step) else { return Ok(()) };
        let is_same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        let same = stored.len() == metrics.len()
            && stored.iter().all(|(name, a)| metrics.get(name).is_some_and(|b| is_same(*a, *b)));
        if same {
            return Ok(());
        }
        Err(self.not_reproducible(self.step, format!("{stored:?}"), format!("{metrics:?}")))
    }

    /// A trial that ended by itself must have come past all that an interrupted run measured on it.
    pub(super) fn expect_all_stored_seen(&self) -> Result<(), TunerError> {
        match self.stored.first_key_value() {
            None => Ok(()),
            Some((step, stored)) => {
                Err(self.not_reproducible(*step, format!("{stored:?}"), "no measurement".into()))
            }
        }
    }

    fn not_reproducible(&self, step: u64, stored: String, measured: String) -> TunerError {
        let TrialName { batch_size, trial_id, .. } = self.name;
        TunerError::NotReproducible { batch_size, trial_id, step, stored, measured }
    }
}
