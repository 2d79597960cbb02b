//! Good regions: where in (learning rate, 1 - momentum) trials reach the goal under a budget, or how soon
//! at which learning rate where there is no momentum.

use critbatch_tuner::{BudgetRegions, Question, Region, RegionClass, RegionPoint};

use super::ReportInput;
use crate::figure::{Axis, AxisScale, Color, Figure, Marker, Panel, Point, Series, Shape, Stroke};
use crate::format;
use crate::page::{Block, Listing, Plot, Section};
use crate::table::Table;

/// More points than these have no tooltips, so that the page stays small.
const MOST_TOOLTIPS: usize = 1_500;

/// The axis of steps goes on to so many times the most.
const ROOM_FOR_TICKS: f64 = 1.25;

const CLASSES: [(RegionClass, &str, Color, Marker); 5] = [
    (RegionClass::Infeasible, "diverged", Color::Vermilion, Marker::Cross),
    (RegionClass::StoppedEarly, "stopped before it was known", Color::Sky, Marker::Dot),
    (RegionClass::NotReached, "not reached", Color::Muted, Marker::Triangle),
    (RegionClass::Reached, "reached", Color::Blue, Marker::Disc),
    (RegionClass::Best, "best", Color::Amber, Marker::Star),
];

pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let regions = &input.analysis.regions;
    let has_points =
        |regions: &&BudgetRegions| regions.studies.iter().any(|r| !r.points.is_empty());
    let shown = regions.iter().filter(has_points).map(|regions| {
        let height = Height::of(regions);
        Plot::block(figure(regions, height), height.caption())
    });
    let mut blocks: Vec<Block> = shown.collect();
    if !blocks.is_empty() {
        blocks.push(Listing::folded(
            shares(regions),
            "Share of the trials that reached the goal, of those of which it is known. In the paper the \
             good region grows with the batch size under a budget of steps and shrinks under one of \
             examples.",
        ));
    }
    Section::of("good-regions", "Good regions", blocks)
}

fn name(question: &Question) -> &'static str {
    match (question.max_steps, question.max_examples) {
        (Some(_), None) => "good_regions_step_budget",
        (None, Some(_)) => "good_regions_epoch_budget",
        (Some(_), Some(_)) => "good_regions_both_budgets",
        (None, None) => "good_regions",
    }
}

/// What stands upwards in the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Height {
    OneMinusMomentum,
    Steps,
    Examples,
}

impl Height {
    /// 1 - momentum if trials differ in it, else what the budget counts.
    fn of(BudgetRegions { question, studies }: &BudgetRegions) -> Height {
        let mut momenta = studies.iter().flat_map(|r| &r.points).map(|p| p.one_minus_momentum);
        let first = momenta.next();
        match momenta.any(|momentum| Some(momentum) != first) {
            true => Height::OneMinusMomentum,
            false if question.max_examples.is_some() => Height::Examples,
            false => Height::Steps,
        }
    }

    fn caption(self) -> &'static str {
        match self {
            Height::OneMinusMomentum => {
                "Every trial that ended, and the share of them that reached the goal. Lines of \
                 constant effective learning rate are a decade apart."
            }
            Height::Steps | Height::Examples => {
                "Every trial that ended, and the share of them that reached the goal. Ticks at the \
                 top: it was not reached."
            }
        }
    }

    /// Whether what did not reach the goal has no height, but a tick at the top.
    fn has_ticks(self) -> bool {
        self != Height::OneMinusMomentum
    }

    fn axis(self, studies: &[Region]) -> Axis {
        let label = match self {
            Height::OneMinusMomentum => "1 - momentum",
            Height::Steps => "steps to goal",
            Height::Examples => "examples to goal",
        };
        let of_region = |region: &Region| -> Vec<f64> {
            region.points.iter().filter_map(|point| self.value(region, point)).collect()
        };
        let values: Vec<f64> = studies.iter().flat_map(of_region).collect();
        // Ticks at the top hide no point.
        let most = values.iter().copied().fold(0.0, f64::max);
        let room = self.has_ticks().then_some(ROOM_FOR_TICKS * most);
        Axis::around(label, AxisScale::Log10, values.into_iter().chain(room))
    }

    /// `None` for what did not reach the goal and so has no steps to it.
    fn value(self, region: &Region, point: &RegionPoint) -> Option<f64> {
        match self {
            Height::OneMinusMomentum => Some(point.one_minus_momentum),
            Height::Steps => Some(point.steps? as f64),
            Height::Examples => Some(point.steps?.saturating_mul(region.batch_size) as f64),
        }
    }
}

fn figure(BudgetRegions { question, studies }: &BudgetRegions, height: Height) -> Figure {
    let points = || studies.iter().flat_map(|region| &region.points);
    let x = Axis::around("learning rate", AxisScale::Log10, points().map(|p| p.learning_rate));
    let y = height.axis(studies);
    let has_tooltips = points().count() <= MOST_TOOLTIPS;
    let panels = studies.iter().map(|region| panel(region, height, [&x, &y], has_tooltips));
    let (title, subtitle) = ("Trials that reach the goal", format::question(question));
    Figure::multiples(name(question), title, &subtitle, panels.collect())
}

