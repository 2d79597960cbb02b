//! A network between its data and its loss.

use critbatch_data::Preprocessing;
use critbatch_kernels::{Graph, Node, Sampling, Source, UpdateRule};

use crate::error::ModelError;
use crate::examples::{CENTRED, Examples, Targets, UNIT_RANGE};
use crate::model::{Mode, Model};
use crate::training::{SCRATCH_BYTES, TrainingPlans};

/// A network with a batch to be read and its labels.
pub(crate) struct Network {
    pub(crate) graph: Graph,
    /// The batch as the network sees it: images or tokens.
    pub(crate) input: Node,
    pub(crate) logits: Node,
    /// The class of each example or token, or of each photograph the set of its classes.
    pub(crate) labels: Node,
    targets: Targets,
    /// Examples of the batch, all its parts together.
    whole_batch: usize,
    /// The labels of all its parts.
    all_labels: Node,
}

impl Network {
    /// The model on batches of the given examples.
    pub(crate) fn new(
        (model, mode): (&Model, Mode),
        (examples, n_classes): (Examples, usize),
        batch: usize,
        source: Source,
    ) -> Result<Self, ModelError> {
        let mut graph = Graph::new();
        let whole_batch = match source.sampling {
            Sampling::Parts { batch } => batch,
            _ => batch,
        };
        let mut all_labels = None;
        let (input, labels) = match examples {
            Examples::Images { shape, preprocessing } => {
                let images = graph.gather_images(source, batch, &shape, UNIT_RANGE)?;
                let images = match preprocessing {
                    Preprocessing::UnitRange => images,
                    Preprocessing::Standardised => graph.standardise(images)?,
                };
                (images, graph.gather_labels(source, batch)?)
            }
            Examples::Photos { shape, set_length: None } => {
                let images = graph.gather_images(source, batch, &shape, CENTRED)?;
                (images, graph.gather_labels(source, batch)?)
            }
            Examples::Photos { shape, set_length: Some(length) } => {
                let images = graph.gather_images(source, batch, &shape, CENTRED)?;
                let of_sets = Source { split: source.split + 1, ..source };
                let sets = graph.gather_tokens(of_sets, batch, length, [0, length])?;
                (images, sets)
            }
            Examples::Sentences { length } => {
                let tokens = graph.gather_tokens(source, batch, length + 1, [0, length])?;
                let mut labels = |source, batch| -> Result<Node, ModelError> {
                    let next = graph.gather_tokens(source, batch, length + 1, [1, length])?;
                    Ok(graph.reshape(next, &[batch * length])?)
                };
                if let Sampling::Parts { batch } = source.sampling {
                    let whole = Source { sampling: Sampling::Shuffled, ..source };
                    all_labels = Some(labels(whole, batch)?);
                }
                (tokens, labels(source, batch)?)
            }
        };
        let logits = model.build(&mut graph, input, n_classes, mode)?;
        let all_labels = all_labels.unwrap_or(labels);
        let targets = examples.targets();
        Ok(Self { graph, input, logits, labels, targets, whole_batch, all_labels })
    }

    /// Mean loss of a batch as training takes it, over images or over tokens, with label smoothing; of a
    /// part of one, its share of that.
    pub(crate) fn training_loss(&mut self) -> Result<Node, ModelError> {
        let losses = self.each_loss(true)?;
        if self.targets == Targets::Tokens {
            return Ok(self.graph.share_of_labelled(losses, self.labels, self.all_labels)?);
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch stays below 2^30")]
        let scale = 1.0 / self.whole_batch as f64;
        Ok(self.graph.sum(losses, scale)?)
    }
}

impl Network {
    /// Cross entropy of each class or token, padding left out; or of all classes of each example, which are
    /// there or not.
    fn each_loss(&mut self, smoothed: bool) -> Result<Node, ModelError> {
        let (logits, labels) = (self.logits, self.labels);
        Ok(match self.targets {
            Targets::Class | Targets::Tokens => {
                self.graph.softmax_cross_entropy(logits, labels, smoothed)?
            }
            Targets::Set => self.graph.sigmoid_cross_entropy(logits, labels, smoothed)?,
        })
    }

