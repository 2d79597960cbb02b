//! The whole analysis of one experiment on the noisy quadratic model, where the paper's findings
//! hold by construction.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::sync::LazyLock;

use critbatch_tuner::{
    Analysis, AnalysisOptions, Comparison, CurvePoint, Determination, ExperimentSummary, Goal,
    Heuristic, NoIntervals, NoisyQuadratic, QualityBudget, Question, Record, RunOptions,
    StepsQuantile, Store, StudyAnalysis, Threshold, Verdict, Warning, widened_space,
};

const METRIC: &str = "val/cross_entropy_error";

struct Measured {
    record: Record,
    summary: ExperimentSummary,
}

/// 13 batch sizes, 60 whole curves each, the best trial repeated three times. The box is so wide that
/// the best rate, which never exceeds 2, lies inside at every batch size.
static MEASURED: LazyLock<Measured> = LazyLock::new(|| {
    let space = "learning_rate = { log = [0.001, 20.0] }";
    let budget = "steps = { at_batch_size = 1, steps = 6000, at_least = 300 }\nstop = 'budget'";
    let text = support::text("sgd", "powers_of_two = [0, 12]", 60, space, budget)
        .replace("seed = 0", "seed = 0\nrepeats = { best = 1, seeds = 3 }");
    let mut factory = NoisyQuadratic { lanes: 60, ..NoisyQuadratic::default() };
    let experiment = support::check(&text, &factory);
    let directory = tempfile::tempdir().unwrap();
    let options = RunOptions::default();
    support::go_on(directory.path(), &experiment, &mut factory, &options, |_, _| ()).unwrap();
    let store = Store::open_read_only(directory.path()).unwrap();
    Measured {
        record: Record::of_store(&store).unwrap(),
        summary: ExperimentSummary::read(&store).unwrap(),
    }
});

fn question(below: f64) -> Question {
    Question::of_goal(Goal { metric: METRIC.to_owned(), threshold: Threshold::Below(below) })
}

fn analysis() -> Analysis {
    let questions = [question(0.02), question(0.05), question(0.2)];
    let options = AnalysisOptions { n_resamples: 200, ..AnalysisOptions::default() };
    Analysis::of(&MEASURED.record, &questions, &options)
}

/// The published rule on the raw rows: sort by (step, trial), take the first strictly below.
fn by_hand(record: &Record, below: f64) -> Vec<CurvePoint> {
    let point = |study: &critbatch_tuner::StudyRecord| {
        let rows = study.trials.iter().filter(|t| t.trial.status.name() == "complete");
        let mut rows: Vec<(u64, u64)> = rows
            .take(study.facts.n_trials.unwrap() as usize)
            .flat_map(|trial| {
                let rows = trial.curve.rows(METRIC).filter(|(_, value)| *value < below);
                rows.map(|(step, _)| (step, trial.trial.trial_id))
            })
            .collect();
        rows.sort_unstable();
        let (steps, _) = rows.first()?;
        Some(CurvePoint { batch_size: study.facts.batch_size, steps: *steps })
    };
    record.studies.iter().filter_map(point).collect()
}

#[test]
fn every_goal_has_its_curve_and_summaries_agree() {
    let analysis = analysis();
    assert_eq!(analysis.goals.len(), 3);
    for (goal, below) in analysis.goals.iter().zip([0.02, 0.05, 0.2]) {
        assert_eq!(goal.curve(), by_hand(&MEASURED.record, below));
        let summary = ExperimentSummary::of(&MEASURED.record, &goal.question);
        assert_eq!(summary.curve(), goal.curve());
    }
    assert_eq!(analysis.goals[0].curve(), MEASURED.summary.curve());
    let of_record = ExperimentSummary::of(&MEASURED.record, &analysis.goals[0].question);
    assert_eq!(of_record, MEASURED.summary, "no study is exhausted here");
    // An easier goal takes fewer steps.
    for (hard, easy) in analysis.goals[0].curve().iter().zip(analysis.goals[2].curve()) {
        assert!(easy.steps < hard.steps, "{hard:?} {easy:?}");
    }
}

#[test]
fn budgets_cut_where_they_should() {
    let free = question(0.02);
    let all = Analysis::of(&MEASURED.record, std::slice::from_ref(&free), &quick());
    let curve = all.goals[0].curve();
    let limit = curve[4].steps;
    let by_steps = Question { max_steps: Some(limit), ..free.clone() };
    let most_examples = curve[4].steps * curve[4].batch_size;
    let by_examples = Question { max_examples: Some(most_examples), ..free };
    let of = |question| Analysis::of(&MEASURED.record, &[question], &quick()).goals[0].curve();
    let within = |keep: &dyn Fn(&CurvePoint) -> bool| -> Vec<CurvePoint> {
        curve.iter().copied().filter(|point| keep(point)).collect()
    };
    assert_eq!(of(by_steps), within(&|point| point.steps <= limit));
    assert_eq!(of(by_examples), within(&|p| p.steps * p.batch_size <= most_examples));
}

fn quick() -> AnalysisOptions {
    AnalysisOptions { n_resamples: 20, ..AnalysisOptions::default() }
}

