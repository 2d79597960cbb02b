//! What a workload computes, tensor by tensor, to be compared with another framework.

use critbatch_kernels::cpu::CpuExecutor;
use critbatch_kernels::{Executor, Initialiser, Node, Parameter, Plan, Program, Real, Snapshot};
use critbatch_tuner::Trial;

use crate::error::ModelError;
use crate::initialise::{initial_parameters, trial_key};
use crate::metaparameters::lane_state;
use crate::model::Mode;
use crate::network::Network;
use crate::workload::Workload;

/// A named tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeTensor {
    /// Name, as [`Workload::probe`] lists them.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Its elements, as they were computed: in single precision unless it was to be double.
    pub values: Vec<f64>,
}

/// Plans of a probe.
const GRADIENTS_PLAN: usize = 0;
const TRAINING_PLAN: usize = 1;

impl Workload {
    /// Trains one trial for a few steps without dropout, and tells what came in and out. On this
    /// workload's device, or, in double precision, natively, where rounding hides nothing.
    ///
    /// Parameters that trials start at zero, the biases, are drawn here with standard deviation 0.1,
    /// so that nothing hides behind zeros; all others start as in a trial.
    ///
    /// | tensor | what |
    /// | --- | --- |
    /// | `initial/P` | parameter P at the start |
    /// | `step_1/gradient/P` | its gradient in the first step |
    /// | `step_1/logits` | what the network says of the first batch |
    /// | `step_K/input`, `step_K/labels` | the batch of step K as the network sees it |
    /// | `step_K/loss` | its mean loss before the update |
    /// | `final/P` | parameter P after the last step |
    ///
    /// # Errors
    /// If a metaparameter is missing or unknown, the batch is larger than the training set, or the
    /// device fails.
    pub fn probe(
        &self,
        trial: &Trial,
        n_steps: u32,
        is_double: bool,
    ) -> Result<Vec<ProbeTensor>, ModelError> {
        if is_double {
            let native = |program: &Program| -> Result<Box<dyn Executor<f64>>, ModelError> {
                Ok(Box::new(CpuExecutor::new(program, 1)?))
            };
            return self.probe_on(native, trial, n_steps);
        }
        self.probe_on(|program| self.compute().executor(program, 1), trial, n_steps)
    }

    fn probe_on<T: Real>(
        &self,
        executor: impl FnOnce(&Program) -> Result<Box<dyn Executor<T>>, ModelError>,
        trial: &Trial,
        n_steps: u32,
    ) -> Result<Vec<ProbeTensor>, ModelError> {
        let batch_size = usize::try_from(trial.batch_size).unwrap_or(usize::MAX);
        let mut network = self.train_graph(Mode::Probe, batch_size, self.train_source())?;
        let loss = network.training_loss()?;
        let Network { mut graph, input, logits, labels, .. } = network;
        let parameters = graph.parameters().to_vec();
        let batch = [("input", input), ("labels", labels), ("loss", loss)];
        let training = {
            let keep = batch.map(|(_, node)| node);
            Plan::training(graph.clone(), loss, self.optimizer().rule(), &keep)?
        };
        let trained: Vec<&Parameter> =
            parameters.iter().filter(|parameter| parameter.is_trained).collect();
        let nodes: Vec<Node> = trained.iter().map(|parameter| parameter.node).collect();
        let gradients = graph.gradients(loss, &nodes)?;
        let keep: Vec<Node> = gradients.iter().copied().chain([logits]).collect();
        let plans = vec![Plan::forward(&graph, &keep)?, training];
        let program = Program::new(plans, self.train_splits())?;
        let shape = |node| graph.shape(node).to_vec();

        let mut executor = executor(&program)?;
        let key = trial_key(trial)?;
        let start = initial_parameters(&without_zeros(&parameters), key);
        let start: Vec<T> = start.into_iter().map(|value| T::of(f64::from(value))).collect();
        let state = lane_state(self.optimizer(), trial, key)?;
        executor.load(0, &Snapshot::fresh(state, start.clone()))?;
        let mut tensors = of_parameters("initial", &parameters, &start);
        executor.run(GRADIENTS_PLAN, &[1])?;
        for (parameter, &gradient) in trained.iter().zip(&gradients) {
            tensors.push(ProbeTensor {
                name: format!("step_1/gradient/{}", parameter.name),
                shape: parameter.shape.to_vec(),
                values: exact(&executor.read(GRADIENTS_PLAN, 0, gradient)?),
            });
        }
        tensors.push(ProbeTensor {
            name: "step_1/logits".to_owned(),
            shape: shape(logits),
            values: exact(&executor.read(GRADIENTS_PLAN, 0, logits)?),
        });
        for step in 1..=n_steps {
            executor.run(TRAINING_PLAN, &[1])?;
            for (name, node) in batch {
                tensors.push(ProbeTensor {
                    name: format!("step_{step}/{name}"),
                    shape: shape(node),
                    values: exact(&executor.read(TRAINING_PLAN, 0, node)?),
                });
            }
        }
        let end = executor.save(0)?.parameters;
        tensors.extend(of_parameters("final", &parameters, &end));
        Ok(tensors)
    }
}

