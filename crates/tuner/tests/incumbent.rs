//! The rule `incumbent` leaves out steps and nothing else: whatever the lanes, the rounds and the
//! interruptions, the trials that count, the winner and its step are those of whole curves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use critbatch_tuner::{
    CheckedExperiment, Event, NoisyQuadratic, Question, Record, RunOptions, StoppedEarly, Store,
    StudyOutcomes, StudySummary, TrialOutcome, TrialStatus,
};
use proptest::prelude::*;
use support::go_on;

const BATCH_SIZE: u64 = 64;

/// An experiment on a noisy quadratic model.
#[derive(Debug, Clone)]
struct Setting {
    seed: u64,
    n_trials: u64,
    max_trials: u64,
    budget_steps: u64,
    /// Above 2 trials diverge; just above it they do so late.
    largest_rate: f64,
    goal: f64,
    spacing: f64,
    spread: f64,
    n_best: u64,
}

fn settings() -> impl Strategy<Value = Setting> {
    let trials = (1..14_u64).prop_flat_map(|n| (Just(n), n..4 * n + 2, 1..=n.min(3)));
    let training = (5..250_u64, 0.3..6.0_f64, 0.02..0.9_f64, 0.03..0.6_f64, 0.0..0.5_f64);
    (0..1_000_000_u64, trials, training).prop_map(|(seed, trials, training)| Setting {
        seed,
        n_trials: trials.0,
        max_trials: trials.1,
        n_best: trials.2,
        budget_steps: training.0,
        largest_rate: training.1,
        goal: training.2,
        spacing: training.3,
        spread: training.4,
    })
}

impl Setting {
    fn model(&self) -> NoisyQuadratic {
        NoisyQuadratic { n_dimensions: 8, spread: self.spread, ..NoisyQuadratic::default() }
    }

    fn experiment(&self, stop: &str) -> CheckedExperiment {
        let Setting { seed, n_trials, max_trials, budget_steps, .. } = self;
        let (list, space) = (
            format!("list = [{BATCH_SIZE}]"),
            format!("learning_rate = {{ log = [0.05, {:?}] }}", self.largest_rate.max(0.06)),
        );
        let budget = format!("steps = {budget_steps}\nstop = '{stop}'");
        let repeats = format!("repeats = {{ best = {}, seeds = 1 }}", self.n_best);
        // One best trial has to be known whether or not it is repeated.
        let repeats = if self.n_best == 1 { String::new() } else { repeats };
        let text = support::text("sgd", &list, *n_trials, &space, &budget)
            .replace("quadratic_32", "quadratic_8")
            .replace("seed = 0", &format!("seed = {seed}\nmax_trials = {max_trials}\n{repeats}"))
            .replace("below = 0.02", &format!("below = {:?}", self.goal))
            .replace("spacing = 0.05", &format!("spacing = {:?}", self.spacing));
        support::check(&text, &self.model())
    }

    /// Runs it, with an interruption after some rounds, and gives what its store holds.
    fn run(&self, stop: &str, lanes: usize, cap: Option<u64>, rounds: Option<u64>) -> Found {
        let (directory, experiment) = (tempfile::tempdir().unwrap(), self.experiment(stop));
        let options =
            RunOptions { lanes: Some(lanes), max_steps_per_round: cap, ..RunOptions::default() };
        let left = Cell::new(rounds.unwrap_or(u64::MAX));
        let interrupt = |event: &Event<'_>, stop: &AtomicBool| {
            if let Event::RoundFinished(_) = event {
                left.set(left.get() - 1);
                stop.store(left.get() == 0, Ordering::Relaxed);
            }
        };
        go_on(directory.path(), &experiment, &mut self.model(), &options, interrupt).unwrap();
        let whole = |_: &Event<'_>, _: &AtomicBool| ();
        let other = RunOptions { lanes: Some(lanes + 2), ..options.clone() };
        go_on(directory.path(), &experiment, &mut self.model(), &other, whole).unwrap();
        let store = Store::open_read_only(directory.path()).unwrap();
        let record = Record::of_store(&store).unwrap();
        Found {
            summary: StudySummary::read(&store, BATCH_SIZE).unwrap(),
            stopped_early: StoppedEarly::read(&store, BATCH_SIZE).unwrap(),
            outcomes: record.studies[0].outcomes(&Question::of_goal(experiment.goal)),
        }
    }
}