    /// What is recorded of a batch in an evaluation: the sum of losses, then the number of errors, or,
    /// over sets of labels, a histogram of scores.
    pub(crate) fn evaluated(&mut self) -> Result<[Node; 2], ModelError> {
        let losses = self.each_loss(false)?;
        let loss = self.graph.sum(losses, 1.0)?;
        let (logits, labels) = (self.logits, self.labels);
        let quality = match self.targets {
            Targets::Class | Targets::Tokens => {
                let errors = self.graph.error_count(logits, labels)?;
                self.graph.sum(errors, 1.0)?
            }
            Targets::Set => self.graph.score_histogram(logits, labels)?,
        };
        Ok([loss, quality])
    }
}

/// What training a network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Parameters that gradients change.
    pub n_parameters: usize,
    /// Floating-point operations of a step for each example: products and convolutions, forward and
    /// backward, a multiply-add counted as two.
    pub flops_per_example: u64,
    /// Bytes of one lane alone: parameters with velocities, stored gradients, activations.
    pub lane_bytes: u64,
}

impl Model {
    /// What it takes to train on batches of so many examples of a shape: of images `[H, W, C]`, of
    /// sentences `[T]`.
    ///
    /// # Errors
    /// If the network does not fit the shape or the batch, or a tensor is too large.
    pub fn cost(
        &self,
        example_shape: &[usize],
        n_classes: usize,
        batch_size: usize,
    ) -> Result<Cost, ModelError> {
        let examples = match *example_shape {
            [height, width, channels] => Examples::Images {
                shape: [height, width, channels],
                preprocessing: Preprocessing::UnitRange,
            },
            _ => Examples::Sentences { length: example_shape.iter().product() },
        };
        let source = Source { split: 0, n_examples: batch_size, sampling: Sampling::Shuffled };
        let network = (self, examples, n_classes);
        let rule = UpdateRule::NesterovMomentum;
        let training = TrainingPlans::new(network, source, batch_size, rule, SCRATCH_BYTES)?;
        Ok(Cost {
            n_parameters: self.n_parameters(example_shape, n_classes)?,
            flops_per_example: training.flops / batch_size as u64,
            lane_bytes: training.plans[0].lane_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shallue et al. 2018's networks, counted by hand (docs/models.md): a multiply-add is two
    /// operations, and backward takes twice as many as forward but for the first layer's input.
    #[test]
    fn costs_are_those_of_the_published_shapes() {
        let cost = |name: &str, shape: &[usize], n_classes, batch| {
            Model::find(name).unwrap().cost(shape, n_classes, batch).unwrap()
        };
        let small = cost("fc_1024", &[28, 28, 1], 10, 8);
        assert_eq!(small.n_parameters, 814_090);
        assert_eq!(small.flops_per_example, 2 * (2 * 784 * 1024 + 3 * 1024 * 10));
        let base = cost("simple_cnn_base", &[28, 28, 1], 10, 2);
        assert!((78e6..84e6).contains(&(base.flops_per_example as f64)), "{base:?}");
        let resnet = cost("resnet_50", &[224, 224, 3], 1000, 32);
        assert!((24.0e9..25.0e9).contains(&(resnet.flops_per_example as f64)), "{resnet:?}");
        let vgg = cost("vgg_11", &[224, 224, 3], 1000, 1);
        assert!((45.0e9..46.0e9).contains(&(vgg.flops_per_example as f64)), "{vgg:?}");
        // 6 operations a weight and token beside the attention's scores.
        let lm = cost("transformer_base", &[64], 32_000, 4);
        let weights = 6.0 * 64.0 * (6.0 * 3_145_728.0 + 16_384_000.0);
        assert!((0.99..1.05).contains(&(lm.flops_per_example as f64 / weights)), "{lm:?}");
    }

    #[test]
    fn memory_grows_with_the_batch_beyond_the_weights() {
        let model = Model::find("simple_cnn_base").unwrap();
        let bytes = |batch| model.cost(&[28, 28, 1], 10, batch).unwrap().lane_bytes;
        assert!(bytes(1) > 8 * 3_274_634, "weights and velocities");
        let (a, b, c) = (bytes(100), bytes(200), bytes(300));
        assert!(b > a && (c - b).abs_diff(b - a) < 1 << 16, "{a} {b} {c}");
    }
}