fn panel(region: &Region, height: Height, [x, y]: [&Axis; 2], has_tooltips: bool) -> Panel {
    let mut series = if height.has_ticks() { vec![] } else { contours(x, y) };
    for (class, label, color, marker) in CLASSES {
        let points = region.points.iter().filter(|point| point.class == class).map(|point| Point {
            x: point.learning_rate,
            y: height.value(region, point).unwrap_or(0.0),
            tooltip: if has_tooltips { tooltip(region, point, label) } else { vec![] },
        });
        let points: Vec<Point> = points.collect();
        if points.is_empty() && class == RegionClass::StoppedEarly {
            continue;
        }
        let has_reached = matches!(class, RegionClass::Reached | RegionClass::Best);
        let shape = match height.has_ticks() && !has_reached {
            true => Shape::MarginTicks(points),
            false => Shape::Points(points, marker),
        };
        series.push(Series::new(label, color, shape));
    }
    let share = region
        .share_reached
        .map_or(String::new(), |share| format!(": {}%", format::rounded(100.0 * share)));
    let title = format!("batch size {}{share}", format::count(region.batch_size));
    Panel::new(x.clone(), y.clone(), series).titled(title)
}

fn tooltip(region: &Region, point: &RegionPoint, label: &str) -> Vec<String> {
    let mut lines = vec![
        format!("trial {}, batch size {}", point.trial_id, format::count(region.batch_size)),
        format!("learning_rate: {}", format::number(point.learning_rate)),
    ];
    if point.one_minus_momentum < 1.0 {
        let effective = point.learning_rate / point.one_minus_momentum;
        lines.push(format!("momentum: {}", format::number(1.0 - point.one_minus_momentum)));
        lines.push(format!("effective learning rate: {}", format::number(effective)));
    }
    lines.push(label.to_owned());
    lines.extend(point.steps.map(|steps| format!("steps: {}", format::count(steps))));
    lines
}

/// Lines of constant effective learning rate e: 1 - momentum = learning rate / e, at powers of ten.
fn contours(x: &Axis, y: &Axis) -> Vec<Series> {
    #[expect(clippy::cast_possible_truncation, reason = "logarithms of an f64 are small")]
    let exponents = {
        let (least, most) = (x.from / y.to, x.to / y.from);
        least.log10().floor() as i32..=most.log10().ceil() as i32
    };
    let lines = exponents.map(|exponent| {
        let rate = 10.0_f64.powi(exponent);
        Shape::Line(vec![(x.from, x.from / rate), (x.to, x.to / rate)], Stroke::Thin)
    });
    lines.map(|line| Series::unnamed(Color::Grid, line)).collect()
}

fn shares(regions: &[BudgetRegions]) -> Table {
    let rows = || {
        regions.iter().flat_map(|regions| regions.studies.iter().map(|r| (&regions.question, r)))
    };
    Table::new("good_regions")
        .counts("batch_size", rows().map(|(_, region)| region.batch_size))
        .counts("step_budget", rows().map(|(question, _)| question.max_steps))
        .counts("example_budget", rows().map(|(question, _)| question.max_examples))
        .counts("trials", rows().map(|(_, region)| region.points.len() as u64))
        .numbers("share_reached", rows().map(|(_, region)| region.share_reached))
        .numbers("share_diverged", rows().map(|(_, region)| region.share_infeasible))
        .without_empty_columns()
}

#[cfg(test)]
mod tests {
    use super::*;
    use critbatch_tuner::{Goal, Threshold};

    fn regions(momenta: [f64; 2], max_examples: Option<u64>) -> BudgetRegions {
        let point = |trial_id: u64, class, steps| RegionPoint {
            trial_id,
            learning_rate: 0.1,
            one_minus_momentum: 1.0 - momenta[trial_id as usize],
            class,
            steps,
        };
        let best = point(0, RegionClass::Best, Some(50));
        let points = vec![best, point(1, RegionClass::NotReached, None)];
        let region = Region {
            batch_size: 4,
            points,
            share_reached: Some(0.5),
            share_not_reached: Some(0.5),
            share_infeasible: Some(0.0),
        };
        let goal = Goal { metric: "val/error".to_owned(), threshold: Threshold::Below(0.1) };
        let question = Question { goal, max_steps: None, max_examples };
        BudgetRegions { question, studies: vec![region] }
    }

    /// Heights of what reached the goal and of what did not; `None` at the margin.
    fn heights(regions: &BudgetRegions) -> [Option<f64>; 2] {
        let figure = figure(regions, Height::of(regions));
        let of = |name: &str| {
            let series = figure.panels[0].series.iter().find(|series| series.label == name);
            match &series.expect("every class has a series").shape {
                Shape::Points(points, _) => Some(points[0].y),
                Shape::MarginTicks(points) if points.len() == 1 => None,
                other => panic!("{name}: {other:?}"),
            }
        };
        [of("best"), of("not reached")]
    }

    #[test]
    fn without_momentum_the_steps_or_examples_to_the_goal_stand_upwards() {
        let [best, other] = heights(&regions([0.9, 0.5], None)).map(Option::unwrap);
        assert!((best - 0.1).abs() < 1e-12 && (other - 0.5).abs() < 1e-12);
        assert_eq!(heights(&regions([0.0, 0.0], None)), [Some(50.0), None]);
        assert_eq!(heights(&regions([0.9, 0.9], Some(400))), [Some(200.0), None]);
    }

    #[test]
    fn a_tooltip_has_no_momentum_where_there_is_none() {
        let lines = |momentum: f64| {
            let BudgetRegions { studies, .. } = regions([momentum; 2], None);
            tooltip(&studies[0], &studies[0].points[0], "best").join("|")
        };
        assert!(!lines(0.0).contains("momentum") && !lines(0.0).contains("effective"));
        assert!(lines(0.5).contains("momentum: 0.5|effective learning rate: 0.2|best|steps: 50"));
    }
}
