//! A workload: data set, model, optimizer, on a device. Builds the step programs.

use std::path::Path;
use std::sync::Arc;

use critbatch_data::Dataset;
use critbatch_kernels::{Error, Parameter, Plan, Program, Sampling, Source, Split};
use critbatch_tuner::{EvaluationSplit, LaneTrainer, TrainerError, TrainerFactory, WorkloadFacts};

use crate::compute::Compute;
use crate::error::ModelError;
use crate::evaluation::{EvaluatedPart, Evaluation};
use crate::examples::{Examples, Part, Parts};
use crate::facts::facts;
use crate::gradient_noise::{self, MICRO_BATCH_SIZE, N_MICRO_BATCHES};
use crate::memory::{RUNTIME_BYTES, peak_memory_bytes, resident_bytes};
use crate::model::{Mode, Model};
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::trainer::Trainer;
use crate::training::{SCRATCH_BYTES, TrainingPlans};

/// Examples of one evaluation step at most.
const EVALUATION_BATCH: usize = 128;

/// Elements of the photographs of one evaluation step at most: 27 of ImageNet's, whose activations take
/// about a gigabyte.
const EVALUATION_PIXELS: usize = 1 << 22;

/// Logits of one evaluation step at most, if it has more than one sentence: 32 MB.
const EVALUATION_LOGITS: usize = 1 << 23;

/// What is measured of a trial beside its training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured<'splits> {
    /// The splits on which loss and error are measured.
    pub splits: &'splits [EvaluationSplit],
    /// Whether the gradient noise is measured too: two more metrics,
    /// [`GRADIENT_NOISE_METRICS`](critbatch_tuner::GRADIENT_NOISE_METRICS).
    pub gradient_noise_scale: bool,
}

/// A workload on a device, with its data in memory.
pub struct Workload {
    dataset: &'static str,
    data_digest: Option<String>,
    n_classes: usize,
    model: Model,
    optimizer: Optimizer,
    compute: Compute,
    train: Part,
    evaluated: Vec<(EvaluationSplit, Vec<Part>)>,
    gradient_noise_scale: bool,
    /// Scratch of a training step at most.
    scratch_bytes: u64,
    /// Bytes that the process had in memory before anything trained: then, and at most until then.
    base_bytes: [u64; 2],
}

impl Workload {
    /// Reads the data of a workload and puts it on a device.
    ///
    /// # Errors
    /// If a name is unknown, the data cannot be read or lacks a split, or the model does not fit
    /// the examples.
    pub fn load(
        [dataset, model, optimizer]: [&str; 3],
        measured: Measured<'_>,
        data_dir: Option<&Path>,
        compute: Compute,
    ) -> Result<Self, ModelError> {
        let (model, optimizer) = (Model::find(model)?, Optimizer::find(optimizer)?);
        let dataset = critbatch_data::load(dataset, data_dir)?;
        Self::new(&dataset, model, optimizer, measured, compute)
    }

    /// A workload on a data set in memory.
    ///
    /// # Errors
    /// If the data lacks a split or the model does not fit the examples.
    pub fn new(
        dataset: &Dataset,
        model: Model,
        optimizer: Optimizer,
        measured: Measured<'_>,
        compute: Compute,
    ) -> Result<Self, ModelError> {
        let Parts { name, n_classes, train, evaluated } = Parts::of(dataset, measured.splits)?;
        model.n_parameters(&train.examples.shape(), n_classes)?;
        Ok(Self {
            dataset: name,
            data_digest: dataset.digest().map(str::to_owned),
            n_classes,
            model,
            optimizer,
            compute,
            train,
            evaluated,
            gradient_noise_scale: measured.gradient_noise_scale,
            scratch_bytes: SCRATCH_BYTES,
            base_bytes: [resident_bytes(), peak_memory_bytes().unwrap_or(0)],
        })
    }

