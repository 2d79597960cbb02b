//! The answer in two sentences, and the numbers behind it.

use critbatch_tuner::{BatchSizeEstimate, CurveFit, Determination, GoalAnalysis, StudyAnalysis};

use super::{ReportInput, labels};
use crate::format;
use crate::page::{Block, Finding, Tile, Weight};

pub(super) fn blocks(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Block> {
    let mut blocks = vec![Block::Answer(sentences(input, goal))];
    let tiles = tiles(input, goal);
    if !tiles.is_empty() {
        blocks.push(Block::Tiles(tiles));
    }
    let n_doubtful = goal.studies.iter().filter(|study| !study.warnings.is_empty()).count();
    if n_doubtful > 0 {
        let (doubtful, all) =
            (format::count(n_doubtful as u64), format::count(goal.studies.len() as u64));
        let text = format!(
            "{doubtful} of {all} batch sizes cannot be fully trusted; \"What can be trusted\" says \
             which, why, and what to do."
        );
        blocks.push(Block::Findings(vec![Finding { weight: Weight::Warning, text }]));
    }
    blocks
}

/// Studies with a result.
fn with_result(goal: &GoalAnalysis) -> Vec<&StudyAnalysis> {
    goal.studies.iter().filter(|study| study.result.is_some()).collect()
}

/// Up to which batch size, what lies beyond, and with which metaparameters; no more than the data
/// determine.
pub(crate) fn sentences(input: &ReportInput<'_>, goal: &GoalAnalysis) -> String {
    let text = format::question(&goal.question);
    let studies = with_result(goal);
    let (Some(first), Some(last)) = (studies.first(), studies.last()) else {
        return format!(
            "No batch size reached the goal {text}. So these data do not say how far larger \
             batches would help."
        );
    };
    let size = |study: &StudyAnalysis| study.facts.batch_size;
    let regimes = &goal.regimes;
    let (Some(end), Some(useful)) =
        (regimes.end_of_perfect_scaling, regimes.maximum_useful_batch_size)
    else {
        return format!("The results under {text} do not form a curve.");
    };
    if size(first) == size(last) {
        return format!(
            "Only batch size {} reached the goal {text}; a curve needs two at least. {}",
            format::count(size(first)),
            recipe(input, first, &text)
        );
    }
    let best = studies.iter().find(|study| size(study) == useful.value).unwrap_or(last);
    let beyond = match useful.determination {
        Determination::TooFewPoints => {
            return format!(
                "All batch sizes but one met the goal {text} before training; a curve needs two that \
                 train."
            );
        }
        Determination::OnlyLowerBound => {
            "the largest batch sizes with a result still save steps, so where the gain ends is not \
             determined"
                .to_owned()
        }
        _ => format!("beyond {} there is hardly any gain", format::count(useful.value)),
    };
    let confidence = labels::percent(input.analysis.options.confidence);
    let interval = useful.interval.map_or(String::new(), |interval| {
        format!(" ({confidence} interval {})", format::batch_sizes(interval))
    });
    format!(
        "Use batches of up to {}{interval}: {}, and {beyond}. {}",
        format::batch_size(useful),
        scaling(end, useful, [size(first), size(last)]),
        recipe(input, best, &text)
    )
}

/// What a doubled batch does below the maximum useful batch size.
fn scaling(
    end: BatchSizeEstimate,
    useful: BatchSizeEstimate,
    [smallest, largest]: [u64; 2],
) -> String {
    let less = match useful.value > end.value {
        true => format!(", then saves less up to {}", format::count(useful.value)),
        false => String::new(),
    };
    let interval = end
        .interval
        .map_or(String::new(), |interval| format!(" ({})", format::batch_sizes(interval)));
    match end.determination {
        Determination::OnlyUpperBound if end.value == smallest => format!(
            "already from the smallest measured one, {}, on, a doubled batch does not halve the \
             steps",
            format::count(end.value)
        ),
        _ if end.value >= largest => "a doubled batch halves the steps all the way".to_owned(),
        _ => {
            let end = format::batch_size(end);
            format!("a doubled batch halves the steps up to {end}{interval}{less}")
        }
    }
}

/// Steps and metaparameters of a study's result.
fn recipe(input: &ReportInput<'_>, study: &StudyAnalysis, goal: &str) -> String {
    let Some(result) = &study.result else { return String::new() };
    let names = labels::searched(input.record);
    let parameters = match labels::parameter_list(&result.parameters, &names) {
        list if list.is_empty() => String::new(),
        list => format!(" with {list}"),
    };
    format!(
        "At batch size {} the best trial needed {} steps to {goal}{parameters}.",
        format::count(study.facts.batch_size),
        format::count(result.steps)
    )
}

fn tiles(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Tile> {
    let confidence = labels::percent(input.analysis.options.confidence);
    let tolerances = &input.analysis.options.tolerances;
    let mut tiles = vec![];
    if let Some(end) = goal.regimes.end_of_perfect_scaling {
        let within = format!(
            "within {} of the fewest examples on the smoothed curve",
            labels::percent(tolerances.perfect_scaling)
        );
        tiles.push(size_tile("Perfect scaling up to", end, &within, &confidence));
    }
    if let Some(useful) = goal.regimes.maximum_useful_batch_size {
        let within = format!(
            "within {} of the fewest steps on the smoothed curve",
            labels::percent(tolerances.useful)
        );
        tiles.push(size_tile("Maximum useful batch size", useful, &within, &confidence));
    }
    if !tiles.is_empty() {
        tiles.push(critical_tile(&goal.regimes.fit, &confidence));
    }
    tiles.extend(saving(goal));
    tiles
}

fn size_tile(name: &str, estimate: BatchSizeEstimate, within: &str, confidence: &str) -> Tile {
    let value = format::count(estimate.value);
    let value = match estimate.determination {
        Determination::OnlyLowerBound => format!("≥ {value}"),
        Determination::OnlyUpperBound => format!("≤ {value}"),
        Determination::TooFewPoints => {
            let note = labels::determination(estimate.determination).to_owned();
            return Tile { name: name.to_owned(), value: "–".to_owned(), note };
        }
        _ => value,
    };
    let interval = estimate.interval.map_or(String::new(), |interval| {
        format!("; {confidence} interval {}", format::batch_sizes(interval))
    });
    Tile { name: name.to_owned(), value, note: format!("{within}{interval}") }
}

fn critical_tile(fit: &CurveFit, confidence: &str) -> Tile {
    let name = "Critical batch size B_crit".to_owned();
    let estimate = fit.parameters.map(|parameters| parameters.critical_batch_size);
    let (Determination::Determined, Some(estimate)) = (fit.determination, estimate) else {
        let mut note = labels::determination(fit.determination).to_owned();
        if let (Determination::OnlyLowerBound, Some(Some(interval))) =
            (fit.determination, estimate.map(|estimate| estimate.interval))
        {
            note = format!("{note}: above {}", format::number(interval.low));
        }
        return Tile { name, value: "–".to_owned(), note };
    };
    let value = format::rounded(estimate.value);
    let minimum = fit.parameters.map(|parameters| format::rounded(parameters.minimum_steps.value));
    let twice = format!("steps are twice the fitted S_min {} there", minimum.unwrap_or_default());
    let interval = estimate.interval.map_or(String::new(), |interval| {
        let high = interval.high.map_or("unbounded".to_owned(), format::rounded);
        format!("; {confidence} interval {} to {high}", format::rounded(interval.low))
    });
    Tile { name, value, note: format!("{twice}{interval}") }
}

/// How many times fewer steps the best batch size takes than the smallest one.
fn saving(goal: &GoalAnalysis) -> Option<Tile> {
    let curve = goal.curve();
    let (first, last) = (curve.first()?, curve.last()?);
    let best = curve.iter().min_by_key(|point| point.steps)?;
    let is_curve = first.batch_size < last.batch_size && best.steps > 0;
    is_curve.then(|| Tile {
        name: "Fewer steps".to_owned(),
        value: format!("{}×", format::rounded(first.steps as f64 / best.steps as f64)),
        note: format!(
            "{} at batch size {}, {} at {}",
            format::count(first.steps),
            format::count(first.batch_size),
            format::count(best.steps),
            format::count(best.batch_size)
        ),
    })
}
