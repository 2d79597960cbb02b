//! The fully connected networks of Shallue et al. 2018: ReLU between layers, no regulariser.

use crate::model::{Layer, Model};

/// Name and hidden widths.
#[rustfmt::skip]
const FULLY_CONNECTED: [(&str, &[usize]); 8] = [
    ("fc_1024",           &[1024]),
    ("fc_1024_1024",      &[1024, 1024]),
    ("fc_1024_1024_1024", &[1024, 1024, 1024]),
    ("fc_64_64_64",       &[64, 64, 64]),
    ("fc_128_128_128",    &[128, 128, 128]),
    ("fc_256_256_256",    &[256, 256, 256]),
    ("fc_512_512_512",    &[512, 512, 512]),
    ("fc_2048_2048_2048", &[2048, 2048, 2048]),
];

pub(crate) fn models() -> Vec<Model> {
    FULLY_CONNECTED
        .iter()
        .map(|&(name, widths)| {
            let hidden = widths.iter().map(|&units| Layer::Hidden { units });
            Model::new(name, hidden.chain([Layer::Logits]).collect())
        })
        .collect()
}
