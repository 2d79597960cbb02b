//! A network as a table of layers, and the graph that it stands for.

use critbatch_kernels::{Error, Graph, Initialiser, Masks, Moments, Node, Padding};

use crate::error::ModelError;
use crate::{fully_connected, lstm, resnet, simple_cnn, transformer, vgg};

/// Examples whose moments normalise each other in training.
const GHOST_BATCH: usize = 32;

/// One row of a network's table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Layer {
    /// Convolution of `size x size`, stride 1, same padding, with bias.
    Convolution {
        /// Height and width of the filter.
        size: usize,
        /// Output channels.
        channels: usize,
    },
    /// Convolution of `size x size`, same padding, without bias.
    UnbiasedConvolution {
        /// Height and width of the filter.
        size: usize,
        /// Output channels.
        channels: usize,
        /// Pixels from one window to the next.
        stride: usize,
    },
    /// Rectified linear unit.
    Relu,
    /// Ghost batch norm.
    BatchNorm,
    /// With `n = relu(norm(.))` and convolutions without bias: `a = n(x)`,
    /// `y = conv 1 x 1 (n(conv 3 x 3 (n(conv 1 x 1 (a))))) + shortcut`, to `channels`, `channels` and
    /// four times `channels`; the shortcut is x, or, where a stage begins, a convolution of 1 x 1 of a.
    Bottleneck {
        /// Channels between the convolutions.
        channels: usize,
        /// Pixels from one window of the second convolution, and of the shortcut, to the next.
        stride: usize,
        /// Whether the shortcut is a convolution.
        begins_stage: bool,
    },
    /// `a = relu(x)`, `y = conv(relu(conv(a))) + shortcut(a)`: two convolutions of 3 x 3 with bias,
    /// the first with a stride, behind their activations; a shortcut without weights. The block with
    /// which a stage begins: its activation comes before both paths.
    ResidualBlock {
        /// Output channels.
        channels: usize,
        /// Pixels from one window of the first convolution to the next.
        stride: usize,
    },
    /// Maximum over `size x size` windows.
    MaxPool {
        /// Height and width of the window.
        size: usize,
        /// Pixels from one window to the next.
        stride: usize,
        /// What lies beyond the edge.
        padding: Padding,
    },
    /// Mean over all pixels.
    GlobalAveragePool,
    /// Fully connected hidden layer with bias and ReLU; flattens images first.
    Hidden {
        /// Number of units.
        units: usize,
    },
    /// Dropout, in training only.
    Dropout {
        /// Probability of dropping a unit.
        rate: f32,
    },
    /// Fully connected layer with bias to one logit a class.
    Logits,
    /// A row of a table for each token.
    Embedding {
        /// Length of a row.
        columns: usize,
        /// Whether rows are multiplied by the root of their length.
        is_scaled: bool,
    },
    /// Adds sines and cosines of each place's number.
    Positions,
    /// `x + dropout(attention(norm(x) W) V)`: layer norm, a product without bias to queries, keys and
    /// values, causal attention, a product without bias.
    Attention {
        /// Number of heads.
        heads: usize,
        /// Probability of dropping an element of the sum's right side.
        dropout: f32,
    },
    /// `x + dropout(relu(norm(x) W + a) V + b)`.
    FeedForward {
        /// Columns between the products.
        hidden: usize,
        /// Probability of dropping an element of the sum's right side.
        dropout: f32,
    },
    /// Layer norm along the last axis.
    LayerNorm,
    /// Long short-term memory with a projection; its gates take the input by a product with bias.
    Lstm {
        /// Number of cells.
        units: usize,
        /// Columns of its output, which is fed back.
        projection: usize,
    },
    /// Product without bias to one logit a token of the vocabulary.
    UnbiasedLogits,
    /// Product with the table of the embedding, transposed: one logit a token of the vocabulary.
    TiedLogits,
}

/// Whether a network trains or is measured, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Dropout is on.
    Train,
    /// Dropout is on as in training, with masks of its own in each iteration of a run: for measuring
    /// gradients, and for training on a batch in parts.
    EachIteration,
    /// As in training, but dropout is off.
    Probe,
    /// Dropout is off, and batch norm takes its running moments.
    Evaluate,
}

impl Layer {
    /// Whether it is several layers with a shortcut: a value between two such is worth keeping where what
    /// lies within them is computed again.
    fn is_block(self) -> bool {
        matches!(
            self,
            Layer::Bottleneck { .. }
                | Layer::ResidualBlock { .. }
                | Layer::Attention { .. }
                | Layer::FeedForward { .. }
        )
    }
}

/// A network of the paper, or a smaller relative of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    name: &'static str,
    layers: Vec<Layer>,
}

