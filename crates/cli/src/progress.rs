//! Tells on stderr how a run goes: a bar on a terminal, lines at intervals elsewhere.

use std::time::{Duration, Instant};

use critbatch_report::format;
use critbatch_tuner::{Event, Progress, StoppedEarly, StudySummary, TrialRecord};
use indicatif::{ProgressBar, ProgressStyle};

use crate::console;

/// Time between two lines where there is no bar.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Length of the bar; it shows a fraction.
const BAR_LENGTH: u64 = 1_000;

/// The bar, or the lines in its place. Clones share the bar.
#[derive(Debug, Clone)]
pub(crate) struct Display {
    bar: ProgressBar,
}

impl Display {
    /// A bar if stderr is a terminal and `wanted`.
    pub(crate) fn new(wanted: bool) -> Display {
        let bar = if wanted { ProgressBar::new(BAR_LENGTH) } else { ProgressBar::hidden() };
        let template = "{msg}\n{bar:40} {percent:>3}%{prefix}";
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        bar.set_style(style.progress_chars("━╸ "));
        Display { bar }
    }

    /// Writes a line above the bar.
    pub(crate) fn line(&self, text: &str) {
        self.bar.suspend(|| console::line(text));
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Turns events into a display.
#[derive(Debug)]
pub(crate) struct Reporter {
    display: Display,
    pace: Option<Pace>,
    study: StudyPace,
    last_line: Instant,
    start: Start,
}

/// What is told, once, of the way to the first training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    Nothing,
    Measurement,
    Training,
}

/// What the time left is told from.
#[derive(Debug, Clone, Copy)]
struct Pace {
    started: Instant,
    first_fraction: f64,
}

impl Pace {
    /// If the rest of the experiment goes as what was done since the start.
    fn time_left(&self, now: Instant, fraction: f64) -> Option<Duration> {
        let done = fraction - self.first_fraction;
        let elapsed = now.duration_since(self.started).as_secs_f64();
        // Too little is done to tell.
        if done < 5e-3 {
            return None;
        }
        Duration::try_from_secs_f64(elapsed * (1.0 - fraction).max(0.0) / done).ok()
    }
}

/// Speed within a study; it differs much between batch sizes.
#[derive(Debug, Clone, Copy)]
struct StudyPace {
    started: Instant,
    n_examples: u64,
    had_work: bool,
}

impl StudyPace {
    fn examples_per_second(&self, now: Instant) -> f64 {
        let elapsed = now.duration_since(self.started).as_secs_f64();
        if elapsed > 0.0 { self.n_examples as f64 / elapsed } else { 0.0 }
    }
}

impl Reporter {
    /// A reporter on a display.
    pub(crate) fn new(display: Display, now: Instant) -> Reporter {
        let study = StudyPace { started: now, n_examples: 0, had_work: false };
        Reporter { display, pace: None, study, last_line: now, start: Start::Nothing }
    }

    /// Shows an event that happened at `now`.
    pub(crate) fn observe(&mut self, event: &Event<'_>, now: Instant) {
        match event {
            Event::StudyStarted { lanes, budget_steps, progress } => {
                self.start_study(*lanes, *budget_steps, progress, now);
            }
            Event::FewerLanes { meant, taken } => {
                self.display.line(&format!(
                    "there is memory for {taken} of {meant} lanes; going on in {taken}"
                ));
            }
            Event::LanesFilled => self.begin(Start::Measurement),
            Event::TrainingStarts => self.begin(Start::Training),
            Event::RoundFinished(progress) => self.round(progress, now),
            Event::TrialFinished { trial, reached_at, .. } => log_trial(trial, *reached_at),
            Event::CheckpointFailed { path, problem } => {
                self.display.line(&format!(
                    "checkpoint '{}': {problem}; going on without it",
                    path.display()
                ));
            }
            Event::StudyFinished { summary, stopped_early } => {
                self.end_study(summary, stopped_early);
            }
            _ => (),
        }
    }

