//! What a path holds that a user gave: an experiment's directory or compressed store, or a workload of a
//! published archive. Everything that is printed or drawn starts here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use critbatch_report::{ReportInput, format};
use critbatch_tuner::archive::{
    default_goal, find_workloads, read_outcomes, read_record, read_workload,
};
use critbatch_tuner::{
    Analysis, AnalysisOptions, CheckedExperiment, Goal, GoalAnalysis, NoiseScales, Omission,
    Origin, Provenance, Question, Record, STORE_FILE_NAME, Store, StudyFacts, StudyOutcomes,
    Threshold, TunerError, Workload,
};

use crate::args::Asked;
use crate::console;
use crate::exit::UsageError;

/// Workloads that an error message lists.
const MOST_LISTED: usize = 5;

/// All measurements that a path holds.
#[derive(Debug)]
pub(crate) struct Source {
    /// The measurements.
    pub(crate) record: Record,
    /// What was asked for; `None` where it was measured elsewhere.
    pub(crate) experiment: Option<CheckedExperiment>,
    /// What measured it; `None` for an archive.
    pub(crate) provenance: Option<Provenance>,
    measure_again: Option<String>,
}

/// The answers to one question that a path holds.
#[derive(Debug)]
pub(crate) struct Answers {
    /// What was trained.
    pub(crate) workload: Workload,
    /// What was asked.
    pub(crate) question: Question,
    /// The studies by ascending batch size.
    pub(crate) studies: Vec<StudyOutcomes>,
    /// The curves behind them; `None` for an archive, which is not kept whole.
    pub(crate) record: Option<Rc<Record>>,
    /// The most trials that a study may start, by batch size; empty where it was measured elsewhere.
    pub(crate) max_trials: BTreeMap<u64, u64>,
    /// What could not be read.
    pub(crate) omissions: Vec<Omission>,
    /// What measured it; `None` for an archive, imported or not.
    pub(crate) provenance: Option<Provenance>,
}

/// Whether a path is an archive's folder, and not an experiment's directory or a compressed store.
fn is_archive(path: &Path) -> bool {
    path.is_dir() && !path.join(STORE_FILE_NAME).is_file()
}

/// The store of an experiment's directory, also while a run writes to it, or a compressed one.
///
/// # Errors
///
/// Where there is none, or one that cannot be read.
pub(crate) fn open_store(path: &Path) -> Result<Store, TunerError> {
    match path.is_file() {
        true => Store::read_compressed(path),
        false => Store::open_read_only(path),
    }
}

impl Source {
    /// Reads an experiment's store, also while a run writes to it, or one workload of an archive.
    ///
    /// # Errors
    ///
    /// Where the path holds neither, or several workloads.
    pub(crate) fn open(path: &Path, asked: &Asked) -> anyhow::Result<Source> {
        if !is_archive(path) {
            return Source::of_store(&open_store(path)?, asked);
        }
        let (folders, omissions) = find_workloads(path)?;
        let [folder] = &folders[..] else { return Err(several(path, &folders).into()) };
        let mut record = read_record(folder)?;
        record.omissions.splice(..0, omissions);
        asked.limit(record.studies.iter_mut().map(|study| &mut study.facts));
        Ok(Source { record, experiment: None, provenance: None, measure_again: None })
    }

