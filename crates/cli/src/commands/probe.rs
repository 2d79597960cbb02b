//! `critbatch probe`: what a workload computes, tensor by tensor.

use std::collections::HashMap;
use std::fs;

use anyhow::Context;
use critbatch_models::{Compute, DeviceChoice, Measured, ProbeTensor, Workload};
use critbatch_tuner::{Metaparameter, Parameters, TrainerFactory, Trial, WorkloadFacts};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::args;
use crate::commands::session::choice;
use crate::console;
use crate::exit::{Exit, UsageError};

/// Metaparameters that nobody set.
const DEFAULTS: [(&str, f64); 2] = [("learning_rate", 0.01), ("momentum", 0.9)];

/// Name of the file.
const FILE: &str = "probe.safetensors";

/// Trains a few steps and writes the tensors.
///
/// # Errors
///
/// Where a name is unknown, the data or the device is not there, training fails, or the file cannot
/// be written.
pub(crate) fn execute(arguments: &args::Probe) -> anyhow::Result<Exit> {
    let device = if arguments.double { DeviceChoice::Cpu } else { choice(arguments.device) };
    let (compute, why) = Compute::choose(device)?;
    let precision = if arguments.double { "double" } else { "single" };
    console::line(&format!("device: {}: {why}; {precision} precision", compute.description()));
    let measured = Measured { splits: &[], gradient_noise_scale: false };
    let names = arguments.workload.each_ref().map(String::as_str);
    let workload = Workload::load(names, measured, arguments.data.data_dir.as_deref(), compute)?;
    let facts = workload.facts();
    let trial = Trial {
        batch_size: arguments.batch_size.into(),
        trial_id: 0,
        seed: arguments.seed,
        parameters: metaparameters(&facts, &arguments.metaparameters)?,
    };
    let tensors = workload.probe(&trial, arguments.steps, arguments.double)?;
    let path = arguments.out.join(FILE);
    let bytes = serialized(&tensors, arguments.double, metadata(&facts, &trial, arguments.steps)?)?;
    fs::create_dir_all(&arguments.out)
        .and_then(|()| fs::write(&path, bytes))
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    console::print(&format!("{} tensors in {}", tensors.len(), path.display()))?;
    Ok(Exit::Done)
}

/// Those given, each once and as a run would take it, and the defaults of others that the optimizer takes.
fn metaparameters(
    facts: &WorkloadFacts,
    given: &[(String, f64)],
) -> Result<Parameters, UsageError> {
    let known = |name: &str| facts.metaparameters.iter().find(|known| known.name == name);
    for (index, (name, value)) in given.iter().enumerate() {
        let Some(Metaparameter { range, is_integer, .. }) = known(name) else {
            let names: Vec<&str> = facts.metaparameters.iter().map(|known| known.name).collect();
            let (optimizer, names) = (&facts.optimizer, names.join(", "));
            return Err(UsageError(format!(
                "unknown metaparameter '{name}' of {optimizer}; expected one of {names}"
            )));
        };
        let whole = if *is_integer { "a whole number " } else { "" };
        if !range.contains(*value) || (*is_integer && value.fract() != 0.0) {
            return Err(UsageError(format!("--set {name}={value}: expected {whole}{range}")));
        }
        if given[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(UsageError(format!("--set {name} is given twice; expected once")));
        }
    }
    let defaults = DEFAULTS.into_iter().filter(|(name, _)| known(name).is_some());
    let defaults = defaults.map(|(name, value)| (name.to_owned(), value));
    Ok(defaults.chain(given.iter().cloned()).collect())
}

/// What the tensors belong to, as the format's map of strings.
fn metadata(
    facts: &WorkloadFacts,
    trial: &Trial,
    n_steps: u32,
) -> anyhow::Result<HashMap<String, String>> {
    let WorkloadFacts { dataset, model, optimizer, device, .. } = facts;
    let entries = [
        ("program", format!("critbatch {}", env!("CARGO_PKG_VERSION"))),
        ("dataset", dataset.clone()),
        ("model", model.clone()),
        ("optimizer", optimizer.clone()),
        ("device", device.clone()),
        ("batch_size", trial.batch_size.to_string()),
        ("seed", trial.seed.to_string()),
        ("steps", n_steps.to_string()),
        ("metaparameters", serde_json::to_string(&trial.parameters)?),
    ];
    Ok(entries.map(|(name, value)| (name.to_owned(), value)).into())
}

fn serialized(
    tensors: &[ProbeTensor],
    is_double: bool,
    metadata: HashMap<String, String>,
) -> anyhow::Result<Vec<u8>> {
    let bytes = |tensor: &ProbeTensor| -> Vec<u8> {
        #[expect(clippy::cast_possible_truncation, reason = "computed in single precision")]
        match is_double {
            true => tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            false => tensor.values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
        }
    };
    let dtype = if is_double { Dtype::F64 } else { Dtype::F32 };
    let bytes: Vec<Vec<u8>> = tensors.iter().map(bytes).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|(tensor, bytes)| {
            let view = TensorView::new(dtype, tensor.shape.clone(), bytes)?;
            Ok((tensor.name.as_str(), view))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, Some(metadata))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    #[test]
    fn metaparameters_are_those_that_a_run_takes() {
        let measured = Measured { splits: &[], gradient_noise_scale: false };
        let names = ["mnist_5k", "fc_64_64_64", "nesterov_momentum"];
        let facts = critbatch_models::workload_facts(names, measured).unwrap();
        let of = |given: &[(&str, f64)]| {
            let given: Vec<_> =
                given.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
            metaparameters(&facts, &given).map_err(|error| error.to_string())
        };
        let taken = of(&[("momentum", 0.5)]).unwrap();
        assert_eq!((taken["learning_rate"], taken["momentum"]), (0.01, 0.5));
        for (given, expected) in [
            (
                &[("learning_rat", 0.1)][..],
                "unknown metaparameter 'learning_rat' of nesterov_momentum",
            ),
            (&[("learning_rate", -1.0)], "--set learning_rate=-1: expected "),
            (&[("label_smoothing", 2.0)], "expected at least 0 and at most 1"),
            (&[("warmup_steps", 0.5)], "expected a whole number at least 0"),
            (&[("momentum", 0.5), ("momentum", 0.6)], "--set momentum is given twice"),
        ] {
            let refused = of(given).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn tensors_come_back() {
        let tensor = |name: &str, shape: &[usize], values: &[f64]| ProbeTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        let tensors =
            [tensor("b", &[2, 1], &[1.5, -0.0]), tensor("a/kernel", &[1], &[f64::INFINITY])];
        let bytes =
            serialized(&tensors, false, [("seed".to_owned(), "7".to_owned())].into()).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let b = read.tensor("b").unwrap();
        assert_eq!((b.shape(), b.data()), (&[2, 1][..], &[0, 0, 0xC0, 0x3F, 0, 0, 0, 0x80][..]));
        assert_eq!(read.tensor("a/kernel").unwrap().data(), f32::INFINITY.to_le_bytes());
        let double = serialized(&tensors, true, HashMap::new()).unwrap();
        let double = SafeTensors::deserialize(&double).unwrap();
        assert_eq!(double.tensor("b").unwrap().data()[..8], 1.5_f64.to_le_bytes());
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["seed"], "7");
    }
}
