//! Writes what `critbatch probe` would of generated images, for `tests/parity/compare.py`.
//!
//! ```sh
//! cargo run -p critbatch-tests --example probe_generated -- MODEL OPTIMIZER B SEED STEPS DEVICE DIR
//! ```
//!
//! DEVICE is cpu, wgpu, or f64: natively, in double precision.

use std::path::Path;

use critbatch_tests::generated::Probe;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const USAGE: &str = "usage: probe_generated MODEL OPTIMIZER B SEED STEPS DEVICE DIR";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, optimizer, batch_size, seed, n_steps, device, directory] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let probe = Probe {
        model,
        optimizer,
        device,
        batch_size: batch_size.parse()?,
        seed: seed.parse()?,
        n_steps: n_steps.parse()?,
    };
    let tensors = probe.tensors()?;
    let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|tensor| bytes(&tensor.values)).collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        Ok((tensor.name.as_str(), TensorView::new(Dtype::F64, tensor.shape.clone(), bytes)?))
    });
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let path = Path::new(directory).join("probe.safetensors");
    Ok(std::fs::write(path, safetensors::serialize(views, None)?)?)
}