    /// The same with another bound on the scratch of a training step.
    #[cfg(test)]
    pub(crate) fn with_scratch_bytes(self, scratch_bytes: u64) -> Self {
        Self { scratch_bytes, ..self }
    }

    /// The device that trains.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The same workload on another device.
    #[must_use]
    pub fn moved_to(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// The plans of one batch size: training (in two, where the batch is taken in parts), then one for
    /// each part of each evaluated split, then, where it is measured, the gradient noise.
    ///
    /// # Errors
    /// If the batch is larger than the training set or a tensor too large.
    pub fn program(&self, batch_size: usize) -> Result<Program, ModelError> {
        let TrainingPlans { mut plans, .. } = self.training_plans(batch_size)?;
        let mut splits = self.train.splits();
        for part in self.evaluated.iter().flat_map(|(_, parts)| parts) {
            plans.push(self.evaluation_plan(splits.len(), part)?);
            splits.extend(part.splits());
        }
        if self.gradient_noise_scale {
            plans.push(self.gradient_noise_plan()?);
        }
        Ok(Program::new(plans, splits)?)
    }

    /// Bytes of memory that training in so many lanes is planned to take where no trial takes another's
    /// place and none is saved.
    ///
    /// On the CPU it is the most that the whole process will have had in memory: what it had when the
    /// data were there, and what the lanes take on top. On a GPU it is what the device
    /// holds.
    ///
    /// # Errors
    /// As [`Workload::program`].
    pub fn memory_bytes(&self, batch_size: usize, lanes: usize) -> Result<u64, ModelError> {
        let program = self.program(batch_size)?;
        Ok(self.bytes_in_all(self.compute.memory_bytes(&program, lanes)))
    }

    /// As [`Workload::memory_bytes`], given what lanes take.
    fn bytes_in_all(&self, bytes: u64) -> u64 {
        let [resident, peak] = self.base_bytes;
        match self.compute {
            Compute::Cpu => peak.max(resident + bytes + RUNTIME_BYTES),
            Compute::Gpu(_) => bytes,
        }
    }

    /// A trainer of one batch size.
    ///
    /// # Errors
    /// As [`Workload::program`], or if the device cannot hold the lanes.
    pub fn trainer(&self, batch_size: usize, lanes: usize) -> Result<Trainer, ModelError> {
        let program = self.program(batch_size)?;
        let TrainingPlans { plans, n_parts, .. } = self.training_plans(batch_size)?;
        let mut plan = plans.len() - 1;
        let mut evaluations: Vec<Evaluation> = vec![];
        for (split, parts) in &self.evaluated {
            let evaluated = parts.iter().map(|part| {
                plan += 1;
                EvaluatedPart { plan, n_labels: self.n_labels(part) }
            });
            let targets = self.train.examples.targets();
            evaluations.push(Evaluation::new(split.name(), evaluated.collect(), targets));
        }
        let n_noise = self.gradient_noise_scale.then_some(N_MICRO_BATCHES);
        let evaluated = self.evaluated.iter().flat_map(|(_, parts)| parts);
        let n_iterations: Vec<u32> =
            evaluated.map(|part| self.chunks(part).0).chain(n_noise).collect();
        Ok(Trainer {
            stop_cost: stop_cost(&program, n_parts, &n_iterations),
            n_parts,
            executor: self.compute.executor(&program, lanes)?,
            optimizer: self.optimizer,
            parameters: self.parameters()?,
            n_train: self.train_source().n_examples,
            evaluations,
            gradient_noise_plan: n_noise.map(|_| plan + 1),
            occupied: vec![false; lanes],
        })
    }

    /// The parameters, those that no gradient changes among them.
    pub(crate) fn parameters(&self) -> Result<Vec<Parameter>, ModelError> {
        let source = Source { sampling: Sampling::Sequential, ..self.train_source() };
        let network = self.graph(Mode::Evaluate, 1, self.train.examples, source)?;
        Ok(network.graph.parameters().to_vec())
    }

    /// What a training step of a batch size runs.
    pub(crate) fn training_plans(&self, batch_size: usize) -> Result<TrainingPlans, ModelError> {
        let network = (&self.model, self.train.examples, self.n_classes);
        let rule = self.optimizer.rule();
        TrainingPlans::new(network, self.train_source(), batch_size, rule, self.scratch_bytes)
    }

    /// The gradients of micro-batches that training does not see: see [`gradient_noise`].
    fn gradient_noise_plan(&self) -> Result<Plan, ModelError> {
        let source = Source { sampling: Sampling::Drawn, ..self.train_source() };
        let mut network = self.train_graph(Mode::EachIteration, MICRO_BATCH_SIZE, source)?;
        let loss = network.training_loss()?;
        let values = gradient_noise::values(&mut network.graph, loss)?;
        Ok(Plan::evaluation(&network.graph, &values, N_MICRO_BATCHES as usize)?)
    }

    fn evaluation_plan(&self, split: usize, part: &Part) -> Result<Plan, ModelError> {
        let (n_chunks, batch) = self.chunks(part);
        let n_examples = part.split.len();
        let source = Source { split, n_examples, sampling: Sampling::Sequential };
        let mut network = self.graph(Mode::Evaluate, batch, part.examples, source)?;
        let values = network.evaluated()?;
        Ok(Plan::evaluation(&network.graph, &values, n_chunks as usize)?)
    }

    /// Number of evaluation steps over the examples of a part and examples of each, as even as
    /// possible.
    fn chunks(&self, part: &Part) -> (u32, usize) {
        let most = match part.examples {
            Examples::Images { .. } => EVALUATION_BATCH,
            Examples::Photos { shape, .. } => {
                (EVALUATION_PIXELS / shape.iter().product::<usize>()).clamp(1, EVALUATION_BATCH)
            }
            Examples::Sentences { length } => {
                (EVALUATION_LOGITS / (length * self.n_classes)).clamp(1, EVALUATION_BATCH)
            }
        };
        chunks(part.split.len(), most)
    }

    /// Labels of the examples of each evaluation step over a part.
    fn n_labels(&self, part: &Part) -> Vec<usize> {
        let (n_chunks, batch) = self.chunks(part);
        let begins = (0..n_chunks as usize).map(|chunk| chunk * batch);
        begins.map(|begin| part.n_labels(begin..begin + batch)).collect()
    }

    /// The network on training examples.
    pub(crate) fn train_graph(
        &self,
        mode: Mode,
        batch: usize,
        source: Source,
    ) -> Result<Network, ModelError> {
        self.graph(mode, batch, self.train.examples, source)
    }

    fn graph(
        &self,
        mode: Mode,
        batch: usize,
        examples: Examples,
        source: Source,
    ) -> Result<Network, ModelError> {
        Network::new((&self.model, mode), (examples, self.n_classes), batch, source)
    }

    /// The optimizer of all its trials.
    pub(crate) fn optimizer(&self) -> Optimizer {
        self.optimizer
    }

    /// The training examples: a split, and another of their sets of labels, if they have sets.
    pub(crate) fn train_splits(&self) -> Vec<Arc<Split>> {
        self.train.splits()
    }

    pub(crate) fn train_source(&self) -> Source {
        Source { split: 0, n_examples: self.train.split.len(), sampling: Sampling::Shuffled }
    }
}

/// A batch size as a number of examples in memory.
pub(crate) fn as_length(batch_size: u64) -> Result<usize, ModelError> {
    let limit = u64::from(u32::MAX);
    let refuse = |_| ModelError::TooLarge { what: "batch size", value: batch_size, limit };
    usize::try_from(batch_size).map_err(refuse)
}

/// Makes something with `lanes` lanes, or half as many, and so on, where the device has no memory for
/// them: its driver knows only when it is asked.
fn in_as_many_lanes_as_fit<T>(
    mut lanes: usize,
    make: impl Fn(usize) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    loop {
        match make(lanes) {
            Err(ModelError::Engine(Error::OutOfMemory { .. })) if lanes > 1 => lanes /= 2,
            made => return made,
        }
    }
}

/// What measuring takes in training steps: operations of the measuring plans, run so many times
/// each, over those of a step, in so many parts; and one step for the host, which waits for the device.
/// What a step computes again takes its time too, so here it counts.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn stop_cost(program: &Program, n_parts: u32, n_iterations: &[u32]) -> f64 {
    let (training, measuring) = program.plans().split_at(if n_parts > 1 { 2 } else { 1 });
    let flops = |(plan, &n): (&Plan, &u32)| plan.flops() as f64 * f64::from(n);
    let measuring: f64 = measuring.iter().zip(n_iterations).map(flops).sum();
    let step = training[0].flops().max(1) as f64 * f64::from(n_parts);
    1.0 + measuring / step
}

