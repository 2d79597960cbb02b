//! Answers as text: the table, which of its points cannot be trusted, and what the curve says.

use std::collections::{BTreeMap, BTreeSet};

use critbatch_report::format;
use critbatch_tuner::{
    AnalysisOptions, BatchSizeEstimate, Boundary, ComparedExperiment, Comparison, CurveFit,
    Determination, FitParameters, GoalAnalysis, Interval, NoIntervals, NoiseScales, Omission,
    Provenance, Regimes, Scale, StepsInterval, StepsQuantile, StudyAnalysis, StudySummary,
    Workload,
};
use serde::Serialize;

use crate::ruled;
use crate::source::Answers;

/// Omissions that are printed one by one.
const MOST_PRINTED_OMISSIONS: usize = 5;

/// What was measured, the table, and what it says.
pub(crate) fn text(
    answers: &Answers,
    analysis: &GoalAnalysis,
    options: &AnalysisOptions,
) -> String {
    let mut lines = vec![
        format!(
            "{}, steps to {}",
            format::workload(&answers.workload),
            format::question(&answers.question)
        ),
        table(analysis),
    ];
    lines.extend(doubts(analysis));
    lines.extend(regimes(&analysis.regimes));
    lines.extend(answers.noise_scales(analysis, options).as_ref().and_then(noise_scales));
    lines.extend(omissions(&answers.omissions));
    lines.extend(answers.provenance.as_ref().map(provenance));
    lines.join("\n")
}

/// On what it was measured, and in how long.
fn provenance(provenance: &Provenance) -> String {
    let Provenance { device, version, .. } = provenance;
    let running = provenance.running_seconds().map(format::seconds);
    let running = running.map_or_else(String::new, |time| format!(" in {time}"));
    format!("measured on {device} by critbatch {version}{running}")
}

fn table(analysis: &GoalAnalysis) -> String {
    let searched = searched(analysis);
    let fixed = [
        "batch size",
        "steps to result",
        "95 % interval",
        "examples",
        "complete",
        "infeasible",
        "reached",
    ];
    // A name of two words takes two lines, so that many columns fit a terminal.
    let in_lines = |name: &str| name.replace(' ', "\n").replace('_', "_\n");
    let header: Vec<String> =
        fixed.into_iter().chain(searched.iter().copied()).map(in_lines).collect();
    let mut table = ruled::table(header);
    table.add_rows(analysis.studies.iter().map(|study| row(study, &searched)));
    ruled::numbers(table)
}

/// Names of the metaparameters that were searched, not fixed.
fn searched(analysis: &GoalAnalysis) -> Vec<&str> {
    let scales = analysis.studies.iter().flat_map(|study| &study.facts.space.scales);
    let searched = scales.filter(|(_, scale)| !matches!(scale, Scale::Fixed(_)));
    let names: BTreeSet<&str> = searched.map(|(name, _)| name.as_str()).collect();
    names.into_iter().collect()
}

fn row(study: &StudyAnalysis, searched: &[&str]) -> Vec<String> {
    let (counts, result) = (&study.counts, study.result.as_ref());
    let count = |n: Option<u64>| n.map_or("-".to_owned(), format::count);
    let complete = match counts.n_wanted {
        Some(wanted) if counts.are_too_few() => format!("{} of {wanted}", counts.n_complete),
        _ => counts.n_complete.to_string(),
    };
    let parameter = |name: &&str| {
        let value = result.and_then(|result| result.parameters.get(*name));
        value.map_or("-".to_owned(), |value| format::number(*value))
    };
    let mut row = vec![
        format::count(study.facts.batch_size),
        count(result.map(|result| result.steps)),
        study.interval.as_ref().map_or("-".to_owned(), interval),
        count(result.map(|result| result.examples)),
        complete,
        counts.n_infeasible.to_string(),
        counts.n_reached.to_string(),
    ];
    row.extend(searched.iter().map(parameter));
    row
}

/// `198 to 240`; an end that is not known is a sign and not a number.
fn interval(interval: &StepsInterval) -> String {
    let end = |quantile| match quantile {
        StepsQuantile::Steps(steps) => format::count(steps),
        StepsQuantile::NotReached => "∞".to_owned(),
        StepsQuantile::After(steps) => format!(">{}", format::count(steps)),
    };
    format!("{} to {}", end(interval.low), end(interval.high))
}

