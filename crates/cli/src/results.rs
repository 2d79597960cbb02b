//! What an output directory holds, read once for all that is printed.

use std::collections::BTreeSet;
use std::path::Path;

use critbatch_report::format;
use critbatch_tuner::{
    CheckedExperiment, ExperimentSummary, Scale, Store, StudySummary, TunerError,
};

/// The results of an experiment as far as it went.
#[derive(Debug)]
pub(crate) struct Results {
    /// What was asked for.
    pub(crate) experiment: CheckedExperiment,
    /// What came out.
    pub(crate) summary: ExperimentSummary,
}

impl Results {
    /// Reads the results of an output directory, also while a run writes to it.
    ///
    /// # Errors
    ///
    /// Where the directory has no store that can be read.
    pub(crate) fn read(directory: &Path) -> Result<Results, TunerError> {
        Results::of_store(&Store::open_read_only(directory)?)
    }

    /// Reads the results of an open store.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub(crate) fn of_store(store: &Store) -> Result<Results, TunerError> {
        Ok(Results {
            experiment: store.experiment()?.clone(),
            summary: ExperimentSummary::read(store)?,
        })
    }

    /// Names of the metaparameters that were searched, not fixed.
    pub(crate) fn searched(&self) -> Vec<&str> {
        let scales = self.experiment.spaces.values().flat_map(|space| &space.scales);
        let searched = scales.filter(|(_, scale)| !matches!(scale, Scale::Fixed(_)));
        let names: BTreeSet<&str> = searched.map(|(name, _)| name.as_str()).collect();
        names.into_iter().collect()
    }
}

/// Whether a study has run to its end.
pub(crate) fn is_finished(study: &StudySummary) -> bool {
    study.complete >= study.trials || study.trials_exhausted
}

/// Why a study has no result, or `None` where it has one.
pub(crate) fn lack(study: &StudySummary) -> Option<String> {
    let StudySummary { complete, trials, infeasible, budget_steps, .. } = *study;
    let steps = |steps| format!(" within {} steps", format::count(steps));
    let within = budget_steps.map_or(String::new(), steps);
    if study.steps_to_result.is_some() {
        return None;
    }
    Some(match (is_finished(study), complete) {
        (false, 0) if study.incomplete == 0 && infeasible == 0 => "not run yet".to_owned(),
        (false, _) => format!("not finished, {complete} of {trials} trials complete"),
        (true, 0) => format!("all {infeasible} trials diverged"),
        (true, 1) => format!("the one complete trial did not reach the goal{within}"),
        (true, _) => {
            format!("none of {complete} complete trials reached the goal{within}")
        }
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use critbatch_tuner::{
        Evaluation, Goal, SamplerKind, Search, Space, Split, StopRule, Threshold, Workload,
    };

    /// A study of 16 trials in which `reached` of 15 got to the goal.
    pub(crate) fn study(batch_size: u64, steps_to_result: Option<u64>) -> StudySummary {
        let parameters = [("learning_rate", 0.012_345_6), ("momentum", 0.95)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
        StudySummary {
            batch_size,
            steps_to_result,
            trial_id: steps_to_result.map(|_| 4),
            complete: 16,
            infeasible: 3,
            reached: if steps_to_result.is_some() { 5 } else { 0 },
            parameters: steps_to_result.map(|_| parameters.into()),
            examples: steps_to_result.map(|steps| steps * batch_size),
            value: steps_to_result.map(|_| 0.078),
            incomplete: 0,
            trials: 16,
            trials_exhausted: false,
            budget_steps: Some(2_000),
        }
    }

    /// Results with hostile names, to see that they are escaped.
    pub(crate) fn results(studies: Vec<StudySummary>) -> Results {
        let workload = Workload {
            dataset: "<b>mnist</b>".to_owned(),
            model: "fc_64 & \"more\"".to_owned(),
            optimizer: "momentum".to_owned(),
        };
        let goal = Goal {
            metric: "val/classification_error".to_owned(),
            threshold: Threshold::Below(0.08),
        };
        let scales = [
            ("learning_rate", Scale::Log(1e-4, 10.0)),
            ("momentum", Scale::ReverseLog(0.9, 0.999)),
            ("label_smoothing", Scale::Fixed(0.0)),
        ];
        let scales = scales.map(|(name, scale)| (name.to_owned(), scale));
        let scales: std::collections::BTreeMap<_, _> = scales.into();
        let sampler = SamplerKind::Halton;
        let search = Search { sampler, n_trials: 16, max_trials: 160, seed: 7, repeats: None };
        let spaces =
            studies.iter().map(|study| (study.batch_size, Space { scales: scales.clone() }));
        Results {
            experiment: CheckedExperiment {
                workload: workload.clone(),
                n_train: 4_000,
                goal: goal.clone(),
                budget_steps: studies.iter().map(|study| (study.batch_size, 2_000)).collect(),
                search,
                spaces: spaces.collect(),
                stop: StopRule::Goal,
                evaluation: Evaluation {
                    relative_spacing: 0.05,
                    splits: vec![Split::Val],
                    gradient_noise_scale: false,
                },
            },
            summary: ExperimentSummary { workload, goal, studies },
        }
    }

    #[test]
    fn fixed_metaparameters_are_not_searched() {
        assert_eq!(results(vec![study(8, None)]).searched(), ["learning_rate", "momentum"]);
    }

    #[test]
    fn every_lack_has_its_reason() {
        let of = |change: fn(&mut StudySummary)| {
            let mut study = study(8, None);
            change(&mut study);
            lack(&study).unwrap_or_default()
        };
        assert_eq!(of(|_| ()), "none of 16 complete trials reached the goal within 2,000 steps");
        assert_eq!(of(|s| (s.complete, s.infeasible) = (0, 0)), "not run yet");
        assert_eq!(of(|s| s.complete = 3), "not finished, 3 of 16 trials complete");
        let exhausted = of(|s| (s.complete, s.infeasible, s.trials_exhausted) = (0, 160, true));
        assert_eq!(exhausted, "all 160 trials diverged");
        assert_eq!(lack(&study(8, Some(3))), None);
    }
}