/// Number of steps over `n` examples and examples of each, `most` at most, as even as possible.
fn chunks(n: usize, most: usize) -> (u32, usize) {
    let n_chunks = n.div_ceil(most).max(1);
    let count = u32::try_from(n_chunks).expect("a split holds fewer than 2^30 examples");
    (count, n.div_ceil(n_chunks).max(1))
}

impl TrainerFactory for Workload {
    fn facts(&self) -> WorkloadFacts {
        let splits: Vec<EvaluationSplit> = self.evaluated.iter().map(|(split, _)| *split).collect();
        let gradient_noise_scale = self.gradient_noise_scale;
        let measured = Measured { splits: &splits, gradient_noise_scale };
        let n_train = self.train.split.len() as u64;
        let has_sets = self.train.label_sets.is_some();
        WorkloadFacts {
            data_digest: self.data_digest.clone(),
            device: self.compute.description(),
            ..facts(self.dataset, n_train, has_sets, &self.model, self.optimizer, measured)
        }
    }

    fn lane_counts(&self, batch_size: u64) -> Vec<usize> {
        let program = usize::try_from(batch_size).ok().and_then(|size| self.program(size).ok());
        program.map_or(vec![1], |program| self.compute.lane_counts(&program))
    }

    fn memory_bytes(&self, batch_size: u64, lanes: usize) -> Option<u64> {
        let program = self.program(usize::try_from(batch_size).ok()?).ok()?;
        Some(self.bytes_in_all(self.compute.memory_bytes_with_checkpoints(&program, lanes)))
    }