fn exact<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.as_f64()).collect()
}

/// The parameters with something to draw for each of them.
fn without_zeros(parameters: &[Parameter]) -> Vec<Parameter> {
    let drawn = |parameter: &Parameter| Parameter {
        initialiser: match parameter.initialiser {
            Initialiser::Zeros => Initialiser::LecunNormal { fan_in: 100 },
            other => other,
        },
        ..parameter.clone()
    };
    parameters.iter().map(drawn).collect()
}

/// All parameters, cut out of the buffer in which they lie one after another.
fn of_parameters<T: Real>(
    prefix: &str,
    parameters: &[Parameter],
    values: &[T],
) -> Vec<ProbeTensor> {
    let tensor = |parameter: &Parameter| ProbeTensor {
        name: format!("{prefix}/{}", parameter.name),
        shape: parameter.shape.to_vec(),
        values: exact(&values[parameter.offset..][..parameter.shape.len()]),
    };
    parameters.iter().map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compute, DeviceChoice, Measured};

    fn probe(model: &str, n_steps: u32, is_double: bool) -> Vec<ProbeTensor> {
        let (compute, _) = Compute::choose(DeviceChoice::Cpu).unwrap();
        let measured = Measured { splits: &[], gradient_noise_scale: false };
        let names = ["mnist_5k", model, "momentum"];
        let workload = Workload::load(names, measured, None, compute).unwrap();
        let parameters = [("learning_rate".to_owned(), 0.125), ("momentum".to_owned(), 0.5)].into();
        let trial = Trial { batch_size: 4, trial_id: 0, seed: 1, parameters };
        workload.probe(&trial, n_steps, is_double).unwrap()
    }

    fn find<'a>(tensors: &'a [ProbeTensor], name: &str) -> &'a ProbeTensor {
        let names = || tensors.iter().map(|tensor| &tensor.name).collect::<Vec<_>>();
        tensors.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("{name} in {:?}", names()))
    }

    #[test]
    fn a_step_goes_down_the_gradient_that_is_told() {
        let tensors = probe("fc_64_64_64", 1, false);
        for name in ["dense1/kernel", "dense4/bias"] {
            let part = |prefix| &find(&tensors, &format!("{prefix}/{name}")).values;
            let (start, gradient) = (part("initial"), part("step_1/gradient"));
            let expected: Vec<f64> =
                start.iter().zip(gradient).map(|(w, g)| w - 0.125 * g).collect();
            let end = part("final");
            assert!(end != start);
            for (end, expected) in end.iter().zip(expected) {
                assert!((end - expected).abs() <= 1e-6 * expected.abs().max(1.0));
            }
        }
        assert_eq!(find(&tensors, "step_1/input").shape, [4, 28, 28, 1]);
        assert_eq!(find(&tensors, "step_1/logits").shape, [4, 10]);
        assert_eq!(find(&tensors, "step_1/labels").values.len(), 4);
    }

    #[test]
    fn every_step_has_a_batch_of_its_own_and_no_dropout() {
        let tensors = probe("simple_cnn_narrow", 3, true);
        let labels = |step| &find(&tensors, &format!("step_{step}/labels")).values;
        assert!(labels(1) != labels(2) || labels(2) != labels(3));
        let logits = find(&tensors, "step_1/logits");
        let losses = logits.values.chunks(10).zip(labels(1)).map(|(logits, &label)| {
            let sum: f64 = logits.iter().map(|z| z.exp()).sum();
            sum.ln() - logits[label as usize]
        });
        let expected = losses.sum::<f64>() / 4.0;
        let loss = find(&tensors, "step_1/loss").values[0];
        assert!((loss / expected - 1.0).abs() < 1e-14, "{loss} {expected}");
    }
}
