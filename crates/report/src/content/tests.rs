use critbatch_tuner::{
    Analysis, AnalysisOptions, Comparison, Question, Record, TrialStatus, Workload,
};

use super::*;
use crate::figure::{Marker, Shape};
use crate::testing;

fn analysis(record: &Record) -> Analysis {
    let question = |below| Question::of_goal(testing::goal(below));
    // Few resamples: what the intervals are is for others to test.
    let options = AnalysisOptions { n_resamples: 50, ..AnalysisOptions::default() };
    Analysis::of(record, &[question(0.1), question(0.05)], &options)
}

fn input<'a>(record: &'a Record, analysis: &'a Analysis) -> ReportInput<'a> {
    ReportInput { record, analysis, experiment: None, provenance: None, measure_again: None }
}

fn ids(page: &Page) -> Vec<&str> {
    page.sections.iter().map(|section| section.id).collect()
}

/// The figures of a page, those on linear axes too, by name; of several goals the first one's.
fn figures(page: &Page) -> std::collections::BTreeMap<&str, &crate::figure::Figure> {
    let goals = page.lead.iter().chain(page.sections.iter().flat_map(|section| &section.blocks));
    let blocks = goals.flat_map(|block| match block {
        Block::PerGoal(goals) => goals[0].iter().collect::<Vec<_>>(),
        other => vec![other],
    });
    let plots = blocks.filter_map(|block| match block {
        Block::Figure(plot) => Some(plot),
        _ => None,
    });
    let figures = plots.flat_map(|plot| [Some(&plot.figure), plot.linear.as_ref()]);
    figures.flatten().map(|figure| (figure.name.as_str(), figure)).collect()
}

/// The text of the page's first block, which is the answer.
fn answer(page: &Page) -> String {
    match &page.lead[..] {
        [Block::PerGoal(goals)] => match &goals[0][..] {
            [Block::Answer(answer), ..] => answer.clone(),
            other => panic!("no answer first: {other:?}"),
        },
        other => panic!("no goals: {other:?}"),
    }
}

fn written(input: &ReportInput<'_>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let paths = crate::write(input, directory.path()).unwrap();
    std::fs::read_to_string(&paths[0]).unwrap()
}

#[test]
fn a_whole_record_has_every_section_in_order() {
    let record = testing::record();
    let analysis = analysis(&record);
    let (experiment, provenance) = (testing::experiment(), testing::provenance());
    let input = ReportInput {
        experiment: Some(&experiment),
        provenance: Some(&provenance),
        measure_again: Some("critbatch run experiment.toml"),
        ..input(&record, &analysis)
    };
    let expected = [
        "curve",
        "trust",
        "search",
        "repeats",
        "metaparameters",
        "good-regions",
        "solution-quality",
        "label-smoothing",
        "noise-scale",
        "time",
        "trials",
        "how-it-was-measured",
        "left-out",
    ];
    assert_eq!(ids(&page(&input)), expected);
    let html = written(&input);
    for unsafe_text in ["<script>alert", "<b>mnist", "ascending steps <script>"] {
        assert!(!html.contains(unsafe_text), "{unsafe_text}");
    }
    for address in ["http", "src=", "@import", "url("] {
        assert!(!html.contains(address), "the page has {address}");
    }
    assert!(html.len() < 1_500_000, "a small page, not {} bytes", html.len());
}

#[test]
fn an_imported_record_has_no_empty_section() {
    let mut record = testing::record();
    record.omissions.clear();
    for study in &mut record.studies {
        study.facts.seconds_per_step = None;
        study.facts.budget_steps = None;
        study.facts.n_trials = None;
        study.facts.space = critbatch_tuner::Space::default();
        study.repeats.clear();
        for trial in &mut study.trials {
            trial.trial.parameters.remove("label_smoothing");
            trial.curve.metrics.retain(|name, _| !name.contains("gradient"));
        }
    }
    let analysis = analysis(&record);
    let page = page(&input(&record, &analysis));
    let absent = ["repeats", "label-smoothing", "noise-scale", "time", "left-out"];
    assert!(absent.iter().all(|id| !ids(&page).contains(id)), "{:?}", ids(&page));
    assert!(answer(&page).contains("learning_rate"), "the rate varies, so it was searched");
    assert!(!written(&input(&record, &analysis)).contains("<dd></dd>"));
}

