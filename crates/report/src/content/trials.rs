//! The trials themselves: learning curves of the best ones, and the table of all.

use critbatch_tuner::{Goal, Question, Record, StudyRecord, Threshold, TrialCurve};

use super::labels;
use crate::figure::{
    Axis, AxisScale, Color, Direction, Figure, Mark, Panel, Series, Shape, Stroke,
};
use crate::format;
use crate::page::{Block, Listing, Plot, Section};
use crate::table::Table;

/// Trials of a batch size whose curves are drawn.
const N_CURVES: usize = 5;

/// Points of a drawn curve; measurements lie at even relative distances, so these look even, too.
const N_POINTS: usize = 60;

/// Rows of the table that the page shows.
const N_ROWS: usize = 1_000;

/// Learning curves of the best trials under the first question, and the table of all trials.
pub(super) fn section(record: &Record, questions: &[Question]) -> Option<Section> {
    let mut blocks = vec![];
    if let Some(figure) = questions.first().and_then(|asked| learning_curves(record, asked)) {
        blocks.push(Plot::block(figure, &caption(record)));
    }
    let goals: Vec<Goal> = questions.iter().map(|question| question.goal.clone()).collect();
    let table = table(record, &goals);
    if table.n_rows() > 0 {
        blocks.push(Block::Table(Listing {
            table,
            caption: "Every trial. A click on a heading sorts by it.".to_owned(),
            n_shown: N_ROWS,
            is_folded: true,
        }));
    }
    Section::of("trials", "Trials", blocks)
}

fn caption(record: &Record) -> String {
    let of_first = match record.decided_goal {
        None => "",
        Some(_) => {
            " Values that miss it are means over the examples that were evaluated until that was clear."
        }
    };
    format!(
        "The five best of the trials that count at each batch size. The dashed line is the goal: \
         steps to result is where the first curve crosses it.{of_first}"
    )
}

/// A trial's rank: the step at which it reached the goal within the budget, else how near it came.
fn rank(study: &StudyRecord, trial: &TrialCurve, question: &Question) -> (u64, f64) {
    let goal = &question.goal;
    let reached = question.first_reached(study.facts.batch_size, trial.curve.rows(&goal.metric));
    let sign = match goal.threshold {
        Threshold::Below(_) => 1.0,
        Threshold::Above(_) => -1.0,
    };
    let values = trial.curve.rows(&goal.metric).map(|(_, value)| sign * value);
    let nearest = values.filter(|value| !value.is_nan()).fold(f64::INFINITY, f64::min);
    (reached.map_or(u64::MAX, |reached| reached.step), nearest)
}

fn learning_curves(record: &Record, question: &Question) -> Option<Figure> {
    let panels: Vec<Panel> =
        record.studies.iter().filter_map(|study| curves_of(study, question)).collect();
    let title = "Learning curves of the best trials";
    (!panels.is_empty())
        .then(|| Figure::multiples("learning_curves", title, &labels::workload(record), panels))
}

