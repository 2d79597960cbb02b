//! Whether a device computes what the native executor does, before it trains a workload.

use critbatch_kernels::testing::random_values;
use critbatch_kernels::{Parameter, Snapshot, gpu};
use critbatch_tuner::{TrainerFactory, Trial};

use crate::compute::Compute;
use crate::error::ModelError;
use crate::initialise::{initial_parameters, trial_key};
use crate::metaparameters::lane_state;
use crate::workload::{Workload, as_length};

/// Points in training that it is tested at, until one agrees.
const N_STARTS: u64 = 3;

/// Metaparameters of the tested steps: no loss diverges, and every weight changes by more than it is rounded.
const VALUES: [(&str, f64); 2] = [("learning_rate", 0.01), ("momentum", 0.9)];

/// Largest number that is added to a weight at the start.
const SHIFT: f32 = 0.05;

/// A trial's initial weights, moved a little: a kernel that forgets biases would not be seen where they are
/// zero, nor one that forgets factors where they are one.
fn start(parameters: &[Parameter], key: [u32; 2]) -> Vec<f32> {
    let mut values = initial_parameters(parameters, key);
    let shifts: Vec<f32> = random_values(key[0], values.len());
    for Parameter { offset, shape, .. } in parameters.iter().filter(|known| known.is_trained) {
        let range = *offset..offset + shape.len();
        for (value, shift) in values[range.clone()].iter_mut().zip(&shifts[range]) {
            *value += SHIFT * shift;
        }
    }
    values
}

impl Workload {
    /// Runs every kernel that trains and measures at these batch sizes once, in one lane, and compares with
    /// the native executor ([`gpu::self_test`]). A kernel that has passed is not run again by this
    /// process; the native executor itself passes at once.
    ///
    /// # Errors
    /// If the device computes something else, its driver does not compile a kernel, or it cannot hold one
    /// lane.
    pub fn self_test(&self, batch_sizes: impl IntoIterator<Item = u64>) -> Result<(), ModelError> {
        let Compute::Gpu(device) = self.compute() else { return Ok(()) };
        let parameters = self.parameters()?;
        let known = self.facts().metaparameters;
        let values =
            VALUES.iter().filter(|(name, _)| known.iter().any(|known| known.name == *name));
        let values = values.map(|&(name, value)| (name.to_owned(), value)).collect();
        let mut trial = Trial { batch_size: 1, trial_id: 0, seed: 0, parameters: values };
        for batch_size in batch_sizes {
            trial.batch_size = batch_size;
            let start = |trial_id| -> Result<_, ModelError> {
                let trial = Trial { trial_id, ..trial.clone() };
                let key = trial_key(&trial)?;
                let state = lane_state(self.optimizer(), &trial, key)?;
                Ok(Snapshot::fresh(state, start(&parameters, key)))
            };
            let starts = (0..N_STARTS).map(start).collect::<Result<Vec<_>, _>>()?;
            let program = self.program(as_length(batch_size)?)?;
            gpu::self_test(device, &program, &parameters, &starts)?;
        }
        Ok(())
    }
}