impl Model {
    pub(crate) fn new(name: &'static str, layers: Vec<Layer>) -> Self {
        Self { name, layers }
    }

    /// Examples of the groups that its batch norms take moments of, if it has any.
    pub(crate) fn group(&self) -> Option<usize> {
        let has_norm = |layer: &Layer| matches!(layer, Layer::BatchNorm | Layer::Bottleneck { .. });
        self.layers.iter().any(has_norm).then_some(GHOST_BATCH)
    }

    /// All models, in the order of the paper's families.
    pub fn all() -> Vec<Model> {
        let images =
            [fully_connected::models(), simple_cnn::models(), resnet::models(), vgg::models()];
        [images.concat(), transformer::models(), lstm::models()].concat()
    }

    /// The model of this name.
    ///
    /// # Errors
    /// If there is none; the message lists all.
    pub fn find(name: &str) -> Result<Model, ModelError> {
        let models = Self::all();
        let accepted: Vec<&str> = models.iter().map(|model| model.name).collect();
        let accepted = accepted.join(", ");
        models.into_iter().find(|model| model.name == name).ok_or_else(|| ModelError::Unknown {
            kind: "model",
            name: name.to_owned(),
            accepted,
        })
    }

    /// Name; of those of the paper, as in its archive.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The rows of the network's table.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Whether its input is tokens; else it is images.
    pub fn reads_tokens(&self) -> bool {
        matches!(self.layers.first(), Some(Layer::Embedding { .. }))
    }

    /// Number of parameters on examples of the given shape: of images `[H, W, C]`, of sentences `[T]`.
    ///
    /// # Errors
    /// If the network does not fit the shape.
    pub fn n_parameters(&self, example_shape: &[usize], n_classes: usize) -> Result<usize, Error> {
        let mut graph = Graph::new();
        let shape = [&[1], example_shape].concat();
        let x = graph.parameter("input", &shape, Initialiser::Zeros)?;
        self.build(&mut graph, x, n_classes, Mode::Evaluate)?;
        let n_trained: usize =
            graph.trained_parameters().map(|parameter| parameter.shape.len()).sum();
        Ok(n_trained - graph.shape(x).len())
    }

    /// Adds the network to a graph, from images `[N, H, W, C]` to logits `[N, K]`, or from tokens
    /// `[N, T]` to logits `[N T, K]`.
    ///
    /// # Errors
    /// If the network does not fit the input.
    pub fn build(
        &self,
        graph: &mut Graph,
        x: Node,
        n_classes: usize,
        mode: Mode,
    ) -> Result<Node, Error> {
        if self.reads_tokens() != (graph.shape(x).n_axes() == 2) {
            let what = if self.reads_tokens() { "sentences" } else { "images" };
            return Err(Error::Operand {
                op: self.name,
                got: graph.shape(x).clone(),
                needs: format!("this network reads {what}"),
            });
        }
        let mut builder = Builder::new(graph, mode);
        self.layers.iter().try_fold(x, |x, &layer| {
            let y = builder.layer(layer, x, n_classes)?;
            if layer.is_block() {
                builder.graph.checkpoint(y);
            }
            Ok(y)
        })
    }
}

/// Counts layers of each kind, which names their parameters: `conv1/kernel`, `dense2/bias`.
pub(crate) struct Builder<'g> {
    pub(crate) graph: &'g mut Graph,
    mode: Mode,
    /// Of the embedding, once there is one.
    pub(crate) table: Option<Node>,
    n_convolutions: usize,
    pub(crate) n_norms: usize,
    n_dense: usize,
    pub(crate) n_attentions: usize,
    pub(crate) n_feed_forwards: usize,
    pub(crate) n_lstms: usize,
    n_dropouts: u32,
}

impl<'g> Builder<'g> {
    fn new(graph: &'g mut Graph, mode: Mode) -> Self {
        Self {
            graph,
            mode,
            table: None,
            n_convolutions: 0,
            n_norms: 0,
            n_dense: 0,
            n_attentions: 0,
            n_feed_forwards: 0,
            n_lstms: 0,
            n_dropouts: 0,
        }
    }

