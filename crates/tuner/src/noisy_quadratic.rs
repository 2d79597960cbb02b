//! The noisy quadratic model: a trainer in closed form that shows all three regimes.
//!
//! # Equation
//!
//! The loss is 1/2 sum of h_i w_i^2 with curvatures h_i = i^-p, i = 1, ..., n, and the gradient of
//! coordinate i has noise of variance c_i / B with c_i = h_i. With rate a and momentum beta,
//!
//! ```text
//! w(t+1) = (1 - a h + beta) w(t) - beta w(t-1) - a noise(t)
//! ```
//!
//! so that the second moments P = E w(t)^2, Q = E w(t) w(t-1), R = E w(t-1)^2 follow exactly, with
//! m = 1 - a h + beta,
//!
//! ```text
//! P' = m^2 P - 2 m beta Q + beta^2 R + a^2 c / B,   Q' = m P - beta Q,   R' = P.
//! ```
//!
//! beta = 0 is plain SGD. No random number is drawn while training: the expected loss is the loss.
//!
//! # Source
//!
//! Zhang et al., "Which algorithmic choices matter at which batch sizes? Insights from a noisy
//! quadratic model", NeurIPS 2019.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::experiment::Goal;
use crate::hash::{hash, unit};
use crate::trainer::{
    LaneTrainer, Metaparameter, Metrics, Range, TrainerError, TrainerFactory, Trial, WorkloadFacts,
};

const METRIC: &str = "val/cross_entropy_error";

/// Name of the tensor that a snapshot is.
const TENSOR: &str = "lane";

/// A trial whose loss exceeds its starting loss so many times has diverged.
const DIVERGENCE_FACTOR: f64 = 1e3;

const LEARNING_RATE: Metaparameter = Metaparameter {
    name: "learning_rate",
    description: "learning rate",
    default: None,
    range: Range::POSITIVE,
    is_integer: false,
    needs: None,
};

const MOMENTUM: Metaparameter = Metaparameter {
    name: "momentum",
    description: "heavy-ball momentum",
    default: None,
    range: Range::BELOW_ONE,
    is_integer: false,
    needs: None,
};

/// The workload `noisy_quadratic` / `quadratic_<n>` / `sgd` or `momentum`. Its only metric is
/// `val/cross_entropy_error`, the expected loss.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisyQuadratic {
    /// Number n of coordinates.
    pub n_dimensions: usize,
    /// Exponent p of the curvatures i^-p.
    pub exponent: f64,
    /// Whether the optimizer has a momentum to search.
    pub has_momentum: bool,
    /// Trials differ in their starting point: each w_i(0)^2 is 1 up to this fraction.
    pub spread: f64,
    /// Lanes by default.
    pub lanes: usize,
}

impl Default for NoisyQuadratic {
    /// 32 coordinates with curvatures 1 / i, plain SGD, trials within 2 % of each other, 4 lanes.
    fn default() -> NoisyQuadratic {
        NoisyQuadratic {
            n_dimensions: 32,
            exponent: 1.0,
            has_momentum: false,
            spread: 0.02,
            lanes: 4,
        }
    }
}

impl TrainerFactory for NoisyQuadratic {
    fn facts(&self) -> WorkloadFacts {
        let (optimizer, metaparameters) = match self.has_momentum {
            true => ("momentum", vec![LEARNING_RATE, MOMENTUM]),
            false => ("sgd", vec![LEARNING_RATE]),
        };
        WorkloadFacts {
            dataset: "noisy_quadratic".to_owned(),
            model: format!("quadratic_{}", self.n_dimensions),
            optimizer: optimizer.to_owned(),
            n_train: 1 << 20,
            data_digest: None,
            metrics: vec![METRIC.to_owned()],
            metaparameters,
            device: "closed form".to_owned(),
        }
    }

    fn lane_counts(&self, _batch_size: u64) -> Vec<usize> {
        vec![self.lanes.max(1)]
    }

    fn memory_bytes(&self, _batch_size: u64, _lanes: usize) -> Option<u64> {
        None
    }

    fn snapshot_bytes(&self) -> u64 {
        8 * (3 + 3 * self.n_dimensions as u64)
    }

    fn build(
        &mut self,
        _batch_size: u64,
        lanes: usize,
    ) -> Result<Box<dyn LaneTrainer + '_>, TrainerError> {
        Ok(Box::new(Trainer { model: self, lanes: vec![None; lanes] }))
    }
}

struct Trainer<'model> {
    model: &'model NoisyQuadratic,
    lanes: Vec<Option<Lane>>,
}

#[derive(Debug, Clone)]
struct Lane {
    learning_rate: f64,
    momentum: f64,
    batch_size: f64,
    coordinates: Vec<Coordinate>,
    step: u64,
    largest_loss: f64,
    diverged_at: Option<u64>,
}

/// Curvature h and second moments P, Q, R of one coordinate.
#[derive(Debug, Clone, Copy)]
struct Coordinate {
    curvature: f64,
    moments: [f64; 3],
}

