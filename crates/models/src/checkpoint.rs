//! A lane as the bytes of a safetensors file, and back from bytes that nobody has vouched for.
//!
//! # Layout
//!
//! `lane`, U32: the words of [`LaneState`], little-endian. Each parameter and running statistic by its
//! name, F32; its velocity as `name/velocity`; where the optimizer keeps one, its mean square as
//! `name/mean_square`. The entry `critbatch checkpoint` of the metadata is the layout's version.

use std::borrow::Cow;

use bytemuck::{cast_slice, pod_read_unaligned};
use critbatch_kernels::{LaneState, Parameter};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors};

use crate::error::ModelError;

/// Entry of the metadata that says what the file is.
const FORMAT: &str = "critbatch checkpoint";

/// The layout's version.
const VERSION: &str = "1";

/// Name of the lane's state.
const LANE: &str = "lane";

/// Words of a lane's state.
const N_WORDS: usize = size_of::<LaneState>() / size_of::<u32>();

/// The buffers of a lane, each of all parameters, and what follows the parameters' names in the file.
const BUFFERS: [&str; 3] = ["", "/velocity", "/mean_square"];

/// A lane's file that has been looked through: all that it should hold is there, in the right form.
pub(crate) struct Checkpoint<'file> {
    /// What is to be believed of it is for the caller to check.
    pub(crate) state: LaneState,
    parameters: &'file [Parameter],
    /// Of each buffer the bytes of each parameter.
    buffers: Vec<Vec<&'file [u8]>>,
}

/// The file of a lane: of its state and its buffers, the last of which may be empty. It is the only copy
/// that is made of them.
///
/// # Errors
/// If a tensor is too large for the format.
pub(crate) fn to_bytes(
    state: &LaneState,
    buffers: [&[f32]; 3],
    parameters: &[Parameter],
) -> Result<Vec<u8>, ModelError> {
    let state = bytemuck::bytes_of(state);
    let mut tensors = vec![(Cow::from(LANE), view(Dtype::U32, &[N_WORDS], state)?)];
    for (values, suffix) in
        buffers.into_iter().zip(BUFFERS).filter(|(values, _)| !values.is_empty())
    {
        for Parameter { name, shape, offset, .. } in parameters {
            let bytes = cast_slice(&values[*offset..offset + shape.len()]);
            let tensor = view(Dtype::F32, shape, bytes)?;
            tensors.push((format!("{name}{suffix}").into(), tensor));
        }
    }
    let metadata = [(FORMAT.to_owned(), VERSION.to_owned())];
    safetensors::serialize(tensors, Some(metadata.into())).map_err(|error| refused(&error))
}

impl<'file> Checkpoint<'file> {
    /// Looks through a file.
    ///
    /// # Errors
    /// If the bytes are no such file of these parameters.
    pub(crate) fn open(
        bytes: &'file [u8],
        parameters: &'file [Parameter],
        has_second_moment: bool,
    ) -> Result<Self, ModelError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| refused(&error))?;
        match version(&metadata) {
            Some(VERSION) => {}
            found => {
                let found = found.map_or("none".to_owned(), |found| format!("'{found}'"));
                return Err(ModelError::Checkpoint(format!(
                    "layout {found}; expected '{VERSION}'"
                )));
            }
        }
        let file = SafeTensors::deserialize(bytes).map_err(|error| refused(&error))?;
        let n_buffers = 2 + usize::from(has_second_moment);
        let buffer = |suffix| -> Result<Vec<&[u8]>, ModelError> {
            let tensor = |Parameter { name, shape, .. }: &Parameter| {
                data(&file, &format!("{name}{suffix}"), Dtype::F32, shape)
            };
            parameters.iter().map(tensor).collect()
        };
        let buffers = BUFFERS.into_iter().take(n_buffers).map(buffer).collect::<Result<_, _>>()?;
        let state = pod_read_unaligned(data(&file, LANE, Dtype::U32, &[N_WORDS])?);
        Ok(Self { state, parameters, buffers })
    }

    /// Writes the buffers, as long as the parameters each, into those of a lane.
    pub(crate) fn copy_to(&self, buffers: [&mut [f32]; 3]) {
        for (values, tensors) in buffers.into_iter().zip(&self.buffers) {
            for (Parameter { shape, offset, .. }, bytes) in self.parameters.iter().zip(tensors) {
                let values = &mut values[*offset..offset + shape.len()];
                let elements = bytes.chunks_exact(size_of::<f32>()).map(pod_read_unaligned);
                values.iter_mut().zip(elements).for_each(|(value, element)| *value = element);
            }
        }
    }
}