#[test]
fn the_answer_is_two_sentences_with_batch_sizes_and_metaparameters() {
    let record = testing::record();
    let analysis = analysis(&record);
    let answer = answer(&page(&input(&record, &analysis)));
    assert!(answer.starts_with("Use batches of up to "), "{answer}");
    assert!(answer.contains("there is hardly any gain"), "{answer}");
    for name in ["learning_rate", "momentum", "label_smoothing"] {
        assert!(answer.contains(name), "{answer}");
    }
    assert_eq!(answer.matches(". ").count() + 1, 2, "{answer}");
}

#[test]
fn without_a_plateau_the_answer_does_not_name_an_end() {
    let mut record = testing::record();
    record.studies.truncate(3);
    let analysis = analysis(&record);
    let answer = answer(&page(&input(&record, &analysis)));
    assert!(answer.contains("at least") && answer.contains("not determined"), "{answer}");
}

#[test]
fn a_run_that_just_began_has_a_page() {
    let mut record = testing::record();
    for study in &mut record.studies {
        study.repeats.clear();
        study.trials.truncate(1);
        for trial in &mut study.trials {
            trial.trial.status = TrialStatus::Incomplete;
            trial.curve = critbatch_tuner::Curve::default();
        }
    }
    let begun = analysis(&record);
    let answer = answer(&page(&input(&record, &begun)));
    assert!(answer.starts_with("No batch size reached the goal"), "{answer}");
    assert!(written(&input(&record, &begun)).contains("</html>"));
    record.studies.clear();
    let empty = analysis(&record);
    assert!(written(&input(&record, &empty)).contains("</html>"));
}

#[test]
fn one_batch_size_is_no_curve() {
    let mut record = testing::record();
    record.studies.truncate(1);
    let analysis = analysis(&record);
    let answer = answer(&page(&input(&record, &analysis)));
    assert!(answer.starts_with("Only batch size 8 reached the goal"), "{answer}");
}

#[test]
fn the_fit_is_drawn_as_it_is_on_both_scales() {
    let record = testing::record();
    let analysis = analysis(&record);
    let page = page(&input(&record, &analysis));
    let fit = analysis.goals[0].regimes.fit.parameters.unwrap();
    for name in ["steps_to_result", "steps_to_result_linear"] {
        let series = &figures(&page)[name].panels[0].series;
        let line = series.iter().find(|series| series.label.starts_with("fit")).unwrap();
        let Shape::Line(points, _) = &line.shape else { panic!("a fit is a line") };
        for pair in points.windows(2) {
            // Half-way along a piece of the line.
            let (x, y) = (0.5 * (pair[0].0 + pair[1].0), 0.5 * (pair[0].1 + pair[1].1));
            assert!((y / fit.steps(x) - 1.0).abs() < 0.01, "{name}: {y} at {x}");
        }
    }
}

#[test]
fn bounds_of_solution_quality_are_hollow() {
    let record = testing::record();
    let mut analysis = analysis(&record);
    let rings = |analysis: &Analysis| {
        let page = page(&input(&record, analysis));
        let panels = &figures(&page)["solution_quality"].panels;
        let series = panels.iter().flat_map(|panel| &panel.series);
        let rings = series.map(|series| match &series.shape {
            Shape::Points(points, Marker::Ring) if series.label.is_empty() => points.len(),
            _ => 0,
        });
        rings.sum::<usize>()
    };
    for curve in &mut analysis.quality[0].curves {
        curve.points.iter_mut().for_each(|point| point.is_cut_short = false);
    }
    assert_eq!(rings(&analysis), 0);
    analysis.quality[0].curves[0].points[2].is_cut_short = true;
    assert_eq!(rings(&analysis), 1);
}