#[test]
fn the_three_regimes_are_found_with_intervals() {
    let analysis = analysis();
    let regimes = &analysis.goals[0].regimes;
    let scaling = regimes.end_of_perfect_scaling.unwrap();
    let useful = regimes.maximum_useful_batch_size.unwrap();
    let fit = regimes.fit.parameters.unwrap();
    println!("{:?}\n{scaling:?}\n{useful:?}\n{:?}", analysis.goals[0].curve(), regimes.fit);
    assert_eq!(scaling.determination, Determination::Determined);
    assert_eq!(useful.determination, Determination::Determined);
    assert_eq!(regimes.fit.determination, Determination::Determined);
    assert!(fit.r_squared.unwrap() > 0.97, "{fit:?}");
    let critical = fit.critical_batch_size.value;
    assert!((scaling.value as f64) < critical && critical < useful.value as f64, "{critical}");
    for estimate in [scaling, useful] {
        let interval = estimate.interval.unwrap();
        assert!(interval.low <= estimate.value && estimate.value <= interval.high, "{estimate:?}");
        assert!(interval.high <= 8 * interval.low, "{estimate:?}");
    }
    let interval = fit.critical_batch_size.interval.unwrap();
    assert!(interval.low <= critical && critical <= interval.high.unwrap(), "{interval:?}");
    assert_eq!(regimes.no_intervals, None);
}

#[test]
fn intervals_hold_the_result_and_convergence_ends_there() {
    for study in &analysis().goals[0].studies {
        let result = study.result.as_ref().unwrap();
        let interval = study.interval.unwrap();
        let [low, high] = [interval.low, interval.high].map(|end| end.steps().unwrap());
        assert!(low < result.steps && result.steps <= high, "{interval:?}");
        let last = study.convergence.last().unwrap();
        assert_eq!((last.n_trials, last.steps.low.steps()), (60, Some(result.steps)));
        assert!((0.0..0.2).contains(&study.search_excess.unwrap()), "{:?}", study.search_excess);
        let (least, largest) = study.good_rates.unwrap();
        let best = result.effective_learning_rate.unwrap();
        assert!(least <= best && best <= largest, "{least} {best} {largest}");
        assert_eq!(study.facts.seconds_per_step, None);
        // The loss of this model is an expectation and seeds move its start by 2 % only.
        let repeats = study.repeats.as_ref().unwrap();
        assert_eq!(repeats.best_of_search, Some(result.steps));
        assert_eq!(repeats.points[0].repeat_steps.len(), 3);
        let median = repeats.best_of_search_repeated.unwrap().steps().unwrap() as f64;
        assert!((0.9..1.1).contains(&(median / result.steps as f64)), "{repeats:?}");
    }
}

#[test]
fn rules_for_the_learning_rate_hold_where_scaling_is_perfect_and_break_later() {
    let analysis = analysis();
    let scores = analysis.goals[0].heuristics.as_ref().unwrap();
    assert_eq!(scores.base_batch_size, 1);
    let lost = |heuristic: Heuristic, index: usize| {
        let rule = scores.rules.iter().find(|rule| rule.heuristic == heuristic).unwrap();
        (rule.points[index].factor_lost, rule.points[index].rate_ratio.unwrap())
    };
    // B = 4: linear scaling is right, a constant rate too slow.
    assert!(lost(Heuristic::Linear, 2).0.unwrap() < 1.1, "{:?}", lost(Heuristic::Linear, 2));
    let constant = lost(Heuristic::Constant, 2).0;
    assert!(constant.is_none_or(|lost| lost > 1.5), "{constant:?}");
    // B = 4096: the linear rate lies far beyond divergence, at 2.
    let (_, ratio) = lost(Heuristic::Linear, 12);
    assert!(ratio > 10.0, "{ratio}");
    assert!(lost(Heuristic::Constant, 12).0.is_none_or(|lost| lost > 5.0));
}