    /// Reads an open store.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub(crate) fn of_store(store: &Store, asked: &Asked) -> anyhow::Result<Source> {
        let experiment = match store.origin() {
            Origin::Measured(experiment) => Some(experiment.clone()),
            Origin::Imported { .. } => None,
        };
        let provenance = Some(store.provenance().clone());
        let mut record = Record::of_store(store)?;
        asked.limit(record.studies.iter_mut().map(|study| &mut study.facts));
        let mut is_widened = false;
        // What was measured elsewhere has no boxes to go on in.
        for study in record.studies.iter_mut().filter(|_| experiment.is_some()) {
            let boxes = store.boxes(study.facts.batch_size)?;
            is_widened |= boxes.len() > 1;
            if asked.trials.is_some() {
                // The first trials may all lie in a box that was widened later.
                let last = study.counted().last().map_or(0, |trial| trial.trial.trial_id);
                let boxes =
                    boxes.into_iter().take_while(|searched| searched.first_trial_id <= last);
                study.facts.space = boxes.last().map_or_else(Default::default, |last| last.space);
            }
        }
        // One command does not lead to boxes that were widened by hand.
        let measure_again = experiment.as_ref().filter(|_| !is_widened).map(|experiment| {
            let seed = experiment.search.seed;
            format!("critbatch run experiment.toml --seed {seed} --out DIRECTORY")
        });
        Ok(Source { record, experiment, provenance, measure_again })
    }

    /// One question for each goal that was asked for, or that of the experiment.
    ///
    /// # Errors
    ///
    /// Where there is no goal, or none of the measurements has the metric that was asked for.
    pub(crate) fn questions(&self, asked: &Asked) -> Result<Vec<Question>, UsageError> {
        let questions = asked.questions(self.goal(), &self.record.workload)?;
        if let Some(question) = questions.iter().find(|asked| !self.record.can_answer(&asked.goal))
        {
            let own = self.record.decided_goal.as_ref().map(format::goal).unwrap_or_default();
            return Err(UsageError(format!(
                "whether {} cannot be told: evaluations ended once it was clear that {own} is not \
                 reached; ask for that goal or a harder one, or measure with \
                 evaluation.examples = \"all\"",
                format::goal(&question.goal)
            )));
        }
        let trials = self.record.studies.iter().flat_map(|study| &study.trials);
        let measured = trials.flat_map(|trial| trial.curve.metrics.keys()).map(String::as_str);
        asked.expect_metric_among(&measured.collect(), &self.record.workload)?;
        Ok(questions)
    }

    /// The goal of the experiment, or the paper's for its workload.
    pub(crate) fn goal(&self) -> Option<Goal> {
        let own = self.experiment.as_ref().map(|experiment| experiment.goal.clone());
        own.or_else(|| default_goal(&self.record.workload))
    }

    /// What measured it. An import of an archive knows when it was made, not that.
    fn measured_by(&self) -> Option<&Provenance> {
        self.provenance.as_ref().filter(|_| self.experiment.is_some())
    }

    /// All of it for a report; it has the command that measures it again, if it was measured here.
    pub(crate) fn with_analysis<'a>(&'a self, analysis: &'a Analysis) -> ReportInput<'a> {
        ReportInput {
            record: &self.record,
            analysis,
            experiment: self.experiment.as_ref(),
            provenance: self.measured_by(),
            measure_again: self.measure_again.as_deref(),
        }
    }
}

impl Answers {
    /// The answers to each question, for each workload that a path holds.
    ///
    /// # Errors
    ///
    /// Where the path holds no measurements, none of the metric that was asked for, or nobody knows a
    /// goal.
    pub(crate) fn read(path: &Path, asked: &Asked) -> anyhow::Result<Vec<Answers>> {
        if !is_archive(path) {
            return Answers::of_store(&open_store(path)?, asked);
        }
        let (folders, mut omissions) = find_workloads(path)?;
        let (mut answers, mut unanswered) = (Vec::new(), Vec::new());
        for folder in &folders {
            match Answers::of_archive(folder, asked, &mut omissions) {
                Ok(of_workload) => answers.extend(of_workload),
                // One of several: the others have their answers all the same.
                Err(error) if error.is::<UsageError>() => unanswered.push(error),
                Err(error) => return Err(error),
            }
        }
        if answers.is_empty()
            && let Some(error) = unanswered.pop()
        {
            return Err(error);
        }
        unanswered.iter().for_each(|error| console::line(&format!("left out: {error}")));
        Ok(answers)
    }

    /// The answers of one workload of an archive; the first has the omissions so far and its own.
    fn of_archive(
        folder: &Path,
        asked: &Asked,
        omissions: &mut Vec<Omission>,
    ) -> anyhow::Result<Vec<Answers>> {
        let workload = read_workload(folder)?;
        let mut answers = Vec::new();
        for question in asked.questions(default_goal(&workload), &workload)? {
            let mut read = read_outcomes(folder, &question)?;
            let measured = read.metrics.iter().map(String::as_str).collect();
            asked.expect_metric_among(&measured, &workload)?;
            asked.limit(read.studies.iter_mut().map(|study| &mut study.facts));
            omissions.extend(read.omissions);
            answers.push(Answers {
                workload: workload.clone(),
                question,
                studies: read.studies,
                record: None,
                max_trials: BTreeMap::new(),
                omissions: std::mem::take(omissions),
                provenance: None,
            });
        }
        Ok(answers)
    }

