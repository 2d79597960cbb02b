//! What a run will take, as a small table.

use std::collections::BTreeMap;
use std::time::Duration;

use critbatch_report::format;
use critbatch_tuner::{LanesReason, Plan, StudyPlan};

use crate::ruled;

/// One row for each study with something left to do, and what all of it takes.
pub(crate) fn text(plan: &Plan) -> String {
    let left: Vec<&StudyPlan> = plan.studies.iter().filter(|study| study.n_left() > 0).collect();
    let n_done = plan.studies.len() - left.len();
    if left.is_empty() {
        return "nothing is left to do".to_owned();
    }
    let mut table = ruled::table([
        "batch\nsize",
        "trials",
        "lanes",
        "steps",
        "examples",
        "measure-\nments",
        "s/step",
        "memory",
        "at most",
    ]);
    left.iter().for_each(|study| {
        table.add_row(row(study));
    });
    let table = ruled::numbers(table);
    let done = match n_done {
        0 => String::new(),
        n => format!("; {n} of {} studies done", plan.studies.len()),
    };
    let (time, store) = (duration(plan.seconds()), size(plan.size_bytes()));
    let checkpoints = size(plan.checkpoint_bytes());
    format!(
        "{table}\n{}\nat most {time} and {store}, if every trial spends its whole budget, and \
         {checkpoints} for checkpoints on the way{done}",
        lanes(&left)
    )
}

/// Why each study has its number of lanes: a sentence for each reason, with its batch sizes.
fn lanes(studies: &[&StudyPlan]) -> String {
    let mut sizes: BTreeMap<LanesReason, Vec<String>> = BTreeMap::new();
    for study in studies {
        sizes.entry(study.lanes_reason).or_default().push(format::count(study.batch_size));
    }
    let all_alike = sizes.len() == 1;
    let sentence = |(reason, sizes): (LanesReason, Vec<String>)| match all_alike {
        true => why_lanes(reason).to_owned(),
        false => format!("{} at {}", why_lanes(reason), format::list(&sizes)),
    };
    let sentences: Vec<String> = sizes.into_iter().map(sentence).collect();
    format!("lanes: {}", sentences.join("; "))
}

/// A reason in words.
pub(crate) fn why_lanes(reason: LanesReason) -> &'static str {
    match reason {
        LanesReason::Asked => "as asked for",
        LanesReason::Trials => "as many as trials",
        LanesReason::Memory => "no more fit into memory",
        LanesReason::Speed => "more were measured and are not 5 % faster",
        LanesReason::Time => "to measure more would take over 1 % of the study or half a second",
        LanesReason::Earlier => "as measured by an earlier run",
    }
}

/// Bytes with a unit: `1.5 MB`.
pub(crate) fn size(size_bytes: u64) -> String {
    let text = format::rate(size_bytes as f64);
    let n_digits = text.trim_end_matches(char::is_alphabetic).len();
    let (number, prefix) = text.split_at(n_digits);
    format!("{number} {prefix}B")
}

/// Trials that are left, each with so many steps and measurements; the examples of all; the
/// duration of a step of all lanes together; the memory that is planned; the time for all.
fn row(study: &StudyPlan) -> [String; 9] {
    let trials = match (study.n_trials_left, study.n_trials) {
        (left, all) if left == all => left.to_string(),
        (left, all) => format!("{left} of {all}"),
    };
    let trials = match study.n_repeats_left {
        0 => trials,
        n => format!("{trials} + {n}"),
    };
    let seconds_per_step = study.speed.map_or(f64::NAN, |speed| speed.seconds_per_step);
    [
        format::count(study.batch_size),
        trials,
        study.lanes.to_string(),
        format::count(study.budget_steps),
        format::rate(study.n_examples() as f64),
        study.n_evaluations.to_string(),
        format!("{seconds_per_step:.1e}"),
        study.memory_bytes.map_or("-".to_owned(), size),
        duration(study.seconds()),
    ]
}

fn duration(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or("for ever".to_owned(), format::duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use critbatch_tuner::Speed;

    fn study(batch_size: u64, n_trials_left: u64) -> StudyPlan {
        let speed = Speed {
            seconds_per_step_alone: 1e-3,
            lanes: 4,
            seconds_per_step: 2.5e-3,
            seconds_per_evaluation: 0.5,
        };
        StudyPlan {
            batch_size,
            n_trials: 20,
            n_trials_left,
            n_repeats_left: 0,
            lanes: 4,
            lanes_reason: LanesReason::Speed,
            memory_bytes: Some(12_300_000),
            checkpoint_bytes: 45_000_000,
            budget_steps: 2_000,
            n_evaluations: 90,
            n_metrics: 2,
            n_noise_points: 0,
            speed: Some(speed),
        }
    }

    #[test]
    fn what_is_left_is_told_with_its_cost() {
        let lanes_reason = LanesReason::Trials;
        let repeating = StudyPlan { n_repeats_left: 4, lanes_reason, ..study(1_024, 8) };
        let plan = Plan { studies: vec![study(8, 0), study(32, 20), repeating] };
        let text = text(&plan);
        // 20 trials in 4 lanes: 5 times 2,000 steps of 2.5 ms and 90 measurements of 0.5 s.
        let line = |start: &str| {
            let of = |line: &&str| line.trim_start().starts_with(start);
            text.lines().find(of).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("32 "), "32 20 4 2,000 1.3M 90 2.5e-3 12 MB 4 min 10 s");
        assert_eq!(line("1,024 "), "1,024 8 of 20 + 4 4 2,000 25M 90 2.5e-3 12 MB 2 min 30 s");
        let last = "at most 6 min 40 s and 215 kB, if every trial spends its whole budget, and \
                    45 MB for checkpoints on the way; 1 of 3 studies done";
        assert_eq!(text.lines().last(), Some(last));
        let lanes =
            "lanes: as many as trials at 1,024; more were measured and are not 5 % faster at 32";
        assert_eq!(text.lines().rev().nth(1), Some(lanes));
        let alone = super::text(&Plan { studies: vec![study(32, 20)] });
        assert!(alone.contains("\nlanes: more were measured and are not 5 % faster\n"), "{alone}");
        assert_eq!(super::text(&Plan { studies: vec![study(8, 0)] }), "nothing is left to do");
    }
}