/// Every reason not to trust a point.
fn doubts(analysis: &GoalAnalysis) -> Vec<String> {
    let warnings = analysis.warnings().map(|(batch_size, warning)| {
        format!("  batch size {}: {warning}", format::count(batch_size))
    });
    let warnings: Vec<String> = warnings.collect();
    match warnings.is_empty() {
        true => vec!["no check found a reason to doubt a point of the curve".to_owned()],
        false => [vec!["cannot be trusted yet:".to_owned()], warnings].concat(),
    }
}

/// Where the curve bends.
fn regimes(regimes: &Regimes) -> Vec<String> {
    let named = |name: &str, estimate: Option<BatchSizeEstimate>| {
        let estimate = estimate?;
        Some(match estimate.determination {
            Determination::TooFewPoints => {
                format!("{name}: {}", too_few(1))
            }
            _ => format!("{name}: {}", batch_size(estimate)),
        })
    };
    let end = named("end of perfect scaling", regimes.end_of_perfect_scaling);
    let useful = named("maximum useful batch size", regimes.maximum_useful_batch_size);
    let critical = format!("critical batch size of S_min (1 + B_crit / B): {}", fit(&regimes.fit));
    let is_curve = end.is_some();
    let without_intervals = regimes.no_intervals.filter(|_| is_curve).map(|reason| {
        let reason = match reason {
            NoIntervals::StoppedEarly => {
                "trials were stopped early, so that nobody knows what the next best would have done"
            }
            NoIntervals::TooFewTrials => {
                "a batch size has too few trials to tell how far off it is"
            }
        };
        format!("no intervals: {reason}")
    });
    let lines = end.into_iter().chain(useful).chain(is_curve.then_some(critical));
    lines.chain(without_intervals).collect()
}

fn batch_size(estimate: BatchSizeEstimate) -> String {
    let interval = estimate.interval.map_or(String::new(), |interval| {
        format!(" (95 % interval {})", format::batch_sizes(interval))
    });
    format!("{}{interval}", format::batch_size(estimate))
}

fn fit(fit: &CurveFit) -> String {
    let Some(parameters) = &fit.parameters else {
        return too_few(fit.n_points);
    };
    let value = critical(parameters);
    match fit.determination {
        Determination::Determined => {
            let minimum = format::count(whole(parameters.minimum_steps.value));
            format!("{value}; S_min {minimum}")
        }
        Determination::OnlyLowerBound => {
            format!("not determined, the sweep ends before the plateau (fit: {value})")
        }
        Determination::OnlyUpperBound => {
            format!("not determined, no perfect scaling was seen (fit: {value})")
        }
        Determination::NotDetermined => format!("not determined by these data (fit: {value})"),
        Determination::PoorFit => format!(
            "not determined, the curve has another shape: a point is off the fit by a factor of {}",
            format::number(parameters.largest_residual_factor)
        ),
        Determination::TooFewPoints => too_few(fit.n_points),
    }
}

fn too_few(n_points: u64) -> String {
    let points = match n_points {
        1 => "1 batch size with a result is".to_owned(),
        n => format!("{n} batch sizes with a result are"),
    };
    format!("not determined, {points} too few")
}