fn curves_of(study: &StudyRecord, question: &Question) -> Option<Panel> {
    let goal = &question.goal;
    let mut trials: Vec<&TrialCurve> = study.counted().collect();
    trials.retain(|trial| trial.curve.rows(&goal.metric).any(|(step, _)| step > 0));
    trials.sort_by(|a, b| {
        let (a, b) = (rank(study, a, question), rank(study, b, question));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    trials.truncate(N_CURVES);
    let curves: Vec<Vec<(f64, f64)>> =
        trials.iter().map(|trial| thinned(trial, &goal.metric)).collect();
    let points = || curves.iter().flatten();
    let (Threshold::Below(threshold) | Threshold::Above(threshold)) = goal.threshold;
    points().next()?;
    let values = || points().map(|point| point.1).chain([threshold]);
    let scale = match values().all(|value| value > 0.0) {
        true => AxisScale::Log10,
        false => AxisScale::Linear,
    };
    let series = curves.iter().enumerate().map(|(index, points)| {
        let label = format!("{} best", ordinal(index + 1));
        let color = Color::ordered(index, N_CURVES);
        Series::new(label, color, Shape::Line(points.clone(), Stroke::Thin))
    });
    let panel = Panel::new(
        Axis::around("steps", AxisScale::Log2, points().map(|point| point.0)),
        Axis::around(&goal.metric, scale, values()),
        series.rev().collect(),
    );
    let mark = Mark {
        direction: Direction::Horizontal,
        at: threshold,
        label: String::new(),
        color: Color::Ink,
    };
    let title = format!("batch size {}", format::count(study.facts.batch_size));
    Some(Panel { marks: vec![mark], ..panel.titled(title) })
}

fn ordinal(n: usize) -> String {
    let suffix = match n {
        1 => "st",
        2 => "nd",
        3 => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

/// About [`N_POINTS`] measurements, always with the last one.
fn thinned(trial: &TrialCurve, metric: &str) -> Vec<(f64, f64)> {
    let rows = trial.curve.rows(metric).filter(|(step, value)| *step > 0 && value.is_finite());
    let rows: Vec<(f64, f64)> = rows.map(|(step, value)| (step as f64, value)).collect();
    let stride = rows.len().div_ceil(N_POINTS).max(1);
    let last = rows.len().saturating_sub(1);
    let is_kept = |index: usize| index.is_multiple_of(stride) || index == last;
    rows.iter().enumerate().filter(|(index, _)| is_kept(*index)).map(|(_, row)| *row).collect()
}

/// One row for each trial, repeats after the trial that they repeat.
fn table(record: &Record, goals: &[Goal]) -> Table {
    let mut rows: Vec<(&StudyRecord, &TrialCurve)> = vec![];
    for study in &record.studies {
        rows.extend(study.trials.iter().chain(&study.repeats).map(|trial| (study, trial)));
    }
    rows.sort_by_key(|(study, TrialCurve { trial, .. })| {
        (study.facts.batch_size, trial.trial_id, trial.repeat)
    });
    let trials = || rows.iter().map(|(_, trial)| &trial.trial);
    let mut table = Table::new("trials")
        .counts("batch_size", trials().map(|trial| trial.batch_size))
        .counts("trial_id", trials().map(|trial| trial.trial_id));
    if trials().any(|trial| trial.repeat > 0) {
        table = table.counts("repeat", trials().map(|trial| trial.repeat));
    }
    table = table
        .texts("status", trials().map(|trial| trial.status.name().to_owned()))
        .counts("steps", trials().map(|trial| trial.steps));
    for goal in goals {
        let question = Question::of_goal(goal.clone());
        let steps = rows.iter().map(|(study, trial)| {
            let rows = trial.curve.rows(&goal.metric);
            Some(question.first_reached(study.facts.batch_size, rows)?.step)
        });
        table = table.counts(&format!("steps to {}", format::goal(goal)), steps);
    }
    for name in labels::metaparameters(record) {
        let values = trials().map(|trial| trial.parameters.get(name).copied());
        table = table.numbers(name, values);
    }
    let with_best = distinct_metrics(goals).into_iter();
    for goal in with_best.filter(|goal| record.has_whole_values(&goal.metric)) {
        let best = rows.iter().map(|(study, trial)| {
            let (_, value) = rank(study, trial, &Question::of_goal(goal.clone()));
            let sign = if matches!(goal.threshold, Threshold::Below(_)) { 1.0 } else { -1.0 };
            value.is_finite().then_some(sign * value)
        });
        table = table.numbers(&format!("best {}", goal.metric), best);
    }
    table
}

/// One goal for each metric.
fn distinct_metrics(goals: &[Goal]) -> Vec<&Goal> {
    let mut distinct: Vec<&Goal> = vec![];
    for goal in goals {
        if distinct.iter().all(|other| other.metric != goal.metric) {
            distinct.push(goal);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use critbatch_tuner::TrialStatus;

    use super::*;
    use crate::testing;

    /// Curves of the first study, as many points as are drawn of each.
    fn drawn(record: &Record, question: &Question) -> Vec<Vec<(f64, f64)>> {
        let panel = curves_of(&record.studies[0], question).expect("there are curves");
        let lines = panel.series.into_iter().filter_map(|series| match series.shape {
            Shape::Line(points, _) => Some(points),
            _ => None,
        });
        lines.collect()
    }

    #[test]
    fn only_trials_that_count_are_drawn_and_the_first_is_the_result() {
        let mut record = testing::record();
        let question = Question::of_goal(testing::goal(0.1));
        let winner = |record: &Record| {
            let id = record.outcomes(&question)[0].winner().expect("a result").trial.trial_id;
            let trials = &record.studies[0].trials;
            trials.iter().position(|trial| trial.trial.trial_id == id).expect("it is there")
        };
        let index = winner(&record);
        let curve = |record: &Record, index: usize| {
            thinned(&record.studies[0].trials[index], &question.goal.metric)
        };
        // The best is drawn last, on top.
        assert_eq!(drawn(&record, &question).pop(), Some(curve(&record, index)));
        record.studies[0].trials[index].trial.status = TrialStatus::Infeasible;
        let next = winner(&record);
        let lines = drawn(&record, &question);
        assert_eq!(lines.last(), Some(&curve(&record, next)));
        assert!(!lines.contains(&curve(&record, index)), "it diverged");
    }
}
