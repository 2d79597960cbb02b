//! VGG-11 of Shallue et al. 2018: configuration A of Simonyan and Zisserman 2014, without
//! normalisation.

use critbatch_kernels::Padding;

use crate::model::{Layer, Model};

/// Channels of the convolutions of each stage, which a max-pool ends.
const STAGES: [&[usize]; 5] = [&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];

/// Units and dropout of the two hidden layers.
const HIDDEN: [Layer; 2] = [Layer::Hidden { units: 4096 }, Layer::Dropout { rate: 0.5 }];

pub(crate) fn models() -> Vec<Model> {
    let stage = |channels: &&[usize]| {
        let convolutions = channels
            .iter()
            .flat_map(|&channels| [Layer::Convolution { size: 3, channels }, Layer::Relu]);
        convolutions
            .chain([Layer::MaxPool { size: 2, stride: 2, padding: Padding::Valid }])
            .collect::<Vec<_>>()
    };
    let layers = STAGES.iter().flat_map(stage).chain(HIDDEN).chain(HIDDEN).chain([Layer::Logits]);
    vec![Model::new("vgg_11", layers.collect())]
}
