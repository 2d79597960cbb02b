//! What the rule `incumbent` saved.

use serde::Serialize;

use crate::error::TunerError;
use crate::store::{Store, TrialStatus};

/// Trials that were stopped because they could no longer be the best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StoppedEarly {
    /// Number of complete trials that neither reached the goal nor spent their budget.
    pub n_trials: u64,
    /// Steps of their budgets that they did not train.
    pub n_steps: u64,
}

impl StoppedEarly {
    /// Finds them in the store: nothing else leaves a complete trial short of goal and budget.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read or was imported.
    pub fn read(store: &Store, batch_size: u64) -> Result<StoppedEarly, TunerError> {
        let experiment = store.experiment()?;
        let goal = &experiment.goal;
        let budget_steps = experiment.budget_steps.get(&batch_size).copied().unwrap_or(0);
        let (trials, rows) = store.consistent(|store| {
            Ok((store.trials(batch_size)?, store.metric(batch_size, &goal.metric)?))
        })?;
        let beyond = rows.iter().filter(|row| goal.is_reached_by(row.value));
        let reached: std::collections::BTreeSet<u64> = beyond.map(|row| row.trial_id).collect();
        let mut stopped = StoppedEarly::default();
        for trial in trials {
            let is_complete = trial.status == TrialStatus::Complete;
            let n_steps = budget_steps.saturating_sub(trial.steps);
            if is_complete && n_steps > 0 && !reached.contains(&trial.trial_id) {
                stopped.n_trials += 1;
                stopped.n_steps += n_steps;
            }
        }
        Ok(stopped)
    }
}