    fn layer(&mut self, layer: Layer, x: Node, n_classes: usize) -> Result<Node, Error> {
        match layer {
            Layer::Convolution { size, channels } => self.convolution(x, size, channels, 1),
            Layer::Relu => self.graph.relu(x),
            Layer::ResidualBlock { channels, stride } => self.residual_block(x, channels, stride),
            Layer::UnbiasedConvolution { size, channels, stride } => {
                self.unbiased_convolution(x, size, channels, stride)
            }
            Layer::BatchNorm => self.batch_norm(x),
            Layer::Bottleneck { channels, stride, begins_stage } => {
                self.bottleneck(x, channels, stride, begins_stage)
            }
            Layer::MaxPool { size, stride, padding } => {
                self.graph.max_pool(x, size, stride, padding)
            }
            Layer::GlobalAveragePool => self.graph.global_avg_pool(x),
            Layer::Hidden { units } => {
                let y = self.dense(x, units)?;
                self.graph.relu(y)
            }
            Layer::Dropout { rate } => self.dropout(x, rate),
            Layer::Embedding { columns, is_scaled } => {
                self.embedding(x, columns, is_scaled, n_classes)
            }
            Layer::Positions => self.graph.add_positions(x, "positions"),
            Layer::Attention { heads, dropout } => self.attention(x, heads, dropout),
            Layer::FeedForward { hidden, dropout } => self.feed_forward(x, hidden, dropout),
            Layer::LayerNorm => self.layer_norm(x),
            Layer::Lstm { units, projection } => self.lstm(x, units, projection),
            Layer::UnbiasedLogits => self.unbiased_logits(x, n_classes),
            Layer::TiedLogits => self.tied_logits(x),
            Layer::Logits => self.dense(x, n_classes),
        }
    }

    pub(crate) fn dropout(&mut self, x: Node, rate: f32) -> Result<Node, Error> {
        self.n_dropouts += 1;
        let masks = match self.mode {
            Mode::Train => Masks::EachStep,
            Mode::EachIteration => Masks::EachIteration,
            Mode::Probe | Mode::Evaluate => return Ok(x),
        };
        self.graph.dropout(x, rate, self.n_dropouts, masks)
    }

    fn residual_block(&mut self, x: Node, channels: usize, stride: usize) -> Result<Node, Error> {
        let activation = self.graph.relu(x)?;
        let shortcut = self.graph.identity_shortcut(activation, stride, channels)?;
        let y = self.convolution(activation, 3, channels, stride)?;
        let y = self.graph.relu(y)?;
        let y = self.convolution(y, 3, channels, 1)?;
        self.graph.add(y, shortcut)
    }

    fn bottleneck(
        &mut self,
        x: Node,
        channels: usize,
        stride: usize,
        begins_stage: bool,
    ) -> Result<Node, Error> {
        let activation = self.batch_norm(x)?;
        let activation = self.graph.relu(activation)?;
        let shortcut = match begins_stage {
            true => self.unbiased_convolution(activation, 1, 4 * channels, stride)?,
            false => x,
        };
        let mut y = self.unbiased_convolution(activation, 1, channels, 1)?;
        for (size, channels, stride) in [(3, channels, stride), (1, 4 * channels, 1)] {
            y = self.batch_norm(y)?;
            y = self.graph.relu(y)?;
            y = self.unbiased_convolution(y, size, channels, stride)?;
        }
        self.graph.add(y, shortcut)
    }

    fn batch_norm(&mut self, x: Node) -> Result<Node, Error> {
        self.n_norms += 1;
        let moments = match self.mode {
            Mode::Train | Mode::EachIteration | Mode::Probe => Moments::OfGroups(GHOST_BATCH),
            Mode::Evaluate => Moments::Running,
        };
        self.graph.batch_norm(x, &format!("norm{}", self.n_norms), moments)
    }

    fn unbiased_convolution(
        &mut self,
        x: Node,
        size: usize,
        channels: usize,
        stride: usize,
    ) -> Result<Node, Error> {
        self.n_convolutions += 1;
        let name = format!("conv{}/kernel", self.n_convolutions);
        let in_channels = self.graph.shape(x).last().copied().unwrap_or(1);
        let shape = [size, size, in_channels, channels];
        let lecun = Initialiser::LecunNormal { fan_in: size * size * in_channels };
        let kernel = self.graph.parameter(&name, &shape, lecun)?;
        self.graph.conv2d(x, kernel, stride, Padding::Same)
    }

    fn convolution(
        &mut self,
        x: Node,
        size: usize,
        channels: usize,
        stride: usize,
    ) -> Result<Node, Error> {
        let y = self.unbiased_convolution(x, size, channels, stride)?;
        let name = format!("conv{}/bias", self.n_convolutions);
        let bias = self.graph.parameter(&name, &[channels], Initialiser::Zeros)?;
        self.graph.add_bias(y, bias)
    }

