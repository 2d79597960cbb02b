//! `study.json` and `metadata.json` as the authors write them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{LARGEST_COUNT, LONGEST_QUOTATION, omission};
use crate::experiment::Workload;
use crate::record::{Omission, StudyFacts};
use crate::space::{Scale, Space};
use crate::store::{TrialRecord, TrialStatus};
use crate::trainer::Parameters;

/// `study.json`. Keys that say nothing of the measurements are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct StudyFile {
    #[serde(deserialize_with = "count")]
    pub(super) batch_size: u64,
    pub(super) dataset: String,
    pub(super) model: String,
    pub(super) optimizer: String,
    parameter_configs: BTreeMap<String, ParameterConfig>,
    #[serde(deserialize_with = "count")]
    train_steps: u64,
    #[serde(default)]
    critbatch: OwnFacts,
}

/// What critbatch knows of a study beyond the authors' format, in a key of its own.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct OwnFacts {
    n_trials: Option<u64>,
    seconds_per_step: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct ParameterConfig {
    #[serde(rename = "type")]
    kind: Kind,
    scale: Option<ScaleName>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    feasible_points: Option<Vec<f64>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Kind {
    #[serde(rename = "DOUBLE")]
    Double,
    #[serde(rename = "INTEGER")]
    Integer,
    #[serde(rename = "DISCRETE")]
    Discrete,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum ScaleName {
    #[serde(rename = "LINEAR_SCALE", alias = "")]
    Linear,
    #[serde(rename = "LOG_SCALE")]
    Log,
    #[serde(rename = "REVERSE_LOG_SCALE")]
    ReverseLog,
}

/// `metadata.json`. Keys of the authors' own, `_internal_*`, are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct TrialFile {
    parameters: Parameters,
    status: Status,
    #[serde(deserialize_with = "count")]
    steps: u64,
    #[serde(deserialize_with = "count")]
    pub(super) trial_id: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Status {
    #[serde(rename = "COMPLETE")]
    Complete,
    #[serde(rename = "INCOMPLETE")]
    Incomplete,
    #[serde(rename = "INFEASIBLE")]
    Infeasible,
}

impl StudyFile {
    pub(super) fn workload(&self) -> Workload {
        Workload {
            dataset: self.dataset.clone(),
            model: self.model.clone(),
            optimizer: self.optimizer.clone(),
        }
    }

    /// What is known of the study; the error is the key of the file and what is wrong with it.
    pub(super) fn facts(self) -> Result<StudyFacts, (String, String)> {
        if self.batch_size == 0 {
            return Err(("batch_size".to_owned(), "batch_size 0, expected at least 1".to_owned()));
        }
        let scales = self.parameter_configs.into_iter().map(|(name, config)| {
            let scale = config.scale().map_err(|problem| {
                let shown: String = name.chars().take(LONGEST_QUOTATION).collect();
                (name.clone(), format!("metaparameter '{}': {problem}", shown.escape_debug()))
            })?;
            Ok::<_, (String, String)>((name, scale))
        });
        Ok(StudyFacts {
            batch_size: self.batch_size,
            space: Space { scales: scales.collect::<Result<_, _>>()? },
            budget_steps: Some(self.train_steps).filter(|steps| *steps > 0),
            n_trials: self.critbatch.n_trials,
            seconds_per_step: self.critbatch.seconds_per_step,
        })
    }
}

impl ParameterConfig {
    fn scale(self) -> Result<Scale, String> {
        let scale = match (self.kind, self.min_value, self.max_value, self.feasible_points) {
            (Kind::Discrete, .., Some(mut points)) => {
                points.sort_by(f64::total_cmp);
                points.dedup();
                if let [value] = points[..] { Scale::Fixed(value) } else { Scale::Discrete(points) }
            }
            (Kind::Discrete, .., None) => {
                return Err("no feasible_points, expected those of type DISCRETE".to_owned());
            }
            (Kind::Double | Kind::Integer, Some(lo), Some(hi), _) if lo == hi => Scale::Fixed(lo),
            (Kind::Double, Some(lo), Some(hi), _) => match self.scale {
                None | Some(ScaleName::Linear) => Scale::Linear(lo, hi),
                Some(ScaleName::Log) => Scale::Log(lo, hi),
                Some(ScaleName::ReverseLog) => Scale::ReverseLog(lo, hi),
            },
            // "scale: Transformation on the search space (applies for type DOUBLE)."
            (Kind::Integer, Some(lo), Some(hi), _) => {
                if lo.fract() != 0.0 || hi.fract() != 0.0 {
                    return Err(format!("[{lo}, {hi}], expected whole numbers of type INTEGER"));
                }
                Scale::Integer(lo as i64, hi as i64)
            }
            _ => return Err("expected a min_value and a max_value".to_owned()),
        };
        match scale.broken_requirement() {
            None => Ok(scale),
            Some(requirement) => Err(format!("found {scale:?}, expected {requirement}")),
        }
    }
}

impl TrialFile {
    pub(super) fn record(self, batch_size: u64) -> TrialRecord {
        TrialRecord {
            batch_size,
            trial_id: self.trial_id,
            repeat: 0,
            parameters: self.parameters,
            status: match self.status {
                Status::Complete => TrialStatus::Complete,
                Status::Incomplete => TrialStatus::Incomplete,
                Status::Infeasible => TrialStatus::Infeasible,
            },
            steps: self.steps,
        }
    }
}

/// Reads a file's text; what is wrong with it becomes the omission of `what`.
pub(super) fn parse<T: DeserializeOwned>(
    path: &Path,
    text: &[u8],
    what: &str,
) -> Result<T, Omission> {
    if text.iter().all(u8::is_ascii_whitespace) {
        let problem = format!("the file is empty, expected a JSON object; {what} is left out");
        return Err(omission(path, None, problem));
    }
    serde_json::from_slice(text).map_err(|error| {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
        let shown: String = message.chars().take(4 * LONGEST_QUOTATION).collect();
        let problem = format!("{}; {what} is left out", shown.replace(char::is_control, " "));
        omission(path, Some(error.line() as u64), problem)
    })
}

/// The line of a key in a file's text.
pub(super) fn line_of(text: &[u8], key: &str) -> Option<u64> {
    let position = memchr::memmem::find(text, format!("\"{key}\"").as_bytes())?;
    Some(1 + memchr::memchr_iter(b'\n', &text[..position]).count() as u64)
}

/// The text of `study.json`; all numbers of a sound record are finite.
pub(super) fn study_text(workload: &Workload, facts: &StudyFacts) -> String {
    let scales = facts.space.scales.iter();
    let configs: BTreeMap<&String, Value> = scales.map(|(name, s)| (name, config(s))).collect();
    let mut study = json!({
        "batch_size": facts.batch_size,
        "dataset": workload.dataset,
        "early_stopping": false,
        "model": workload.model,
        "optimizer": workload.optimizer,
        "parameter_configs": configs,
        "train_steps": facts.budget_steps.unwrap_or(0),
    });
    let (n_trials, seconds_per_step) = (facts.n_trials, facts.seconds_per_step);
    let own = OwnFacts { n_trials, seconds_per_step };
    if own != OwnFacts::default() {
        study["critbatch"] = json!(own);
    }
    pretty(&study)
}

fn config(scale: &Scale) -> Value {
    let double = |name: &str, lo: &f64, hi: &f64| json!({ "max_value": hi, "min_value": lo, "scale": name, "type": "DOUBLE" });
    let discrete =
        |points: &[f64]| json!({ "feasible_points": points, "scale": "", "type": "DISCRETE" });
    match scale {
        Scale::Fixed(value) => discrete(&[*value]),
        Scale::Discrete(points) => discrete(points),
        Scale::Linear(lo, hi) => double("LINEAR_SCALE", lo, hi),
        Scale::Log(lo, hi) => double("LOG_SCALE", lo, hi),
        Scale::ReverseLog(lo, hi) => double("REVERSE_LOG_SCALE", lo, hi),
        Scale::Integer(lo, hi) => {
            json!({ "max_value": hi, "min_value": lo, "scale": "", "type": "INTEGER" })
        }
    }
}

/// The text of `metadata.json`. Values of integer scales have no decimal point, as the authors'.
pub(super) fn metadata_text(trial: &TrialRecord, space: &Space) -> String {
    let number = |(name, value): (&String, &f64)| {
        let is_integer = matches!(space.scales.get(name), Some(Scale::Integer(..)));
        let whole = *value as i64;
        let is_exact = (whole as f64).to_bits() == value.to_bits();
        (name.clone(), if is_integer && is_exact { json!(whole) } else { json!(value) })
    };
    pretty(&json!({
        "parameters": trial.parameters.iter().map(number).collect::<BTreeMap<_, _>>(),
        "status": match trial.status {
            TrialStatus::Complete => "COMPLETE",
            TrialStatus::Incomplete => "INCOMPLETE",
            TrialStatus::Infeasible => "INFEASIBLE",
        },
        "steps": trial.steps,
        "trial_id": trial.trial_id,
    }))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A whole number, which other programs may have written as `256.0`.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Clone, Copy)]
    struct Count;
    impl Visitor<'_> for Count {
        type Value = u64;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a whole number from 0 to 2^53")
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
            match value <= LARGEST_COUNT {
                true => Ok(value),
                false => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
            }
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
            let count = u64::try_from(value);
            self.visit_u64(count.map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))?)
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<u64, E> {
            match super::measurements::whole(value) {
                Some(count) => Ok(count),
                None => Err(E::invalid_value(Unexpected::Float(value), &self)),
            }
        }
    }
    deserializer.deserialize_any(Count)
}
