//! Residual networks of Shallue et al. 2018: pre-activation blocks, after He et al. 2016.

use critbatch_kernels::Padding;

use crate::model::{Layer, Model};

pub(crate) fn models() -> Vec<Model> {
    vec![resnet_8(), resnet_50()]
}

/// Seven convolutions and a fully connected layer, without normalisation: He et al. 2016, "Deep
/// Residual Learning for Image Recognition", sec. 4.2, with one block a stage and shortcuts without
/// weights (option A); activations before convolutions as in "Identity Mappings in Deep Residual
/// Networks".
#[rustfmt::skip]
fn resnet_8() -> Model {
    Model::new("resnet_8", vec![
        Layer::Convolution { size: 3, channels: 16 },
        Layer::ResidualBlock { channels: 16, stride: 1 },
        Layer::ResidualBlock { channels: 32, stride: 2 },
        Layer::ResidualBlock { channels: 64, stride: 2 },
        Layer::Relu,
        Layer::GlobalAveragePool,
        Layer::Logits,
    ])
}

/// Channels and blocks of the stages of `resnet_50`.
const STAGES: [(usize, usize); 4] = [(64, 3), (128, 4), (256, 6), (512, 3)];

/// 49 convolutions beside those of four shortcuts, and a fully connected layer, with ghost batch norm:
/// He et al. 2016, "Deep Residual Learning for Image Recognition", sec. 4.1, with the blocks of
/// "Identity Mappings in Deep Residual Networks"; a stage's stride is in the 3 x 3 convolution of its
/// first block.
fn resnet_50() -> Model {
    let stem = [
        Layer::UnbiasedConvolution { size: 7, channels: 64, stride: 2 },
        Layer::MaxPool { size: 3, stride: 2, padding: Padding::Same },
    ];
    let blocks = STAGES.into_iter().enumerate().flat_map(|(stage, (channels, n_blocks))| {
        (0..n_blocks).map(move |block| {
            let begins_stage = block == 0;
            // The stem has halved the first stage's images twice already.
            let stride = if begins_stage && stage > 0 { 2 } else { 1 };
            Layer::Bottleneck { channels, stride, begins_stage }
        })
    });
    let head = [Layer::BatchNorm, Layer::Relu, Layer::GlobalAveragePool, Layer::Logits];
    Model::new("resnet_50", stem.into_iter().chain(blocks).chain(head).collect())
}
