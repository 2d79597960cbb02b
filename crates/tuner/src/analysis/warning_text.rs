//! Warnings in words: what was found and what to do.

use std::fmt;

use super::{StepsQuantile, Verdict, Warning};

/// What to do about two points that do not go together.
const SEARCH_OR_LUCK: &str = "its search missed the optimum or the other's best trial was luck, so run \
                              more trials of both or repeat their best";

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&sentence(self))
    }
}

fn sentence(warning: &Warning) -> String {
    match warning {
        Warning::NoResult { is_under_way: true, .. } => {
            "no trial that has ended reached the goal yet: continue the run".to_owned()
        }
        Warning::NoResult { n_complete, n_infeasible, budget_steps, .. } => {
            no_result(*n_complete, *n_infeasible, *budget_steps)
        }
        Warning::TooFewComplete { n_complete, n_wanted, n_incomplete, n_infeasible } => format!(
            "only {n_complete} of {} complete, {n_incomplete} under way and {n_infeasible} \
             diverged: finish the run, or, if it has ended, raise max_trials or leave out what \
             diverges",
            counted(*n_wanted, "trial")
        ),
        Warning::Edge { metaparameter, verdict, value, bound, can_be_widened } => {
            edge(metaparameter, *verdict, [*value, *bound], *can_be_widened)
        }
        Warning::FewReached { n_reached, n_complete } => format!(
            "only {n_reached} of {} reached the goal, so the best one may be far from the optimum: \
             run more trials, allow more steps or narrow the box to where it was reached",
            counted(*n_complete, "complete trial")
        ),
        Warning::CoarseGrid { steps, previous_step, relative_gap } => format!(
            "the result, step {steps}, was measured {:.0} % of it after the measurement before, step \
             {previous_step}: lower evaluation.relative_spacing",
            100.0 * relative_gap
        ),
        Warning::MetBeforeTraining => {
            "the goal was met before training: choose a harder one".to_owned()
        }
        Warning::MetAtFirstMeasurement { steps } => format!(
            "the goal was met at the first measurement, step {steps}, and maybe long before: measure \
             earlier or choose a harder goal"
        ),
        Warning::NearBudgetEnd { steps, budget_steps } => format!(
            "the goal was reached at step {steps} of at most {budget_steps}, so slower trials were \
             cut off: allow more steps"
        ),
        Warning::StoppedBeforeResult { n_stopped, steps } => stopped(*n_stopped, *steps),
        Warning::MoreExamplesThanLarger { batch_size, factor } => format!(
            "it takes {factor:.1} times the examples that batch size {batch_size} takes, and a smaller \
             batch should take no more: {SEARCH_OR_LUCK}"
        ),
        Warning::MoreStepsThanSmaller { batch_size, factor } => format!(
            "it takes {factor:.1} times the steps that batch size {batch_size} takes, and a larger \
             batch should take no more: {SEARCH_OR_LUCK}"
        ),
        Warning::RepeatsDisagree { steps, median, n_repeats } => {
            repeats_disagree(*steps, *median, *n_repeats)
        }
    }
}

fn edge(name: &str, verdict: Verdict, [value, bound]: [f64; 2], can_be_widened: bool) -> String {
    let end = if verdict == Verdict::EdgeLow { "lower" } else { "upper" };
    let advice = match can_be_widened {
        true => "widen the box ('critbatch widen' does, for the experiment's own goal)",
        false => "add a point beyond it by hand",
    };
    let (value, bound) = (rounded(value), rounded(bound));
    format!(
        "the best {name}, {value}, lies at the {end} end of its box, {bound}, and a better one may \
         lie beyond: {advice}"
    )
}

fn stopped(n_stopped: u64, steps: Option<u64>) -> String {
    let (before, may) = match steps {
        Some(steps) => (format!("the result at step {steps}"), "been faster"),
        None => ("the end of the budget".to_owned(), "reached this one"),
    };
    let trials = counted(n_stopped, "trial");
    format!(
        "{trials} stopped, for another goal, before {before} and may have {may}: measure with the \
         stop rule 'budget'"
    )
}

fn no_result(n_complete: u64, n_infeasible: u64, budget_steps: Option<u64>) -> String {
    if n_complete == 0 && n_infeasible > 0 {
        let trials = counted(n_infeasible, "trial");
        return format!("no trial is complete and {trials} diverged: search lower learning rates");
    }
    if n_complete == 0 {
        return "no trial is complete yet: continue the run".to_owned();
    }
    let within = |steps| format!(" within {}", counted(steps, "step"));
    format!(
        "none of {} reached the goal{}: allow more steps, an easier goal or another search space",
        counted(n_complete, "complete trial"),
        budget_steps.map_or(String::new(), within)
    )
}

fn repeats_disagree(steps: u64, median: StepsQuantile, n_repeats: u64) -> String {
    let median = match median {
        StepsQuantile::Steps(median) => format!("takes a median of {median}"),
        StepsQuantile::After(median) => format!("takes a median of more than {median}"),
        StepsQuantile::NotReached => "in the median misses the goal".to_owned(),
    };
    format!(
        "the best point took {} in the search but {median} in {} with fresh seeds: trust the median \
         of repeats more than the best run",
        counted(steps, "step"),
        counted(n_repeats, "repeat")
    )
}

/// `1 trial`, `2 trials`.
fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Four significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_warning_is_one_plain_sentence() {
        let no_result = |n_complete, n_infeasible, budget_steps| {
            let is_under_way = false;
            Warning::NoResult { n_complete, n_infeasible, is_under_way, budget_steps }
        };
        let (steps, n_repeats, median) = (7, 3, StepsQuantile::After(9));
        let warnings = [
            no_result(0, 0, None),
            no_result(0, 4, None),
            no_result(1, 4, Some(9)),
            Warning::TooFewComplete {
                n_complete: 3,
                n_wanted: 5,
                n_incomplete: 1,
                n_infeasible: 2,
            },
            Warning::FewReached { n_reached: 1, n_complete: 100 },
            Warning::CoarseGrid { steps: 100, previous_step: 80, relative_gap: 0.2 },
            Warning::MetBeforeTraining,
            Warning::MetAtFirstMeasurement { steps: 7 },
            Warning::NearBudgetEnd { steps: 99, budget_steps: 100 },
            Warning::StoppedBeforeResult { n_stopped: 1, steps: Some(7) },
            Warning::StoppedBeforeResult { n_stopped: 2, steps: None },
            Warning::RepeatsDisagree { steps: 7, median: StepsQuantile::Steps(9), n_repeats: 3 },
            Warning::RepeatsDisagree { steps: 7, median: StepsQuantile::NotReached, n_repeats: 1 },
            Warning::RepeatsDisagree { steps, median, n_repeats },
            Warning::MoreExamplesThanLarger { batch_size: 8, factor: 1.5 },
            Warning::MoreStepsThanSmaller { batch_size: 8, factor: 1.5 },
            Warning::NoResult {
                n_complete: 0,
                n_infeasible: 4,
                is_under_way: true,
                budget_steps: None,
            },
        ];
        let texts = warnings.map(|warning| warning.to_string());
        for text in &texts {
            let is_plain = !text.contains('\n') && !text.contains("  ") && !text.ends_with('.');
            assert!(
                is_plain && text.starts_with(char::is_lowercase)
                    || text.starts_with('1')
                    || text.starts_with('2'),
                "{text}"
            );
            assert!(text.contains(": "), "what to do: {text}");
        }
        assert!(texts[2].starts_with("none of 1 complete trial reached the goal within 9 steps"));
        assert!(texts[5].contains("step 100, was measured 20 % of it after"));
    }
}
