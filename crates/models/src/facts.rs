//! What a workload is and accepts, known from its names alone.

use critbatch_tuner::{GRADIENT_NOISE_METRICS, WorkloadFacts};

use crate::error::ModelError;
use crate::gradient_noise::MICRO_BATCH_SIZE;
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::workload::Measured;

/// The facts of a workload without its data and without a device, to check an experiment where it
/// is not trained: those of a [`Workload`](crate::Workload), but that `device` is empty and nothing tells
/// which data it is.
///
/// # Errors
/// If a name is unknown or the model does not fit the examples.
pub fn workload_facts(
    [dataset, model, optimizer]: [&str; 3],
    measured: Measured<'_>,
) -> Result<WorkloadFacts, ModelError> {
    let dataset = critbatch_data::find(dataset)?;
    let (model, optimizer) = (Model::find(model)?, Optimizer::find(optimizer)?);
    model.n_parameters(&dataset.example_shape(), dataset.n_classes())?;
    let [n_train, ..] =
        dataset.sizes().ok_or_else(|| ModelError::UnknownSize { dataset: dataset.name() })?;
    let has_sets = dataset.has_label_sets();
    Ok(facts(dataset.name(), n_train as u64, has_sets, &model, optimizer, measured))
}

/// The facts of a workload, on no device yet; `has_sets` says that examples have sets of labels.
pub(crate) fn facts(
    dataset: &str,
    n_train: u64,
    has_sets: bool,
    model: &Model,
    optimizer: Optimizer,
    measured: Measured<'_>,
) -> WorkloadFacts {
    let metrics = measured.splits.iter().flat_map(|split| {
        let name = split.name();
        let quality = if has_sets { "average_precision" } else { "classification_error" };
        [format!("{name}/cross_entropy_error"), format!("{name}/{quality}")]
    });
    // Batch norms take moments of groups, into which a micro-batch must fall.
    let is_grouped = model.group().is_some_and(|group| !MICRO_BATCH_SIZE.is_multiple_of(group));
    let has_noise = measured.gradient_noise_scale && !is_grouped;
    let noise = GRADIENT_NOISE_METRICS.iter().filter(|_| has_noise);
    WorkloadFacts {
        dataset: dataset.to_owned(),
        model: model.name().to_owned(),
        optimizer: optimizer.name().to_owned(),
        n_train,
        data_digest: None,
        metrics: metrics.chain(noise.map(|&name| name.to_owned())).collect(),
        metaparameters: optimizer.metaparameters(),
        device: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use critbatch_tuner::{EvaluationSplit, TrainerFactory};

    use super::*;
    use crate::{Compute, DeviceChoice, Workload};

    #[test]
    fn facts_without_data_are_those_of_the_loaded_workload() {
        let names = ["mnist_5k", "fc_64_64_64", "nesterov_momentum"];
        let splits = [EvaluationSplit::Val, EvaluationSplit::Test];
        for gradient_noise_scale in [false, true] {
            let measured = Measured { splits: &splits, gradient_noise_scale };
            let (compute, _) = Compute::choose(DeviceChoice::Cpu).unwrap();
            let loaded = Workload::load(names, measured, None, compute).unwrap().facts();
            let known = workload_facts(names, measured).unwrap();
            assert_eq!(known.n_train, 4000);
            assert_eq!(known.metrics.len(), if gradient_noise_scale { 6 } else { 4 });
            assert_eq!(known, WorkloadFacts { device: String::new(), ..loaded });
        }
    }

    /// The check of an experiment then says that this workload has no such metrics.
    #[test]
    fn a_network_whose_norms_need_larger_groups_has_no_gradient_noise() {
        let measured = Measured { splits: &[], gradient_noise_scale: true };
        let n_metrics = |model| {
            workload_facts(["imagenet", model, "momentum"], measured).unwrap().metrics.len()
        };
        assert_eq!((n_metrics("resnet_50"), n_metrics("vgg_11")), (0, 2));
    }

    #[test]
    fn unknown_names_are_refused() {
        let measured = Measured { splits: &[], gradient_noise_scale: false };
        let refused = |names| workload_facts(names, measured).unwrap_err().to_string();
        assert!(refused(["cifar", "fc_64_64_64", "sgd"]).contains("cifar"));
        assert!(refused(["mnist", "fc", "sgd"]).contains("unknown model 'fc'"));
        assert!(
            refused(["mnist", "fc_64_64_64", "adagrad"]).contains("unknown optimizer 'adagrad'")
        );
    }
}