fn critical(parameters: &FitParameters) -> String {
    let estimate = &parameters.critical_batch_size;
    let value = format::count(whole(estimate.value));
    match estimate.interval {
        None => value,
        Some(Interval { low, high: Some(high) }) => {
            let (low, high) = (format::count(whole(low)), format::count(whole(high)));
            format!("{value} (95 % interval {low} to {high})")
        }
        Some(Interval { low, high: None }) => {
            format!("{value} (95 % interval from {} on)", format::count(whole(low)))
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a batch size")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// Between which values the gradient noise scale lies, pooled over trials, and how near to B_crit.
fn noise_scales(scales: &NoiseScales) -> Option<String> {
    let studies = || scales.studies.iter();
    let examples = |value: f64| format::count(whole(value));
    let values = range(studies().filter_map(|study| study.pooled?.noise_scale), examples)?;
    let ratios = studies().filter_map(|study| study.ratio_to_critical_batch_size);
    let ratios = range(ratios, format::rounded);
    let ratios =
        ratios.map_or(String::new(), |ratios| format!(", {ratios} times the critical batch size"));
    Some(format!("gradient noise scale B_noise: {values} over the batch sizes{ratios}"))
}

/// `206 to 299`, or the only value.
fn range(values: impl Iterator<Item = f64>, format: impl Fn(f64) -> String) -> Option<String> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (format(*values.first()?), format(*values.last()?));
    Some(if low == high { low } else { format!("{low} to {high}") })
}

/// What could not be read: how much, and the first few.
fn omissions(omissions: &[Omission]) -> Vec<String> {
    if omissions.is_empty() {
        return vec![];
    }
    let mut lines = vec![format!("left out: {}", format::count(omissions.len() as u64))];
    let printed = omissions.iter().take(MOST_PRINTED_OMISSIONS);
    lines.extend(printed.map(|omission| format!("  {omission}")));
    let n_more = omissions.len().saturating_sub(MOST_PRINTED_OMISSIONS);
    lines.extend((n_more > 0).then(|| format!("  and {n_more} more")));
    lines
}

/// Curves on one axis: relative steps, a row a batch size, a column an experiment; then where each
/// of them bends.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let experiments = &comparison.experiments;
    let labels = experiments.iter().map(|experiment| experiment.label.clone());
    let header: Vec<String> = std::iter::once("batch size".to_owned()).chain(labels).collect();
    let sizes: BTreeSet<u64> =
        experiments.iter().flat_map(ComparedExperiment::batch_sizes).collect();
    let row = |size: &u64| {
        let cells = experiments.iter().map(|experiment| {
            let relative = |ratio| format!(" ({})", format::number(ratio));
            let [is_studied, is_short] = [&experiment.without_result, &experiment.too_few_trials]
                .map(|sizes| sizes.contains(size));
            let none = match (is_studied, is_short) {
                (true, true) => "no result yet",
                (true, false) => "no result",
                (false, _) => "-",
            };
            experiment.at(*size).map_or(none.to_owned(), |point| {
                let ratio = point.relative_steps.map_or(String::new(), relative);
                format!("{}{ratio}", format::count(point.steps))
            })
        });
        std::iter::once(format::count(*size)).chain(cells).collect::<Vec<String>>()
    };
    let at = comparison.normalising_batch_size.map_or(
        "steps to result; no batch size has a result in all".to_owned(),
        |size| {
            let size = format::count(size);
            format!("steps to result (relative to those at batch size {size})")
        },
    );
    let mut table = ruled::table(header);
    table.add_rows(sizes.iter().map(row));
    let mut lines = vec![at, ruled::numbers(table)];
    for experiment in experiments {
        let question = format::question(&experiment.question);
        lines.push(format!("{}, steps to {question}", experiment.label));
        lines.extend(regimes(&experiment.regimes).iter().map(|line| format!("  {line}")));
        lines.extend(doubtful(&experiment.doubtful));
    }
    lines.join("\n")
}

/// Which points of a compared curve its own table doubts.
fn doubtful(batch_sizes: &[u64]) -> Option<String> {
    let noun = match batch_sizes {
        [] => return None,
        [_] => "size",
        _ => "sizes",
    };
    let sizes = format::counts(batch_sizes.iter().copied());
    Some(format!("  cannot be trusted yet, as its own table says why: batch {noun} {sizes}"))
}

/// What `critbatch table --json` prints, as `docs/json.md` says.
#[derive(Debug, Serialize)]
pub(crate) struct Json<'answers> {
    workload: &'answers Workload,
    #[serde(flatten)]
    question: &'answers critbatch_tuner::Question,
    studies: Vec<JsonStudy<'answers>>,
    regimes: &'answers Regimes,
    #[serde(skip_serializing_if = "Option::is_none")]
    noise_scales: Option<NoiseScales>,
    measured_by: Option<JsonProvenance<'answers>>,
    omissions: &'answers [Omission],
}

#[derive(Debug, Serialize)]
struct JsonProvenance<'answers> {
    device: &'answers str,
    version: &'answers str,
}

