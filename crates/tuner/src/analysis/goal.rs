//! Everything that follows from the outcomes of one question.

use std::collections::BTreeMap;

use serde::Serialize;

use super::boundary::Boundary;
use super::heuristics::HeuristicScores;
use super::options::AnalysisOptions;
use super::regimes::Regimes;
use super::regions::Region;
use super::repeats::RepeatAnalysis;
use super::scaling::CurvePoint;
use super::search_error::SearchError;
use super::steps_to_result::{StudyResult, TrialCounts};
use super::time::TimeToResult;
use super::uncertainty::{ConvergencePoint, MinimumOfDraws, StepsInterval};
use super::warnings::Warning;
use crate::record::{Question, StudyFacts, StudyOutcomes};

/// What a record says about one goal under one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoalAnalysis {
    /// What was asked.
    pub question: Question,
    /// Each study, by ascending batch size, whether or not it has a result.
    pub studies: Vec<StudyAnalysis>,
    /// Where the curve bends.
    pub regimes: Regimes,
    /// What learning-rate heuristics would have cost; `None` without a result at the base batch size
    /// or without learning rates.
    pub heuristics: Option<HeuristicScores>,
    /// Time to result; `None` where no step's duration was measured.
    pub time: Option<TimeToResult>,
}

/// What one study says about one goal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyAnalysis {
    /// What is known of the study.
    pub facts: StudyFacts,
    /// How its trials ended.
    pub counts: TrialCounts,
    /// Steps to result; `None` where no trial reached the goal.
    pub result: Option<StudyResult>,
    /// Between which steps the expected best of such a search lies; `None` without a result, and where
    /// the trials do not tell.
    pub interval: Option<StepsInterval>,
    /// About how far the result lies above the best of its box, in log steps: twice the trials would save
    /// half of it. `None` as for the interval.
    pub search_excess: Option<f64>,
    /// Least and largest effective learning rate of the trials that reached the goal in hardly more
    /// steps than the best; `None` without a result or learning rates.
    pub good_rates: Option<(f64, f64)>,
    /// The same with fewer trials, by ascending number; the last one has them all.
    pub convergence: Vec<ConvergencePoint>,
    /// What fresh seeds gave; `None` where nothing was repeated.
    pub repeats: Option<RepeatAnalysis>,
    /// Where the best point lies in the box, by metaparameter.
    pub boundaries: BTreeMap<String, Boundary>,
    /// The trials by learning rate and momentum.
    pub region: Region,
    /// Why the point cannot be trusted; none if it can.
    pub warnings: Vec<Warning>,
}

impl GoalAnalysis {
    /// Analyses the outcomes of one question; `studies` ascend in batch size.
    #[must_use]
    pub fn of(
        studies: &[StudyOutcomes],
        question: &Question,
        options: &AnalysisOptions,
    ) -> GoalAnalysis {
        let mut analysis = GoalAnalysis {
            question: question.clone(),
            studies: studies.iter().map(|s| StudyAnalysis::of(s, question, options)).collect(),
            regimes: Regimes::of(studies, question, options),
            heuristics: HeuristicScores::of(studies, question, options),
            time: TimeToResult::of(studies, options),
        };
        let curve = analysis.curve();
        for study in &mut analysis.studies {
            let found = |point| Warning::of_curve(point, &curve, options.tolerances.curve_factor);
            study.warnings.extend(study.point().map_or(vec![], found));
        }
        analysis
    }

    /// Steps to result by ascending batch size, where there is one.
    #[must_use]
    pub fn curve(&self) -> Vec<CurvePoint> {
        self.studies.iter().filter_map(StudyAnalysis::point).collect()
    }

    /// All warnings with their batch sizes, which ascend.
    pub fn warnings(&self) -> impl Iterator<Item = (u64, &Warning)> {
        self.studies.iter().flat_map(|study| {
            study.warnings.iter().map(|warning| (study.facts.batch_size, warning))
        })
    }
}

impl StudyAnalysis {
    /// Steps to result, where there is one.
    fn point(&self) -> Option<CurvePoint> {
        let steps = self.result.as_ref()?.steps;
        Some(CurvePoint { batch_size: self.facts.batch_size, steps })
    }

    fn of(
        outcomes: &StudyOutcomes,
        question: &Question,
        options: &AnalysisOptions,
    ) -> StudyAnalysis {
        let minimum = MinimumOfDraws::of(outcomes, question);
        let error = SearchError::of(outcomes, question).ok();
        let mut study = StudyAnalysis {
            facts: outcomes.facts.clone(),
            counts: outcomes.counts(question),
            result: outcomes.result(),
            interval: error.as_ref().map(|error| error.interval(options)),
            search_excess: error.map(|error| error.deviation()),
            good_rates: outcomes.good_rates(options.tolerances.useful),
            convergence: minimum.map_or(vec![], |minimum| minimum.convergence(options)),
            repeats: outcomes.repeat_analysis(question),
            boundaries: outcomes.boundaries(options.tolerances.edge),
            region: Region::of(outcomes, question),
            warnings: vec![],
        };
        study.warnings = Warning::of(outcomes, question, &study, &options.tolerances);
        study
    }
}
