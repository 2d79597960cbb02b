//! Names and words that several sections share.

use std::collections::BTreeSet;

use critbatch_tuner::{
    Determination, Heuristic, Parameters, Record, Scale, StepsInterval, StepsQuantile,
};

use crate::format;

/// `mnist / simple_cnn_base / momentum`.
pub(super) fn workload(record: &Record) -> String {
    format::workload(&record.workload)
}

/// Names of all metaparameters that a space or a trial has.
pub(super) fn metaparameters(record: &Record) -> Vec<&str> {
    let spaces = record.studies.iter().flat_map(|study| study.facts.space.scales.keys());
    let trials = record.studies.iter().flat_map(|study| &study.trials);
    let names = spaces.chain(trials.flat_map(|trial| trial.trial.parameters.keys()));
    names.map(String::as_str).collect::<BTreeSet<&str>>().into_iter().collect()
}

/// Names of those that were searched, not fixed; where no space is known, of those that vary.
pub(super) fn searched(record: &Record) -> Vec<&str> {
    let is_searched = |name: &&str| {
        record.studies.iter().any(|study| match study.facts.space.scales.get(*name) {
            Some(scale) => !matches!(scale, Scale::Fixed(_)),
            None => {
                let trials = study.trials.iter();
                let mut values = trials.filter_map(|trial| trial.trial.parameters.get(*name));
                values.next().is_some_and(|first| values.any(|value| value != first))
            }
        })
    };
    metaparameters(record).into_iter().filter(is_searched).collect()
}

/// A percentile of steps as a height: what is not bounded lies beyond every axis.
pub(super) fn height(quantile: StepsQuantile) -> f64 {
    match quantile {
        StepsQuantile::Steps(steps) => steps as f64,
        StepsQuantile::NotReached | StepsQuantile::After(_) => f64::INFINITY,
    }
}

/// A percentile of steps in words.
pub(super) fn quantile(quantile: StepsQuantile) -> String {
    match quantile {
        StepsQuantile::Steps(steps) => format::count(steps),
        StepsQuantile::NotReached => "not reached".to_owned(),
        StepsQuantile::After(steps) => format!("more than {}", format::count(steps)),
    }
}

/// An interval of steps in words.
pub(super) fn interval(interval: &StepsInterval) -> String {
    format!("{} to {}", quantile(interval.low), quantile(interval.high))
}

/// What the data say about a number, in front of it or in its place.
pub(super) fn determination(determination: Determination) -> &'static str {
    match determination {
        Determination::Determined => "determined",
        Determination::OnlyLowerBound => "only a lower bound",
        Determination::OnlyUpperBound => "only an upper bound",
        Determination::NotDetermined => "not determined by these data",
        Determination::PoorFit => "not determined: the curve has another shape than the formula",
        Determination::TooFewPoints => "not determined: too few batch sizes have a result",
    }
}

/// A rule's name.
pub(super) fn heuristic(heuristic: Heuristic) -> &'static str {
    match heuristic {
        Heuristic::Constant => "constant",
        Heuristic::Linear => "linear",
        Heuristic::SquareRoot => "square root",
    }
}

/// Lines of a tooltip that say with which metaparameters.
pub(super) fn parameter_lines(parameters: &Parameters) -> impl Iterator<Item = String> {
    parameters.iter().map(|(name, value)| format!("{name}: {}", format::number(*value)))
}

/// `learning_rate 0.1, momentum 0.9`, of the searched ones.
pub(super) fn parameter_list(parameters: &Parameters, names: &[&str]) -> String {
    let known = names.iter().filter_map(|name| Some((name, parameters.get(*name)?)));
    let items: Vec<String> =
        known.map(|(name, value)| format!("{name} {}", format::number(*value))).collect();
    format::list(&items)
}

/// `95%`.
pub(super) fn percent(share: f64) -> String {
    format!("{}%", format::number(100.0 * share))
}
