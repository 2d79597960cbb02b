//! The plans of a training step: one, or, for a batch whose activations would take too much memory, two
//! that go through it in parts; and activations that are computed again where parts do not help.

use critbatch_kernels::{Error, Plan, Sampling, Source, UpdateRule};

use crate::error::ModelError;
use crate::examples::Examples;
use crate::model::{Mode, Model};
use crate::network::Network;

/// Scratch of a training step of one lane at most: a larger batch is trained on in parts.
pub(crate) const SCRATCH_BYTES: u64 = 2 << 30;

/// What a training step runs.
pub(crate) struct TrainingPlans {
    /// The plan of a step on the whole batch; or one that adds a part up and one that updates.
    pub(crate) plans: Vec<Plan>,
    /// Parts of a batch, 1 if it is trained on whole.
    pub(crate) n_parts: u32,
    /// Floating-point operations of a step of one lane, each value computed once.
    pub(crate) flops: u64,
}

impl TrainingPlans {
    /// The plans for batches of a network's examples: in the fewest of 1, 2, 4 ... parts that take no more
    /// scratch than `scratch_bytes`; if even the smallest parts there are take more, in these, with
    /// activations computed again. This is a function of network and batch size, as all that decides
    /// bits, and not of the machine.
    ///
    /// # Errors
    /// If the network does not fit the batch.
    pub(crate) fn new(
        network: (&Model, Examples, usize),
        source: Source,
        batch_size: usize,
        rule: UpdateRule,
        scratch_bytes: u64,
    ) -> Result<Self, ModelError> {
        let fits = |plans: &Self| {
            (plans.plans[0].scratch_len() * size_of::<f32>()) as u64 <= scratch_bytes
        };
        let plans = |part, recomputes| {
            Self::in_parts(network, source, [batch_size, part], rule, recomputes)
        };
        let mut part = batch_size;
        loop {
            let kept = plans(part, false);
            match &kept {
                Ok(kept) if !fits(kept) => {}
                Err(ModelError::Engine(Error::TooLarge { .. })) => {}
                _ => return kept,
            }
            let smaller = smaller_part(batch_size, part, network.0.group());
            if smaller == part {
                let again = plans(part, true)?;
                return Ok(Self { flops: kept.map_or(again.flops, |kept| kept.flops), ..again });
            }
            part = smaller;
        }
    }

    /// The plans of batches in parts of so many examples, whole if one part is all.
    fn in_parts(
        (model, examples, n_classes): (&Model, Examples, usize),
        source: Source,
        [batch_size, part]: [usize; 2],
        rule: UpdateRule,
        recomputes: bool,
    ) -> Result<Self, ModelError> {
        let n_parts = batch_size.div_ceil(part);
        let (mode, sampling) = match n_parts {
            1 => (Mode::Train, Sampling::Shuffled),
            _ => (Mode::EachIteration, Sampling::Parts { batch: batch_size }),
        };
        let source = Source { sampling, ..source };
        let mut network = Network::new((model, mode), (examples, n_classes), part, source)?;
        let loss = network.training_loss()?;
        if recomputes {
            network.graph.recompute_activations();
        }
        let plans = match n_parts {
            1 => vec![Plan::training(network.graph, loss, rule, &[])?],
            _ => Plan::training_in_parts(network.graph, loss, rule, n_parts)?.into(),
        };
        let n_parts = u32::try_from(n_parts).expect("batches are below 2^30");
        let flops = plans[0].flops() * u64::from(n_parts);
        Ok(Self { plans, n_parts, flops })
    }
}

/// About half of a part, so that parts are even; of a network with groups of examples, whole groups
/// that divide the batch. The part itself if none is smaller.
fn smaller_part(batch_size: usize, part: usize, group: Option<usize>) -> usize {
    let Some(group) = group else {
        let n_parts = 2 * batch_size.div_ceil(part);
        return batch_size.div_ceil(n_parts.min(batch_size));
    };
    let divides = |n_groups: &usize| (batch_size / group).is_multiple_of(*n_groups);
    let half = part / group / 2;
    (1..=half).rev().find(divides).map_or(part, |n_groups| n_groups * group)
}

#[cfg(test)]
mod tests {
    use critbatch_tuner::{EvaluationSplit, LaneTrainer, Metrics, Trial};

    use super::*;
    use crate::{Compute, DeviceChoice, Measured, Workload};

    #[test]
    fn parts_are_halved_to_the_smallest() {
        let parts = |batch, group| -> Vec<usize> {
            let next = |&part: &usize| {
                let smaller = smaller_part(batch, part, group);
                (smaller < part).then_some(smaller)
            };
            std::iter::successors(Some(batch), next).collect()
        };
        assert_eq!(parts(64, None), [64, 32, 16, 8, 4, 2, 1]);
        assert_eq!(parts(55_000, None)[..4], [55_000, 27_500, 13_750, 6_875]);
        assert_eq!(parts(7, None), [7, 4, 2, 1]);
        assert_eq!(parts(256, Some(32)), [256, 128, 64, 32]);
        assert_eq!(parts(96, Some(32)), [96, 32]);
        assert_eq!(parts(224, Some(32)), [224, 32]);
    }