fn version(metadata: &Metadata) -> Option<&str> {
    metadata.metadata().as_ref()?.get(FORMAT).map(String::as_str)
}

fn view<'data>(
    dtype: Dtype,
    shape: &[usize],
    bytes: &'data [u8],
) -> Result<TensorView<'data>, ModelError> {
    TensorView::new(dtype, shape.to_vec(), bytes).map_err(|error| refused(&error))
}

/// The bytes of a tensor that has to be of this kind.
fn data<'file>(
    file: &SafeTensors<'file>,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<&'file [u8], ModelError> {
    let tensor = file.tensor(name).map_err(|error| refused(&error))?;
    if (tensor.dtype(), tensor.shape()) != (dtype, shape) {
        let (found, found_shape) = (tensor.dtype(), tensor.shape());
        return Err(ModelError::Checkpoint(format!(
            "'{name}' is {found} {found_shape:?}; expected {dtype} {shape:?}"
        )));
    }
    Ok(tensor.data())
}

fn refused(error: &safetensors::SafeTensorError) -> ModelError {
    ModelError::Checkpoint(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use critbatch_tuner::{EvaluationSplit, LaneTrainer, Metrics, TrainerFactory, Trial};
    use proptest::prelude::*;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::{Compute, DeviceChoice, Measured, Workload};

    const BATCH_SIZE: usize = 300;

    fn workload(model: &str, optimizer: &str, choice: DeviceChoice) -> Workload {
        let (compute, _) = Compute::choose(choice).unwrap();
        let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: false };
        Workload::load(["mnist_5k", model, optimizer], measured, None, compute).unwrap()
    }

    fn trial(trial_id: u64, learning_rate: f64) -> Trial {
        let parameters = [("learning_rate", learning_rate), ("warmup_steps", 3.0)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value)).into();
        Trial { batch_size: BATCH_SIZE as u64, trial_id, seed: 7, parameters }
    }

    /// Trains over the end of the first epoch, in the one of two lanes that is asked for.
    fn go_on(trainer: &mut dyn LaneTrainer, lane: usize) -> (Vec<u8>, Metrics) {
        let mut steps = [0, 0];
        steps[lane] = 9;
        trainer.advance(&steps).unwrap();
        let metrics = trainer.evaluate(&[lane], None).unwrap().remove(0);
        (trainer.snapshot(lane).unwrap(), metrics)
    }

    /// A state of step 6.
    fn checkpoint(trainer: &mut dyn LaneTrainer, trial: &Trial) -> Vec<u8> {
        trainer.start(0, trial).unwrap();
        trainer.advance(&[6, 0]).unwrap();
        trainer.snapshot(0).unwrap()
    }

    #[test]
    fn a_trial_goes_on_bit_for_bit_in_another_lane_of_another_trainer() {
        for choice in [DeviceChoice::Cpu, DeviceChoice::Wgpu] {
            for optimizer in ["sgd", "adamw"] {
                let workload = workload("fc_64_64_64", optimizer, choice);
                let mut trainer = workload.trainer(BATCH_SIZE, 2).unwrap();
                let state = checkpoint(&mut trainer, &trial(3, 0.01));
                let overhead = state.len() as u64 - workload.snapshot_bytes();
                assert!(overhead < 4096, "{overhead} bytes more than planned");
                let straight = go_on(&mut trainer, 0);
                let mut other = workload.trainer(BATCH_SIZE, 2).unwrap();
                other.start(0, &trial(1, 0.1)).unwrap();
                assert_eq!(other.restore(1, &trial(3, 0.01), &state).unwrap(), 6);
                let resumed = go_on(&mut other, 1);
                assert!(straight.0 == resumed.0, "{optimizer}, {choice:?}: another state");
                assert_eq!(straight.1, resumed.1, "{optimizer}, {choice:?}");
            }
        }
    }

    /// The same file with one tensor in another form, or without it.
    fn with(state: &[u8], name: &str, changed: Option<TensorView<'_>>) -> Vec<u8> {
        let file = SafeTensors::deserialize(state).unwrap();
        let mut tensors: HashMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
        tensors.remove(name).unwrap();
        tensors.extend(changed.map(|changed| (name.to_owned(), changed)));
        let metadata = [(FORMAT.to_owned(), VERSION.to_owned())];
        safetensors::serialize(tensors, Some(metadata.into())).unwrap()
    }

    #[test]
    fn a_file_that_is_no_checkpoint_of_the_trial_is_refused() {
        let workload = workload("fc_64_64_64", "sgd", DeviceChoice::Cpu);
        let mut trainer = workload.trainer(BATCH_SIZE, 2).unwrap();
        let state = checkpoint(&mut trainer, &trial(3, 0.01));
        let mut refused = |trial: &Trial, state: &[u8]| {
            let error = trainer.restore(1, trial, state).unwrap_err().to_string();
            assert!(trainer.snapshot(1).is_err(), "the lane is free");
            error
        };
        let other = "its trial is not trial 3 of batch size 300";
        assert!(refused(&trial(3, 0.02), &state).ends_with(other));
        assert!(refused(&trial(4, 0.01), &state).ends_with("trial 4 of batch size 300"));

        let mut lane =
            SafeTensors::deserialize(&state).unwrap().tensor(LANE).unwrap().data().to_vec();
        lane[8] += 1;
        let moved = view(Dtype::U32, &[N_WORDS], &lane).unwrap();
        assert!(refused(&trial(3, 0.01), &with(&state, LANE, Some(moved))).ends_with(other));

        let name = "dense1/bias";
        let without = refused(&trial(3, 0.01), &with(&state, name, None));
        assert!(without.contains(name), "{without}");
        let short = [0; 4 * 63];
        let short = view(Dtype::F32, &[63], &short).unwrap();
        let short = refused(&trial(3, 0.01), &with(&state, name, Some(short)));
        assert!(short.ends_with("'dense1/bias' is F32 [63]; expected F32 [64]"), "{short}");

        let file = SafeTensors::deserialize(&state).unwrap();
        let later = [(FORMAT.to_owned(), "2".to_owned())];
        let later = safetensors::serialize(file.tensors(), Some(later.into())).unwrap();
        assert!(refused(&trial(3, 0.01), &later).ends_with("layout '2'; expected '1'"));
        let bare = safetensors::serialize(file.tensors(), None).unwrap();
        assert!(refused(&trial(3, 0.01), &bare).ends_with("layout none; expected '1'"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Whatever the bytes, the answer is a lane or an error.
        #[test]
        fn damage_never_panics(
            damage in prop::collection::vec((0..2000_usize, any::<u8>()), 0..4),
            len in 0..200_000_usize,
        ) {
            thread_local! {
                static STATE: Vec<u8> = {
                    let workload = workload("fc_64_64_64", "sgd", DeviceChoice::Cpu);
                    checkpoint(&mut workload.trainer(BATCH_SIZE, 2).unwrap(), &trial(3, 0.01))
                };
                static TRAINER: std::cell::RefCell<crate::Trainer> = {
                    let workload = workload("fc_64_64_64", "sgd", DeviceChoice::Cpu);
                    workload.trainer(BATCH_SIZE, 2).unwrap().into()
                };
            }
            let mut state = STATE.with(Clone::clone);
            for (place, byte) in damage {
                state[place] = byte;
            }
            state.truncate(if len % 2 == 0 { len } else { state.len() });
            let _ = TRAINER.with_borrow_mut(|trainer| trainer.restore(1, &trial(3, 0.01), &state));
        }
    }
}