#[derive(Debug, Serialize)]
struct JsonStudy<'answers> {
    #[serde(flatten)]
    summary: StudySummary,
    interval: Option<StepsInterval>,
    search_excess: Option<f64>,
    good_effective_learning_rates: Option<(f64, f64)>,
    boundaries: &'answers BTreeMap<String, Boundary>,
    /// Reasons not to trust the point, in words.
    warnings: Vec<String>,
}

impl<'answers> Json<'answers> {
    /// From the answers and their analysis, which has one study for each of theirs.
    pub(crate) fn of(
        answers: &'answers Answers,
        analysis: &'answers GoalAnalysis,
        options: &AnalysisOptions,
    ) -> Self {
        let studies = answers.studies.iter().zip(&analysis.studies);
        let study =
            |(outcomes, study): (&critbatch_tuner::StudyOutcomes, &'answers StudyAnalysis)| {
                let max_trials = answers.max_trials.get(&study.facts.batch_size).copied();
                JsonStudy {
                    summary: StudySummary::of(outcomes, &answers.question, max_trials),
                    interval: study.interval,
                    search_excess: study.search_excess,
                    good_effective_learning_rates: study.good_rates,
                    boundaries: &study.boundaries,
                    warnings: study.warnings.iter().map(ToString::to_string).collect(),
                }
            };
        Json {
            workload: &answers.workload,
            question: &answers.question,
            studies: studies.map(study).collect(),
            regimes: &analysis.regimes,
            noise_scales: answers.noise_scales(analysis, options),
            measured_by: answers.provenance.as_ref().map(|provenance| JsonProvenance {
                device: &provenance.device,
                version: &provenance.version,
            }),
            omissions: &answers.omissions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use critbatch_tuner::{
        Goal, NoiseScale, Question, Reached, Space, StudyFacts, StudyNoiseScale, StudyOutcomes,
        Threshold, TrialOutcome, TrialRecord, TrialStatus,
    };

    /// A study in which four trials reached the goal, from `steps` on, or none.
    fn study(batch_size: u64, steps: Option<u64>) -> StudyOutcomes {
        let scale = |lo, hi| Scale::Log(lo, hi);
        let scales = [("learning_rate", scale(1e-4, 10.0)), ("warm_up", Scale::Fixed(1.0))];
        let scales = scales.map(|(name, scale)| (name.to_owned(), scale)).into();
        let trial = |trial_id: u64| {
            let step = steps.map(|steps| steps + trial_id);
            let rate = [("learning_rate".to_owned(), 0.012_345_6)];
            TrialOutcome {
                trial: TrialRecord {
                    batch_size,
                    trial_id,
                    repeat: 0,
                    parameters: rate.into(),
                    status: TrialStatus::Complete,
                    steps: step.unwrap_or(10_000),
                },
                reached: step.map(|step| Reached {
                    step,
                    value: 0.05,
                    previous_step: Some(step - 1),
                }),
            }
        };
        StudyOutcomes {
            facts: StudyFacts {
                batch_size,
                space: Space { scales },
                budget_steps: Some(10_000),
                n_trials: Some(4),
                seconds_per_step: None,
            },
            trials: (0..4).map(trial).collect(),
            repeats: vec![],
        }
    }

    fn answers(steps: &[(u64, Option<u64>)]) -> (Answers, GoalAnalysis) {
        let name = |name: &str| name.to_owned();
        let goal = Goal { metric: name("val/error"), threshold: Threshold::Below(0.08) };
        let question = Question::of_goal(goal);
        let studies: Vec<_> = steps.iter().map(|&(size, steps)| study(size, steps)).collect();
        let analysis = GoalAnalysis::of(&studies, &question, &AnalysisOptions::default());
        let workload = Workload { dataset: name("d"), model: name("m"), optimizer: name("o") };
        let omission = Omission { path: "a/b.csv".into(), line: Some(3), problem: name("odd") };
        let (max_trials, omissions) = ([(2, 4)].into(), vec![omission; 7]);
        let (record, provenance) = (None, None);
        (
            Answers { workload, question, studies, record, max_trials, omissions, provenance },
            analysis,
        )
    }

    #[test]
    fn the_table_has_intervals_searched_metaparameters_and_dashes_for_no_result() {
        let (_, analysis) = answers(&[(2, Some(1_000)), (2048, None)]);
        let searched = searched(&analysis);
        assert_eq!(searched, ["learning_rate"]);
        let row_of_2 = row(&analysis.studies[0], &searched);
        assert_eq!(row_of_2, ["2", "1,000", "997 to 1,002", "2,000", "4", "0", "4", "0.01235"]);
        let row_of_2048 = row(&analysis.studies[1], &searched);
        assert_eq!(row_of_2048, ["2,048", "-", "-", "-", "4", "0", "0", "-"]);
    }

    #[test]
    fn text_says_what_cannot_be_trusted_and_where_the_curve_bends() {
        let curve = [(1, 800), (2, 400), (4, 210), (8, 130), (16, 100), (32, 98)];
        let curve = curve.map(|(batch_size, steps)| (batch_size, Some(steps)));
        let (sure, analysis) = answers(&curve);
        let sure = text(&sure, &analysis, &AnalysisOptions::default());
        assert!(sure.contains("no check found a reason to doubt"), "{sure}");
        assert!(sure.contains("end of perfect scaling: 4"), "{sure}");
        assert!(sure.contains("maximum useful batch size: 16"), "{sure}");
        assert!(sure.contains("B_crit / B): 10 (95 % interval"), "{sure}");
        assert!(sure.contains("left out: 7\n  a/b.csv:3: odd") && sure.contains("and 2 more"));
        let (unsure, analysis) = answers(&[(1, Some(800)), (2, None)]);
        let unsure = text(&unsure, &analysis, &AnalysisOptions::default());
        assert!(unsure.contains("cannot be trusted yet:\n  batch size 2: none of 4"), "{unsure}");
        assert!(unsure.contains("1 batch size with a result is too few"), "{unsure}");
    }

    #[test]
    fn noise_scales_are_a_range_beside_the_critical_batch_size() {
        let study = |noise_scale: Option<f64>, ratio| StudyNoiseScale {
            batch_size: 2,
            winner: None,
            pooled: Some(NoiseScale {
                gradient_variance: 1.0,
                squared_gradient_norm: 1.0,
                noise_scale,
                interval: None,
                n_measurements: 1,
                n_trials: 1,
            }),
            ratio_to_critical_batch_size: ratio,
        };
        let text = |studies| noise_scales(&NoiseScales { studies, critical_batch_size: None });
        let (low, high, none) =
            (study(Some(206.3), Some(1.157)), study(Some(299.0), Some(1.68)), study(None, None));
        let name = "gradient noise scale B_noise:";
        assert_eq!(
            text(vec![high, none, low]).unwrap(),
            format!(
                "{name} 206 to 299 over the batch sizes, 1.2 to 1.7 times the critical batch size"
            )
        );
        let alone = study(Some(206.3), None);
        assert_eq!(text(vec![alone]).unwrap(), format!("{name} 206 over the batch sizes"));
        assert_eq!(text(vec![none]), None);
    }

    #[test]
    fn json_has_the_summary_and_what_to_think_of_it() {
        let (answers, analysis) = answers(&[(2, Some(1_000)), (2048, None)]);
        let json = serde_json::to_value(Json::of(&answers, &analysis, &AnalysisOptions::default()))
            .unwrap();
        assert_eq!(json["goal"]["below"], 0.08);
        assert_eq!(json["studies"][0]["steps_to_result"], 1000);
        assert_eq!(json["studies"][1]["warnings"].as_array().map(Vec::len), Some(1));
        assert_eq!(json["regimes"]["fit"]["n_points"], 1);
    }

    #[test]
    fn compared_curves_stand_side_by_side() {
        let goals: Vec<(String, GoalAnalysis)> = [("a", 800), ("b", 80)]
            .map(|(label, steps)| {
                (label.to_owned(), answers(&[(1, Some(steps)), (2, Some(steps / 2))]).1)
            })
            .into();
        let text = comparison(&Comparison::of(&goals, None));
        assert!(text.contains("relative to those at batch size 1"), "{text}");
        let has_row = |cells: &[&str]| {
            text.lines().any(|line| line.split_whitespace().eq(cells.iter().copied()))
        };
        assert!(has_row(&["2", "400", "(0.5)", "40", "(0.5)"]), "{text}");
    }
}