#[test]
fn where_a_heuristic_fails_its_line_is_interrupted() {
    let record = testing::record();
    let mut analysis = analysis(&record);
    let goal = &mut analysis.goals[0];
    let rule = &mut goal.heuristics.as_mut().unwrap().rules[0];
    let failed = rule.points.iter_mut().find(|point| point.factor_lost.is_some()).unwrap();
    (failed.steps, failed.factor_lost, failed.n_stopped_early) = (None, None, 0);
    let size = failed.batch_size as f64;
    let page = page(&input(&record, &analysis));
    let series = &figures(&page)["heuristics"].panels[0].series;
    let Shape::Line(line, _) = &series[0].shape else { panic!("a rule is a line") };
    assert!(line.iter().any(|(x, y)| *x == size && y.is_nan()));
    let Shape::MarginTicks(ticks) = &series[2].shape else { panic!("then its failures") };
    assert!(ticks.iter().any(|point| point.x == size));
}

#[test]
fn drawn_curves_are_thinned_and_tables_are_whole() {
    let record = testing::record();
    let analysis = analysis(&record);
    let page = page(&input(&record, &analysis));
    let blocks = page.sections.iter().flat_map(|section| &section.blocks);
    let mut n_tables = 0;
    for block in blocks {
        match block {
            Block::Figure(plot) if plot.figure.name == "learning_curves" => {
                let series = plot.figure.panels.iter().flat_map(|panel| &panel.series);
                for series in series {
                    let Shape::Line(points, _) = &series.shape else { continue };
                    assert!(points.len() <= 61, "{}", points.len());
                    assert_eq!(points.last().map(|p| p.0 as u64), record_end(&record, points));
                }
            }
            Block::Table(listing) if listing.table.name == "trials" => {
                let n_trials: usize =
                    record.studies.iter().map(|s| s.trials.len() + s.repeats.len()).sum();
                assert_eq!(listing.table.n_rows(), n_trials);
                n_tables += 1;
            }
            _ => {}
        }
    }
    assert_eq!(n_tables, 1);
}

/// The budget of the study whose curve ends where the points do.
fn record_end(record: &Record, points: &[(f64, f64)]) -> Option<u64> {
    let last = points.last()?.0 as u64;
    let budgets = record.studies.iter().filter_map(|study| study.facts.budget_steps);
    budgets.into_iter().find(|budget| *budget == last)
}

#[test]
fn experiments_are_compared_on_one_page() {
    let record = testing::record();
    let analysis = analysis(&record);
    let goals = [("first", &analysis.goals[0]), ("second <b>", &analysis.goals[1])];
    let mut goals = goals.map(|(label, goal)| (label.to_owned(), goal.clone()));
    goals[1].1.studies[2].result = None;
    let comparison = Comparison::of(&goals, None);
    let input = input(&record, &analysis);
    let inputs = [input, input];
    let compared = ComparisonInput { comparison: &comparison, experiments: &inputs };
    let directory = tempfile::tempdir().unwrap();
    let paths = crate::write_comparison(&compared, directory.path()).unwrap();
    let html = std::fs::read_to_string(&paths[0]).unwrap();
    assert!(paths[0].ends_with("comparison.html") && html.contains("second &lt;b&gt;"));
    assert!(directory.path().join("figures/comparison_normalised.png").is_file());
    let csv = std::fs::read_to_string(directory.path().join("tables/comparison.csv")).unwrap();
    assert!(csv.lines().any(|line| line == "second <b>,128,,,,"), "{csv}");
    assert!(html.contains("batch size 128\nno trial reached the goal"));
    // Figures say what the experiments have in common, of the workload and of the goals.
    let subtitle = |compared: &ComparisonInput<'_>| {
        figures(&comparison::page(compared))["comparison"].subtitle.clone()
    };
    let workload = labels::workload(&record);
    assert_eq!(subtitle(&compared), workload);
    let mut others = record.clone();
    others.workload.optimizer = "adam".to_owned();
    let same_goal = goals.map(|(label, _)| (label, analysis.goals[0].clone()));
    let comparison = Comparison::of(&same_goal, None);
    let inputs = [input, ReportInput { record: &others, ..input }];
    let compared = ComparisonInput { comparison: &comparison, experiments: &inputs };
    let Workload { dataset, model, .. } = &record.workload;
    let goal = format::question(&analysis.goals[0].question);
    assert_eq!(subtitle(&compared), format!("{dataset} / {model}, {goal}"));
}