    fn dense(&mut self, x: Node, units: usize) -> Result<Node, Error> {
        self.n_dense += 1;
        let name = format!("dense{}", self.n_dense);
        let shape = self.graph.shape(x);
        let batch = shape.first().copied().unwrap_or(1);
        let inputs = shape.len() / batch;
        let x = self.graph.reshape(x, &[batch, inputs])?;
        let lecun = Initialiser::LecunNormal { fan_in: inputs };
        let kernel = self.graph.parameter(&format!("{name}/kernel"), &[inputs, units], lecun)?;
        let zeros = Initialiser::Zeros;
        let bias = self.graph.parameter(&format!("{name}/bias"), &[units], zeros)?;
        let y = self.graph.matmul(x, kernel)?;
        self.graph.add_bias(y, bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shallue et al. 2018, sec. 3 and app. C; counts by arithmetic on the published widths.
    #[test]
    fn parameter_counts_are_the_papers() {
        let mnist: (&[usize], usize) = (&[28, 28, 1], 10);
        let cifar: (&[usize], usize) = (&[32, 32, 3], 10);
        let imagenet: (&[usize], usize) = (&[224, 224, 3], 1000);
        let lm1b: (&[usize], usize) = (&[64], 32_000);
        let counts = [
            ("fc_1024", mnist, 814_090),
            ("fc_1024_1024", mnist, 1_863_690),
            ("fc_1024_1024_1024", mnist, 2_913_290),
            ("fc_64_64_64", mnist, 59_210),
            ("fc_128_128_128", mnist, 134_794),
            ("fc_256_256_256", mnist, 335_114),
            ("fc_512_512_512", mnist, 932_362),
            ("fc_2048_2048_2048", mnist, 10_020_874),
            ("simple_cnn_narrow", mnist, 821_706),
            ("simple_cnn_base", mnist, 3_274_634),
            ("simple_cnn_wide", mnist, 13_074_186),
            // 9 (3 16 + 2 16^2 + 16 32 + 32^2 + 32 64 + 64^2) + 3 16 + 2 32 + 2 64 + 65 10.
            ("resnet_8", cifar, 75_050),
            ("vgg_11", imagenet, 132_863_336),
            ("resnet_50", imagenet, 25_549_352),
            // Blocks of d columns and f hidden ones: 4 d^2 + 2 d f + f + d, two norms of 2 d; one more
            // norm and the table, 32,000 d.
            ("transformer_base", lm1b, 35_287_040),
            ("transformer_shallow", lm1b, 22_685_696),
            ("transformer_narrow_and_shallow", lm1b, 9_769_984),
            ("transformer_tiny", lm1b, 2_147_584),
            ("transformer_wide", lm1b, 108_322_816),
            // Table 32,000 1024; gates (1024 + 512 + 1) 8192; projection 2048 512; logits 512 32,000.
            ("lstm", lm1b, 62_791_680),
        ];
        for (name, (example_shape, n_classes), count) in counts {
            let model = Model::find(name).unwrap();
            assert_eq!(model.n_parameters(example_shape, n_classes).unwrap(), count, "{name}");
        }
        assert_eq!(Model::all().len(), counts.len(), "a model without a count");
    }

    /// Shapes per example after every row of a network's table.
    fn shapes(name: &str, example_shape: &[usize]) -> Vec<Vec<usize>> {
        let model = Model::find(name).unwrap();
        let shape_after = |n_layers| {
            let part = Model::new("part", model.layers[..n_layers].to_vec());
            let mut graph = Graph::new();
            let shape = [&[3], example_shape].concat();
            let images = graph.parameter("images", &shape, Initialiser::Zeros).unwrap();
            let y = part.build(&mut graph, images, 10, Mode::Train).unwrap();
            graph.shape(y)[1..].to_vec()
        };
        (1..=model.layers.len()).map(shape_after).collect()
    }

    #[test]
    fn shapes_after_every_layer_are_the_papers() {
        let expected: [&[usize]; 9] = [
            &[28, 28, 32],
            &[28, 28, 32],
            &[14, 14, 32],
            &[14, 14, 64],
            &[14, 14, 64],
            &[7, 7, 64],
            &[1024],
            &[1024],
            &[10],
        ];
        assert_eq!(shapes("simple_cnn_base", &[28, 28, 1]), expected);
        let expected: [&[usize]; 7] =
            [&[32, 32, 16], &[32, 32, 16], &[16, 16, 32], &[8, 8, 64], &[8, 8, 64], &[64], &[10]];
        assert_eq!(shapes("resnet_8", &[32, 32, 3]), expected);
    }

    #[test]
    fn networks_refuse_the_input_of_others() {
        let refusal = |name, shape: &[usize]| {
            Model::find(name).unwrap().n_parameters(shape, 10).unwrap_err().to_string()
        };
        assert!(refusal("fc_1024", &[64]).contains("reads images"));
        assert!(refusal("transformer_base", &[28, 28, 1]).contains("reads sentences"));
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let message = Model::find("fc_7").unwrap_err().to_string();
        assert!(message.starts_with("unknown model 'fc_7'; accepted: fc_1024, "), "{message}");
    }
}