impl Lane {
    fn start(model: &NoisyQuadratic, trial: &Trial) -> Result<Lane, TrainerError> {
        let parameter = |name: &str| trial.parameters.get(name).copied();
        let coordinate = |index: u64| {
            let jitter = 2.0 * unit(hash(&[trial.seed, trial.trial_id, index])) - 1.0;
            let square = 1.0 + model.spread * jitter;
            let curvature = ((index + 1) as f64).powf(-model.exponent);
            // The velocity starts at 0: w(-1) = w(0).
            Coordinate { curvature, moments: [square; 3] }
        };
        let mut lane = Lane {
            learning_rate: parameter("learning_rate").ok_or("the trial has no learning_rate")?,
            momentum: parameter("momentum").unwrap_or(0.0),
            batch_size: trial.batch_size as f64,
            coordinates: (0..model.n_dimensions as u64).map(coordinate).collect(),
            step: 0,
            largest_loss: f64::INFINITY,
            diverged_at: None,
        };
        lane.largest_loss = DIVERGENCE_FACTOR * lane.loss();
        Ok(lane)
    }

    fn loss(&self) -> f64 {
        self.coordinates.iter().map(|c| 0.5 * c.curvature * c.moments[0]).sum()
    }

    fn step(&mut self) {
        let (rate, beta) = (self.learning_rate, self.momentum);
        for Coordinate { curvature, moments } in &mut self.coordinates {
            let noise = rate * rate * *curvature / self.batch_size;
            let m = 1.0 - rate * *curvature + beta;
            let [p, q, r] = *moments;
            *moments =
                [m * m * p - 2.0 * m * beta * q + beta * beta * r + noise, m * p - beta * q, p];
        }
        self.step += 1;
        let loss = self.loss();
        // A loss that is not a number has diverged as well.
        if loss.is_nan() || loss > self.largest_loss {
            self.diverged_at = Some(self.step);
        }
    }

    /// Learning rate, step, the step of divergence, and the moments, as bits: one tensor. All else
    /// follows from the trial.
    fn to_bytes(&self) -> Result<Vec<u8>, TrainerError> {
        let moments = self.coordinates.iter().flat_map(|c| c.moments).map(f64::to_bits);
        let diverged_at = self.diverged_at.unwrap_or(u64::MAX);
        let bytes: Vec<u8> = [self.learning_rate.to_bits(), self.step, diverged_at]
            .into_iter()
            .chain(moments)
            .flat_map(u64::to_le_bytes)
            .collect();
        let words = TensorView::new(Dtype::U64, vec![bytes.len() / 8], &bytes)?;
        Ok(safetensors::serialize([(TENSOR, words)], None)?)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), TrainerError> {
        let file = SafeTensors::deserialize(snapshot)?;
        let (words, _) = file.tensor(TENSOR)?.data().as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let expected = 3 + 3 * self.coordinates.len();
        if words.len() != expected || words[0] != self.learning_rate.to_bits() {
            return Err("the snapshot is of another trial".into());
        }
        self.step = words[1];
        self.diverged_at = (words[2] != u64::MAX).then_some(words[2]);
        for (coordinate, bits) in self.coordinates.iter_mut().zip(words[3..].chunks_exact(3)) {
            for (moment, bits) in coordinate.moments.iter_mut().zip(bits) {
                *moment = f64::from_bits(*bits);
            }
        }
        Ok(())
    }
}

impl Trainer<'_> {
    fn lane(&self, lane: usize) -> Result<&Lane, TrainerError> {
        let found = self.lanes.get(lane).and_then(Option::as_ref);
        found.ok_or_else(|| format!("lane {lane} holds no trial").into())
    }

    fn put(&mut self, lane: usize, trained: Lane) -> Result<(), TrainerError> {
        let n_lanes = self.lanes.len();
        let slot = self.lanes.get_mut(lane);
        *slot.ok_or_else(|| format!("no lane {lane}; there are {n_lanes}"))? = Some(trained);
        Ok(())
    }
}

impl LaneTrainer for Trainer<'_> {
    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn start(&mut self, lane: usize, trial: &Trial) -> Result<(), TrainerError> {
        self.put(lane, Lane::start(self.model, trial)?)
    }

    fn advance(&mut self, steps: &[u64]) -> Result<Vec<Option<u64>>, TrainerError> {
        if steps.len() != self.lanes.len() {
            let message = format!("{} step counts for {} lanes", steps.len(), self.lanes.len());
            return Err(message.into());
        }
        for (lane, steps) in self.lanes.iter_mut().zip(steps) {
            let Some(lane) = lane else { continue };
            for _ in 0..*steps {
                if lane.diverged_at.is_some() {
                    break;
                }
                lane.step();
            }
        }
        Ok(self.lanes.iter().map(|lane| lane.as_ref().and_then(|lane| lane.diverged_at)).collect())
    }

    fn evaluate(
        &mut self,
        lanes: &[usize],
        _goal: Option<&Goal>,
    ) -> Result<Vec<Metrics>, TrainerError> {
        let metrics = |lane: &usize| Ok([(METRIC.to_owned(), self.lane(*lane)?.loss())].into());
        lanes.iter().map(metrics).collect()
    }

    fn snapshot(&mut self, lane: usize) -> Result<Vec<u8>, TrainerError> {
        self.lane(lane)?.to_bytes()
    }

    fn restore(
        &mut self,
        lane: usize,
        trial: &Trial,
        snapshot: &[u8],
    ) -> Result<u64, TrainerError> {
        self.free(lane);
        let mut restored = Lane::start(self.model, trial)?;
        restored.restore(snapshot)?;
        let step = restored.step;
        self.put(lane, restored)?;
        Ok(step)
    }

    fn free(&mut self, lane: usize) {
        if let Some(slot) = self.lanes.get_mut(lane) {
            *slot = None;
        }
    }
}

#[cfg(test)]
mod tests;