    fn workload(model: &str, choice: DeviceChoice, scratch_bytes: u64) -> Workload {
        let (compute, _) = Compute::choose(choice).unwrap();
        let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: false };
        let names = ["mnist_5k", model, "nesterov_momentum"];
        let workload = Workload::load(names, measured, None, compute).unwrap();
        workload.with_scratch_bytes(scratch_bytes)
    }

    /// What trials measure after 2 and after 5 steps, each in a lane.
    fn measured(workload: &Workload, batch_size: usize, trial_ids: &[u64]) -> Vec<Metrics> {
        let mut trainer = workload.trainer(batch_size, trial_ids.len()).unwrap();
        for (lane, &trial_id) in trial_ids.iter().enumerate() {
            let values = [("learning_rate", 0.05), ("momentum", 0.9), ("label_smoothing", 0.1)];
            let parameters = values.map(|(name, value)| (name.to_owned(), value)).into();
            let trial = Trial { batch_size: batch_size as u64, trial_id, seed: 2, parameters };
            trainer.start(lane, &trial).unwrap();
        }
        let lanes: Vec<usize> = (0..trial_ids.len()).collect();
        let mut all = vec![];
        for steps in [2, 3] {
            // The first lane is a step behind.
            let steps: Vec<u64> = lanes.iter().map(|&lane| steps - u64::from(lane == 0)).collect();
            trainer.advance(&steps).unwrap();
            all.extend(trainer.evaluate(&lanes, None).unwrap());
        }
        all
    }

    /// One ghost group of ResNet-50's cannot be cut.
    #[test]
    fn what_cannot_be_cut_is_computed_again() {
        let bytes = |scratch_bytes| {
            let model = Model::find("resnet_50").unwrap();
            let shape = [32, 32, 3];
            let preprocessing = critbatch_data::Preprocessing::UnitRange;
            let examples = Examples::Images { shape, preprocessing };
            let source = Source { split: 0, n_examples: 64, sampling: Sampling::Shuffled };
            let network = (&model, examples, 10);
            let rule = UpdateRule::Momentum;
            let training = TrainingPlans::new(network, source, 64, rule, scratch_bytes).unwrap();
            (training.n_parts, 4 * training.plans[0].scratch_len())
        };
        let (whole, kept) = bytes(SCRATCH_BYTES);
        let (n_parts, again) = bytes(1 << 20);
        assert_eq!([whole, n_parts], [1, 2]);
        assert!(3 * again < kept, "{again} bytes of scratch, {kept} of the whole batch");
    }

    /// 300 of 4,000 examples: batches go over the end of an epoch only later, and parts over no batch's.
    #[test]
    fn a_batch_in_parts_trains_as_the_whole_one() {
        let whole = workload("fc_64_64_64", DeviceChoice::Cpu, SCRATCH_BYTES);
        let parts = workload("fc_64_64_64", DeviceChoice::Cpu, 200_000);
        assert_eq!(whole.trainer(300, 1).unwrap().n_parts, 1);
        let n_parts = parts.trainer(300, 1).unwrap().n_parts;
        assert!(n_parts > 4, "{n_parts} parts");
        let (a, b) = (measured(&whole, 300, &[0, 1]), measured(&parts, 300, &[0, 1]));
        for (a, b) in a.iter().zip(&b) {
            let [a, b] = [a, b].map(|metrics| metrics["val/cross_entropy_error"]);
            assert!((a - b).abs() < 1e-5 * a, "whole {a}, in parts {b}");
        }
        let bytes = |w: &Workload| w.compute().memory_bytes(&w.program(300).unwrap(), 2);
        let (whole, parts) = (bytes(&whole), bytes(&parts));
        assert!(parts + 300 * 784 * 4 < whole, "planned: {parts} in parts, {whole} whole");
    }

    #[test]
    fn lanes_do_not_matter_in_parts() {
        for choice in [DeviceChoice::Cpu, DeviceChoice::Wgpu] {
            let parts = workload("simple_cnn_narrow", choice, 1 << 20);
            assert!(parts.trainer(24, 1).unwrap().n_parts > 1);
            let together = measured(&parts, 24, &[0, 1, 2]);
            let pair = measured(&parts, 24, &[0, 2]);
            for (place, of_three) in [(0, 0), (1, 2), (2, 3), (3, 5)] {
                assert_eq!(pair[place], together[of_three], "{choice:?}, measurement {place}");
            }
        }
    }
}
