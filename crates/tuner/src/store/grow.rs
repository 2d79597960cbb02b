//! An experiment that asks for more trials or batch sizes than it did: all that was measured counts on.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};

use super::open::in_one_transaction;
use super::rows::signed;
use super::{Origin, Store, schema};
use crate::error::TunerError;
use crate::experiment::CheckedExperiment;

impl Store {
    /// Whether an experiment asks for more of the same. Where a study was widened its trials belong to
    /// several boxes, whose numbers follow from each other: there it may get no other number of trials.
    pub(super) fn may_grow_to(&self, experiment: &CheckedExperiment) -> Result<bool, TunerError> {
        let stored = self.experiment()?;
        if !experiment.is_grown_from(stored) {
            return Ok(false);
        }
        let search = |experiment: &CheckedExperiment| {
            (experiment.search.n_trials, experiment.search.max_trials)
        };
        let has_other_trials = search(stored) != search(experiment);
        for &batch_size in stored.budget_steps.keys().filter(|_| has_other_trials) {
            if self.boxes(batch_size)?.len() > 1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes an experiment that [asks for more](Store::may_grow_to) as the store's own, with what is worth
    /// knowing of the run that asks for it.
    pub(super) fn grow(
        &mut self,
        experiment: &CheckedExperiment,
        notes: &BTreeMap<String, String>,
    ) -> Result<(), TunerError> {
        let stored = self.experiment()?.clone();
        if stored == *experiment {
            return Ok(());
        }
        let origin = Origin::Measured(experiment.clone());
        let mut provenance = self.provenance.clone();
        provenance.notes.extend(notes.clone());
        let failure = self.failure("write");
        let write = |transaction: &Transaction<'_>| {
            schema::put_origin(transaction, &origin, &provenance)?;
            let (old, new) = (&stored.search, &experiment.search);
            if (old.n_trials, old.max_trials) != (new.n_trials, new.max_trials) {
                transaction.execute(
                    "UPDATE boxes SET n_trials = ?1, max_trials = ?2",
                    params![signed(new.n_trials), signed(new.max_trials)],
                )?;
            }
            let mut added = experiment.clone();
            added.budget_steps.retain(|size, _| !stored.budget_steps.contains_key(size));
            schema::add_studies_of(transaction, &added)
        };
        in_one_transaction(&mut self.connection, write).map_err(failure)?;
        (self.origin, self.provenance) = (origin, provenance);
        Ok(())
    }

    /// A copy in memory that is an experiment's, to plan with: nothing is written. Whether the store may
    /// become that experiment's is not asked.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn grown_copy(&self, experiment: &CheckedExperiment) -> Result<Store, TunerError> {
        let mut copy = self.copy_in_memory()?;
        copy.grow(experiment, &BTreeMap::new())?;
        Ok(copy)
    }
}
