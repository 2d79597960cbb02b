//! Residual networks of Shallue et al. 2018: pre-activation blocks, after He et al. 2016.

use crate::model::{Layer, Model};

pub(crate) fn models() -> Vec<Model> {
    vec![resnet_8()]
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