    /// The answers of an open store.
    ///
    /// # Errors
    ///
    /// As [`read`](Answers::read).
    pub(crate) fn of_store(store: &Store, asked: &Asked) -> anyhow::Result<Vec<Answers>> {
        let source = Source::of_store(store, asked)?;
        let questions = source.questions(asked)?.into_iter();
        let provenance = source.measured_by().cloned();
        let Source { record, experiment, .. } = source;
        let record = Rc::new(record);
        let mut max_trials = BTreeMap::new();
        for study in record.studies.iter().filter(|_| experiment.is_some()) {
            let batch_size = study.facts.batch_size;
            max_trials.insert(batch_size, store.last_box(batch_size)?.max_trials);
        }
        let answers = |question| Answers {
            workload: record.workload.clone(),
            studies: record.outcomes(&question),
            question,
            max_trials: max_trials.clone(),
            omissions: record.omissions.clone(),
            provenance: provenance.clone(),
            record: Some(Rc::clone(&record)),
        };
        Ok(questions.map(answers).collect())
    }

    /// The gradient noise scales, where they were measured.
    pub(crate) fn noise_scales(
        &self,
        analysis: &GoalAnalysis,
        options: &AnalysisOptions,
    ) -> Option<NoiseScales> {
        NoiseScales::of(self.record.as_deref()?, analysis, options)
    }
}

fn several(path: &Path, folders: &[PathBuf]) -> UsageError {
    let listed: Vec<String> =
        folders.iter().take(MOST_LISTED).map(|folder| folder.display().to_string()).collect();
    let more = match folders.len().saturating_sub(MOST_LISTED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    UsageError(format!(
        "'{}' holds {} workloads; give one of them: {}{more}",
        path.display(),
        folders.len(),
        listed.join(", ")
    ))
}

impl Asked {
    /// Lets the first trials count only, if so asked.
    fn limit<'a>(&self, studies: impl Iterator<Item = &'a mut StudyFacts>) {
        if let Some(n_trials) = self.trials {
            studies.for_each(|facts| facts.n_trials = Some(n_trials));
        }
    }

    /// Sees to it that the metric asked for is one of those that were measured, if any was.
    fn expect_metric_among(
        &self,
        measured: &BTreeSet<&str>,
        workload: &Workload,
    ) -> Result<(), UsageError> {
        let Some(metric) = &self.metric else { return Ok(()) };
        if measured.is_empty() || measured.contains(metric.as_str()) {
            return Ok(());
        }
        let measured: Vec<String> = measured.iter().map(|&name| name.to_owned()).collect();
        let (workload, measured) = (format::workload(workload), format::list(&measured));
        Err(UsageError(format!("'{metric}' was not measured on {workload}; what was: {measured}")))
    }

    /// One question for each goal, or that of `default`.
    ///
    /// # Errors
    ///
    /// Where there is no goal, or a metric without one.
    pub(crate) fn questions(
        &self,
        default: Option<Goal>,
        workload: &Workload,
    ) -> Result<Vec<Question>, UsageError> {
        let below = self.below.iter().map(|value| Threshold::Below(*value));
        let thresholds = below.chain(self.above.iter().map(|value| Threshold::Above(*value)));
        let thresholds: Vec<Threshold> = thresholds.collect();
        if thresholds.is_empty() && self.metric.is_some() {
            return Err(UsageError("--metric needs a goal: --below X or --above X".to_owned()));
        }
        let unknown = || {
            let workload = format::workload(workload);
            UsageError(format!(
                "no goal is known for {workload}; give one, such as \
                 --metric val/classification_error --below 0.1"
            ))
        };
        let default_metric = default.as_ref().map(|goal| goal.metric.clone());
        let goals: Vec<Goal> = if thresholds.is_empty() {
            vec![default.ok_or_else(unknown)?]
        } else {
            let metric = self.metric.clone().or(default_metric).ok_or_else(unknown)?;
            let goal = |threshold| Goal { metric: metric.clone(), threshold };
            let mut goals: Vec<Goal> = vec![];
            for goal in thresholds.into_iter().map(goal) {
                // Asked twice is asked once.
                if !goals.contains(&goal) {
                    goals.push(goal);
                }
            }
            goals
        };
        let (max_steps, max_examples) = (self.max_steps, self.max_examples);
        Ok(goals.into_iter().map(|goal| Question { goal, max_steps, max_examples }).collect())
    }
}