    fn start_study(&mut self, lanes: usize, budget_steps: u64, progress: &Progress, now: Instant) {
        let had_work = progress.study_fraction < 1.0;
        self.study = StudyPace { started: now, n_examples: 0, had_work };
        if !had_work {
            return;
        }
        if self.pace.is_none() {
            let first_fraction = progress.experiment_fraction;
            self.pace = Some(Pace { started: now, first_fraction });
        }
        if self.display.bar.is_hidden() {
            self.last_line = now;
            let (batch_size, n_trials) = (format::count(progress.batch_size), progress.n_trials);
            let budget_steps = format::count(budget_steps);
            self.display.line(&format!(
                "batch size {batch_size}: {n_trials} trials of at most {budget_steps} steps, \
                 {lanes} side by side"
            ));
        }
        self.show(progress, now);
    }

    /// Logs how long the program took to come here. What lies between the two is the measurement at
    /// step 0 of all lanes, which the experiment asks for.
    fn begin(&mut self, start: Start) {
        if start > self.start {
            self.start = start;
            let what = if start == Start::Training { "training step" } else { "measurement" };
            tracing::info!("first {what} after {} ms", console::running_for().as_millis());
        }
    }

    fn round(&mut self, progress: &Progress, now: Instant) {
        self.study.n_examples += progress.n_examples;
        self.show(progress, now);
    }

    fn show(&mut self, progress: &Progress, now: Instant) {
        let left = self.pace.and_then(|pace| pace.time_left(now, progress.experiment_fraction));
        let left = left.map_or(String::new(), |left| format!(", {} left", format::duration(left)));
        let rate = self.study.examples_per_second(now);
        let fraction = progress.experiment_fraction;
        if !self.display.bar.is_hidden() {
            #[expect(clippy::cast_possible_truncation, reason = "a fraction of the bar's length")]
            #[expect(clippy::cast_sign_loss, reason = "a fraction is not negative")]
            let position = (fraction * BAR_LENGTH as f64) as u64;
            self.display.bar.set_prefix(left);
            self.display.bar.set_message(describe(progress, rate));
            self.display.bar.set_position(position);
        } else if now.duration_since(self.last_line) >= LINE_INTERVAL {
            self.last_line = now;
            let percent = fraction * 100.0;
            let state = describe(progress, rate);
            self.display.line(&format!("{state}; {percent:.0}% of all done{left}"));
        }
    }

