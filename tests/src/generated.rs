//! Images by a formula, for networks that fit no data of every checkout: `vgg_11` halves a side five times.

use critbatch_data::{Dataset, ImageDataset, Preprocessing, Split};
use critbatch_models::{
    Compute, DeviceChoice, Measured, Model, ModelError, Optimizer, ProbeTensor, Workload,
};
use critbatch_tuner::Trial;
use ndarray::{Array1, Array4};

/// As many as CIFAR-10's.
const SIDE: usize = 32;
const N_CLASSES: u16 = 10;
const N_IMAGES: u16 = 20;

/// Those of `compare.py`.
const METAPARAMETERS: [(&str, f64); 2] = [("learning_rate", 0.01), ("momentum", 0.9)];

/// Names, batch size and steps of a probe, and where it runs: `cpu`, `wgpu`, or `f64`, which is natively in
/// double precision.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'names> {
    /// The network.
    pub model: &'names str,
    /// Its optimizer.
    pub optimizer: &'names str,
    /// Where it runs.
    pub device: &'names str,
    /// Images a step.
    pub batch_size: u64,
    /// Seed of weights and order of the images.
    pub seed: u64,
    /// Steps to train.
    pub n_steps: u32,
}

impl Probe<'_> {
    /// What `critbatch probe` would write, had it this data.
    ///
    /// # Errors
    ///
    /// Where a name is unknown, or training fails.
    pub fn tensors(self) -> Result<Vec<ProbeTensor>, ModelError> {
        let (model, optimizer) = (Model::find(self.model)?, Optimizer::find(self.optimizer)?);
        let choice = if self.device == "wgpu" { DeviceChoice::Wgpu } else { DeviceChoice::Cpu };
        let (compute, _) = Compute::choose(choice)?;
        let measured = Measured { splits: &[], gradient_noise_scale: false };
        let workload = Workload::new(&images()?, model, optimizer, measured, compute)?;
        let parameters = METAPARAMETERS.map(|(name, value)| (name.to_owned(), value)).into();
        let Self { batch_size, seed, .. } = self;
        let trial = Trial { batch_size, trial_id: 0, seed, parameters };
        workload.probe(&trial, self.n_steps, self.device == "f64")
    }
}

/// Products of places, no two images alike.
fn images() -> Result<Dataset, ModelError> {
    let n_images = usize::from(N_IMAGES);
    let pixels = Array4::from_shape_fn((n_images, SIDE, SIDE, 3), |(n, y, x, channel)| {
        let value = (n + 2) * (y * y + 3 * x + 7 * channel * y) + x * y;
        u8::try_from(value % 256).expect("below 256")
    });
    let split = Split::new(pixels, Array1::from_iter((0..N_IMAGES).map(|n| n % N_CLASSES)))?;
    Ok(Dataset::Images(ImageDataset {
        name: "generated",
        n_classes: N_CLASSES.into(),
        preprocessing: Preprocessing::Standardised,
        train: split.clone(),
        validation: split,
        test: None,
    }))
}