#[test]
fn budgets_of_steps_favour_large_batches_and_budgets_of_examples_small_ones() {
    let analysis = analysis();
    assert_eq!(analysis.quality.len(), 1, "one metric");
    let mut seen = [0, 0];
    for curve in &analysis.quality[0].curves {
        let values: Vec<f64> = curve.points.iter().map(|point| point.value).collect();
        match curve.budget {
            QualityBudget::Steps(_) if curve.points.iter().all(|point| !point.is_cut_short) => {
                assert!(values.windows(2).all(|v| v[1] <= v[0] * 1.05), "{values:?}");
                seen[0] += 1;
            }
            QualityBudget::Examples(_) if curve.points.iter().all(|point| !point.is_cut_short) => {
                let first = values[0];
                assert!(values.iter().all(|value| *value >= first * 0.95), "{values:?}");
                seen[1] += 1;
            }
            _ => (),
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    let shares = |index: usize| -> Vec<f64> {
        analysis.regions[index].studies.iter().map(|region| region.share_reached.unwrap()).collect()
    };
    let (by_steps, by_examples) = (shares(0), shares(1));
    assert!(by_steps[0] < by_steps[12], "grows: {by_steps:?}");
    assert!(by_examples[0] > by_examples[12], "shrinks: {by_examples:?}");
}

#[test]
fn a_box_that_ends_too_early_is_found_and_widened() {
    let space = "learning_rate = { log = [0.001, 0.05] }";
    let text = support::text("sgd", "list = [256]", 20, space, "steps = 3000\nstop = 'budget'");
    let factory = NoisyQuadratic::default();
    let directory = tempfile::tempdir().unwrap();
    let experiment = support::check(&text, &factory);
    let mut factory = factory;
    let options = RunOptions::default();
    support::go_on(directory.path(), &experiment, &mut factory, &options, |_, _| ()).unwrap();
    let record = Record::of_store(&Store::open_read_only(directory.path()).unwrap()).unwrap();
    let analysis = Analysis::of(&record, &[question(0.02)], &AnalysisOptions::default());
    let study = &analysis.goals[0].studies[0];
    assert_eq!(study.boundaries["learning_rate"].verdict, Verdict::EdgeHigh);
    let is_edge = |warning: &&Warning| matches!(warning, Warning::Edge { .. });
    assert_eq!(study.warnings.iter().filter(is_edge).count(), 1);
    let wider = widened_space(&study.facts.space, &study.boundaries, 0.5).unwrap();
    let (lo, hi) = wider.scales["learning_rate"].bounds();
    // 0.05 (0.05 / 0.001)^(1/2)
    assert!(lo == 0.001 && (hi - 0.05 * 50_f64.sqrt()).abs() < 1e-9, "{lo} {hi}");
    // And the widely searched experiment has none.
    let sound = self::analysis();
    let edges = sound.goals[0].warnings().filter(|(_, warning)| is_edge(warning));
    assert_eq!(edges.map(|(batch_size, _)| batch_size).collect::<Vec<u64>>(), Vec::<u64>::new());
}

#[test]
fn everything_is_json_without_holes() {
    let analysis = analysis();
    let json = serde_json::to_value(&analysis).unwrap();
    assert_eq!(json["goals"].as_array().unwrap().len(), 3);
    assert_eq!(
        json["goals"][0]["studies"][0]["boundaries"]["learning_rate"]["verdict"],
        "interior"
    );
    assert!(json["goals"][0]["studies"][0]["interval"]["low"]["steps"].is_u64());
    assert_eq!(json["goals"][0]["regimes"]["fit"]["determination"], "determined");
    assert!(json["noise_scales"].is_null() && json["label_smoothing"].is_null());
    let pair =
        [("a".to_owned(), analysis.goals[0].clone()), ("b".to_owned(), analysis.goals[2].clone())];
    let comparison = serde_json::to_value(Comparison::of(&pair, None)).unwrap();
    assert_eq!(comparison["normalising_batch_size"], 1);
    assert_eq!(comparison["experiments"][1]["points"][0]["relative_steps"], 1.0);
}

#[test]
fn trials_stopped_for_an_incumbent_leave_the_result_and_no_interval() {
    let analysed = |stop: &str| {
        let space = "learning_rate = { log = [0.02, 4.0] }";
        let budget = format!("steps = {{ at_batch_size = 64, steps = 600 }}\nstop = '{stop}'");
        let text = support::text("sgd", "list = [64, 256, 1024]", 20, space, &budget)
            .replace("below = 0.02", "below = 0.05");
        let mut factory = NoisyQuadratic { lanes: 7, ..NoisyQuadratic::default() };
        let experiment = support::check(&text, &factory);
        let directory = tempfile::tempdir().unwrap();
        let options = RunOptions::default();
        support::go_on(directory.path(), &experiment, &mut factory, &options, |_, _| ()).unwrap();
        let record = Record::of_store(&Store::open_read_only(directory.path()).unwrap()).unwrap();
        let goal = question(0.05);
        Analysis::of(&record, &[goal], &quick()).goals.remove(0)
    };
    let (whole, cut) = (analysed("budget"), analysed("incumbent"));
    assert_eq!(whole.curve(), cut.curve());
    assert_eq!(whole.curve().len(), 3);
    assert_eq!(cut.regimes.no_intervals, Some(NoIntervals::StoppedEarly));
    assert_eq!(whole.regimes.no_intervals, None);
    for (whole, cut) in whole.studies.iter().zip(&cut.studies) {
        assert!(cut.counts.n_stopped_early > 0, "{:?}", cut.counts);
        assert!(whole.interval.is_some() && cut.interval.is_none(), "{:?}", cut.interval);
        let all = |study: &StudyAnalysis| study.convergence.last().unwrap().steps;
        let (truth, said) = (all(whole), all(cut));
        assert_eq!(said.low, truth.low);
        assert!(
            matches!(said.high, StepsQuantile::After(step)
            if truth.high.steps().is_none_or(|truth| truth > step)),
            "{said:?} {truth:?}"
        );
        let is_stopped = |warning: &Warning| matches!(warning, Warning::StoppedBeforeResult { .. });
        assert!(!cut.warnings.iter().any(is_stopped), "{:?}", cut.warnings);
    }
}