struct Found {
    summary: StudySummary,
    stopped_early: StoppedEarly,
    outcomes: StudyOutcomes,
}

impl Found {
    /// Ids and statuses of all trials, the ids that count, and the best of them.
    fn canonical(&self, setting: &Setting) -> Canonical {
        let trials = self.outcomes.trials.iter();
        let is_complete = |outcome: &&TrialOutcome| outcome.trial.status == TrialStatus::Complete;
        let n_trials = usize::try_from(setting.n_trials).unwrap();
        let counted: Vec<&TrialOutcome> =
            trials.clone().filter(is_complete).take(n_trials).collect();
        Canonical {
            started: trials.map(|outcome| outcome.trial.trial_id).collect(),
            counted: counted.iter().map(|outcome| outcome.trial.trial_id).collect(),
            best: best(counted.into_iter(), setting.n_best),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Canonical {
    started: BTreeSet<u64>,
    counted: BTreeSet<u64>,
    /// (step, id)
    best: Vec<(u64, u64)>,
}

fn best<'a>(outcomes: impl Iterator<Item = &'a TrialOutcome>, n: u64) -> Vec<(u64, u64)> {
    let arrival = |outcome: &TrialOutcome| Some((outcome.reached?.step, outcome.trial.trial_id));
    let mut best: Vec<_> = outcomes.filter_map(arrival).collect();
    best.sort_unstable();
    best.truncate(usize::try_from(n).unwrap());
    best
}

/// The definition, step by step, on whole curves: the first step at which enough of the first n
/// trials alive have arrived, and what there is at that step.
fn by_definition(setting: &Setting, whole: &Found) -> Canonical {
    let trials = &whole.outcomes.trials;
    let arrival = |outcome: &TrialOutcome| outcome.reached.map(|reached| reached.step);
    let is_alive = |outcome: &TrialOutcome, step: u64| {
        let diverged =
            outcome.trial.status == TrialStatus::Infeasible && outcome.trial.steps <= step;
        // It ends when it arrives, so what it does after that is nothing to it.
        !diverged || arrival(outcome).is_some_and(|arrived| arrived <= outcome.trial.steps)
    };
    let n_trials = usize::try_from(setting.n_trials).unwrap();
    let mut judged_at = setting.budget_steps;
    for step in 0..=setting.budget_steps {
        let counted = trials.iter().filter(|outcome| is_alive(outcome, step)).take(n_trials);
        let n_arrived =
            counted.filter(|outcome| arrival(outcome).is_some_and(|at| at <= step)).count();
        if n_arrived as u64 >= setting.n_best {
            judged_at = step;
            break;
        }
    }
    let alive = trials.iter().filter(|outcome| is_alive(outcome, judged_at));
    let counted: Vec<&TrialOutcome> = alive.take(n_trials).collect();
    let mut n_alive = 0;
    let is_started = |outcome: &&TrialOutcome| {
        let is_started = n_alive < setting.n_trials;
        n_alive += u64::from(is_alive(outcome, judged_at));
        is_started
    };
    Canonical {
        started: trials.iter().filter(is_started).map(|o| o.trial.trial_id).collect(),
        counted: counted.iter().map(|outcome| outcome.trial.trial_id).collect(),
        best: best(counted.into_iter(), setting.n_best),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_result_is_that_of_whole_curves_and_of_no_schedule(
        setting in settings(),
        lanes in 1..9_usize,
        cap in proptest::option::of(1..40_u64),
        rounds in proptest::option::of(1..30_u64),
    ) {
        let whole = setting.run("budget", 4, None, None);
        let expected = by_definition(&setting, &whole);
        for found in [
            setting.run("incumbent", lanes, cap, rounds),
            setting.run("incumbent", 1, None, None),
            setting.run("incumbent", 30, None, None),
        ] {
            let canonical = found.canonical(&setting);
            prop_assert_eq!(&canonical, &expected);
            // What counts, trained to the end of its budgets, has the same best trials.
            let counts = |outcome: &&TrialOutcome| canonical.counted.contains(&outcome.trial.trial_id);
            let same_ids = whole.outcomes.trials.iter().filter(counts);
            prop_assert_eq!(&best(same_ids, setting.n_best), &canonical.best);
            // Where none of it diverges later, it is the same study.
            let is_infeasible = |o: &TrialOutcome| o.trial.status == TrialStatus::Infeasible;
            if !whole.outcomes.trials.iter().filter(counts).any(is_infeasible) {
                let result = |found: &Found| (found.summary.steps_to_result, found.summary.trial_id);
                prop_assert_eq!(result(&found), result(&whole));
                prop_assert_eq!(&canonical, &whole.canonical(&setting));
            }
            let mut winner = found.outcomes.trials.iter();
            let winner = winner.find(|o| Some(o.trial.trial_id) == found.summary.trial_id);
            prop_assert_eq!(
                canonical.best.first().map(|(step, _)| *step),
                winner.and_then(|winner| winner.reached).map(|reached| reached.step)
            );
        }
    }
}

/// Twelve trials of which a third diverges.
fn setting() -> Setting {
    Setting {
        seed: 2,
        n_trials: 12,
        max_trials: 40,
        budget_steps: 200,
        largest_rate: 4.0,
        goal: 0.3,
        spacing: 0.1,
        spread: 0.1,
        n_best: 1,
    }
}

#[test]
fn most_steps_are_saved_and_reported() {
    let setting = setting();
    let (whole, found) =
        (setting.run("budget", 4, None, None), setting.run("incumbent", 4, None, None));
    assert_eq!(found.summary.steps_to_result, whole.summary.steps_to_result);
    assert_eq!((whole.stopped_early.n_trials, whole.stopped_early.n_steps), (0, 0));
    let complete = |found: &Found| -> (u64, u64) {
        let trials = found.outcomes.trials.iter().map(|outcome| &outcome.trial);
        let complete = trials.filter(|trial| trial.status == TrialStatus::Complete);
        complete.fold((0, 0), |(n, steps), trial| (n + 1, steps + trial.steps))
    };
    let ((n_whole, steps_whole), (n_found, steps_found)) = (complete(&whole), complete(&found));
    assert_eq!((n_whole, n_found), (12, 12));
    println!("{steps_found} of {steps_whole} steps, {:?}", found.stopped_early);
    assert!(4 * steps_found < steps_whole, "{steps_found} of {steps_whole} steps");
    assert!(found.stopped_early.n_trials >= 8, "{:?}", found.stopped_early);
    let n_reached = found.summary.reached;
    assert_eq!(found.stopped_early.n_trials + n_reached, 12);
}

#[test]
fn a_trial_that_was_overtaken_while_the_run_was_interrupted_is_not_trained_again() {
    let setting = Setting { largest_rate: 1.5, ..setting() };
    let whole = setting.run("incumbent", 1, None, None);
    for rounds in 1..40 {
        let found = setting.run("incumbent", 6, None, Some(rounds));
        assert_eq!(found.canonical(&setting), whole.canonical(&setting), "{rounds} rounds");
        let incomplete = |o: &TrialOutcome| o.trial.status == TrialStatus::Incomplete;
        assert!(!found.outcomes.trials.iter().any(incomplete), "{rounds} rounds");
    }
}