    fn end_study(&self, summary: &StudySummary, stopped_early: &StoppedEarly) {
        let batch_size = format::count(summary.batch_size);
        let result = match (summary.steps_to_result, lack(summary)) {
            (Some(steps), _) => format!("{} steps to result", format::count(steps)),
            (None, Some(reason)) => format!("no result, {reason}"),
            (None, None) => "no result".to_owned(),
        };
        let StudySummary { complete, infeasible, reached, .. } = summary;
        let earlier = if self.study.had_work { "" } else { " (measured before)" };
        self.display.line(&format!(
            "batch size {batch_size}: {result}; {complete} trials complete, {infeasible} \
             infeasible, {reached} reached the goal{earlier}"
        ));
        if let Some(saved) = saved(stopped_early) {
            self.display.line(&format!("batch size {batch_size}: {saved}"));
        }
    }
}

/// What the stop rule `incumbent` left out.
pub(crate) fn saved(stopped_early: &StoppedEarly) -> Option<String> {
    let (n_trials, n_steps) = (stopped_early.n_trials, format::count(stopped_early.n_steps));
    match n_trials {
        0 => None,
        1 => Some(format!("one trial stopped early, {n_steps} steps saved")),
        n => Some(format!("{n} trials stopped early, {n_steps} steps saved")),
    }
}

fn describe(progress: &Progress, examples_per_second: f64) -> String {
    let Progress { n_complete, n_trials, n_running, n_infeasible, .. } = progress;
    let batch_size = format::count(progress.batch_size);
    let best = progress.best_steps.map_or("none yet".to_owned(), format::count);
    let rate = match examples_per_second {
        0.0 => String::new(),
        rate => format!(", {} examples/s", format::rate(rate)),
    };
    let repeats = match (progress.n_repeats_done, progress.n_repeats) {
        (0, _) => String::new(),
        (n_done, n_repeats) => format!(" and {n_done}/{n_repeats} repeats"),
    };
    format!(
        "batch size {batch_size}: {n_complete}/{n_trials} trials{repeats}, {n_running} running, \
         {n_infeasible} infeasible, best steps {best}{rate}"
    )
}

fn log_trial(trial: &TrialRecord, reached_at: Option<u64>) {
    tracing::debug!(
        batch_size = trial.batch_size,
        trial_id = trial.trial_id,
        repeat = trial.repeat,
        status = trial.status.name(),
        steps = trial.steps,
        reached_at,
        parameters = ?trial.parameters,
        "trial ended"
    );
}

/// Whether a study has run to its end.
fn is_finished(study: &StudySummary) -> bool {
    study.complete >= study.trials || study.trials_exhausted
}

/// Why a study has no result, or `None` where it has one.
fn lack(study: &StudySummary) -> Option<String> {
    let StudySummary { complete, trials, infeasible, budget_steps, .. } = *study;
    let steps = |steps| format!(" within {} steps", format::count(steps));
    let within = budget_steps.map_or(String::new(), steps);
    if study.steps_to_result.is_some() {
        return None;
    }
    Some(match (is_finished(study), complete) {
        (false, 0) if study.incomplete == 0 && infeasible == 0 => "not run yet".to_owned(),
        (false, _) => format!("not finished, {complete} of {trials} trials complete"),
        (true, 0) => format!("all {infeasible} trials diverged"),
        (true, 1) => format!("the one complete trial did not reach the goal{within}"),
        (true, _) => {
            format!("none of {complete} complete trials reached the goal{within}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_from_what_was_done_in_this_run() {
        let started = Instant::now();
        let pace = Pace { started, first_fraction: 0.5 };
        let now = started + Duration::from_secs(60);
        // A quarter in a minute: the other quarter takes another.
        assert_eq!(pace.time_left(now, 0.75), Some(Duration::from_secs(60)));
        assert_eq!(pace.time_left(now, 0.5), None);
    }

    #[test]
    fn what_was_saved_is_told_if_there_is_something() {
        let saved = |n_trials, n_steps| saved(&StoppedEarly { n_trials, n_steps });
        assert_eq!(saved(0, 0), None);
        assert_eq!(saved(1, 20).unwrap(), "one trial stopped early, 20 steps saved");
        assert_eq!(saved(9, 12_000).unwrap(), "9 trials stopped early, 12,000 steps saved");
    }

    #[test]
    fn progress_reads_like_a_sentence() {
        let progress = Progress {
            batch_size: 2_048,
            n_trials: 16,
            n_complete: 3,
            n_infeasible: 1,
            n_running: 12,
            n_repeats: 6,
            n_repeats_done: 0,
            best_steps: Some(1_234),
            n_examples: 0,
            study_fraction: 0.2,
            experiment_fraction: 0.1,
        };
        assert_eq!(
            describe(&progress, 8_100.0),
            "batch size 2,048: 3/16 trials, 12 running, 1 infeasible, best steps 1,234, \
             8.1k examples/s"
        );
        let repeating = Progress { n_repeats_done: 2, ..progress };
        assert!(describe(&repeating, 0.0).contains("3/16 trials and 2/6 repeats, 12 running"));
    }

    #[test]
    fn every_lack_has_its_reason() {
        let study = || StudySummary {
            batch_size: 8,
            steps_to_result: None,
            trial_id: None,
            complete: 16,
            infeasible: 3,
            reached: 0,
            parameters: None,
            examples: None,
            value: None,
            incomplete: 0,
            trials: 16,
            trials_exhausted: false,
            budget_steps: Some(2_000),
        };
        let of = |change: fn(&mut StudySummary)| {
            let mut study = study();
            change(&mut study);
            lack(&study).unwrap_or_default()
        };
        assert_eq!(of(|_| ()), "none of 16 complete trials reached the goal within 2,000 steps");
        assert_eq!(of(|s| (s.complete, s.infeasible) = (0, 0)), "not run yet");
        assert_eq!(of(|s| s.complete = 3), "not finished, 3 of 16 trials complete");
        let exhausted = of(|s| (s.complete, s.infeasible, s.trials_exhausted) = (0, 160, true));
        assert_eq!(exhausted, "all 160 trials diverged");
        assert_eq!(lack(&StudySummary { steps_to_result: Some(3), ..study() }), None);
    }
}