/// Easier goals beside a goal, for a look at how much the curve depends on it: 1.25, 1.5 and 2 times
/// a threshold that is not to be exceeded, or its 1.25th, 1.5th part and half.
pub(crate) fn easier_goals(goal: &Goal) -> Vec<Goal> {
    let eased = |factor: f64| match goal.threshold {
        Threshold::Below(value) => Threshold::Below(rounded(value * factor)),
        Threshold::Above(value) => Threshold::Above(rounded(value / factor)),
    };
    let (Threshold::Below(value) | Threshold::Above(value)) = goal.threshold;
    if value <= 0.0 {
        return vec![];
    }
    let goal = |factor| Goal { metric: goal.metric.clone(), threshold: eased(factor) };
    [1.25, 1.5, 2.0].map(goal).into()
}

/// To three significant digits, as people set goals.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(metric: Option<&str>, below: &[f64], above: &[f64]) -> Asked {
        let metric = metric.map(str::to_owned);
        let (below, above) = (below.to_vec(), above.to_vec());
        Asked { metric, below, above, max_steps: Some(7), ..Asked::default() }
    }

    fn workload() -> Workload {
        let name = |name: &str| name.to_owned();
        Workload { dataset: name("d"), model: name("m"), optimizer: name("o") }
    }

    fn goal(metric: &str, threshold: Threshold) -> Goal {
        Goal { metric: metric.to_owned(), threshold }
    }

    #[test]
    fn goals_come_from_the_command_line_or_the_experiment() {
        let default = || Some(goal("val/error", Threshold::Below(0.1)));
        let goals = |asked: &Asked| -> Vec<Goal> {
            let questions = asked.questions(default(), &workload()).unwrap();
            assert!(questions.iter().all(|question| question.max_steps == Some(7)));
            questions.into_iter().map(|question| question.goal).collect()
        };
        assert_eq!(goals(&asked(None, &[], &[])), [default().unwrap()]);
        let two = [Threshold::Below(0.2), Threshold::Above(0.5)];
        assert_eq!(goals(&asked(None, &[0.2], &[0.5])), two.map(|t| goal("val/error", t)));
        assert_eq!(goals(&asked(None, &[0.2, 0.2], &[0.5])), two.map(|t| goal("val/error", t)));
        assert_eq!(goals(&asked(Some("x/y"), &[0.2], &[0.5])), two.map(|t| goal("x/y", t)));
        assert!(asked(Some("x/y"), &[], &[]).questions(default(), &workload()).is_err());
        let error = asked(None, &[], &[]).questions(None, &workload()).unwrap_err();
        assert!(error.to_string().contains("d / m / o"), "{error}");
    }

    #[test]
    fn easier_goals_lie_on_the_easy_side() {
        let thresholds = |threshold| -> Vec<Threshold> {
            easier_goals(&goal("m", threshold)).iter().map(|goal| goal.threshold).collect()
        };
        let below = [0.0375, 0.045, 0.06].map(Threshold::Below);
        assert_eq!(thresholds(Threshold::Below(0.03)), below);
        let above = [0.248, 0.207, 0.155].map(Threshold::Above);
        assert_eq!(thresholds(Threshold::Above(0.31)), above);
        assert!(thresholds(Threshold::Below(-1.0)).is_empty());
    }

    #[test]
    fn fewer_trials_may_count() {
        let facts = || StudyFacts {
            batch_size: 2,
            space: critbatch_tuner::Space::default(),
            budget_steps: None,
            n_trials: None,
            seconds_per_step: None,
        };
        let mut studies = [facts(), facts()];
        asked(None, &[], &[]).limit(studies.iter_mut());
        assert_eq!(studies, [facts(), facts()]);
        Asked { trials: Some(3), ..asked(None, &[], &[]) }.limit(studies.iter_mut());
        assert!(studies.iter().all(|study| study.n_trials == Some(3)));
    }
}
