//! The language model LSTM-2048-512 of Jozefowicz et al. 2016, "Exploring the Limits of Language
//! Modeling", as Shallue et al. 2018 simplify it: a plain softmax without bias.

use crate::model::{Layer, Model};

#[rustfmt::skip]
pub(crate) fn models() -> Vec<Model> {
    vec![Model::new("lstm", vec![
        Layer::Embedding { columns: 1024, is_scaled: false },
        Layer::Lstm { units: 2048, projection: 512 },
        Layer::UnbiasedLogits,
    ])]
}