    fn snapshot_bytes(&self) -> u64 {
        let parameters = self.parameters().unwrap_or_default();
        let n_parameters: usize = parameters.iter().map(|parameter| parameter.shape.len()).sum();
        let n_buffers = 2 + usize::from(self.optimizer.rule().has_second_moment());
        (n_parameters * n_buffers * size_of::<f32>()) as u64
    }

    fn build(
        &mut self,
        batch_size: u64,
        lanes: usize,
    ) -> Result<Box<dyn LaneTrainer + '_>, TrainerError> {
        let batch_size = as_length(batch_size)?;
        let lanes = lanes.min(self.compute.most_lanes(&self.program(batch_size)?));
        let trainer = in_as_many_lanes_as_fit(lanes, |lanes| self.trainer(batch_size, lanes))?;
        Ok(Box::new(trainer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_halved_until_the_device_has_memory_for_them() {
        let taken = |lanes, most: usize| {
            in_as_many_lanes_as_fit(lanes, |lanes| match lanes <= most {
                true => Ok(lanes),
                false => {
                    let (device, problem) = ("some GPU".to_owned(), "full".to_owned());
                    Err(Error::OutOfMemory { device, problem }.into())
                }
            })
        };
        assert_eq!(
            [(64, 64), (64, 20), (7, 1), (1, 1)].map(|(n, most)| taken(n, most).unwrap()),
            [64, 16, 1, 1]
        );
        let error = taken(8, 0).unwrap_err().to_string();
        assert!(error.contains("'some GPU' is out of memory: full"), "{error}");
    }
}
